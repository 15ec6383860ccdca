//! Providing and redeeming (margin-spec 10.3, 10.4): who stays never pays for who comes or goes.

use crate::common::*;
use crate::portfolios::Draw;
use keel_risk::*;
use proptest::prelude::*;

const LIVE: u64 = 500_000;
const LOCKED: u64 = LOCKED_SHARES;

const BANK: BankTerms = BankTerms {
    rate: 0,
    deposit_index: Index48::ONE,
    borrow_index: Index48::ONE,
    total_deposits: 1 << 50,
    deposit_cap: 1 << 60,
};

/// A bank that lets everything out.
const OPEN: RedeemExit = RedeemExit {
    bank: BANK,
    free: u64::MAX,
    outflow: Outflow {
        open: EMPTY,
        small: EMPTY,
    },
    terms: OutflowTerms {
        share: Ppm(300_000),
        floor: u64::MAX,
        least_deposits: 0,
        now: NOW,
    },
};

const NOW: i64 = 1_000_000;
const EMPTY: Bucket = Bucket {
    level: 0,
    updated: NOW,
};

fn pool(shares: u64) -> PoolTerms {
    PoolTerms {
        shares,
        equity_cap: Atoms(i64::MAX),
        asset_cap: Atoms(1 << 50),
        factor: Ppm(3_000_000),
    }
}

fn request(shares: u64) -> RedeemRequest {
    RedeemRequest {
        shares,
        min_amount: 0,
        window: RequestWindow::after(LIVE - 86_400, 86_400),
        tally: RoundTally::default(),
    }
}

/// One request in a queue of `escrowed` shares, of `issued` in all.
fn terms(own: u64, escrowed: u64, issued: u64) -> RedeemTerms {
    RedeemTerms {
        pool: pool(issued),
        exit: OPEN,
        queue: RedeemQueue {
            escrowed,
            ..RedeemQueue::default()
        },
        request: request(own),
        live_time: LIVE,
    }
}

fn redeem(
    book: &TestBook,
    account: &TestAccount,
    terms: &RedeemTerms,
) -> Result<RedeemPlan, RiskError> {
    let mut lanes = vec![-1; Scratch::MAX_LANES];
    plan_redeem(book, account, terms, &mut Scratch::new(&mut lanes))
}

fn provide(
    book: &TestBook,
    account: &TestAccount,
    shares: u64,
    amount: u64,
) -> Result<ProvidePlan, RiskError> {
    let mut lanes = vec![-1; Scratch::MAX_LANES];
    plan_provide(
        book,
        account,
        BANK,
        pool(shares),
        amount,
        &mut Scratch::new(&mut lanes),
    )
}

fn after(account: &TestAccount, plan: &CashPlan) -> TestAccount {
    let mut account = account.clone();
    account.balances[0] = plan.after;
    account
}

/// A pool of quote alone, in atoms, behind a bank with deposits of a day's capacity and no more.
fn flat(cash: i64) -> (TestBook, TestAccount) {
    (empty_book(), TestAccount::default().with_balance(0, cash))
}

/// A pool's book: positions of any kind, cash enough more often than not.
fn any_pool() -> impl Strategy<Value = (TestBook, TestAccount)> {
    (any_portfolio(3, WILD, 40), any_magnitude(44)).prop_map(|((book, mut values), cash)| {
        values.cash = cash as i64;
        let account = account(&book, &values);
        (book, account)
    })
}

/// Shares in issue, those of one request, and those of all.
fn any_shares() -> impl Strategy<Value = (u64, u64, u64)> {
    (any_magnitude(44), 1..=1_000_000u64, 1..=1_000_000u64).prop_map(|(owned, own, all)| {
        let issued = LOCKED + owned;
        let part = |of: u64, ppm: u64| (u128::from(of) * u128::from(ppm) / 1_000_000) as u64;
        let own = part(owned, own).max(1);
        (issued, own, own + part(owned - own, all))
    })
}

