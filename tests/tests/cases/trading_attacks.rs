//! Named attacks on quotes and orders (margin-spec 4.3, 5.7, 10.1): each would pay without the clause
//! that it names.

use keel::errors::KeelError;
use keel_migrations::GroupConfig;
use keel_sdk::instruction::{self, TradeKeys};
use keel_tests::{Asset, Trader, World, expect_error};

use crate::quotes::standard;
use crate::trading::PRICES;

fn rich(world: &mut World) -> Trader {
    world.trader_with(1_000_000).expect("a trader")
}

/// 5.7: value cannot be handed to the other side by closing at any price: a quote three hundredths
/// from the mark opens, where half a range binds, and closes nothing, where a quarter does.
#[test]
fn closing_far_off_the_mark_to_an_accomplice() {
    let mut world = standard(|config| config.markets[0].base_spread = 30_000);
    let trader = rich(&mut world);
    world.open(&trader, Asset::Sol, 1_000_000).expect("half");
    let before = world.data(&trader.margin);
    expect_error(
        world.close(&trader, Asset::Sol, -1_000_000),
        KeelError::BeyondSlip,
    );
    expect_error(
        world.exit(&trader, Asset::Sol, -1_000_000),
        KeelError::BeyondSlip,
    );
    assert_eq!(world.data(&trader.margin), before);
}

/// 5.7: an account below Initial may not turn a long into a short by calling it a close.
#[test]
fn a_flip_passed_off_as_a_reduction() {
    let mut world = standard(|_| {});
    let trader = world.trader_with(1_000).expect("a trader");
    world.open(&trader, Asset::Sol, 40_000).expect("a long");
    let fall = [1.0, 147.0, 64_000.0, 3_400.0];
    world.reprice(fall).expect("a fall");
    expect_error(
        world.open(&trader, Asset::Sol, 100),
        KeelError::BelowInitial,
    );
    for size in [-40_001, -80_000, 1_000] {
        expect_error(
            world.close(&trader, Asset::Sol, size),
            KeelError::NotReducing,
        );
        expect_error(
            world.exit(&trader, Asset::Sol, size),
            KeelError::NotReducing,
        );
    }
    world.close(&trader, Asset::Sol, -40_000).expect("to zero");
}

/// Quotes without any cost but, with the standard share, that of age.
fn costless(age_share: u32) -> impl FnOnce(&mut GroupConfig) {
    move |config| {
        let terms = &mut config.markets[0];
        (terms.taker_fee, terms.maker_fee, terms.base_spread) = (0, 0, 0);
        (terms.conf_share, terms.skew_scale, terms.age_share) = (0, 0, age_share);
    }
}

/// SOL after it moved by one standard deviation of so many seconds, up or down.
fn moved(world: &World, seconds: i64, up: bool) -> [f64; 4] {
    let variance = world.with_book(|book| book.assets[1].variance);
    let sigma = (variance.expect("a book") as f64 / (1u64 << 40) as f64).sqrt();
    let step = sigma * (seconds as f64 / 31_536_000.0).sqrt();
    let mut prices = PRICES;
    prices[1] *= if up { 1.0 + step } else { 1.0 - step };
    prices
}

/// What a trader gains who sees a price of his making or his knowledge come: he fills at the price
/// that is `seconds` old, lets the new one in, and closes `later` seconds after.
fn picked(age_share: u32, seconds: i64, later: i64, up: bool) -> i64 {
    let mut world = standard(costless(age_share));
    let trader = rich(&mut world);
    let before = world.worth(trader.margin).expect("worth");
    world.vm.pass(seconds);
    let next = moved(&world, seconds, up);
    let lots = if up { 1_000_000 } else { -1_000_000 };
    world
        .open(&trader, Asset::Sol, lots)
        .expect("at the old price");
    world.set_prices(next).expect("the new price");
    world.vm.pass(later);
    if later > 0 {
        world.set_prices(next).expect("the same price");
    }
    world
        .close(&trader, Asset::Sol, -lots)
        .expect("at the new price");
    world.worth(trader.margin).expect("worth") - before
}

/// 10.1: whoever updates the oracle between two fills of his, in one second, gains nothing by a move
/// of a standard deviation of the time that passed.
#[test]
fn sandwiching_the_pool_around_an_oracle_update() {
    assert!(picked(0, 2, 0, true) > 0, "free without the clause");
    assert!(picked(1_000_000, 2, 0, true) <= 0);
    assert!(picked(0, 2, 0, false) > 0, "free without the clause");
    assert!(picked(1_000_000, 2, 0, false) <= 0);
}

/// 10.1: nor does waiting for a price to become old pay: the spread has grown as far as the price may
/// have moved.
#[test]
fn stale_price_picking() {
    for up in [true, false] {
        assert!(picked(0, 9, 5, up) > 0, "free without the clause");
        assert!(picked(1_000_000, 9, 5, up) <= 0);
    }
}

