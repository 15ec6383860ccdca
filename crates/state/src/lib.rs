//! What Keel stores: every account as a `repr(C)` struct whose bytes *are* the account, and views of
//! those bytes that `keel-risk` judges.
//!
//! - [`RiskBook`] and [`MarginAccount`]: the two accounts that tell whether anyone is solvent.
//! - [`Bank`], [`Market`], [`Pool`], [`Group`]: ledgers and parameters.
//! - [`BookView`], [`MarginView`]: `keel_risk::Book` and `keel_risk::Legs` on the mapped bytes.
//!
//! Nothing here computes an amount: this crate stores, views and applies. All integers are
//! little-endian; no field is a `u128` or `i128` (their alignment differs between host and chain);
//! padding is named; spare bytes end each account. Sizes and offsets are asserted at compile time and
//! listed in `docs/layout.md`.
#![cfg_attr(not(feature = "anchor"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[macro_use]
mod layout;
mod apply;
mod bank;
mod delegate;
mod group;
mod margin_account;
mod market;
mod pool;
mod prices;
mod report;
mod requests;
mod risk_book;
mod series;
mod tags;
mod views;
mod workspace;

pub use {
    apply::*, bank::*, group::*, margin_account::*, market::*, pool::*, report::*, requests::*,
    risk_book::*, tags::*, views::*, workspace::*,
};

pub use solana_pubkey::Pubkey;

/// The program's address. The same key names the program in the client and in the IDL.
pub mod program {
    #[cfg(feature = "anchor")]
    anchor_lang::declare_id!("KEELp7kYzFzUw1QfU6jvEWwMqcfEQtG2mNTuCdgdoQM");
    #[cfg(not(feature = "anchor"))]
    pub const ID: solana_pubkey::Pubkey =
        solana_pubkey::Pubkey::from_str_const("KEELp7kYzFzUw1QfU6jvEWwMqcfEQtG2mNTuCdgdoQM");
}
pub use program::ID;

/// Bytes in front of every account: the first eight of `sha256("account:" + name)`, Anchor's rule.
pub const DISCRIMINATOR_BYTES: usize = 8;

/// A struct that is the whole of an account behind its discriminator.
pub trait Stored: bytemuck::Pod {
    /// The account's name in the IDL; its discriminator is derived from it.
    const NAME: &'static str;
    /// Length of the account's fixed part, discriminator included.
    const BYTES: usize = DISCRIMINATOR_BYTES + core::mem::size_of::<Self>();
}

/// One field of a stored struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub kind: &'static str,
    pub offset: usize,
    pub bytes: usize,
}

/// Version byte of every layout in this release.
pub const LAYOUT_VERSION: u8 = 1;
