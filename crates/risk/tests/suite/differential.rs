//! The engine against the reference: 4.2, 4.3, 3.3, 5.1 to 5.5, on fourteen kinds of 10,000 random
//! portfolios each (two of them with a shrinking search): both equities, net asset value, both
//! requirements, and every part of them.

use crate::common::*;
use crate::portfolios::{Draw, Recipe};
use crate::reference::{Which, equities, requirement};
use keel_risk::*;
use proptest::prelude::*;

/// Portfolios of one kind.
const EACH: u64 = 10_000;

/// Judges one portfolio by both routes.
pub fn compare(book: &TestBook, account: &TestAccount, terms: InitialTerms) -> Result<(), String> {
    let mut lanes = vec![-1; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let told = report(book, account, terms, 0, &mut scratch);
    let found = told.totals;
    let legs = (account.balances.len() + account.positions.len()) as i64;
    equities(book, account, terms).check(&found, terms.stance, legs)?;
    let maintenance = requirement(book, account, Which::Maintenance, terms.stance);
    maintenance
        .check(found.maintenance.requirement, &found.maintenance_parts)
        .map_err(|error| format!("Maintenance: {error}"))?;
    let initial = requirement(book, account, Which::Initial(terms.factor), terms.stance);
    initial
        .check(found.initial.requirement, &found.initial_parts)
        .map_err(|error| format!("Initial: {error}"))?;

    for line in &told.lines[..told.lines_len] {
        let terms = book.asset(line.asset);
        for (exact, part) in [(&maintenance, &line.maintenance), (&initial, &line.initial)] {
            let asset = exact.lines.get(&line.asset).ok_or("a line of no asset")?;
            asset.check(part, &terms, exact)?;
        }
    }
    Ok(())
}

fn any_terms(draw: &mut Draw) -> InitialTerms {
    InitialTerms {
        gains: draw.pick(&[Gains::Counted, Gains::Counted, Gains::Ignored]),
        factor: draw.chance(20).then(|| draw.ppm(900_000, 4_000_000)),
        stance: draw.pick(&[Stance::Plain, Stance::Against, Stance::InFavour]),
    }
}

/// Judges all portfolios of one kind; the kind and the number are the seed.
fn run(kind: u64, name: &str, recipe: &Recipe) {
    let (mut legs, mut options) = (0, 0);
    for number in 0..EACH {
        let seed = kind << 32 | number;
        let mut draw = Draw(seed);
        let (book, account) = recipe.portfolio(&mut draw);
        let terms = any_terms(&mut draw);
        legs += account.balances.len() + account.positions.len();
        options += account
            .positions
            .iter()
            .filter(|leg| leg.size.0 != 0 && book.instrument(leg.instrument).kind.is_option())
            .count();
        if let Err(error) = compare(&book, &account, terms) {
            panic!("{name}, seed {seed:#x}: {error}\n{account:?}\n{terms:?}\n{book:?}");
        }
    }
    // What the page of proofs says of them.
    assert!(legs >= 11 * EACH as usize);
    assert!(recipe.options == 0 || options >= 3 * EACH as usize);
    println!("{name}: {EACH} portfolios, {legs} legs, {options} of them options");
}

const DEEP: (u32, u32) = (333_334, 1_000_000);

#[test]
fn linear_accounts() {
    run(1, "linear", &Recipe::LINEAR);
}

#[test]
fn linear_accounts_of_deep_ranges() {
    run(
        2,
        "linear, ranges above a third",
        &Recipe {
            range: DEEP,
            cap: 1_500_000,
            ..Recipe::LINEAR
        },
    );
}

#[test]
fn accounts_with_options() {
    run(3, "options", &Recipe::TRADER);
}

#[test]
fn accounts_with_options_of_deep_ranges() {
    run(
        4,
        "options, ranges above a third",
        &Recipe {
            range: DEEP,
            cap: 1_500_000,
            ..Recipe::TRADER
        },
    );
}

#[test]
fn accounts_with_size_multipliers() {
    run(
        5,
        "size multipliers",
        &Recipe {
            cap: 3_000_000,
            ..Recipe::TRADER
        },
    );
}

#[test]
fn accounts_with_closed_positions() {
    run(
        6,
        "half of the positions closed",
        &Recipe {
            closed: 50,
            ..Recipe::TRADER
        },
    );
}

#[test]
fn accounts_in_books_with_scenarios_of_their_own() {
    run(
        7,
        "custom scenarios",
        &Recipe {
            custom: true,
            cap: 1_500_000,
            ..Recipe::TRADER
        },
    );
}

#[test]
fn accounts_with_arrays_of_any_figures() {
    run(
        8,
        "arrays of any figures",
        &Recipe {
            wild: true,
            cap: 1_500_000,
            ..Recipe::TRADER
        },
    );
}

#[test]
fn accounts_of_one_asset() {
    run(
        9,
        "one asset",
        &Recipe {
            assets: (1, 1),
            options: 13,
            cap: 1_500_000,
            ..Recipe::TRADER
        },
    );
}

#[test]
fn accounts_of_the_largest_legs() {
    run(
        10,
        "legs up to 2^46",
        &Recipe {
            bits: 46,
            cap: 1_500_000,
            ..Recipe::TRADER
        },
    );
}

#[test]
fn pools() {
    run(
        11,
        "pools of up to 31 assets and 128 positions",
        &Recipe::POOL,
    );
}

/// 2.6: judged at the mark, against the account and in its favour.
#[test]
fn accounts_with_doubtful_prices() {
    run(
        12,
        "doubtful prices",
        &Recipe {
            doubt: true,
            cap: 1_500_000,
            ..Recipe::TRADER
        },
    );
}

fn checked(book: &TestBook, account: &TestAccount) -> Result<(), TestCaseError> {
    compare(book, account, InitialTerms::COUNTED).map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 4.2, 4.3, 5.1 to 5.5, by strategies that shrink.
    #[test]
    fn margin_is_the_references_rounded_up((book, values) in any_portfolio(8, WILD, 44)) {
        checked(&book, &account(&book, &values))?;
    }

    /// 1.6: at the largest legs that may exist, losses beyond 2^48 shifted before squaring.
    #[test]
    fn margin_of_the_largest_legs_is_the_references(
        (book, legs) in any_book(8, WILD).prop_flat_map(|book| {
            let leg = || (1i64 << 43)..=(1 << 46);
            let legs = prop::collection::vec([leg(), leg(), leg()], book.assets.len() - 1);
            (Just(book), legs)
        }),
        signs in any::<u32>(),
    ) {
        let signed = legs.iter().enumerate().map(|(index, legs)| {
            legs.map(|value| if signs >> (index % 32) & 1 == 1 { value } else { -value })
        });
        let legs: Vec<[i64; 3]> = signed.collect();
        let quotes = vec![[0, 0]; legs.len()];
        checked(&book, &account(&book, &Values { cash: 0, legs, quotes }))?;
    }
}
