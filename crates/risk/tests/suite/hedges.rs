//! 8.1, 8.2: two legs of one hedge, a deposit against a borrow, and what stopped a step.

use crate::common::*;
use crate::liquidation::troubled;
use keel_risk::*;
use proptest::prelude::*;

const TERMS: LiquidationTerms = LiquidationTerms {
    buffer: Ppm(50_000),
    fee: Ppm(5_000),
    insurance_share: Ppm(400_000),
};

fn plan_at(
    book: &TestBook,
    account: &TestAccount,
    liquidator: &TestAccount,
    target: Target,
    max_size: i64,
    live_s: u64,
) -> Result<LiquidationPlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let terms = TERMS.after(live_s);
    plan_liquidation(
        book,
        account,
        liquidator,
        target,
        Lots(max_size),
        terms,
        &mut scratch,
    )
}

/// The account with a side's legs written.
fn written(account: &TestAccount, change: &LegChange) -> TestAccount {
    let mut after = account.clone();
    for changed in change.positions.as_slice() {
        after.set_position(*changed);
    }
    for (slot, leg) in change.balances.as_slice() {
        after.balances[*slot] = *leg;
    }
    after
}

const HEDGE: Target = Target::Hedge {
    slots: [0, 1],
    liquidator_slots: [0, 1],
};

/// 8.2: a perp against a future is worth little margin together and much alone; together they can be
/// taken, alone they cannot.
#[test]
fn a_hedge_is_taken_as_a_whole() {
    let book = one_asset();
    // $100,000 long of the perp against $80,000 short of the future: scan 2,000 and basis 800.
    let account = TestAccount::default()
        .with_balance(0, 2_500_000_000)
        .with_position(0, 100_000, -100_000_000_000)
        .with_position(1, -80_000, 80_000_000_000);
    let alone = Target::Position {
        slot: 1,
        liquidator_slot: 0,
    };
    let refused = plan_at(&book, &account, &rich(), alone, 80_000, 0);
    assert!(matches!(refused, Err(RiskError::BreaksHedge { .. })));

    let plan = plan_at(&book, &account, &rich(), HEDGE, 10_000, 0).unwrap();
    assert_eq!(
        (plan.size, plan.stopped_by),
        (Lots(10_000), StoppedBy::MaxSize)
    );
    let [(_, perp), (_, future)] = plan.account.positions.as_slice() else {
        panic!("two positions");
    };
    assert_eq!((perp.size, future.size), (Lots(90_000), Lots(-72_000)));
    // A tenth of 2,800 of margin is freed, and the penalty is half of it: 0.5% of 18,000 is 90.
    assert_eq!(plan.notional, Atoms(18_000_000_000));
    assert_eq!(
        plan.penalty_liquidator.0 + plan.penalty_insurance.0,
        90_000_000
    );
    assert_eq!(plan.after.health().0 - plan.before.health().0, 190_000_000);
}

/// 8.1: a deposit against a borrow in figures. $1,000 of the token against a borrow of 930 quote.
#[test]
fn a_deposit_repays_a_borrow() {
    let book = one_asset();
    let account = TestAccount::default()
        .with_balance(0, -850_000_000)
        .with_balance(1, 1_000_000_000);
    let liquidator = TestAccount::default()
        .with_balance(0, 1 << 50)
        .with_balance(1, -3);
    let target = Target::Borrow {
        deposit_slot: 1,
        borrow_slot: 0,
        liquidator_deposit_slot: 1,
        liquidator_borrow_slot: 0,
    };
    let plan = plan_at(&book, &account, &liquidator, target, 100_000_000, 0).unwrap();
    // $100 repaid for $100 of collateral and 0.5% more; 40% of that to the insurance.
    let after = written(&account, &plan.account);
    assert_eq!(after.balances[0].shares, Shares(-750_000_000));
    assert_eq!(after.balances[1].shares, Shares(899_500_000));
    let theirs = written(&liquidator, &plan.liquidator);
    assert_eq!(theirs.balances[0].shares, Shares((1 << 50) - 100_000_000));
    assert_eq!(theirs.balances[1].shares, Shares(100_300_000 - 3));
    assert_eq!(plan.deposit_bank.insurance, 200_000);
    assert_eq!(
        (plan.deposit_bank.deposits, plan.deposit_bank.borrows),
        (-200_003, -3)
    );
    assert_eq!(
        (plan.borrow_bank.deposits, plan.borrow_bank.borrows),
        (-100_000_000, -100_000_000)
    );
    assert_eq!(assess(&book, &after).maintenance, plan.after);
}

