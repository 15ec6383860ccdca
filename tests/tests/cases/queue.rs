//! 7.5, I9: how fast a bank may be emptied, and the queue of what waits.

use core::mem::offset_of;

use keel::errors::KeelError;
use keel_risk::Ticket;
use keel_state::Bank;
use keel_tests::{Asset, Trader, World, expect_error};

const DAY: i64 = 86_400;
const SOL: u64 = 1_000_000_000;

/// A bank that lets out 1,000 SOL a day, a tenth of it to small withdrawals, and lenders of so many.
fn world(lent: &[u64]) -> (World, Vec<Trader>) {
    let mut world = World::with(|config| {
        config.tokens[1].lending.outflow_share = 10_000;
        config.tokens[1].lending.outflow_floor = 1_000 * SOL;
    })
    .expect("a world");
    let lenders = lent.iter().map(|sol| lender(&mut world, *sol)).collect();
    world.accrue_all().expect("accrue");
    (world, lenders)
}

fn lender(world: &mut World, sol: u64) -> Trader {
    let lender = world.trader().expect("a lender");
    world
        .deposit(&lender, Asset::Sol, sol * SOL)
        .expect("deposit");
    lender
}

fn ticket(world: &World, lender: &Trader) -> Ticket {
    let account = world.margin_account(&lender.margin);
    account.ticket()
}

fn queued(world: &World) -> u64 {
    world.bank(Asset::Sol).queued
}

fn later(world: &mut World, seconds: i64) {
    world.vm.pass(seconds);
    world.refresh().expect("prices");
    world.accrue_all().expect("accrue");
}

/// 7.5: nine tenths for anyone, the last for withdrawals of up to $10,000 a day; a day refills it.
#[test]
fn a_bank_is_emptied_no_faster_than_its_buckets() {
    let (mut world, lenders) = world(&[10_000, 1_000]);
    let [lender, other] = &lenders[..] else {
        unreachable!("two lenders")
    };
    world
        .withdraw(lender, Asset::Sol, 900 * SOL)
        .expect("nine tenths");
    let more = world.withdraw(lender, Asset::Sol, SOL);
    expect_error(more, KeelError::OutflowCap);
    // 63 SOL are $9,878: another account's first of the day.
    world
        .withdraw(other, Asset::Sol, 63 * SOL)
        .expect("a small one");
    let second = world.withdraw(other, Asset::Sol, SOL);
    expect_error(second, KeelError::OutflowCap);

    later(&mut world, DAY / 2);
    world
        .withdraw(lender, Asset::Sol, 450 * SOL)
        .expect("half a day's");
    // What comes in makes room for the same.
    let newcomer = self::lender(&mut world, 300);
    world
        .withdraw(&newcomer, Asset::Sol, 300 * SOL)
        .expect("net outflow is what counts");
}

/// 7.5: without a price nothing is small: an unpriced token would be worth nothing.
#[test]
fn a_withdrawal_without_a_price_is_not_small() {
    let (mut world, lenders) = world(&[10_000, 1_000]);
    world
        .withdraw(&lenders[0], Asset::Sol, 900 * SOL)
        .expect("nine tenths");
    let entry = offset_of!(keel_state::RiskBook, assets) + size_of::<keel_state::AssetEntry>();
    let halted = 8 + entry + offset_of!(keel_state::AssetEntry, halted);
    world.patch(world.keys.risk_book, halted, &[1]);
    let unpriced = world.withdraw(&lenders[1], Asset::Sol, SOL);
    expect_error(unpriced, KeelError::OutflowCap);
    world.patch(world.keys.risk_book, halted, &[0]);
    world
        .withdraw(&lenders[1], Asset::Sol, SOL)
        .expect("a small one");
}

/// 7.5: the capacity is a share of the least deposits of a day and more: deposits of an hour do not
/// raise it.
#[test]
fn a_flash_deposit_lets_out_no_more() {
    let (mut world, lenders) = world(&[10_000]);
    let share = offset_of!(Bank, outflow_share);
    world.patch_bank(Asset::Sol, share, &150_000u32.to_le_bytes());
    let whale = lender(&mut world, 1_000_000);
    let capacity = |world: &World| {
        let mut bank = world.bank(Asset::Sol);
        bank.bring_to_now(world.vm.now());
        bank.outflow_terms(world.vm.now()).capacity()
    };
    assert_eq!(capacity(&world), 1_000 * SOL, "nothing was there a day ago");
    let flash = world.withdraw(&whale, Asset::Sol, 901 * SOL);
    expect_error(flash, KeelError::OutflowCap);
    later(&mut world, 2 * DAY);
    assert_eq!(capacity(&world), 151_500 * SOL);
    world
        .withdraw(&lenders[0], Asset::Sol, 9_000 * SOL)
        .expect("15% of a million");
    assert_eq!(capacity(&world), 150_150 * SOL, "the least counts at once");
}

