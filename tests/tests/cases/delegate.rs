//! 11, 2.8: what a delegate can do with an account, and all that he cannot.

use anchor_lang::prelude::Pubkey;
use keel::errors::KeelError;
use keel_sdk::instruction::{self, TakenLeg, TradeKeys};
use keel_sdk::{DelegateArgs, Instruction, address};
use keel_tests::{Asset, Side, Trader, World, expect_error, keypair, market};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::mutations::{Area, Case, Tally, judge_all};

const PRICES: [f64; 4] = [1.0, 156.797_690_99, 64_000.0, 3_400.0];

/// A lot of SOL, 0.001 of it, is worth 156,797.69.. atoms: so many are, ceil.
fn worth(world: &World, lots: u64) -> u64 {
    let (price, shift) = world
        .with_book(|book| {
            let sol = &book.assets[Asset::Sol as usize];
            (sol.lot_price, sol.lot_shift)
        })
        .expect("a book");
    ((u128::from(lots) * u128::from(price)).div_ceil(1 << shift)) as u64
}

/// A pool, a trader with $10,000, and his delegate with the standard grant.
fn granted() -> (World, Trader, Keypair) {
    granted_with(|_| {})
}

fn granted_with(change: impl FnOnce(&mut DelegateArgs)) -> (World, Trader, Keypair) {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    let delegate = world.wallet_key(800);
    let mut args = world.grant_args(delegate.pubkey());
    change(&mut args);
    world.set_delegate(&trader, args).expect("a grant");
    (world, trader, delegate)
}

/// Some seconds later, at the same prices.
fn later(world: &mut World, seconds: i64) {
    world.vm.pass(seconds);
    world.set_prices(PRICES).expect("prices");
}

/// 11.1: a delegate opens and closes; both use his budget, the owner's own orders do not.
#[test]
fn a_delegate_opens_and_closes_within_his_budget() {
    let (mut world, trader, delegate) = granted();
    let margin = trader.margin;
    let sol = [(Asset::Sol, 10_000)];
    let half = [(Asset::Sol, -5_000)];
    world
        .order_as(&delegate, margin, Side::Open, &sol)
        .expect("opened");
    let spent = worth(&world, 10_000);
    assert_eq!(world.margin(margin).delegate_level, spent);
    world
        .order_as(&delegate, margin, Side::Close, &half)
        .expect("closed");
    let spent = spent + worth(&world, 5_000);
    assert_eq!(world.margin(margin).delegate_level, spent);
    world
        .order_as(&trader.key, margin, Side::Close, &half)
        .expect("the owner's");
    assert_eq!(world.margin(margin).delegate_level, spent);
}

/// 11.1: all legs of an order count together.
#[test]
fn every_leg_of_a_delegates_order_is_spent() {
    let (mut world, trader, delegate) = granted();
    let mut send = |lots: i64| {
        let legs = [(Asset::Sol, lots), (Asset::Btc, -10_000)];
        world.order_as(&delegate, trader.margin, Side::Open, &legs)
    };
    // $6,400 of BTC leaves $3,600.
    expect_error(send(23_000), KeelError::GrantSpent);
    send(22_000).expect("within the budget");
}

/// 11.1: the budget is a leaky bucket. Spent whole just before midnight (UTC), it is not there again
/// just after: $10,000 a day refill 11.57 cents a second, and no more.
#[test]
fn a_delegates_budget_is_not_reset_by_waiting_for_midnight() {
    let (mut world, trader, delegate) = granted();
    let margin = trader.margin;
    let to_midnight = 86_400 - world.vm.now().rem_euclid(86_400);
    later(&mut world, to_midnight - 5);
    let lots = (10_000_000_000 / worth(&world, 1)) as i64;
    let buy = |world: &mut World, lots: i64| {
        world.order_as(&delegate, margin, Side::Open, &[(Asset::Sol, lots)])
    };
    buy(&mut world, lots).expect("the whole budget");
    expect_error(buy(&mut world, 100), KeelError::GrantSpent);
    later(&mut world, 10);
    assert!(world.vm.now().rem_euclid(86_400) < 10, "a new day");
    expect_error(buy(&mut world, 100), KeelError::GrantSpent);
    // 100 lots are $15.68, which 136 seconds refill.
    later(&mut world, 130);
    buy(&mut world, 100).expect("what has refilled");
    expect_error(buy(&mut world, 100), KeelError::GrantSpent);
}

