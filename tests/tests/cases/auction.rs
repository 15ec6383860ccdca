//! The auction's clock, the prints that it needs, and what a deficit stops (margin-spec 8.1, 8.4, 8.6).
//! SOL starts at $150, BTC at $64,000 and ETH at $3,400.

use keel::errors::KeelError;
use keel_risk::{MAX_HALT_S, PENALTY_PERIOD_S};
use keel_sdk::instruction::{self, TakenLeg};
use keel_tests::{Asset, PriceUpdate, Trader, World, expect_error, market};

use crate::trading::{PRICES, check_books, reprice, world};

/// After a fall of SOL.
pub const FALLEN: [f64; 4] = [1.0, 129.0, 64_000.0, 3_400.0];

pub const SOL: TakenLeg = TakenLeg::Position {
    market: market(Asset::Sol),
};

/// 200 SOL for $30,000 on $6,000 of collateral, after a fall to $129: $1,775 of equity against a
/// requirement of $2,658.
pub fn fallen(world: &mut World) -> Trader {
    let trader = world.trader_with(6_000).expect("a trader");
    world.open(&trader, Asset::Sol, 200_000).expect("open");
    reprice(world, FALLEN);
    trader
}

pub fn rich(world: &mut World) -> Trader {
    world.trader_with(1_000_000).expect("a liquidator")
}

fn live_time(world: &World) -> u64 {
    world.with_book(|book| book.live_time).expect("a book")
}

/// 8.4: the first step that finds the account below starts the clock, later ones leave it, and one
/// that finds it healthy clears it. A healthy account's step of size 0 goes through.
#[test]
fn a_step_of_size_zero_only_sets_the_clock() {
    let mut world = world();
    let healthy = world.trader_with(6_000).expect("a trader");
    world.open(&healthy, Asset::Sol, 100_000).expect("open");
    world.set_clock(healthy.margin, &[], &[]).expect("healthy");
    assert_eq!(world.auction_started(&healthy.margin), 0);

    let trader = fallen(&mut world);
    let liquidator = rich(&mut world);
    let legs = world.row(&trader.margin);
    world
        .take(&liquidator, trader.margin, SOL, 0)
        .expect("size 0");
    let started = world.auction_started(&trader.margin);
    assert_eq!(started, live_time(&world));
    world.live(FALLEN, 40).expect("prices");
    world.set_clock(trader.margin, &[], &[]).expect("later");
    assert_eq!(world.auction_started(&trader.margin), started);
    assert_eq!(live_time(&world), started + 40);
    assert_eq!(world.row(&trader.margin), legs);

    world
        .deposit(&trader, Asset::Usdc, 5_000_000_000)
        .expect("deposit");
    world.set_clock(trader.margin, &[], &[]).expect("cleared");
    assert_eq!(world.auction_started(&trader.margin), 0);
    check_books(&world, &[&healthy, &trader, &liquidator]);
}

/// 8.4: silence does not count. Ten minutes in which no price came are none of the auction's; and a
/// minute at most of any gap is.
#[test]
fn the_clock_runs_only_while_prices_come() {
    let mut world = world();
    let trader = fallen(&mut world);
    world.set_clock(trader.margin, &[], &[]).expect("started");
    let started = world.auction_started(&trader.margin);
    world.vm.pass(3_600);
    world.set_prices(FALLEN).expect("prices");
    assert_eq!(live_time(&world), started + 60);
}

/// What a step of 10 SOL costs after so much live time of auction: taken in another copy of the world.
fn penalty_after(live_s: u64) -> i64 {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = rich(&mut world);
    world.set_clock(trader.margin, &[], &[]).expect("started");
    world.live(FALLEN, live_s).expect("prices");
    let before = world.row(&trader.margin).position(market(Asset::Sol)).1;
    world
        .take(&liquidator, trader.margin, SOL, 10_000)
        .expect("a step");
    let after = world.row(&trader.margin).position(market(Asset::Sol)).1;
    // 10 SOL at $129, less the penalty.
    1_290_000_000 - (after - before)
}

/// 8.1: the penalty rises with live time from the group's to 5% and stays there.
#[test]
fn the_penalty_rises_with_the_auction() {
    let start = world().with_book(|book| i64::from(book.liquidation_fee));
    let start = start.expect("a book");
    let at = |ppm: i64| 1_290 * ppm;
    assert_eq!(penalty_after(0), at(start));
    assert_eq!(
        penalty_after(PENALTY_PERIOD_S / 2),
        at((start + 50_000) / 2)
    );
    assert_eq!(penalty_after(PENALTY_PERIOD_S), at(50_000));
    assert_eq!(penalty_after(2 * PENALTY_PERIOD_S), at(50_000));
}

