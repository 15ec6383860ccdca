//! Architecture 3, I11: accounts that are closed, and what their addresses may become.

use keel::errors::KeelError;
use keel_sdk::{Pubkey, address, instruction};
use keel_state::{FLAG_ISOLATED, MarginAccount, MarginKind, TRADER_CAPACITY, margin_account_bytes};
use keel_tests::{Asset, Side, Trader, World, expect_error, keypair};
use solana_signer::Signer;

use crate::mutations::{Area, Case, Tally, judge_all};

/// A world, and a trader with an account that is empty and of an earlier slot.
fn empty() -> (World, Trader) {
    let mut world = World::new().expect("a world");
    let trader = world.trader().expect("a trader");
    world.vm.pass(1);
    (world, trader)
}

fn lamports(world: &World, address: Pubkey) -> u64 {
    world
        .vm
        .account(&address)
        .map_or(0, |account| account.lamports)
}

/// An empty account goes; its rent goes to whom the owner names, himself or another.
#[test]
fn an_empty_account_gives_its_rent_back() {
    let (mut world, trader) = empty();
    let rent = world.vm.rent(margin_account_bytes(TRADER_CAPACITY));
    let before = lamports(&world, trader.owner());
    world
        .close_account(&trader, trader.owner())
        .expect("to himself");
    assert_eq!(lamports(&world, trader.owner()), before + rent);
    assert!(world.vm.account(&trader.margin).is_none());

    let another = world.sub_account(&trader.key, 9).expect("an account");
    world.vm.pass(1);
    let receiver = keypair(801).pubkey();
    world.close_account(&another, receiver).expect("to another");
    assert_eq!(lamports(&world, receiver), rent);
}

/// A deposit, a borrow, a position, and a result that is not settled: each alone keeps an account.
#[test]
fn an_account_that_holds_anything_stays() {
    let (mut world, trader) = empty();
    world.provide(5_000_000).expect("liquidity");
    let refused = |world: &mut World| {
        expect_error(
            world.close_account(&trader, trader.owner()),
            KeelError::AccountNotEmpty,
        );
    };
    world.deposit(&trader, Asset::Sol, 1).expect("one lamport");
    refused(&mut world);
    world
        .withdraw(&trader, Asset::Sol, u64::MAX)
        .expect("withdrawn");

    world
        .deposit(&trader, Asset::Usdc, 1_000_000_000)
        .expect("quote");
    refused(&mut world);
    world.open(&trader, Asset::Sol, 1_000).expect("a position");
    let margin = trader.margin;
    let quote = |account: &mut MarginAccount, shares| account.balances[0].shares = shares;
    let shares = world.margin(margin).balances[0].shares;
    world.edit_margin(margin, |account| quote(account, 0));
    refused(&mut world);
    world.edit_margin(margin, |account| quote(account, shares));
    world.close(&trader, Asset::Sol, -1_000).expect("closed");
    world.edit_margin(margin, |account| quote(account, 0));
    refused(&mut world);

    // A borrow is a negative share.
    let (mut world, trader) = empty();
    let margin = trader.margin;
    world.edit_margin(margin, |account| account.balances[0].shares = -1);
    expect_error(
        world.close_account(&trader, trader.owner()),
        KeelError::AccountNotEmpty,
    );
}

/// 7.5: a ticket in a bank's queue is somebody's claim: its account stays.
#[test]
fn an_account_with_a_ticket_stays() {
    let (mut world, trader) = empty();
    world.edit_margin(trader.margin, |account| account.ticket_amount = 1);
    expect_error(
        world.close_account(&trader, trader.owner()),
        KeelError::TicketOutstanding,
    );
}

