//! Shares of everything that an account holds, bid for (margin-spec 8.3, 8.4, 10.3; I5, I8). SOL starts
//! at $150, BTC at $64,000 and ETH at $3,400.

use keel::errors::KeelError;
use keel_risk::INSURANCE_WINDOW_S;
use keel_sdk::instruction::{self, TakenLeg};
use keel_state::{KEEP_ONE, Market, RiskBook};
use keel_tests::{Asset, Trader, World, expect_error, market};

use crate::auction::{FALLEN, fallen, rich};
use crate::trading::{PRICES, check_books, open_legs, reprice, world};

const ALL: u32 = 1_000_000;

/// SOL and ETH for collateral, long SOL and short BTC, below Maintenance after SOL's fall.
fn mixed(world: &mut World) -> Trader {
    let trader = world.trader().expect("a trader");
    for (asset, units) in [
        (Asset::Usdc, 1_000_000_000),
        (Asset::Sol, 20_000_000_000),
        (Asset::Eth, 100_000_000),
    ] {
        world.deposit(&trader, asset, units).expect("collateral");
    }
    let legs = [(Asset::Sol, 150_000), (Asset::Btc, -10_000)];
    open_legs(world, &trader, &legs).expect("open");
    reprice(world, [1.0, 118.0, 64_000.0, 3_400.0]);
    let health = world.health(&trader);
    assert!(health < 0, "{health}");
    trader
}

/// 8.3. The hole: collateral weights are what margin counts, not what a token is worth; a bidder who
/// paid only those would gain the haircut at no discount. He pays for exactly what moves, at the mark:
/// nobody gains or loses but by rounding.
#[test]
fn a_takeover_is_not_paid_at_haircut_value() {
    let mut world = world();
    let trader = mixed(&mut world);
    let bidder = rich(&mut world);
    let (of, by) = (world.value(&trader), world.value(&bidder));
    let before = world.row(&trader.margin);
    world
        .take_over(&bidder, trader.margin, 100_000, &[], &[])
        .expect("a tenth");
    let after = world.row(&trader.margin);
    let share = |index: usize| after.balances[index].1 as f64 / before.balances[index].1 as f64;
    assert!((share(1) - 0.9).abs() < 1e-6 && (share(2) - 0.9).abs() < 1e-6);
    // A lot more or less moves with every position, and a floor with every leg.
    let (lost, won) = (of - world.value(&trader), world.value(&bidder) - by);
    assert!(lost.abs() <= 8 && won.abs() <= 8, "{lost} {won}");
    assert!((-2..=8).contains(&(lost - won)), "{lost} {won}");
    check_books(&world, &[&trader, &bidder]);
    assert_eq!(world.conservation().expect("conservation"), (7, 0));
}

/// 8.3, I8: health rises, and the account ends where a liquidation ends: not beyond it by more than a
/// lot of each leg, and no further bid is taken.
#[test]
fn a_takeover_ends_where_a_liquidation_ends() {
    for live_s in [0, 300, 1_800] {
        let mut world = world();
        let trader = mixed(&mut world);
        let prices = [1.0, 118.0, 64_000.0, 3_400.0];
        world.set_clock(trader.margin, &[], &[]).expect("started");
        world.live(prices, live_s).expect("prices");
        let bidder = rich(&mut world);
        let before = world.health(&trader);
        world
            .take_over(&bidder, trader.margin, ALL, &[], &[])
            .expect("a bid");
        let found = world.assess(&trader.margin).expect("health").maintenance;
        assert!(found.health().0 > before);
        let end = found.requirement.0 + found.requirement.0 / 20;
        let past = found.equity.0 - end;
        // A sixteenth of the buffer short of it at most.
        assert!(past >= -(found.requirement.0 / 320) - 1, "{past} {found:?}");
        assert!(past <= 150_000 + 640_000, "{past} {found:?}");
        expect_error(
            world.take_over(&bidder, trader.margin, ALL, &[], &[]),
            KeelError::NotLiquidatable,
        );
        assert_eq!(world.auction_started(&trader.margin), 0);
        check_books(&world, &[&trader, &bidder]);
    }
}

