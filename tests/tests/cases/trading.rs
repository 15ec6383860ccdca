//! Opening and closing against the pool: prices, limits, and what the margin asks for (margin-spec
//! 4, 5, 10). Unless a test says otherwise SOL is at $150, BTC at $64,000 and ETH at $3,400, with
//! 5 bp of confidence: half a spread is then 200 + 25% of 500 = 325 ppm.

use keel::errors::KeelError;
use keel_migrations::GroupConfig;
use keel_sdk::instruction;
use keel_sdk::{AccountMeta, Instruction, OrderArgs, OrderLeg, address};
use keel_tests::{Asset, Failure, Ledger, Places, Sent, Trader, World, expect_error, market};

pub const PRICES: [f64; 4] = [1.0, 150.0, 64_000.0, 3_400.0];

/// Quotes without premium, age and a maker's part, so that figures by hand stay short.
pub fn plain_quotes(config: &mut GroupConfig) {
    for market in &mut config.markets {
        (market.skew_scale, market.age_share, market.maker_fee) = (0, 0, 0);
    }
}

/// A group with these prices, plain quotes and five million of liquidity.
pub fn world_with(change: impl FnOnce(&mut GroupConfig)) -> World {
    let plain = |config: &mut GroupConfig| {
        plain_quotes(config);
        change(config);
    };
    let mut world = World::with(plain).expect("a world");
    world.vm.pass(1);
    world.set_prices(PRICES).expect("prices");
    world.provide(5_000_000).expect("liquidity");
    world
}

pub fn world() -> World {
    world_with(|_| {})
}

/// New prices, a second later, jumps confirmed.
pub fn reprice(world: &mut World, prices: [f64; 4]) {
    world.reprice(prices).expect("prices");
}

/// Sends an order of several legs.
pub fn open_legs(
    world: &mut World,
    trader: &Trader,
    legs: &[(Asset, i64)],
) -> Result<Sent, Failure> {
    let (assets, sizes): (Vec<Asset>, Vec<i64>) = legs.iter().copied().unzip();
    let args = world.order(&sizes);
    send_order(world, trader, &assets, args)
}

fn send_order(
    world: &mut World,
    trader: &Trader,
    assets: &[Asset],
    args: OrderArgs,
) -> Result<Sent, Failure> {
    let keys = world.trade_keys(trader, assets);
    let open = instruction::open_position(&world.keys, &keys, args);
    world.vm.send(&[open], &[&trader.key])
}

/// The books, read from raw bytes, balance.
pub fn check_books(world: &World, traders: &[&Trader]) -> Ledger {
    let margins: Vec<_> = traders.iter().map(|trader| trader.margin).collect();
    let places = Places::of(world, &margins);
    let ledger = Ledger::read(&places, |address| world.data(address));
    ledger.check().expect("books that balance");
    ledger
}

fn position(world: &World, trader: &Trader, asset: Asset) -> (i64, i64) {
    world.row(&trader.margin).position(market(asset))
}

#[test]
fn a_trader_opens_and_closes_and_the_books_balance() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    world.open(&trader, Asset::Sol, 100_000).expect("open");
    let ledger = check_books(&world, &[&trader]);
    assert_eq!(ledger.markets[0].long, 100_000);
    world.close(&trader, Asset::Sol, -100_000).expect("close");
    let ledger = check_books(&world, &[&trader]);
    assert_eq!(ledger.markets[0].long, 0);
    assert_eq!(world.conservation().expect("conservation"), (7, 0));
}

