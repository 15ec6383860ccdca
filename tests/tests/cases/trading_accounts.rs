//! I11 for orders with a referrer, exits and settlements: every account slot refuses what is not meant
//! for it (`mutations`).

use keel_sdk::instruction::{self, ExitKeys, GroupKeys, SettleKeys, TradeKeys};
use keel_sdk::{ExitArgs, Instruction, OrderLeg, Pubkey, address};
use keel_tests::{Asset, Trader, World, keypair, market};
use solana_keypair::Keypair;

use crate::exits::poor_pool;
use crate::mutations::{Area, Case, Tally, judge_all};
use crate::quotes::standard;

/// A second group in which the same owners have accounts with deposits.
fn second_group(world: &mut World, owners: &[&Trader]) -> GroupKeys {
    world.wallet_key(900);
    let other = world.second_group(2).expect("a second group");
    let first = std::mem::replace(&mut world.keys, other);
    for owner in owners {
        let account = world.sub_account(&owner.key, 0).expect("an account");
        world
            .deposit(&account, Asset::Usdc, 1_000_000_000)
            .expect("a deposit");
    }
    world.keys = first;
    other
}

fn margin(keys: &GroupKeys, trader: &Trader) -> Pubkey {
    address::margin_account(&keys.group, &trader.owner(), trader.sub_id)
}

fn signers(traders: &[&Trader]) -> Vec<Keypair> {
    let keys = traders.iter().map(|trader| trader.key.insecure_clone());
    keys.chain([keypair(900)]).collect()
}

const CHOSEN: &str = "the market is what the trader chooses";
const ANYONE: &str = "whoever has a result in the market settles with whoever has the other";

/// A trader with a referrer, long, and a friend who is short.
fn referred() -> (World, [Trader; 4]) {
    let mut world = standard(|_| {});
    let referrer = world.trader_with(10_000).expect("a referrer");
    let friend = world.trader_with(10_000).expect("a friend");
    let owner = world.trader_with(10_000).expect("an owner");
    let trader = world
        .account_with(&owner.key, 1, None, Some(referrer.margin))
        .expect("a referred account");
    world
        .deposit(&trader, Asset::Usdc, 10_000_000_000)
        .expect("collateral");
    world.open(&trader, Asset::Sol, 10_000).expect("long");
    world.open(&friend, Asset::Sol, -20_000).expect("short");
    (world, [referrer, friend, owner, trader])
}

#[test]
fn mutations_of_trading() {
    TRADES.judged();
}

pub static TRADES: Area = Area::of("trades", trades);

fn trades() -> Tally {
    let (mut world, [referrer, friend, owner, trader]) = referred();
    let other = second_group(&mut world, &[&referrer, &friend, &owner]);
    world
        .reprice([1.0, 162.0, 64_000.0, 3_400.0])
        .expect("a rise");

    let args = world.order(&[1_000]);
    let open = |keys: &GroupKeys, by: &Trader, referrer: &Trader, asset: Asset| {
        let trade = TradeKeys {
            authority: by.owner(),
            margin: margin(keys, by),
            pool: address::pool(&keys.group, 0),
            referrer: Some(margin(keys, referrer)),
            markets: vec![market(asset)],
        };
        instruction::open_position(keys, &trade, args.clone())
    };
    let settle = |keys: &GroupKeys, winner: Pubkey, loser: Pubkey, asset: Asset| {
        let settle = SettleKeys {
            winner,
            loser,
            market: market(asset),
        };
        instruction::settle_pnl(keys, &settle, 1_000_000)
    };
    let [first, sol] = [world.keys, other];
    let pool = world.pool_margin();
    let cases = vec![
        Case {
            name: "open_position, referred",
            base: open(&first, &trader, &referrer, Asset::Sol),
            siblings: vec![
                ("the other group", open(&sol, &owner, &referrer, Asset::Sol)),
                ("a friend", open(&first, &friend, &friend, Asset::Sol)),
                (
                    "another market",
                    open(&first, &trader, &referrer, Asset::Eth),
                ),
            ],
            signers: signers(&[&owner, &friend]),
            allowed: vec![(6, "of another market", CHOSEN)],
        },
        Case {
            name: "settle_pnl",
            base: settle(&first, trader.margin, friend.margin, Asset::Sol),
            siblings: vec![
                (
                    "the other group",
                    settle(
                        &sol,
                        margin(&sol, &owner),
                        margin(&sol, &friend),
                        Asset::Sol,
                    ),
                ),
                ("the pool", settle(&first, pool, pool, Asset::Btc)),
            ],
            signers: vec![],
            allowed: vec![(1, "of the pool", ANYONE)],
        },
    ];
    judge_all(&mut world, cases)
}

#[test]
fn mutations_of_exits() {
    EXITS.judged();
}

pub static EXITS: Area = Area::of("exits", exits);

fn exits() -> Tally {
    let (mut world, long, short) = poor_pool();
    let other = second_group(&mut world, &[&long, &short]);
    world.set_prices(crate::trading::PRICES).expect("prices");
    let valid_until = world.vm.now() + 60;
    let exit = |keys: &GroupKeys, trader: &Trader, asset: Asset| -> Instruction {
        let accounts = ExitKeys {
            owner: trader.owner(),
            margin: margin(keys, trader),
            pool: address::pool(&keys.group, 0),
            market: market(asset),
        };
        let leg = OrderLeg {
            size: -1_000,
            limit_price: 0,
        };
        let args = ExitArgs {
            leg,
            valid_until,
            expected_seq: None,
            client_id: 0,
        };
        instruction::exit_position(keys, &accounts, args)
    };
    let case = Case {
        name: "exit_position",
        base: exit(&world.keys, &long, Asset::Sol),
        siblings: vec![
            ("the other group", exit(&other, &long, Asset::Sol)),
            ("a friend", exit(&world.keys, &short, Asset::Sol)),
            ("another market", exit(&world.keys, &long, Asset::Eth)),
        ],
        signers: signers(&[&long, &short]),
        allowed: vec![],
    };
    judge_all(&mut world, vec![case])
}
