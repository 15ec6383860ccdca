//! `cargo demo`: five traders, their isolated twins, a crash and the house that they trade in, on the
//! compiled program.
//!
//! Reading order: `cast` (who trades), `path` (what the market does), `result` and `house`
//! (what a run leaves behind), `simulation` (how it is run), `report` (how it is told). Everything here except the
//! simulation is plain data and knows nothing of Solana.
#![forbid(unsafe_code)]

pub mod cast;
pub mod cli;
pub mod house;
pub mod path;
pub mod progress;
pub mod report;
pub mod result;
pub mod simulation;