/// 8.4. The hole: the first price after an outage may be a wick, or the fall of an hour at once. It
/// liquidates nobody; the second may. An auction that runs already needs none.
#[test]
fn after_an_outage_the_first_step_needs_two_prints() {
    let mut world = world();
    let trader = world.trader_with(6_000).expect("a trader");
    let other = world.trader_with(6_000).expect("another");
    for trader in [&trader, &other] {
        world.open(trader, Asset::Sol, 200_000).expect("open");
    }
    let liquidator = rich(&mut world);
    reprice(&mut world, FALLEN);
    world.set_clock(other.margin, &[], &[]).expect("it runs");

    world.vm.pass(61);
    world.set_prices(FALLEN).expect("one print");
    for refused in [
        world.take(&liquidator, trader.margin, SOL, 1_000),
        world.set_clock(trader.margin, &[], &[]),
        world.take_over(&liquidator, trader.margin, 10_000, &[], &[]),
    ] {
        expect_error(refused, KeelError::TooFewPrints);
    }
    world
        .take(&liquidator, other.margin, SOL, 1_000)
        .expect("its auction runs");
    world.relay(&[Asset::Sol]).expect("the same price");
    expect_error(
        world.take(&liquidator, trader.margin, SOL, 1_000),
        KeelError::TooFewPrints,
    );
    world.vm.pass(1);
    world.set_prices(FALLEN).expect("two");
    world
        .take(&liquidator, trader.margin, SOL, 1_000)
        .expect("a step");
}

/// 8.4: so it is when the cluster was restarted, however short the silence: before any price since, and
/// after one.
#[test]
fn after_a_restart_the_first_step_needs_two_prints() {
    let mut world = world();
    let trader = fallen(&mut world);
    world.vm.restart(7);
    for _ in 0..2 {
        expect_error(
            world.set_clock(trader.margin, &[], &[]),
            KeelError::TooFewPrints,
        );
        world.vm.pass(1);
        world.set_prices(FALLEN).expect("a print");
    }
    world.set_clock(trader.margin, &[], &[]).expect("two");
    // The same restart is not one anew.
    world.vm.pass(1);
    world.set_prices(FALLEN).expect("a print");
    assert_eq!(world.with_book(|book| book.restart_slot), Some(7));
    assert!(world.auction_started(&trader.margin) > 0);
}

/// 2.8, 8.4: an asset that the account does not hold owes it no prints.
#[test]
fn assets_that_are_not_held_owe_no_prints() {
    let mut world = world();
    let trader = fallen(&mut world);
    world.vm.pass(100);
    for _ in 0..2 {
        world.vm.pass(1);
        post(&mut world, Asset::Sol, 129.0);
        world.relay(&[Asset::Sol]).expect("a print");
    }
    let seen = world.with_book(|book| Asset::ALL.map(|asset| book.prints_of(asset as u8).0));
    assert_eq!(seen, Some([0, 2, 0, 0]));
    world
        .set_clock(trader.margin, &[], &[])
        .expect("two of SOL");
}

fn post(world: &mut World, asset: Asset, usd: f64) {
    let (price, now) = ((usd * 1e8) as i64, world.vm.now());
    let update = PriceUpdate::of(world.feed(asset), price, price.unsigned_abs() / 2_000, now);
    world.post(asset, &update);
}

