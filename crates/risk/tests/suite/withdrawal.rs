//! 2.6, 2.7, 5.7, 7.4, 7.5: what leaves an account.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

const USD: i64 = 1_000_000;

/// A million of the token deposited, a tenth of it lent.
fn token_exit() -> Exit {
    open_exit(1, bank(1_000_000_000_000, 100_000_000_000))
}

fn quote_exit() -> Exit {
    open_exit(0, bank(1_000_000_000_000, 100_000_000_000))
}

fn withdraw_with(
    book: &TestBook,
    account: &TestAccount,
    exit: &Exit,
    asked: Taking,
) -> Result<WithdrawPlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    plan_withdraw(book, account, exit, asked, &mut Scratch::new(&mut lanes))
}

fn taking(slot: usize, amount: u64) -> Taking {
    Taking {
        slot,
        amount,
        allow_borrow: false,
    }
}

/// Of the token at slot 1, borrowing.
fn borrow(
    book: &TestBook,
    account: &TestAccount,
    exit: &Exit,
    amount: u64,
) -> Result<WithdrawPlan, RiskError> {
    let asked = Taking {
        allow_borrow: true,
        ..taking(1, amount)
    };
    withdraw_with(book, account, exit, asked)
}

fn cash(usd: i64) -> TestAccount {
    TestAccount::default().with_balance(0, usd * USD)
}

/// 5.7, 7.5: what a deposit lacks is borrowed where the caller allows it, in shares, ceil; the account
/// ends at Initial.
#[test]
fn a_borrow_opens_beyond_the_deposit() {
    let book = one_asset();
    let account = cash(1_000).with_balance(1, 100 * USD);
    let exit = token_exit();
    let plan = borrow(&book, &account, &exit, 300_000_000).unwrap();
    assert_eq!(plan.cash.after.shares, Shares(-200_000_000));
    assert_eq!(
        (plan.cash.tokens, plan.borrowed),
        (Native(-300_000_000), Native(200_000_000))
    );
    let lacks = RiskError::InsufficientDeposit {
        available: 100 * USD,
        asked: 300 * USD,
    };
    let asked = taking(1, 300_000_000);
    assert_eq!(withdraw_with(&book, &account, &exit, asked), Err(lacks));
    // All is the deposit, never a borrow.
    let all = borrow(&book, &account, &exit, u64::MAX).unwrap();
    assert_eq!(
        (all.cash.after.shares, all.borrowed),
        (Shares(0), Native(0))
    );
    // $1,000 carries a borrow of x at 1.2 of it and a scan of 1.5 * 10% of that: x = 724.63.
    assert!(borrow(&book, &cash(1_000), &exit, 724_630_000).is_ok());
    let refused = borrow(&book, &cash(1_000), &exit, 724_640_000);
    assert!(matches!(refused, Err(RiskError::BelowInitial { .. })));
}

/// 2.7, 7.1, 7.4, 7.5, 8.6: every reason why a bank lends nothing more.
#[test]
fn a_borrow_grows_only_under_all_conditions() {
    let book = one_asset();
    let rich = rich();
    let with = |change: fn(&mut Exit)| {
        let mut exit = token_exit();
        change(&mut exit);
        borrow(&book, &rich, &exit, 100_000_000)
    };
    assert!(with(|_| {}).is_ok());
    assert_eq!(
        with(|exit| exit.bank.halted = true),
        Err(RiskError::BankHalted)
    );
    assert_eq!(
        with(|exit| exit.bank.peg_holds = false),
        Err(RiskError::BorrowsStopped)
    );
    let old = RiskError::AccrualTooOld {
        age_s: 3_601,
        limit_s: 3_600,
    };
    assert!(with(|exit| exit.bank.published_age_s = 3_600).is_ok());
    assert_eq!(with(|exit| exit.bank.published_age_s = 3_601), Err(old));
    let capped = RiskError::BorrowCap {
        total: 100_100_000_000,
        cap: 100_099_999_999,
    };
    assert!(with(|exit| exit.bank.borrow_cap = 100_100_000_000).is_ok());
    assert_eq!(
        with(|exit| exit.bank.borrow_cap = 100_099_999_999),
        Err(capped)
    );
    // 90% lent out is the end: 899.9 and 0.1 of 1,000 are, one unit more is not.
    assert!(with(|exit| exit.bank.ledger = bank(1_000_000_000_000, 899_900_000_000)).is_ok());
    let full = with(|exit| exit.bank.ledger = bank(1_000_000_000_000, 899_900_000_001));
    assert!(
        matches!(full, Err(RiskError::UtilisationCap { .. })),
        "{full:?}"
    );
    // What tickets claim stays behind.
    let waits = |amount| {
        let mut exit = token_exit();
        exit.gate.queue = Queue { amount, ends: 1 };
        borrow(&book, &rich, &exit, 100_000_000)
    };
    assert!(waits(899_900_000_000).is_ok());
    let short = RiskError::InsufficientLiquidity {
        available: 899_900_000_000,
        asked: 899_900_000_001,
    };
    assert_eq!(waits(899_900_000_001), Err(short));
}

