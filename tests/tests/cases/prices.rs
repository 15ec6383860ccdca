//! Every refusal and skip of margin-spec 2.1 and 2.2, and the figures of 2.3 and 2.4.

use std::path::PathBuf;

use anchor_lang::prelude::Pubkey;
use anchor_lang::{AccountDeserialize, AccountSerialize};
use keel::errors::KeelError;
use keel::oracle::{PULL_ACCOUNT_BYTES, PULL_DISCRIMINATOR, read_legacy, read_pull};
use keel_migrations::{GroupConfig, feeds};
use keel_risk::{Book, Tier};
use keel_sdk::{PriceSlot, Snapshot, SourceArgs, instruction};
use keel_state::AssetEntry;
use keel_tests::{Asset, Failure, PriceUpdate, Sent, Trader, World, code, expect_error, keypair};
use pyth_sdk_solana::state::{MAGIC, VERSION_2};
use pyth_solana_receiver_sdk::price_update::{PriceFeedMessage, PriceUpdateV2, VerificationLevel};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solana_signer::Signer;

use crate::legacy::{LEGACY_PROGRAM, Legacy};

/// The other live receiver.
pub const SECOND_RECEIVER: Pubkey =
    Pubkey::from_str_const("rec2HHDDnjLfj4kE7VyEtFA1HPGQLK33259532cRyHp");
/// Where the second source's account lives.
pub const SECOND_ACCOUNT: u64 = 300;

/// SOL's entry in the book.
pub fn sol(world: &World) -> AssetEntry {
    world
        .with_book(|book| book.assets[Asset::Sol as usize])
        .expect("a book")
}

pub fn quality_of_sol(world: &World) -> (Tier, u32) {
    let data = world.book_data();
    let snapshot = Snapshot::new(&data, world.vm.now()).expect("a book");
    let quality = snapshot.view().quality(Asset::Sol as u8);
    (quality.tier, quality.age_s)
}

/// A sound update of SOL, published now.
fn sound(world: &World) -> PriceUpdate {
    PriceUpdate::of(
        world.feed(Asset::Sol),
        15_600_000_000,
        7_800_000,
        world.vm.now(),
    )
}

/// Relays SOL's update after `change`.
fn relay_changed(
    world: &mut World,
    change: impl FnOnce(&mut PriceUpdate, i64),
) -> Result<Sent, Failure> {
    world.vm.pass(1);
    let mut update = sound(world);
    change(&mut update, world.vm.now());
    world.post(Asset::Sol, &update);
    world.relay(&[Asset::Sol])
}

/// Relays SOL's sound update with its bytes changed.
fn relay_bytes(world: &mut World, change: impl FnOnce(&mut Vec<u8>)) -> Result<Sent, Failure> {
    world.vm.pass(1);
    let mut bytes = sound(world).to_bytes();
    change(&mut bytes);
    world.post_bytes(Asset::Sol, feeds::PYTH_RECEIVER, bytes);
    world.relay(&[Asset::Sol])
}

#[test]
fn every_unsound_update_is_refused_and_changes_nothing() {
    type Change = fn(&mut PriceUpdate, i64);
    use KeelError::{ConfidenceTooWide, ExponentOutOfRange, PriceNotPositive};
    use KeelError::{PriceTooEarly, PriceTooOld, WrongFeed};
    let cases: [(&str, Change, KeelError); 13] = [
        ("price 0", |u, _| u.price = 0, PriceNotPositive),
        ("price < 0", |u, _| u.price = -1, PriceNotPositive),
        ("least price", |u, _| u.price = i64::MIN, PriceNotPositive),
        ("exponent 1", |u, _| u.exponent = 1, ExponentOutOfRange),
        ("exponent -13", |u, _| u.exponent = -13, ExponentOutOfRange),
        (
            "least exponent",
            |u, _| u.exponent = i32::MIN,
            ExponentOutOfRange,
        ),
        (
            "confidence a hair above 20%",
            |u, _| u.conf = 3_120_000_001,
            ConfidenceTooWide,
        ),
        (
            "greatest confidence",
            |u, _| u.conf = u64::MAX,
            ConfidenceTooWide,
        ),
        ("61 s old", |u, now| u.publish_time = now - 61, PriceTooOld),
        (
            "61 s ahead",
            |u, now| u.publish_time = now + 61,
            PriceTooEarly,
        ),
        (
            "the end of time",
            |u, _| u.publish_time = i64::MAX,
            PriceTooEarly,
        ),
        ("another feed", |u, _| u.feed[31] ^= 1, WrongFeed),
        ("a feed of zeros", |u, _| u.feed = [0; 32], WrongFeed),
    ];
    for (name, change, expected) in cases {
        // The stored price is older than any of these, so that age is judged and not skipped.
        let mut world = World::new().expect("a world");
        world.vm.pass(200);
        let before = world.book_data();
        let result = relay_changed(&mut world, change);
        println!("{name}");
        expect_error(result, expected);
        assert_eq!(before, world.book_data(), "{name}: the book changed");
    }
}

