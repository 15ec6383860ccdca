//! `settle_pnl` in the VM (margin-spec 7.4): results of a market become quote, from who lost to who
//! gained, and nobody is lent more for it than he could borrow.

use keel::errors::KeelError;
use keel_tests::{Asset, Trader, World, expect_error};

use crate::quotes::standard;
use crate::trading::check_books;

const USD: i64 = 1_000_000;
/// SOL $12 up.
const RISE: [f64; 4] = [1.0, 162.0, 64_000.0, 3_400.0];

/// A long and a short of 10,000 lots ($1,500), after a rise of $12 each: $120 and a little less.
fn winner_and_loser(world: &mut World, short: &Trader) -> Trader {
    winner_and_loser_at(world, short, RISE)
}

fn winner_and_loser_at(world: &mut World, short: &Trader, prices: [f64; 4]) -> Trader {
    let long = world.trader_with(10_000).expect("a trader");
    world.open(&long, Asset::Sol, 10_000).expect("long");
    world.open(short, Asset::Sol, -10_000).expect("short");
    world.reprice(prices).expect("a rise");
    long
}

fn quote(world: &World, trader: &Trader) -> (i64, i64) {
    let row = world.row(&trader.margin);
    (row.shares(0), row.position(0).1)
}

/// 7.4: at most the smaller of gain and loss moves, by anybody's transaction; both are worth what they
/// were, the books balance, and again there is nothing to settle.
#[test]
fn a_result_becomes_quote_and_nobody_gains() {
    let mut world = standard(|_| {});
    let short = world.trader_with(10_000).expect("a trader");
    let long = winner_and_loser(&mut world, &short);
    let worth = |world: &mut World| {
        [long.margin, short.margin].map(|margin| world.worth(margin).expect("worth"))
    };
    let before = (quote(&world, &long), quote(&world, &short));
    let [gained, lost] = worth(&mut world);
    let (gain, loss) = (gained - 10_000 * USD, 10_000 * USD - lost);
    assert!(gain > 118 * USD && loss > gain, "{gain} {loss}");

    world
        .settle(long.margin, short.margin, Asset::Sol, 20_000_000)
        .expect("a part");
    assert_eq!(
        quote(&world, &long),
        (before.0.0 + 20 * USD, before.0.1 - 20 * USD)
    );
    assert_eq!(
        quote(&world, &short),
        (before.1.0 - 20 * USD, before.1.1 + 20 * USD)
    );
    world
        .settle(long.margin, short.margin, Asset::Sol, u64::MAX)
        .expect("the rest");
    assert_eq!(quote(&world, &long), (before.0.0 + gain, before.0.1 - gain));
    assert_eq!(worth(&mut world), [gained, lost]);
    expect_error(
        world.settle(long.margin, short.margin, Asset::Sol, u64::MAX),
        KeelError::NothingToSettle,
    );
    check_books(&world, &[&long, &short]);
    assert_eq!(world.conservation().expect("conservation"), (7, 0));
}

/// The pool settles as anybody: it lost what the trader gained.
#[test]
fn a_pool_pays_what_it_lost() {
    let mut world = standard(|_| {});
    let long = world.trader_with(10_000).expect("a trader");
    world.open(&long, Asset::Sol, 10_000).expect("long");
    world.reprice(RISE).expect("a rise");
    let pool = world.pool_margin();
    let seqs = |world: &World| [pool, long.margin].map(|margin| world.row(&margin).seq);
    let before = seqs(&world);
    world
        .settle(long.margin, pool, Asset::Sol, u64::MAX)
        .expect("settled");
    assert_eq!(seqs(&world), before.map(|seq| seq + 1));
    let (deposit, _) = quote(&world, &long);
    assert!(deposit > 10_118 * USD, "{deposit}");
    // Closed, what is left between the two settles as well; the fee stays the trader's to pay.
    world.close(&long, Asset::Sol, -10_000).expect("flat");
    let result = quote(&world, &long).1;
    let (winner, loser) = if result > 0 {
        (long.margin, pool)
    } else {
        (pool, long.margin)
    };
    world
        .settle(winner, loser, Asset::Sol, u64::MAX)
        .expect("the rest");
    let left = [pool, long.margin].map(|margin| world.row(&margin).position(0));
    assert!(left.contains(&(0, 0)), "{left:?}");
    check_books(&world, &[&long]);
}

