//! Holes that only raw risk arrays show, each closed by a clause of 5.3: without it the test fails.

use crate::common::*;
use keel_risk::*;

/// A far out-of-the-money call: worth a ten-thousandth of a cent a lot, and not a cent more in any
/// scenario.
fn far_call(book: &mut TestBook, asset: u8) -> u8 {
    let cheap = InstrumentTerms::linear(InstrumentKind::Call, asset, price(1 << 10, 10));
    book.list_instrument(cheap, &[1; 16], Greeks::default())
}

/// 5.3, 5.5: millions of far out-of-the-money shorts for cents of margin: each lot of $1 asks for
/// half a cent whatever its array says, and one atom of cushion.
#[test]
fn millions_of_far_out_of_the_money_shorts_for_cents_of_margin() {
    const LOTS: i64 = 3_000_000;
    let mut book = one_asset();
    let call = far_call(&mut book, 1);
    let account = TestAccount::default()
        .with_balance(0, 100_000_000)
        .with_position(call, -LOTS, 0);

    let found = assess(&book, &account);
    assert!(found.maintenance.requirement.0 >= 15_000_000_000);
    assert!(found.maintenance.is_liquidatable());

    book.assets[1].short_option_min = Ppm(0);
    let bare = assess(&book, &account);
    assert!(bare.maintenance.requirement.0 < 10_000_000);
    assert!(!bare.maintenance.is_liquidatable());
}

/// 5.3: the floor nets nothing: as many bought in the next series lower it by nothing.
#[test]
fn the_floor_of_shorts_is_not_netted_by_another_series() {
    const LOTS: i64 = 3_000_000;
    let mut book = one_asset();
    let (sold, bought) = (far_call(&mut book, 1), far_call(&mut book, 1));
    let short = TestAccount::default().with_position(sold, -LOTS, 0);
    let both = short.clone().with_position(bought, LOTS, 0);

    let alone = assess(&book, &short).maintenance.requirement;
    let hedged = assess(&book, &both).maintenance.requirement;
    assert!(hedged.0 >= 15_000_000_000, "{hedged:?}");
    assert!(alone.0 - hedged.0 <= 2 * LOTS, "the scan alone may shrink");
}