/// 8.4, 8.6: an account under liquidation, or with a deficit found, is not closed: neither the
/// auction's clock nor the halt that it may cause once begins anew in a fresh account of the address.
#[test]
fn closing_an_account_mid_liquidation() {
    let (mut world, trader) = empty();
    let margin = trader.margin;
    let close = |world: &mut World| world.close_account(&trader, trader.owner());
    world.edit_margin(margin, |account| account.liquidation_started = 1);
    expect_error(close(&mut world), KeelError::LiquidationUnderWay);
    world.edit_margin(margin, |account| {
        (account.liquidation_started, account.deficit_found_at) = (0, 1);
    });
    expect_error(close(&mut world), KeelError::DeficitUnresolved);
    world.edit_margin(margin, |account| account.deficit_found_at = 0);
    close(&mut world).expect("when both are over");
}

/// A pool's account is nobody's to close, not even of one who could sign as its owner.
#[test]
fn a_pools_account_stays() {
    let (mut world, trader) = empty();
    let margin = address::pool_margin(&world.keys.group, &world.pool);
    let pools = Trader {
        key: trader.key.insecure_clone(),
        margin,
        sub_id: 0,
    };
    expect_error(
        world.close_account(&pools, trader.owner()),
        KeelError::NotOwner,
    );
    world.edit_margin(margin, |account| account.owner = trader.owner());
    assert_eq!(world.margin(margin).kind, MarginKind::Pool as u8);
    expect_error(
        world.close_account(&pools, trader.owner()),
        KeelError::NotATrader,
    );
}

/// Architecture 3: an account's `seq` begins at its slot, so in that very slot it cannot go: opened
/// again at once it would begin where it began before.
#[test]
fn an_account_is_not_closed_in_the_slot_that_opened_it() {
    let mut world = World::new().expect("a world");
    let trader = world.trader().expect("a trader");
    expect_error(
        world.close_account(&trader, trader.owner()),
        KeelError::OpenedInThisSlot,
    );
    world.vm.pass(1);
    world
        .close_account(&trader, trader.owner())
        .expect("in a later one");
}

/// I11: closed and opened again in one transaction, an address starts with nothing of its first life,
/// and no order that named a `seq` of it executes.
#[test]
fn reinit_of_a_closed_account() {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    let (margin, owner) = (trader.margin, trader.owner());
    let delegate = world.wallet_key(800);
    let args = world.grant_args(delegate.pubkey());
    world.set_delegate(&trader, args).expect("a grant");
    let mut seqs = vec![world.margin(margin).seq];
    for _ in 0..20 {
        world
            .deposit(&trader, Asset::Usdc, 1_000_000)
            .expect("deposited");
        seqs.push(world.margin(margin).seq);
    }
    world
        .withdraw(&trader, Asset::Usdc, u64::MAX)
        .expect("withdrawn");
    seqs.push(world.margin(margin).seq);

    let payer = world.vm.payer.pubkey();
    let create = instruction::create_margin_account(&world.keys, payer, owner, 0, [0; 32]);
    world
        .send(create.clone(), &[&trader.key])
        .expect_err("it exists");
    world.vm.pass(1);
    world.refresh().expect("prices");
    let close = instruction::close_margin_account(&world.keys, owner, margin, owner);
    world
        .vm
        .send(&[close, create], &[&trader.key])
        .expect("closed and opened");

    let fresh = world.margin(margin);
    assert!(seqs.iter().all(|seq| *seq < fresh.seq), "{seqs:?}");
    assert_eq!(fresh.seq, world.vm.slot() << 20);
    assert_eq!(fresh.delegate, Pubkey::default());
    assert_eq!(fresh.delegate_budget, 0);
    assert_eq!(fresh.flags & FLAG_ISOLATED, 0);

    world
        .deposit(&trader, Asset::Usdc, 10_000_000_000)
        .expect("quote");
    expect_error(
        world.order_as(&delegate, margin, Side::Open, &[(Asset::Sol, 1_000)]),
        KeelError::NotOwner,
    );
    let keys = world.trade_keys(&trader, &[Asset::Sol]);
    for seq in seqs {
        let mut args = world.order(&[1_000]);
        args.expected_seq = Some(seq);
        let replayed = instruction::open_position(&world.keys, &keys, args);
        expect_error(
            world.send(replayed, &[&trader.key]),
            KeelError::SequenceChanged,
        );
    }
}