/// 11.1: nothing is saved up: after two days of rest one day's budget is there.
#[test]
fn rest_saves_up_no_second_budget() {
    let (mut world, trader, delegate) = granted();
    later(&mut world, 2 * 86_400);
    let lots = (10_000_000_000 / worth(&world, 1)) as i64;
    let mut buy = |lots| {
        let legs = [(Asset::Sol, lots)];
        world.order_as(&delegate, trader.margin, Side::Open, &legs)
    };
    expect_error(buy(lots + 1), KeelError::GrantSpent);
    buy(lots).expect("a day's");
}

/// 11.1: the last second of a grant counts, the one after it does not.
#[test]
fn a_grant_runs_out() {
    let (mut world, trader, delegate) = granted_with(|args| args.expiry -= 29 * 86_400);
    let order = [(Asset::Sol, 1_000)];
    later(&mut world, 86_400);
    world
        .order_as(&delegate, trader.margin, Side::Open, &order)
        .expect("the last second");
    later(&mut world, 1);
    expect_error(
        world.order_as(&delegate, trader.margin, Side::Open, &order),
        KeelError::GrantExpired,
    );
}

/// 11.1: only the markets granted, to open and to close.
#[test]
fn a_delegate_trades_the_markets_granted_alone() {
    let (mut world, trader, delegate) = granted_with(|args| args.markets = [0b10, 0]);
    let margin = trader.margin;
    world.open(&trader, Asset::Sol, 1_000).expect("the owner's");
    let mut send = |side, legs: &[(Asset, i64)]| world.order_as(&delegate, margin, side, legs);
    let both = [(Asset::Btc, 1_000), (Asset::Sol, 1_000)];
    expect_error(send(Side::Open, &both), KeelError::NotGranted);
    expect_error(
        send(Side::Close, &[(Asset::Sol, -1_000)]),
        KeelError::NotGranted,
    );
    send(Side::Open, &both[..1]).expect("granted");
}

/// 11.1: after an order of his, equity is at most `max_loss` below that at the grant, whatever it was
/// that lost it; exits are closed to him then, and open to the owner.
#[test]
fn below_the_floor_only_the_owner_trades() {
    let (mut world, trader, delegate) = granted_with(|args| args.max_loss = 50_000_000);
    let margin = trader.margin;
    let sol = [(Asset::Sol, 20_000)];
    world
        .order_as(&delegate, margin, Side::Open, &sol)
        .expect("opened");
    // $3,136 of SOL lose 2%: $63.
    world.vm.pass(5);
    let fallen = PRICES[1] * 0.98;
    world
        .set_prices([1.0, fallen, PRICES[2], PRICES[3]])
        .expect("prices");
    let close = [(Asset::Sol, -20_000)];
    expect_error(
        world.order_as(&delegate, margin, Side::Close, &close),
        KeelError::BelowGrantFloor,
    );
    expect_error(
        world.order_as(&delegate, margin, Side::Open, &[(Asset::Sol, 1_000)]),
        KeelError::BelowGrantFloor,
    );
    world
        .order_as(&trader.key, margin, Side::Close, &close)
        .expect("the owner's");
}