/// 1.6, 1.7: a borrow is a leg: neither dust nor beyond a leg's bound, for an account with something
/// of its own.
#[test]
fn a_borrow_is_a_leg_within_bounds() {
    let book = one_asset();
    let small = borrow(&book, &rich(), &token_exit(), 9_999_999);
    assert_eq!(
        small.unwrap_err(),
        RiskError::BelowMinNotional {
            notional: Atoms(9_999_999),
            least: Atoms(10_000_000)
        }
    );
    let wide = open_exit(1, bank(1 << 60, 0));
    let large = borrow(&book, &rich(), &wide, (1 << 46) + 1);
    assert!(
        matches!(large, Err(RiskError::LegTooLarge { .. })),
        "{large:?}"
    );
    // 16.8 less 10 at 1.2 is 4.8 of equity, 1.5 of it asked for.
    let poor = TestAccount::default().with_balance(0, 16_800_000);
    let bare = borrow(&book, &poor, &token_exit(), 10_000_000);
    assert!(
        matches!(bare, Err(RiskError::BelowMinEquity { .. })),
        "{bare:?}"
    );
    let mut full = rich();
    let mut book = one_asset();
    for _ in 0..8 {
        let asset = book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 0);
        full = full.with_balance(asset, 1);
    }
    let asked = Taking {
        slot: 9,
        amount: 100_000_000,
        allow_borrow: true,
    };
    let ninth = withdraw_with(&book, &full, &token_exit(), asked);
    assert_eq!(ninth.unwrap_err(), RiskError::TooManyAssets);
}

/// 2.6: the borrowed asset's own price counts: doubtful at its worse bound, stale not at all. The hole
/// is a token borrowed at the price of before an outage.
#[test]
fn a_token_is_not_borrowed_at_a_stale_price() {
    let mut book = one_asset();
    let lends = |book: &TestBook, amount| borrow(book, &cash(1_000), &token_exit(), amount).is_ok();
    assert!(lends(&book, 700_000_000));
    book.qualities[1].age_s = 31;
    assert!(!lends(&book, 700_000_000), "30 s");
    book.qualities[1].age_s = 30;
    for tier in [Tier::Wide, Tier::Diverged] {
        book.qualities[1].tier = tier;
        book.qualities[1].bound_up = Frac40::ONE;
        assert!(!lends(&book, 700_000_000), "at twice the price");
        assert!(lends(&book, 300_000_000), "{tier:?}");
    }
    for tier in [Tier::Stale, Tier::Invalid] {
        book.qualities[1].tier = tier;
        let refused = borrow(&book, &rich(), &token_exit(), 100_000_000);
        assert!(
            matches!(refused, Err(RiskError::PriceUnfit { asset: 1, .. })),
            "{refused:?}"
        );
    }
    // The quote needs none.
    let held = TestAccount::default()
        .with_balance(0, 0)
        .with_balance(1, 1_000 * USD);
    let asked = Taking {
        allow_borrow: true,
        ..taking(0, 100_000_000)
    };
    book.qualities[1].tier = Tier::Ok;
    book.qualities[0].tier = Tier::Stale;
    let mut exit = quote_exit();
    exit.bank.peg_holds = false;
    assert!(withdraw_with(&book, &held, &exit, asked).is_ok());
}