/// 7.1: the bank is brought to now before its totals change.
#[test]
fn interest_is_charged_before_quote_moves() {
    let mut world = standard(|_| {});
    let short = world.trader_with(10_000).expect("a trader");
    let long = winner_and_loser(&mut world, &short);
    world
        .settle(long.margin, short.margin, Asset::Sol, u64::MAX)
        .expect("settled");
    assert_eq!(world.bank(Asset::Usdc).last_accrual, world.vm.now());
}

/// 7.4, I5: an account named as both sides is refused by that name, whether it gained or lost, and the
/// pool's too; no byte of it, the market or the bank changes. Without
/// the check there would be nothing to gain: the law `nobody_settles_with_himself` of keel-risk. What the
/// plan then says is seen here between an owner's two accounts that both gained.
#[test]
fn the_same_margin_account_settles_nothing_with_itself() {
    let mut world = standard(|_| {});
    let short = world.trader_with(10_000).expect("a trader");
    let long = winner_and_loser(&mut world, &short);
    let second = world.sub_account(&long.key, 1).expect("an account");
    world
        .deposit(&second, Asset::Usdc, 10_000 * USD as u64)
        .expect("collateral");
    world.open(&second, Asset::Sol, 10_000).expect("long");
    world.reprice([1.0, 165.0, 64_000.0, 3_400.0]).expect("up");
    let pool = world.pool_margin();
    let all = [
        long.margin,
        short.margin,
        second.margin,
        pool,
        world.market_address(Asset::Sol),
        world.bank_address(Asset::Usdc),
    ];
    let stored = |world: &World| all.map(|address| world.data(&address));
    let before = stored(&world);
    let worth = |world: &mut World| {
        let margins = [long.margin, short.margin, second.margin, pool];
        margins.map(|margin| world.worth(margin).expect("worth"))
    };
    let worths = worth(&mut world);
    for margin in [long.margin, short.margin, pool] {
        expect_error(
            world.settle(margin, margin, Asset::Sol, u64::MAX),
            KeelError::SameAccount,
        );
    }
    for pair in [[&long, &second], [&second, &long]] {
        let [winner, loser] = pair.map(|trader| trader.margin);
        expect_error(
            world.settle(winner, loser, Asset::Sol, u64::MAX),
            KeelError::NothingToSettle,
        );
    }
    assert!(stored(&world) == before, "the books are untouched");
    assert_eq!(worth(&mut world), worths);
}

#[test]
fn settlement_refuses_what_it_should() {
    let mut world = standard(|_| {});
    let short = world.trader_with(10_000).expect("a trader");
    let long = winner_and_loser(&mut world, &short);
    let (winner, loser) = (long.margin, short.margin);
    expect_error(
        world.settle(winner, winner, Asset::Sol, 1),
        KeelError::SameAccount,
    );
    expect_error(
        world.settle(winner, loser, Asset::Sol, 0),
        KeelError::ZeroSize,
    );
    expect_error(
        world.settle(loser, winner, Asset::Sol, 1),
        KeelError::NothingToSettle,
    );
    expect_error(
        world.settle(winner, loser, Asset::Btc, 1),
        KeelError::NothingToSettle,
    );
    let mut in_sol = world.settle_instruction(winner, loser, Asset::Sol, 1);
    in_sol.accounts[4].pubkey = world.bank_address(Asset::Sol);
    expect_error(world.send(in_sol, &[]), KeelError::NotTheQuoteBank);

    // 8.6: while a bankrupt account of the market waits, until the second that was set.
    let now = world.vm.now();
    world.edit_market(Asset::Sol, |market| market.halted_until = now + 1);
    expect_error(
        world.settle(winner, loser, Asset::Sol, 1),
        KeelError::SettlementClosed,
    );
    world.vm.pass(1);
    world
        .settle(winner, loser, Asset::Sol, 1)
        .expect("open again");

    // 2.6: not on a price that is stale.
    world.vm.pass(61);
    expect_error(
        world.settle(winner, loser, Asset::Sol, 1),
        KeelError::PriceUnfit,
    );
}

/// A short with SOL alone as collateral, `units` of a ten-thousandth SOL, and a deposit of `usdc`.
fn short_on_sol(world: &mut World, units: u64, usdc: u64) -> Trader {
    let trader = world.trader().expect("a trader");
    if usdc > 0 {
        world.deposit(&trader, Asset::Usdc, usdc).expect("USDC");
    }
    world
        .deposit(&trader, Asset::Sol, units * 100_000)
        .expect("SOL");
    trader
}

