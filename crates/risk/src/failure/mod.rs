//! When an account falls below Maintenance (margin-spec 8).

mod auction;
mod deleverage;
mod liquidation;
mod losses;
mod takeover;

pub use auction::*;
pub use deleverage::*;
pub use liquidation::*;
pub use losses::*;
pub use takeover::*;