/// 7.5: deposits stay above borrows, so that the vault keeps fees, insurance and dust. A flat account
/// takes the last unit (I9).
#[test]
fn a_withdrawal_leaves_the_house_its_own() {
    let book = one_asset();
    let mut exit = quote_exit();
    exit.bank.ledger = BankLedger {
        fees: 50,
        insurance: 70,
        dust: 7,
        tracked: 900_000_000_127,
        ..bank(1_000_000_000_000, 100_000_000_000)
    };
    let rich = TestAccount::default().with_balance(0, 1_000_000_000_000);
    assert!(withdraw_with(&book, &rich, &exit, taking(0, 900_000_000_000)).is_ok());
    let short = RiskError::InsufficientLiquidity {
        available: 900_000_000_000,
        asked: 900_000_000_001,
    };
    let asked = taking(0, 900_000_000_001);
    assert_eq!(withdraw_with(&book, &rich, &exit, asked), Err(short));
    exit.bank.halted = true;
    let asked = taking(0, 1);
    assert_eq!(
        withdraw_with(&book, &rich, &exit, asked),
        Err(RiskError::BankHalted)
    );
}

/// The hole: a deposit that Initial counts as nothing leaves Initial where it is, so a rule that looked
/// only at the fall would let it go and leave the borrow behind.
#[test]
fn a_deposit_that_initial_counts_as_zero_cannot_leave_while_owing() {
    let mut book = one_asset();
    book.rates[1].init_asset_weight = Ppm(0);
    // $950 of the token hold up a debt of $100 with $90 in the quote: above Maintenance alone.
    let account = TestAccount::default()
        .with_balance(0, -100 * USD)
        .with_balance(1, 950 * USD);
    let found = assess(&book, &account);
    assert!(found.maintenance.health().0 > 0 && found.initial.health().0 < 0);
    for amount in [1, 100_000_000, u64::MAX] {
        let refused = withdraw_with(&book, &account, &token_exit(), taking(1, amount));
        assert!(
            matches!(refused, Err(RiskError::BelowInitial { .. })),
            "{refused:?}"
        );
    }
    // Where it owes nothing it goes.
    let flat = cash(0).with_balance(1, 950 * USD);
    assert!(withdraw_with(&book, &flat, &token_exit(), taking(1, u64::MAX)).is_ok());
}

/// All leaves no share, also of a deposit whose haircut made it worth less than a unit (8.6).
#[test]
fn all_of_a_deposit_leaves_no_share() {
    let book = one_asset();
    let mut exit = token_exit();
    exit.bank.ledger.deposit_index = Index48(Index48::ONE.0 / 3);
    let hold = |shares| {
        TestAccount::default()
            .with_balance(0, 0)
            .with_balance(1, shares)
    };
    let plan = withdraw_with(&book, &hold(11), &exit, taking(1, u64::MAX)).unwrap();
    assert_eq!(
        (plan.cash.after.shares, plan.cash.tokens),
        (Shares(0), Native(-3))
    );
    let plan = withdraw_with(&book, &hold(11), &exit, taking(1, 3)).unwrap();
    assert_eq!(plan.cash.after.shares, Shares(0));
    let plan = withdraw_with(&book, &hold(2), &exit, taking(1, u64::MAX)).unwrap();
    assert_eq!(
        (plan.cash.after.shares, plan.cash.tokens),
        (Shares(0), Native(0))
    );
    for shares in [0, -5] {
        let refused = withdraw_with(&book, &hold(shares), &exit, taking(1, u64::MAX));
        assert_eq!(refused, Err(RiskError::NothingToWithdraw));
    }
}

/// 7.5: a waiting ticket's claim stays: else one deposit, handed on, could fill the queue alone.
#[test]
fn what_a_ticket_claims_does_not_move() {
    let book = one_asset();
    let mut exit = token_exit();
    exit.terms = OutflowTerms {
        floor: 1_000_000_000,
        ..exit.terms
    };
    let account = cash(0).with_balance(1, 5_000 * USD);
    exit.gate = plan_ticket(exit.gate, &exit.terms, 1, 5_000_000_000, 4_000_000_000).unwrap();
    assert!(exit.gate.ticket.ready > 0);
    let lacks = RiskError::InsufficientDeposit {
        available: 1_000_000_000,
        asked: 1_000_000_001,
    };
    let asked = Taking {
        allow_borrow: true,
        ..taking(1, 1_000_000_001)
    };
    assert_eq!(withdraw_with(&book, &account, &exit, asked), Err(lacks));
    assert_eq!(
        transfer(&book, (&account, &rich()), &exit, asked),
        Err(lacks)
    );
    let all = transfer(&book, (&account, &rich()), &exit, taking(1, u64::MAX)).unwrap();
    assert_eq!(all.given.tokens, Native(-1_000_000_000));
    // Ready, it leaves, though the bucket is full, and all of the rest may not.
    exit.terms.now = exit.gate.ticket.ready;
    let served = withdraw_with(&book, &account, &exit, taking(1, 4_000_000_000)).unwrap();
    assert_eq!(served.gate.ticket, Ticket::default());
    let more = withdraw_with(&book, &account, &exit, taking(1, u64::MAX));
    assert_eq!(
        more,
        Err(RiskError::OutflowCap {
            available: 100_000_000,
            asked: 1_000_000_000
        })
    );
}

