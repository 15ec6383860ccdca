//! The engine against the reference on 100,000 random portfolios: both equities, both requirements,
//! net asset value and every part.

use crate::common::*;
use crate::portfolios::{Draw, Recipe};
use crate::reference::{Which, equities, requirement};
use keel_risk::*;

/// Portfolios of one kind.
pub const EACH: u64 = 10_000;

/// Judges one portfolio by both routes.
pub fn compare(book: &TestBook, account: &TestAccount, terms: InitialTerms) -> Result<(), String> {
    let found = assess_with(book, account, terms);
    let legs = (account.balances.len() + account.positions.len()) as i64;
    equities(book, account).check(&found, terms.gains, legs)?;
    let maintenance = requirement(book, account, Which::Maintenance);
    maintenance
        .check(found.maintenance.requirement, &found.maintenance_parts)
        .map_err(|error| format!("Maintenance: {error}"))?;
    let initial = requirement(book, account, Which::Initial(terms.factor));
    initial
        .check(found.initial.requirement, &found.initial_parts)
        .map_err(|error| format!("Initial: {error}"))
}

fn any_terms(draw: &mut Draw) -> InitialTerms {
    InitialTerms {
        gains: draw.pick(&[Gains::Counted, Gains::Counted, Gains::Ignored]),
        factor: draw.chance(20).then(|| draw.ppm(900_000, 4_000_000)),
    }
}

fn run(kind: u64, name: &str, recipe: &Recipe) {
    let mut legs = 0;
    for number in 0..EACH {
        let seed = kind << 32 | number;
        let mut draw = Draw(seed);
        let (book, account) = recipe.portfolio(&mut draw);
        let terms = any_terms(&mut draw);
        legs += account.balances.len() + account.positions.len();
        if let Err(error) = compare(&book, &account, terms) {
            panic!("{name}, seed {seed:#x}: {error}\n{account:?}\n{terms:?}\n{book:?}");
        }
    }
    println!("{EACH} portfolios ({name}), {legs} legs");
}

#[test]
fn linear_accounts() {
    run(1, "linear", &Recipe { accrued: false, ..Recipe::LINEAR });
}
