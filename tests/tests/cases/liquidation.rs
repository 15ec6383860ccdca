//! Who may be liquidated, by how much, and what it costs (margin-spec 8.1, 8.2, 1.7; I7, I8, I10).
//! SOL starts at $150, BTC at $64,000 and ETH at $3,400.

use keel::errors::KeelError;
use keel_sdk::instruction::{self, TakenLeg};
use keel_sdk::{AccountMeta, Instruction, address};
use keel_state::{Balance, MarginAccount, Position, Stored};
use keel_tests::{Asset, PriceUpdate, Trader, World, expect_error, market};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::trading::{PRICES, check_books, open_legs, reprice, world};

/// 200 SOL for $30,000 on $6,000 of collateral, after a fall to $129: $1,775 of equity against a
/// requirement of $2,658.
fn fallen(world: &mut World) -> Trader {
    let trader = world.trader_with(6_000).expect("a trader");
    world.open(&trader, Asset::Sol, 200_000).expect("open");
    reprice(world, [1.0, 129.0, 64_000.0, 3_400.0]);
    trader
}

fn liquidator(world: &mut World) -> Trader {
    world.trader_with(1_000_000).expect("a liquidator")
}

/// Net asset value of an account, atoms.
fn value(world: &World, trader: &Trader) -> i64 {
    let found = world.assess(&trader.margin).expect("health");
    found.net_asset_value.0
}

fn health(world: &World, trader: &Trader) -> i64 {
    let found = world.assess(&trader.margin).expect("health");
    found.maintenance.health().0
}

fn instruction_of(world: &World, by: &Trader, whom: &Trader, asset: Asset) -> Instruction {
    instruction::liquidate(
        &world.keys,
        by.owner(),
        whom.margin,
        by.margin,
        TakenLeg::Position {
            market: market(asset),
        },
        u64::MAX,
    )
}

/// 5.6: the boundary itself, atom by atom: at health 0 nothing may be taken, at -1 a leg may.
#[test]
fn an_account_at_maintenance_is_not_liquidated_and_one_atom_below_it_is() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = liquidator(&mut world);
    let missing = -health(&world, &trader);
    // E_M = 6,000,000,000 + 25,800,000,000 - 30,024,754,875; MM = 10.0008% * 25.8e9 * 1.00516,
    // rounded up at the multiplier, and 0.25% of 25.8e9. The jump was a sample of the variance, and
    // the range has risen towards its target for the three seconds since the price before.
    assert_eq!(missing, 2_593_520_266 + 64_500_000 - 1_775_245_125);
    world
        .deposit(&trader, Asset::Usdc, missing.unsigned_abs() - 1)
        .expect("all but an atom");
    let take = instruction_of(&world, &liquidator, &trader, Asset::Sol);
    assert!(world.vm.simulate(&[take], &[&liquidator.key]).is_ok());
    world
        .deposit(&trader, Asset::Usdc, 1)
        .expect("the last atom");
    assert_eq!(health(&world, &trader), 0);
    expect_error(
        world.liquidate(&liquidator, trader.margin, Asset::Sol, u64::MAX),
        KeelError::NotLiquidatable,
    );
}

