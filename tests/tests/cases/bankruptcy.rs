//! Who pays when an account is bankrupt (margin-spec 8.6; I1, I2): what it still has, the market's
//! insurance, the group's, the other side; of a borrow the insurance and the depositors.

use keel::errors::KeelError;
use keel_sdk::instruction::{self, Part};
use keel_sdk::{AccountMeta, address};
use keel_tests::{Asset, KeptBooks, Trader, World, expect_error, market};

use crate::backstop::{GONE, Stage, uninsured};
use crate::mutations::{Area, Case, Tally, judge_all};
use crate::trading::PRICES;

/// Alice after the backstop: nothing but quote, and what she lost of it in SOL.
fn ruined() -> Stage {
    let mut stage = Stage::unbid(5_000, GONE);
    while stage.sizes()[1] != 0 {
        stage.take(u64::MAX).expect("a part");
    }
    assert!(stage.value(&stage.alice) < -1_900_000_000);
    stage
}

impl Stage {
    fn resolve(&mut self) {
        let alice = self.alice.margin;
        let resolved = self.world.resolve_market(alice, Asset::Sol);
        resolved.expect("a resolution");
    }

    fn books(&self) -> KeptBooks {
        self.world.kept_books(Asset::Sol, &self.traders())
    }

    fn quote(&self) -> i64 {
        self.world.row(&self.alice.margin).position(0).1
    }
}

/// What F took from a side of so many lots, atoms, floor.
fn charged(before: &KeptBooks, after: &KeptBooks) -> i128 {
    let lots = i128::from(after.short.open_interest);
    ((before.short.carry - after.short.carry) * lots) >> 48
}

/// 8.6: what she has covers what it can; a quarter of the market's insurance, a quarter of the group's,
/// and the shorts, who won it, bear the rest: to the atom, and exactly what she lacked.
#[test]
fn haircuts_sum_to_the_deficit_exactly() {
    let mut stage = ruined();
    stage.world.set_insurance(Asset::Usdc, 800_000_000);
    let (before, quote) = (stage.books(), stage.quote());
    let lacking = -stage.value(&stage.alice);
    let bank = stage.world.bank(Asset::Usdc);
    stage.resolve();

    let (after, paid) = (stage.books(), stage.world.bank(Asset::Usdc));
    let market = i128::from(before.insurance - after.insurance);
    let group = i128::from(bank.insurance - paid.insurance);
    assert_eq!(market, i128::from(before.insurance / 4));
    assert_eq!(group, 200_000_000);
    assert_eq!(
        market + group + charged(&before, &after),
        i128::from(lacking)
    );
    // Her deposit stays, with the group's part, against as much of her result.
    assert_eq!(stage.value(&stage.alice), 0);
    let (left, shares) = (
        stage.quote(),
        stage.world.row(&stage.alice.margin).shares(0),
    );
    assert_eq!((-left, left - quote), (shares, lacking - 200_000_000));
    assert_eq!(stage.world.conservation().expect("conservation"), (7, 0));
    let again = stage.world.resolve_market(stage.alice.margin, Asset::Sol);
    expect_error(again, KeelError::NotBankrupt);
}

/// 8.6, I1: at an index that interest has moved, whatever fraction of an atom all deposits come to, the
/// group's part is paid: its insurance pays what the new shares are worth, ceil.
#[test]
fn the_groups_part_is_paid_at_any_index() {
    let mut stage = ruined();
    stage.world.set_insurance(Asset::Usdc, 800_000_000);
    stage.world.edit_bank(Asset::Usdc, |bank| {
        bank.deposit_index += 88_733;
        bank.tracked = bank.ledger().owed();
    });
    stage.world.accrue_all().expect("published");
    let (bob, alice) = (stage.bob.margin, stage.alice.margin);
    let part = Part::Market(market(Asset::Sol));
    let resolve = instruction::resolve_bankruptcy(&stage.world.keys, alice, part);
    for _ in 0..16 {
        let paid = stage.world.vm.simulate(std::slice::from_ref(&resolve), &[]);
        paid.expect("a resolution");
        let token = stage.world.token(Asset::Usdc);
        stage
            .world
            .give(stage.bob.owner(), Asset::Usdc, 271_828_183);
        let deposit = instruction::deposit(
            &stage.world.keys,
            stage.bob.owner(),
            bob,
            token,
            271_828_183,
        );
        stage.world.send(deposit, &[&stage.bob.key]).expect("more");
    }
    stage.resolve();
    assert!((0..=1).contains(&stage.value(&stage.alice)));
    assert_eq!(stage.world.conservation().expect("conservation"), (7, 0));
}

