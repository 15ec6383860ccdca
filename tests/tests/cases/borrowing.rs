//! 2.6, 2.7, 4.1, 7.1, 7.4, 8.6: what a bank lends, to whom, and what it costs.

use core::mem::offset_of;

use keel::errors::KeelError;
use keel_risk::Index48;
use keel_state::{AssetEntry, Bank, RiskBook};
use keel_tests::{Asset, Trader, World, expect_error};

/// One SOL in native units.
const SOL: u64 = 1_000_000_000;
const PRICES: [f64; 4] = [1.0, 156.797_690_99, 64_000.0, 3_400.0];

/// A world in which `lent` SOL are deposited, and a borrower with a million USDC; all published.
fn lending(lent: u64) -> (World, Trader, Trader) {
    let mut world = World::new().expect("a world");
    let lender = world.trader().expect("a lender");
    world
        .deposit(&lender, Asset::Sol, lent * SOL)
        .expect("deposit");
    let borrower = world.trader_with(1_000_000).expect("a borrower");
    world.accrue_all().expect("accrue");
    (world, lender, borrower)
}

fn balanced(world: &mut World) {
    let (_, failed) = world.conservation().expect("a check");
    assert_eq!(failed, 0, "the books do not balance");
}

/// 7.1, I5: a borrow opens a balance, is repaid first by what comes in, and all of it leaves nothing.
#[test]
fn a_borrow_is_repaid_by_a_deposit() {
    let (mut world, _, borrower) = lending(1_000);
    world
        .borrow(&borrower, Asset::Sol, 100 * SOL)
        .expect("a borrow");
    assert_eq!(world.wallet(borrower.owner(), Asset::Sol), 100 * SOL);
    assert_eq!(
        world.shares(&borrower.margin, Asset::Sol),
        -(100 * SOL as i64)
    );
    let bank = world.bank(Asset::Sol);
    assert_eq!((bank.borrow_shares, bank.tracked), (100 * SOL, 900 * SOL));
    balanced(&mut world);

    // A stranger may repay it too: the slot is open.
    let friend = world.trader().expect("a friend");
    world.give(friend.owner(), Asset::Sol, 40 * SOL);
    let token = world.token(Asset::Sol);
    let repay = keel_sdk::instruction::deposit(
        &world.keys,
        friend.owner(),
        borrower.margin,
        token,
        40 * SOL,
    );
    world.send(repay, &[&friend.key]).expect("repaid");
    assert_eq!(
        world.shares(&borrower.margin, Asset::Sol),
        -(60 * SOL as i64)
    );
    world
        .deposit(&borrower, Asset::Sol, 61 * SOL)
        .expect("the rest and one");
    assert_eq!(world.shares(&borrower.margin, Asset::Sol), SOL as i64);
    world
        .withdraw(&borrower, Asset::Sol, u64::MAX)
        .expect("all");
    assert_eq!(world.shares(&borrower.margin, Asset::Sol), 0);
    let bank = world.bank(Asset::Sol);
    assert_eq!((bank.borrow_shares, bank.tracked), (0, 1_000 * SOL));
    balanced(&mut world);
}

/// 5.7: without leave nothing is borrowed, and a borrow ends at Initial or not at all.
#[test]
fn a_borrow_needs_leave_and_collateral() {
    let (mut world, _, borrower) = lending(9_000);
    let none = world.withdraw(&borrower, Asset::Sol, SOL);
    expect_error(none, KeelError::NothingToWithdraw);
    world.deposit(&borrower, Asset::Sol, SOL).expect("one");
    let lacks = world.withdraw(&borrower, Asset::Sol, SOL + 1);
    expect_error(lacks, KeelError::InsufficientDeposit);

    // $1,000,000 carry a borrow at 1.1 of it and a scan of 15% and more of that.
    let over = world.borrow(&borrower, Asset::Sol, 6_000 * SOL);
    expect_error(over, KeelError::BelowInitial);
    world
        .borrow(&borrower, Asset::Sol, 3_000 * SOL)
        .expect("half of it");
    let report = world.report(borrower.margin).expect("a report");
    assert!(report.health_initial() >= 0, "{report:?}");
}

/// 1.7: a borrow that nobody would bother to liquidate is not opened.
#[test]
fn a_borrow_is_no_dust() {
    let (mut world, _, borrower) = lending(1_000);
    // $10 at 156.8 are 0.0638 SOL.
    let dust = world.borrow(&borrower, Asset::Sol, 63_000_000);
    expect_error(dust, KeelError::BelowMinNotional);
    world
        .borrow(&borrower, Asset::Sol, 64_000_000)
        .expect("ten dollars");
}