/// 10.1: a buyer pays the mark and half a spread, rounded up; a seller receives it rounded down.
#[test]
fn a_fill_is_at_the_mark_moved_against_the_taker_and_rounded_against_him() {
    let mut world = world();
    reprice(&mut world, [1.0, 156.797_690_99, 64_000.0, 3_400.0]);
    // floor(15,679,769,099e-5 * 2^16) atoms per lot, 16 fractional bits.
    assert_eq!(world.lot_price(Asset::Sol), (MANTISSA, 16));
    let buyer = world.trader_with(1_000).expect("a buyer");
    let seller = world.trader_with(1_000).expect("a seller");
    world.open(&buyer, Asset::Sol, 77).expect("buy");
    world.open(&seller, Asset::Sol, -77).expect("sell");

    // 77 lots are worth 12,073,422.2 atoms. The confidence is a hair above 500 ppm of this price,
    // hence 501, a quarter of it 126, and half a spread 326 ppm; the fee is 500 ppm.
    assert_eq!(
        position(&world, &buyer, Asset::Sol),
        (77, -BOUGHT - BUY_FEE)
    );
    assert_eq!(
        position(&world, &seller, Asset::Sol),
        (-77, SOLD - SELL_FEE)
    );
    let ledger = check_books(&world, &[&buyer, &seller]);
    assert_eq!(ledger.markets[0].fees, BUY_FEE + SELL_FEE);
    assert_eq!(ledger.accounts[0].position(0), (0, BOUGHT - SOLD));
}

const MANTISSA: u64 = 10_275_893_476;
const BOUGHT: i64 = 12_077_359;
const BUY_FEE: i64 = 6_039;
const SOLD: i64 = 12_069_486;
const SELL_FEE: i64 = 6_035;

/// I5: there and back at one price costs exactly both half-spreads and both fees.
#[test]
fn a_round_trip_never_gains() {
    let mut world = world();
    let trader = world.trader_with(1_000).expect("a trader");
    world.open(&trader, Asset::Sol, 1_000).expect("open");
    world.close(&trader, Asset::Sol, -1_000).expect("close");
    let bought = 150_048_750 + 75_025;
    let sold = 149_951_250 - 74_976;
    assert_eq!(position(&world, &trader, Asset::Sol), (0, sold - bought));
}

/// Initial health of an account with only USDC that buys `lots` of SOL at $150, by hand from 4.3,
/// 5.2, 3.3 and 5.3; one asset, so X is its own scan.
fn initial_by_hand(deposit: i128, lots: i128) -> (i128, i128) {
    let up = |value: i128, ppm: i128| (value * ppm + 999_999) / 1_000_000;
    let value = lots * 150_000;
    let paid = up(value, 1_000_325);
    let fee = up(paid, 500);
    // The band reaches 2.12 * 5 bp below the price: 1,060 ppm with 40 fractional bits, ceil.
    let band = ((1_060i128 << 40) + 999_999) / 1_000_000;
    let distance = (value * band + (1 << 40) - 1) >> 40;
    let equity = deposit + value - paid - fee - distance;

    let plain = up(value, 100_000);
    let depth = 5_000_000_000_000;
    let share = ((value << 48) + depth - 1) / depth;
    let multiplied = plain + ((plain * share + (1 << 48) - 1) >> 48);
    let requirement = up(multiplied, 1_500_000) + up(value, 2_500);
    (equity, requirement)
}

/// I6, 5.7: to the lot, with the requirement worked out by hand.
#[test]
fn opening_needs_initial_to_the_lot() {
    let mut world = world();
    let deposit = 1_000_000_000;
    let fits = |lots: &i128| {
        let (equity, requirement) = initial_by_hand(deposit, *lots);
        equity >= requirement
    };
    let most = (1..100_000).take_while(fits).last().expect("some size") as i64;
    assert!((42_000..44_000).contains(&most), "{most}");

    let trader = world.trader_with(1_000).expect("a trader");
    let before = world.data(&trader.margin);
    expect_error(
        world.open(&trader, Asset::Sol, most + 1),
        KeelError::BelowInitial,
    );
    assert_eq!(world.data(&trader.margin), before);
    world.open(&trader, Asset::Sol, most).expect("the most");
    let report = world.report(trader.margin).expect("report");
    let (equity, requirement) = initial_by_hand(deposit, i128::from(most));
    assert_eq!(i128::from(report.initial_equity), equity);
    // By hand every step is rounded up; the engine rounds once and may be an atom below.
    let asked = i128::from(report.initial_requirement);
    assert!(
        (requirement - 1..=requirement).contains(&asked),
        "{asked} for {requirement}"
    );
    expect_error(
        world.open(&trader, Asset::Sol, 100),
        KeelError::BelowInitial,
    );
}

