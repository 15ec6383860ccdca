//! 3.4, 4.4, 7.1 to 7.3, I13: interest and funding, and what is published of them.

use core::mem::offset_of;

use keel::errors::KeelError;
use keel_risk::Index48;
use keel_sdk::{AccountMeta, address, instruction};
use keel_state::{AssetEntry, Market, RiskBook};
use keel_tests::{Asset, Trader, World, expect_error, market};

const SOL: u64 = 1_000_000_000;

/// Half of 1,000 SOL lent out, and all published.
fn lent() -> (World, Trader, Trader) {
    let mut world = World::new().expect("a world");
    let lender = world.trader().expect("a lender");
    world
        .deposit(&lender, Asset::Sol, 1_000 * SOL)
        .expect("deposit");
    let borrower = world.trader_with(1_000_000).expect("a borrower");
    world.accrue_all().expect("accrue");
    world
        .borrow(&borrower, Asset::Sol, 500 * SOL)
        .expect("borrow");
    world.accrue_all().expect("accrue");
    (world, lender, borrower)
}

/// A market whose traders are long by `skew` lots of a scale of 100,000, its rate within 2% a day.
fn skewed(skew: i64) -> World {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(100_000).expect("a trader");
    world.open(&trader, Asset::Sol, skew).expect("open");
    world.accrue_all().expect("accrue");
    let fields: [(usize, Vec<u8>); 5] = [
        (offset_of!(Market, skew), skew.to_le_bytes().to_vec()),
        (
            offset_of!(Market, skew_scale),
            100_000u64.to_le_bytes().to_vec(),
        ),
        (
            offset_of!(Market, max_funding),
            20_000u32.to_le_bytes().to_vec(),
        ),
        (
            offset_of!(Market, funding_velocity),
            100_000u32.to_le_bytes().to_vec(),
        ),
        (
            offset_of!(Market, skew_updated),
            world.vm.now().to_le_bytes().to_vec(),
        ),
    ];
    let address = address::market(&world.keys.group, market(Asset::Sol));
    for (offset, bytes) in fields {
        world.patch(address, 8 + offset, &bytes);
    }
    world
}

fn long_carry(market: &Market) -> i128 {
    market.ledger().long.carry.0
}

fn balanced(world: &mut World) {
    let (_, failed) = world.conservation().expect("a check");
    assert_eq!(failed, 0, "the books do not balance");
}

/// 7.1: what borrowers are charged goes to depositors and the insurance, to the unit; the copy is the
/// ledger.
#[test]
fn depositors_get_what_borrowers_are_charged() {
    let (mut world, lender, borrower) = lent();
    world.vm.pass(30 * 86_400);
    world.accrue(&[Asset::Sol], &[]).expect("accrue");
    let bank = world.bank(Asset::Sol);
    let charged = bank.ledger().borrows() - 500 * SOL;
    // 3.125% a year for 30 of 365 days, compounded: 1.2875.. SOL.
    assert!(
        (1_285_890_000..1_285_920_000).contains(&charged),
        "{charged}"
    );
    let earned = bank.total_deposits() - 1_000 * SOL;
    assert_eq!(bank.insurance, charged.div_ceil(10));
    let dust = charged - bank.insurance - earned;
    assert_eq!(dust, bank.dust);
    assert!(dust < 10, "{dust}");
    balanced(&mut world);

    let entry = world.with_book(|book| book.rates[1]).expect("a book");
    assert_eq!(entry.deposit_index, bank.deposit_index);
    assert_eq!(entry.borrow_index, bank.borrow_index);
    assert_eq!(
        (entry.total_deposits, entry.total_borrows),
        (bank.total_deposits(), 500 * SOL + charged)
    );
    assert_eq!(entry.updated, world.vm.now());
    assert_eq!(entry.borrow_rate, bank.borrow_rate);
    assert!(entry.deposit_rate < entry.borrow_rate / 2 && entry.deposit_rate > 0);

    // Both leave with it.
    world.refresh().expect("prices");
    world
        .deposit(&borrower, Asset::Sol, 510 * SOL)
        .expect("repaid");
    world
        .withdraw(&borrower, Asset::Sol, u64::MAX)
        .expect("the rest");
    world
        .withdraw(&lender, Asset::Sol, u64::MAX)
        .expect("with its interest");
    let got = world.wallet(lender.owner(), Asset::Sol);
    assert!(got >= 1_000 * SOL + earned, "{got}");
    let bank = world.bank(Asset::Sol);
    assert_eq!((bank.deposit_shares, bank.borrow_shares), (0, 0));
    assert_eq!(bank.tracked, bank.insurance + bank.dust);
    balanced(&mut world);
}