/// 8.6: token lenders never pay a derivative's loss: no bank's index moves, however large the deficit.
#[test]
fn lenders_are_senior_to_derivatives() {
    let mut stage = ruined();
    let indices = |world: &World| Asset::ALL.map(|asset| world.bank(asset).deposit_index);
    let before = indices(&stage.world);
    let deposits = stage.world.bank(Asset::Usdc).deposit_shares;
    stage.resolve();
    assert_eq!(indices(&stage.world), before);
    assert_eq!(stage.world.bank(Asset::Usdc).deposit_shares, deposits);
    assert_eq!(stage.value(&stage.alice), 0);
}

/// 8.6: each insurance pays a quarter of what it held when its day began, and no more until the next.
#[test]
fn insurance_pays_a_quarter_a_day() {
    let mut stage = ruined();
    let insurance = 8 + 168;
    let address = address::market(&stage.world.keys.group, market(Asset::Sol));
    // Insurance for fees: the market's ledger balances as before.
    let fees = stage.books().fees;
    let held = stage.books().insurance;
    stage
        .world
        .patch(address, insurance, &(held + fees).to_le_bytes());
    stage
        .world
        .patch(address, insurance - 8, &0i64.to_le_bytes());
    // What the other side can bear.
    let (from, to) = (stage.alice.margin, stage.bob.margin);
    stage.world.shift_result(from, 0, 1_500_000_000);
    stage.world.shift_result(to, 0, -1_500_000_000);
    let before = stage.books();
    stage.resolve();
    let quarter = before.insurance / 4;
    assert_eq!(before.insurance - stage.books().insurance, quarter);
    assert_eq!(
        stage.world.market(Asset::Sol).insurance_used as i64,
        quarter
    );

    // She owes again what the market wrote off; a second deficit of the day finds nothing there.
    for (hours, more) in [(23, 0), (1, (before.insurance - quarter) / 4)] {
        stage.world.vm.pass(hours * 3_600);
        stage.world.live(GONE, 20).expect("prices");
        stage.world.shift_result(from, 0, -300_000_000);
        stage.world.shift_result(to, 0, 300_000_000);
        let before = stage.books().insurance;
        stage.resolve();
        assert_eq!(before - stage.books().insurance, more, "{hours}");
    }
}

/// 8.6, 7.4: resolution reopens the market, and wipes what the account was marked with.
#[test]
fn resolution_clears_halts_and_marks() {
    let mut stage = ruined();
    assert!(stage.world.market(Asset::Sol).halted_until > stage.world.vm.now());
    assert!(
        stage
            .world
            .margin_account(&stage.alice.margin)
            .deficit_found_at
            > 0
    );
    stage.resolve();
    assert_eq!(stage.world.market(Asset::Sol).halted_until, 0);
    let alice = stage.world.margin_account(&stage.alice.margin);
    assert_eq!((alice.deficit_found_at, alice.liquidation_started), (0, 0));

    // Another account's later finding stays.
    let mut stage = ruined();
    let later = stage.world.vm.now() + 7_201;
    let address = address::market(&stage.world.keys.group, market(Asset::Sol));
    stage.world.patch(address, 8 + 320, &later.to_le_bytes());
    assert_eq!(stage.world.market(Asset::Sol).halted_until, later);
    stage.resolve();
    assert_eq!(stage.world.market(Asset::Sol).halted_until, later);
}

/// Longs of SOL, BTC and ETH without size, each with a negative result against the pool, a borrow of SOL
/// and of BTC: as auctions and backstop leave it.
fn in_five_ledgers() -> (World, Trader) {
    let mut world = uninsured(100_000);
    let lender = world.trader().expect("a lender");
    for (asset, units) in [(Asset::Sol, 50_000_000_000), (Asset::Btc, 100_000_000)] {
        world.deposit(&lender, asset, units).expect("a deposit");
    }
    let trader = world.trader_with(20_000).expect("a trader");
    let sizes = [
        (Asset::Sol, 100_000),
        (Asset::Btc, 20_000),
        (Asset::Eth, 30_000),
    ];
    for (asset, lots) in sizes {
        world.open(&trader, asset, lots).expect("open");
        world.close(&trader, asset, -lots / 2).expect("close");
        world.close(&trader, asset, -lots / 2).expect("close");
    }
    // Others hold the other side of what the pool has.
    let others = world.trader_with(50_000).expect("a trader");
    for (asset, lots) in sizes {
        world.open(&others, asset, lots).expect("open");
    }
    let pool = address::pool_margin(&world.keys.group, &world.pool);
    for (slot, loss) in [7_000_000_000i64, 4_000_000_000, 9_000_000_001]
        .into_iter()
        .enumerate()
    {
        world.shift_result(trader.margin, slot, -loss);
        world.shift_result(pool, slot, loss);
    }
    world.lend(&trader, Asset::Sol, 20_000_000_000);
    world.lend(&trader, Asset::Btc, 3_000_000);
    // What is left of the deposit is not worth taking.
    world.spend_all_but(&trader, 700_000);
    world.live(PRICES, 20).expect("prices");
    (world, trader)
}

