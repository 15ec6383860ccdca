//! Providing and redeeming through requests (margin-spec 10.3, 10.4, 7.5; I4, I5).

use anchor_lang::prelude::Pubkey;
use anchor_spl::token_2022;
use keel::errors::KeelError;
use keel_sdk::instruction::Token;
use keel_sdk::{address, instruction};
use keel_tests::{Asset, Failure, Sent, Trader, World, account, expect_error};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solana_keypair::Keypair;
use solana_signer::Signer;

const USD: u64 = 1_000_000;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
const PRICES: [f64; 4] = [1.0, 156.797_690_99, 64_000.0, 3_400.0];

/// A world with the cooldowns of production.
fn waiting() -> World {
    World::with(|config| {
        config.pool.cooldown_in_s = 3_600;
        config.pool.cooldown_out_s = 86_400;
    })
    .expect("a world")
}

/// A world in which requests are executable at once, and the quote's bank lets everything out.
fn quick() -> World {
    World::with(|config| {
        config.pool.cooldown_out_s = 0;
        config.tokens[0].lending.outflow_floor = 1 << 50;
    })
    .expect("a world")
}

/// A provider who is in with so many USDC.
fn provider(world: &mut World, usdc: u64) -> Keypair {
    world.provide(usdc).expect("liquidity").0
}

fn pool_equity(world: &mut World) -> i64 {
    let margin = address::pool_margin(&world.keys.group, &world.pool);
    world.report(margin).expect("report").net_asset_value
}

fn pool_free_initial(world: &mut World) -> i64 {
    let margin = address::pool_margin(&world.keys.group, &world.pool);
    let report = world.report(margin).expect("report");
    report.initial_equity - report.initial_requirement
}

/// Equity and shares: a share's price as an exact fraction.
fn share_price(world: &mut World) -> (i128, i128) {
    let shares = world.pool_state().expect("a pool").shares;
    (pool_equity(world).into(), shares.into())
}

fn lamports(world: &World, address: Pubkey) -> u64 {
    world.vm.account(&address).map_or(0, |held| held.lamports)
}

fn usdc(world: &World, key: &Keypair) -> u64 {
    world.wallet(key.pubkey(), Asset::Usdc)
}

fn balanced(world: &mut World) {
    assert_eq!(world.conservation().expect("a check"), (7, 0));
}

/// A trader whose long of `usd` in SOL the pool is short of.
fn long_sol(world: &mut World, usd: f64) -> Trader {
    let trader = world.trader_with(3_000_000).expect("a trader");
    let lots = (usd / 0.156_797_690_99) as i64;
    world.open(&trader, Asset::Sol, lots).expect("open");
    trader
}

/// Redeems everything that a provider has, at once.
fn redeem_all(world: &mut World, key: &Keypair) -> Result<Sent, Failure> {
    let shares = world.lp_shares(key.pubkey());
    world.request_redeem(key, shares, 0)?;
    world.execute_redeem(key.pubkey())
}

/// 10.4: quote waits an hour of live time in escrow, anyone executes, and the rent comes back.
#[test]
fn a_provision_waits_an_hour_and_is_executed_by_anyone() {
    let mut world = waiting();
    let key = world.provider(5);
    let rent = lamports(&world, key.pubkey());
    world.request_provide(&key, 5 * USD, 4 * USD).expect("ask");
    let request = address::provide_request(&world.pool, &key.pubkey());
    assert_eq!(world.token_amount(&address::escrow(&request)), 5 * USD);
    assert_eq!(usdc(&world, &key), 0);

    // The chain's clock alone brings nobody in.
    world.vm.pass(100_000);
    for skipped in [0, HOUR - 1] {
        world.skip_live_time(skipped);
        expect_error(
            world.execute_provide(key.pubkey()),
            KeelError::CooldownRunning,
        );
    }
    world.skip_live_time(1);
    world.execute_provide(key.pubkey()).expect("execute");

    assert_eq!(world.lp_shares(key.pubkey()), 4 * USD);
    assert!(world.provide_request(key.pubkey()).is_none());
    assert_eq!(lamports(&world, address::escrow(&request)), 0);
    assert_eq!(lamports(&world, key.pubkey()), rent);
    balanced(&mut world);
}

