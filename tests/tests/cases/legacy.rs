//! The legacy source of margin-spec 2.1: a pinned account of the old oracle program.

use core::mem::offset_of;

use anchor_lang::prelude::Pubkey;
use keel::errors::KeelError;
use keel_migrations::feeds;
use keel_risk::Tier;
use keel_sdk::{PriceSlot, SourceArgs, instruction};
use keel_state::SourceKind;
use keel_tests::{Asset, Failure, Sent, World, expect_error, keypair};
use pyth_sdk_solana::state::{
    AccountType, GenericPriceAccount, MAGIC, PriceInfo, PriceStatus, PriceType, VERSION_2,
};
use solana_signer::Signer;

use crate::prices::{SECOND_ACCOUNT, quality_of_sol, shared, sol};

/// The legacy oracle program.
pub const LEGACY_PROGRAM: Pubkey =
    Pubkey::from_str_const("FsJ3A3u2vn5cTVofAjvy6y5kwABJAqYWpe4975bi2epH");

/// A legacy price account, as Pyth's SDK has it.
pub type Legacy = GenericPriceAccount<32, ()>;

/// The bytes as the chain has them. Status and corporate action are 32 bits wide there; the SDK has one
/// byte for each and a gap behind them, which holds anything.
pub fn bytes_of(account: &Legacy) -> Vec<u8> {
    let mut bytes = bytemuck::bytes_of(account).to_vec();
    bytes[STATUS + 1..PUBLISHED].fill(0);
    bytes
}

/// Where the aggregate's status stands, and the slot it was published in.
const STATUS: usize = offset_of!(Legacy, agg) + offset_of!(PriceInfo, status);
const PUBLISHED: usize = offset_of!(Legacy, agg) + offset_of!(PriceInfo, pub_slot);

fn legacy_account(world: &World) -> Legacy {
    let mut account = Legacy {
        magic: MAGIC,
        ver: VERSION_2,
        atype: AccountType::Price as u32,
        size: 3_312,
        ptype: PriceType::Price,
        expo: -8,
        timestamp: world.vm.now(),
        ..Legacy::default()
    };
    account.agg.price = 15_600_000_000;
    account.agg.conf = 7_800_000;
    account.agg.status = PriceStatus::Trading;
    account.agg.pub_slot = world.vm.slot();
    account
}

/// A world whose SOL comes from a legacy account pinned at the harness's price address.
fn legacy_world() -> World {
    let pinned = keypair(SECOND_ACCOUNT).pubkey();
    let mut world = World::with(|config| {
        config.tokens[Asset::Sol as usize].asset.sources[1] = SourceArgs {
            kind: SourceKind::PythLegacy as u8,
            owner: LEGACY_PROGRAM,
            feed: pinned.to_bytes(),
        };
    })
    .expect("a world");
    world.vm.pass(100);
    world
}

fn relay_legacy_at(
    world: &mut World,
    address: Pubkey,
    owner: Pubkey,
    bytes: &[u8],
) -> Result<Sent, Failure> {
    let posted = keel_tests::account(owner, bytes.to_vec());
    world.vm.set_account(address, posted);
    let slot = PriceSlot {
        asset: Asset::Sol as u8,
        source: 1,
    };
    let relay = instruction::update_prices(&world.keys, &[(slot, address)], false);
    world.send(relay, &[])
}

fn relay_legacy(world: &mut World, account: &Legacy) -> Result<Sent, Failure> {
    let address = keypair(SECOND_ACCOUNT).pubkey();
    relay_legacy_at(world, address, LEGACY_PROGRAM, &bytes_of(account))
}

#[test]
fn a_legacy_price_that_trades_is_accepted() {
    let mut world = legacy_world();
    let account = legacy_account(&world);
    relay_legacy(&mut world, &account).expect("accepted");
    let entry = sol(&world);
    assert_eq!(entry.sources[1].price, 15_600_000_000);
    assert_eq!(entry.sources[1].publish_time, world.vm.now());
    assert_eq!(quality_of_sol(&world).0, Tier::Ok);
}

#[test]
fn a_legacy_price_of_any_other_status_is_refused() {
    let mut world = legacy_world();
    for status in [
        PriceStatus::Unknown,
        PriceStatus::Halted,
        PriceStatus::Auction,
        PriceStatus::Ignored,
    ] {
        let mut account = legacy_account(&world);
        account.agg.status = status;
        let relayed = relay_legacy(&mut world, &account);
        expect_error(relayed, KeelError::LegacyPriceNotTrading);
    }
}