/// E at the mark times shares, exact.
fn times(book: &TestBook, account: &TestAccount, shares: u64) -> i128 {
    i128::from(assess(book, account).net_asset_value.0) * i128::from(shares)
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 10.4: a redemption leaves the pool at Initial as a withdrawal would, pays no more than what its
    /// shares are worth to those who stay, and never makes a share of theirs worth less.
    #[test]
    fn who_stays_never_pays_for_who_leaves(
        (book, account) in any_pool(),
        (issued, own, all) in any_shares(),
    ) {
        let terms = terms(own, all, issued);
        match redeem(&book, &account, &terms) {
            Err(RiskError::RedemptionsStopped { .. }) => {
                let judged = assess_with(&book, &account, InitialTerms::WITHDRAWAL);
                prop_assert!(judged.maintenance.is_liquidatable());
            }
            Err(RiskError::BelowMinAmount { amount, least }) => prop_assert_eq!((amount, least), (0, 1)),
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
            Ok(plan) => {
                let left = after(&account, &plan.cash);
                let judged = assess_with(&book, &left, InitialTerms::WITHDRAWAL);
                prop_assert!(plan.burned == 0 || judged.initial.health().0 >= 0);
                let (before, now) = (times(&book, &account, issued - plan.burned), times(&book, &left, issued));
                prop_assert!(now >= before);
                prop_assert_eq!(plan.burned + plan.request.shares, own);
                prop_assert_eq!(plan.queue.escrowed, all - plan.burned);
                prop_assert_eq!(plan.cash.tokens.0, -(plan.amount as i64));
                prop_assert!(plan.amount == 0 || plan.burned != 0);
            }
        }
    }

    /// 10.4, I5: who provides and redeems at the same prices never gains, whatever the pool holds.
    #[test]
    fn in_and_out_again_never_gains(
        (book, account) in any_pool(),
        issued in (LOCKED..=1u64 << 44),
        amount in 1u64 << 20..1 << 44,
    ) {
        // A pool without equity takes nobody in.
        let Ok(given) = provide(&book, &account, issued, amount) else {
            return Ok(());
        };
        let entered = after(&account, &given.cash);
        let shares = issued + given.minted;
        // Nor does it take from who was there.
        prop_assert!(times(&book, &entered, issued) >= times(&book, &account, shares));
        if let Ok(plan) = redeem(&book, &entered, &terms(given.minted, given.minted, shares)) {
            prop_assert!(plan.amount <= amount);
        }
    }

    /// 10.4: with 1,000,000 shares that nobody redeems, a newcomer loses by rounding no more than the
    /// millionth part of the pool, however much the first provider paid and the pool gained since.
    #[test]
    fn no_gain_of_the_pool_rounds_a_newcomer_away(
        first in 1_000_001..1u64 << 40,
        gain in any_magnitude(44),
        amount in any_magnitude(44),
    ) {
        let (book, empty) = flat(0);
        let given = provide(&book, &empty, 0, first).unwrap();
        let issued = given.minted + given.locked;
        let equity = first + gain;
        let rich = TestAccount::default().with_balance(0, equity as i64);
        match provide(&book, &rich, issued, amount) {
            Ok(bought) => {
                let worth = u128::from(bought.minted) * u128::from(equity + amount) / u128::from(issued + bought.minted);
                prop_assert!(worth + u128::from(equity) / 1_000_000 + 2 >= u128::from(amount));
            }
            Err(error) => {
                prop_assert_eq!(error, RiskError::TooFewShares);
                prop_assert!(amount <= equity / 1_000_000 + 1);
            }
        }
    }

    /// 10.4: of what cannot be paid whole each request receives its part of all shares that asked,
    /// in whatever order, and however often, each is executed.
    #[test]
    fn neither_order_nor_repetition_changes_what_a_request_receives(
        seed in any::<u64>(),
        parts in prop::collection::vec(1..=1u64 << 30, 1..6),
        liquid in any_magnitude(34),
        cash in prop_oneof![Just(None), (1u64 << 30..1 << 44).prop_map(Some)],
    ) {
        let all: u64 = parts.iter().sum();
        let issued = LOCKED + all;
        let cash = cash.unwrap_or(issued);
        let (book, mut account) = flat(cash as i64);
        let mut queue = RedeemQueue { escrowed: all, ..RedeemQueue::default() };
        let mut requests: Vec<RedeemRequest> = parts.iter().map(|own| request(*own)).collect();
        let mut paid = vec![0u64; parts.len()];
        let (mut shares, mut vault, mut draw) = (issued, liquid, Draw(seed));
        for call in 0..4 * parts.len() {
            let which = if call < 2 * parts.len() {
                draw.between(0, parts.len() as i64 - 1) as usize
            } else {
                call % parts.len()
            };
            if requests[which].shares == 0 {
                continue;
            }
            let terms = RedeemTerms {
                pool: pool(shares),
                exit: RedeemExit { free: vault, ..OPEN },
                queue,
                request: requests[which],
                live_time: LIVE + call as u64,
            };
            let plan = match redeem(&book, &account, &terms) {
                Err(RiskError::NothingToRedeem { .. }) => continue,
                plan => plan.unwrap(),
            };
            (queue, requests[which]) = (plan.queue, plan.request);
            account = after(&account, &plan.cash);
            shares -= plan.burned;
            vault -= plan.amount;
            paid[which] += plan.amount;
        }
        for (own, paid) in parts.iter().zip(&paid) {
            let [own, all, issued] = [*own, all, issued].map(u128::from);
            let whole = u128::from(cash) * own / issued;
            let fair = whole.min(u128::from(liquid) * own / all);
            // To a share, and an atom for each call.
            let share = u128::from(cash) / issued;
            prop_assert!(u128::from(*paid) <= fair + 24 && u128::from(*paid) + share + 24 >= fair);
        }
    }

    /// 10.4: a part is the most whole shares that it covers, at the value of the whole, and brings as
    /// large a part of the least amount.
    #[test]
    fn a_part_is_paid_like_the_whole(
        own in any_magnitude(40),
        cash in any_magnitude(44),
        liquid in any_magnitude(44),
        least in any_magnitude(44),
    ) {
        let issued = LOCKED + own;
        let (book, account) = flat(cash as i64);
        let mut asked = terms(own, own, issued);
        asked.exit.free = liquid;
        asked.request.min_amount = least;
        let value = |shares: u64| u128::from(cash) * u128::from(shares) / u128::from(issued);
        match redeem(&book, &account, &asked) {
            Ok(plan) => {
                prop_assert_eq!(u128::from(plan.amount), value(plan.burned));
                let most = u128::from(liquid.min(cash)) * u128::from(issued);
                prop_assert!(plan.amount == 0 || plan.burned == own || u128::from(plan.burned + 1) * u128::from(cash) > most);
                let paid = u128::from(plan.amount) * u128::from(own);
                prop_assert!(paid >= u128::from(least) * u128::from(plan.burned));
                prop_assert!(plan.request.min_amount <= least);
            }
            Err(RiskError::BelowMinAmount { amount, least: needed }) => prop_assert!(amount < needed),
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
        }
    }
}

