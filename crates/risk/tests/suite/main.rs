//! The risk engine against its specification: rounding, an independent implementation in rationals,
//! the laws of margin-spec 5.9, conservation, liquidation, and the figures of `docs/risk.md`.

mod auction;
mod carry;
mod common;
mod deleverage;
mod examples;
mod fill;
mod hedges;
mod interest;
mod laws;
mod liquidation;
mod num;
mod price;
mod reference;
mod settle;
mod shares;
mod takeover;
mod vectors;
