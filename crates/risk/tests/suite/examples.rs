//! The worked examples of `docs/risk.md`, figure by figure. Dollars are millions of atoms.

use crate::common::*;
use keel_risk::*;

const USD: i64 = 1_000_000;

/// The document's asset: range 10%, Initial 1.5 times, collateral at 90% and 80%.
fn market() -> (TestBook, AssetTerms) {
    let terms = AssetTerms {
        unwind_rate: Ppm(2_500),
        ..plain_asset()
    };
    (empty_book(), terms)
}

const WEIGHTS: [u32; 4] = [900_000, 800_000, 1_100_000, 1_200_000];

/// Docs: "One long".
#[test]
fn one_long() {
    let (mut book, terms) = market();
    book.list(terms, WEIGHTS, 1);
    let account = TestAccount::default()
        .with_balance(0, 200 * USD)
        .with_position(0, 1_000, -1_000 * USD);
    let found = assess(&book, &account);
    assert_eq!(found.net_asset_value, Atoms(200 * USD));
    assert_eq!(found.maintenance.requirement, Atoms(102_500_000));
    assert_eq!(found.initial.requirement, Atoms(152_500_000));
    assert_eq!(found.maintenance.health(), Atoms(97_500_000));
    assert_eq!(found.initial.health(), Atoms(47_500_000));
}

/// Docs: "Spot against a short perp".
#[test]
fn spot_against_a_short_perp() {
    let (mut book, terms) = market();
    book.list(terms, WEIGHTS, 1);
    let account = TestAccount::default()
        .with_balance(1, 1_000 * USD)
        .with_position(0, -900, 900 * USD);
    let found = assess(&book, &account);
    let parts = found.maintenance_parts;
    assert_eq!(found.maintenance.equity, Atoms(900 * USD));
    assert_eq!(
        (parts.scan(), parts.basis, parts.unwind),
        (Atoms(0), Atoms(9 * USD), Atoms(2_250_000))
    );
    assert_eq!(found.maintenance.requirement, Atoms(11_250_000));
    // Initial counts the spot at 80%: $100 of net short at 1.5 times 10%, and basis on $800.
    assert_eq!(found.initial.equity, Atoms(800 * USD));
    assert_eq!(found.initial_parts.scan(), Atoms(15 * USD));
    assert_eq!(found.initial.requirement, Atoms(25_250_000));
}

/// Docs: "Long one asset, short another".
#[test]
fn long_one_asset_short_another() {
    let (mut book, terms) = market();
    book.list(terms, WEIGHTS, 1);
    book.list(terms, WEIGHTS, 1);
    let account = TestAccount::default()
        .with_balance(0, 300 * USD)
        .with_position(0, 1_000, -1_000 * USD)
        .with_position(1, -1_000, 1_000 * USD);
    let found = assess(&book, &account);
    let parts = found.maintenance_parts;
    assert_eq!(parts.one_factor, Atoms(61_644_141));
    assert_eq!((parts.systemic, parts.gross), (Atoms(0), Atoms(60 * USD)));
    assert_eq!(parts.rule, Rule::OneFactor);
    assert_eq!(found.maintenance.requirement, Atoms(61_644_141 + 5 * USD));
    // Initial multiplies losses by 1.5, never gains.
    let initial = found.initial_parts;
    assert_eq!(
        (initial.one_factor, initial.systemic),
        (Atoms(102_834_820), Atoms(50 * USD))
    );
    assert_eq!(found.initial.requirement, Atoms(102_834_820 + 5 * USD));
}

/// Docs: "Collateral of the asset that you trade".
#[test]
fn collateral_of_the_asset_itself() {
    let (mut book, terms) = market();
    book.list(terms, WEIGHTS, 1);
    let held = TestAccount::default().with_balance(1, 500 * USD);
    let alone = assess(&book, &held);
    assert_eq!(alone.maintenance.equity, Atoms(450 * USD));
    assert_eq!(alone.maintenance.requirement, Atoms(45 * USD));

    let long = assess(&book, &held.clone().with_position(0, 1_000, -1_000 * USD));
    assert_eq!(long.maintenance_parts.scan(), Atoms(145 * USD));
    assert_eq!(long.maintenance.health(), Atoms(302_500_000));
    let short = assess(&book, &held.with_position(0, -1_000, 1_000 * USD));
    assert_eq!(short.maintenance_parts.scan(), Atoms(55 * USD));
    assert_eq!(short.maintenance_parts.basis, Atoms(4_500_000));
    assert_eq!(short.maintenance.health(), Atoms(388 * USD));
}

/// Docs: "What liquidation takes".
#[test]
fn what_liquidation_takes() {
    let (mut book, terms) = market();
    book.list(terms, WEIGHTS, 1);
    // The long of the first example after a fall to $0.90 a lot with $200 of cash: E 100, MM 92.25;
    // $8 more lost leaves 92, below it.
    book.assets[1].lot_price = price(900_000 << 10, 10);
    book.instruments[0].mark = book.assets[1].lot_price;
    let account = TestAccount::default()
        .with_balance(0, 192 * USD)
        .with_position(0, 1_000, -1_000 * USD);
    let before = assess(&book, &account).maintenance;
    assert_eq!(
        before,
        Health {
            equity: Atoms(92 * USD),
            requirement: Atoms(92_250_000)
        }
    );

    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let liquidator = TestAccount::default().with_balance(0, 1_000 * USD);
    let target = Target::Position {
        slot: 0,
        liquidator_slot: 0,
    };
    let terms = LiquidationTerms {
        buffer: Ppm(50_000),
        fee: Ppm(5_000),
        insurance_share: Ppm(400_000),
    };
    let plan = plan_liquidation(
        &book,
        &account,
        &liquidator,
        target,
        Lots(50),
        terms,
        &mut scratch,
    );
    let plan = plan.unwrap();
    assert_eq!((plan.size, plan.notional), (Lots(50), Atoms(45 * USD)));
    assert_eq!(
        (plan.penalty_liquidator, plan.penalty_insurance),
        (Atoms(135_000), Atoms(90_000))
    );
    assert_eq!(plan.after.equity, Atoms(91_775_000));
    assert_eq!(plan.after.requirement, Atoms(87_637_500));
}