/// 4.1: between two accruals a borrow is judged at its rate, so that nobody looks healthier for the
/// crank's sleep.
#[test]
fn a_borrow_is_judged_at_its_rate_until_now() {
    let (mut world, _, borrower) = lent();
    world.vm.pass(3_500);
    world.refresh().expect("prices");
    let slept = world.report(borrower.margin).expect("a report");
    world.accrue(&[Asset::Sol], &[]).expect("accrue");
    let fresh = world.report(borrower.margin).expect("a report");
    let (before, after) = (slept.health_initial(), fresh.health_initial());
    assert!(
        before <= after && after - before < 1_000,
        "{before} {after}"
    );
}

/// 7.3, the hole: whoever accrues every second makes every increment too small to be written. Interest
/// that is too little is kept and charged later.
#[test]
fn interest_rounded_away_by_cranking_every_slot() {
    let [often, once] = [true, false].map(|often| {
        let (mut world, _, _) = lent();
        for _ in 0..1_800 {
            world.vm.pass(1);
            if often {
                world.accrue(&[Asset::Sol], &[]).expect("accrue");
            }
        }
        world.accrue(&[Asset::Sol], &[]).expect("accrue");
        balanced(&mut world);
        world.bank(Asset::Sol)
    });
    let grown = |index: u64| index - Index48::ONE.0;
    let (often, once) = (grown(often.borrow_index), grown(once.borrow_index));
    assert!(once > 1 << 28, "{once}");
    assert!(often.abs_diff(once) <= once / 4_000, "{often} and {once}");
    assert!(often >= once, "in the protocol's favour");
}

/// 7.2, 7.3, the hole: the same of funding.
#[test]
fn funding_rounded_away_by_cranking_every_slot() {
    let [often, once] = [true, false].map(|often| {
        let mut world = skewed(50_000);
        for step in 1..=1_800 {
            world.vm.pass(1);
            if step % 30 == 0 {
                world.refresh().expect("prices");
            }
            if often {
                world.accrue(&[], &[Asset::Sol]).expect("accrue");
            }
        }
        world.accrue(&[], &[Asset::Sol]).expect("accrue");
        balanced(&mut world);
        long_carry(&world.market(Asset::Sol))
    });
    assert!(once > 0, "longs pay");
    assert!(
        often.abs_diff(once) <= once.unsigned_abs() / 400,
        "{often} and {once}"
    );
}

/// 7.2: longs pay what shorts receive, and both see it in their equity at once.
#[test]
fn funding_is_paid_by_the_crowded_side() {
    let mut world = skewed(50_000);
    let pool = address::pool_margin(&world.keys.group, &world.pool);
    let equity = |world: &mut World| world.report(pool).expect("report").maintenance_equity;
    world.refresh().expect("prices");
    let before = equity(&mut world);
    for _ in 0..24 {
        world.vm.pass(3_599);
        world.refresh().expect("prices");
        world.accrue(&[], &[Asset::Sol]).expect("accrue");
    }
    let ledger = world.market(Asset::Sol);
    let entry = world.with_book(|book| book.instruments[0]).expect("a book");
    assert_eq!(
        (entry.carry_long, entry.carry_short),
        (ledger.carry_long, ledger.carry_short)
    );
    // Half of a scale for a day turns 10% a day into 5% of a rate, capped at 2%: above 1% was paid.
    let paid = equity(&mut world) - before;
    assert!(paid > 78_000_000, "{paid} of 7,840,000,000");
    balanced(&mut world);
}