#[test]
fn accounts_that_are_no_full_price_update_are_refused() {
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, Change, KeelError); 9] = [
        (
            "a byte short",
            |b| b.truncate(133),
            KeelError::WrongPriceLength,
        ),
        ("a byte long", |b| b.push(0), KeelError::WrongPriceLength),
        ("empty", |b| b.clear(), KeelError::WrongPriceLength),
        (
            "discriminator",
            |b| b[0] ^= 1,
            KeelError::WrongPriceDiscriminator,
        ),
        (
            "discriminator's end",
            |b| b[7] ^= 0x80,
            KeelError::WrongPriceDiscriminator,
        ),
        (
            "never initialised",
            |b| b.fill(0),
            KeelError::WrongPriceDiscriminator,
        ),
        ("partial", |b| b[40] = 0, KeelError::PriceNotFullyVerified),
        (
            "partial with 13 guardians, fields moved by a byte",
            |b| {
                b[40] = 0;
                b.insert(41, 13);
                b.truncate(PULL_ACCOUNT_BYTES);
            },
            KeelError::PriceNotFullyVerified,
        ),
        (
            "a level that does not exist",
            |b| b[40] = 2,
            KeelError::PriceNotFullyVerified,
        ),
    ];
    let mut world = World::new().expect("a world");
    for (name, change, expected) in cases {
        let before = world.book_data();
        let result = relay_bytes(&mut world, change);
        println!("{name}");
        expect_error(result, expected);
        assert_eq!(before, world.book_data(), "{name}: the book changed");
    }
}

#[test]
fn only_the_configured_receiver_may_own_the_account() {
    let mut world = World::new().expect("a world");
    let strangers = [
        SECOND_RECEIVER,
        LEGACY_PROGRAM,
        keel::ID,
        Pubkey::default(),
        keypair(9).pubkey(),
    ];
    for owner in strangers {
        world.vm.pass(1);
        let bytes = sound(&world).to_bytes();
        world.post_bytes(Asset::Sol, owner, bytes);
        expect_error(world.relay(&[Asset::Sol]), KeelError::WrongPriceOwner);
    }
}

#[test]
fn values_at_the_boundary_are_accepted_exactly() {
    type Change = fn(&mut PriceUpdate, i64);
    let cases: [(&str, Change); 7] = [
        ("exactly 20% of confidence", |u, _| {
            u.conf = u.price as u64 / 5
        }),
        ("no confidence interval", |u, _| u.conf = 0),
        ("exactly 60 s old", |u, now| u.publish_time = now - 60),
        ("exactly 60 s ahead", |u, now| u.publish_time = now + 60),
        ("exponent 0", |u, _| {
            (u.price, u.conf, u.exponent) = (156, 0, 0);
        }),
        ("exponent -12", |u, _| {
            (u.price, u.conf, u.exponent) = (156_000_000_000_000, 1, -12);
        }),
        ("far below the listed range", |u, _| {
            (u.price, u.conf) = (100, 0);
        }),
    ];
    for (name, change) in cases {
        let mut world = World::new().expect("a world");
        world.vm.pass(200);
        let sequence = world.with_book(|book| book.sequence);
        let sent = relay_changed(&mut world, change);
        assert!(sent.is_ok(), "{name}: {}", sent.expect_err("a failure"));
        let entry = sol(&world);
        assert_eq!(
            world.with_book(|book| book.sequence),
            sequence.map(|sequence| sequence + 1),
            "{name}"
        );
        assert!(entry.lot_price > 0, "{name}");
    }
}

