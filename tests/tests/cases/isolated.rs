//! Architecture 3: isolated accounts, and who refers whom.

use keel::errors::KeelError;
use keel_sdk::instruction::{self, NewAccount};
use keel_sdk::{AccountSettings, Pubkey, address};
use keel_state::FLAG_ISOLATED;
use keel_tests::{Asset, Side, Trader, World, expect_error, market};
use solana_signer::Signer;

use crate::mutations::{Area, Case, Tally, judge_all};

/// A pool, and a trader with an account of SOL alone and $10,000 in it.
fn isolated_to(markets: [u64; 2]) -> (World, Trader) {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let owner = world.trader().expect("a trader");
    let trader = world
        .account_with(&owner.key, 1, Some(markets), None)
        .expect("an account");
    world
        .deposit(&trader, Asset::Usdc, 10_000_000_000)
        .expect("quote");
    (world, trader)
}

const ONLY_SOL: [u64; 2] = [1 << market(Asset::Sol), 0];

/// Its own markets open and close as ever; no other opens, alone or beside one of its own, whoever
/// signs; and collateral of any kind may stand behind them.
#[test]
fn an_isolated_account_trades_its_markets_alone() {
    let (mut world, trader) = isolated_to(ONLY_SOL);
    let margin = trader.margin;
    let account = world.margin(margin);
    assert_eq!(account.flags, FLAG_ISOLATED);
    assert_eq!(account.isolated_markets, ONLY_SOL);
    world.open(&trader, Asset::Sol, 1_000).expect("its own");
    expect_error(
        world.open(&trader, Asset::Btc, 1_000),
        KeelError::NotInMarkets,
    );
    let both = [(Asset::Sol, 1_000), (Asset::Eth, -1_000)];
    expect_error(
        world.order_as(&trader.key, margin, Side::Open, &both),
        KeelError::NotInMarkets,
    );
    let delegate = world.wallet_key(800);
    let args = world.grant_args(delegate.pubkey());
    world.set_delegate(&trader, args).expect("a grant");
    expect_error(
        world.order_as(&delegate, margin, Side::Open, &both[1..]),
        KeelError::NotInMarkets,
    );
    world.close(&trader, Asset::Sol, -1_000).expect("closed");
    world
        .deposit(&trader, Asset::Eth, 1_000_000)
        .expect("collateral");
}

/// 8.1: nor does liquidating bring it a position outside its markets.
#[test]
fn an_isolated_account_liquidates_in_its_markets_alone() {
    let (mut world, isolated) = isolated_to([1 << market(Asset::Btc), 0]);
    let poor = world.trader_with(1_000).expect("a trader");
    world.open(&poor, Asset::Sol, 40_000).expect("6x long");
    let fallen = [1.0, 136.0, 64_000.0, 3_400.0];
    world.move_prices(fallen).expect("prices");
    expect_error(
        world.liquidate(&isolated, poor.margin, Asset::Sol, 1_000),
        KeelError::NotInMarkets,
    );
    let other = world.sub_account(&isolated.key, 2).expect("an account");
    world
        .deposit(&other, Asset::Usdc, 5_000_000_000)
        .expect("quote");
    world
        .liquidate(&other, poor.margin, Asset::Sol, 1_000)
        .expect("an account that may");
}

/// A position that came from elsewhere is closed, never opened further.
#[test]
fn what_an_isolated_account_should_not_hold_it_may_close() {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    world.open(&trader, Asset::Btc, 1_000).expect("a position");
    world.edit_margin(trader.margin, |account| {
        account.flags |= FLAG_ISOLATED;
        account.isolated_markets = ONLY_SOL;
    });
    expect_error(
        world.open(&trader, Asset::Btc, 1_000),
        KeelError::NotInMarkets,
    );
    world.close(&trader, Asset::Btc, -1_000).expect("closed");
}