/// 8.6: five ledgers, every order in which they can be resolved gives each the same loss, to the atoms of
/// rounding, and leaves the account at zero.
#[test]
fn bankruptcy_resolves_in_any_order() {
    let (mut world, trader) = in_five_ledgers();
    let parts = |world: &World| {
        [
            Part::Market(0),
            Part::Market(1),
            Part::Market(2),
            Part::Bank(world.token(Asset::Sol).mint),
            Part::Bank(world.token(Asset::Btc).mint),
        ]
    };
    let state = world.resolvable(&trader);
    let mut found: Vec<Vec<i64>> = Vec::new();
    for order in [
        [0, 1, 2, 3, 4],
        [4, 3, 2, 1, 0],
        [2, 4, 0, 3, 1],
        [3, 0, 4, 1, 2],
    ] {
        for part in order {
            let part = parts(&world)[part];
            let call = instruction::resolve_bankruptcy(&world.keys, trader.margin, part);
            world.vm.send(&[call], &[]).expect("a part");
        }
        let left = world.assess(&trader.margin).expect("health");
        // Less than a unit of BTC is not divided.
        let left = left.net_asset_value.0;
        assert!((0..700).contains(&left), "{order:?}: {left}");
        assert_eq!(world.conservation().expect("conservation"), (7, 0));
        let row = world.row(&trader.margin);
        let mut losses = Vec::new();
        for asset in Asset::TRADED {
            losses.push(row.position(market(asset)).1);
            losses.push(row.shares(asset as u8));
            losses.push((world.bank(asset).deposit_index >> 16) as i64);
            losses.push((world.market(asset).carry_short[0] >> 32) as i64);
        }
        found.push(losses);
        world.put_back(state.clone());
    }
    // Borrows that cents cover are rounded to units of the token, for BTC $0.0006.
    let far = |one: &[i64], other: &[i64]| {
        let pairs = one.iter().zip(other);
        pairs.map(|(one, other)| one.abs_diff(*other)).max()
    };
    for losses in &found {
        assert!(far(losses, &found[0]) <= Some(5_000), "{found:?}");
        assert!(losses[1] < 0 && losses[0] == 0);
    }
}

/// 8.6, I1: a borrow's loss is the insurance's within its cap, then every depositor's by the same share; the index is
/// published at once.
#[test]
fn depositors_bear_a_borrow_after_the_insurance() {
    let (mut world, trader) = in_five_ledgers();
    world.set_insurance(Asset::Sol, 4_000_000_000);
    let mut before = world.bank(Asset::Sol);
    before.bring_to_now(world.vm.now());
    world
        .resolve_bank(trader.margin, Asset::Sol)
        .expect("a part");
    let after = world.bank(Asset::Sol);
    let insured = before.insurance / 4;
    assert_eq!(before.insurance - after.insurance, insured);
    // Covered by the cents of quote, for both borrows together.
    let written = before.borrow_shares - after.borrow_shares;
    assert!(
        (19_990_000_000..20_000_000_000).contains(&written),
        "{written}"
    );
    let fell = before.ledger().deposits() - after.ledger().deposits();
    let missing = before.ledger().borrows() - after.ledger().borrows();
    assert_eq!(fell, missing - insured + after.dust - before.dust);
    let published = world.with_book(|book| book.rates[1].deposit_index);
    assert_eq!(published, Some(after.deposit_index));
    let again = world.resolve_bank(trader.margin, Asset::Sol);
    expect_error(again, KeelError::NothingMissing);
}