/// 8.1, 1.7: every plan says what stopped it.
#[test]
fn a_plan_says_what_stopped_it() {
    let book = one_asset();
    let long = |cash, size: i64| {
        TestAccount::default()
            .with_balance(0, cash)
            .with_position(0, size, -size * 1_000_000)
    };
    let target = Target::Position {
        slot: 0,
        liquidator_slot: 0,
    };
    let stopped = |account: &TestAccount, max| {
        let plan = plan_at(&book, account, &rich(), target, max, 0).unwrap();
        (plan.size.0, plan.stopped_by)
    };
    assert_eq!(
        stopped(&long(99_000_000, 1_000), 40),
        (40, StoppedBy::MaxSize)
    );
    assert_eq!(
        stopped(&long(99_000_000, 1_000), 1_000),
        (54, StoppedBy::End)
    );
    assert_eq!(
        stopped(&long(-5_000_000, 1_000), 1_000),
        (1_000, StoppedBy::WholeLeg)
    );
    assert_eq!(
        stopped(&long(39_000_000, 400), 400),
        (400, StoppedBy::SmallRequirement)
    );
    // Equity 1 against 100: the end is beyond the last $10.
    assert_eq!(stopped(&long(5_300_000, 1_000), 1_000).1, StoppedBy::Dust);
}