/// I7: whatever the order in which prices arrive, an account can be taken from exactly while it is
/// below Maintenance, and the order leaves no trace.
#[test]
fn no_order_of_price_updates_makes_a_healthy_account_liquidatable() {
    let orders = [
        [1, 2, 3],
        [1, 3, 2],
        [2, 1, 3],
        [2, 3, 1],
        [3, 1, 2],
        [3, 2, 1],
    ];
    let mut books = Vec::new();
    let mut taken_between = 0;
    for order in orders {
        let mut world = world();
        let trader = world.trader_with(12_000).expect("a trader");
        let legs = [
            (Asset::Sol, 200_000),
            (Asset::Btc, 100_000),
            (Asset::Eth, -188_235),
        ];
        open_legs(&mut world, &trader, &legs).expect("open");
        let liquidator = liquidator(&mut world);
        world.vm.pass(1);
        // BTC and SOL fall, ETH falls with them, none by a jump that would wait: health is lost and
        // won back on the way.
        post_all(&mut world, [1.0, 136.0, 58_000.0, 3_070.0]);
        for asset in order.map(|place| Asset::ALL[place]) {
            world.relay(&[asset]).expect("a price");
            world.relay(&[asset, asset]).expect("the same once more");
            taken_between += take_each(&mut world, &trader, &liquidator);
        }
        world.relay(&[Asset::Usdc]).expect("the quote's price");
        let found = world.assess(&trader.margin).expect("health");
        assert!(!found.maintenance.is_liquidatable(), "{found:?}");
        expect_error(
            world.liquidate(&liquidator, trader.margin, Asset::Btc, u64::MAX),
            KeelError::NotLiquidatable,
        );
        // All but the count of updates and the live time.
        let assets = world.with_book(|book| bytemuck::bytes_of(&book.assets).to_vec());
        books.push((assets.expect("a book"), world.data(&trader.margin)));
    }
    assert!(taken_between > 0, "some order passes through ill health");
    assert!(books.iter().all(|book| *book == books[0]));
}

/// Posts all prices with 5 bp of confidence, published now, without relaying them.
fn post_all(world: &mut World, prices: [f64; 4]) {
    for asset in Asset::ALL {
        let price = (prices[asset as usize] * 1e8) as i64;
        let conf = (price / 2_000).unsigned_abs();
        let update = PriceUpdate::of(world.feed(asset), price, conf, world.vm.now());
        world.post(asset, &update);
    }
}

/// Simulates taking each leg: nobody may while the account is healthy. Returns how many could be
/// taken.
fn take_each(world: &mut World, trader: &Trader, liquidator: &Trader) -> u32 {
    let healthy = health(world, trader) >= 0;
    let mut taken = 0;
    for target in Asset::TRADED {
        let take = instruction_of(world, liquidator, trader, target);
        let result = world.vm.simulate(&[take], &[&liquidator.key]);
        if healthy {
            expect_error(result, KeelError::NotLiquidatable);
        } else {
            taken += u32::from(result.is_ok());
        }
    }
    taken
}

/// What the operator gave to each market's insurance, atoms.
const INSURED: i64 = 100_000_000_000;

/// 8.1: as an auction begins the penalty is 0.5% of what moved, half of it for the insurance, each to the atom.
#[test]
fn the_penalty_is_split_exactly() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = liquidator(&mut world);
    world
        .liquidate(&liquidator, trader.margin, Asset::Sol, 10_000)
        .expect("a step");
    let row = world.row(&trader.margin).position(0);
    assert_eq!(row, (190_000, -30_024_754_875 + 1_290_000_000 - 6_450_000));
    let taken = world.row(&liquidator.margin).position(0);
    assert_eq!(taken, (10_000, -1_290_000_000 + 3_225_000));
    let ledger = check_books(&world, &[&trader, &liquidator]);
    assert_eq!(ledger.markets[0].insurance, INSURED + 3_225_000);
    assert_eq!(ledger.markets[0].long, 200_000);
}

/// 8.1: an odd penalty's last atom goes to the insurance.
#[test]
fn the_penalty_rounds_towards_the_insurance() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = liquidator(&mut world);
    // 0.5% of 10,001 lots at 129,000 atoms is 6,450,645.
    world
        .liquidate(&liquidator, trader.margin, Asset::Sol, 10_001)
        .expect("a step");
    let taken = world.row(&liquidator.margin).position(0);
    assert_eq!(taken.1, -1_290_129_000 + 3_225_322);
    let ledger = check_books(&world, &[&trader, &liquidator]);
    assert_eq!(ledger.markets[0].insurance, INSURED + 3_225_323);
}