/// 2.6: funding accrues at a doubtful price, waits at a stale one; interest needs none.
#[test]
fn a_market_on_a_stale_price_is_skipped() {
    let mut world = skewed(50_000);
    world.vm.pass(61);
    let before = world.data(&address::market(&world.keys.group, 0));
    world
        .accrue(&Asset::ALL, &Asset::TRADED)
        .expect("skipped, not refused");
    assert_eq!(before, world.data(&address::market(&world.keys.group, 0)));
    let bank = world.bank(Asset::Sol);
    assert_eq!(bank.last_accrual, world.vm.now());

    // A jump that waits: the price of before still counts, at its bounds.
    world.refresh().expect("prices");
    world.vm.pass(1);
    world
        .set_prices([1.0, 200.0, 64_000.0, 3_400.0])
        .expect("prices");
    let now = world.vm.now();
    let tier = world.with_book(|book| book.assets[1].tier(now));
    assert_eq!(tier, Some(keel_risk::Tier::Diverged));
    world.accrue(&[], &[Asset::Sol]).expect("accrue");
    let accrued = world.market(Asset::Sol);
    assert_eq!(accrued.last_accrual, now);
    assert!(long_carry(&accrued) > 0);
}

/// I13: a second crank of the same second changes nothing, and two that share nothing may come in any
/// order.
#[test]
fn repeating_an_accrual_changes_nothing() {
    let (mut world, _, _) = lent();
    world.vm.pass(1_000);
    world.refresh().expect("prices");
    let all = |world: &World| {
        let banks = Asset::ALL.map(|asset| world.bank_address(asset));
        let markets = [0, 1, 2].map(|index| address::market(&world.keys.group, index));
        let addresses = banks.into_iter().chain(markets);
        let mut bytes: Vec<Vec<u8>> = addresses.map(|key| world.data(&key)).collect();
        bytes.push(world.book_data());
        bytes
    };
    world.accrue_all().expect("accrue");
    let once = all(&world);
    world.accrue_all().expect("again");
    assert!(once == all(&world), "a repetition changed something");

    let order = |first: usize| {
        let (mut world, _, _) = lent();
        world.vm.pass(1_000);
        world.refresh().expect("prices");
        let parts = [
            (&[Asset::Usdc, Asset::Sol][..], &[Asset::Btc][..]),
            (&[Asset::Btc, Asset::Eth][..], &[Asset::Sol, Asset::Eth][..]),
        ];
        for part in [parts[first], parts[1 - first]] {
            world.accrue(part.0, part.1).expect("accrue");
        }
        let mut bytes = all(&world);
        let book = bytes.pop().expect("the book");
        let sequence = 8 + offset_of!(RiskBook, sequence);
        (
            bytes,
            book[..sequence].to_vec(),
            book[sequence + 8..].to_vec(),
        )
    };
    assert!(order(0) == order(1), "the order shows");
}

