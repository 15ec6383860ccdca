//! Jumps, the quote's peg and ranges that follow the market, on the compiled program (margin-spec
//! 2.2, 2.5, 2.7, 3.1, 3.2; I10, I13). SOL starts at $150 and jumps beyond 10%.

use keel::errors::KeelError;
use keel_migrations::GroupConfig;
use keel_risk::{Book, Frac40, RangeTerms, Reading, Tier, target_range};
use keel_sdk::{PriceSlot, Snapshot, SourceArgs, instruction};
use keel_state::{AssetEntry, RiskBook, SourceKind};
use keel_tests::{Asset, Failure, PriceUpdate, Sent, Trader, World, expect_error, keypair};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solana_signer::Signer;

use crate::prices::{SECOND_ACCOUNT, SECOND_RECEIVER, quality_of_sol, sol};
use crate::trading::{PRICES, world, world_with};

const E8: i64 = 100_000_000;

/// SOL at `usd` dollars, published `ago_s` before now.
fn print(world: &World, usd: i64, ago_s: i64) -> PriceUpdate {
    let conf = (usd * E8 / 2_000).unsigned_abs();
    PriceUpdate::of(
        world.feed(Asset::Sol),
        usd * E8,
        conf,
        world.vm.now() - ago_s,
    )
}

/// Relays it through the first source.
fn first(world: &mut World, usd: i64, ago_s: i64) {
    let update = print(world, usd, ago_s);
    world.post(Asset::Sol, &update);
    world.relay(&[Asset::Sol]).expect("a print");
}

/// Relays it through the second source.
fn second(world: &mut World, usd: i64, ago_s: i64) {
    relay_second(world, usd, ago_s).expect("a print");
}

fn relay_second(world: &mut World, usd: i64, ago_s: i64) -> Result<Sent, Failure> {
    let address = keypair(SECOND_ACCOUNT).pubkey();
    let bytes = print(world, usd, ago_s).to_bytes();
    world
        .vm
        .set_account(address, keel_tests::account(SECOND_RECEIVER, bytes));
    let slot = PriceSlot {
        asset: Asset::Sol as u8,
        source: 1,
    };
    let relay = instruction::update_prices(&world.keys, &[(slot, address)], false);
    world.send(relay, &[])
}

fn two_sources(config: &mut GroupConfig) {
    let sources = &mut config.tokens[Asset::Sol as usize].asset.sources;
    sources[1] = SourceArgs {
        owner: SECOND_RECEIVER,
        ..sources[0]
    };
}

/// The published price in dollars.
fn price(world: &World) -> u64 {
    (sol(world).lot_price >> sol(world).lot_shift) / 1_000
}

/// What waits, in dollars.
fn waits(world: &World) -> Option<i64> {
    let pending = sol(world).pending()?;
    Some(pending.reading.price / E8)
}

/// 200 SOL on $6,000: liquidatable below $133. With its liquidator.
fn long(world: &mut World) -> (Trader, Trader) {
    let trader = world.trader_with(6_000).expect("a trader");
    world.open(&trader, Asset::Sol, 200_000).expect("open");
    let liquidator = world.trader_with(1_000_000).expect("a liquidator");
    (trader, liquidator)
}

fn liquidate(world: &mut World, whom: &Trader, by: &Trader) -> Result<Sent, Failure> {
    world.liquidate(by, whom.margin, Asset::Sol, u64::MAX)
}

/// 2.5: a wick below the liquidation price, printed as often as its author likes within two seconds:
/// nobody is taken while it waits, and the next sound print forgets it.
#[test]
fn a_wick_liquidates_nobody() {
    let mut world = world();
    let (trader, liquidator) = long(&mut world);
    world.vm.pass(10);
    for (usd, ago_s) in [(90, 1), (100, 0), (100, 0), (60, 0)] {
        first(&mut world, usd, ago_s);
        assert_eq!(price(&world), 150);
        assert_eq!(quality_of_sol(&world).0, Tier::Diverged);
        let report = world.report(trader.margin).expect("a report");
        assert!(report.health_maintenance() > 0, "at the stored price");
        // Judged at the bounds that favour the account, which span the stored price.
        let taken = liquidate(&mut world, &trader, &liquidator);
        expect_error(taken, KeelError::NotLiquidatable);
    }
    world.vm.pass(1);
    first(&mut world, 149, 0);
    assert_eq!((price(&world), waits(&world)), (149, None));
    assert_eq!(quality_of_sol(&world).0, Tier::Ok);
    let taken = liquidate(&mut world, &trader, &liquidator);
    expect_error(taken, KeelError::NotLiquidatable);
}

