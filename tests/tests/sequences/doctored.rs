//! The checks of the sequences see what they are there to see: each is shown a state that was
//! doctored by one unit, or a step that did what it must not.

use keel_tests::fuzz::{Action, Books, Chooser, Driver, State, check};

/// A group in which every market has been traded and accounts hold tokens.
fn busy() -> Driver {
    let mut driver = Driver::new().expect("a group");
    let mut chooser = Chooser::new(3);
    let idle = |driver: &Driver| {
        let markets = &driver.state.books.markets;
        markets.iter().any(|market| market.open_interest[0] == 0)
    };
    for step in 0.. {
        assert!(step < 5_000, "some market is never traded");
        if !idle(&driver) {
            break;
        }
        let action = chooser.next(&driver.view().expect("a view"));
        driver.step(&action).expect("a step");
    }
    driver
}

/// What is doctored in the books, and the invariant that must be named.
type Spoil = (&'static str, &'static str, fn(&mut Books));

/// I1 to I4: one unit, anywhere.
#[test]
fn the_books_see_a_single_unit() {
    let sound = busy().state.books;
    sound.check().expect("books that balance");
    let spoil: [Spoil; 18] = [
        ("a share", "I1", |books| {
            books.accounts[1].balances[0].1 += 1
        }),
        ("a debt", "I1", |books| {
            books.accounts[3].balances.push((5, -1))
        }),
        ("a bank's shares", "I1", |books| {
            books.banks[0].deposit_shares -= 1
        }),
        ("an index", "I1", |books| {
            books.banks[0].deposit_index += 1 << 20
        }),
        ("what a bank tracks", "I1", |books| {
            books.banks[0].tracked += 1
        }),
        ("dust", "I1", |books| books.banks[1].dust += 1),
        ("insurance", "I1", |books| books.banks[2].insurance += 1),
        ("a vault", "I1", |books| {
            books.banks[0].vault = books.banks[0].tracked - 1
        }),
        ("a size", "I2", |books| {
            books.accounts[0].positions[0].size += 1
        }),
        ("a keep", "I2", |books| books.markets[1].keep[0] -= 1 << 20),
        ("a quote", "I2", |books| {
            books.accounts[0].positions[0].quote += 1
        }),
        ("a fee", "I2", |books| books.markets[1].fees += 1),
        ("carry", "I2", |books| books.markets[3].carry[1] += 1),
        ("strays", "I2", |books| books.markets[3].stray_quote[1] += 1),
        ("open interest", "I3", |books| {
            books.markets[2].open_interest[1] -= 1
        }),
        ("open interest of both sides", "I2", |books| {
            books.markets[2].open_interest = books.markets[2].open_interest.map(|lots| lots + 1);
        }),
        ("an LP share", "I4", |books| books.pool.supply += 1),
        ("a last slot", "slots", |books| {
            books.accounts[0].positions_end.0 += 1
        }),
    ];
    for (what, tag, spoil) in spoil {
        let mut books = sound.clone();
        spoil(&mut books);
        let error = books.check().expect_err(what);
        assert!(error.starts_with(tag), "{what}: {error}");
    }
}

/// Asserts that a step from one state to another is refused with this invariant's name.
#[track_caller]
fn caught(tag: &str, action: &Action, before: &State, after: &State) {
    let error = check::accepted(action, before, after).expect_err(tag);
    let error = format!("{error:#}");
    assert!(error.starts_with(tag), "{tag} was expected: {error}");
}

/// Tokens: one that vanished out of a wallet, and dust that was handed out.
#[test]
fn a_token_that_vanishes_is_seen() {
    let driver = busy();
    let books = &driver.state.books;
    for token in 0..8 {
        let mut after = books.clone();
        after.tokens[token] -= 1;
        check::tokens(books, &after).expect_err("a token less");
        after.tokens[token] += 2;
        check::tokens(books, &after).expect_err("a token more");
    }
    let mut before = books.clone();
    before.banks[4].dust += 1;
    check::tokens(&before, books).expect_err("dust that fell");
}