/// 11.1: a delegate who trades to and fro pays fees and spread until the floor, and no further.
#[test]
fn a_delegate_cannot_burn_more_than_the_loss_granted() {
    let (mut world, trader, delegate) = granted_with(|args| {
        (args.budget, args.max_loss) = (1 << 50, 20_000_000);
    });
    let margin = trader.margin;
    let before = world.report(margin).expect("a report").net_asset_value;
    let mut orders = 0;
    let last = loop {
        let (side, lots) = if orders % 2 == 0 {
            (Side::Open, 30_000)
        } else {
            (Side::Close, -30_000)
        };
        match world.order_as(&delegate, margin, side, &[(Asset::Sol, lots)]) {
            Ok(_) => orders += 1,
            refused => break refused,
        }
        assert!(orders < 100, "never stopped");
        let now = world.report(margin).expect("a report").net_asset_value;
        assert!(before - now <= 20_000_000, "lost {}", before - now);
    };
    expect_error(last, KeelError::BelowGrantFloor);
    assert!(orders > 2, "{orders} orders");
}

/// 11.1: a withdrawal by the owner takes nothing from the delegate's room to lose, a deposit adds
/// nothing to it.
#[test]
fn deposits_and_withdrawals_move_the_floor() {
    let (mut world, trader, delegate) = granted_with(|args| args.max_loss = 2_000_000);
    let margin = trader.margin;
    let order = [(Asset::Sol, 1_000)];
    world
        .withdraw(&trader, Asset::Usdc, 4_000_000_000)
        .expect("withdrawn");
    assert_eq!(world.margin(margin).delegate_deposits, -4_000_000_000);
    world
        .order_as(&delegate, margin, Side::Open, &order)
        .expect("as much to lose as before");

    world
        .deposit(&trader, Asset::Sol, 10_000_000_000)
        .expect("10 SOL");
    let deposited = world.margin(margin).delegate_deposits + 4_000_000_000;
    assert_eq!(deposited as u64, worth(&world, 10_000));
    let costly = [(Asset::Sol, 30_000)];
    expect_error(
        world.order_as(&delegate, margin, Side::Open, &costly),
        KeelError::BelowGrantFloor,
    );

    world.clear_delegate(&trader).expect("cleared");
    world
        .deposit(&trader, Asset::Usdc, 1_000_000)
        .expect("deposited");
    let account = world.margin(margin);
    assert_eq!(account.delegate_deposits, 0, "nobody's floor");
}

/// 11.1: each of his fills is within a quarter of the range of the mark, where the owner's openings go
/// to half: a spread of 2.5% lies between the two of BTC.
#[test]
fn a_delegates_openings_keep_to_the_slip_of_closings() {
    let mut world = World::with(|config| config.markets[1].base_spread = 25_000).expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    let delegate = world.wallet_key(800);
    let args = world.grant_args(delegate.pubkey());
    world.set_delegate(&trader, args).expect("a grant");
    let range = world.with_book(|book| book.assets[Asset::Btc as usize].range);
    let range = range.expect("a book");
    assert!(range / 4 < 25_000 && range / 2 > 26_000, "{range}");
    let order = [(Asset::Btc, 1_000)];
    expect_error(
        world.order_as(&delegate, trader.margin, Side::Open, &order),
        KeelError::BeyondSlip,
    );
    world
        .order_as(&trader.key, trader.margin, Side::Open, &order)
        .expect("the owner's");
}

