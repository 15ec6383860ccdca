//! 7.4: settlement between two accounts.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

fn terms(max_amount: u64) -> SettleTerms {
    SettleTerms {
        max_amount,
        closed: false,
        bank: bank(1 << 50, 0),
    }
}

fn settle(
    book: &TestBook,
    winner: &TestAccount,
    loser: &TestAccount,
    terms: &SettleTerms,
) -> Result<SettlePlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let of = |legs| Settling {
        legs,
        position_slot: 0,
        balance_slot: 0,
    };
    plan_settle(
        book,
        of(winner),
        of(loser),
        terms,
        &mut Scratch::new(&mut lanes),
    )
}

fn holding(cash: i64, size: i64, quote: i64) -> TestAccount {
    TestAccount::default()
        .with_balance(0, cash)
        .with_position(0, size, quote)
}

/// 7.4: at most the smaller of gain and loss, the caller's limit, and the loser's own deposit.
#[test]
fn settlement_moves_the_smaller_of_gain_and_loss() {
    let book = one_asset();
    let (winner, loser) = (holding(5, 0, 900), holding(10_000, 0, -700));
    let plan = settle(&book, &winner, &loser, &terms(u64::MAX)).unwrap();
    assert_eq!((plan.amount, plan.up_to), (Atoms(700), SettledUpTo::Result));
    assert_eq!(plan.winner_position.1.quote, Atoms(200));
    assert_eq!(plan.loser_position.1.quote, Atoms(0));
    assert_eq!(plan.winner_balance.1.shares, Shares(705));
    assert_eq!(plan.loser_balance.1.shares, Shares(9_300));
    let plan = settle(&book, &winner, &loser, &terms(80)).unwrap();
    assert_eq!(
        (plan.amount, plan.up_to),
        (Atoms(80), SettledUpTo::MaxAmount)
    );
    // Results are worths at the mark, not quotes: 1,000 lots bought at 0.98.
    let long = holding(0, 1_000, -980_000_000);
    let plan = settle(
        &book,
        &long,
        &holding(1 << 40, 0, -(1 << 40)),
        &terms(u64::MAX),
    )
    .unwrap();
    assert_eq!(plan.amount, Atoms(20_000_000));
}

/// 7.4: beyond the deposit a borrow opens only for a loser who ends at Initial, gains not counted,
/// and only while the bank stays at or below 95% lent out; else the deposit alone moves.
#[test]
fn beyond_his_deposit_a_loser_borrows_on_conditions() {
    let book = one_asset();
    let winner = holding(0, 0, 1 << 40);
    // $1,000 of the token is $800 at Initial less a scan of $120: room for 680.
    let loser = |loss: i64| holding(100_000_000, 0, -loss).with_balance(1, 1_000_000_000);
    let plan = settle(&book, &winner, &loser(700_000_000), &terms(u64::MAX)).unwrap();
    assert_eq!(
        (plan.amount, plan.borrowed),
        (Atoms(700_000_000), Atoms(600_000_000))
    );
    assert_eq!(
        (plan.bank.deposits, plan.bank.borrows),
        (600_000_000, 600_000_000)
    );

    let plan = settle(&book, &winner, &loser(790_000_000), &terms(u64::MAX)).unwrap();
    assert_eq!(
        (plan.amount, plan.up_to),
        (Atoms(100_000_000), SettledUpTo::Deposit)
    );

    // 94% lent out of 100 and 600 more of 700: the bank would be at 95.5%.
    let lent = |deposits: u64, borrows: u64| SettleTerms {
        bank: bank(deposits, borrows),
        ..terms(u64::MAX)
    };
    let plan = settle(
        &book,
        &winner,
        &loser(700_000_000),
        &lent(1_000_000_000, 940_000_000),
    );
    assert_eq!(plan.unwrap().up_to, SettledUpTo::Deposit);
    let none = holding(0, 0, -700_000_000).with_balance(1, 1_100_000_000);
    let refused = settle(&book, &winner, &none, &lent(1_000_000_000, 940_000_000));
    assert!(
        matches!(refused, Err(RiskError::UtilisationCap { .. })),
        "{refused:?}"
    );
}