/// 10.4: shares wait a day, are burned at the price of then, and the quote comes to who asked.
#[test]
fn a_redemption_waits_a_day_and_pays_whoever_executes_it() {
    let mut world = World::new().expect("a world");
    let key = provider(&mut world, 10);
    let rent = lamports(&world, key.pubkey());
    world.request_redeem(&key, 6 * USD, 6 * USD).expect("ask");
    let held = world.pool_state().expect("a pool");
    assert_eq!((held.shares, held.escrowed_shares), (10 * USD, 6 * USD));

    world.skip_live_time(DAY - 1);
    expect_error(
        world.execute_redeem(key.pubkey()),
        KeelError::CooldownRunning,
    );
    world.skip_live_time(1);
    world.execute_redeem(key.pubkey()).expect("execute");

    assert_eq!(usdc(&world, &key), 6 * USD);
    assert_eq!(world.lp_shares(key.pubkey()), 3 * USD);
    let held = world.pool_state().expect("a pool");
    assert_eq!((held.shares, held.escrowed_shares), (4 * USD, 0));
    let mint = world.data(&address::lp_mint(&world.pool));
    assert_eq!(mint[36..44], (3 * USD).to_le_bytes());
    assert!(world.redeem_request(key.pubkey()).is_none());
    assert_eq!(lamports(&world, key.pubkey()), rent);
    balanced(&mut world);
}

/// 10.4: who lets his hour pass can only cancel, and so can anyone for him; he has chosen nothing.
#[test]
fn a_request_is_no_option_on_the_price() {
    let mut world = waiting();
    let (inside, stranger) = (world.provider(1_000), world.wallet_key(601));
    world
        .request_provide(&inside, 1_000 * USD, 0)
        .expect("ask in");
    world.skip_live_time(HOUR);
    world.execute_provide(inside.pubkey()).expect("in");

    let enters = world.provider(1_000);
    world
        .request_provide(&enters, 1_000 * USD, 0)
        .expect("ask in");
    world
        .request_redeem(&inside, 500 * USD, 0)
        .expect("ask out");
    expect_error(
        world.cancel_provide(&stranger, enters.pubkey()),
        KeelError::NotRequester,
    );
    expect_error(
        world.cancel_redeem(&stranger, inside.pubkey()),
        KeelError::NotRequester,
    );

    world.skip_live_time(2 * HOUR + 1);
    expect_error(
        world.execute_provide(enters.pubkey()),
        KeelError::RequestLapsed,
    );
    world.skip_live_time(DAY - HOUR);
    expect_error(
        world.execute_redeem(inside.pubkey()),
        KeelError::RequestLapsed,
    );

    // Anyone clears a lapsed request away; what is in escrow goes to who asked.
    world
        .cancel_provide(&stranger, enters.pubkey())
        .expect("cancel");
    world
        .cancel_redeem(&stranger, inside.pubkey())
        .expect("cancel");
    assert_eq!(usdc(&world, &enters), 1_000 * USD);
    assert_eq!(world.lp_shares(inside.pubkey()), 999 * USD);
    assert_eq!(world.pool_state().expect("a pool").escrowed_shares, 0);

    // A new request waits anew.
    world
        .request_redeem(&inside, 500 * USD, 0)
        .expect("ask again");
    expect_error(
        world.execute_redeem(inside.pubkey()),
        KeelError::CooldownRunning,
    );
}

/// 10.4: a request can be taken back at any time, with its rent.
#[test]
fn cancelling_gives_everything_back() {
    let mut world = waiting();
    let key = world.provider(1_000);
    let rent = lamports(&world, key.pubkey());
    world.request_provide(&key, 1_000 * USD, 0).expect("ask");
    let request = address::provide_request(&world.pool, &key.pubkey());
    assert!(lamports(&world, key.pubkey()) < rent);
    world.cancel_provide(&key, key.pubkey()).expect("cancel");
    assert_eq!(usdc(&world, &key), 1_000 * USD);
    assert_eq!(lamports(&world, key.pubkey()), rent);
    assert_eq!(lamports(&world, request), 0);

    world
        .request_provide(&key, 1_000 * USD, 0)
        .expect("ask anew");
    world.skip_live_time(HOUR);
    world.execute_provide(key.pubkey()).expect("execute");
    world.request_redeem(&key, 9 * USD, 0).expect("ask out");
    assert!(world.request_redeem(&key, USD, 0).is_err(), "one at a time");
    world.cancel_redeem(&key, key.pubkey()).expect("cancel");
    assert_eq!(world.lp_shares(key.pubkey()), 999 * USD);
    assert_eq!(lamports(&world, key.pubkey()), rent);
    assert_eq!(world.pool_state().expect("a pool").escrowed_shares, 0);
    balanced(&mut world);
}

