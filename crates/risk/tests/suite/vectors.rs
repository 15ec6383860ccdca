//! Vectors by hand. The files of `tests/vectors` are run by `keel-tests`, natively and in the VM.

use crate::common::*;
use keel_risk::*;

/// Long $1,000, range 10%: MM 100, IM 150.
#[test]
fn one_long_leg_pays_its_range() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 1);
    let found = assess(&book, &TestAccount::default().with_position(0, 1_000, 0));
    assert_eq!(found.maintenance.requirement, Atoms(100_000_000));
    assert_eq!(found.initial.requirement, Atoms(150_000_000));
    assert_eq!(found.maintenance_parts.rule, Rule::OneFactor);
}

/// Two longs of $1,000 with b 0.9: X = sqrt(180^2 + 2 * 0.19 * 100^2) = 190.26, Y = 200 rules.
#[test]
fn longs_do_not_diversify() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 1);
    book.list(plain_asset(), [1_000_000; 4], 1);
    let account = TestAccount::default()
        .with_position(0, 1_000, 0)
        .with_position(1, 1_000, 0);
    let parts = assess(&book, &account).maintenance_parts;
    assert_eq!(parts.one_factor, Atoms(190_262_976));
    assert_eq!(parts.systemic, Atoms(200_000_000));
    assert_eq!(parts.gross, Atoms(60_000_000));
    assert_eq!(parts.rule, Rule::Systemic);
}

/// Eight dollar-neutral pairs of b 0.9: X = sqrt(16 * 0.19) * 100 = 174.4; the gross minimum,
/// 0.3 * 1,600 = 480, rules.
#[test]
fn many_pairs_pay_the_gross_minimum() {
    let mut book = empty_book();
    let mut account = TestAccount::default();
    for index in 0..16 {
        book.list(plain_asset(), [1_000_000; 4], 1);
        let size = if index % 2 == 0 { 1_000 } else { -1_000 };
        account = account.with_position(index, size, 0);
    }
    let parts = assess(&book, &account).maintenance_parts;
    assert_eq!(
        (parts.total(), parts.rule),
        (Atoms(480_000_000), Rule::Gross)
    );
}

/// Ten times the depth with a cap of 1: the multiplier is 2. At a tenth of the depth it is 1.1.
#[test]
fn size_is_charged_up_to_the_cap() {
    for (depth, mm) in [(100_000_000, 200_000_000), (10_000_000_000, 110_000_000)] {
        let mut book = empty_book();
        let terms = AssetTerms {
            depth: Atoms(depth),
            concentration_cap: Ppm(1_000_000),
            ..plain_asset()
        };
        book.list(terms, [1_000_000; 4], 1);
        let found = assess(&book, &TestAccount::default().with_position(0, 1_000, 0));
        let requirement = found.maintenance.requirement.0;
        assert!((mm..=mm + 1).contains(&requirement), "{requirement}");
    }
}
