//! Who ends an auction's clock (margin-spec 8.4, 10.3; decision 46): any instruction that finds the
//! account at Maintenance, the pool's included. And what an account's `seq` counts (decision 47).

use anchor_lang::prelude::Pubkey;
use keel::errors::KeelError;
use keel_sdk::{OrderArgs, instruction};
use keel_tests::{Asset, Trader, World, expect_error, market};
use solana_signer::Signer;

use crate::auction::{FALLEN, SOL, fallen, rich};
use crate::backstop::{Stage, uninsured};
use crate::trading::{reprice, world};

const USD: u64 = 1_000_000;

/// Writes a running clock into an account that is healthy: an auction that nobody has judged since.
fn forgotten(world: &mut World, margin: Pubkey) {
    world.edit_margin(margin, |account| account.liquidation_started = 1);
}

/// A pool that was found below Maintenance and unwound in part: it stands between Maintenance and
/// Initial, and its clock runs. SOL's price besides.
fn half_unwound() -> (World, Pubkey, f64) {
    let mut world = uninsured(20_000);
    let alice = world.trader_with(50_000).expect("a trader");
    world.open(&alice, Asset::Sol, 200_000).expect("open");
    let pool = world.pool_margin();
    let mut sol = 150.0;
    while !is_liquidatable(&world, pool) {
        sol *= 1.08;
        let prices = [1.0, sol, 64_000.0, 3_400.0];
        world.reprice(prices).expect("prices");
    }
    while is_liquidatable(&world, pool) {
        world.deleverage_pool(Asset::Sol, 5_000).expect("a part");
    }
    assert!(is_below_initial(&world, pool) && world.auction_started(&pool) > 0);
    (world, pool, sol)
}

fn is_liquidatable(world: &World, margin: Pubkey) -> bool {
    let found = world.assess(&margin).expect("health");
    found.maintenance.is_liquidatable()
}

fn is_below_initial(world: &World, margin: Pubkey) -> bool {
    let found = world.assess(&margin).expect("health");
    found.initial.health().0 < 0
}

/// The pool is above Maintenance, and nobody may unwind it any more.
fn expect_ended(world: &mut World, pool: Pubkey) {
    assert_eq!(world.auction_started(&pool), 0);
    assert!(!is_liquidatable(world, pool));
    let size = world.row(&pool).position(market(Asset::Sol)).0;
    expect_error(
        world.deleverage_pool(Asset::Sol, 100),
        KeelError::NotLiquidatable,
    );
    assert_eq!(world.row(&pool).position(market(Asset::Sol)).0, size);
}

/// 10.3: what began below Maintenance goes on above it while the clock runs.
#[test]
fn a_pools_unwinding_goes_on_to_initial_while_its_clock_runs() {
    let (mut world, pool, _) = half_unwound();
    world.deleverage_pool(Asset::Sol, 100).expect("goes on");
    assert!(world.auction_started(&pool) > 0);
}

/// 8.4: tokens provided to a pool at Maintenance end its unwinding, though it is below Initial.
#[test]
fn providing_to_a_pool_at_maintenance_ends_its_unwinding() {
    let (mut world, pool, _) = half_unwound();
    world.provide(10).expect("liquidity");
    assert!(is_below_initial(&world, pool));
    expect_ended(&mut world, pool);
}

/// 8.4: tokens that leave a pool below Maintenance leave its clock running.
#[test]
fn providing_to_a_pool_below_maintenance_leaves_its_clock() {
    let (mut world, pool, sol) = half_unwound();
    let started = world.auction_started(&pool);
    world
        .reprice([1.0, sol * 1.08, 64_000.0, 3_400.0])
        .expect("prices");
    world.provide(10).expect("liquidity");
    assert!(is_liquidatable(&world, pool));
    assert_eq!(world.auction_started(&pool), started);
}

/// 8.4, 10.3: a redemption is refused below Maintenance, so that one that goes through ends the
/// unwinding, whether it pays or only keeps its place.
#[test]
fn redeeming_from_a_pool_at_maintenance_ends_its_unwinding() {
    let (mut world, pool, _) = half_unwound();
    let (key, _) = world.provide(10).expect("liquidity");
    forgotten(&mut world, pool);
    world.request_redeem(&key, USD, 0).expect("ask");
    world.skip_live_time(86_400);
    let seq = world.row(&pool).seq;
    world.execute_redeem(key.pubkey()).expect("keeps its place");
    assert_eq!(world.row(&pool).seq, seq);
    expect_ended(&mut world, pool);
}

