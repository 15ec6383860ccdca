//! When an account falls below Maintenance (margin-spec 8).

mod liquidation;

pub use liquidation::*;