/// 2.5: while a jump waits, Initial values a long as if it had happened: nothing leaves on a price
/// that may be gone.
#[test]
fn what_waits_counts_in_initial_at_once() {
    let mut world = world();
    let (trader, _) = long(&mut world);
    world.vm.pass(1);
    first(&mut world, 149, 0);
    let before = world.report(trader.margin).expect("a report");
    world.vm.pass(1);
    first(&mut world, 120, 0);
    let after = world.report(trader.margin).expect("a report");
    assert_eq!(after.health_maintenance(), before.health_maintenance());
    let fell = before.health_initial() - after.health_initial();
    // 200 SOL fall by $29 and the pending print's band.
    assert!((5_750_000_000..5_850_000_000).contains(&fell), "{fell}");
}

/// 2.5: a crash cannot be held off by posting: deeper prints, shallower ones and the same one again
/// leave `first_seen` where it was, and two seconds after it the next print makes the price.
#[test]
fn a_crash_cannot_be_held_off_by_posting() {
    let mut world = world();
    let (trader, liquidator) = long(&mut world);
    world.vm.pass(10);
    first(&mut world, 120, 0);
    let seen = world.vm.now();
    world.vm.pass(1);
    for usd in [60, 125, 40] {
        first(&mut world, usd, 0);
        first(&mut world, usd, 0);
    }
    assert_eq!(sol(&world).pending_first_seen, seen);
    assert_eq!((price(&world), waits(&world)), (150, Some(120)));
    world.vm.pass(1);
    first(&mut world, 122, 0);
    assert_eq!((price(&world), waits(&world)), (122, None));
    assert_eq!(sol(&world).publish_time, seen + 2);
    assert_eq!(quality_of_sol(&world), (Tier::Ok, 0));
    liquidate(&mut world, &trader, &liquidator).expect("a step");
}

/// 2.5, 2.2: neither attack works through the other source. One print posted through both confirms
/// nothing, and a print held back from before the crash cancels nothing.
#[test]
fn two_sources_neither_confirm_a_wick_nor_hold_off_a_crash() {
    let mut world = world_with(two_sources);
    let (trader, liquidator) = long(&mut world);
    world.vm.pass(10);
    // The same second through both, in either order, and what came before.
    first(&mut world, 100, 0);
    second(&mut world, 100, 4);
    second(&mut world, 100, 0);
    assert_eq!((price(&world), waits(&world)), (150, Some(100)));
    assert_eq!(sol(&world).pending_first_seen, world.vm.now());
    let taken = liquidate(&mut world, &trader, &liquidator);
    expect_error(taken, KeelError::NotLiquidatable);
    // Back at the old price: forgotten, though the sources disagree for as long as they are compared.
    world.vm.pass(1);
    second(&mut world, 150, 0);
    assert_eq!((price(&world), waits(&world)), (150, None));
    assert_eq!(quality_of_sol(&world).0, Tier::Diverged);
    world.vm.pass(4);
    second(&mut world, 150, 0);
    assert_eq!(quality_of_sol(&world).0, Tier::Ok);

    // Now a crash on the first source, and prints of the second from before it.
    world.vm.pass(10);
    first(&mut world, 120, 0);
    let seen = world.vm.now();
    for ago_s in [9, 5, 3, 1] {
        second(&mut world, 150, ago_s);
        assert_eq!((price(&world), waits(&world)), (150, Some(120)));
        assert_eq!(sol(&world).pending_first_seen, seen);
    }
    world.vm.pass(2);
    first(&mut world, 119, 0);
    assert_eq!((price(&world), waits(&world)), (120, None));
    // The second source lags by three seconds and disagrees; later it does not count.
    assert_eq!(quality_of_sol(&world).0, Tier::Diverged);
    world.vm.pass(1);
    first(&mut world, 119, 0);
    assert_eq!(quality_of_sol(&world).0, Tier::Ok);
    liquidate(&mut world, &trader, &liquidator).expect("a step");
}