#[test]
fn an_update_that_is_not_later_is_skipped_without_error_unless_strict() {
    let mut world = World::new().expect("a world");
    for back_s in [0, 1, 59, 61, 10_000] {
        let stored = sol(&world).publish_time;
        let before = world.book_data();
        let update = PriceUpdate {
            publish_time: stored - back_s,
            price: 1_000_000_000,
            ..sound(&world)
        };
        world.post(Asset::Sol, &update);
        world.relay(&[Asset::Sol]).expect("skipped");
        assert_eq!(
            before,
            world.book_data(),
            "{back_s} s back changed the book"
        );

        let account = world.price_accounts[Asset::Sol as usize];
        let strict = instruction::update_prices(&world.keys, &[(Asset::Sol.slot(), account)], true);
        expect_error(world.send(strict, &[]), KeelError::PriceNotNewer);
    }
}

#[test]
fn nonsense_is_refused_even_when_it_would_be_skipped() {
    let mut world = World::new().expect("a world");
    let stored = sol(&world).publish_time;
    let result = relay_changed(&mut world, |update, _| {
        update.price = -5;
        update.publish_time = stored;
    });
    expect_error(result, KeelError::PriceNotPositive);
}

#[test]
fn a_keeper_that_lands_first_does_not_fail_the_users_update() {
    let mut world = World::new().expect("a world");
    world.vm.pass(2);
    let first = sound(&world);
    world.post(Asset::Sol, &first);
    world.relay(&[Asset::Sol]).expect("the keeper");
    let btc = PriceUpdate::of(
        world.feed(Asset::Btc),
        6_500_000_000_000,
        1_000_000_000,
        world.vm.now(),
    );
    world.post(Asset::Btc, &btc);
    world
        .relay(&[Asset::Sol, Asset::Btc])
        .expect("the user, one of two skipped");
    let stored = world.with_book(|book| book.assets[Asset::Btc as usize].sources[0].price);
    assert_eq!(stored, Some(6_500_000_000_000));
}

#[test]
fn one_bad_price_refuses_the_whole_call_and_changes_nothing() {
    let mut world = World::new().expect("a world");
    world.vm.pass(2);
    for asset in Asset::ALL {
        let update = PriceUpdate::of(world.feed(asset), 100_000_000, 1_000, world.vm.now());
        world.post(asset, &update);
    }
    let bad = PriceUpdate {
        price: 0,
        ..PriceUpdate::of(world.feed(Asset::Eth), 1, 0, world.vm.now())
    };
    world.post(Asset::Eth, &bad);
    let before = world.book_data();
    expect_error(world.relay(&Asset::ALL), KeelError::PriceNotPositive);
    assert_eq!(before, world.book_data());
}

#[test]
fn a_price_from_the_near_future_has_age_zero_and_trades() {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    relay_changed(&mut world, |update, now| update.publish_time = now + 60).expect("accepted");
    assert_eq!(quality_of_sol(&world), (Tier::Ok, 0));
    world
        .open(&trader, Asset::Sol, 1_000)
        .expect("filled at age 0");
    let report = world.report(trader.margin).expect("report");
    assert!(report.health_initial() > 0);

    // The next print may be earlier than the stored one: it is skipped, never an error.
    let update = PriceUpdate {
        publish_time: world.vm.now(),
        ..sound(&world)
    };
    world.post(Asset::Sol, &update);
    world.relay(&[Asset::Sol]).expect("skipped");
}

#[test]
fn closing_or_changing_the_price_account_afterwards_has_no_effect() {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    let before = world.book_data();
    for asset in Asset::ALL {
        let forged = PriceUpdate::of(world.feed(asset), 1, 0, world.vm.now());
        world.post(asset, &forged);
        world
            .vm
            .set_account(world.price_accounts[asset as usize], Default::default());
    }
    assert_eq!(before, world.book_data());
    world
        .open(&trader, Asset::Sol, 1_000)
        .expect("judged by what was copied");
}