/// 7.4: a gain is not turned into a borrow of a loser who could not borrow: his deposit moves, and
/// beyond it nothing; so an accomplice's account, left below Initial, lends nothing to withdraw.
#[test]
fn settling_a_gain_into_the_losers_forced_borrow_and_withdrawing_it() {
    let mut world = standard(|_| {});
    // $278 of SOL and $20 of USDC carry a short of $1,500 that loses $90, but not a borrow of $70.
    let short = short_on_sol(&mut world, 18_500, 20_000_000);
    let long = winner_and_loser_at(&mut world, &short, [1.0, 160.0, 64_000.0, 3_400.0]);
    let report = world.report(short.margin).expect("report");
    assert!(report.maintenance_equity > report.maintenance_requirement);
    let before = quote(&world, &long).0;
    world
        .settle(long.margin, short.margin, Asset::Sol, u64::MAX)
        .expect("the deposit");
    assert_eq!(quote(&world, &long).0, before + 20 * USD);
    assert_eq!(quote(&world, &short).0, 0);
    expect_error(
        world.settle(long.margin, short.margin, Asset::Sol, u64::MAX),
        KeelError::BelowInitial,
    );
    // What he gained beyond that is no deposit.
    expect_error(
        world.withdraw(&long, Asset::Usdc, (before + 20 * USD + 1) as u64),
        KeelError::InsufficientDeposit,
    );
}

/// 7.4: a loser who could borrow does, while the bank is not lent out beyond 95%.
#[test]
fn a_loser_who_can_borrow_does_up_to_the_banks_limit() {
    let mut world = standard(|_| {});
    let short = short_on_sol(&mut world, 1_000_000, 0);
    let long = winner_and_loser(&mut world, &short);
    let bank = world.bank(Asset::Usdc);
    // Others owe all but a twentieth of the bank, less a dollar.
    let deposits = bank.deposit_shares;
    let lent = deposits - deposits / 20 - 1_000_000;
    world.edit_bank(Asset::Usdc, |bank| {
        bank.borrow_shares += lent;
        bank.tracked -= lent;
    });
    expect_error(
        world.settle(long.margin, short.margin, Asset::Sol, u64::MAX),
        KeelError::UtilisationCap,
    );
    world
        .settle(long.margin, short.margin, Asset::Sol, 10_000_000)
        .expect("ten dollars fit");
    assert!(quote(&world, &short).0 < -9 * USD, "a borrow");
    world
        .settle(long.margin, short.margin, Asset::Sol, 1_000_000)
        .expect("and a dollar");
}

/// 7.4, 8.5: nothing that an owner does between his own accounts, through the pool and by settling,
/// moves the market's insurance, and together they lose what fees took.
#[test]
fn self_trade_to_move_insurance() {
    let mut world = standard(|_| {});
    world.edit_market(Asset::Sol, |market| {
        market.insurance += 5_000_000_000;
        market.fees -= 5_000_000_000;
    });
    let insured = world.market(Asset::Sol).insurance;
    let owner = world.trader_with(10_000).expect("a trader");
    let second = world.sub_account(&owner.key, 1).expect("an account");
    world
        .deposit(&second, Asset::Usdc, 10_000_000_000)
        .expect("collateral");
    let both = |world: &mut World| {
        [owner.margin, second.margin].map(|margin| world.worth(margin).expect("worth"))
    };
    let before: i64 = both(&mut world).iter().sum();
    let mut prices = RISE;
    for step in 0..4 {
        world.open(&owner, Asset::Sol, 50_000).expect("long");
        world.open(&second, Asset::Sol, -50_000).expect("short");
        prices[1] = if step % 2 == 0 { 162.0 } else { 150.0 };
        world.reprice(prices).expect("a move");
        let [long, short] = [&owner, &second].map(|trader| trader.margin);
        let (winner, loser) = if step % 2 == 0 {
            (long, short)
        } else {
            (short, long)
        };
        world
            .settle(winner, loser, Asset::Sol, u64::MAX)
            .expect("settled");
        expect_error(
            world.settle(winner, winner, Asset::Sol, u64::MAX),
            KeelError::SameAccount,
        );
        world.close(&owner, Asset::Sol, -50_000).expect("flat");
        world.close(&second, Asset::Sol, 50_000).expect("flat");
        assert_eq!(world.market(Asset::Sol).insurance, insured);
    }
    let after: i64 = both(&mut world).iter().sum();
    assert!(after < before, "{after} {before}");
}