/// 10.2: the limit is on the whole fill, to the unit of the price.
#[test]
fn a_limit_price_binds_to_its_last_bit() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    let (_, shift) = world.lot_price(Asset::Sol);
    let limit = |amount: u128, lots: u128| ((amount << shift).div_ceil(lots)) as u64;
    let mut order = |size: i64, limit_price: u64| {
        let args = OrderArgs {
            legs: vec![OrderLeg { size, limit_price }],
            ..world.order(&[size])
        };
        send_order(&mut world, &trader, &[Asset::Sol], args)
    };
    let buy = limit(150_048_750, 1_000);
    expect_error(order(1_000, buy - 1), KeelError::BeyondLimit);
    order(1_000, buy).expect("a purchase at the limit");
    // A seller's limit is the least he takes: floor, so that one unit more is too much.
    let sell = ((149_951_250u128 << shift) / 1_000) as u64;
    expect_error(order(-1_000, sell + 1), KeelError::BeyondLimit);
    order(-1_000, sell).expect("a sale at the limit");
}

#[test]
fn an_order_may_execute_in_its_last_second_and_no_later() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    let now = world.vm.now();
    let mut order = |valid_until| {
        let args = OrderArgs {
            valid_until,
            ..world.order(&[1_000])
        };
        send_order(&mut world, &trader, &[Asset::Sol], args)
    };
    expect_error(order(now - 1), KeelError::OrderExpired);
    order(now).expect("an order in its last second");
}

#[test]
fn an_order_for_another_state_of_the_account_is_refused() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    let seen = world.row(&trader.margin).seq;
    let mut order = |expected| {
        let args = OrderArgs {
            expected_seq: Some(expected),
            ..world.order(&[1_000])
        };
        send_order(&mut world, &trader, &[Asset::Sol], args)
    };
    expect_error(order(seen + 1), KeelError::SequenceChanged);
    order(seen).expect("an order for the state that is");
    expect_error(order(seen), KeelError::SequenceChanged);
}

#[test]
fn an_order_below_the_least_size_only_passes_when_it_closes_whole() {
    let mut world = world_with(|config| config.markets[0].min_size = 1_000);
    let trader = world.trader_with(10_000).expect("a trader");
    expect_error(
        world.open(&trader, Asset::Sol, 999),
        KeelError::BelowMinSize,
    );
    world.open(&trader, Asset::Sol, 1_500).expect("open");
    expect_error(
        world.close(&trader, Asset::Sol, -999),
        KeelError::BelowMinSize,
    );
    world.close(&trader, Asset::Sol, -1_000).expect("close");
    world.close(&trader, Asset::Sol, -500).expect("the rest");
    assert_eq!(position(&world, &trader, Asset::Sol).0, 0);
}

/// 1.7: a position is worth $10 at least, the account $5.
#[test]
fn dust_cannot_be_opened() {
    let mut world = world();
    let trader = world.trader_with(1_000).expect("a trader");
    // 66 lots are worth $9.90, 67 lots $10.05.
    expect_error(
        world.open(&trader, Asset::Sol, 66),
        KeelError::BelowMinNotional,
    );
    world.open(&trader, Asset::Sol, 67).expect("no dust");

    let poor = world.trader_with(5).expect("a poor trader");
    expect_error(world.open(&poor, Asset::Sol, 67), KeelError::BelowMinEquity);
    world.deposit(&poor, Asset::Usdc, 1_000_000).expect("more");
    world.open(&poor, Asset::Sol, 67).expect("no dust");
}

/// 3.4: open interest stops at the market's cap; what closes passes.
#[test]
fn open_interest_grows_to_its_cap_and_no_further() {
    let mut world = world_with(|config| config.markets[0].open_interest_cap = 10_000);
    let long = world.trader_with(10_000).expect("a trader");
    let short = world.trader_with(10_000).expect("a trader");
    world.open(&long, Asset::Sol, 9_000).expect("open");
    expect_error(
        world.open(&short, Asset::Sol, 1_001 + 9_000),
        KeelError::OpenInterestCap,
    );
    world.open(&long, Asset::Sol, 1_000).expect("to the cap");
    expect_error(
        world.open(&long, Asset::Sol, 100),
        KeelError::OpenInterestCap,
    );
    // The pool is short: a seller takes that over and adds nothing.
    world.open(&short, Asset::Sol, -10_000).expect("a seller");
    let ledger = check_books(&world, &[&long, &short]);
    assert_eq!(
        (ledger.markets[0].long, ledger.markets[0].short),
        (10_000, 10_000)
    );
    assert_eq!(ledger.accounts[0].position(0).0, 0);
}