/// I8: small steps, large steps: health rises with each, and the last stops at the end to the lot.
#[test]
fn every_step_raises_health_and_none_passes_the_end_by_more_than_a_lot() {
    for size in [3_000, 25_000, 77_777, 150_000, 200_000, u64::MAX] {
        let mut world = world();
        let trader = fallen(&mut world);
        let liquidator = liquidator(&mut world);
        let mut steps = 0;
        loop {
            let account = world.data(&trader.margin);
            let (before, held) = (
                health(&world, &trader),
                world.row(&trader.margin).position(0).0,
            );
            let step = world.liquidate(&liquidator, trader.margin, Asset::Sol, size);
            if before >= 0 {
                expect_error(step, KeelError::NotLiquidatable);
                break;
            }
            step.expect("a step");
            steps += 1;
            assert!(health(&world, &trader) > before);
            let taken = (held - world.row(&trader.margin).position(0).0).unsigned_abs();
            assert!(taken > 0 && taken <= size);
            let wrong = world
                .overshoot(&account, Asset::Sol, taken)
                .expect("a check");
            assert_eq!(wrong, None);
        }
        assert!(steps > 0);
        let left = world.row(&trader.margin).position(0).0;
        assert!(left > 0, "{size}: a step must not take more than it needs");
        check_books(&world, &[&trader, &liquidator]);
    }
}

/// 1.7: below $50 of requirement a leg goes whole or not at all.
#[test]
fn a_small_account_is_taken_whole() {
    let mut world = world();
    let trader = world.trader_with(60).expect("a small trader");
    world.open(&trader, Asset::Sol, 2_000).expect("open");
    let liquidator = liquidator(&mut world);
    reprice(&mut world, [1.0, 130.0, 64_000.0, 3_400.0]);
    expect_error(
        world.liquidate(&liquidator, trader.margin, Asset::Sol, 1_999),
        KeelError::TakeWhole,
    );
    world
        .liquidate(&liquidator, trader.margin, Asset::Sol, 2_000)
        .expect("the whole");
    assert_eq!(world.row(&trader.margin).position(0).0, 0);
    check_books(&world, &[&trader, &liquidator]);
}

/// 8.2: taking a whole leg of a hedge would leave the account worse; a part that helps is allowed.
#[test]
fn a_liquidator_cannot_break_a_hedge() {
    let mut world = world();
    let trader = world.trader_with(7_000).expect("a trader");
    let legs = [(Asset::Btc, 100_000), (Asset::Eth, -188_235)];
    open_legs(&mut world, &trader, &legs).expect("the hedge");
    let liquidator = liquidator(&mut world);
    reprice(&mut world, [1.0, 150.0, 61_500.0, 3_550.0]);
    let before = health(&world, &trader);
    assert!(before < 0, "{before}");
    let account = world.data(&trader.margin);
    for asset in [Asset::Btc, Asset::Eth] {
        expect_error(
            world.liquidate(&liquidator, trader.margin, asset, u64::MAX),
            KeelError::BreaksHedge,
        );
    }
    assert_eq!(world.data(&trader.margin), account);
    world
        .liquidate(&liquidator, trader.margin, Asset::Eth, 5_000)
        .expect("a part");
    assert!(health(&world, &trader) > before);
    check_books(&world, &[&trader, &liquidator]);
}

/// 8.1: what is left of a position after its size is gone is a debt; a deposit pays it.
#[test]
fn a_deposit_is_taken_against_the_loss_of_a_closed_position() {
    let mut world = world();
    let trader = world.trader().expect("a trader");
    world
        .deposit(&trader, Asset::Eth, 200_000_000)
        .expect("two ETH");
    world.open(&trader, Asset::Sol, 100_000).expect("open");
    let liquidator = liquidator(&mut world);
    reprice(&mut world, [1.0, 90.0, 64_000.0, 3_400.0]);
    expect_error(
        world.liquidate_with(
            &liquidator,
            trader.margin,
            Asset::Sol,
            Some(Asset::Eth),
            u64::MAX,
        ),
        KeelError::NothingToLiquidate,
    );
    world
        .liquidate(&liquidator, trader.margin, Asset::Sol, u64::MAX)
        .expect("the position");
    let (size, loss) = world.row(&trader.margin).position(0);
    assert!(size == 0 && loss < 0);
    let before = health(&world, &trader);
    assert!(before < 0, "{before}");
    let sum = value(&world, &trader) + value(&world, &liquidator);
    let insured = check_books(&world, &[&trader, &liquidator]).markets[0].insurance;
    world
        .liquidate_with(
            &liquidator,
            trader.margin,
            Asset::Sol,
            Some(Asset::Eth),
            u64::MAX,
        )
        .expect("the deposit");

    assert!(health(&world, &trader) > 0, "one step ends it");
    let ledger = check_books(&world, &[&trader, &liquidator]);
    let (left, got) = (ledger.accounts[1].shares(3), ledger.accounts[2].shares(3));
    assert!(left > 0 && got > 0 && left + got == 200_000_000);
    let paid = ledger.accounts[1].position(0).1 - loss;
    // 0.5% of what was taken over, half of it the liquidator's.
    let share_price = 34; // atoms per unit of 1e-8 ETH
    let penalty = ledger.markets[0].insurance - insured;
    assert!(
        (paid + 2 * penalty - got * share_price).abs() <= 40,
        "{paid} {got}"
    );
    // Nothing is made or lost between the two but the insurance's part and a flooring each.
    let now = value(&world, &trader) + value(&world, &liquidator);
    assert!((sum - now - penalty).abs() <= 2, "{sum} {now} {penalty}");
    // Against the quote itself nothing would be gained.
    assert_eq!(world.conservation().expect("conservation"), (7, 0));
}