/// 8.3: where the bidder holds the opposite, both net, and the totals of banks and markets change: their
/// ledgers must be there. Others may be, and stay as they are.
#[test]
fn a_ledger_that_changes_must_be_passed() {
    let mut world = world();
    let trader = mixed(&mut world);
    let bidder = rich(&mut world);
    world.open(&bidder, Asset::Sol, -100_000).expect("a short");
    let bid = |world: &mut World, banks: &[Asset], markets: &[Asset]| {
        world.take_over(&bidder, trader.margin, 100_000, banks, markets)
    };
    expect_error(bid(&mut world, &[], &[]), KeelError::MissingLedger);
    expect_error(
        bid(&mut world, &[Asset::Sol], &[Asset::Btc]),
        KeelError::MissingLedger,
    );
    let longs = world.market(Asset::Sol).open_interest_long;
    let others = [world.market(Asset::Btc), world.market(Asset::Eth)];
    let idle = [Asset::Btc, Asset::Sol, Asset::Eth];
    bid(&mut world, &[Asset::Eth, Asset::Sol], &idle).expect("with it");
    assert_eq!(world.market(Asset::Sol).open_interest_long, longs - 15_000);
    assert_eq!(
        bytemuck::bytes_of(&world.market(Asset::Btc)),
        bytemuck::bytes_of(&others[0])
    );
    assert_eq!(
        bytemuck::bytes_of(&world.market(Asset::Eth)),
        bytemuck::bytes_of(&others[1])
    );
    check_books(&world, &[&trader, &bidder]);
}

/// 8.3: so must the bank of a token that one owes and the other holds, and the quote's always.
#[test]
fn a_bank_that_changes_must_be_passed() {
    let mut world = world();
    let trader = fallen(&mut world);
    let bidder = rich(&mut world);
    let lender = rich(&mut world);
    for trader in [&lender, &bidder] {
        world
            .deposit(trader, Asset::Eth, 1_000_000_000)
            .expect("ETH");
    }
    world.owe(&trader, Asset::Eth, 10_000_000);
    expect_error(
        world.take_over(&bidder, trader.margin, 100_000, &[], &[]),
        KeelError::MissingLedger,
    );
    world
        .take_over(&bidder, trader.margin, 100_000, &[Asset::Eth], &[])
        .expect("with the bank");
    assert_eq!(world.row(&trader.margin).shares(3), -9_000_000);
    assert_eq!(world.row(&bidder.margin).shares(3), 999_000_000);
    check_books(&world, &[&trader, &bidder, &lender]);

    let pair = (trader.margin, bidder.margin);
    let bid = instruction::take_over(&world.keys, bidder.owner(), pair, 1_000, &[], &[]);
    let mut without = bid.clone();
    without.accounts.truncate(4);
    expect_error(
        world.send(without, &[&bidder.key]),
        KeelError::WrongAccountCount,
    );
    let mut other = bid;
    let mint = world.token(Asset::Eth).mint;
    other.accounts[4].pubkey = keel_sdk::address::bank(&world.keys.group, &mint);
    expect_error(
        world.send(other, &[&bidder.key]),
        KeelError::NotTheQuoteBank,
    );
}

/// 8.5: a position that its side shrank since it was written is brought up to date first: its market
/// must be there, for the bidder's as for the account's.
#[test]
fn a_position_of_a_shrunk_side_needs_its_market() {
    for of_bidder in [false, true] {
        let mut world = world();
        let trader = fallen(&mut world);
        let bidder = rich(&mut world);
        world.open(&bidder, Asset::Sol, 1_000).expect("a long");
        let shrunk = KEEP_ONE - (KEEP_ONE >> 10);
        let address = keel_sdk::address::market(&world.keys.group, 0);
        world.edit::<Market>(&address, |market| market.keep_long = shrunk);
        let book = world.keys.risk_book;
        world.edit::<RiskBook>(&book, |book| {
            book.instruments[0].keep_long = shrunk;
            book.shrunk = 1;
        });
        // The other of the two was written since.
        let fresh = if of_bidder { &trader } else { &bidder };
        world.edit_positions(&fresh.margin, |positions| positions[0].keep = shrunk);
        expect_error(
            world.take_over(&bidder, trader.margin, 1_000, &[], &[]),
            KeelError::MissingLedger,
        );
    }
}