/// 8.6: what the group's insurance pays for a market could repay a borrow: lenders come first.
#[test]
fn lenders_come_before_the_groups_part() {
    let (mut world, trader) = in_five_ledgers();
    world.set_insurance(Asset::Usdc, 1_000_000_000);
    let early = world.resolve_market(trader.margin, Asset::Sol);
    expect_error(early, KeelError::LendersFirst);
    for asset in [Asset::Sol, Asset::Btc] {
        world.resolve_bank(trader.margin, asset).expect("a part");
    }
    world
        .resolve_market(trader.margin, Asset::Sol)
        .expect("a part");
    assert_eq!(world.bank(Asset::Usdc).insurance, 750_000_000);
}

/// 8.6: tokens too small to take become that bank's insurance.
#[test]
fn dust_of_tokens_is_swept() {
    let mut stage = ruined();
    let Stage { world, alice, .. } = &mut stage;
    world
        .deposit(alice, Asset::Sol, 8_000_000)
        .expect("92 cents");
    let swept = world.resolve_bank(alice.margin, Asset::Sol);
    swept.expect("a sweep");
    assert_eq!(world.bank(Asset::Sol).insurance, 8_000_000);
    assert_eq!(world.row(&alice.margin).shares(1), 0);
    world
        .deposit(alice, Asset::Sol, 9_000_000)
        .expect("a dollar and more");
    let worth = world.resolve_market(alice.margin, Asset::Sol);
    expect_error(worth, KeelError::NotBankrupt);
}

/// 8.6: lots too small to take pass to the strays, at the mark.
#[test]
fn dust_of_lots_goes_to_the_strays() {
    let mut stage = Stage::unbid(5_000, GONE);
    while stage.sizes()[1] > 8 {
        let left = stage.sizes()[1].unsigned_abs();
        stage.take(left - 8).expect("a part");
    }
    let strays = stage.books().long.stray >> 40;
    stage.resolve();
    let books = stage.books();
    assert_eq!(books.sizes[1], 0);
    assert_eq!(books.long.stray >> 40, strays + 8);
    stage.world.take_strays(Asset::Sol).expect("strays");
    stage.books();
}

/// 8.6: nothing is resolved that is not bankrupt, not owed, or in two ledgers at once.
#[test]
fn one_missing_debt_at_a_time() {
    let mut stage = ruined();
    let (keys, alice) = (stage.world.keys, stage.alice.margin);
    let bob = stage.world.resolve_market(stage.bob.margin, Asset::Sol);
    expect_error(bob, KeelError::NotBankrupt);
    let absent = stage.world.resolve_market(alice, Asset::Btc);
    expect_error(absent, KeelError::NothingToLiquidate);
    let quote = stage.world.resolve_bank(alice, Asset::Usdc);
    expect_error(quote, KeelError::NothingMissing);

    let mint = stage.world.token(Asset::Sol).mint;
    let bank = AccountMeta::new(address::bank(&keys.group, &mint), false);
    let of_market = instruction::resolve_bankruptcy(&keys, alice, Part::Market(0));
    let mut both = of_market.clone();
    both.accounts[4] = bank.clone();
    expect_error(stage.world.send(both, &[]), KeelError::OneLedgerAtATime);
    let mut wrong = of_market.clone();
    wrong.accounts[2] = bank;
    expect_error(stage.world.send(wrong, &[]), KeelError::NotTheQuoteBank);
    let mut twice = instruction::resolve_bankruptcy(&keys, alice, Part::Bank(mint));
    twice.accounts[4].pubkey = address::bank(&keys.group, &keys.quote_mint);
    expect_error(stage.world.send(twice, &[]), KeelError::SameAccount);
}

/// I11: every slot.
#[test]
fn mutations_of_bankruptcy() {
    BANKRUPTCY.judged();
}

pub static BANKRUPTCY: Area = Area::of("bankruptcy", bankruptcy);

fn bankruptcy() -> Tally {
    let (mut world, trader) = in_five_ledgers();
    let keys = world.keys;
    let sol = world.token(Asset::Sol).mint;
    let of = |part| instruction::resolve_bankruptcy(&keys, trader.margin, part);
    let healthy = world.trader_with(100).expect("a trader");
    let other = instruction::resolve_bankruptcy(&keys, healthy.margin, Part::Market(0));
    let cases = vec![
        Case {
            name: "resolve_bankruptcy of a market",
            base: of(Part::Market(0)),
            siblings: vec![("a healthy account", other.clone())],
            signers: vec![],
            allowed: vec![],
        },
        Case {
            name: "resolve_bankruptcy of a bank",
            base: of(Part::Bank(sol)),
            siblings: vec![("a healthy account", other)],
            signers: vec![],
            allowed: vec![],
        },
    ];
    judge_all(&mut world, cases)
}