fn transfer(
    book: &TestBook,
    (giver, receiver): (&TestAccount, &TestAccount),
    exit: &Exit,
    asked: Taking,
) -> Result<TransferPlan, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let receiver = Holder {
        legs: receiver,
        slot: asked.slot,
    };
    plan_transfer(
        book,
        giver,
        receiver,
        exit,
        asked,
        &mut Scratch::new(&mut lanes),
    )
}

/// 5.7: what is transferred leaves one account like a withdrawal and repays what the other owes first.
#[test]
fn a_transfer_is_judged_for_the_giver() {
    let book = one_asset();
    let mut exit = token_exit();
    let giver = cash(1_000).with_balance(1, 100 * USD);
    let owing = cash(1_000).with_balance(1, -30 * USD);
    let plan = transfer(&book, (&giver, &owing), &exit, taking(1, u64::MAX)).unwrap();
    assert_eq!(
        (plan.given.after.shares, plan.received.after.shares),
        (Shares(0), Shares(70 * USD))
    );
    assert_eq!(
        (
            plan.change.deposits,
            plan.change.borrows,
            plan.change.tokens
        ),
        (-30 * USD, -30 * USD, 0)
    );
    let asked = Taking {
        allow_borrow: true,
        ..taking(1, 300_000_000)
    };
    let plan = transfer(&book, (&giver, &owing), &exit, asked).unwrap();
    assert_eq!(plan.borrowed, Native(200 * USD));
    let poor = transfer(&book, (&cash(100).with_balance(1, 0), &owing), &exit, asked);
    assert!(matches!(poor, Err(RiskError::BelowInitial { .. })));

    // A halt and a cap of deposits stop only what a borrow adds.
    exit.bank.deposit_cap = 1;
    assert!(transfer(&book, (&giver, &owing), &exit, taking(1, 50_000_000)).is_ok());
    let capped = transfer(&book, (&giver, &owing), &exit, asked);
    assert!(
        matches!(capped, Err(RiskError::DepositCap { .. })),
        "{capped:?}"
    );
    exit.bank.deposit_cap = u64::MAX;
    exit.bank.halted = true;
    assert!(transfer(&book, (&giver, &owing), &exit, taking(1, 50_000_000)).is_ok());
    let halted = transfer(&book, (&giver, &owing), &exit, asked);
    assert_eq!(halted, Err(RiskError::BankHalted));
}

/// 8.6: quote given to a market's insurance leaves the account like a withdrawal.
#[test]
fn insurance_is_given_out_of_what_initial_spares() {
    let book = one_asset();
    let insure = |account: &TestAccount, amount| {
        let mut lanes = vec![0; Scratch::MAX_LANES];
        plan_insure(&book, account, 0, 0, amount, &mut Scratch::new(&mut lanes))
    };
    let plan = insure(&cash(100), 100_000_000).unwrap();
    assert_eq!(
        plan.after,
        PositionLeg {
            instrument: 0,
            size: Lots(0),
            quote: Atoms(-100_000_000)
        }
    );
    assert_eq!(
        (plan.market.insurance, plan.market.quotes),
        (100_000_000, -100_000_000)
    );
    let over = insure(&cash(100), 100_000_001);
    assert!(matches!(over, Err(RiskError::BelowInitial { .. })));
    // A gain that is not settled is nothing to give.
    let gain = cash(0).with_position(0, 0, 500 * USD);
    assert!(
        insure(&gain, 500_000_000).is_ok(),
        "its own result may be given away"
    );
    assert!(insure(&gain, 500_000_001).is_err());
    assert_eq!(insure(&rich(), (1 << 46) + 1), Err(RiskError::TooLarge));
    assert_eq!(insure(&rich(), u64::MAX), Err(RiskError::TooLarge));
}

