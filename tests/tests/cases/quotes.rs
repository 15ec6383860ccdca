//! What a pool asks and who gets it, in the VM (margin-spec 3.4, 7.1, 7.2, 10.1): the standard terms,
//! SOL at $150 with 5 bp of confidence, so that half a spread is 325 ppm at a fresh price.

use keel::errors::KeelError;
use keel_migrations::GroupConfig;
use keel_sdk::instruction::{self, TradeKeys};
use keel_sdk::{AssetChoice, Instruction};
use keel_tests::{Asset, Trader, World, expect_error, market};

use crate::trading::{PRICES, check_books};

/// The standard group, changed, at [`PRICES`], with five million of liquidity.
pub fn standard(change: impl FnOnce(&mut GroupConfig)) -> World {
    let mut world = World::with(change).expect("a world");
    world.vm.pass(1);
    world.set_prices(PRICES).expect("prices");
    world.provide(5_000_000).expect("liquidity");
    world
}

fn rich(world: &mut World) -> Trader {
    world.trader_with(1_000_000).expect("a trader")
}

fn position(world: &World, trader: &Trader) -> (i64, i64) {
    world.row(&trader.margin).position(market(Asset::Sol))
}

/// An order that names the trader's referrer.
fn referred(world: &World, trader: &Trader, referrer: &Trader, markets: Vec<u8>) -> Instruction {
    let keys = TradeKeys {
        authority: trader.owner(),
        margin: trader.margin,
        pool: world.pool,
        referrer: Some(referrer.margin),
        markets,
    };
    let sizes = vec![100_000; keys.markets.len()];
    instruction::open_position(&world.keys, &keys, world.order(&sizes))
}

/// 10.1 by hand: buying 1,000,000 lots of $0.15 from a skew of nothing costs 10^12 / (2 * 10^11) = 5
/// lots more, $0.75; selling them earns it back.
#[test]
fn a_premium_moves_with_skew_and_comes_back() {
    let mut world = standard(|_| {});
    let trader = rich(&mut world);
    world.open(&trader, Asset::Sol, 1_000_000).expect("buy");
    let paid = 150_048_750_000 + 750_000;
    let fee = 75_024_750;
    assert_eq!(position(&world, &trader), (1_000_000, -paid - fee));
    let ledger = world.market(Asset::Sol);
    assert_eq!((ledger.skew, ledger.impact_paid), (1_000_000, 750_000));
    // 200 ppm of the amount went to the pool, the rest of the fee to the market.
    let pool = world.row(&world.pool_margin()).position(0);
    assert_eq!(pool, (-1_000_000, paid + 30_009_900));
    assert_eq!(ledger.fees, fee - 30_009_900);

    world.close(&trader, Asset::Sol, -1_000_000).expect("sell");
    let got = 149_951_250_000 + 750_000;
    let fee_back = 74_976_000;
    let ledger = world.market(Asset::Sol);
    assert_eq!((ledger.skew, ledger.impact_paid), (0, 0));
    assert_eq!(position(&world, &trader), (0, got - fee_back - paid - fee));
    check_books(&world, &[&trader]);
}

/// 10.1: what another paid is earned by who reduces skew, and no more than was paid.
#[test]
fn who_reduces_skew_earns_no_more_than_was_paid() {
    let mut world = standard(|_| {});
    let (long, short) = (rich(&mut world), rich(&mut world));
    world.open(&long, Asset::Sol, 1_000_000).expect("buy");
    world.edit_market(Asset::Sol, |market| market.impact_paid = 1_000);
    world.open(&short, Asset::Sol, -1_000_000).expect("sell");
    let got = 149_951_250_000 + 1_000;
    assert_eq!(position(&world, &short), (-1_000_000, got - 74_975_626));
    assert_eq!(world.market(Asset::Sol).impact_paid, 0);
    check_books(&world, &[&long, &short]);
}

/// 7.2: the skew that funding integrates is what traders hold net, lot for lot and second for second.
#[test]
fn skew_is_what_traders_hold_net_and_its_time_counts() {
    let mut world = standard(|_| {});
    let (long, short) = (rich(&mut world), rich(&mut world));
    world.open(&long, Asset::Sol, 500_000).expect("buy");
    let since = world.vm.now();
    world.vm.pass(7);
    world.set_prices(PRICES).expect("prices");
    world.open(&short, Asset::Sol, -200_000).expect("sell");
    let elapsed = (world.vm.now() - since) as u64;
    let ledger = world.market(Asset::Sol);
    assert_eq!(ledger.skew, 300_000);
    assert_eq!(ledger.skew_integral, [500_000 * elapsed, 0]);
    let pool = world.row(&world.pool_margin()).position(0);
    assert_eq!(pool.0, -ledger.skew);
}