#[test]
fn a_closed_price_account_is_refused() {
    let mut world = World::new().expect("a world");
    world.vm.pass(1);
    world.vm.set_account(
        world.price_accounts[Asset::Sol as usize],
        Default::default(),
    );
    expect_error(world.relay(&[Asset::Sol]), KeelError::WrongPriceOwner);
}

#[test]
fn slots_and_accounts_must_fit_each_other() {
    let mut world = World::new().expect("a world");
    let account = world.price_accounts[Asset::Sol as usize];
    let update = |slot: PriceSlot| (slot, account);
    let slot = |asset, source| PriceSlot { asset, source };

    let none = instruction::update_prices(&world.keys, &[], false);
    expect_error(world.send(none, &[]), KeelError::WrongAccountCount);
    let mut fewer = instruction::update_prices(&world.keys, &[update(slot(1, 0)); 2], false);
    fewer.accounts.pop();
    expect_error(world.send(fewer, &[]), KeelError::WrongAccountCount);
    let many = instruction::update_prices(&world.keys, &[update(slot(1, 0)); 33], false);
    expect_error(world.send(many, &[]), KeelError::WrongAccountCount);

    let cases = [
        (slot(4, 0), KeelError::NoSuchAsset),
        (slot(255, 0), KeelError::NoSuchAsset),
        (slot(1, 1), KeelError::NoSuchSource),
        (slot(1, 2), KeelError::NoSuchSource),
        (slot(1, 255), KeelError::NoSuchSource),
        (slot(2, 0), KeelError::WrongFeed),
    ];
    for (slot, expected) in cases {
        let send = instruction::update_prices(&world.keys, &[update(slot)], false);
        expect_error(world.send(send, &[]), expected);
    }
}

#[test]
fn the_same_update_twice_in_one_call_is_stored_once() {
    let mut world = World::new().expect("a world");
    world.vm.pass(1);
    let update = sound(&world);
    world.post(Asset::Sol, &update);
    world.relay(&[Asset::Sol, Asset::Sol]).expect("relayed");
    assert_eq!(sol(&world).sources[0].publish_time, world.vm.now());
}

// Two sources (2.2).

/// A world in which SOL has a second pull source, of the other receiver.
fn two_sources() -> World {
    World::with(|config: &mut GroupConfig| {
        let sources = &mut config.tokens[Asset::Sol as usize].asset.sources;
        sources[1] = SourceArgs {
            owner: SECOND_RECEIVER,
            ..sources[0]
        };
    })
    .expect("a world")
}

/// Posts and relays SOL's second source.
fn relay_second(world: &mut World, update: &PriceUpdate) -> Result<Sent, Failure> {
    let address = keypair(SECOND_ACCOUNT).pubkey();
    let posted = keel_tests::account(SECOND_RECEIVER, update.to_bytes());
    world.vm.set_account(address, posted);
    let slot = PriceSlot {
        asset: Asset::Sol as u8,
        source: 1,
    };
    let relay = instruction::update_prices(&world.keys, &[(slot, address)], false);
    world.send(relay, &[])
}

fn funded(world: &mut World) -> Trader {
    world.provide(5_000_000).expect("liquidity");
    world.trader_with(10_000).expect("a trader")
}

#[test]
fn a_second_source_takes_over_when_the_first_is_stale() {
    let mut world = two_sources();
    let trader = funded(&mut world);
    world.vm.pass(100);
    let now = world.vm.now();
    for asset in [Asset::Usdc, Asset::Btc, Asset::Eth] {
        let price = if asset == Asset::Usdc { 1.0 } else { 3_400.0 };
        let update = PriceUpdate::of(world.feed(asset), (price * 1e8) as i64, 0, now);
        world.post(asset, &update);
    }
    assert_eq!(quality_of_sol(&world).0, Tier::Stale);
    let open = world.open(&trader, Asset::Sol, 1_000);
    expect_error(open, KeelError::PriceUnfit);

    let update = sound(&world);
    relay_second(&mut world, &update).expect("the second source");
    assert_eq!(quality_of_sol(&world), (Tier::Ok, 0));
    world.open(&trader, Asset::Sol, 1_000).expect("open again");
    assert_eq!(sol(&world).publish_time, now);
}