/// 8.3: the bidder pays out of the quote that he holds, and ends at Initial.
#[test]
fn a_bidder_pays_and_carries_what_he_takes() {
    let mut world = world();
    let trader = fallen(&mut world);
    let weak = world.trader_with(1_000).expect("a weak bidder");
    expect_error(
        world.take_over(&weak, trader.margin, ALL, &[], &[]),
        KeelError::BelowInitial,
    );
    world
        .take_over(&weak, trader.margin, 50_000, &[], &[])
        .expect("what he can carry");
    let found = world.assess(&weak.margin).expect("health");
    assert!(found.initial.health().0 >= 0);
}

/// 8.3: he borrows nothing for it, whatever else he holds.
#[test]
fn a_bidder_without_quote_does_not_borrow_it() {
    let mut world = world();
    let trader = mixed(&mut world);
    let bidder = world.trader().expect("a bidder");
    world
        .deposit(&bidder, Asset::Eth, 10_000_000_000)
        .expect("a hundred ETH");
    expect_error(
        world.take_over(&bidder, trader.margin, 100_000, &[], &[]),
        KeelError::InsufficientDeposit,
    );
    world
        .deposit(&bidder, Asset::Usdc, 1_000_000_000)
        .expect("quote");
    world
        .take_over(&bidder, trader.margin, 100_000, &[], &[])
        .expect("a bid");
}

#[test]
fn a_bid_for_nothing_is_refused() {
    let mut world = world();
    let trader = fallen(&mut world);
    let bidder = rich(&mut world);
    expect_error(
        world.take_over(&bidder, trader.margin, 0, &[], &[]),
        KeelError::ShareTooSmall,
    );
}

/// 8.3: an isolated bidder takes no position outside his markets.
#[test]
fn an_isolated_bidder_takes_nothing_outside_his_markets() {
    let mut world = world();
    let trader = fallen(&mut world);
    let owner = rich(&mut world);
    for (sub_id, markets) in [(1, [1 << market(Asset::Btc), 0]), (2, [1, 0])] {
        let isolated = world
            .account_with(&owner.key, sub_id, Some(markets), None)
            .expect("an account");
        world
            .deposit(&isolated, Asset::Usdc, 100_000_000_000)
            .expect("quote");
        let bid = world.take_over(&isolated, trader.margin, 10_000, &[], &[]);
        if sub_id == 1 {
            expect_error(bid, KeelError::NotInMarkets);
        } else {
            bid.expect("SOL is one of his");
        }
    }
}

/// Two accounts of one owner, on opposite sides, after a fall that leaves the long one without equity.
fn opposite(world: &mut World) -> (Trader, Trader) {
    let long = world.trader_with(6_000).expect("the long");
    let short = world.sub_account(&long.key, 1).expect("the short");
    world
        .deposit(&short, Asset::Usdc, 6_000_000_000)
        .expect("quote");
    world.open(&long, Asset::Sol, 200_000).expect("long");
    world.open(&short, Asset::Sol, -200_000).expect("short");
    reprice(world, [1.0, 118.0, 64_000.0, 3_400.0]);
    assert!(world.value(&long) < 0);
    (long, short)
}

/// 8.3, 8.6. The hole: one owner on both sides of a market lets one account go bankrupt and bids for it
/// with the other: the insurance pays him for closing against himself. At the auction's start it pays
/// what is missing and no premium, so that nobody gains; and a quarter of it a day at most, whoever
/// asks and however often.
#[test]
fn insurance_is_not_farmed_by_two_opposite_accounts() {
    let mut world = world();
    let (long, short) = opposite(&mut world);
    world.set_insurance(Asset::Usdc, 2_000_000_000);
    let missing = -world.value(&long);
    let (of, by) = (world.value(&long), world.value(&short));
    world
        .take_over(&short, long.margin, 400_000, &[], &[Asset::Sol])
        .expect("two fifths");
    let paid = 2_000_000_000 - world.bank(Asset::Usdc).insurance as i64;
    assert!((paid - missing * 2 / 5).abs() <= 1, "{paid} {missing}");
    let (won, relieved) = (world.value(&short) - by, world.value(&long) - of);
    assert!(won.abs() <= 4, "the bidder gains nothing: {won}");
    assert!((won + relieved - paid).abs() <= 4);

    // With each bid the rest of the quarter shrinks, and more is refused until the day is over.
    let mut total = paid;
    for _ in 0..20 {
        let held = world.bank(Asset::Usdc).insurance as i64;
        let bid = world.take_over(&short, long.margin, 100_000, &[], &[Asset::Sol]);
        if bid.is_err() {
            break;
        }
        total += held - world.bank(Asset::Usdc).insurance as i64;
    }
    assert!(total <= 500_000_000, "{total}");
    check_books(&world, &[&long, &short]);
}

