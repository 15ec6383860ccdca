//! The risk engine against its specification: rounding, an independent implementation in rationals,
//! the laws of margin-spec 5.9, conservation, liquidation, and the figures of `docs/risk.md`.

mod auction;
mod black76;
mod carry;
mod chart;
mod common;
mod deleverage;
mod examples;
mod fill;
mod hedges;
mod interest;
mod jumps;
mod kept;
mod laws;
mod liquidation;
mod listing;
mod math;
mod matrix;
mod num;
mod precise;
mod price;
mod ranges;
mod reference;
mod risk_array;
mod series;
mod settle;
mod settlement;
mod shares;
mod slice;
mod takeover;
mod vectors;