/// 10.4: fewer shares, or less quote, than asked for leave the request for its owner to cancel.
#[test]
fn a_least_amount_protects_who_asks() {
    let mut world = quick();
    provider(&mut world, 1_000);
    let key = world.provider(10);
    world
        .request_provide(&key, 10 * USD, 10 * USD + 1)
        .expect("ask");
    expect_error(world.execute_provide(key.pubkey()), KeelError::TooFewShares);
    assert!(world.provide_request(key.pubkey()).is_some());
    world.cancel_provide(&key, key.pubkey()).expect("cancel");

    world
        .request_provide(&key, 10 * USD, 10 * USD)
        .expect("ask");
    world.execute_provide(key.pubkey()).expect("execute");
    world
        .request_redeem(&key, 10 * USD, 10 * USD + 1)
        .expect("ask");
    expect_error(
        world.execute_redeem(key.pubkey()),
        KeelError::BelowMinAmount,
    );
    world.cancel_redeem(&key, key.pubkey()).expect("cancel");
    world.request_redeem(&key, 10 * USD, 10 * USD).expect("ask");
    world.execute_redeem(key.pubkey()).expect("execute");
    assert_eq!(usdc(&world, &key), 10 * USD);
}

/// 10.4: requests of nothing, in another token, and with another's accounts.
#[test]
fn requests_of_nothing_or_of_another_are_refused() {
    let mut world = quick();
    let (key, other) = (provider(&mut world, 1_000), provider(&mut world, 1_000));
    expect_error(world.request_provide(&key, 0, 0), KeelError::ZeroAmount);
    expect_error(world.request_redeem(&key, 0, 0), KeelError::ZeroAmount);

    world.give(key.pubkey(), Asset::Sol, 1_000);
    let (keys, pool, sol) = (world.keys, world.pool, world.token(Asset::Sol));
    let astray = instruction::request_provide(&keys, key.pubkey(), pool, sol, 1_000, 0);
    expect_error(world.send(astray, &[&key]), KeelError::NotTheQuote);

    world.request_redeem(&key, USD, 0).expect("ask");
    world.request_redeem(&other, USD, 0).expect("ask");
    let quote = world.token(Asset::Usdc);
    let mut steals = instruction::redeem_liquidity(&keys, key.pubkey(), pool, quote);
    steals.accounts[8].pubkey = other.pubkey();
    expect_error(world.send(steals, &[]), KeelError::WrongRequest);
}

/// I5: who provides and redeems at one price, positions in the pool or not, never gains.
#[test]
fn in_and_out_again_never_gains() {
    let mut rng = ChaCha8Rng::seed_from_u64(41);
    let mut world = quick();
    provider(&mut world, 2_000_000);
    for round in 0..8 {
        if round == 4 {
            long_sol(&mut world, 1_000_000.0);
            world
                .move_prices([1.0, 150.0, 64_000.0, 3_400.0])
                .expect("prices");
        }
        let amount = rng.random_range(1..50_000);
        let key = provider(&mut world, amount);
        let before = share_price(&mut world);
        redeem_all(&mut world, &key).expect("out");
        let after = share_price(&mut world);
        assert!(usdc(&world, &key) <= amount * USD);
        assert!(
            after.0 * before.1 >= before.0 * after.1,
            "{before:?} {after:?}"
        );
        assert_eq!(world.lp_shares(key.pubkey()), 0);
    }
    balanced(&mut world);
}