#[test]
fn sources_that_disagree_stop_opening() {
    let cases = [
        // Seconds apart, price of the second in e8, tier.
        (0, 15_600_000_000, Tier::Ok),
        (0, 15_756_000_000, Tier::Ok),
        (0, 15_756_000_001, Tier::Diverged),
        (3, 15_756_000_001, Tier::Diverged),
        (4, 15_756_000_001, Tier::Ok),
        (0, 15_444_000_000, Tier::Diverged),
    ];
    for (apart_s, price, expected) in cases {
        let mut world = two_sources();
        let trader = funded(&mut world);
        relay_changed(&mut world, |_, _| {}).expect("the first source");
        world.vm.pass(apart_s);
        let update = PriceUpdate {
            price,
            ..sound(&world)
        };
        relay_second(&mut world, &update).expect("the second source");
        assert_eq!(
            quality_of_sol(&world).0,
            expected,
            "{price} published {apart_s} s later"
        );
        let open = world.open(&trader, Asset::Sol, 1_000);
        if expected == Tier::Diverged {
            expect_error(open, KeelError::PriceUnfit);
        } else {
            open.expect("opens");
        }
    }
}

#[test]
fn the_second_receivers_account_does_not_serve_the_first_source() {
    let mut world = two_sources();
    world.vm.pass(1);
    let bytes = sound(&world).to_bytes();
    world.post_bytes(Asset::Sol, SECOND_RECEIVER, bytes);
    expect_error(world.relay(&[Asset::Sol]), KeelError::WrongPriceOwner);
}

// Shared fixtures, where they are present.

/// The folder of shared price data, when there is one.
pub fn shared(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("KEEL_SHARED_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let path = folder.join("pyth").join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!("{name} is not here: not tried");
    }
    bytes
}

#[test]
fn the_shared_pull_account_is_accepted() {
    let Some(bytes) = shared("pyth_push_sol_price.bin") else {
        return;
    };
    assert_eq!(bytes.len(), PULL_ACCOUNT_BYTES);
    let mut world = World::unpriced(|_| {}).expect("a world");
    let reading = read_pull(&bytes, &world.feed(Asset::Sol)).expect("a reading");
    let slot = world.vm.slot();
    world.vm.set_time(reading.publish_time + 5, slot + 10);
    world.post_bytes(Asset::Sol, feeds::PYTH_RECEIVER, bytes.clone());
    world.relay(&[Asset::Sol]).expect("accepted");
    let source = sol(&world).sources[0];
    let real = PriceUpdate::real_sol(world.feed(Asset::Sol));
    assert_eq!(
        (source.price, source.confidence, source.publish_time),
        (real.price, real.conf, real.publish_time)
    );
    assert_eq!(source.exponent, -8);
    // Everything from the feed to the last average; the slot it was posted in differs.
    assert_eq!(real.to_bytes()[40..125], bytes[40..125]);
}

// The parser against Pyth's own types, natively.

fn error_code(error: anchor_lang::error::Error) -> u32 {
    match error {
        anchor_lang::error::Error::AnchorError(error) => error.error_code_number,
        anchor_lang::error::Error::ProgramError(_) => 0,
    }
}

fn random_update(rng: &mut ChaCha8Rng) -> PriceUpdateV2 {
    let mut feed_id = [0; 32];
    rng.fill_bytes(&mut feed_id);
    PriceUpdateV2 {
        write_authority: Pubkey::new_from_array(rng.random()),
        verification_level: if rng.random() {
            VerificationLevel::Full
        } else {
            VerificationLevel::Partial {
                num_signatures: rng.random(),
            }
        },
        price_message: PriceFeedMessage {
            feed_id,
            price: rng.random(),
            conf: rng.random(),
            exponent: rng.random(),
            publish_time: rng.random(),
            prev_publish_time: rng.random(),
            ema_price: rng.random(),
            ema_conf: rng.random(),
        },
        posted_slot: rng.random(),
    }
}

