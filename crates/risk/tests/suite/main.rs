//! The risk engine against its specification: rounding, an independent implementation in whole
//! numbers, the laws of margin-spec 5.9, conservation, liquidation, limits, and the figures of
//! `docs/risk.md`.

mod black76;
mod carry;
mod common;
mod differential;
mod examples;
mod fill;
mod jumps;
mod laws;
mod limits;
mod liquidation;
mod listing;
mod math;
mod matrix;
mod num;
mod options_laws;
mod peaks;
mod portfolios;
mod precise;
mod price;
mod proofs;
mod ranges;
mod reference;
mod reference_vectors;
mod risk_array;
mod series;
mod settlement;
mod shares;
mod slice;
mod vectors;