/// 7.4: from a liquidatable account only its deposit moves, and only while it owes no other borrow:
/// the hole is a loser whose lenders would pay for a derivative's loss.
#[test]
fn a_liquidatable_loser_gives_only_his_deposit() {
    let book = one_asset();
    let winner = holding(0, 0, 1 << 40);
    let loser = holding(50_000_000, 0, -80_000_000);
    let plan = settle(&book, &winner, &loser, &terms(u64::MAX)).unwrap();
    assert_eq!((plan.amount, plan.borrowed), (Atoms(50_000_000), Atoms(0)));
    // 8.4: who is found below Maintenance stays in his auction.
    assert!(!plan.loser_maintained);
    let sound = settle(
        &book,
        &winner,
        &holding(80_000_000, 0, -80_000_000),
        &terms(1),
    )
    .unwrap();
    assert!(sound.loser_maintained);
    let owing = loser.clone().with_balance(1, -1_000);
    let refused = settle(&book, &winner, &owing, &terms(u64::MAX));
    assert!(matches!(refused, Err(RiskError::BelowInitial { .. })));
    let dry = holding(0, 0, -80_000_000);
    assert!(settle(&book, &winner, &dry, &terms(u64::MAX)).is_err());
}

/// 7.4, 8.6: gains wait while a bankrupt account of the market is unresolved; and there must be a
/// gain and a loss.
#[test]
fn settlement_waits_and_needs_two_sides() {
    let book = one_asset();
    let (winner, loser) = (holding(0, 0, 900), holding(10_000, 0, -700));
    let closed = SettleTerms {
        closed: true,
        ..terms(5)
    };
    assert_eq!(
        settle(&book, &winner, &loser, &closed),
        Err(RiskError::SettlementClosed)
    );
    let nothing = RiskError::NothingToSettle {
        gain: Atoms(900),
        loss: Atoms(-900),
    };
    assert_eq!(settle(&book, &winner, &winner, &terms(5)), Err(nothing));
    assert_eq!(
        settle(&book, &winner, &loser, &terms(0)),
        Err(RiskError::ZeroSize)
    );
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 7.4, I5: given as winner and loser, an account has nothing to settle, whatever it holds: what it
    /// gained it did not lose. So the check of its keys in the program only names the mistake.
    #[test]
    fn nobody_settles_with_himself(size in any_signed(32), quote in any_signed(44), cash in any_signed(40), token in any_signed(40), max in 1u64.., closed in any::<bool>()) {
        let (book, account) = (one_asset(), holding(cash, size, quote).with_balance(1, token));
        let refused = settle(&book, &account, &account, &SettleTerms { closed, ..terms(max) });
        match refused {
            Err(RiskError::SettlementClosed) => prop_assert!(closed),
            Err(RiskError::NothingToSettle { gain, loss }) => prop_assert_eq!(gain.0, -loss.0),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    /// 7.4, I1, I2, I5: what one pays the other gets; the loser's worth at weight 1 does not change by
    /// more than rounding, and nobody gains.
    #[test]
    fn settlement_conserves(gain in any_magnitude(40), loss in any_magnitude(40), cash in any_signed(40), token in any_signed(40), max in any_magnitude(42), index in 1u64 << 48..1 << 50, borrow in 1u64 << 48..1 << 50) {
        let mut book = one_asset();
        book.rates[0].deposit_index = Index48(index);
        book.rates[0].borrow_index = Index48(borrow);
        let mut ledger = bank(1 << 52, 1 << 50);
        (ledger.deposit_index, ledger.borrow_index) = (Index48(index), Index48(borrow));
        ledger.tracked = ledger.owed();
        let winner = holding(cash / 3, 0, gain as i64);
        let loser = holding(cash, 0, -(loss as i64)).with_balance(1, token);
        let terms = SettleTerms { bank: ledger, ..terms(max) };
        let Ok(plan) = settle(&book, &winner, &loser, &terms) else { return Ok(()) };
        prop_assert!(plan.amount.0 > 0 && plan.amount.0 as u64 <= gain.min(loss).min(max));
        prop_assert_eq!(plan.winner_position.1.quote.0 + plan.loser_position.1.quote.0, gain as i64 - loss as i64);
        let after = ledger.after(&plan.bank);
        prop_assert_eq!(after.tracked, after.owed());
        prop_assert_eq!(after.tracked, ledger.tracked);
        prop_assert!(after.dust >= ledger.dust && after.dust - ledger.dust < 16);
        for (before, balance, position) in [(&winner, plan.winner_balance, plan.winner_position), (&loser, plan.loser_balance, plan.loser_position)] {
            let mut settled = before.clone();
            settled.balances[balance.0] = balance.1;
            settled.set_position(position);
            let change = assess(&book, &settled).net_asset_value.0 - assess(&book, before).net_asset_value.0;
            prop_assert!((-8..=0).contains(&change), "{change}");
        }
    }
}