fn sdk_bytes(update: &PriceUpdateV2) -> Vec<u8> {
    let mut bytes = Vec::new();
    update.try_serialize(&mut bytes).expect("serialises");
    bytes.resize(PULL_ACCOUNT_BYTES, 0);
    bytes
}

#[test]
fn the_parser_agrees_with_pyths_own_type() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let (mut full, mut partial) = (0, 0);
    for _ in 0..4_000 {
        let update = random_update(&mut rng);
        let bytes = sdk_bytes(&update);
        let message = &update.price_message;
        let ours = read_pull(&bytes, &message.feed_id);
        if update.verification_level == VerificationLevel::Full {
            let reading = ours.expect("fully verified");
            assert_eq!(reading.price, message.price);
            assert_eq!(reading.conf, message.conf);
            assert_eq!(reading.expo, message.exponent);
            assert_eq!(reading.publish_time, message.publish_time);
            let mut other = message.feed_id;
            other[rng.random_range(0..32)] ^= rng.random_range(1..=255);
            let refused = read_pull(&bytes, &other).expect_err("another feed");
            assert_eq!(error_code(refused), code(KeelError::WrongFeed));
            full += 1;
        } else {
            let refused = ours.expect_err("partially verified");
            assert_eq!(error_code(refused), code(KeelError::PriceNotFullyVerified));
            partial += 1;
        }
    }
    println!("{full} fully verified, {partial} partially");
    assert!(full > 1_000 && partial > 1_000);
}

#[test]
fn the_parser_agrees_with_pyths_own_type_on_damaged_accounts() {
    let mut rng = ChaCha8Rng::seed_from_u64(22);
    for _ in 0..4_000 {
        let update = random_update(&mut rng);
        let mut bytes = sdk_bytes(&update);
        let at = rng.random_range(0..PULL_ACCOUNT_BYTES);
        bytes[at] ^= rng.random_range(1..=255);
        let feed = update.price_message.feed_id;
        let theirs = PriceUpdateV2::try_deserialize(&mut bytes.as_slice())
            .ok()
            .filter(|update| update.verification_level == VerificationLevel::Full)
            .filter(|update| update.price_message.feed_id == feed);
        match (read_pull(&bytes, &feed), theirs) {
            (Ok(ours), Some(theirs)) => {
                let message = theirs.price_message;
                assert_eq!(
                    (ours.price, ours.conf, ours.expo, ours.publish_time),
                    (
                        message.price,
                        message.conf,
                        message.exponent,
                        message.publish_time
                    )
                );
            }
            (Err(_), None) => {}
            (ours, theirs) => panic!(
                "byte {at}: ours {}, theirs {}",
                ours.is_ok(),
                theirs.is_some()
            ),
        }
    }
}

#[test]
fn the_harness_writes_what_pyths_own_type_reads() {
    let update = PriceUpdate::real_sol([9; 32]);
    let bytes = update.to_bytes();
    assert_eq!(bytes[..8], PULL_DISCRIMINATOR);
    let theirs = PriceUpdateV2::try_deserialize(&mut bytes.as_slice()).expect("their account");
    assert_eq!(theirs.verification_level, VerificationLevel::Full);
    assert_eq!(theirs.price_message.price, update.price);
    assert_eq!(theirs.price_message.ema_conf, update.ema_conf);
    assert_eq!(theirs.posted_slot, update.posted_slot);
}

#[test]
fn garbage_never_panics() {
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    for round in 0..4_000u32 {
        // Aligned like an account's data.
        let mut words = vec![0u64; 430];
        for word in &mut words {
            *word = rng.random();
        }
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        if round % 2 == 0 {
            bytes[..8].copy_from_slice(&PULL_DISCRIMINATOR);
        }
        if round % 3 == 0 {
            bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
            bytes[4..8].copy_from_slice(&VERSION_2.to_le_bytes());
        }
        let length = match round % 4 {
            0 => PULL_ACCOUNT_BYTES,
            1 => size_of::<Legacy>(),
            _ => rng.random_range(0..bytes.len()),
        };
        // `PriceStatus` is an enumeration in the SDK's type: only its five values may be read as one.
        let status = rng.random_range(0..5u32);
        if bytes.len() >= 228 {
            bytes[224..228].copy_from_slice(&status.to_le_bytes());
        }
        let _ = read_pull(&bytes[..length], &[0; 32]);
        let _ = read_legacy(&bytes[..length], rng.random());
    }
}