/// 11.1, 2.8: the floor rests on the prices of what the account holds; an asset that it does not hold
/// blocks neither the grant nor the order.
#[test]
fn floors_need_prices_of_what_is_held() {
    let (mut world, trader, delegate) = granted();
    let margin = trader.margin;
    world
        .deposit(&trader, Asset::Eth, 100_000_000)
        .expect("1 ETH");
    world.open(&trader, Asset::Sol, 2_000).expect("a position");
    world.vm.pass(3_600);
    for asset in [Asset::Usdc, Asset::Sol] {
        let now = world.vm.now();
        let price = PRICES[asset as usize] * 1e8;
        let feed = world.feed(asset);
        let update = keel_tests::PriceUpdate::of(feed, price as i64, 50_000, now);
        world.post(asset, &update);
    }
    world
        .relay(&[Asset::Usdc, Asset::Sol])
        .expect("ETH and BTC sleep");

    let args = world.grant_args(delegate.pubkey());
    expect_error(world.set_delegate(&trader, args), KeelError::PriceUnfit);
    let close = [(Asset::Sol, -1_000)];
    expect_error(
        world.order_as(&delegate, margin, Side::Close, &close),
        KeelError::PriceUnfit,
    );
    world
        .order_as(&trader.key, margin, Side::Close, &close)
        .expect("the owner's exit");

    let other = world.sub_account(&trader.key, 1).expect("an account");
    world
        .deposit(&other, Asset::Usdc, 1_000_000_000)
        .expect("quote");
    world.set_delegate(&other, args).expect("no ETH held");
    world
        .order_as(&delegate, other.margin, Side::Open, &[(Asset::Sol, 1_000)])
        .expect("no ETH held");
}

/// 11: what is granted must be worth granting, and to somebody else.
#[test]
fn grants_out_of_bounds_are_refused() {
    type Change = fn(&mut DelegateArgs, i64);
    let mut world = World::new().expect("a world");
    let trader = world.trader_with(10_000).expect("a trader");
    let delegate = keypair(800).pubkey();
    let mut set = |change: Change| {
        let mut args = world.grant_args(delegate);
        change(&mut args, world.vm.now());
        world.set_delegate(&trader, args)
    };
    let bounds: [Change; 5] = [
        |args, _| args.budget = 0,
        |args, _| args.budget = (1 << 56) + 1,
        |args, _| args.max_loss = (1 << 56) + 1,
        |args, _| args.markets = [0; 2],
        |args, now| args.expiry = now - 1,
    ];
    for change in bounds {
        expect_error(set(change), KeelError::GrantOutOfRange);
    }
    let ends: [Change; 2] = [
        |args, _| (args.budget, args.max_loss, args.expiry) = (1 << 56, 1 << 56, i64::MAX),
        |args, now| (args.budget, args.max_loss, args.expiry) = (1, 0, now),
    ];
    for change in ends {
        set(change).expect("within bounds");
    }
    expect_error(
        set(|args, _| args.delegate = Pubkey::default()),
        KeelError::WrongDelegate,
    );
    let mut args = world.grant_args(trader.owner());
    args.budget = 1;
    expect_error(world.set_delegate(&trader, args), KeelError::WrongDelegate);
}

/// 11: a new grant replaces the old one whole; a cleared one is gone, at once and at stale prices too.
#[test]
fn grants_are_replaced_and_taken_back() {
    let (mut world, trader, delegate) = granted();
    let margin = trader.margin;
    let order = [(Asset::Sol, 1_000)];
    world
        .order_as(&delegate, margin, Side::Open, &order)
        .expect("opened");
    world
        .deposit(&trader, Asset::Usdc, 5_000_000)
        .expect("deposited");

    let other = world.wallet_key(801);
    let args = world.grant_args(other.pubkey());
    world.set_delegate(&trader, args).expect("another");
    let account = world.margin(margin);
    assert_eq!((account.delegate_level, account.delegate_deposits), (0, 0));
    let equity = world.report(margin).expect("a report").net_asset_value;
    assert_eq!(account.delegate_equity, equity);
    expect_error(
        world.order_as(&delegate, margin, Side::Open, &order),
        KeelError::NotOwner,
    );
    world
        .order_as(&other, margin, Side::Open, &order)
        .expect("the new one's");

    world.vm.pass(86_400);
    let seq = world.margin(margin).seq;
    world.clear_delegate(&trader).expect("without any price");
    let account = world.margin(margin);
    assert_eq!(account.seq, seq + 1);
    assert_eq!(account.delegate, Pubkey::default());
    assert_eq!(account.delegate_budget + account.delegate_level, 0);
    world.set_prices(PRICES).expect("prices");
    expect_error(
        world.order_as(&other, margin, Side::Open, &order),
        KeelError::NotOwner,
    );
    world.clear_delegate(&trader).expect("again");
}