/// 10.2: the pool's net value in an asset, and its own Initial with factor 3.
#[test]
fn the_pool_takes_no_more_than_its_limits() {
    let mut world = world_with(|config| config.pool.asset_cap = 15_000_000_000);
    let trader = world.trader_with(100_000).expect("a trader");
    expect_error(
        world.open(&trader, Asset::Sol, 100_001),
        KeelError::PoolAssetCap,
    );
    world.open(&trader, Asset::Sol, 100_000).expect("the cap");
    expect_error(
        world.open(&trader, Asset::Sol, 100),
        KeelError::PoolAssetCap,
    );
    world
        .open(&trader, Asset::Sol, -200_000)
        .expect("the other side");

    let mut world = World::new().expect("a world");
    world.provide(10_000).expect("little liquidity");
    let trader = world.trader_with(100_000).expect("a trader");
    // $40,000 of SOL asks the pool for 10% * 3 and costs, which is more than $10,000.
    expect_error(
        world.open(&trader, Asset::Sol, 255_000),
        KeelError::PoolBelowMargin,
    );
    world
        .open(&trader, Asset::Sol, 170_000)
        .expect("two thirds");
}

/// 10.2: a fill needs a price of at most ten seconds; 2.6: growing needs a narrow one.
#[test]
fn an_old_or_wide_price_opens_nothing() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    world.vm.pass(10);
    world.open(&trader, Asset::Sol, 1_000).expect("ten seconds");
    world.vm.pass(1);
    expect_error(
        world.open(&trader, Asset::Sol, 1_000),
        KeelError::PriceUnfit,
    );
    expect_error(
        world.close(&trader, Asset::Sol, -1_000),
        KeelError::PriceUnfit,
    );

    world.vm.pass(1);
    let prices = PRICES.map(|price| (price, price * 0.000_5));
    let wide = [prices[0], (150.0, 3.3), prices[2], prices[3]];
    world.set_prices_with(wide).expect("a wide price");
    expect_error(
        world.open(&trader, Asset::Sol, 1_000),
        KeelError::PriceUnfit,
    );
    world.close(&trader, Asset::Sol, -1_000).expect("an exit");
}

#[test]
fn crossing_zero_is_a_close_and_an_open() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    world.open(&trader, Asset::Sol, 10_000).expect("long");
    world.open(&trader, Asset::Sol, -25_000).expect("short");
    let bought = 1_500_487_500 + 750_244;
    let sold = 3_748_781_250 - 1_874_391;
    assert_eq!(
        position(&world, &trader, Asset::Sol),
        (-15_000, sold - bought)
    );
    let ledger = check_books(&world, &[&trader]);
    assert_eq!(
        (ledger.markets[0].long, ledger.markets[0].short),
        (15_000, 15_000)
    );
}

/// 5.7: `close_position` neither grows a position nor turns it.
#[test]
fn a_close_neither_opens_nor_crosses_zero() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    for size in [100, -100] {
        expect_error(
            world.close(&trader, Asset::Sol, size),
            KeelError::NotReducing,
        );
    }
    world.open(&trader, Asset::Sol, -10_000).expect("short");
    for size in [-1, 10_001] {
        expect_error(
            world.close(&trader, Asset::Sol, size),
            KeelError::NotReducing,
        );
    }
    world.close(&trader, Asset::Sol, 10_000).expect("close");
}

/// An order is judged once, at its end: a hedge whose legs would each be refused.
#[test]
fn a_hedge_passes_where_each_of_its_legs_is_refused() {
    let mut world = world();
    let trader = world.trader_with(6_400).expect("a trader");
    // $64,000 of each: 10.5% and 12% of it for a leg alone, about 9% for both.
    let (btc, eth) = ((Asset::Btc, 100_000), (Asset::Eth, -188_235));
    for leg in [btc, eth] {
        expect_error(
            open_legs(&mut world, &trader, &[leg]),
            KeelError::BelowInitial,
        );
    }
    open_legs(&mut world, &trader, &[btc, eth]).expect("the hedge");
    check_books(&world, &[&trader]);
}