/// The shape of every step: nothing but what it names changes.
#[test]
fn a_bystander_that_changes_is_seen() {
    let driver = busy();
    let before = driver.state.clone();
    let deposit = Action::Deposit {
        by: 2,
        to: 2,
        asset: 0,
        units: 0,
    };
    check::accepted(&deposit, &before, &before).expect("nothing changed");

    let mut after = before.clone();
    after.books.accounts[7].seq += 1;
    caught("bystander", &deposit, &before, &after);
    let mut after = before.clone();
    after.books.accounts[3].balances[0].1 -= 1;
    caught("seq", &deposit, &before, &after);
    let mut after = before.clone();
    after.books.banks[6].fees += 1;
    caught("bystander", &deposit, &before, &after);
    let mut after = before.clone();
    after.books.markets[6].fees += 1;
    caught("bystander", &deposit, &before, &after);
    let mut after = before.clone();
    after.books.banks[0].vault += 1;
    caught("tokens", &deposit, &before, &after);
    let mut after = before.clone();
    after.books.banks[0].tracked += 1;
    caught("I1", &deposit, &before, &after);
    let mut after = before.clone();
    after.books.banks[0].deposit_index -= 1;
    caught("7.1", &deposit, &before, &after);
    let mut after = before.clone();
    after.books.pool.shares += 1;
    caught("I4", &deposit, &before, &after);
    let mut after = before.clone();
    after.books.accounts[3].balances[0].1 += 1 << 50;
    after.books.accounts[3].seq += 1;
    caught("4.2", &deposit, &before, &after);
}

/// I6, I7, I8: steps that are right on other states than these.
#[test]
fn health_that_falls_is_seen() {
    let mut driver = Driver::new().expect("a group");
    let mut chooser = Chooser::new(11);
    // An account below Maintenance with a position that somebody takes part of.
    let (take, before, after) = loop {
        let action = chooser.next(&driver.view().expect("a view"));
        let before = driver.state.clone();
        let outcome = driver.step(&action).expect("a step");
        if let (Action::Liquidate { .. }, None) = (&action, outcome) {
            break (action, before, driver.state.clone());
        }
    };
    check::accepted(&take, &before, &after).expect("a sound step");
    // The same step backwards lowers health, or finds nobody to liquidate.
    let backwards = check::accepted(&take, &reversed(&after, &before), &before);
    let error = format!("{:#}", backwards.expect_err("health fell"));
    assert!(
        error.starts_with("I8") || error.starts_with("I7"),
        "{error}"
    );

    let Action::Liquidate { whom, .. } = take else {
        unreachable!("broken out of the loop with it");
    };
    // A withdrawal of nothing that leaves an account below Maintenance.
    let withdraw = Action::Withdraw {
        who: whom,
        asset: 0,
        units: 0,
    };
    caught("I6", &withdraw, &before, &before);
    let open = Action::Open {
        by: whom,
        who: whom,
        legs: vec![(0, 1)],
    };
    caught("I6", &open, &before, &before);
    let healthy = Action::Liquidate {
        by: 0,
        whom: 17,
        market: 0,
        size: 1,
    };
    caught("I7", &healthy, &before, &before);
}

/// A state that can stand before another one: its counters are those of before.
fn reversed(after: &State, before: &State) -> State {
    let mut first = after.clone();
    let rows = first.books.accounts.iter_mut().zip(&before.books.accounts);
    for (row, was) in rows {
        if row.seq > was.seq {
            row.seq = was.seq - 1;
        }
    }
    first
}

/// A refusal that changed a byte, and an attack that went through.
#[test]
fn what_must_not_happen_at_all_is_seen() {
    let driver = busy();
    let before = driver.state.clone();
    check::refused(&before, &before).expect("nothing changed");
    let mut after = before.clone();
    after.accounts[9].data[200] ^= 1;
    check::refused(&before, &after).expect_err("a byte");
    let attack = Action::Hostile {
        who: 0,
        whom: 1,
        attack: keel_tests::fuzz::Attack::TradeAsThePool,
    };
    caught("attack", &attack, &before, &before);
    for fault in ["Program failed: panicked", "ProgramFailedToComplete"] {
        check::is_no_fault(fault).expect_err(fault);
    }
    check::is_no_fault("BelowInitial").expect("a refusal");
}
