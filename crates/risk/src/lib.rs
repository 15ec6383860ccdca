//! The risk engine: pure functions on plain values, the same bits on chain and off.
//!
//! - [`units`], [`num`], [`limits`]: quantities, directional arithmetic, bounds (margin-spec 1).
//! - [`price`]: from a feed's figures to a published price (2).
//! - [`book`]: what judging reads; [`shares`]: balances (4.1).
//! - [`margin`], [`scratch`], [`report`]: equities, SPAN scan, requirements (4, 5).
//! - [`fill`], [`order`], [`cash`], [`pool`], [`liquidation`]: plans, each a delta that is judged
//!   before it is applied (5.7, 8.1, 8.2, 10).
//!
//! Judging never fails: it saturates. Plans refuse with a [`RiskError`] that says what to do.
#![no_std]
#![forbid(unsafe_code)]

mod aggregate;
pub mod book;
pub mod cash;
pub mod error;
pub mod fill;
pub mod limits;
pub mod liquidation;
pub mod margin;
pub mod num;
pub mod order;
pub mod pool;
pub mod price;
pub mod report;
mod scan;
pub mod scratch;
pub mod shares;
mod source;
pub mod units;

pub use book::*;
pub use cash::*;
pub use error::RiskError;
pub use fill::*;
pub use liquidation::*;
pub use margin::*;
pub use order::*;
pub use pool::*;
pub use price::*;
pub use report::{AssetLine, MarginReport, report};
pub use scratch::Scratch;
pub use shares::*;
pub use units::*;