/// An owner who liquidates himself through another sub-account pays the insurance and gains nothing.
#[test]
fn liquidating_oneself_gains_nothing() {
    let mut world = world();
    let trader = fallen(&mut world);
    let second = world.sub_account(&trader.key, 1).expect("a sub-account");
    world
        .deposit(&second, Asset::Usdc, 100_000_000_000)
        .expect("deposit");
    let before = value(&world, &trader) + value(&world, &second);
    for size in [7_777, 40_000, 1, u64::MAX] {
        world
            .liquidate(&second, trader.margin, Asset::Sol, size)
            .expect("a step");
        let insured = check_books(&world, &[&trader, &second]).markets[0].insurance;
        let insurance = insured - INSURED;
        assert!(insurance > 0);
        let after = value(&world, &trader) + value(&world, &second);
        assert_eq!(after + insurance, before);
        if health(&world, &trader) >= 0 {
            break;
        }
    }
    assert!(health(&world, &trader) >= 0);
}

/// I6: the liquidator ends at Initial.
#[test]
fn a_liquidator_cannot_take_more_than_his_own_margin_carries() {
    let mut world = world();
    let trader = fallen(&mut world);
    let poor = world.trader_with(1_000).expect("a poor liquidator");
    expect_error(
        world.liquidate(&poor, trader.margin, Asset::Sol, 60_000),
        KeelError::BelowInitial,
    );
    world
        .liquidate(&poor, trader.margin, Asset::Sol, 25_000)
        .expect("what he can carry");
    assert!(
        world
            .assess(&poor.margin)
            .expect("health")
            .initial
            .health()
            .0
            >= 0
    );
    check_books(&world, &[&trader, &poor]);
}

/// 2.6: a liquidation needs prices of at most fifteen seconds of everything the account holds.
#[test]
fn an_old_price_liquidates_nobody() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = liquidator(&mut world);
    world.vm.pass(16);
    expect_error(
        world.liquidate(&liquidator, trader.margin, Asset::Sol, u64::MAX),
        KeelError::PriceUnfit,
    );
    world
        .set_prices([1.0, 129.0, 64_000.0, 3_400.0])
        .expect("prices");
    world.vm.pass(15);
    world
        .liquidate(&liquidator, trader.margin, Asset::Sol, u64::MAX)
        .expect("a fresh enough price");
}

/// I11: the pool on either side, one account on both, another's account as the liquidator's.
#[test]
fn the_pool_is_never_liquidated_and_nobody_takes_from_himself() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = liquidator(&mut world);
    let pool_margin = address::pool_margin(&world.keys.group, &world.pool);
    let take = instruction_of(&world, &liquidator, &trader, Asset::Sol);
    let mut attack = |at: usize, key, because| {
        let mut swapped = take.clone();
        swapped.accounts[at] = AccountMeta::new(key, false);
        expect_error(world.vm.send(&[swapped], &[&liquidator.key]), because);
    };
    attack(2, pool_margin, KeelError::NotATrader);
    attack(2, liquidator.margin, KeelError::SameAccount);
    attack(3, trader.margin, KeelError::NotOwner);
    attack(3, pool_margin, KeelError::NotOwner);
    world
        .vm
        .send(&[take], &[&liquidator.key])
        .expect("the honest one");
}