/// Lamports sent after the account in the same transaction keep nothing of it alive.
#[test]
fn a_closed_account_is_not_kept_alive_by_lamports() {
    let (mut world, trader) = empty();
    let (margin, owner) = (trader.margin, trader.owner());
    let close = instruction::close_margin_account(&world.keys, owner, margin, owner);
    // The system program's transfer of 10 million lamports.
    let mut data = 2u32.to_le_bytes().to_vec();
    data.extend(10_000_000u64.to_le_bytes());
    let gift = keel_sdk::Instruction {
        program_id: Pubkey::default(),
        accounts: vec![
            keel_sdk::AccountMeta::new(owner, true),
            keel_sdk::AccountMeta::new(margin, false),
        ],
        data,
    };
    world
        .vm
        .send(&[close, gift], &[&trader.key])
        .expect("closed, then a gift");
    let left = world.vm.account(&margin).expect("the gift");
    assert_eq!(left.owner, Pubkey::default(), "the system's");
    assert!(left.data.is_empty());
    let opened = world.sub_account(&trader.key, 0).expect("opened again");
    world
        .deposit(&opened, Asset::Usdc, 1_000_000)
        .expect("it serves");
}

/// `expected_seq` is the account's `seq` at this moment: every change counts, a new name too.
#[test]
fn a_name_is_set_and_counts_as_a_change() {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    let seq = world.margin(trader.margin).seq;
    let name = *b"carry trade\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let rename = instruction::set_name(trader.owner(), trader.margin, name);
    world.send(rename, &[&trader.key]).expect("renamed");
    let account = world.margin(trader.margin);
    assert_eq!((account.name, account.seq), (name, seq + 1));

    let keys = world.trade_keys(&trader, &[Asset::Sol]);
    let mut args = world.order(&[1_000]);
    args.expected_seq = Some(seq);
    let stale = instruction::open_position(&world.keys, &keys, args.clone());
    expect_error(
        world.send(stale, &[&trader.key]),
        KeelError::SequenceChanged,
    );
    args.expected_seq = Some(seq + 1);
    let current = instruction::open_position(&world.keys, &keys, args);
    world.send(current, &[&trader.key]).expect("as seen");
    assert_eq!(world.margin(trader.margin).seq, seq + 2);
}

/// I11 for naming and closing.
#[test]
fn mutations_of_accounts() {
    NAMES_AND_CLOSING.judged();
}

pub static NAMES_AND_CLOSING: Area = Area::of("names and closing", names_and_closing);

fn names_and_closing() -> Tally {
    let (mut world, trader) = empty();
    let friend = world.trader().expect("a friend");
    let other = world.second_group(2).expect("a second group");
    let first = std::mem::replace(&mut world.keys, other);
    let twin = world.sub_account(&trader.key, 0).expect("an account");
    world.keys = first;
    world.vm.pass(1);
    let stranger = world.wallet_key(900);
    let receiver = world.wallet_key(905).pubkey();

    let name = |trader: &Trader| instruction::set_name(trader.owner(), trader.margin, [1; 32]);
    let close = |keys, trader: &Trader| {
        instruction::close_margin_account(keys, trader.owner(), trader.margin, receiver)
    };
    let signers = || {
        vec![
            trader.key.insecure_clone(),
            friend.key.insecure_clone(),
            stranger.insecure_clone(),
        ]
    };
    let anyone = "the rent goes to whom the owner names";
    let cases = vec![
        Case {
            name: "set_name",
            base: name(&trader),
            siblings: vec![("a friend", name(&friend))],
            signers: signers(),
            allowed: vec![],
        },
        Case {
            name: "close_margin_account",
            base: close(&first, &trader),
            siblings: vec![
                ("the other group", close(&other, &twin)),
                ("a friend", close(&first, &friend)),
            ],
            signers: signers(),
            allowed: vec![
                (3, "another address", anyone),
                (3, "occupied", anyone),
                (3, "duplicate of slot 0", anyone),
                (3, "duplicate of slot 1", anyone),
            ],
        },
    ];
    judge_all(&mut world, cases)
}