/// 10.4: neither a first provider of the least amount, nor donations to vault and escrows, nor gains of
/// the pool round a later provider's money away.
#[test]
fn share_inflation_by_the_first_depositor() {
    let mut world = quick();
    let attacker = world.provider(10_000);
    world
        .request_provide(&attacker, 1_000_001, 0)
        .expect("the least");
    world.execute_provide(attacker.pubkey()).expect("first");
    assert_eq!(world.lp_shares(attacker.pubkey()), 1);
    let spent = 10_000 * USD - usdc(&world, &attacker);

    // Donations: to the vault they count nothing, to an escrow they are its owner's.
    let victim = world.provider(1_000);
    world.request_provide(&victim, 1_000 * USD, 0).expect("ask");
    let request = address::provide_request(&world.pool, &victim.pubkey());
    let bank = address::bank(&world.keys.group, &world.token(Asset::Usdc).mint);
    for place in [address::vault(&bank), address::escrow(&request)] {
        let held = world.token_amount(&place) + 9 * USD;
        world.patch(place, 64, &held.to_le_bytes());
    }
    assert_eq!(share_price(&mut world), (1_000_001, 1_000_001));
    world.execute_provide(victim.pubkey()).expect("the victim");
    assert_eq!(world.lp_shares(victim.pubkey()), 1_009 * USD);

    redeem_all(&mut world, &victim).expect("out");
    redeem_all(&mut world, &attacker).expect("out");
    assert_eq!(usdc(&world, &victim), 1_009 * USD);
    assert!(usdc(&world, &attacker) + spent <= 10_000 * USD + 1);
    // The first million stays.
    assert_eq!(world.pool_state().expect("a pool").shares, 1_000_000);
    balanced(&mut world);
}

/// 10.4: shares that are sent to the escrow of a redemption are burned for nothing; it closes.
#[test]
fn a_donation_keeps_no_escrow_open() {
    let mut world = quick();
    let key = provider(&mut world, 10);
    world.request_redeem(&key, 4 * USD, 0).expect("ask");
    let escrow = address::escrow(&address::redeem_request(&world.pool, &key.pubkey()));
    let held = world.token_amount(&escrow) + 2 * USD;
    world.patch(escrow, 64, &held.to_le_bytes());
    world.execute_redeem(key.pubkey()).expect("execute");
    assert_eq!(usdc(&world, &key), 4 * USD);
    assert!(world.redeem_request(key.pubkey()).is_none());
    assert_eq!(world.pool_state().expect("a pool").shares, 6 * USD);
}

/// 10.4: who knows the next print brings nothing in before it, and takes nothing out after it.
#[test]
fn a_provider_who_enters_before_a_print_and_leaves_after() {
    let mut world = waiting();
    let first = world.provider(2_000_000);
    world
        .request_provide(&first, 2_000_000 * USD, 0)
        .expect("ask");
    world.skip_live_time(HOUR);
    world.execute_provide(first.pubkey()).expect("in");
    // The pool is short of what is about to fall.
    long_sol(&mut world, 2_000_000.0);
    let insider = world.provider(100_000);
    world
        .request_provide(&insider, 100_000 * USD, 0)
        .expect("ask");

    let falls = [1.0, 140.0, 64_000.0, 3_400.0];
    let before = share_price(&mut world);
    world.move_prices(falls).expect("the print");
    let after = share_price(&mut world);
    assert!(after.0 * before.1 > before.0 * after.1, "the pool gained");
    expect_error(
        world.execute_provide(insider.pubkey()),
        KeelError::CooldownRunning,
    );
    world.skip_live_time(HOUR);
    world.execute_provide(insider.pubkey()).expect("in");

    let shares = world.lp_shares(insider.pubkey());
    world.request_redeem(&insider, shares, 0).expect("ask");
    expect_error(
        world.execute_redeem(insider.pubkey()),
        KeelError::CooldownRunning,
    );
    world.skip_live_time(DAY);
    world.execute_redeem(insider.pubkey()).expect("out");
    assert!(usdc(&world, &insider) <= 100_000 * USD);
    let now = share_price(&mut world);
    assert!(now.0 * after.1 >= after.0 * now.1, "nobody paid for him");
    balanced(&mut world);
}