/// 10.1: five seconds of SOL's variance, once, are added to half the spread.
#[test]
fn an_old_price_costs_what_it_may_have_moved() {
    let mut world = standard(|_| {});
    let trader = rich(&mut world);
    let variance = world.with_book(|book| book.assets[1].variance);
    let sigma = (variance.expect("a book") as f64 / (1u64 << 40) as f64).sqrt();
    let moved = (sigma * (5.0f64 / 31_536_000.0).sqrt() * 1e6).ceil() as i64;
    assert!(moved > 100, "{moved}");
    world.vm.pass(5);
    world.open(&trader, Asset::Sol, 1_000).expect("buy");
    let paid = 150_000_000 + 150 * (325 + moved);
    let (_, quote) = position(&world, &trader);
    let fee = (paid as u64 * 500).div_ceil(1_000_000) as i64;
    // The premium of so small an order is below an atom, hence one.
    let most = paid + fee + 1;
    assert!(
        (most - 160..=most + 160).contains(&-quote),
        "{quote} {most}"
    );
}

/// I2: a referrer named by the margin account gets his share, to the atom; not named, the market
/// keeps it; nobody else gets it.
#[test]
fn a_referrer_gets_his_share_of_the_fee() {
    let mut world = standard(|_| {});
    let (referrer, other) = (rich(&mut world), rich(&mut world));
    let owner = rich(&mut world);
    let trader = world
        .account_with(&owner.key, 1, None, Some(referrer.margin))
        .expect("a referred account");
    world
        .deposit(&trader, Asset::Usdc, 100_000_000_000)
        .expect("collateral");
    let order = referred(&world, &trader, &referrer, vec![0]);
    world.send(order, &[&trader.key]).expect("a referred order");
    // 100,000 lots and half a spread, the premium 7,500 atoms, the fee 500 ppm of it, a tenth.
    let fee = (15_004_875_000u64 + 7_500).div_ceil(2_000);
    assert_eq!(position(&world, &referrer), (0, (fee / 10) as i64));
    let ledger = world.market(Asset::Sol);
    let maker = 15_004_882_500 / 5_000;
    assert_eq!(ledger.fees, (fee - fee / 10) as i64 - maker);
    check_books(&world, &[&trader, &referrer, &owner, &other]);

    world
        .open(&trader, Asset::Sol, 100_000)
        .expect("nobody named");
    assert_eq!(position(&world, &referrer), (0, (fee / 10) as i64));
    let order = referred(&world, &trader, &other, vec![0]);
    expect_error(world.send(order, &[&trader.key]), KeelError::WrongReferrer);
    let order = referred(&world, &owner, &referrer, vec![0]);
    expect_error(world.send(order, &[&owner.key]), KeelError::WrongReferrer);
    // The pool's own account refers nobody, whatever a margin account says.
    let pool = world.pool_margin();
    world.edit_margin(trader.margin, |account| account.referrer = pool);
    let mut order = referred(&world, &trader, &referrer, vec![0]);
    order.accounts[5].pubkey = pool;
    expect_error(world.send(order, &[&trader.key]), KeelError::SameAccount);
}

/// 7.1, 7.3: with funding due for over an hour exposure does not grow; it shrinks, and a market where
/// nothing is due never ages.
#[test]
fn exposure_does_not_grow_on_funding_an_hour_old() {
    let mut world = standard(|_| {});
    let trader = rich(&mut world);
    world.open(&trader, Asset::Sol, 1_000_000).expect("a skew");
    for _ in 0..61 {
        world.vm.pass(60);
        world.set_prices(PRICES).expect("prices");
    }
    expect_error(
        world.open(&trader, Asset::Sol, 1_000),
        KeelError::AccrualTooOld,
    );
    world
        .open(&trader, Asset::Btc, 1_000)
        .expect("no skew there");
    world.close(&trader, Asset::Sol, -1_000).expect("an exit");
    world.accrue(&[], &[Asset::Sol]).expect("accrued");
    world.open(&trader, Asset::Sol, 1_000).expect("an hour");
}

/// 7.2: hour by hour the crowded side pays, by its lots, what the other side gets; who closes has paid
/// it, whoever else closes too, and an hour's accrual keeps the market open.
#[test]
fn funding_flows_over_hours_to_who_trades() {
    let mut world = standard(|_| {});
    let (long, short) = (rich(&mut world), rich(&mut world));
    world.open(&long, Asset::Sol, 8_000_000).expect("long");
    world.open(&short, Asset::Sol, -2_000_000).expect("short");
    let pool = world.pool_margin();
    let accounts = [long.margin, short.margin, pool];
    let worth = |world: &mut World| accounts.map(|margin| world.worth(margin).expect("worth"));
    let mut before = worth(&mut world);
    let mut steps = vec![];
    for _ in 0..3 {
        for _ in 0..60 {
            world.vm.pass(60);
            world.set_prices(PRICES).expect("prices");
        }
        world.accrue_all().expect("accrued");
        let after = worth(&mut world);
        let [paid, got, pools] = [0, 1, 2].map(|who| after[who] - before[who]);
        assert!(paid < 0 && got > 0 && pools > 0, "{paid} {got} {pools}");
        // To the atoms that floors keep.
        assert!(
            (-3..=0).contains(&(paid + got + pools)),
            "{paid} {got} {pools}"
        );
        assert!((paid / 4 + got).abs() <= 1, "{paid} {got}");
        steps.push(paid);
        before = after;
    }
    // The rate itself rises while the skew stands: 1, 3, 5 halves of an hour's.
    assert!(steps[1] < 2 * steps[0] && steps[2] < steps[1], "{steps:?}");
    world
        .open(&short, Asset::Sol, -1_000)
        .expect("an hour is young");
    world.close(&long, Asset::Sol, -8_000_000).expect("closed");
    world.close(&short, Asset::Sol, 2_001_000).expect("closed");
    assert_eq!(world.market(Asset::Sol).skew, 0);
    assert_eq!(world.conservation().expect("conservation").1, 0);
    check_books(&world, &[&long, &short]);
}

