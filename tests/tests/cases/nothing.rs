//! Calls that would do nothing are refused by name, or repeat a crank and change nothing (I13, decision
//! 48).

use anchor_lang::prelude::Pubkey;
use keel::errors::KeelError;
use keel_sdk::{OrderArgs, OrderLeg, address, instruction};
use keel_tests::{Asset, Failure, Sent, World, expect_error, market};
use solana_account::Account;
use solana_signer::Signer;

use crate::auction::{SOL, fallen, rich};
use crate::backstop::Stage;
use crate::trading::world;

const USD: u64 = 1_000_000;

/// Every account that the program owns, in a world's order.
fn stored(world: &World, addresses: &[Pubkey]) -> Vec<Option<Account>> {
    let of = |address: &Pubkey| world.vm.account(address);
    addresses.iter().map(of).collect()
}

/// What moves no token, lot or share is refused by name: deposits, withdrawals, transfers, gifts to
/// insurance, tickets and requests of nothing.
#[test]
fn amounts_of_nothing_are_refused_by_name() {
    let mut world = world();
    let trader = world.trader_with(1_000).expect("a trader");
    let other = world.sub_account(&trader.key, 1).expect("a sub-account");
    let key = world.provider(10);
    let usdc = Asset::Usdc;
    let zero = KeelError::ZeroAmount;
    let calls: [(Result<Sent, Failure>, KeelError); 10] = [
        (world.deposit(&trader, usdc, 0), zero),
        (world.withdraw(&trader, usdc, 0), zero),
        (world.borrow(&trader, usdc, 0), zero),
        (world.transfer((&trader, &other), usdc, 0, false), zero),
        (world.insure_bank(&trader, usdc, 0), zero),
        (world.insure_market(&trader, Asset::Sol, 0), zero),
        (world.request_provide(&key, 0, 0), zero),
        (world.request_redeem(&key, 0, 0), zero),
        // All of a balance that is not there.
        (
            world.transfer((&other, &trader), Asset::Sol, u64::MAX, false),
            KeelError::NothingToWithdraw,
        ),
        // Nothing asked, and no lapsed ticket to give up.
        (
            world.take_ticket(&trader, usdc, 0),
            KeelError::NothingToWithdraw,
        ),
    ];
    for (sent, error) in calls {
        expect_error(sent, error);
    }
}

/// Orders, settlements, exits and deleveragings of nothing; strays where there are none.
#[test]
fn sizes_of_nothing_are_refused_by_name() {
    let mut stage = Stage::unbid(6_000, crate::auction::FALLEN);
    let [alice, bob] = [stage.alice.margin, stage.bob.margin];
    expect_error(stage.take(0), KeelError::ZeroSize);
    let world = &mut stage.world;
    expect_error(world.deleverage_pool(Asset::Sol, 0), KeelError::ZeroSize);
    expect_error(world.take_strays(Asset::Sol), KeelError::NothingToLiquidate);
    expect_error(world.settle(bob, alice, Asset::Sol, 0), KeelError::ZeroSize);
    expect_error(
        world.settle(alice, bob, Asset::Sol, u64::MAX),
        KeelError::NothingToSettle,
    );
    expect_error(world.open(&stage.bob, Asset::Sol, 0), KeelError::ZeroSize);
    expect_error(world.close(&stage.bob, Asset::Sol, 0), KeelError::ZeroSize);
    expect_error(world.exit(&stage.bob, Asset::Sol, 0), KeelError::ZeroSize);
    let args = OrderArgs {
        legs: Vec::<OrderLeg>::new(),
        ..world.order(&[])
    };
    let keys = world.trade_keys(&stage.bob, &[]);
    let order = instruction::open_position(&world.keys, &keys, args);
    expect_error(
        world.vm.send(&[order], &[&stage.bob.key]),
        KeelError::WrongLegCount,
    );
    expect_error(
        world.resolve_market(alice, Asset::Sol),
        KeelError::NotBankrupt,
    );
    expect_error(
        world.take_over(&stage.carol, alice, 0, &[], &[Asset::Sol]),
        KeelError::ShareTooSmall,
    );
}