/// 2.6: a withdrawal's bounds span both sources while both are fresh.
#[test]
fn the_bounds_span_both_sources() {
    let mut world = world_with(two_sources);
    world.vm.pass(10);
    first(&mut world, 150, 0);
    let alone = sol(&world);
    assert_eq!((alone.bound_down, alone.bound_up), (alone.band, alone.band));
    second(&mut world, 135, 1);
    let both = sol(&world);
    let tenth = (1u64 << 40) / 10;
    assert!((tenth..tenth + tenth / 50).contains(&both.bound_down));
    assert_eq!((both.bound_up, both.down), (both.band, alone.down));
    assert_eq!(both.lot_price, alone.lot_price);
}

/// 2.7: beyond 1% every asset is Wide at best and shorts are dearer in Initial; below 0.95, and when
/// its price is stale, no borrow grows; back at 1 all is as before.
#[test]
fn a_quote_off_its_peg_is_wide_for_all() {
    let mut world = world();
    let trader = world.trader_with(50_000).expect("a trader");
    world.open(&trader, Asset::Sol, -100_000).expect("short");
    let peg = |world: &mut World, usd: f64| {
        world.vm.pass(1);
        let [_, sol, btc, eth] = PRICES;
        world.set_prices([usd, sol, btc, eth]).expect("prices");
        let borrows = world.with_book(|book| book.borrows_may_grow(book.last_update));
        let report = world.report(trader.margin).expect("a report");
        (
            quality_of_sol(world).0,
            borrows,
            report.health_initial(),
            report.health_maintenance(),
        )
    };
    let before = peg(&mut world, 0.995);
    assert_eq!((before.0, before.1), (Tier::Ok, Some(true)));
    let off = peg(&mut world, 0.97);
    assert_eq!((off.0, off.1), (Tier::Wide, Some(true)));
    expect_error(
        world.open(&trader, Asset::Sol, -1_000),
        KeelError::PriceUnfit,
    );
    // $15,000 of shorts at upper / (0.97 * (1 - 0.00106)), where upper is the stable price's.
    let upper = 1.0 + sol(&world).up as f64 / (1u64 << 40) as f64;
    let dearer = 15_000e6 * upper * (1.0 / (0.97 * (1.0 - 0.00106)) - 1.0);
    let fell = (before.2 - off.2) as f64;
    assert!((fell / dearer - 1.0).abs() < 0.002, "{fell} {dearer}");
    assert_eq!(off.3, before.3);
    let stopped = peg(&mut world, 0.949);
    assert_eq!((stopped.0, stopped.1), (Tier::Wide, Some(false)));
    world
        .close(&trader, Asset::Sol, 1_000)
        .expect("exits stay open");

    let back = peg(&mut world, 1.0);
    assert_eq!((back.0, back.1), (Tier::Ok, Some(true)));
    let stale = world.with_book(|book| book.borrows_may_grow(book.last_update + 61));
    assert_eq!(stale, Some(false));
}