/// The SDK has an enum there: these must be refused before it takes the bytes for one.
#[test]
fn a_legacy_price_of_a_status_that_does_not_exist_is_refused() {
    let mut world = legacy_world();
    let pinned = keypair(SECOND_ACCOUNT).pubkey();
    let sound = bytes_of(&legacy_account(&world));
    for status in [5, 255, 0x101, 0x0100_0001, u32::MAX] {
        let mut bytes = sound.clone();
        bytes[STATUS..STATUS + 4].copy_from_slice(&status.to_le_bytes());
        let relayed = relay_legacy_at(&mut world, pinned, LEGACY_PROGRAM, &bytes);
        expect_error(relayed, KeelError::LegacyPriceNotTrading);
    }
    let relayed = relay_legacy_at(&mut world, pinned, LEGACY_PROGRAM, &sound);
    relayed.expect("the same account, trading");
}

#[test]
fn a_legacy_price_older_than_25_slots_is_refused() {
    let mut world = legacy_world();
    let mut account = legacy_account(&world);
    account.agg.pub_slot -= 26;
    let relayed = relay_legacy(&mut world, &account);
    expect_error(relayed, KeelError::LegacyPriceTooManySlots);
    account.agg.pub_slot += 1;
    relay_legacy(&mut world, &account).expect("25 slots are accepted");
}

#[test]
fn a_legacy_price_counts_only_at_the_pinned_address_and_owner() {
    let mut world = legacy_world();
    let account = legacy_account(&world);
    let bytes = &bytes_of(&account);
    let elsewhere = keypair(SECOND_ACCOUNT + 1).pubkey();
    let relayed = relay_legacy_at(&mut world, elsewhere, LEGACY_PROGRAM, bytes);
    expect_error(relayed, KeelError::WrongPriceAccount);
    let pinned = keypair(SECOND_ACCOUNT).pubkey();
    let relayed = relay_legacy_at(&mut world, pinned, feeds::PYTH_RECEIVER, bytes);
    expect_error(relayed, KeelError::WrongPriceOwner);
}

#[test]
fn legacy_bytes_that_are_no_price_are_refused() {
    let mut world = legacy_world();
    let sound = legacy_account(&world);
    type Change = fn(&mut Legacy);
    let changes: [Change; 3] = [
        |account| account.magic ^= 1,
        |account| account.ver = 1,
        |account| account.atype = AccountType::Product as u32,
    ];
    for change in changes {
        let mut account = sound;
        change(&mut account);
        let relayed = relay_legacy(&mut world, &account);
        expect_error(relayed, KeelError::WrongPriceDiscriminator);
    }
    let pinned = keypair(SECOND_ACCOUNT).pubkey();
    for cut in [0, 8, 240, 3_311] {
        let bytes = &bytes_of(&sound)[..cut];
        let relayed = relay_legacy_at(&mut world, pinned, LEGACY_PROGRAM, bytes);
        expect_error(relayed, KeelError::WrongPriceDiscriminator);
    }
}

#[test]
fn a_legacy_price_is_judged_like_any_other() {
    let mut world = legacy_world();
    let sound = legacy_account(&world);
    type Change = fn(&mut Legacy);
    let cases: [(Change, KeelError); 4] = [
        (|a| a.agg.price = 0, KeelError::PriceNotPositive),
        (
            |a| a.agg.conf = a.agg.price as u64,
            KeelError::ConfidenceTooWide,
        ),
        (|a| a.expo = 1, KeelError::ExponentOutOfRange),
        (|a| a.timestamp -= 61, KeelError::PriceTooOld),
    ];
    for (change, expected) in cases {
        let mut account = sound;
        change(&mut account);
        expect_error(relay_legacy(&mut world, &account), expected);
    }
}

#[test]
fn the_shared_legacy_dump_of_status_unknown_is_refused() {
    let Some(bytes) = shared("sol_pyth_oracle.json") else {
        return;
    };
    let dump: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
    let address: Pubkey = text(&dump["pubkey"]).parse().expect("an address");
    let owner: Pubkey = text(&dump["account"]["owner"]).parse().expect("an owner");
    let data = base64(&text(&dump["account"]["data"][0]));
    let mut world = World::unpriced(|config| {
        config.tokens[Asset::Sol as usize].asset.sources[1] = SourceArgs {
            kind: SourceKind::PythLegacy as u8,
            owner,
            feed: address.to_bytes(),
        };
    })
    .expect("a world");
    let aligned: Legacy = bytemuck::pod_read_unaligned(&data[..size_of::<Legacy>()]);
    world
        .vm
        .set_time(aligned.timestamp + 1, aligned.agg.pub_slot + 1);
    let relayed = relay_legacy_at(&mut world, address, owner, &data);
    expect_error(relayed, KeelError::LegacyPriceNotTrading);
}

/// The bytes of standard base64 text.
fn base64(text: &str) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> = text
        .bytes()
        .filter(|digit| *digit != b'=')
        .map(|digit| u32::from(value(digit)))
        .collect();
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let word = group
            .iter()
            .enumerate()
            .fold(0, |word, (place, digit)| word | digit << (18 - 6 * place));
        let bytes = [(word >> 16) as u8, (word >> 8) as u8, word as u8];
        out.extend(&bytes[..group.len() - 1]);
    }
    out
}