/// 8.6, 3.4: a market without insurance does not open where a multiple of it is the limit; with $2,000
/// fifty times that.
#[test]
fn a_market_grows_to_fifty_times_its_insurance() {
    let mut world = standard(|config| {
        (
            config.markets[0].insurance_multiple,
            config.markets[0].insurance,
        ) = (50, 0);
    });
    let trader = rich(&mut world);
    expect_error(
        world.open(&trader, Asset::Sol, 1_000),
        KeelError::OpenInterestCap,
    );
    world.edit_market(Asset::Sol, |market| {
        (market.insurance, market.fees) = (2_000_000_000, -2_000_000_000);
    });
    expect_error(
        world.open(&trader, Asset::Sol, 666_667),
        KeelError::OpenInterestCap,
    );
    world
        .open(&trader, Asset::Sol, 666_666)
        .expect("$99,999.90");
}

/// 3.4: many accounts of one owner are each charged as if small; the market's ten depths limit them
/// together.
#[test]
fn concentration_evaded_by_sub_accounts_meets_the_markets_cap() {
    let mut world = standard(|config| config.tokens[1].asset.depth = 10_000_000_000);
    let owner = rich(&mut world);
    let mut accounts = vec![];
    for sub_id in 1..=3 {
        let account = world.sub_account(&owner.key, sub_id).expect("an account");
        world
            .deposit(&account, Asset::Usdc, 100_000_000_000)
            .expect("collateral");
        accounts.push(account);
    }
    world
        .open(&accounts[0], Asset::Sol, 300_000)
        .expect("$45,000");
    world
        .open(&accounts[1], Asset::Sol, 300_000)
        .expect("$90,000");
    expect_error(
        world.open(&accounts[2], Asset::Sol, 66_667),
        KeelError::OpenInterestCap,
    );
    world
        .open(&accounts[2], Asset::Sol, 66_666)
        .expect("ten depths");
}

/// A market is not listed whose premium could shut exits: at the cap it may be an eighth of the range's
/// floor.
#[test]
fn a_premium_that_would_shut_exits_is_not_listed() {
    let mut world = World::new().expect("a world");
    let mut args = world.market_args(3, AssetChoice::Listed(1));
    // SOL's floor is 5%: 160 caps.
    (args.open_interest_cap, args.skew_scale) = (1_000, 159_999);
    expect_error(world.list_market(args), KeelError::PremiumTooSteep);
    args.skew_scale = 160_000;
    world.list_market(args).expect("listed");
}

/// 1.6: the program's slots are full at 16 markets: the next order is refused, the account is judged
/// and closes as before. And those whom he referred fill no more than half of a referrer's slots.
#[test]
fn position_count_exhaustion() {
    let mut world = standard(|_| {});
    for index in 3..18 {
        let mut args = world.market_args(index, AssetChoice::Listed(1));
        args.referral_share = 100_000;
        world.list_market(args).expect("listed");
    }
    let referrer = rich(&mut world);
    let owner = rich(&mut world);
    let trader = world
        .account_with(&owner.key, 1, None, Some(referrer.margin))
        .expect("a referred account");
    world
        .deposit(&trader, Asset::Usdc, 1_000_000_000_000)
        .expect("collateral");
    for markets in [(0..8).collect(), (8..16).collect()] {
        let order = referred(&world, &trader, &referrer, markets);
        world.send(order, &[&trader.key]).expect("eight markets");
    }
    let order = referred(&world, &trader, &referrer, vec![16]);
    expect_error(
        world.send(order, &[&trader.key]),
        KeelError::NoFreePositionSlot,
    );
    assert_eq!(world.row(&trader.margin).positions.len(), 16);
    assert_eq!(world.row(&referrer.margin).positions.len(), 8);
    world.report(trader.margin).expect("judged");
    world.close(&trader, Asset::Sol, -100_000).expect("an exit");
    let books = keel_tests::Places::of(&world, &[trader.margin, referrer.margin, owner.margin]);
    assert!(!books.margins.is_empty());
    assert_eq!(world.conservation().expect("conservation").1, 0);
}