#[test]
fn an_order_of_one_bad_leg_fills_nothing() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    let before = world.data(&trader.margin);
    expect_error(
        open_legs(&mut world, &trader, &[(Asset::Sol, 1_000), (Asset::Btc, 1)]),
        KeelError::BelowMinNotional,
    );
    expect_error(
        open_legs(
            &mut world,
            &trader,
            &[(Asset::Sol, 1_000), (Asset::Sol, 1_000)],
        ),
        KeelError::DuplicateLedger,
    );
    assert_eq!(world.data(&trader.margin), before);
}

/// 5.7: below Initial, and even below Maintenance, whoever reduces his risk may.
#[test]
fn whoever_is_below_initial_may_still_reduce() {
    let mut world = world();
    let trader = world.trader_with(6_000).expect("a trader");
    world.open(&trader, Asset::Sol, 200_000).expect("open");
    for (price, liquidatable) in [(140.0, false), (129.0, true)] {
        reprice(&mut world, [1.0, price, 64_000.0, 3_400.0]);
        let found = world.assess(&trader.margin).expect("health");
        assert!(found.initial.health().0 < 0);
        assert_eq!(found.maintenance.is_liquidatable(), liquidatable);
        expect_error(
            world.open(&trader, Asset::Sol, 100),
            KeelError::BelowInitial,
        );
        world.close(&trader, Asset::Sol, -20_000).expect("a close");
        let after = world.assess(&trader.margin).expect("health");
        assert!(after.maintenance.health() > found.maintenance.health());
    }
}

/// 5.7: closing one leg of a hedge raises the requirement; below Initial that is refused.
#[test]
fn a_close_that_breaks_a_hedge_needs_initial() {
    let mut world = world();
    let trader = world.trader_with(6_400).expect("a trader");
    open_legs(
        &mut world,
        &trader,
        &[(Asset::Btc, 100_000), (Asset::Eth, -188_235)],
    )
    .expect("the hedge");
    reprice(&mut world, [1.0, 150.0, 63_000.0, 3_440.0]);
    let found = world.assess(&trader.margin).expect("health");
    assert!(found.initial.health().0 < 0 && found.maintenance.health().0 > 0);
    expect_error(
        world.close(&trader, Asset::Eth, 188_235),
        KeelError::NotRiskReducing,
    );
    let keys = world.trade_keys(&trader, &[Asset::Btc, Asset::Eth]);
    let both = instruction::close_position(&world.keys, &keys, world.order(&[-50_000, 94_000]));
    world.vm.send(&[both], &[&trader.key]).expect("both halves");
    // With collateral the same close is the owner's own business.
    world
        .deposit(&trader, Asset::Usdc, 20_000_000_000)
        .expect("deposit");
    world.close(&trader, Asset::Eth, 94_235).expect("the leg");
}

/// 5.2, 5.3: 100 SOL at weight 0.95 against 95 SOL sold: nothing is left for the scan, 1% of basis
/// and 0.25% of unwinding on $14,250.
#[test]
fn spot_against_a_short_asks_for_basis_and_unwinding_alone() {
    let mut world = world();
    let hedged = world.trader().expect("a trader");
    world
        .deposit(&hedged, Asset::Sol, 100_000_000_000)
        .expect("deposit");
    world.open(&hedged, Asset::Sol, -95_000).expect("short");
    let naked = world.trader_with(15_000).expect("a trader");
    world.open(&naked, Asset::Sol, -95_000).expect("short");

    let hedged = world.report(hedged.margin).expect("report");
    // $0.15e-6 for a native unit is not dyadic: a few atoms stay open and ask for a tenth of them.
    let expected = 142_500_000 + 35_625_000;
    let asked = hedged.maintenance_requirement;
    assert!((expected..expected + 5).contains(&asked), "{asked}");
    let naked = world.report(naked.margin).expect("report");
    // 10% of $14,250, times 1.00285 for its size, rounded up, and the same unwinding.
    assert_eq!(naked.maintenance_requirement, 1_429_061_251 + 35_625_000);
}