// Figures (2.3, 2.4), worked by hand: a lot of SOL is 0.001, so $100 is 100,000 atoms, and the
// listed range from $10 gives a shift of 16.

const HUNDRED: u64 = 100_000 << 16;

fn update_at(world: &mut World, price_e8: i64, conf: u64) {
    let update = PriceUpdate {
        price: price_e8,
        conf,
        ..sound(world)
    };
    world.post(Asset::Sol, &update);
    world.relay(&[Asset::Sol]).expect("accepted");
}

#[test]
fn the_band_is_confidence_times_2_12_and_at_most_five_percent() {
    // conf 1% of the price: 2.12% of 2^40, rounded up.
    let mut world = World::unpriced(|_| {}).expect("a world");
    update_at(&mut world, 10_000_000_000, 100_000_000);
    let entry = sol(&world);
    assert_eq!(entry.lot_shift, 16);
    assert_eq!(entry.lot_price, HUNDRED);
    assert_eq!(entry.stable_price, HUNDRED);
    assert_eq!((entry.down, entry.up), (23_309_646_509, 23_309_646_509));
    assert_eq!(entry.conf, 10_000);

    // conf 10%: 21.2% would be the band, 5% is the cap.
    let mut world = World::unpriced(|_| {}).expect("a world");
    update_at(&mut world, 10_000_000_000, 1_000_000_000);
    let entry = sol(&world);
    assert_eq!((entry.down, entry.up), (54_975_581_389, 54_975_581_389));
    assert_eq!(quality_of_sol(&world).0, Tier::Wide);
}

#[test]
fn the_stable_price_moves_by_a_fifth_of_a_percent_per_minute() {
    let mut world = World::unpriced(|_| {}).expect("a world");
    update_at(&mut world, 10_000_000_000, 0);
    world.vm.pass(60);
    update_at(&mut world, 10_100_000_000, 0);
    let entry = sol(&world);
    assert_eq!(entry.lot_price, 101_000 << 16);
    assert_eq!(entry.stable_price, HUNDRED + HUNDRED / 500);
    // The stable price lies 0.8 of 101 below: ceil(2^40 * 4 / 505); nothing lies above.
    assert_eq!((entry.down, entry.up), ((4u64 << 40).div_ceil(505), 0));

    // Ten minutes count as two: 0.4% of 100.2, on the way down.
    world.vm.pass(600);
    let before = entry.stable_price;
    update_at(&mut world, 9_500_000_000, 0);
    let entry = sol(&world);
    let step = u64::try_from(u128::from(before) * 4 / 1_000).expect("a step");
    assert_eq!(entry.stable_price, before - step);
    assert_eq!(entry.down, 0);
    let above = u128::from(entry.stable_price - entry.lot_price) << 40;
    assert_eq!(
        u128::from(entry.up),
        above.div_ceil(u128::from(entry.lot_price))
    );
}

#[test]
fn the_stable_price_never_passes_the_price() {
    let mut world = World::unpriced(|_| {}).expect("a world");
    update_at(&mut world, 10_000_000_000, 0);
    world.vm.pass(120);
    update_at(&mut world, 10_010_000_000, 0);
    let entry = sol(&world);
    assert_eq!(entry.stable_price, entry.lot_price);
    assert_eq!((entry.down, entry.up), (0, 0));
}

#[test]
fn many_updates_in_a_minute_do_not_move_the_stable_price_faster() {
    let mut world = World::unpriced(|_| {}).expect("a world");
    update_at(&mut world, 10_000_000_000, 0);
    for _ in 0..60 {
        world.vm.pass(1);
        update_at(&mut world, 10_900_000_000, 0);
    }
    let stable = sol(&world).stable_price;
    // Compounding 60 steps of 1/30,000 gains at most one part in a million over a single step.
    assert!(stable > HUNDRED + HUNDRED / 500 - 100);
    assert!(stable < HUNDRED + HUNDRED / 500 + HUNDRED / 400_000);
}