/// Fees of an order and of the same in many pieces, with a referrer of the trader's making: fees round
/// up and the referrer's part down, so that pieces cost more, and what comes back is at most its share.
#[test]
fn fee_rounding_farming() {
    let mut world = standard(|config| config.markets[0].referral_share = 333_333);
    let puppet = rich(&mut world);
    let owner = rich(&mut world);
    let cost = |world: &mut World, sub_id: u16, pieces: i64| {
        let trader = world
            .account_with(&owner.key, sub_id, None, Some(puppet.margin))
            .expect("a referred account");
        world
            .deposit(&trader, Asset::Usdc, 10_000_000_000)
            .expect("collateral");
        let (fees, back) = (world.market(Asset::Sol).fees, referrals(world, &puppet));
        for _ in 0..pieces {
            let keys = TradeKeys {
                referrer: Some(puppet.margin),
                ..world.trade_keys(&trader, &[Asset::Sol])
            };
            let order = world.order(&[6_700 / pieces]);
            let open = instruction::open_position(&world.keys, &keys, order);
            world.send(open, &[&trader.key]).expect("a piece");
            world.vm.pass(1);
            world.set_prices(PRICES).expect("prices");
        }
        let kept = world.market(Asset::Sol).fees - fees;
        (kept, referrals(world, &puppet) - back)
    };
    let whole = cost(&mut world, 1, 1);
    let pieces = cost(&mut world, 2, 100);
    assert!(pieces.0 >= whole.0, "{pieces:?} for {whole:?}");
    assert!(pieces.1 <= whole.1, "{pieces:?} for {whole:?}");
}

fn referrals(world: &World, puppet: &Trader) -> i64 {
    world.row(&puppet.margin).position(0).1
}

/// 4.3: what a perpetual gained while its price was pushed up lets nothing be withdrawn: gains count
/// nothing when tokens leave.
#[test]
fn a_pumped_perp_counts_not_as_collateral_for_withdrawal() {
    let mut world = standard(|_| {});
    let trader = world.trader_with(1_000).expect("a trader");
    world.open(&trader, Asset::Sol, 6_000).expect("$900");
    let pumped = [1.0, 180.0, 64_000.0, 3_400.0];
    world.move_prices(pumped).expect("a pump");
    let gain = world.worth(trader.margin).expect("worth") - 1_000_000_000;
    assert!(gain > 170_000_000, "{gain}");
    // $700 out leaves $300 less the stable price's distance against $266 of Initial; the gain would
    // cover it.
    expect_error(
        world.withdraw(&trader, Asset::Usdc, 700_000_000),
        KeelError::BelowInitial,
    );
    world
        .withdraw(&trader, Asset::Usdc, 550_000_000)
        .expect("what the deposit alone allows");
}

/// 3.4, 8.6: two accounts of one owner take both sides up to the market's cap and wait for a jump of
/// 60%: the loser walks away from what he lacks, the winner keeps the rest. What they gain together is
/// the loser's deficit, and that is less than the jump over the cap, which is fifty times what the
/// market's insurance holds: the figure is printed.
#[test]
fn two_colluding_accounts_across_a_jump_gain_at_most_the_cap() {
    const INSURED: u64 = 10_000_000_000;
    const STEP: i64 = 100_000;
    let mut world = standard(|config| {
        (
            config.markets[0].insurance_multiple,
            config.markets[0].insurance,
        ) = (50, INSURED);
    });
    let pair = [(); 2].map(|()| world.trader_with(150_000).expect("a trader"));
    let both = |world: &mut World| {
        [&pair[0], &pair[1]].map(|trader| world.worth(trader.margin).expect("worth"))
    };
    let before: i64 = both(&mut world).iter().sum();
    let mut lots = 0;
    let refused = loop {
        let opened = world
            .open(&pair[0], Asset::Sol, STEP)
            .and_then(|_| world.open(&pair[1], Asset::Sol, -STEP));
        match opened {
            Ok(_) => lots += STEP,
            Err(refused) => break refused,
        }
        assert!(lots < 100 * STEP, "no cap was met");
    };
    assert_eq!(refused.code, Some(KeelError::OpenInterestCap.into()));
    // Lots are a thousandth of a SOL, worth 0.15 dollars.
    let cap = 50 * INSURED as i64;
    assert!(lots * 150_000 <= cap);

    let jump = [1.0, 150.0 * 1.6, 64_000.0, 3_400.0];
    world.reprice(jump).expect("a jump, confirmed");
    let [winner, loser] = both(&mut world);
    assert!(loser < 0, "the loser is not bankrupt: {loser}");
    let gain = winner - before;
    let bound = cap / 10 * 6;
    println!(
        "colluding pair: {} lots a side, deficit ${}, gain together ${}, bound ${}",
        lots,
        -loser / 1_000_000,
        gain / 1_000_000,
        bound / 1_000_000
    );
    assert!(gain > 0 && gain <= -loser, "{gain} of {loser}");
    assert!(-loser < bound, "{loser} beyond {bound}");
}