/// 10.3: found at Initial, by whoever asks, the pool is unwound no further: the call ends what was under
/// way and takes nothing, and a later fall to below Initial alone begins nothing.
#[test]
fn a_pool_found_at_initial_is_unwound_no_further() {
    let (mut world, pool, mut sol) = half_unwound();
    while is_below_initial(&world, pool) {
        sol *= 0.97;
        let prices = [1.0, sol, 64_000.0, 3_400.0];
        world.reprice(prices).expect("prices");
    }
    let before = world.row(&pool);
    let sent = world.deleverage_pool(Asset::Sol, 100).expect("it is over");
    assert_eq!(world.auction_started(&pool), 0);
    assert_eq!(world.row(&pool), before);
    let events = sent
        .logs
        .iter()
        .filter(|line| line.starts_with("Program data:"));
    assert_eq!(events.count(), 1, "the clock's");
    expect_error(
        world.deleverage_pool(Asset::Sol, 100),
        KeelError::NotLiquidatable,
    );

    while !is_below_initial(&world, pool) {
        sol *= 1.01;
        let prices = [1.0, sol, 64_000.0, 3_400.0];
        world.reprice(prices).expect("prices");
    }
    expect_ended(&mut world, pool);
}

/// 8.4: a pool that takes an unbid leg ends at Initial, so that no unwinding of its own is left.
#[test]
fn a_pool_that_takes_an_unbid_leg_is_in_no_auction() {
    let mut stage = Stage::unbid(6_000, FALLEN);
    let pool = stage.world.pool_margin();
    forgotten(&mut stage.world, pool);
    stage.take(1_000).expect("the pool's part");
    assert_eq!(stage.world.auction_started(&pool), 0);
}

/// 8.4: a deposit that brings an account to Maintenance ends its auction at once, whoever pays it: who
/// falls again later starts at the lowest penalty. One that does not leaves the clock.
#[test]
fn a_deposit_to_maintenance_ends_the_auction() {
    let mut world = world();
    let trader = fallen(&mut world);
    world.set_clock(trader.margin, &[], &[]).expect("started");
    let started = world.auction_started(&trader.margin);
    assert!(started > 0);
    let short = -world.health(&trader);
    world
        .deposit(&trader, Asset::Usdc, short as u64 - 1)
        .expect("an atom short");
    assert_eq!(world.auction_started(&trader.margin), started);
    world.deposit(&trader, Asset::Usdc, 1).expect("the atom");
    assert_eq!(world.health(&trader), 0);
    assert_eq!(world.auction_started(&trader.margin), 0);
}

/// 2.6, 8.4: deposits are open at every price, but on a price that no liquidation could rest on nothing
/// is found.
#[test]
fn a_deposit_on_old_prices_leaves_the_clock() {
    let mut world = world();
    let trader = fallen(&mut world);
    world.set_clock(trader.margin, &[], &[]).expect("started");
    world.vm.pass(16);
    world
        .deposit(&trader, Asset::Usdc, 5_000 * USD)
        .expect("deposit");
    assert!(world.auction_started(&trader.margin) > 0);
    world.set_prices(FALLEN).expect("prices");
    world.set_clock(trader.margin, &[], &[]).expect("judged");
    assert_eq!(world.auction_started(&trader.margin), 0);
}

/// 8.4: both accounts of a transfer: the giver ends at Initial, the receiver may come to Maintenance.
#[test]
fn a_transfer_ends_the_auctions_of_both() {
    let mut world = world();
    let trader = fallen(&mut world);
    let other = world.sub_account(&trader.key, 1).expect("a sub-account");
    world
        .deposit(&other, Asset::Usdc, 10_000 * USD)
        .expect("deposit");
    world.set_clock(trader.margin, &[], &[]).expect("started");
    forgotten(&mut world, other.margin);
    world
        .transfer((&other, &trader), Asset::Usdc, USD, false)
        .expect("too little");
    assert_eq!(world.auction_started(&other.margin), 0);
    assert!(world.auction_started(&trader.margin) > 0);
    world
        .transfer((&other, &trader), Asset::Usdc, 5_000 * USD, false)
        .expect("enough");
    assert_eq!(world.auction_started(&trader.margin), 0);
}