proptest! {
    #![proptest_config(config(10_000))]

    /// I1, I5: there and back, by transfer or by withdrawal and deposit, borrowing or not: the ledger
    /// balances to the unit, dust never falls, and nobody has more than before.
    #[test]
    fn nothing_is_gained_there_and_back(held in any_signed(40), other in any_signed(40), amount in any_magnitude(40), indices in (1u64 << 47..1 << 50, 1u64 << 48..1 << 50), moves in any::<bool>()) {
        let mut book = one_asset();
        (book.rates[1].deposit_index, book.rates[1].borrow_index) = (Index48(indices.0), Index48(indices.1));
        let mut ledger = bank(1 << 50, 1 << 44);
        (ledger.deposit_index, ledger.borrow_index) = (Index48(indices.0), Index48(indices.1));
        ledger.tracked = ledger.owed();
        let mut exit = open_exit(1, ledger);
        let account = |shares| rich().with_balance(1, shares);
        let worth = |shares| keel_risk::amount(shares, Index48(indices.0), Index48(indices.1)).0;
        let (mut left, mut right) = (account(held), account(other));
        let before = worth(Shares(held)) + worth(Shares(other));
        let asked = Taking { slot: 1, amount, allow_borrow: true };

        if moves {
            for there in [true, false] {
                let (from, to) = if there { (&left, &right) } else { (&right, &left) };
                let Ok(plan) = transfer(&book, (from, to), &exit, asked) else { return Ok(()) };
                let next = exit.bank.ledger.after(&plan.change);
                prop_assert_eq!(next.owed(), next.tracked);
                prop_assert!(next.dust >= exit.bank.ledger.dust);
                exit.bank.ledger = next;
                let (given, got) = (plan.given.after, plan.received.after);
                (left.balances[1], right.balances[1]) = if there { (given, got) } else { (got, given) };
            }
        } else {
            let Ok(plan) = withdraw_with(&book, &left, &exit, asked) else { return Ok(()) };
            let change = BankChange { tokens: plan.cash.tokens.0, ..BankChange::of(plan.cash.before, plan.cash.after.shares) };
            let next = ledger.after(&change);
            prop_assert_eq!(next.owed(), next.tracked);
            prop_assert!(next.dust >= ledger.dust && next.deposits() >= next.borrows());
            left.balances[1] = plan.cash.after;
            let terms = BankTerms { rate: 1, deposit_index: next.deposit_index, borrow_index: next.borrow_index, total_deposits: next.deposits(), deposit_cap: u64::MAX };
            let back = plan_deposit(&book, &left, 1, terms, amount).unwrap();
            left.balances[1] = back.after;
            let last = next.after(&BankChange { tokens: back.tokens.0, ..BankChange::of(back.before, back.after.shares) });
            prop_assert_eq!(last.owed(), last.tracked);
            prop_assert!(last.dust >= next.dust);
        }
        let after = worth(left.balances[1].shares) + worth(right.balances[1].shares);
        prop_assert!(after <= before, "{before} became {after}");
    }

    /// I6: whatever leaves, an account that owes afterwards is at Initial, gains not counted, prices in
    /// doubt against it and at Maintenance, which is judged for it only where one is.
    #[test]
    fn nothing_leaves_below_initial((book, values) in any_portfolio(2, crate::laws::GROWING, 40), amount in any_magnitude(40), tier in 0usize..3, allow_borrow in any::<bool>()) {
        let mut book = book;
        book.qualities[1].tier = [Tier::Ok, Tier::Wide, Tier::Stale][tier];
        (book.qualities[1].bound_down, book.qualities[1].bound_up) = (Frac40(1 << 36), Frac40(1 << 37));
        let account = account(&book, &values);
        let exit = open_exit(0, bank(1 << 60, 1 << 50));
        let asked = Taking { slot: 0, amount, allow_borrow };
        let Ok(plan) = withdraw_with(&book, &account, &exit, asked) else { return Ok(()) };
        let mut after = account.clone();
        after.balances[0] = plan.cash.after;
        let found = assess_with(&book, &after, InitialTerms::WITHDRAWAL);
        prop_assert_eq!(found.initial, plan.initial);
        if owes(&after) {
            // At the marks Maintenance follows from Initial, to the roundings of 5.5.
            let least = if tier == 0 { -crate::laws::tolerance(&book) } else { 0 };
            prop_assert!(found.initial.health().0 >= 0 && found.maintenance.health().0 >= least);
        }
    }
}
