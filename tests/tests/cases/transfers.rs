//! 5.7, 8.6, 11.1, I5: transfers between an owner's accounts, insurance, and what a delegate's floor
//! counts; a mint that charges for transfers.

use core::mem::offset_of;

use anchor_lang::prelude::Pubkey;
use keel::errors::KeelError;
use keel_sdk::AssetChoice;
use keel_sdk::instruction;
use keel_state::MarginAccount;
use keel_tests::{Asset, Ledger, Places, Trader, World, expect_error, keypair};
use solana_signer::Signer;

const SOL: u64 = 1_000_000_000;

fn two_accounts(usdc: u64) -> (World, Trader, Trader) {
    let mut world = World::new().expect("a world");
    let first = world.trader_with(usdc).expect("a trader");
    let second = world.sub_account(&first.key, 1).expect("a sub-account");
    world.accrue_all().expect("accrue");
    (world, first, second)
}

fn balanced(world: &mut World) {
    let (_, failed) = world.conservation().expect("a check");
    assert_eq!(failed, 0, "the books do not balance");
}

/// 5.7, I5: tokens move between two accounts of an owner, and there and back leaves what was there; the
/// bank and its vault see nothing of it.
#[test]
fn a_transfer_there_and_back_changes_nothing() {
    let (mut world, first, second) = two_accounts(1_000);
    let bank = world.bank_address(Asset::Usdc);
    let before = world.data(&bank);
    let both = |world: &World| [&first, &second].map(|of| world.shares(&of.margin, Asset::Usdc));
    world
        .transfer((&first, &second), Asset::Usdc, 400_000_000, false)
        .expect("there");
    assert_eq!(both(&world), [600_000_000, 400_000_000]);
    world
        .transfer((&second, &first), Asset::Usdc, u64::MAX, false)
        .expect("and back");
    assert_eq!(both(&world), [1_000_000_000, 0]);
    assert_eq!(before, world.data(&bank));
    balanced(&mut world);
}

/// I5 at indices that do not divide: nobody has more after any number of transfers, and the books
/// balance.
#[test]
fn transfers_at_odd_indices_never_gain() {
    let (mut world, first, second) = two_accounts(1_000_000);
    world
        .deposit(&first, Asset::Sol, 1_000 * SOL)
        .expect("deposit");
    let borrower = world.trader_with(1_000_000).expect("a borrower");
    world
        .borrow(&borrower, Asset::Sol, 777 * SOL)
        .expect("borrow");
    world.vm.pass(86_400 * 33 + 7);
    world.refresh().expect("prices");
    world.accrue_all().expect("accrue");
    let value = |world: &mut World| {
        let of = |world: &mut World, who: &Trader| world.report(who.margin).expect("a report");
        of(world, &first).net_asset_value + of(world, &second).net_asset_value
    };
    let before = value(&mut world);
    for units in [1, 2, 3, 999_999_999, 17 * SOL + 1, u64::MAX] {
        for pair in [(&first, &second), (&second, &first)] {
            let _ = world.transfer(pair, Asset::Sol, units, false);
        }
        assert!(value(&mut world) <= before);
        balanced(&mut world);
    }
    let lost = before - value(&mut world);
    assert!(lost < 10, "{lost} atoms");
}