#[test]
fn a_leg_that_is_not_there_cannot_be_taken() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = liquidator(&mut world);
    expect_error(
        world.liquidate(&liquidator, trader.margin, Asset::Btc, u64::MAX),
        KeelError::NothingToLiquidate,
    );
    for collateral in [Asset::Usdc, Asset::Eth] {
        expect_error(
            world.liquidate_with(
                &liquidator,
                trader.margin,
                Asset::Sol,
                Some(collateral),
                u64::MAX,
            ),
            KeelError::NothingToLiquidate,
        );
    }
}

/// Writes random holdings into a trader's account, borrows and absurd sizes included.
fn scramble(world: &mut World, trader: &Trader, random: &mut ChaCha8Rng) {
    let mut account = world.vm.account(&trader.margin).expect("the account");
    let fixed = keel_state::DISCRIMINATOR_BYTES..MarginAccount::BYTES;
    let header: &mut MarginAccount = bytemuck::from_bytes_mut(&mut account.data[fixed]);
    for (bank, balance) in header.balances.iter_mut().enumerate().take(4) {
        let bits = random.random_range(0..50);
        *balance = Balance {
            used: u8::from(bank == 0 || random.random_bool(0.6)),
            bank: bank as u8,
            shares: random.random_range(-(1i64 << bits)..=1 << bits),
            ..bytemuck::Zeroable::zeroed()
        };
    }
    let positions: &mut [Position] =
        bytemuck::cast_slice_mut(&mut account.data[MarginAccount::BYTES..]);
    for (instrument, position) in positions.iter_mut().enumerate().take(3) {
        let (bits, quote_bits) = (random.random_range(0..40), random.random_range(0..62));
        let flat = random.random_ratio(1, 5);
        *position = Position {
            used: u8::from(random.random_bool(0.8)),
            instrument: instrument as u8,
            size: i64::from(!flat) * random.random_range(-(1i64 << bits)..=1 << bits),
            quote: random.random_range(-(1i64 << quote_bits)..=1 << quote_bits),
            keep: 1 << 40,
            ..bytemuck::Zeroable::zeroed()
        };
    }
    world.vm.set_account(trader.margin, account);
}

/// I10: the program's report and the client's are the same bytes, at any holdings, prices and ages.
#[test]
fn the_program_and_the_client_agree_to_the_bit() {
    let mut world = world();
    let trader = world.trader().expect("a trader");
    let mut random = ChaCha8Rng::seed_from_u64(10);
    let (mut liquidatable, mut healthy) = (0, 0);
    for state in 0..600 {
        if state % 4 == 0 {
            let prices = PRICES.map(|price| price * random.random_range(0.5..2.0));
            world.vm.pass(1);
            let with_conf = prices.map(|price| (price, price * random.random_range(0.0..0.19)));
            world.set_prices_with(with_conf).expect("prices");
        }
        if random.random_ratio(1, 10) {
            world.vm.pass(random.random_range(1..100));
        }
        scramble(&mut world, &trader, &mut random);
        let on_chain = world.report(trader.margin).expect("the program's report");
        let off_chain = world
            .report_off_chain(&trader.margin)
            .expect("the client's report");
        assert_eq!(
            bytemuck::bytes_of(&on_chain),
            bytemuck::bytes_of(&off_chain),
            "state {state}: {on_chain:?} {off_chain:?}"
        );
        let found = world.assess(&trader.margin).expect("the assessment");
        assert_eq!(found.maintenance.health().0, on_chain.health_maintenance());
        assert_eq!(found.initial.health().0, on_chain.health_initial());
        assert_eq!(found.net_asset_value.0, on_chain.net_asset_value);
        if on_chain.health_maintenance() < 0 {
            liquidatable += 1;
        } else {
            healthy += 1;
        }
    }
    assert!(
        liquidatable > 50 && healthy > 50,
        "{liquidatable} {healthy}"
    );
}