/// 10.4: shares of less than an atom are not given for nothing, and a first provider who pays no more
/// than what stays locked receives none.
#[test]
fn liquidity_that_buys_no_share_is_refused_by_name() {
    let mut world = World::new().expect("a world");
    let key = world.provider(10);
    world.request_provide(&key, USD, 0).expect("ask");
    expect_error(world.execute_provide(key.pubkey()), KeelError::TooFewShares);
}

/// 10.4: a redemption that the pool cannot pay only keeps its place: nothing is stored but until when
/// the request may be executed, and called again within the second not even that. (What a round has
/// paid already is refused more: `redemptions_beyond_the_pools_initial_are_paid_pro_rata`.)
#[test]
fn a_redemption_of_nothing_keeps_its_place_and_changes_nothing_else() {
    let world = World::with(|config| {
        config.pool.cooldown_out_s = 0;
        config.tokens[0].lending.outflow_floor = 1 << 50;
    });
    let mut world = world.expect("a world");
    let (key, _) = world.provide(100).expect("liquidity");
    world.request_redeem(&key, 50 * USD, 0).expect("ask");
    let bank = world.bank_address(Asset::Usdc);
    let until = world.vm.now() + 7_200;
    let at = core::mem::offset_of!(keel_state::Bank, halted_until);
    world.patch_bank(Asset::Usdc, at, &until.to_le_bytes());
    let ledgers = [world.pool, world.pool_margin(), world.keys.risk_book];
    let before = stored(&world, &ledgers);
    let request = |world: &World| world.redeem_request(key.pubkey()).expect("a request");
    let asked = request(&world);
    world.skip_live_time(60);
    world.execute_redeem(key.pubkey()).expect("keeps its place");
    let kept = request(&world);
    assert_eq!(kept.lapses_at, world.live_time() + 7_200);
    assert_eq!((kept.lp_tokens, kept.round), (asked.lp_tokens, asked.round));
    assert_eq!(stored(&world, &ledgers)[..2], before[..2]);
    let all = [
        ledgers.to_vec(),
        vec![bank, address::redeem_request(&world.pool, &key.pubkey())],
    ]
    .concat();
    let once = stored(&world, &all);
    world.execute_redeem(key.pubkey()).expect("and again");
    assert_eq!(stored(&world, &all), once);

    // The halt over, it is paid.
    world.patch_bank(Asset::Usdc, at, &0i64.to_le_bytes());
    world.execute_redeem(key.pubkey()).expect("paid");
    assert!(world.redeem_request(key.pubkey()).is_none());
}

/// 8.1, I13: a step of size 0, an accrual within a second and a price that is not newer go through and
/// change nothing the second time.
#[test]
fn cranks_repeated_change_nothing() {
    let mut world = world();
    let (trader, liquidator) = (fallen(&mut world), rich(&mut world));
    let all: Vec<Pubkey> = [
        world.keys.risk_book,
        world.bank_address(Asset::Usdc),
        address::market(&world.keys.group, market(Asset::Sol)),
        trader.margin,
        liquidator.margin,
    ]
    .to_vec();
    let mut twice = |call: &mut dyn FnMut(&mut World) -> Result<Sent, Failure>| {
        call(&mut world).expect("once");
        let once = stored(&world, &all);
        call(&mut world).expect("again");
        assert_eq!(stored(&world, &all), once);
    };
    twice(&mut |world| world.take(&liquidator, trader.margin, SOL, 0));
    twice(&mut |world| world.set_clock(trader.margin, &[], &[]));
    twice(&mut |world| world.accrue_all());
    twice(&mut |world| world.relay(&Asset::ALL));
}
