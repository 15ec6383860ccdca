//! 8.1, 8.2, 1.7, I7, I8.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

const TERMS: LiquidationTerms = LiquidationTerms {
    buffer: Ppm(50_000),
    fee: Ppm(5_000),
    insurance_share: Ppm(400_000),
};

fn position(slot: usize, liquidator_slot: usize) -> Target {
    Target::Position {
        slot,
        liquidator_slot,
    }
}

fn position_of(change: &LegChange) -> (usize, PositionLeg) {
    change.positions.first().expect("a position")
}

fn balance_of(change: &LegChange) -> Option<(usize, BalanceLeg)> {
    change.balances.first()
}

fn plan(
    book: &TestBook,
    account: &TestAccount,
    liquidator: &TestAccount,
    target: Target,
    max_size: i64,
) -> Result<LiquidationPlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    plan_liquidation(
        book,
        account,
        liquidator,
        target,
        Lots(max_size),
        TERMS,
        &mut scratch,
    )
}

/// 5.6, I7.
#[test]
fn a_healthy_account_is_not_liquidated() {
    let account = TestAccount::default()
        .with_balance(0, 100_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let found = plan(&one_asset(), &account, &rich(), position(0, 0), 1_000);
    let refused = RiskError::NotLiquidatable {
        equity: Atoms(100_000_000),
        requirement: Atoms(100_000_000),
    };
    assert_eq!(found, Err(refused));
}

/// 8.1: $1,000 long with equity 99: each lot taken frees $0.10 of MM and costs half of it or 0.5%.
/// At s lots: E = 99 - 0.005 s, MM = 100 - 0.1 s, end at E >= 1.05 MM: s = 60.
#[test]
fn a_step_stops_at_the_end() {
    let mut account = TestAccount::default()
        .with_balance(0, 99_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let (mut steps, mut taken) = (0, 0);
    while let Ok(plan) = plan(&one_asset(), &account, &rich(), position(0, 0), 1_000) {
        account.set_position(position_of(&plan.account));
        assert!(plan.after.health() > plan.before.health());
        taken += plan.size.0;
        steps += 1;
    }
    assert_eq!((steps, taken), (1, 54));
    // Bisection tried 1000, 500, 250, 125, 62, 31, 46, 54: the greatest that does not pass.
    assert!(!assess(&one_asset(), &account).maintenance.is_liquidatable());
}

/// 8.1: a size so large that eight tries all pass the end takes nothing.
#[test]
fn a_size_far_beyond_the_end_is_told_what_was_tried() {
    let account = TestAccount::default()
        .with_balance(0, 99_999_000_000)
        .with_position(0, 1_000_000, -1_000_000_000_000);
    let none = LiquidationTerms {
        buffer: Ppm(0),
        ..TERMS
    };
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let target = position(0, 0);
    let mut ask = |max_size| {
        let (book, rich) = (one_asset(), rich());
        plan_liquidation(
            &book,
            &account,
            &rich,
            target,
            Lots(max_size),
            none,
            &mut scratch,
        )
    };
    // $1 short of Maintenance and no buffer: eleven lots reach it.
    let refused = RiskError::SizeBeyondEnd { least_tried: 7_812 };
    assert_eq!(ask(1_000_000).unwrap_err(), refused);
    assert_eq!(ask(1_000).unwrap().size, Lots(7));
    assert_eq!(ask(20).unwrap().size, Lots(11));
}

/// 8.1: long and short are one path.
#[test]
fn a_short_is_taken_like_a_long() {
    let book = one_asset();
    let long = TestAccount::default()
        .with_balance(0, 99_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let short = TestAccount::default()
        .with_balance(0, 99_000_000)
        .with_position(0, -1_000, 1_000_000_000);
    let (a, b) = (
        plan(&book, &long, &rich(), position(0, 0), 40),
        plan(&book, &short, &rich(), position(0, 0), 40),
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.size.0, b.size.0), (40, -40));
    assert_eq!(
        (a.notional, a.penalty_liquidator, a.after),
        (b.notional, b.penalty_liquidator, b.after)
    );
    // 0.5% of $40 is $0.20: 40% to insurance.
    assert_eq!(
        (a.penalty_liquidator, a.penalty_insurance),
        (Atoms(120_000), Atoms(80_000))
    );
    assert_eq!(position_of(&a.liquidator).1.size, Lots(40));
    assert_eq!(
        position_of(&a.liquidator).1.quote,
        Atoms(-40_000_000 + 120_000)
    );
}

/// 8.2: closing the perp of a hedge leaves the spot's whole scan.
#[test]
fn a_liquidator_cannot_break_a_hedge() {
    let mut book = one_asset();
    book.rates[1].maint_asset_weight = Ppm(1_000_000);
    // $1,000 of spot against a $1,000 short; basis 10. The short has lost so much that equity is 5.
    let account = TestAccount::default()
        .with_balance(1, 1_000_000_000)
        .with_position(0, -1_000, 5_000_000);
    assert!(assess(&book, &account).maintenance.is_liquidatable());
    let found = plan(&book, &account, &rich(), position(0, 0), 1_000);
    assert!(
        matches!(found, Err(RiskError::BreaksHedge { .. })),
        "{found:?}"
    );
}

/// 1.7: what would be left as dust, or stands behind less than $50 of MM, is taken whole.
#[test]
fn dust_is_taken_whole() {
    let book = one_asset();
    let small = TestAccount::default()
        .with_balance(0, 39_000_000)
        .with_position(0, 400, -400_000_000);
    let short = plan(&book, &small, &rich(), position(0, 0), 399);
    assert_eq!(
        short,
        Err(RiskError::TakeWhole {
            asked: 399,
            whole: 400
        })
    );
    assert_eq!(
        plan(&book, &small, &rich(), position(0, 0), 1 << 40)
            .unwrap()
            .size,
        Lots(400)
    );

    let large = TestAccount::default()
        .with_balance(0, -5_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let short = plan(&book, &large, &rich(), position(0, 0), 995);
    assert_eq!(
        short,
        Err(RiskError::TakeWhole {
            asked: 995,
            whole: 1_000
        })
    );
    assert_eq!(
        plan(&book, &large, &rich(), position(0, 0), 990)
            .unwrap()
            .size,
        Lots(990)
    );
    assert_eq!(
        plan(&book, &large, &rich(), position(0, 0), 1_000)
            .unwrap()
            .size,
        Lots(1_000)
    );
}

/// 8.1: a deposit against the negative result of a closed position.
#[test]
fn a_deposit_pays_a_closed_loss() {
    let book = one_asset();
    // $1,000 of the token (weight 0.9, range 10%) against $850: E_M = 50, MM = 90.
    let account = TestAccount::default()
        .with_balance(1, 1_000_000_000)
        .with_position(0, 0, -850_000_000);
    let target = Target::Deposit {
        balance_slot: 0,
        position_slot: 0,
        liquidator_balance_slot: 1,
        liquidator_position_slot: 0,
    };
    let plan = plan(&book, &account, &rich(), target, 100_000_000).unwrap();
    // Removing $100 frees 100 - 90 of E_M and 9 of MM: 19; the penalty is 0.5% of $100.
    assert_eq!(plan.size, Lots(100_000_000));
    assert_eq!(
        (plan.penalty_liquidator, plan.penalty_insurance),
        (Atoms(300_000), Atoms(200_000))
    );
    assert_eq!(
        position_of(&plan.account).1.quote,
        Atoms(-850_000_000 + 100_000_000 - 500_000)
    );
    assert_eq!(
        position_of(&plan.liquidator).1.quote,
        Atoms(-100_000_000 + 300_000)
    );
    assert_eq!(
        balance_of(&plan.account).unwrap().1.shares,
        Shares(900_000_000)
    );
    assert_eq!(
        balance_of(&plan.liquidator),
        Some((
            1,
            BalanceLeg {
                rate: 1,
                shares: Shares(100_000_000)
            }
        ))
    );
    assert_eq!(
        (plan.deposit_bank.deposits, plan.deposit_bank.borrows),
        (0, 0)
    );
    assert_eq!(
        plan.after.health().0 - plan.before.health().0,
        19_000_000 - 500_000
    );
}

/// The deposit repays what the liquidator owes before it becomes his deposit.
#[test]
fn a_seized_deposit_repays_the_liquidators_borrow() {
    let book = one_asset();
    let account = TestAccount::default()
        .with_balance(1, 1_000_000_000)
        .with_position(0, 0, -850_000_000);
    let liquidator = rich().with_balance(1, -30_000_000);
    let target = Target::Deposit {
        balance_slot: 0,
        position_slot: 0,
        liquidator_balance_slot: 1,
        liquidator_position_slot: 0,
    };
    let plan = plan(&book, &account, &liquidator, target, 100_000_000).unwrap();
    assert_eq!(
        balance_of(&plan.liquidator).unwrap().1.shares,
        Shares(70_000_000)
    );
    assert_eq!(
        (plan.deposit_bank.deposits, plan.deposit_bank.borrows),
        (-30_000_000, -30_000_000)
    );
}

#[test]
fn a_target_must_be_there() {
    let book = one_asset();
    let account = TestAccount::default()
        .with_balance(0, -1)
        .with_position(0, 0, -5);
    assert_eq!(
        plan(&book, &account, &rich(), position(0, 0), 5),
        Err(RiskError::NothingToLiquidate)
    );
    assert_eq!(
        plan(&book, &account, &rich(), position(9, 0), 5),
        Err(RiskError::NothingToLiquidate)
    );
    let large = TestAccount::default().with_position(0, 1_000, -1_000_000_000);
    assert_eq!(
        plan(&book, &large, &rich(), position(0, 0), 0),
        Err(RiskError::ZeroSize)
    );
}

/// I6: whoever takes a leg ends at or above Initial.
#[test]
fn a_liquidator_ends_at_initial() {
    let account = TestAccount::default()
        .with_balance(0, 90_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let poor = TestAccount::default().with_balance(0, 10_000_000);
    let found = plan(&one_asset(), &account, &poor, position(0, 0), 500);
    assert!(
        matches!(found, Err(RiskError::BelowInitial { .. })),
        "{found:?}"
    );
    assert!(plan(&one_asset(), &account, &poor, position(0, 0), 50).is_ok());
}

/// 2.6, 2.8: an old price of what the account holds stops it, of anything else does not.
#[test]
fn an_old_price_waits() {
    let mut book = one_asset();
    book.list(plain_asset(), [1_000_000; 4], 1);
    let account = TestAccount::default()
        .with_balance(0, 90_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    book.qualities[2].tier = Tier::Stale;
    assert!(plan(&book, &account, &rich(), position(0, 0), 100).is_ok());
    book.qualities[1].age_s = 16;
    let unfit = RiskError::PriceUnfit {
        asset: 1,
        tier: Tier::Ok,
        age_s: 16,
    };
    assert_eq!(
        plan(&book, &account, &rich(), position(0, 0), 100),
        Err(unfit)
    );
}

/// A random account, moved by cash to just below Maintenance.
pub fn troubled() -> impl Strategy<Value = (TestBook, TestAccount)> {
    let portfolio = any_portfolio(4, WILD, 38);
    (portfolio, 1i64..1_000).prop_filter_map("no risk", |((book, values), short)| {
        let mut account = account(&book, &values);
        let found = assess(&book, &account).maintenance;
        if found.requirement < Atoms(100_000_000) {
            return None;
        }
        let target = -found.requirement.0 / 4_000 * short - 1;
        account.balances[0].shares.0 += target - found.health().0;
        Some((book, account))
    })
}

fn any_target(account: &TestAccount, choice: usize) -> Option<Target> {
    let open: Vec<usize> = (0..account.positions.len())
        .filter(|slot| account.positions[*slot].size.0 != 0)
        .collect();
    let debts: Vec<usize> = (0..account.positions.len())
        .filter(|slot| account.positions[*slot].size.0 == 0 && account.positions[*slot].quote.0 < 0)
        .collect();
    let deposits: Vec<usize> = (0..account.balances.len())
        .filter(|slot| account.balances[*slot].shares.0 > 0)
        .collect();
    if choice.is_multiple_of(3) && !debts.is_empty() && !deposits.is_empty() {
        return Some(Target::Deposit {
            balance_slot: deposits[choice / 3 % deposits.len()],
            position_slot: debts[choice / 7 % debts.len()],
            liquidator_balance_slot: 1,
            liquidator_position_slot: 0,
        });
    }
    (!open.is_empty()).then(|| position(open[choice / 3 % open.len()], 0))
}

/// 8.1 once more: whether `size` lots of a position, penalty paid, reach the end.
fn reaches_the_end(book: &TestBook, account: &TestAccount, slot: usize, size: i64) -> bool {
    let before = assess(book, account).maintenance.health().0;
    let mut account = account.clone();
    let leg = &mut account.positions[slot];
    let lots = size * leg.size.0.signum();
    let amount = num::value_floor(Lots(lots), book.instrument(leg.instrument).mark).0;
    leg.size.0 -= lots;
    leg.quote.0 += amount;
    let after = assess(book, &account).maintenance;
    let gain = after.health().0 - before;
    let fee = num::ppm_ceil(amount.unsigned_abs(), TERMS.fee) as i64;
    let equity = i128::from(after.equity.0 - fee.min(gain.max(0) / 2));
    equity * 1_000_000 >= i128::from(after.requirement.0) * 1_050_000
}

proptest! {
    #![proptest_config(config(10_000))]

    /// I2, I8, 8.1, 8.2: every step raises health by at least half of what it would without penalty,
    /// loses no atom, and passes the end by at most one lot unless it takes the leg whole.
    #[test]
    fn every_liquidation_raises_health_and_none_overshoots(
        (book, account) in troubled(), choice in 0usize..1_000, max_size in any_magnitude(40)
    ) {
        let Some(target) = any_target(&account, choice) else { return Ok(()) };
        let liquidator = TestAccount::default().with_balance(0, 1 << 50);
        let found = plan(&book, &account, &liquidator, target, max_size as i64);
        let Ok(step) = found else {
            let refusal = found.unwrap_err();
            let known = matches!(
                refusal,
                RiskError::BreaksHedge { .. } | RiskError::TakeWhole { .. } | RiskError::SizeBeyondEnd { .. } | RiskError::NothingToLiquidate | RiskError::ZeroSize
            );
            // A liquidator takes no more lots than a leg may have (1.6).
            let large = refusal == RiskError::TooLarge && max_size >= 1 << 31;
            prop_assert!(known || large, "{refusal:?}");
            return Ok(());
        };

        let penalty = step.penalty_liquidator.0 + step.penalty_insurance.0;
        let raised = step.after.health().0 - step.before.health().0;
        prop_assert!(raised > 0 && penalty <= raised);
        prop_assert!(step.size.0.unsigned_abs() <= max_size);

        // Conservation, and the plan's figures are those of the account as it is left.
        let mut after = account.clone();
        let held = account.positions[position_of(&step.account).0];
        after.set_position(position_of(&step.account));
        if let Some((slot, leg)) = balance_of(&step.account) {
            // A step that took over a debt for no deposit at all could be repeated for ever.
            prop_assert!(leg.shares.0 < account.balances[slot].shares.0);
            prop_assert_eq!(balance_of(&step.liquidator).unwrap().1.shares.0, account.balances[slot].shares.0 - leg.shares.0);
            after.balances[slot] = leg;
        }
        let (ours, theirs) = (position_of(&step.account).1, position_of(&step.liquidator).1);
        prop_assert_eq!(ours.size.0 + theirs.size.0, held.size.0);
        prop_assert_eq!(ours.quote.0 + theirs.quote.0 + step.penalty_insurance.0, held.quote.0);
        let judged = assess(&book, &after).maintenance;
        prop_assert_eq!(judged, step.after);

        let size = step.size.0.abs();
        if matches!(target, Target::Position { .. }) && ours.size.0 != 0 && size > 1 {
            let passes = reaches_the_end(&book, &account, position_of(&step.account).0, size - 1);
            prop_assert!(!passes, "passes the end by more than a lot");
        }
    }

    /// I7: a healthy account is refused whatever is asked.
    #[test]
    fn no_healthy_account_is_liquidated((book, mut account) in troubled(), choice in 0usize..1_000, max_size in any_magnitude(40), more in 0i64..1_000) {
        let short = assess(&book, &account).maintenance.health().0;
        account.balances[0].shares.0 += more - short;
        let Some(target) = any_target(&account, choice) else { return Ok(()) };
        let found = plan(&book, &account, &rich(), target, max_size as i64);
        let refused = matches!(found, Err(RiskError::NotLiquidatable { .. }));
        prop_assert!(refused, "{:?}", found);
    }
}
