//! The risk engine against its specification: rounding, an independent implementation in rationals,
//! the laws of margin-spec 5.9, conservation, liquidation, and the figures of `docs/risk.md`.

mod black76;
mod carry;
mod chart;
mod common;
mod examples;
mod fill;
mod laws;
mod liquidation;
mod num;
mod price;
mod reference;
mod series;
mod settlement;
mod shares;
mod vectors;