/// 10.4, 8.4: a request waits for its cooldown, and lapses an hour after it, in live time.
#[test]
fn a_request_is_open_for_one_hour() {
    let window = RequestWindow::after(1_000, 86_400);
    assert_eq!(
        window.require(1_000),
        Err(RiskError::CooldownRunning { left_s: 86_400 })
    );
    assert_eq!(
        window.require(87_399),
        Err(RiskError::CooldownRunning { left_s: 1 })
    );
    assert_eq!(window.require(87_400), Ok(()));
    assert_eq!(window.require(91_000), Ok(()));
    assert_eq!(
        window.require(91_001),
        Err(RiskError::RequestLapsed { ago_s: 1 })
    );
    let endless = RequestWindow::after(u64::MAX, u32::MAX);
    assert!(!endless.has_lapsed(u64::MAX));

    let (book, account) = flat(5_000_000);
    let mut early = terms(1_000_000, 1_000_000, 5_000_000);
    early.live_time = LIVE - 1;
    assert_eq!(
        redeem(&book, &account, &early),
        Err(RiskError::CooldownRunning { left_s: 1 })
    );
    early.live_time = LIVE + 3_601;
    assert_eq!(
        redeem(&book, &account, &early),
        Err(RiskError::RequestLapsed { ago_s: 1 })
    );
}

/// 10.4: what is out is the lesser of Initial equity without gains and E at the worst bounds.
#[test]
fn shares_are_redeemed_at_the_lesser_equity() {
    let mut book = empty_book();
    let distant = AssetTerms {
        down: Frac40(Frac40::ONE.0 / 64),
        up: Frac40(Frac40::ONE.0 / 32),
        ..plain_asset()
    };
    book.list(distant, [1_000_000; 4], 1);
    let paid = |size: i64, quote: i64| {
        let account = TestAccount::default()
            .with_balance(0, 101_000_000)
            .with_position(0, size, quote);
        redeem(&book, &account, &terms(10_000_000, 10_000_000, 101_000_000))
            .unwrap()
            .amount
    };
    // 64 lots of $1 without a result: worth a 64th less if long, a 32nd less if short.
    assert_eq!(paid(64, -64_000_000), 100_000_000 * 10 / 101);
    assert_eq!(paid(-64, 64_000_000), 99_000_000 * 10 / 101);
    // A gain of $10 counts nothing, a loss of $10 counts whole.
    assert_eq!(paid(64, -54_000_000), 100_000_000 * 10 / 101);
    assert_eq!(paid(64, -74_000_000), 90_000_000 * 10 / 101);

    // A wide price's bounds are wider than the distances of Initial.
    book.qualities[1].tier = Tier::Wide;
    book.qualities[1].bound_down = Frac40(Frac40::ONE.0 / 16);
    let account = TestAccount::default()
        .with_balance(0, 101_000_000)
        .with_position(0, 64, -64_000_000);
    let plan = redeem(&book, &account, &terms(10_000_000, 10_000_000, 101_000_000)).unwrap();
    assert_eq!(plan.amount, 97_000_000 * 10 / 101);
    assert_eq!(plan.equity_before, Atoms(101_000_000));
    book.qualities[1].age_s = 16;
    let stale = redeem(&book, &account, &terms(10_000_000, 10_000_000, 101_000_000));
    assert!(matches!(stale, Err(RiskError::PriceUnfit { asset: 1, .. })));
}