/// 7.4, 8.4: settling judges who lost: found at Maintenance his auction is over, below it goes on.
#[test]
fn a_settlement_ends_the_auction_of_who_is_found_at_maintenance() {
    let mut world = world();
    let (loser, winner) = (fallen(&mut world), rich(&mut world));
    let sol = market(Asset::Sol);
    let winning = world.open(&winner, Asset::Sol, -1_000);
    winning.expect("short");
    reprice(&mut world, [1.0, 128.0, 64_000.0, 3_400.0]);
    world.set_clock(loser.margin, &[], &[]).expect("started");
    world
        .settle(winner.margin, loser.margin, Asset::Sol, 1_000)
        .expect("out of his deposit");
    assert!(world.auction_started(&loser.margin) > 0);

    reprice(&mut world, [1.0, 149.0, 64_000.0, 3_400.0]);
    assert!(world.row(&loser.margin).position(sol).0 != 0);
    let pool = world.pool_margin();
    world
        .settle(pool, loser.margin, Asset::Sol, 1_000)
        .expect("settled");
    assert_eq!(world.auction_started(&loser.margin), 0);
}

/// 8.1, 8.4: a liquidator ends at Initial, so that no auction of his own is left.
#[test]
fn who_liquidates_is_in_no_auction() {
    let mut world = world();
    let (trader, liquidator) = (fallen(&mut world), rich(&mut world));
    forgotten(&mut world, liquidator.margin);
    world
        .take(&liquidator, trader.margin, SOL, 1_000)
        .expect("a step");
    assert_eq!(world.auction_started(&liquidator.margin), 0);
}

fn seq(world: &World, trader: &Trader) -> u64 {
    world.row(&trader.margin).seq
}

/// An order to close that names the `seq` that its owner saw.
fn close_as_seen(world: &mut World, trader: &Trader, lots: i64, seen: u64) {
    let args = OrderArgs {
        expected_seq: Some(seen),
        ..world.order(&[lots])
    };
    let keys = world.trade_keys(trader, &[Asset::Sol]);
    let close = instruction::close_position(&world.keys, &keys, args);
    world.vm.send(&[close], &[&trader.key]).expect("as seen");
}

/// docs/accounts.md: whoever sets the clock moves nothing of the account, so that it makes no order of
/// the owner fail.
#[test]
fn a_stranger_who_sets_the_clock_stops_no_order() {
    let mut world = world();
    let trader = fallen(&mut world);
    let seen = seq(&world, &trader);
    world.set_clock(trader.margin, &[], &[]).expect("started");
    assert!(world.auction_started(&trader.margin) > 0);
    assert_eq!(seq(&world, &trader), seen);
    close_as_seen(&mut world, &trader, -100_000, seen);
    assert_eq!(seq(&world, &trader), seen + 1);
}

/// docs/accounts.md: a size that its side shrank was seen shrunk, before and after it is written so: the
/// touch counts nothing, the order that touched counts one.
#[test]
fn a_touch_is_not_counted_and_stops_no_order() {
    let mut stage = Stage::unbid(6_000, FALLEN);
    let (pool, seen) = (stage.world.pool_margin(), seq(&stage.world, &stage.bob));
    stage.take(u64::MAX).expect("the pool's part");
    let before = stage.world.row(&pool);
    stage.take(u64::MAX).expect("the side's");
    let (stored, kept) = (stage.world.row(&pool), stage.sizes());
    let sol = market(Asset::Sol);
    // The pool is on neither side of that close but by its own position's keep.
    assert_eq!(stored.position(sol).0, kept[0]);
    assert_eq!(stored.seq, before.seq);

    let bob = stage.world.row(&stage.bob.margin);
    assert!(kept[2] != bob.position(sol).0, "nobody has touched him");
    assert_eq!(bob.seq, seen);
    close_as_seen(&mut stage.world, &stage.bob, 1_000, seen);
    let after = stage.world.row(&stage.bob.margin);
    assert_eq!(
        (after.position(sol).0, after.seq),
        (kept[2] + 1_000, seen + 1)
    );
}
