//! The health that an event tells of: after what was done always, and before it where it was asked for
//! or costs nobody his target (decision 45).

use anchor_lang::{AnchorDeserialize, Discriminator};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keel::events::{Exited, Filled, MarketInsuranceFunded, Transferred, Withdrawn};
use keel_sdk::instruction::{self, TransferKeys};
use keel_sdk::{OrderArgs, WithdrawArgs, decode};
use keel_tests::{Asset, Sent, Trader, World, market};

use crate::exits::poor_pool;
use crate::trading::world;

/// The events of one type in a transaction's logs.
fn told<T: Discriminator + AnchorDeserialize>(sent: &Sent) -> Vec<T> {
    let data = (sent.logs.iter()).filter_map(|line| line.strip_prefix("Program data: "));
    data.filter_map(|text| decode::event::<T>(&STANDARD.decode(text).expect("base64")))
        .collect()
}

fn initial(world: &mut World, trader: &Trader) -> i64 {
    let report = world.report(trader.margin).expect("a report");
    report.health_initial()
}

fn owner(world: &mut World, cash: u64) -> Trader {
    world.trader_with(cash).expect("a trader")
}

#[test]
fn an_order_says_the_health_before_where_it_asks_for_it() {
    let mut world = world();
    let trader = owner(&mut world, 100_000);
    world.open(&trader, Asset::Sol, 1_000).expect("open");
    for (asks, lots) in [(true, 500), (false, 500)] {
        let before = initial(&mut world, &trader);
        let keys = world.trade_keys(&trader, &[Asset::Sol]);
        let args = OrderArgs {
            health_before: asks,
            ..world.order(&[lots])
        };
        let open = instruction::open_position(&world.keys, &keys, args);
        let sent = world.send(open, &[&trader.key]).expect("open");
        let after = initial(&mut world, &trader);
        let [filled] = &told::<Filled>(&sent)[..] else {
            panic!("one leg, one event");
        };
        assert_eq!(filled.health_before, asks.then_some(before));
        assert_eq!(filled.health_initial, after);
        assert!(after < before);
    }
}

#[test]
fn a_withdrawal_says_the_health_before_where_it_asks_for_it() {
    let mut world = world();
    let trader = owner(&mut world, 100_000);
    world.open(&trader, Asset::Sol, -1_000).expect("open");
    let token = world.token(Asset::Usdc);
    let mut fell = Vec::new();
    for asks in [true, false] {
        let args = WithdrawArgs {
            amount: 1_000_000_000,
            allow_borrow: false,
            health_before: asks,
        };
        let (signer, margin) = (trader.owner(), trader.margin);
        let withdraw = instruction::withdraw_with(&world.keys, signer, margin, token, args);
        let sent = world.send(withdraw, &[&trader.key]).expect("withdraw");
        let told = told::<Withdrawn>(&sent);
        assert_eq!(told[0].health_before.is_some(), asks);
        fell.extend(
            told[0]
                .health_before
                .map(|before| before - told[0].health_initial),
        );
    }
    assert_eq!(fell, [1_000_000_000], "a thousand dollars of health");
}

#[test]
fn transfers_gifts_and_exits_always_say_both() {
    let mut world = world();
    let trader = owner(&mut world, 100_000);
    world.open(&trader, Asset::Sol, 1_000).expect("open");
    let second = world.sub_account(&trader.key, 1).expect("a second account");
    let keys = TransferKeys {
        owner: trader.owner(),
        from: trader.margin,
        to: second.margin,
    };
    let mint = world.token(Asset::Usdc).mint;
    let transfer = instruction::transfer(&world.keys, keys, mint, 2_000_000, false);
    let sent = world.send(transfer, &[&trader.key]).expect("transfer");
    let moved = &told::<Transferred>(&sent)[0];
    assert_eq!(moved.health_before - moved.health_initial, 2_000_000);

    let (signer, margin) = (trader.owner(), trader.margin);
    let place = market(Asset::Sol);
    let fund = instruction::fund_market_insurance(&world.keys, signer, margin, place, 3_000_000);
    let sent = world.send(fund, &[&trader.key]).expect("a gift");
    let given = &told::<MarketInsuranceFunded>(&sent)[0];
    assert!(given.health_before - given.health_initial >= 0);
    assert_eq!(given.quote_before - given.quote_after, 3_000_000);

    let (mut world, long, _) = poor_pool();
    let before = initial(&mut world, &long);
    let sent = world.exit(&long, Asset::Sol, -30_000).expect("an exit");
    let exited = &told::<Exited>(&sent)[0];
    assert_eq!(exited.health_before, before);
    assert_eq!(exited.health_initial, initial(&mut world, &long));
}
