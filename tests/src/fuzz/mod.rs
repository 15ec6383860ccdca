//! Random sequences of everything that anyone can do, on the compiled program, checked after every
//! step against books kept from raw bytes.
//!
//! [`Arena`] is the group, [`Action`] one step as a line of text, [`Chooser`] where steps come from,
//! [`Driver`] who carries them out and checks, [`Books`] the ledger of its own,
//! [`check`] what a step must keep; [`run`] strings them
//! together and shortens what failed.

mod action;
mod arena;
mod attack;
mod books;
pub mod check;
mod choose;
mod driver;
mod margin;
pub mod run;
mod state;

pub use action::{Action, Attack};
pub use arena::Arena;
pub use books::Books;
pub use choose::{Chooser, View};
pub use driver::{Driver, Outcome};
pub use state::State;