/// 5.7, I6: what leaves is judged like a withdrawal, borrows included.
#[test]
fn a_transfer_is_judged_like_a_withdrawal() {
    let (mut world, first, second) = two_accounts(10_000);
    world.provide(5_000_000).expect("liquidity");
    world.open(&first, Asset::Sol, 100_000).expect("open");
    let all = world.transfer((&first, &second), Asset::Usdc, u64::MAX, false);
    expect_error(all, KeelError::BelowInitial);
    world
        .transfer((&first, &second), Asset::Usdc, 1_000_000_000, false)
        .expect("what Initial spares");
    let none = world.transfer((&second, &first), Asset::Sol, SOL, false);
    expect_error(none, KeelError::NothingToWithdraw);

    // Borrowed from a bank in which a lender's SOL are; it pays back what the receiver owes.
    let lender = world.trader().expect("a lender");
    world
        .deposit(&lender, Asset::Sol, 100 * SOL)
        .expect("deposit");
    world.accrue_all().expect("accrue");
    world
        .transfer((&first, &second), Asset::Sol, 10 * SOL, true)
        .expect("borrowed");
    let sol = |world: &World, of: &Trader| world.shares(&of.margin, Asset::Sol);
    assert_eq!(sol(&world, &first), -10_000_000_000);
    assert_eq!(sol(&world, &second), 10_000_000_000);
    world
        .transfer((&second, &first), Asset::Sol, u64::MAX, false)
        .expect("repaid");
    assert_eq!((sol(&world, &first), sol(&world, &second)), (0, 0));
    let over = world.transfer((&first, &second), Asset::Sol, 80 * SOL, true);
    expect_error(over, KeelError::BelowInitial);
    let full = world.transfer((&first, &second), Asset::Sol, 2_000 * SOL, true);
    expect_error(full, KeelError::UtilisationCap);
    balanced(&mut world);
}

/// Between two different accounts of one owner, of traders, of one group.
#[test]
fn a_transfer_stays_with_its_owner() {
    let (mut world, first, _) = two_accounts(1_000);
    let other = world.trader_with(1_000).expect("another owner");
    let itself = world.transfer((&first, &first), Asset::Usdc, 1, false);
    expect_error(itself, KeelError::SameAccount);
    for pair in [(&first, &other), (&other, &first)] {
        let stolen = world.transfer(pair, Asset::Usdc, 1, false);
        expect_error(stolen, KeelError::NotOwner);
    }
    let second = world.sub_account(&first.key, 2).expect("a sub-account");
    let nothing = world.transfer((&first, &second), Asset::Usdc, 0, false);
    expect_error(nothing, KeelError::ZeroAmount);
}

/// 8.6: anyone may give tokens to a bank's insurance; they are no deposit of his.
#[test]
fn a_banks_insurance_is_given() {
    let mut world = World::new().expect("a world");
    let giver = world.trader().expect("a giver");
    let before = world.bank(Asset::Usdc);
    assert_eq!(before.insurance, 50_000_000_000, "the operator's");
    world
        .insure_bank(&giver, Asset::Usdc, 7_000_000)
        .expect("given");
    let after = world.bank(Asset::Usdc);
    assert_eq!(after.insurance, before.insurance + 7_000_000);
    assert_eq!(after.tracked, before.tracked + 7_000_000);
    assert_eq!(after.deposit_shares, before.deposit_shares);
    assert_eq!(world.wallet(giver.owner(), Asset::Usdc), 0);
    let nothing = world.insure_bank(&giver, Asset::Usdc, 0);
    expect_error(nothing, KeelError::ZeroAmount);
    balanced(&mut world);
}

/// 8.6, I2, I6: quote is given to a market's insurance out of what Initial spares, and the market's
/// quotes still sum to nothing.
#[test]
fn a_markets_insurance_is_given() {
    let mut world = World::new().expect("a world");
    let giver = world.trader_with(1_000).expect("a giver");
    let before = world.market(Asset::Sol);
    assert_eq!(before.insurance, 100_000_000_000, "the operator's");
    world
        .insure_market(&giver, Asset::Sol, 400_000_000)
        .expect("given");
    let after = world.market(Asset::Sol);
    assert_eq!(after.insurance, before.insurance + 400_000_000);
    assert_eq!(after.quote_sum, before.quote_sum - 400_000_000);
    assert_eq!(world.row(&giver.margin).position(0), (0, -400_000_000));
    let books = Places::of(&world, &[giver.margin]);
    Ledger::read(&books, |address| world.data(address))
        .check()
        .expect("the books balance");

    let over = world.insure_market(&giver, Asset::Sol, 600_000_001);
    expect_error(over, KeelError::BelowInitial);
    world
        .insure_market(&giver, Asset::Eth, 600_000_000)
        .expect("all of it");
    let huge = world.insure_market(&giver, Asset::Eth, u64::MAX);
    expect_error(huge, KeelError::TooLarge);
    let nothing = world.insure_market(&giver, Asset::Eth, 0);
    expect_error(nothing, KeelError::ZeroAmount);
    // It is a loss like any: what is left of the deposit does not leave.
    let out = world.withdraw(&giver, Asset::Usdc, 1);
    expect_error(out, KeelError::BelowInitial);
    balanced(&mut world);
}

