//! When an account falls below Maintenance (margin-spec 8).

mod auction;
mod deleverage;
mod halt;
mod liquidation;
mod losses;
mod resolve;
mod takeover;
mod unwind;

pub use auction::*;
pub use deleverage::*;
pub use halt::*;
pub use liquidation::*;
pub use losses::*;
pub use resolve::*;
pub use takeover::*;
pub use unwind::*;

use crate::book::{Book, Legs};
use crate::cash::check_asset_count;
use crate::error::RiskError;
use crate::fitness::require_prices_of;
use crate::margin::{self, InitialTerms, Scratch};
use crate::price::Action;

/// Who takes legs over, liquidator or bidder, stays within his asset count, on prices good enough, and
/// ends at or above Initial (8.1, 8.3). Assets of `excepted`, as bits, were judged already.
///
/// Errors: `TooManyAssets`, `PriceUnfit`, `BelowInitial`.
fn judge_receiver<B: Book, L: Legs>(
    book: &B,
    after: &L,
    excepted: u32,
    scratch: &mut Scratch<'_>,
) -> Result<(), RiskError> {
    let judged = margin::judged_initially(book, after, InitialTerms::COUNTED, scratch);
    check_asset_count(after, judged.exposed)?;
    require_prices_of(
        book,
        judged.exposed & !excepted,
        Action::Reduce,
        |quality| quality.max_age_margin_s,
    )?;
    let initial = judged.initial;
    if initial.health().0 < 0 {
        return Err(RiskError::BelowInitial {
            equity: initial.equity,
            requirement: initial.requirement,
        });
    }
    Ok(())
}