/// 10.4: what the pool's Initial does not carry is shared by the shares that asked, whoever comes first
/// and however often; the rest waits, and is paid when the pool can.
#[test]
fn redemptions_beyond_the_pools_initial_are_paid_pro_rata() {
    let mut world = quick();
    let (large, small) = (
        provider(&mut world, 1_200_000),
        provider(&mut world, 800_000),
    );
    let trader = long_sol(&mut world, 3_300_000.0);
    let shares = [&large, &small].map(|key| world.lp_shares(key.pubkey()));
    world.request_redeem(&large, shares[0], 0).expect("ask");
    world.request_redeem(&small, shares[1], 0).expect("ask");
    let free = pool_free_initial(&mut world);
    assert!(
        free > 100_000 * USD as i64 && free < 1_500_000 * USD as i64,
        "{free}"
    );

    let before = share_price(&mut world);
    let nothing_more = |world: &mut World| {
        let data = world.data(&world.pool);
        expect_error(
            world.execute_redeem(large.pubkey()),
            KeelError::NothingToRedeem,
        );
        assert_eq!(world.data(&world.pool), data);
    };
    world.execute_redeem(large.pubkey()).expect("in part");
    nothing_more(&mut world);
    world.execute_redeem(small.pubkey()).expect("in part");
    nothing_more(&mut world);
    let paid = [&large, &small].map(|key| i128::from(usdc(&world, key)));
    let [of_large, of_small] = shares.map(i128::from);
    // Each his part of what was free, to the atom of a share's rounding.
    assert!(
        (paid[0] * of_small - paid[1] * of_large).abs() <= 2 * of_large,
        "{paid:?}"
    );
    let left = pool_free_initial(&mut world);
    // Nothing is left but the fee that the pool has earned and not been paid.
    assert!(
        (0..free / 500).contains(&left),
        "{left} of {free} were left"
    );
    assert!(paid[0] + paid[1] <= i128::from(free));
    let after = share_price(&mut world);
    assert!(after.0 * before.1 >= before.0 * after.1);
    assert!(world.redeem_request(large.pubkey()).is_some());

    // Two hours later both would have lapsed, had nobody called: a call without a payment kept them.
    world.skip_live_time(HOUR);
    world
        .execute_redeem(large.pubkey())
        .expect("keeps its place");
    world.skip_live_time(HOUR + 1);
    expect_error(
        world.execute_redeem(small.pubkey()),
        KeelError::RequestLapsed,
    );
    world
        .close(
            &trader,
            Asset::Sol,
            -(3_300_000.0 / 0.156_797_690_99) as i64,
        )
        .expect("close");
    world.cancel_redeem(&small, small.pubkey()).expect("cancel");
    world.execute_redeem(large.pubkey()).expect("the rest");
    assert!(world.redeem_request(large.pubkey()).is_none());
    balanced(&mut world);
}

/// 7.5: redemptions leave through the quote bank's bucket, as withdrawals do, and take none of what is
/// kept for small ones; what it does not let out waits.
#[test]
fn redemptions_leave_through_the_quote_banks_bucket() {
    let mut world = World::with(|config| config.pool.cooldown_out_s = 0).expect("a world");
    let key = provider(&mut world, 3_000_000);
    let lender = world.trader_with(20_000).expect("a trader");
    // Nine tenths of the million that a young bank lets out in a day, and of what came in since.
    redeem_all(&mut world, &key).expect("in part");
    let first = usdc(&world, &key);
    assert_eq!(first, 900_000 * USD);
    expect_error(
        world.execute_redeem(key.pubkey()),
        KeelError::NothingToRedeem,
    );
    // A small withdrawal has its own part.
    world
        .withdraw(&lender, Asset::Usdc, 10_000 * USD)
        .expect("the last tenth");
    expect_error(
        world.withdraw(&lender, Asset::Usdc, 1),
        KeelError::OutflowCap,
    );

    world.vm.pass(43_200);
    world.execute_redeem(key.pubkey()).expect("half of it");
    assert_eq!(usdc(&world, &key), first + 450_000 * USD);
    balanced(&mut world);
}