/// 7.5, I9: what is refused waits its turn, however full the bucket is then; the ticket's claim stays in
/// the account, and lapses a day after it was ready.
#[test]
fn a_ticket_waits_its_turn() {
    let (mut world, lenders) = world(&[10_000, 5_000, 10]);
    let [first, second, small] = &lenders[..] else {
        unreachable!("three lenders")
    };
    let start = world.vm.now();
    world
        .take_ticket(first, Asset::Sol, 1_800 * SOL)
        .expect("two days' worth");
    let taken = ticket(&world, first);
    assert_eq!((taken.amount, taken.bank), (1_800 * SOL, 1));
    assert_eq!(taken.ready, start + DAY);
    let again = world.take_ticket(first, Asset::Sol, SOL);
    expect_error(again, KeelError::TicketOpen);
    let elsewhere = world.take_ticket(first, Asset::Usdc, 1);
    expect_error(elsewhere, KeelError::TicketOpen);
    world
        .take_ticket(second, Asset::Sol, 900 * SOL)
        .expect("behind it");
    assert_eq!(ticket(&world, second).ready, start + 2 * DAY);
    assert_eq!(queued(&world), 2_700 * SOL);

    // Not yet, and what it claims leaves in no other way; small withdrawals do not queue.
    let early = world.withdraw(first, Asset::Sol, 1_800 * SOL);
    expect_error(early, KeelError::OutflowCap);
    let sub = world.sub_account(&first.key, 1).expect("a sub-account");
    let moved = world.transfer((first, &sub), Asset::Sol, 9_000 * SOL, false);
    expect_error(moved, KeelError::InsufficientDeposit);
    world
        .withdraw(small, Asset::Sol, u64::MAX)
        .expect("a small one");

    later(&mut world, DAY);
    let early = world.withdraw(second, Asset::Sol, 900 * SOL);
    expect_error(early, KeelError::OutflowCap);
    world
        .withdraw(first, Asset::Sol, 1_000 * SOL)
        .expect("its turn");
    world
        .withdraw(first, Asset::Sol, 800 * SOL)
        .expect("the rest of it");
    assert_eq!(ticket(&world, first), Ticket::default());
    assert_eq!(queued(&world), 900 * SOL);

    // The second sleeps through its day; what it claimed is free again.
    later(&mut world, 2 * DAY);
    assert!(ticket(&world, second).has_lapsed(world.vm.now()));
    world.take_ticket(second, Asset::Sol, 0).expect("given up");
    assert_eq!(queued(&world), 0);
    let nothing = world.take_ticket(second, Asset::Sol, 0);
    expect_error(nothing, KeelError::NothingToWithdraw);
    world
        .withdraw(second, Asset::Sol, 900 * SOL)
        .expect("from the bucket, like anyone");
}

/// I9: while a withdrawal waits nobody borrows what leaks, and a solvent, flat account takes all of its
/// own as soon as its turn has come.
#[test]
fn a_flat_account_leaves_ahead_of_new_borrows() {
    let (mut world, lenders) = world(&[10_000, 500]);
    let [lender, saver] = &lenders[..] else {
        unreachable!("two lenders")
    };
    let borrower = world.trader_with(3_000_000).expect("a borrower");
    world
        .withdraw(lender, Asset::Sol, 900 * SOL)
        .expect("the bucket is full");
    let refused = world.withdraw(saver, Asset::Sol, u64::MAX);
    expect_error(refused, KeelError::OutflowCap);
    world
        .take_ticket(saver, Asset::Sol, u64::MAX)
        .expect("all of it");
    for _ in 0..10 {
        let ahead = world.borrow(&borrower, Asset::Sol, SOL);
        expect_error(ahead, KeelError::OutflowCap);
        later(&mut world, 4_799);
    }
    // 48,000 s: 500 of 900 SOL have leaked.
    assert_eq!(world.vm.now(), ticket(&world, saver).ready);
    let ahead = world.borrow(&borrower, Asset::Sol, SOL);
    expect_error(ahead, KeelError::OutflowCap);
    world
        .withdraw(saver, Asset::Sol, u64::MAX)
        .expect("all of it");
    assert_eq!(world.wallet(saver.owner(), Asset::Sol), 500 * SOL);
    assert_eq!(queued(&world), 0);
}

/// I9: what a ready ticket claims is not lent out before it is served.
#[test]
fn what_a_ready_ticket_claims_is_not_lent() {
    let (mut world, lenders) = world(&[1_000]);
    let borrower = world.trader_with(3_000_000).expect("a borrower");
    world
        .take_ticket(&lenders[0], Asset::Sol, 500 * SOL)
        .expect("there is room");
    assert_eq!(ticket(&world, &lenders[0]).ready, world.vm.now());
    later(&mut world, DAY - 3_600);
    let claimed = world.borrow(&borrower, Asset::Sol, 600 * SOL);
    expect_error(claimed, KeelError::InsufficientLiquidity);
    world
        .borrow(&borrower, Asset::Sol, 450 * SOL)
        .expect("what is not claimed");
    world
        .withdraw(&lenders[0], Asset::Sol, 500 * SOL)
        .expect("it is still there");
}

/// 7.5, the hole: one deposit that is handed on from account to account takes a ticket in each, and the
/// queue is full for a week.
#[test]
fn one_deposit_cannot_fill_the_queue() {
    let (mut world, lenders) = world(&[500]);
    let mut holder = Trader {
        key: lenders[0].key.insecure_clone(),
        ..lenders[0]
    };
    world
        .take_ticket(&holder, Asset::Sol, u64::MAX)
        .expect("one ticket");
    let next = world.sub_account(&holder.key, 1).expect("a sub-account");
    let handed = world.transfer((&holder, &next), Asset::Sol, 1, false);
    expect_error(handed, KeelError::InsufficientDeposit);
    let all = world.transfer((&holder, &next), Asset::Sol, u64::MAX, false);
    expect_error(all, KeelError::InsufficientDeposit);
    // Only once it has lapsed, and then the ticket is gone.
    later(&mut world, DAY);
    world
        .transfer((&holder, &next), Asset::Sol, u64::MAX, false)
        .expect("lapsed");
    assert_eq!(ticket(&world, &holder), Ticket::default());
    assert_eq!(queued(&world), 0);
    holder = next;
    world
        .take_ticket(&holder, Asset::Sol, u64::MAX)
        .expect("one ticket again");
    assert_eq!(queued(&world), 500 * SOL);
}
