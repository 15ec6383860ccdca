//! `exit_position` in the VM (margin-spec 10.2, 10.3): what the pool cannot take closes at the mark,
//! less the fee, against the other side of the market.

use keel::errors::KeelError;
use keel_sdk::{OrderLeg, instruction};
use keel_tests::{Asset, Trader, World, expect_error, market};

use crate::quotes::standard;

const USD: i64 = 1_000_000;

/// The pool long 140,000 lots of SOL ($21,000), `short` short 170,000, `long` long 30,000; the pool has
/// lost all but what Maintenance asks of it and a dollar.
pub fn poor_pool() -> (World, Trader, Trader) {
    let mut world = standard(|_| {});
    let short = world.trader_with(100_000).expect("a trader");
    let long = world.trader_with(100_000).expect("a trader");
    world.open(&short, Asset::Sol, -170_000).expect("short");
    world.open(&long, Asset::Sol, 30_000).expect("long");
    impoverish(&mut world, &short, 0);
    (world, long, short)
}

/// The trader's position `slot` gains what leaves the pool a dollar above Maintenance.
fn impoverish(world: &mut World, trader: &Trader, slot: usize) {
    let pool = world.pool_margin();
    let report = world.report(pool).expect("report");
    let surplus = report.maintenance_equity - report.maintenance_requirement - USD;
    world.edit_position(pool, slot, |position| position.quote -= surplus);
    world.edit_position(trader.margin, 0, |position| position.quote += surplus);
}

fn sol(world: &World, trader: &Trader) -> (i64, i64) {
    world.row(&trader.margin).position(market(Asset::Sol))
}

/// 10.2: at the mark, less the fee, to the atom; the shorts shrink in proportion, through keep, and are
/// worth what they were; skew, open interest and the published copy agree, and the books balance.
#[test]
fn an_exit_closes_what_the_pool_cannot_take() {
    let (mut world, long, short) = poor_pool();
    let (held, paid) = sol(&world, &long);
    assert_eq!(held, 30_000);
    expect_error(
        world.close(&long, Asset::Sol, -30_000),
        KeelError::PoolBelowMargin,
    );
    let worth = world.worth(short.margin).expect("worth");
    let before = world.market(Asset::Sol);
    world.exit(&long, Asset::Sol, -30_000).expect("an exit");

    let (value, fee) = (4_500 * USD, 2_250_000);
    assert_eq!(sol(&world, &long), (0, paid + value - fee));
    let after = world.market(Asset::Sol);
    assert_eq!(after.fees, before.fees + fee);
    assert_eq!(
        (after.open_interest_long, after.open_interest_short),
        (140_000, 140_000)
    );
    assert_eq!(after.skew, -140_000);
    assert!(after.keep_short < before.keep_short);
    let published = world.with_book(|book| book.instruments[0]).expect("a book");
    assert_eq!(
        (published.keep_short, published.carry_short),
        (after.keep_short, after.carry_short)
    );
    // 140,000 or, where keep cut a lot, one less, which the strays hold.
    let now = world.worth(short.margin).expect("worth");
    assert!((worth - 200_000..=worth).contains(&now), "{now} {worth}");
    assert_eq!(world.conservation().expect("conservation"), (7, 0));

    world
        .open(&short, Asset::Sol, -1_000)
        .expect_err("the pool is poor");
    world
        .close(&short, Asset::Sol, 10_000)
        .expect("what lowers its need");
    let left = sol(&world, &short).0;
    assert!((-130_000..=-129_999).contains(&left), "{left}");
    assert_eq!(world.market(Asset::Sol).skew, -130_000);
    assert_eq!(world.conservation().expect("conservation"), (7, 0));
}

/// 7.2: where the pool itself is the other side, its lots leave the skew. Hedged across assets, it
/// needs more margin when it holds less SOL.
#[test]
fn an_exit_against_the_pool_moves_the_skew() {
    let mut world = standard(|_| {});
    let long = world.trader_with(100_000).expect("a trader");
    let short = world.trader_with(100_000).expect("a trader");
    world
        .open(&short, Asset::Btc, -31_250)
        .expect("$20,000 of BTC");
    world
        .open(&long, Asset::Sol, 66_000)
        .expect("$9,900 of SOL");
    impoverish(&mut world, &short, 0);
    expect_error(
        world.close(&long, Asset::Sol, -33_000),
        KeelError::PoolBelowMargin,
    );
    world.exit(&long, Asset::Sol, -33_000).expect("an exit");
    let pool = world.row(&world.pool_margin()).position(0).0;
    let ledger = world.market(Asset::Sol);
    assert!((-33_000..=-32_999).contains(&pool), "{pool}");
    assert_eq!(ledger.skew, -pool);
    assert_eq!(ledger.open_interest_short, 33_000);
    assert_eq!(world.conservation().expect("conservation"), (7, 0));
}