/// 7.5, 10.4: what is provided makes room in the bucket that redemptions have filled.
#[test]
fn what_is_provided_makes_room() {
    let mut world = World::with(|config| config.pool.cooldown_out_s = 0).expect("a world");
    let key = provider(&mut world, 3_000_000);
    redeem_all(&mut world, &key).expect("in part");
    let first = usdc(&world, &key);
    provider(&mut world, 100_000);
    world.execute_redeem(key.pubkey()).expect("what came in");
    assert_eq!(usdc(&world, &key), first + 100_000 * USD);
}

/// 8.6: while a deficit of the quote's bank waits to be resolved nothing leaves it, and everyone keeps
/// his place.
#[test]
fn a_halted_bank_pays_no_redemption() {
    let mut world = quick();
    let key = provider(&mut world, 1_000);
    world.request_redeem(&key, 100 * USD, 0).expect("ask");
    let bank = address::bank(&world.keys.group, &world.token(Asset::Usdc).mint);
    let until = world.vm.now() + 7_200;
    let at = 8 + core::mem::offset_of!(keel_state::Bank, halted_until);
    world.patch(bank, at, &until.to_le_bytes());
    world.execute_redeem(key.pubkey()).expect("keeps its place");
    assert_eq!(usdc(&world, &key), 0);
    world.vm.pass(7_200);
    world.execute_redeem(key.pubkey()).expect("execute");
    assert_eq!(usdc(&world, &key), 100 * USD);
}

/// 10.3: a pool below Maintenance redeems nothing, at whatever price.
#[test]
fn redemptions_stop_below_maintenance() {
    let mut world = quick();
    let key = provider(&mut world, 2_000_000);
    long_sol(&mut world, 3_300_000.0);
    world.request_redeem(&key, 1_000 * USD, 0).expect("ask");
    world
        .move_prices([1.0, 225.0, 64_000.0, 3_400.0])
        .expect("prices");
    let margin = address::pool_margin(&world.keys.group, &world.pool);
    let report = world.report(margin).expect("report");
    assert!(report.maintenance_equity > 0);
    assert!(report.maintenance_equity < report.maintenance_requirement);
    let before = world.data(&world.pool);
    expect_error(
        world.execute_redeem(key.pubkey()),
        KeelError::RedemptionsStopped,
    );
    assert_eq!(world.data(&world.pool), before);

    world.move_prices(PRICES).expect("prices");
    world.hold_prices(PRICES, 30).expect("prices");
    world.execute_redeem(key.pubkey()).expect("again");
}

/// 10.4: prices of what the pool holds are at most 15 s old; a pool without positions needs none.
#[test]
fn redeeming_waits_for_fresh_prices_of_what_the_pool_holds() {
    let mut world = quick();
    let key = provider(&mut world, 100_000);
    world.vm.pass(100_000);
    world.request_redeem(&key, USD, 0).expect("ask");
    world.execute_redeem(key.pubkey()).expect("no positions");
    world.refresh().expect("prices");
    long_sol(&mut world, 1_000.0);
    world.request_redeem(&key, USD, 0).expect("ask");
    world.vm.pass(16);
    expect_error(world.execute_redeem(key.pubkey()), KeelError::PriceUnfit);
    world.refresh().expect("prices");
    world.execute_redeem(key.pubkey()).expect("fresh");
}

/// 4.3, 10.4: what the pool has won and not been paid is no part of what leaves.
#[test]
fn unsettled_gains_are_not_redeemed() {
    let mut world = quick();
    let key = provider(&mut world, 1_000_000);
    long_sol(&mut world, 1_000_000.0);
    world
        .move_prices([1.0, 150.0, 64_000.0, 3_400.0])
        .expect("prices");
    world
        .hold_prices([1.0, 150.0, 64_000.0, 3_400.0], 30)
        .expect("prices");
    let equity = pool_equity(&mut world);
    assert!(equity > 1_040_000 * USD as i64, "{equity}");
    world.request_redeem(&key, 100_000 * USD, 0).expect("ask");
    world.execute_redeem(key.pubkey()).expect("execute");
    let paid = usdc(&world, &key);
    assert!(paid < 100_000 * USD, "{paid}");
    assert!(paid > 99_000 * USD, "{paid}");
}