/// 11.1: a grant is of one account: the delegate's order for another account of the same owner is a
/// stranger's.
#[test]
fn a_grant_is_of_one_account() {
    let (mut world, trader, delegate) = granted();
    let other = world.sub_account(&trader.key, 1).expect("an account");
    world
        .deposit(&other, Asset::Usdc, 1_000_000_000)
        .expect("quote");
    let order = [(Asset::Sol, 1_000)];
    expect_error(
        world.order_as(&delegate, other.margin, Side::Open, &order),
        KeelError::NotOwner,
    );
}

/// 11.1: everything else that an owner can do is refused to his delegate.
#[test]
fn a_delegate_does_nothing_but_trade() {
    let (mut world, trader, delegate) = granted();
    let (keys, margin, signer) = (world.keys, trader.margin, delegate.pubkey());
    let usdc = world.token(Asset::Usdc);
    world.give(signer, Asset::Usdc, 0);
    let args = world.grant_args(signer);
    let attempts: [(&str, Instruction); 5] = [
        (
            "withdraw",
            instruction::withdraw(&keys, signer, margin, usdc, 1),
        ),
        (
            "set_name",
            instruction::set_name(signer, margin, *b"mine mine mine mine mine mine mi"),
        ),
        (
            "close_margin_account",
            instruction::close_margin_account(&keys, signer, margin, signer),
        ),
        (
            "set_delegate",
            instruction::set_delegate(&keys, signer, margin, args),
        ),
        (
            "clear_delegate",
            instruction::clear_delegate(signer, margin),
        ),
    ];
    for (name, attempt) in attempts {
        println!("{name}");
        expect_error(world.send(attempt, &[&delegate]), KeelError::NotOwner);
    }

    // 2.8: nor does he open a balance for the account.
    world.give(signer, Asset::Sol, 1_000);
    let sol = world.token(Asset::Sol);
    let deposit = instruction::deposit(&keys, signer, margin, sol, 1_000);
    expect_error(
        world.send(deposit, &[&delegate]),
        KeelError::OnlyOwnerOpensSlot,
    );
}

/// 11.1: a delegate loads nobody's legs onto the account: he is no liquidator in its name, though
/// there is something to liquidate and the owner may.
#[test]
fn liquidating_through_a_delegate() {
    let (mut world, rich, delegate) = granted();
    let poor = world.trader_with(1_000).expect("a trader");
    world.open(&poor, Asset::Sol, 40_000).expect("6x long");
    let fallen = [1.0, PRICES[1] * 0.87, PRICES[2], PRICES[3]];
    world.move_prices(fallen).expect("prices");
    let report = world.report(poor.margin).expect("a report");
    assert!(report.health_maintenance() < 0);
    let liquidate = |signer: Pubkey| {
        instruction::liquidate(
            &world.keys,
            signer,
            poor.margin,
            rich.margin,
            TakenLeg::Position {
                market: market(Asset::Sol),
            },
            1_000,
        )
    };
    let (by_delegate, by_owner) = (liquidate(delegate.pubkey()), liquidate(rich.owner()));
    expect_error(world.send(by_delegate, &[&delegate]), KeelError::NotOwner);
    world.send(by_owner, &[&rich.key]).expect("the owner's");
}