/// 10.4: a pool at Initial pays nothing and keeps everyone's place; half-way there it pays half. 10.3:
/// below Maintenance redemptions stop.
#[test]
fn a_pool_pays_down_to_initial_and_stops_below_maintenance() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 1);
    let held = |cash: i64| {
        let account =
            TestAccount::default()
                .with_balance(0, cash)
                .with_position(0, 1_000, -1_000_000_000);
        let asked = terms(cash as u64 - LOCKED, cash as u64 - LOCKED, cash as u64);
        (redeem(&book, &account, &asked), account)
    };
    let needed = held(1 << 40).1;
    let needed = assess_with(&book, &needed, InitialTerms::WITHDRAWAL);
    let (initial, maintenance) = (
        needed.initial.requirement.0,
        needed.maintenance.requirement.0,
    );

    let (plan, account) = held(initial + 1_000_000);
    let plan = plan.unwrap();
    assert_eq!(plan.amount, 1_000_000);
    let left = after(&account, &plan.cash);
    assert_eq!(
        assess_with(&book, &left, InitialTerms::WITHDRAWAL)
            .initial
            .health(),
        Atoms(0)
    );

    let (plan, _) = held(initial);
    let plan = plan.unwrap();
    assert_eq!((plan.amount, plan.burned), (0, 0));
    assert_eq!(plan.request.shares, initial as u64 - LOCKED);
    assert_eq!(plan.request.window.closes, LIVE + 7_200);
    assert!(held(maintenance).0.is_ok());
    let stopped = held(maintenance - 1).0;
    assert!(matches!(stopped, Err(RiskError::RedemptionsStopped { .. })));
}

/// 7.5: redemptions leave through the bank's bucket for anyone, without the part for small withdrawals,
/// and never take what is lent out; a bank that is short pays what it can.
#[test]
fn the_quote_bank_bounds_what_leaves() {
    let (book, account) = flat(10_000_000);
    let mut asked = terms(9_000_000, 9_000_000, 10_000_000);
    asked.exit.terms = OutflowTerms {
        share: Ppm(150_000),
        floor: 0,
        least_deposits: 20_000_000,
        now: NOW,
    };
    asked.exit.outflow.open.level = 700_000;
    // 15% of 20 in all, less a tenth, less 0.7 that left.
    let plan = redeem(&book, &account, &asked).unwrap();
    assert_eq!(plan.amount, 2_000_000);
    assert_eq!(plan.outflow.open.level, 2_700_000);
    assert_eq!(plan.outflow.small, EMPTY);
    // In half a day half of it is free again.
    asked.exit.terms.now = NOW + 43_200;
    assert_eq!(redeem(&book, &account, &asked).unwrap().amount, 2_700_000);

    asked.exit.free = 1_500_000;
    assert_eq!(redeem(&book, &account, &asked).unwrap().amount, 1_500_000);
    // Tickets may hold more than the capacity.
    asked.exit.outflow.open.level = 1 << 40;
    let waits = redeem(&book, &account, &asked).unwrap();
    assert_eq!(
        (waits.burned, waits.outflow.open.level < 1 << 40),
        (0, true)
    );
}