/// 2.7: a quote without a feed stands at 1.
#[test]
fn a_quote_without_a_feed_stands_at_one() {
    let mut world = World::unpriced(|config| {
        config.tokens[0].asset.sources[0].kind = SourceKind::None as u8;
    })
    .expect("a world");
    let rest = &Asset::TRADED;
    for asset in rest {
        let usd = PRICES[*asset as usize];
        let update = PriceUpdate::of(world.feed(*asset), (usd * 1e8) as i64, 0, world.vm.now());
        world.post(*asset, &update);
    }
    world.relay(rest).expect("prices");
    let (tier, borrows) = world
        .with_book(|book| {
            (
                book.assets[0].tier(book.last_update),
                book.borrows_may_grow(book.last_update),
            )
        })
        .expect("a book");
    assert_eq!((tier, borrows), (Tier::Ok, true));
    assert_eq!(quality_of_sol(&world).0, Tier::Ok);
    world.provide(1_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    world.open(&trader, Asset::Sol, 1_000).expect("open");
}

/// 3.1, 3.2: the first sound print after a full hour is a sample; a confirmed jump is one at once. The
/// target follows, `init_factor` covers the way to it, and the range takes hours.
#[test]
fn a_jump_raises_the_target_at_once_and_the_range_over_hours() {
    let mut world = world();
    let listed = sol(&world);
    assert_eq!((listed.range, listed.target), (100_000, 100_000));
    assert_eq!(listed.init_factor_effective, 1_500_000);
    world
        .reprice([1.0, 110.0, 64_000.0, 3_400.0])
        .expect("prices");
    let jumped = sol(&world);
    assert_eq!(jumped.variance_updated, world.vm.now());
    assert!(jumped.variance > 2 * listed.variance);
    let terms = RangeTerms {
        k: keel_risk::Ppm(3_000_000),
        horizon_s: 3_600,
        tau_up_s: 43_200,
        tau_down_s: 864_000,
        floor: keel_risk::Ppm(50_000),
        cap: keel_risk::Ppm(300_000),
    };
    assert_eq!(jumped.target, target_range(jumped.variance, &terms).0);
    assert!(
        jumped.target > 200_000 && jumped.range <= 100_009,
        "{}",
        jumped.range
    );
    let covered = u64::from(jumped.init_factor_effective) * u64::from(jumped.range);
    assert!(covered >= 1_500_000 * u64::from(jumped.target));

    // Four hours of calm, a print every twelve minutes: 1.1^4 at most.
    for _ in 0..20 {
        world.vm.pass(719);
        world
            .reprice([1.0, 110.0, 64_000.0, 3_400.0])
            .expect("prices");
    }
    let later = sol(&world);
    assert!(
        (145_000..=146_420).contains(&later.range),
        "{}",
        later.range
    );
    assert!(later.target < jumped.target && later.variance < jumped.variance);
    assert!(later.variance_updated > jumped.variance_updated);
}

/// I10: whatever is posted, the program's bits are those of the client's own `take_print`.
#[test]
fn the_program_publishes_what_the_client_computes() {
    let mut world = world_with(two_sources);
    let mut random = ChaCha8Rng::seed_from_u64(31);
    let mut native: Box<AssetEntry> = Box::new(sol(&world));
    let (mut samples, mut jumps, mut skipped) = (0, 0, 0);
    let mut usd = 150;
    for _ in 0..400 {
        world.vm.pass(
            *[0, 1, 1, 2, 5, 700]
                .get(random.random_range(0..6usize))
                .unwrap_or(&1),
        );
        usd = match random.random_range(0..10) {
            0 => random.random_range(60..300),
            1 => 150,
            _ => (usd + random.random_range(-3..=3)).clamp(60, 300),
        };
        let (source, ago_s) = (random.random_range(0..2usize), random.random_range(0..4));
        let update = print(&world, usd, ago_s);
        if source == 0 {
            first(&mut world, usd, ago_s);
        } else {
            second(&mut world, usd, ago_s);
        }
        let sampled = native.variance_updated;
        if update.publish_time > native.sources[source].publish_time {
            let reading = Reading {
                price: update.price,
                conf: update.conf,
                expo: update.exponent,
                publish_time: update.publish_time,
            };
            native
                .take_print(source, &reading, world.vm.now())
                .expect("a print");
        } else {
            skipped += 1;
        }
        samples += u32::from(native.variance_updated != sampled);
        jumps += u32::from(native.pending().is_some());
        let program = sol(&world);
        // Prints are counted by the book, not by the asset.
        (native.silence, native.prints) = (program.silence, program.prints);
        assert_eq!(bytemuck::bytes_of(&program), bytemuck::bytes_of(&*native));
    }
    println!("{samples} samples, {jumps} waiting, {skipped} skipped");
    assert!(samples > 20 && jumps > 20 && skipped > 20);
}

/// The engine's view of the book widens a short's distance only while the quote is off its peg.
#[test]
fn the_views_distance_is_the_stored_one_at_par() {
    let world = world();
    let data = world.book_data();
    let snapshot = Snapshot::new(&data, world.vm.now()).expect("a book");
    let book: &RiskBook = snapshot.book();
    let view = snapshot.view();
    for asset in 1..book.assets_len {
        assert_eq!(
            view.asset(asset).up,
            Frac40(book.assets[usize::from(asset)].up)
        );
    }
}