/// 11.1: what comes in and goes out is no gain or loss of a delegate's, at the price of the moment.
#[test]
fn a_delegates_floor_does_not_count_deposits() {
    let (mut world, first, second) = two_accounts(1_000);
    let counted = |world: &World, of: &Trader| {
        let account = world.margin_account(&of.margin);
        account.delegate_deposits
    };
    world
        .deposit(&first, Asset::Usdc, 5_000_000)
        .expect("deposit");
    assert_eq!(counted(&world, &first), 0, "no delegate");
    let delegate = offset_of!(MarginAccount, delegate);
    for account in [&first, &second] {
        let key = keypair(77).pubkey();
        world.patch(account.margin, 8 + delegate, key.as_ref());
    }
    world
        .deposit(&first, Asset::Usdc, 5_000_000)
        .expect("deposit");
    assert_eq!(counted(&world, &first), 5_000_000);
    world.deposit(&first, Asset::Sol, SOL).expect("deposit");
    let price = 156_797_691;
    assert_eq!(counted(&world, &first), 5_000_000 + price);
    world
        .transfer((&first, &second), Asset::Sol, u64::MAX, false)
        .expect("transfer");
    // Rounded up on both sides: a floor is never lower for it.
    assert_eq!(counted(&world, &first), 5_000_000 + 1);
    assert_eq!(counted(&world, &second), price);
    world
        .withdraw(&first, Asset::Usdc, 6_000_000)
        .expect("withdraw");
    assert_eq!(counted(&world, &first), -1_000_000 + 1);
    world
        .insure_market(&first, Asset::Eth, 2_000_000)
        .expect("given");
    assert_eq!(counted(&world, &first), -3_000_000 + 1);
}

/// Architecture 5: a Token-2022 mint that charges for transfers is taken, and a deposit credits what
/// arrived.
#[test]
fn a_deposit_of_a_charging_mint_credits_what_arrived() {
    let mut world = World::new().expect("a world");
    let token = world.charging_mint(600, 9, 100);
    let args = world.bank_args(AssetChoice::New(world.asset_args(9)));
    world.list_bank(token, args).expect("listed");
    let trader = world.trader().expect("a trader");
    let wallet = world.charging_wallet(&token, trader.owner(), 10_000);
    let deposit = instruction::deposit(&world.keys, trader.owner(), trader.margin, token, 10_000);
    world.send(deposit, &[&trader.key]).expect("deposit");
    assert_eq!(world.row(&trader.margin).shares(4), 9_900);
    assert_eq!(world.token_amount(&wallet), 0);

    let give = instruction::fund_bank_insurance(&world.keys, trader.owner(), token, 1_000);
    world.charging_wallet(&token, trader.owner(), 1_000);
    world.send(give, &[&trader.key]).expect("given");
    let check = |world: &mut World, mint: Pubkey| {
        let check = instruction::check_conservation(&world.keys, &[mint], &[]);
        let sent = world.send(check, &[]).expect("a check");
        assert_eq!(sent.return_data.get(1).copied().unwrap_or(0), 0);
    };
    check(&mut world, token.mint);

    // What leaves is charged to whoever takes it.
    let out = instruction::withdraw(&world.keys, trader.owner(), trader.margin, token, u64::MAX);
    world.send(out, &[&trader.key]).expect("withdraw");
    assert_eq!(world.token_amount(&wallet), 9_900 - 99);
    assert_eq!(world.row(&trader.margin).shares(4), 0);
    check(&mut world, token.mint);
}