/// 10.4: a call that can pay nothing keeps a request's place: it starts no round, and all that it
/// changes is until when the request may be executed.
#[test]
fn a_request_of_which_nothing_can_be_paid_only_keeps_its_place() {
    let (book, account) = flat(10_000_000);
    let mut asked = terms(9_000_000, 9_000_000, 10_000_000);
    asked.exit.free = 0;
    for round in [0, 7] {
        asked.queue.tally.round = round;
        asked.request.tally.round = round;
        let plan = redeem(&book, &account, &asked).unwrap();
        assert_eq!((plan.burned, plan.amount), (0, 0));
        assert_eq!(
            (plan.cash.before, plan.queue),
            (plan.cash.after.shares, asked.queue)
        );
        let kept = RedeemRequest {
            window: RequestWindow {
                closes: LIVE + 7_200,
                ..asked.request.window
            },
            ..asked.request
        };
        assert_eq!(plan.request, kept);
        // Calling again changes nothing more.
        asked.request = plan.request;
        assert_eq!(redeem(&book, &account, &asked).unwrap().request, kept);
    }
}

/// 10.4: the first 1,000,000 shares stay, and a share of nothing is not burned.
#[test]
fn the_first_shares_are_nobodys() {
    let (book, account) = flat(10_000_000);
    let whole = terms(9_000_000, 9_000_000, 10_000_000);
    assert_eq!(redeem(&book, &account, &whole).unwrap().amount, 9_000_000);
    let more = terms(9_000_001, 9_000_001, 10_000_000);
    assert_eq!(redeem(&book, &account, &more), Err(RiskError::TooLarge));

    let dust = terms(1, 9_000_000, 10_000_000_000_000);
    let refused = redeem(&book, &account, &dust);
    assert_eq!(
        refused,
        Err(RiskError::BelowMinAmount {
            amount: 0,
            least: 1
        })
    );
    let mut dear = whole;
    dear.request.min_amount = 9_000_001;
    let refused = redeem(&book, &account, &dear);
    assert_eq!(
        refused,
        Err(RiskError::BelowMinAmount {
            amount: 9_000_000,
            least: 9_000_001
        })
    );
}

/// 10.4: after a round of an hour who still waits receives a part of what is there then; who came late
/// takes from nobody's part of the round that is over.
#[test]
fn a_round_lasts_an_hour() {
    let (book, account) = flat(101_000_000);
    let mut asked = terms(50_000_000, 100_000_000, 101_000_000);
    asked.exit.free = 10_000_000;
    let first = redeem(&book, &account, &asked).unwrap();
    assert_eq!((first.amount, first.queue.tally.round), (5_000_000, 1));

    let again = |live_time: u64| {
        let mut next = asked;
        next.pool = pool(96_000_000);
        next.exit.free = 5_000_000;
        (next.queue, next.request, next.live_time) = (first.queue, first.request, live_time);
        redeem(&book, &after(&account, &first.cash), &next)
    };
    let waits = RiskError::NothingToRedeem {
        received: 5_000_000,
        left_s: 1,
    };
    assert_eq!(again(LIVE + 3_599), Err(waits));
    let second = again(LIVE + 3_600).unwrap();
    assert_eq!(second.queue.tally.round, 2);
    // 45 of the 95 that still ask.
    assert_eq!(second.amount, 5_000_000 * 45 / 95);
}

/// I14: figures at the ends of their types are answered or refused, never wrapped.
#[test]
fn redemptions_at_the_ends_of_every_type_refuse_or_pay_no_more_than_there_is() {
    let ends = [0, 1, LOCKED, LOCKED + 1, 1 << 40, 1 << 62, u64::MAX];
    let mut paid = 0;
    for cash in [0, 1, 1 << 40, 1 << 50] {
        let (book, account) = flat(cash);
        for issued in ends {
            for own in ends {
                for index in [1, Index48::ONE.0 + 1, u64::MAX] {
                    for past in ends {
                        let mut asked = terms(own, own.saturating_add(past), issued);
                        asked.exit.bank.deposit_index = Index48(index);
                        asked.request.min_amount = past;
                        asked.queue.tally = RoundTally {
                            round: 1,
                            burned: past,
                            paid: past,
                        };
                        asked.queue.round_started = LIVE;
                        if let Ok(plan) = redeem(&book, &account, &asked) {
                            assert!(plan.burned <= own && plan.cash.after.shares.0 >= 0);
                            paid += u64::from(plan.amount != 0);
                        }
                    }
                }
            }
        }
    }
    assert!(paid > 50, "{paid} were paid");
}

/// Share prices of reports.
#[test]
fn a_share_price_is_that_of_a_million() {
    assert_eq!(share_price(Atoms(3_000_000), 2_000_000), 1_500_000);
    assert_eq!(share_price(Atoms(1), 3_000_000), 0);
    assert_eq!(share_price(Atoms(-1), 3), 0);
    assert_eq!(share_price(Atoms(5), 0), 0);
    assert_eq!(share_price(Atoms(i64::MAX), 1), u64::MAX);
}
