//! 5.1, 5.2, decision 7: two scenarios say what all of them say, exactly where the engine takes only
//! two.

use crate::common::*;
use crate::portfolios::{Recipe, any_of};
use keel_risk::*;
use proptest::prelude::*;

/// Judges by the two peaks where the engine may, and by every scenario, and compares: the latter may
/// round up more, by at most a few atoms.
fn agree(book: &TestBook, account: &TestAccount) -> Result<(), TestCaseError> {
    let fast = assess(book, account);
    let full = assess(&book.unabridged(), account);
    let few = 24 + 20 * book.assets.len() as i64;
    for (fast, full) in [
        (fast.maintenance, full.maintenance),
        (fast.initial, full.initial),
    ] {
        prop_assert_eq!(fast.equity, full.equity);
        let more = full.requirement.0 - fast.requirement.0;
        prop_assert!(
            (-few..=few).contains(&more),
            "{} {}",
            fast.requirement.0,
            full.requirement.0
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn two_scenarios_say_what_sixteen_say((book, values) in any_portfolio(8, WILD, 44)) {
        agree(&book, &account(&book, &values))?;
    }

    #[test]
    fn two_scenarios_say_what_a_set_of_its_own_says((book, account) in any_of(Recipe {
        custom: true,
        cap: 1_500_000,
        range: (10_000, 1_000_000),
        ..Recipe::LINEAR
    })) {
        agree(&book, &account)?;
    }

    /// With options every scenario counts, whatever the peaks claim.
    #[test]
    fn a_book_with_options_is_judged_by_every_scenario((book, account) in any_of(Recipe {
        cap: 1_500_000,
        ..Recipe::TRADER
    })) {
        let held = |leg: &PositionLeg| leg.size.0 != 0 && book.instrument(leg.instrument).kind.is_option();
        prop_assume!(account.positions.iter().any(held));
        agree(&book, &account)?;
    }
}

/// 5.1: moves of three ranges stop at -1, which breaks the rule of two scenarios: a short hedges a
/// long less in scenario 16 than in scenario 14.
#[test]
fn a_gain_cut_at_minus_one_is_seen() {
    let mut book = empty_book();
    let calm = AssetTerms {
        range: Ppm(200_000),
        systematic: 900,
        ..plain_asset()
    };
    let wild = AssetTerms {
        range: Ppm(900_000),
        systematic: 900,
        ..plain_asset()
    };
    book.list(calm, [1_000_000; 4], 1);
    book.list(wild, [1_000_000; 4], 1);
    // $4,500 long of the calm one, $1,000 short of the wild one: in scenario 14 loss and gain are
    // $900 each; in 16 the loss is 0.33 * 0.6 * 4,500 = $891 and the gain 0.33 * 1 * 1,000 = $330.
    let account = TestAccount::default()
        .with_position(0, 4_500, 0)
        .with_position(1, -1_000, 0);
    let parts = assess(&book, &account).maintenance_parts;
    assert_eq!(parts.systemic, Atoms(561_000_000));
}