/// 10.2: an exit is not an alternative to the pool: where it takes the close, it does.
#[test]
fn what_the_pool_takes_is_no_exit() {
    let mut world = standard(|_| {});
    let long = world.trader_with(100_000).expect("a trader");
    world.open(&long, Asset::Sol, 30_000).expect("long");
    expect_error(
        world.exit(&long, Asset::Sol, -30_000),
        KeelError::PoolTakesIt,
    );
}

/// Limit price, last second, sequence, owner and position bind an exit as they do a close.
#[test]
fn an_exit_keeps_to_what_was_asked() {
    let (mut world, long, _) = poor_pool();
    let exit = world.exit_instruction(&long, Asset::Sol, -30_000);
    let asked = |world: &World, change: fn(&mut keel_sdk::ExitArgs, &World)| {
        let mut args = keel_sdk::ExitArgs {
            leg: OrderLeg {
                size: -30_000,
                limit_price: 0,
            },
            valid_until: world.vm.now(),
            expected_seq: None,
            client_id: 0,
        };
        change(&mut args, world);
        let keys = instruction::ExitKeys {
            owner: long.owner(),
            margin: long.margin,
            pool: world.pool,
            market: 0,
        };
        instruction::exit_position(&world.keys, &keys, args)
    };
    let late = asked(&world, |args, _| args.valid_until -= 1);
    expect_error(world.send(late, &[&long.key]), KeelError::OrderExpired);
    let other = asked(&world, |args, _| args.expected_seq = Some(7));
    expect_error(world.send(other, &[&long.key]), KeelError::SequenceChanged);
    let dear = asked(&world, |args, world| {
        args.leg.limit_price = world.lot_price(Asset::Sol).0 + 3;
    });
    expect_error(world.send(dear, &[&long.key]), KeelError::BeyondLimit);
    let stranger = world.trader_with(1).expect("a stranger");
    let mut theirs = exit.clone();
    theirs.accounts[0].pubkey = stranger.owner();
    expect_error(world.send(theirs, &[&stranger.key]), KeelError::NotOwner);
    expect_error(
        world.exit(&stranger, Asset::Sol, -1),
        KeelError::NotReducing,
    );
    let at_the_mark = asked(&world, |args, world| {
        args.leg.limit_price = world.lot_price(Asset::Sol).0;
    });
    world.send(at_the_mark, &[&long.key]).expect("at the mark");
}

/// 8.5: with one lot on the other side nothing can be closed against it.
#[test]
fn an_exit_needs_another_side() {
    let (mut world, long, _) = poor_pool();
    world.edit_market(Asset::Sol, |market| market.open_interest_short = 1);
    expect_error(
        world.exit(&long, Asset::Sol, -30_000),
        KeelError::TooLittleOpposite,
    );
}

/// 8.4: whoever is found at or above Maintenance is no longer being liquidated.
#[test]
fn an_order_that_finds_maintenance_stops_the_auction() {
    let mut world = standard(|_| {});
    let trader = world.trader_with(10_000).expect("a trader");
    let started = |world: &World| world.margin(trader.margin).liquidation_started;
    let start = |world: &mut World| {
        world.edit_margin(trader.margin, |account| account.liquidation_started = 5);
    };
    start(&mut world);
    world.open(&trader, Asset::Sol, 10_000).expect("open");
    assert_eq!(started(&world), 0);
    start(&mut world);
    world.close(&trader, Asset::Sol, -1_000).expect("close");
    assert_eq!(started(&world), 0);

    let (mut world, long, _) = poor_pool();
    world.edit_margin(long.margin, |account| account.liquidation_started = 5);
    world.exit(&long, Asset::Sol, -30_000).expect("exit");
    assert_eq!(world.margin(long.margin).liquidation_started, 0);
}

/// 5.7: several legs are judged once, at the end: two that together fit, neither of which would alone.
#[test]
fn legs_are_judged_together() {
    let mut world = standard(|_| {});
    let trader = world.trader_with(1_000).expect("a trader");
    let send = |world: &mut World, assets: &[Asset], sizes: &[i64]| {
        let keys = world.trade_keys(&trader, assets);
        let open = instruction::open_position(&world.keys, &keys, world.order(sizes));
        world.send(open, &[&trader.key])
    };
    // $7,575 long SOL and $8,670 short ETH ask for less together than either for itself.
    let (sol, eth) = (50_500, -25_500);
    expect_error(
        send(&mut world, &[Asset::Sol], &[sol]),
        KeelError::BelowInitial,
    );
    expect_error(
        send(&mut world, &[Asset::Eth], &[eth]),
        KeelError::BelowInitial,
    );
    send(&mut world, &[Asset::Sol, Asset::Eth], &[sol, eth]).expect("together");
}