/// I4: at prices that stand still nothing that providers do lowers what a share is worth.
#[test]
fn a_share_loses_only_by_fills_marks_and_losses() {
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let mut world = quick();
    let keys = [500_000, 300_000, 200_000].map(|usdc| provider(&mut world, usdc));
    long_sol(&mut world, 600_000.0);
    world
        .move_prices([1.0, 160.0, 64_000.0, 3_400.0])
        .expect("prices");
    let mut last = share_price(&mut world);
    for step in 0..60 {
        let key = &keys[rng.random_range(0..keys.len())];
        let owner = key.pubkey();
        let asked = world.lp_shares(owner) / rng.random_range(2..20);
        let outcome = match rng.random_range(0..6) {
            0 => {
                world.give(owner, Asset::Usdc, 1_000 * USD);
                world.request_provide(key, rng.random_range(1..1_000 * USD), 0)
            }
            1 => world.execute_provide(owner),
            2 => world.cancel_provide(key, owner),
            3 => world.request_redeem(key, asked, 0),
            4 => world.execute_redeem(owner),
            _ => world.cancel_redeem(key, owner),
        };
        drop(outcome);
        let now = share_price(&mut world);
        assert!(
            now.0 * last.1 >= last.0 * now.1,
            "step {step}: {last:?} {now:?}"
        );
        last = now;
    }
    balanced(&mut world);
}

/// 10.4, 7.1: a quote that charges for transfers is credited as it arrives, in and out; the fees that
/// an escrow withheld go to the mint, so that it closes.
#[test]
fn a_quote_that_charges_for_transfers_is_credited_as_it_arrives() {
    let mut world = World::with(|config| {
        config.pool.cooldown_out_s = 0;
        config.tokens[0].token.program = token_2022::ID;
        // What the operator pays in for insurance would arrive short.
        for market in &mut config.markets {
            market.insurance = 0;
        }
        config.tokens[0].insurance = 0;
        for market in &mut config.markets {
            market.insurance = 0;
        }
    })
    .expect("a world");
    let key = world.provider(100);
    world.request_provide(&key, 100 * USD, 0).expect("ask");
    let asked = world.provide_request(key.pubkey()).expect("a request");
    assert_eq!(asked.amount, 99 * USD);
    world.execute_provide(key.pubkey()).expect("in");
    // 1% of the 99 that left the escrow.
    assert_eq!(world.lp_shares(key.pubkey()), 98_010_000 - 1_000_000);

    world.request_redeem(&key, 50 * USD, 50 * USD).expect("ask");
    world.execute_redeem(key.pubkey()).expect("out");
    assert_eq!(usdc(&world, &key), 49_500_000);
    let token: Token = world.token(Asset::Usdc);
    let bank = address::bank(&world.keys.group, &token.mint);
    assert_eq!(world.token_amount(&address::vault(&bank)), 48_010_000);

    world.request_provide(&key, 10 * USD, 0).expect("ask");
    world.cancel_provide(&key, key.pubkey()).expect("cancel");
    assert_eq!(usdc(&world, &key), 49_500_000 - 10 * USD + 9_801_000);
    balanced(&mut world);
}

/// 10.4: the request's owner gets the money, whatever the caller passes; a forged request is none.
#[test]
fn nobody_executes_to_another_account() {
    let mut world = quick();
    let (key, thief) = (provider(&mut world, 1_000), provider(&mut world, 1_000));
    world.request_redeem(&key, 100 * USD, 0).expect("ask");
    let (keys, pool, quote) = (world.keys, world.pool, world.token(Asset::Usdc));
    let mut steals = instruction::redeem_liquidity(&keys, key.pubkey(), pool, quote);
    steals.accounts[11].pubkey = quote.account_of(&thief.pubkey());
    assert!(world.send(steals, &[]).is_err());

    // A copy of the request at another address has no escrow.
    let request = address::redeem_request(&pool, &key.pubkey());
    let copy = account(keel::ID, world.data(&request));
    let elsewhere = world.wallet_key(777).pubkey();
    world.vm.set_account(elsewhere, copy);
    let mut forged = instruction::redeem_liquidity(&keys, key.pubkey(), pool, quote);
    forged.accounts[7].pubkey = elsewhere;
    assert!(world.send(forged, &[]).is_err());
    world.execute_redeem(key.pubkey()).expect("the owner's");
    assert_eq!(usdc(&world, &key), 100 * USD);
}
