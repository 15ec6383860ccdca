//! The risk engine: pure functions on plain values, the same bits on chain and off.
//!
//! - [`units`], [`num`], [`limits`]: quantities, directional arithmetic, bounds (margin-spec 1).
//! - [`math`]: logarithm, exponential, normal distribution, powers, in integers (5.8, 6.1).
//! - [`price`]: from a feed's figures to a published price (2).
//! - [`book`]: what judging reads; [`shares`]: balances (4.1); [`carry`]: interest, funding (7).
//! - [`black76`]: options and their Greeks (6.1, 6.2); [`risk_array`]: their losses (5.8).
//! - [`margin`]: equities, SPAN scan, requirements, report (4, 5).
//! - [`options`]: series between refreshes, volatility, settlement, listing (5.8, 6.3, 6.4).
//! - [`ledger`]: what banks and markets owe, and how a plan changes it (I1 to I3).
//! - [`fitness`]: which prices serve which plan (2.6).
//! - [`quote`]: what a pool asks (10.1); [`fill`], [`order`], [`exit`], [`cash`], [`withdrawal`],
//!   [`settle`], [`pool`], [`redeem`], [`failure`]: plans, each a delta that is judged before it is
//!   applied (5.7, 7.4, 8, 10).
//! - [`outflow`], [`ticket`]: how fast a bank may be emptied (7.5).
//! - [`delegate`]: what an owner lets another key trade (11).
//! - [`outlook`]: buying power, liquidation prices, projected margin, for clients (5.10).
//!
//! Judging never fails: it saturates. Plans refuse with a [`RiskError`] that says what to do.
#![no_std]
#![forbid(unsafe_code)]

pub mod black76;
pub mod book;
pub mod carry;
pub mod cash;
pub mod delegate;
pub mod error;
pub mod exit;
pub mod failure;
pub mod fill;
pub mod fitness;
pub mod ledger;
pub mod limits;
pub mod margin;
pub mod math;
pub mod num;
pub mod options;
pub mod order;
pub mod outflow;
pub mod outlook;
pub mod pool;
pub mod price;
pub mod quote;
pub mod redeem;
pub mod risk_array;
pub mod settle;
pub mod shares;
pub mod ticket;
pub mod units;
pub mod withdrawal;

pub use book::*;
pub use carry::*;
pub use cash::*;
pub use delegate::*;
pub use error::RiskError;
pub use exit::*;
pub use failure::*;
pub use fill::*;
pub use fitness::*;
pub use ledger::*;
pub use margin::*;
pub use options::*;
pub use order::*;
pub use outflow::*;
pub use outlook::*;
pub use pool::*;
pub use price::*;
pub use quote::*;
pub use redeem::*;
pub use settle::*;
pub use shares::*;
pub use ticket::*;
pub use units::*;
pub use withdrawal::*;