/// An account of no market only keeps tokens.
#[test]
fn an_account_of_no_market_keeps_tokens() {
    let (mut world, trader) = isolated_to([0; 2]);
    for asset in Asset::TRADED {
        expect_error(world.open(&trader, asset, 1_000), KeelError::NotInMarkets);
    }
    world
        .withdraw(&trader, Asset::Usdc, u64::MAX)
        .expect("withdrawn");
}

/// Isolation is chosen once: the address cannot be created again over it, nor its choice changed.
#[test]
fn isolation_is_for_life() {
    let (mut world, trader) = isolated_to(ONLY_SOL);
    world
        .account_with(&trader.key, 1, Some([u64::MAX; 2]), None)
        .expect_err("it exists");
    world
        .account_with(&trader.key, 1, None, None)
        .expect_err("it exists");
    assert_eq!(world.margin(trader.margin).isolated_markets, ONLY_SOL);
}

/// A referrer is another owner's trading account of the group; none is none.
#[test]
fn a_referrer_is_another_owners_account_of_the_group() {
    let mut world = World::new().expect("a world");
    let friend = world.trader().expect("a friend");
    let owner = world.trader().expect("a trader");
    assert_eq!(world.margin(owner.margin).referrer, Pubkey::default());
    let open = |world: &mut World, sub_id, referrer| {
        world.account_with(&owner.key, sub_id, None, Some(referrer))
    };
    let referred = open(&mut world, 1, friend.margin).expect("referred");
    assert_eq!(world.margin(referred.margin).referrer, friend.margin);
    expect_error(
        open(&mut world, 2, owner.margin),
        KeelError::ReferrerIsOwner,
    );
    let pool_margin = address::pool_margin(&world.keys.group, &world.pool);
    expect_error(open(&mut world, 2, pool_margin), KeelError::NotATrader);

    let other = world.second_group(2).expect("a second group");
    let first = std::mem::replace(&mut world.keys, other);
    let abroad = world.sub_account(&friend.key, 0).expect("an account");
    world.keys = first;
    expect_error(open(&mut world, 2, abroad.margin), KeelError::OtherGroup);
}

/// I11 for opening an isolated, referred account.
#[test]
fn mutations_of_referred_accounts() {
    REFERRED_ACCOUNTS.judged();
}

pub static REFERRED_ACCOUNTS: Area = Area::of("referred accounts", referred_accounts);

fn referred_accounts() -> Tally {
    let mut world = World::new().expect("a world");
    let friend = world.trader().expect("a friend");
    let second = world.trader().expect("another friend");
    let owner = world.wallet_key(906);
    let payer = world.wallet_key(903);
    let stranger = world.wallet_key(900);
    let other = world.second_group(2).expect("a second group");
    let first = std::mem::replace(&mut world.keys, other);
    let abroad = world.sub_account(&friend.key, 0).expect("an account");
    world.keys = first;

    let create = |keys, owner: Pubkey, referrer| {
        let account = NewAccount {
            sub_id: 3,
            settings: AccountSettings {
                isolated_markets: Some(ONLY_SOL),
            },
            referrer: Some(referrer),
            ..NewAccount::default()
        };
        instruction::create_margin_account_with(keys, payer.pubkey(), owner, account)
    };
    let any_payer = "whoever signs may pay the rent";
    let case = Case {
        name: "create_margin_account, referred",
        base: create(&first, owner.pubkey(), friend.margin),
        siblings: vec![
            (
                "the other group",
                create(&other, owner.pubkey(), abroad.margin),
            ),
            (
                "another friend",
                create(&first, owner.pubkey(), second.margin),
            ),
        ],
        signers: vec![payer.insecure_clone(), owner.insecure_clone(), stranger],
        allowed: vec![
            (0, "another signer", any_payer),
            (0, "duplicate of slot 1", any_payer),
            (
                5,
                "of another friend",
                "any other owner may have referred him",
            ),
        ],
    };
    judge_all(&mut world, vec![case])
}