/// 2.6, 2.8. The hole: somebody keeps five dollars of a token whose feed sleeps, so that no step may
/// judge him. He is judged with it in his favour; only its own legs wait. After an outage, too: the
/// sleeping feed owes no prints.
#[test]
fn five_dollars_of_a_sleeping_feed_do_not_make_an_account_unliquidatable() {
    let mut world = world();
    let trader = world.trader_with(6_000).expect("a trader");
    world
        .deposit(&trader, Asset::Eth, 147_059)
        .expect("five dollars");
    world.open(&trader, Asset::Sol, 200_000).expect("open");
    let liquidator = rich(&mut world);
    world
        .deposit(&liquidator, Asset::Sol, 1_000_000_000)
        .expect("SOL to borrow");
    world.owe(&trader, Asset::Sol, 10_000_000);
    // ETH's feed stops; SOL's falls after an outage.
    world.vm.pass(4_000);
    for usd in [140.0, 129.0, 129.0, 129.0] {
        world.vm.pass(3);
        for (asset, usd) in [(Asset::Usdc, 1.0), (Asset::Sol, usd)] {
            post(&mut world, asset, usd);
        }
        world
            .relay(&[Asset::Usdc, Asset::Sol])
            .expect("awake feeds");
    }
    let collateral = TakenLeg::Borrow {
        deposit: world.token(Asset::Eth).mint,
        borrow: world.token(Asset::Sol).mint,
    };
    world
        .take(&liquidator, trader.margin, SOL, 10_000)
        .expect("SOL's leg");
    assert!(world.auction_started(&trader.margin) > 0);
    expect_error(
        world.take(&liquidator, trader.margin, collateral, 1),
        KeelError::PriceUnfit,
    );
    // A share of everything is a share of that too.
    expect_error(
        world.take_over(&liquidator, trader.margin, 10_000, &[], &[]),
        KeelError::PriceUnfit,
    );
    check_books(&world, &[&trader, &liquidator]);
}

/// 2.5. The hole: whoever is to be liquidated posts every print of a crash himself, each a jump beyond
/// the last, so that none ever takes effect. The first that was seen counts; two seconds later the fall
/// is confirmed, and he is taken.
#[test]
fn a_jump_held_pending_by_posting() {
    let mut world = world();
    let trader = world.trader_with(6_000).expect("a trader");
    world.open(&trader, Asset::Sol, 200_000).expect("open");
    let liquidator = rich(&mut world);
    world.vm.pass(1);
    let mut posted = Vec::new();
    for usd in [125.0, 118.0, 129.0, 121.0] {
        post(&mut world, Asset::Sol, usd);
        world.relay(&[Asset::Sol]).expect("a print");
        let taken = world.take(&liquidator, trader.margin, SOL, 1_000);
        posted.push(taken.is_ok());
        if taken.is_ok() {
            break;
        }
        expect_error(taken, KeelError::NotLiquidatable);
        world.vm.pass(1);
    }
    assert_eq!(posted, [false, false, true]);
    // At the nearest of the prices seen, not at the lowest.
    assert_eq!(world.lot_price(Asset::Sol).0 >> 16, 129_000);
}

/// The clause's own words: an auction whose discount has grown for half an hour ends with the first
/// step that finds the account healthy, and the next fall begins with none. The hole: an account that
/// recovered is taken over at a fifth off at the first dip.
#[test]
fn an_auction_at_its_deepest_discount_ends_when_the_account_is_healthy_again() {
    let mut world = world();
    let trader = fallen(&mut world);
    let bidder = rich(&mut world);
    world.set_clock(trader.margin, &[], &[]).expect("started");
    world.live(FALLEN, 1_800).expect("prices");
    let deepest = paid(&mut world, &bidder, &trader, 1_000);
    assert_eq!(deepest, 800_000);

    world.move_prices(PRICES).expect("recovered");
    world.set_clock(trader.margin, &[], &[]).expect("healthy");
    assert_eq!(world.auction_started(&trader.margin), 0);
    world.move_prices(FALLEN).expect("fallen again");
    assert!(world.health(&trader) < 0);
    let anew = paid(&mut world, &bidder, &trader, 1_000);
    assert_eq!(anew, 1_000_000);
}

/// What a bidder pays for a share, over what it is worth, ppm, to the thousand.
fn paid(world: &mut World, bidder: &Trader, of: &Trader, share: u32) -> i64 {
    let before = (world.value(of), world.value(bidder));
    world
        .take_over(bidder, of.margin, share, &[], &[])
        .expect("a bid");
    let (lost, won) = (before.0 - world.value(of), world.value(bidder) - before.1);
    assert!((lost - won).abs() <= 4, "{lost} {won}");
    let worth = before.0 * i64::from(share) / 1_000_000;
    let rate = (worth - won) * 1_000_000 / worth;
    (rate + 500) / 1_000 * 1_000
}