/// 8.1, 8.4: the longer the auction, the dearer the step, up to half of the gain.
#[test]
fn a_step_grows_dearer_with_live_time() {
    let account = TestAccount::default()
        .with_balance(0, 90_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let target = Target::Position {
        slot: 0,
        liquidator_slot: 0,
    };
    let paid = |live_s| {
        let plan = plan_at(&one_asset(), &account, &rich(), target, 100, live_s).unwrap();
        plan.penalty_liquidator.0 + plan.penalty_insurance.0
    };
    assert_eq!(
        [paid(0), paid(300), paid(600), paid(6_000)],
        [500_000, 2_750_000, 5_000_000, 5_000_000]
    );
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.4: an account found at E_M = MM and closed whole keeps at least half of its equity, however
    /// long the auction has run and in however many steps it is closed.
    #[test]
    fn an_account_found_at_maintenance_keeps_half(lots in 1_000i64..1 << 24, live_s in 0u64..2_000, parts in prop::collection::vec(1i64..=100, 0..4)) {
        let book = one_asset();
        let equity = lots * 100_000 - 1;
        let mut account = TestAccount::default().with_balance(0, equity).with_position(0, lots, -lots * 1_000_000);
        let target = Target::Position { slot: 0, liquidator_slot: 0 };
        let sizes = parts.iter().map(|part| (lots * part / 400).max(1)).chain([1 << 40]);
        for size in sizes {
            if let Ok(plan) = plan_at(&book, &account, &rich(), target, size, live_s) {
                account = written(&account, &plan.account);
            }
        }
        let left = assess(&book, &account).net_asset_value.0;
        prop_assert!(2 * left >= equity - 8, "{left} of {equity}");
        // The whole of it at once is no different; the atom below Maintenance is the account's own.
        let mut whole = TestAccount::default().with_balance(0, equity).with_position(0, lots, -lots * 1_000_000);
        let mut all = book.clone();
        all.group.small_requirement = Atoms(i64::MAX);
        let plan = plan_at(&all, &whole, &rich(), target, lots, live_s).unwrap();
        prop_assert_eq!(plan.stopped_by, StoppedBy::SmallRequirement);
        whole = written(&whole, &plan.account);
        prop_assert_eq!(whole.positions[0].size, Lots(0));
        prop_assert!(2 * assess(&all, &whole).net_asset_value.0 >= equity - 1);
    }
}

/// Slots of two positions with a size, or of a borrow and a deposit.
fn any_pair(account: &TestAccount, choice: usize) -> Option<Target> {
    let open: Vec<usize> = (0..account.positions.len())
        .filter(|slot| account.positions[*slot].size.0 != 0)
        .collect();
    let of = |sign: i64| {
        (0..account.balances.len())
            .filter(move |slot| account.balances[*slot].shares.0.signum() == sign)
            .collect::<Vec<_>>()
    };
    let (deposits, borrows) = (of(1), of(-1));
    if choice.is_multiple_of(2) && !deposits.is_empty() && !borrows.is_empty() {
        return Some(Target::Borrow {
            deposit_slot: deposits[choice / 2 % deposits.len()],
            borrow_slot: borrows[choice / 3 % borrows.len()],
            liquidator_deposit_slot: 2,
            liquidator_borrow_slot: 1,
        });
    }
    let (first, second) = (choice / 2, choice / 5);
    (open.len() > 1).then(|| Target::Hedge {
        slots: [
            open[first % open.len()],
            open[(first + 1 + second % (open.len() - 1)) % open.len()],
        ],
        liquidator_slots: [0, 1],
    })
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.1, 8.2, I1, I2, I8: a step on two legs raises health by at least half of what it would
    /// without penalty, its figures are those of the account as it is left, and nothing is lost.
    #[test]
    fn two_legs_at_once_raise_health_and_conserve((book, account) in troubled(), choice in 0usize..1_000, max_size in any_magnitude(40), live_s in 0u64..900) {
        let Some(target) = any_pair(&account, choice) else { return Ok(()) };
        let liquidator = TestAccount::default().with_balance(0, 1 << 52);
        let Ok(plan) = plan_at(&book, &account, &liquidator, target, max_size as i64, live_s) else { return Ok(()) };
        let penalty = plan.penalty_liquidator.0 + plan.penalty_insurance.0;
        let raised = plan.after.health().0 - plan.before.health().0;
        prop_assert!(raised > 0 && penalty >= 0);

        let after = written(&account, &plan.account);
        prop_assert_eq!(assess(&book, &after).maintenance, plan.after);
        let sides = plan.account.positions.as_slice().iter().zip(plan.liquidator.positions.as_slice());
        for (index, ((slot, ours), (_, theirs))) in sides.enumerate() {
            prop_assert!(penalty <= raised);
            let held = account.positions[*slot];
            prop_assert_eq!(ours.size.0 + theirs.size.0, held.size.0);
            let insurance = if index == 0 { plan.penalty_insurance.0 } else { 0 };
            prop_assert_eq!(ours.quote.0 + theirs.quote.0 + insurance, held.quote.0);
            prop_assert_eq!(plan.markets[index].quotes, -insurance);
            // Both legs come nearer to zero.
            prop_assert!(ours.size.0.abs() < held.size.0.abs() && ours.size.0.signum() * held.size.0.signum() >= 0);
        }
        if let Target::Borrow { deposit_slot, borrow_slot, .. } = target {
            let given = account.balances[deposit_slot].shares.0 - after.balances[deposit_slot].shares.0;
            let repaid = after.balances[borrow_slot].shares.0 - account.balances[borrow_slot].shares.0;
            prop_assert!(given > 0 && repaid > 0 && after.balances[borrow_slot].shares.0 <= 0);
            let [(_, got), (_, paid)] = plan.liquidator.balances.as_slice() else { panic!("two balances") };
            // All indices are one: shares are tokens.
            prop_assert_eq!(got.shares.0 + plan.deposit_bank.insurance, given);
            prop_assert_eq!(plan.deposit_bank.deposits, -plan.deposit_bank.insurance);
            let held = if paid.rate == 0 { 1 << 52 } else { 0 };
            if account.balances[borrow_slot].rate != 0 {
                prop_assert_eq!(held - paid.shares.0, repaid);
            }
            prop_assert_eq!(plan.borrow_bank.deposits - plan.borrow_bank.borrows, 0);
        }
    }
}