/// 3.4: open interest beyond its soft cap makes new risk dearer, as soon as it is published.
#[test]
fn crowded_assets_ask_for_more_initial() {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(100_000).expect("a trader");
    world.open(&trader, Asset::Sol, 100_000).expect("open");
    let entry = offset_of!(RiskBook, assets) + size_of::<AssetEntry>();
    let cap = 8 + entry + offset_of!(AssetEntry, oi_soft_cap);
    // 100 SOL at 156.797.. are $15,680, and the soft cap is half of it.
    world.patch(world.keys.risk_book, cap, &7_839_884_549i64.to_le_bytes());
    world.refresh().expect("prices");
    let factor = |world: &World| {
        let entry = world.with_book(|book| book.assets[1]).expect("a book");
        (
            entry.open_interest,
            entry.oi_factor,
            entry.init_factor_effective,
        )
    };
    assert_eq!(factor(&world), (0, 1_000_000, 1_500_000));
    let before = world.report(trader.margin).expect("a report");
    world.accrue(&[], &[Asset::Sol]).expect("accrue");
    let (lots, times, effective) = factor(&world);
    assert_eq!(lots, 100_000);
    // Twice the cap at a slope of a half: one and a half.
    assert!((1_500_000..=1_500_001).contains(&times), "{times}");
    assert!((2_250_000..=2_250_002).contains(&effective), "{effective}");
    let after = world.report(trader.margin).expect("a report");
    assert!(after.health_initial() < before.health_initial());
    // But for the funding of the moment.
    let moved = after
        .health_maintenance()
        .abs_diff(before.health_maintenance());
    assert!(moved <= 2, "{moved}");
    world.close(&trader, Asset::Sol, -100_000).expect("close");
    world.accrue(&[], &[Asset::Sol]).expect("accrue");
    assert_eq!(factor(&world), (0, 1_000_000, 1_500_000));
}

/// 4.4: beyond its start a bank's deposits weigh less, all together as much as at the start.
#[test]
fn a_large_bank_weighs_less_at_initial() {
    let mut world = World::with(|config| config.tokens[1].lending.weight_scale_start = 1_000 * SOL)
        .expect("a world");
    let whale = world.trader().expect("a whale");
    world
        .deposit(&whale, Asset::Sol, 3_000 * SOL)
        .expect("deposit");
    let weight = |world: &World| {
        let entry = world.with_book(|book| book.rates[1]).expect("a book");
        (entry.init_asset_weight, entry.maint_asset_weight)
    };
    assert_eq!(weight(&world), (900_000, 950_000));
    world.accrue(&[Asset::Sol], &[]).expect("accrue");
    assert_eq!(weight(&world), (300_000, 950_000));
    world
        .withdraw(&whale, Asset::Sol, 1_500 * SOL)
        .expect("half of it");
    world.accrue(&[Asset::Sol], &[]).expect("accrue");
    assert_eq!(weight(&world), (600_000, 950_000));
    world
        .withdraw(&whale, Asset::Sol, 1_000 * SOL)
        .expect("more");
    world.accrue(&[Asset::Sol], &[]).expect("accrue");
    assert_eq!(weight(&world), (900_000, 950_000));
}

/// Ledgers of one group, each once, and as many as is said.
#[test]
fn accrue_refuses_wrong_ledgers() {
    let mut world = World::new().expect("a world");
    let other = world.second_group(2).expect("another group");
    let mint = world.token(Asset::Sol).mint;
    let (ours, accrue) = (world.keys, instruction::accrue);

    let twice = accrue(&ours, &[mint, mint], &[]);
    expect_error(world.send(twice, &[]), KeelError::DuplicateLedger);
    let twice = accrue(&ours, &[], &[1, 1]);
    expect_error(world.send(twice, &[]), KeelError::DuplicateLedger);
    let mut few = accrue(&ours, &[mint], &[]);
    few.accounts.pop();
    expect_error(world.send(few, &[]), KeelError::WrongAccountCount);
    for theirs in [accrue(&other, &[mint], &[]), accrue(&other, &[], &[0])] {
        let mut mixed = theirs;
        mixed.accounts[0] = AccountMeta::new(world.keys.risk_book, false);
        expect_error(world.send(mixed, &[]), KeelError::OtherGroup);
    }
    let nothing = accrue(&ours, &[], &[]);
    let before = world.book_data();
    world.send(nothing, &[]).expect("nothing to do");
    assert_eq!(before, world.book_data());
}