/// 7.1: new risk waits for a published bank of the last hour; repaying does not.
#[test]
fn a_bank_that_nobody_published_lends_nothing() {
    let (mut world, _, borrower) = lending(1_000);
    world.borrow(&borrower, Asset::Sol, SOL).expect("published");
    world.vm.pass(3_600 - 1);
    world.refresh().expect("prices");
    world.borrow(&borrower, Asset::Sol, SOL).expect("an hour");
    world.refresh().expect("prices");
    let late = world.borrow(&borrower, Asset::Sol, SOL);
    expect_error(late, KeelError::AccrualTooOld);
    world.deposit(&borrower, Asset::Sol, SOL).expect("repaid");
    world
        .withdraw(&borrower, Asset::Usdc, 1_000_000)
        .expect("no new risk");
    world.accrue(&[Asset::Sol], &[]).expect("accrue");
    world.borrow(&borrower, Asset::Sol, SOL).expect("published");
}

/// 7.4, 7.5: a bank lends at most 90% and what its terms say; what is lent cannot leave besides.
#[test]
fn a_bank_lends_within_its_limits() {
    let (mut world, lender, borrower) = lending(1_000);
    let full = world.borrow(&borrower, Asset::Sol, 900 * SOL + 1);
    expect_error(full, KeelError::UtilisationCap);
    world.borrow(&borrower, Asset::Sol, 900 * SOL).expect("90%");
    let lent = world.withdraw(&lender, Asset::Sol, 100 * SOL + 1);
    expect_error(lent, KeelError::InsufficientLiquidity);
    // A withdrawal may go beyond 90%.
    world
        .withdraw(&lender, Asset::Sol, 100 * SOL)
        .expect("what is there");
    balanced(&mut world);

    let mut world = World::with(|config| config.tokens[1].lending.borrow_cap = 5 * SOL);
    let world = world.as_mut().expect("a world");
    let lender = world.trader().expect("a lender");
    world
        .deposit(&lender, Asset::Sol, 1_000 * SOL)
        .expect("deposit");
    let borrower = world.trader_with(1_000_000).expect("a borrower");
    world.accrue_all().expect("accrue");
    let capped = world.borrow(&borrower, Asset::Sol, 5 * SOL + 1);
    expect_error(capped, KeelError::BorrowCap);
    world
        .borrow(&borrower, Asset::Sol, 5 * SOL)
        .expect("the cap");
}

/// The hole: tokens sent to a vault are nobody's; they neither lend out nor let out more.
#[test]
fn a_donation_to_a_vault_changes_nothing() {
    let (mut world, lender, borrower) = lending(1_000);
    world.borrow(&borrower, Asset::Sol, 900 * SOL).expect("90%");
    let bank = world.bank_address(Asset::Sol);
    let vault = keel_sdk::address::vault(&bank);
    let before = (world.data(&bank), world.book_data());
    world.patch(vault, 64, &(1_000_000 * SOL).to_le_bytes());
    assert_eq!(before, (world.data(&bank), world.book_data()));

    let more = world.borrow(&borrower, Asset::Sol, SOL);
    expect_error(more, KeelError::UtilisationCap);
    let lent = world.withdraw(&lender, Asset::Sol, 100 * SOL + 1);
    expect_error(lent, KeelError::InsufficientLiquidity);
    world.vm.pass(86_400);
    world.refresh().expect("prices");
    world.accrue_all().expect("accrue");
    let bank = world.bank(Asset::Sol);
    // A day at 20% a year of 900 is half a SOL, not a share of a million.
    let earned = bank.total_deposits() - 1_000 * SOL;
    assert!(earned < SOL, "{earned}");
    balanced(&mut world);
}

/// 2.6: a token is not borrowed at a price of before an outage; of another token that is held, an old
/// price only counts against the account.
#[test]
fn a_token_with_a_stale_price_is_not_borrowed() {
    let (mut world, _, borrower) = lending(1_000);
    world.deposit(&borrower, Asset::Btc, 1).expect("a satoshi");
    world.vm.pass(61);
    world
        .set_prices_of(PRICES, &[Asset::Usdc, Asset::Btc, Asset::Eth])
        .expect("prices");
    let stale = world.borrow(&borrower, Asset::Sol, SOL);
    expect_error(stale, KeelError::PriceUnfit);
    world
        .set_prices_of(PRICES, &[Asset::Sol])
        .expect("its price");
    world.borrow(&borrower, Asset::Sol, SOL).expect("fresh");
    world.vm.pass(31);
    let old = world.borrow(&borrower, Asset::Sol, SOL);
    expect_error(old, KeelError::PriceUnfit);
}