/// 8.6: the quarter is counted from the window's start; a day later it is a new one.
#[test]
fn insurance_pays_a_quarter_a_day() {
    let mut world = world();
    let (long, short) = opposite(&mut world);
    let missing = (-world.value(&long)).unsigned_abs();
    // A quarter of it covers three fifths of what is missing.
    world.set_insurance(Asset::Usdc, missing * 12 / 5);
    let bid =
        |world: &mut World, share| world.take_over(&short, long.margin, share, &[], &[Asset::Sol]);
    expect_error(bid(&mut world, 700_000), KeelError::InsuranceCap);
    bid(&mut world, 500_000).expect("a half");
    expect_error(bid(&mut world, 400_000), KeelError::InsuranceCap);
    let used = world.bank(Asset::Usdc).insurance_used;
    assert!((used as i64 - missing as i64 / 2).abs() <= 2, "{used}");
    let fallen = [1.0, 118.0, 64_000.0, 3_400.0];
    world.vm.pass(INSURANCE_WINDOW_S);
    for _ in 0..2 {
        world.vm.pass(1);
        world.set_prices(fallen).expect("prices");
    }
    bid(&mut world, 400_000).expect("the next day");
    check_books(&world, &[&long, &short]);
}

/// 8.3: where there is no equity left the premium rises with the auction, up to half of the requirement
/// that is taken over.
#[test]
fn the_premium_rises_until_somebody_bids() {
    let gain = |live_s: u64| {
        let mut world = world();
        let (long, _) = opposite(&mut world);
        let bidder = rich(&mut world);
        world.set_insurance(Asset::Usdc, 1_000_000_000_000);
        world.set_clock(long.margin, &[], &[]).expect("started");
        world
            .live([1.0, 118.0, 64_000.0, 3_400.0], live_s)
            .expect("prices");
        let requirement = world
            .assess(&long.margin)
            .expect("health")
            .maintenance
            .requirement
            .0;
        let before = world.value(&bidder);
        world
            .take_over(&bidder, long.margin, 100_000, &[], &[])
            .expect("a bid");
        (world.value(&bidder) - before) as f64 / (requirement / 10) as f64
    };
    for (live_s, expected) in [(0, 0.0), (900, 0.25), (1_800, 0.5), (2_400, 0.5)] {
        let found = gain(live_s);
        assert!((found - expected).abs() < 1e-3, "{live_s}: {found}");
    }
}

/// I5: taking over and being taken over by turns gains nothing, neither to the one nor to the other.
#[test]
fn bids_by_turns_gain_nothing() {
    let mut world = world();
    let trader = mixed(&mut world);
    let bidder = rich(&mut world);
    let both = world.value(&trader) + world.value(&bidder);
    for share in [1, 7, 333, 12_345, 50_000] {
        let by = world.value(&bidder);
        if world
            .take_over(&bidder, trader.margin, share, &[], &[])
            .is_err()
        {
            // Too small a share moves nothing that raises health.
            continue;
        }
        assert!(world.value(&bidder) - by <= 4);
        assert!(world.value(&trader) + world.value(&bidder) <= both);
    }
    assert!(world.value(&trader) + world.value(&bidder) >= both - 40);
    check_books(&world, &[&trader, &bidder]);
}

/// 8.3: after a share was taken over a leg may be liquidated, and the other way round: one auction.
#[test]
fn bids_and_steps_share_one_auction() {
    let mut world = world();
    let trader = fallen(&mut world);
    let bidder = rich(&mut world);
    world
        .take_over(&bidder, trader.margin, 1_000, &[], &[])
        .expect("a bid");
    let started = world.auction_started(&trader.margin);
    assert!(started > 0);
    world.live(FALLEN, 60).expect("prices");
    let sol = TakenLeg::Position {
        market: market(Asset::Sol),
    };
    world
        .take(&bidder, trader.margin, sol, 1_000)
        .expect("a step");
    assert_eq!(world.auction_started(&trader.margin), started);
    world.move_prices(PRICES).expect("prices");
    check_books(&world, &[&trader, &bidder]);
}