/// I11: one margin account is never both sides, whoever signs.
#[test]
fn the_same_margin_account_given_twice() {
    let (mut world, trader, delegate) = granted();
    let keys = TradeKeys {
        authority: delegate.pubkey(),
        margin: trader.margin,
        pool: world.pool,
        referrer: None,
        markets: vec![market(Asset::Sol)],
    };
    let order = instruction::open_position(&world.keys, &keys, world.order(&[1_000]));
    let (margin, pool_margin) = (order.accounts[2].pubkey, order.accounts[4].pubkey);
    let mut against_itself = order.clone();
    against_itself.accounts[4].pubkey = margin;
    expect_error(
        world.send(against_itself, &[&delegate]),
        KeelError::WrongPoolMargin,
    );
    let mut the_pools = order.clone();
    the_pools.accounts[2].pubkey = pool_margin;
    expect_error(world.send(the_pools, &[&delegate]), KeelError::NotOwner);

    let liquidate = instruction::liquidate(
        &world.keys,
        trader.owner(),
        trader.margin,
        trader.margin,
        TakenLeg::Position {
            market: market(Asset::Sol),
        },
        1,
    );
    expect_error(
        world.send(liquidate, &[&trader.key]),
        KeelError::SameAccount,
    );

    // An account that is being opened is not yet anyone's referrer, its own included.
    let address = address::margin_account(&world.keys.group, &trader.owner(), 7);
    world
        .account_with(&trader.key, 7, None, Some(address))
        .expect_err("refused");
    // Nor does one that is closed get its own rent.
    let empty = world.sub_account(&trader.key, 8).expect("an account");
    world.vm.pass(1);
    const CONSTRAINT_CLOSE: Option<u32> = Some(2_011);
    let refused = world.close_account(&empty, empty.margin);
    assert_eq!(refused.expect_err("refused").code, CONSTRAINT_CLOSE);
}

/// I11 for the grant's instructions and a delegate's orders: every slot refuses what is not meant for
/// it, also in a second group in which the same people have accounts.
#[test]
fn mutations_of_delegates() {
    DELEGATES.judged();
}

pub static DELEGATES: Area = Area::of("delegates", delegates);

fn delegates() -> Tally {
    let (mut world, trader, delegate) = granted();
    let friend = world.trader_with(10_000).expect("a friend");
    let other = world.second_group(2).expect("a second group");
    let first = std::mem::replace(&mut world.keys, other);
    let twin = world.sub_account(&trader.key, 0).expect("an account");
    world
        .deposit(&twin, Asset::Usdc, 1_000_000_000)
        .expect("quote");
    world.keys = first;
    world.refresh().expect("prices");

    let stranger = world.wallet_key(900);
    let args = world.grant_args(delegate.pubkey());
    let trade = |margin: Pubkey, pool: Pubkey, keys| {
        let trade = TradeKeys {
            authority: delegate.pubkey(),
            margin,
            pool,
            referrer: None,
            markets: vec![market(Asset::Sol)],
        };
        instruction::open_position(keys, &trade, world.order(&[1_000]))
    };
    let set = |keys, trader: &Trader| {
        instruction::set_delegate(keys, trader.owner(), trader.margin, args)
    };
    let clear = |trader: &Trader| instruction::clear_delegate(trader.owner(), trader.margin);
    let signers = || {
        [&trader.key, &friend.key, &delegate, &stranger]
            .map(Keypair::insecure_clone)
            .into_iter()
            .collect()
    };
    let cases = vec![
        Case {
            name: "open_position by a delegate",
            base: trade(trader.margin, world.pool, &first),
            siblings: vec![
                (
                    "the other group",
                    trade(twin.margin, address::pool(&other.group, 0), &other),
                ),
                ("a friend", trade(friend.margin, world.pool, &first)),
            ],
            signers: signers(),
            allowed: vec![],
        },
        Case {
            name: "set_delegate",
            base: set(&first, &trader),
            siblings: vec![
                ("the other group", set(&other, &twin)),
                ("a friend", set(&first, &friend)),
            ],
            signers: signers(),
            allowed: vec![],
        },
        Case {
            name: "clear_delegate",
            base: clear(&trader),
            siblings: vec![("a friend", clear(&friend))],
            signers: signers(),
            allowed: vec![],
        },
    ];
    judge_all(&mut world, cases)
}