/// 2.7, the hole: a quote that has lost its peg buys every bank at par. Below 0.95, or with a stale feed
/// of its own, it carries no new borrow of any token; off its peg but above, each borrow counts for
/// more.
#[test]
fn every_bank_cannot_be_bought_with_a_depegged_quote() {
    let (mut world, _, _) = lending(1_000);
    let lender = world.trader().expect("a lender");
    world
        .deposit(&lender, Asset::Btc, 2_000_000_000)
        .expect("20 BTC");
    world
        .deposit(&lender, Asset::Eth, 40_000_000_000)
        .expect("400 ETH");
    let attacker = world.trader_with(10_000_000).expect("cheap USDC");
    let banks = [
        (Asset::Sol, SOL),
        (Asset::Btc, 1_000_000),
        (Asset::Eth, 10_000_000),
    ];
    let tries = |world: &mut World, attacker: &Trader| {
        world.accrue_all().expect("accrue");
        banks.map(|(asset, units)| world.borrow(attacker, asset, units).map(|_| ()))
    };
    for found in tries(&mut world, &attacker) {
        found.expect("at its peg");
    }

    let mut fallen = PRICES;
    fallen[0] = 0.94;
    world.move_prices(fallen).expect("prices");
    for found in tries(&mut world, &attacker) {
        expect_error(found, KeelError::BorrowsStopped);
    }
    // A print that only waits stops it too: see 2.5.
    let (mut world, _, _) = lending(1_000);
    let attacker = world.trader_with(10_000_000).expect("cheap USDC");
    world.vm.pass(1);
    world
        .set_prices([0.85, PRICES[1], PRICES[2], PRICES[3]])
        .expect("a jump");
    let waits = world.borrow(&attacker, Asset::Sol, SOL);
    expect_error(waits, KeelError::BorrowsStopped);

    // Its own feed silent for over a minute.
    let (mut world, _, _) = lending(1_000);
    let attacker = world.trader_with(10_000_000).expect("USDC");
    world.vm.pass(61);
    world.set_prices_of(PRICES, &Asset::TRADED).expect("prices");
    let silent = world.borrow(&attacker, Asset::Sol, SOL);
    expect_error(silent, KeelError::BorrowsStopped);

    // At 0.97 borrows grow, each valued at upper / 0.97.
    let (mut world, _, borrower) = lending(9_000);
    let most = 4_850 * SOL;
    world
        .simulate_borrow(&borrower, Asset::Sol, most)
        .expect("at par it would do");
    world
        .move_prices([0.97, PRICES[1], PRICES[2], PRICES[3]])
        .expect("prices");
    let dear = world.borrow(&borrower, Asset::Sol, most);
    expect_error(dear, KeelError::BelowInitial);
    world
        .borrow(&borrower, Asset::Sol, 3_000 * SOL)
        .expect("less of it");
}

/// 7.1, the hole: a bank that is charged at the utilisation of the moment of a flash borrow credits its
/// depositors interest that no borrower owes.
#[test]
fn interest_credited_that_no_borrower_owes_after_a_flash_borrow() {
    let (mut world, _, borrower) = lending(1_000);
    world.vm.pass(86_400 * 30);
    world.refresh().expect("prices");
    world.accrue(&[Asset::Sol], &[]).expect("accrue");
    world.vm.pass(3_000);
    world.refresh().expect("prices");
    world
        .borrow(&borrower, Asset::Sol, 900 * SOL)
        .expect("a flash borrow");
    world
        .deposit(&borrower, Asset::Sol, 900 * SOL)
        .expect("repaid in the same second");
    world.accrue(&[Asset::Sol], &[]).expect("accrue");
    let bank = world.bank(Asset::Sol);
    assert_eq!(bank.borrow_shares, 0);
    let one = Index48::ONE.0;
    assert_eq!((bank.deposit_index, bank.borrow_index), (one, one));
    assert_eq!((bank.insurance, bank.pending_growth), (0, 0));
    assert_eq!(world.shares(&borrower.margin, Asset::Sol), 0);
    balanced(&mut world);

    // With a borrower there, he pays for the month at 10%, not at 90% lent out.
    world.borrow(&borrower, Asset::Sol, 100 * SOL).expect("10%");
    world.vm.pass(3_598);
    world.refresh().expect("prices");
    let other = world.trader_with(1_000_000).expect("another");
    world.borrow(&other, Asset::Sol, 700 * SOL).expect("80%");
    world
        .deposit(&other, Asset::Sol, 700 * SOL + 2)
        .expect("repaid, and what rounding may take");
    assert!(world.shares(&other.margin, Asset::Sol) >= 0);
    let bank = world.bank(Asset::Sol);
    let owed = bank.ledger().borrows();
    // 0.625% a year of 100 for 3,599 s is 71,327.2 native units; at 80% it would be eight times that.
    let charged = owed - 100 * SOL;
    assert!((71_328..71_345).contains(&charged), "{charged}");
    balanced(&mut world);
}