/// 8.4: a step that ends the liquidation clears the clock itself.
#[test]
fn the_step_that_ends_it_clears_the_clock() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = rich(&mut world);
    world
        .take(&liquidator, trader.margin, SOL, 1_000)
        .expect("a part");
    assert!(world.auction_started(&trader.margin) > 0);
    world
        .take(&liquidator, trader.margin, SOL, u64::MAX)
        .expect("the rest");
    assert!(world.health(&trader) >= 0);
    assert_eq!(world.auction_started(&trader.margin), 0);
}

/// An account that owes SOL and lost in BTC more than it has, and who lent it the SOL.
fn broke(world: &mut World) -> (Trader, Trader) {
    let lender = world.trader_with(10).expect("a lender");
    world
        .deposit(&lender, Asset::Sol, 1_000_000_000_000)
        .expect("SOL");
    let trader = world.trader_with(7_000).expect("a trader");
    world.open(&trader, Asset::Btc, 50_000).expect("open");
    world.owe(&trader, Asset::Sol, 1_000_000_000);
    world.lose(&trader, market(Asset::Btc), 300_000_000_000);
    (trader, lender)
}

/// 8.6: the deficit stops the bank that is owed and the market that lost, for two hours from the first
/// finding. The holes: other banks and markets, and a second stop by the same account.
#[test]
fn a_deficit_stops_what_it_may_fall_on_for_two_hours_once() {
    let mut world = world();
    let (trader, _) = broke(&mut world);
    let banks = [Asset::Usdc, Asset::Sol];
    let markets = [Asset::Btc, Asset::Eth];
    let halts = |world: &World| {
        let of_banks = banks.map(|asset| world.bank(asset).halted_until);
        (
            of_banks,
            markets.map(|asset| world.market(asset).halted_until),
        )
    };
    world
        .set_clock(trader.margin, &banks, &markets)
        .expect("a finding");
    let (found, until) = (world.vm.now(), world.vm.now() + MAX_HALT_S);
    assert_eq!(world.margin_account(&trader.margin).deficit_found_at, found);
    assert_eq!(halts(&world), ([0, until], [until, 0]));

    for _ in 0..2 {
        world.live(PRICES, 3_000).expect("prices");
        world
            .set_clock(trader.margin, &banks, &markets)
            .expect("again");
        assert_eq!(halts(&world), ([0, until], [until, 0]));
    }
    world.live(PRICES, 3_000).expect("prices");
    world
        .set_clock(trader.margin, &banks, &markets)
        .expect("later");
    assert_eq!(halts(&world), ([0, until], [until, 0]));
    assert_eq!(world.margin_account(&trader.margin).deficit_found_at, found);
}

/// 8.6: a step that takes something finds it too; one that finds equity stops nothing.
#[test]
fn any_step_finds_a_deficit_and_equity_stops_nothing() {
    let mut world = world();
    let (trader, lender) = broke(&mut world);
    let sound = fallen(&mut world);
    let liquidator = rich(&mut world);
    world
        .take(&liquidator, sound.margin, SOL, 1_000)
        .expect("a step");
    assert_eq!(world.market(Asset::Sol).halted_until, 0);
    assert_eq!(world.margin_account(&sound.margin).deficit_found_at, 0);

    let btc = TakenLeg::Position {
        market: market(Asset::Btc),
    };
    world
        .take(&liquidator, trader.margin, btc, 1_000)
        .expect("a step");
    let until = world.vm.now() + MAX_HALT_S;
    assert_eq!(world.market(Asset::Btc).halted_until, until);
    check_books(&world, &[&trader, &lender, &sound, &liquidator]);
}

/// I13: what is set twice stands as it stood.
#[test]
fn setting_the_clock_twice_changes_nothing() {
    let mut world = world();
    let trader = fallen(&mut world);
    let signer = world.admin.insecure_clone();
    let mint = world.token(Asset::Sol).mint;
    let clock = instruction::set_auction_clock(
        &world.keys,
        solana_signer::Signer::pubkey(&signer),
        trader.margin,
        &[mint],
        &[market(Asset::Sol)],
    );
    world
        .vm
        .fund(solana_signer::Signer::pubkey(&signer), 1_000_000_000);
    world.send(clock.clone(), &[&signer]).expect("once");
    let after: Vec<_> = clock
        .accounts
        .iter()
        .map(|meta| world.data(&meta.pubkey))
        .collect();
    world.send(clock.clone(), &[&signer]).expect("twice");
    let again: Vec<_> = clock
        .accounts
        .iter()
        .map(|meta| world.data(&meta.pubkey))
        .collect();
    assert!(after == again);
}