/// 5.4: long $64,000 of BTC, short $63,920 of ETH, the greater of X, Y and 0.3 of the sum.
#[test]
fn a_hedge_across_assets_asks_for_less_than_its_legs() {
    let mut world = world();
    let mut requirement = |legs: &[(Asset, i64)]| {
        let trader = world.trader_with(50_000).expect("a trader");
        open_legs(&mut world, &trader, legs).expect("open");
        let report = world.report(trader.margin).expect("report");
        report.maintenance_requirement as f64 / 1e6
    };
    let (btc, eth) = ((Asset::Btc, 100_000), (Asset::Eth, -188_000));
    let (alone, other, both) = (
        requirement(&[btc]),
        requirement(&[eth]),
        requirement(&[btc, eth]),
    );
    let long = 64_000.0 * 0.07 * (1.0 + 64_000.0 / 20e6);
    let short = 63_920.0 * 0.08 * (1.0 + 63_920.0 / 10e6);
    let unwind = [64_000.0 * 0.002_5, 63_920.0 * 0.002_5];
    assert!((alone - long - unwind[0]).abs() < 1e-4, "{alone}");
    assert!((other - short - unwind[1]).abs() < 1e-4, "{other}");

    // One range up: ETH loses, BTC gains, the gain without its multiplier; and down.
    let up = 0.85 * short - 0.9 * 64_000.0 * 0.07;
    let down = 0.9 * long - 0.85 * 63_920.0 * 0.08;
    let own = (1.0 - 0.81) * long * long + (1.0 - 0.7225) * short * short;
    let x = (up.max(down).max(0.0).powi(2) + own).sqrt();
    let y = (short - 64_000.0 * 0.07).max(long - 63_920.0 * 0.08);
    let scan = x.max(y).max(0.3 * (long + short));
    assert!((both - scan - unwind[0] - unwind[1]).abs() < 1e-4, "{both}");
    assert!(both < 0.75 * (alone + other), "{both} {alone} {other}");
}

/// Cross margin: a gain in one asset carries a loss in another.
#[test]
fn a_profit_in_btc_carries_a_loss_in_sol() {
    let mut world = world();
    let carried = world.trader_with(20_000).expect("a trader");
    let alone = world.trader_with(20_000).expect("a trader");
    let sol = (Asset::Sol, 400_000);
    open_legs(&mut world, &carried, &[sol, (Asset::Btc, 100_000)]).expect("both");
    open_legs(&mut world, &alone, &[sol]).expect("SOL");
    let liquidator = world.trader_with(1_000_000).expect("a liquidator");
    // SOL loses 30% of $60,000, BTC wins 15% of $64,000.
    reprice(&mut world, [1.0, 105.0, 73_600.0, 3_400.0]);

    expect_error(
        world.liquidate(&liquidator, carried.margin, Asset::Sol, u64::MAX),
        KeelError::NotLiquidatable,
    );
    world
        .liquidate(&liquidator, alone.margin, Asset::Sol, u64::MAX)
        .expect("the account without BTC");
    check_books(&world, &[&carried, &alone, &liquidator]);
}

fn with_account(mut instruction: Instruction, at: usize, key: keel_sdk::Pubkey) -> Instruction {
    instruction.accounts[at] = AccountMeta::new(key, false);
    instruction
}

/// I11: the trader's account in the pool's place, the pool's in the trader's, another's as his own.
#[test]
fn nobody_trades_with_himself_or_for_another() {
    let mut world = world();
    let trader = world.trader_with(10_000).expect("a trader");
    let other = world.trader_with(10_000).expect("another");
    let pool_margin = address::pool_margin(&world.keys.group, &world.pool);
    let keys = world.trade_keys(&trader, &[Asset::Sol]);
    let open = instruction::open_position(&world.keys, &keys, world.order(&[1_000]));
    let mut attack = |at, key, because| {
        let swapped = with_account(open.clone(), at, key);
        expect_error(world.vm.send(&[swapped], &[&trader.key]), because);
    };
    attack(4, trader.margin, KeelError::WrongPoolMargin);
    attack(4, other.margin, KeelError::WrongPoolMargin);
    attack(2, pool_margin, KeelError::NotOwner);
    attack(2, other.margin, KeelError::NotOwner);
    world.vm.send(&[open], &[&trader.key]).expect("the order");
}