/// 8.6, the hole: lenders race each other out of a bank whose borrower is bankrupt, so that the last
/// bears the whole loss. Nothing leaves a halted bank; what stays in it may move, and a halt ends.
#[test]
fn bankrupt_withdraw_race() {
    let (mut world, lender, borrower) = lending(1_000);
    let until = world.vm.now() + 7_200;
    world.patch_bank(
        Asset::Sol,
        offset_of!(Bank, halted_until),
        &until.to_le_bytes(),
    );
    for units in [1, SOL, u64::MAX] {
        let race = world.withdraw(&lender, Asset::Sol, units);
        expect_error(race, KeelError::BankHalted);
    }
    let borrow = world.borrow(&borrower, Asset::Sol, SOL);
    expect_error(borrow, KeelError::BankHalted);
    let second = world.sub_account(&lender.key, 1).expect("a sub-account");
    let lent = world.transfer((&lender, &second), Asset::Sol, 2_000 * SOL, true);
    expect_error(lent, KeelError::BankHalted);
    world
        .transfer((&lender, &second), Asset::Sol, SOL, false)
        .expect("it stays in the bank");
    world.deposit(&lender, Asset::Sol, SOL).expect("deposit");
    // Another bank is none of its business.
    world
        .withdraw(&borrower, Asset::Usdc, 1_000_000)
        .expect("USDC");

    let left = until - world.vm.now();
    world.vm.pass(left - 1);
    let last = world.withdraw(&lender, Asset::Sol, 1);
    expect_error(last, KeelError::BankHalted);
    world.vm.pass(1);
    world
        .withdraw(&lender, Asset::Sol, u64::MAX)
        .expect("two hours are over");
}

/// 5.7, the hole: Initial counts a young listing's deposit as nothing, so taking it away does not lower
/// Initial; below it nothing leaves all the same.
#[test]
fn a_deposit_that_initial_counts_as_zero_cannot_leave_while_owing() {
    let (mut world, _, borrower) = lending(9_000);
    world
        .deposit(&borrower, Asset::Eth, 10_000_000_000)
        .expect("100 ETH");
    world
        .borrow(&borrower, Asset::Sol, 5_600 * SOL)
        .expect("more than the USDC carries");
    // As if ETH had been listed today.
    let entry = offset_of!(RiskBook, assets) + Asset::Eth as usize * size_of::<AssetEntry>();
    let listed_at = 8 + entry + offset_of!(AssetEntry, listed_at);
    let now = world.vm.now();
    world.patch(world.keys.risk_book, listed_at, &now.to_le_bytes());
    let report = world.report(borrower.margin).expect("a report");
    assert!(report.health_initial() < 0 && report.health_maintenance() > 0);
    for units in [1, 1_000_000_000, u64::MAX] {
        let out = world.withdraw(&borrower, Asset::Eth, units);
        expect_error(out, KeelError::BelowInitial);
    }
    let second = world.sub_account(&borrower.key, 1).expect("a sub-account");
    let moved = world.transfer((&borrower, &second), Asset::Eth, u64::MAX, false);
    expect_error(moved, KeelError::BelowInitial);
    world
        .deposit(&borrower, Asset::Sol, 5_600 * SOL)
        .expect("repaid");
    world
        .withdraw(&borrower, Asset::Eth, u64::MAX)
        .expect("it owes nothing");
}

/// 8.4: an account that a withdrawal finds at Maintenance or above is in no auction any more.
#[test]
fn a_withdrawal_ends_an_auction_that_is_over() {
    let (mut world, _, borrower) = lending(1_000);
    let started = offset_of!(keel_state::MarginAccount, liquidation_started);
    world.patch(borrower.margin, 8 + started, &77u64.to_le_bytes());
    world
        .withdraw(&borrower, Asset::Usdc, 1)
        .expect("a healthy account");
    let account = world.margin_account(&borrower.margin);
    assert_eq!(account.liquidation_started, 0);
}
