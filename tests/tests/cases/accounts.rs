//! I11: every account slot of every instruction refuses what is not meant for it.
//!
//! For each instruction that the client builds, in a world where it goes through, every slot is
//! replaced or damaged in every way that fits what it holds (`mutations`). A second group with the
//! same tokens, administrator and owners stands beside the first, so that nothing but the group
//! tells their accounts apart.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_spl::token_2022;
use keel::errors::KeelError;
use keel_sdk::instruction::{GroupKeys, TakenLeg, Token, TradeKeys};
use keel_sdk::{AssetChoice, GroupArgs, PoolArgs, address, instruction};
use keel_state::RISK_BOOK_BYTES;
use keel_tests::{Asset, Trader, World, expect_error, keypair, market};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::mutations::{
    Area, Case, Harmless, OTHER_PROGRAM, Tally, addresses, judge_all, snapshot,
};

/// Anchor's number for a mint of another token program.
const MINT_TOKEN_PROGRAM: u32 = 2_022;

/// The first group with a pool and traders, and a second one with the same people.
struct Stage {
    world: World,
    other: GroupKeys,
    payer: Keypair,
    trader: Trader,
    friend: Trader,
}

const FRIEND_MAY_BE_PAID: &str = "anyone may deposit into an account that has the balance";
const ANY_PAYER: &str = "whoever signs may pay the rent";
const PINNED: &str = "its address is pinned by the bank, and no mint or vault changes its program";
const SEES_ANYONE: &str = "anyone may look at any account of the group";

fn stage() -> Stage {
    let mut world = World::new().expect("a world");
    world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(100_000).expect("a trader");
    world.give(trader.owner(), Asset::Usdc, 1_000_000);
    world.give(trader.owner(), Asset::Sol, 1_000_000);
    let friend = world.trader_with(1_000_000).expect("a friend");
    let payer = world.wallet_key(903);
    world.wallet_key(900);
    world.vm.fund(world.admin.pubkey(), 100_000_000_000);

    // The same owners have accounts with deposits in the second group.
    let other = world.second_group(2).expect("a second group");
    let first = std::mem::replace(&mut world.keys, other);
    for key in [&trader.key, &friend.key] {
        let account = world.sub_account(key, 0).expect("an account");
        world
            .deposit(&account, Asset::Usdc, 1_000_000_000)
            .expect("a deposit");
    }
    world.keys = first;
    world.give(trader.owner(), Asset::Usdc, 1_000_000);
    world.refresh().expect("prices");
    Stage {
        world,
        other,
        payer,
        trader,
        friend,
    }
}

impl Stage {
    fn keys(&self) -> [GroupKeys; 2] {
        [self.world.keys, self.other]
    }

    fn margin(keys: &GroupKeys, trader: &Trader) -> Pubkey {
        address::margin_account(&keys.group, &trader.owner(), 0)
    }

    fn trade_keys(keys: &GroupKeys, trader: &Trader, assets: &[Asset]) -> TradeKeys {
        TradeKeys {
            authority: trader.owner(),
            margin: Self::margin(keys, trader),
            pool: address::pool(&keys.group, 0),
            referrer: None,
            markets: assets.iter().map(|asset| market(*asset)).collect(),
        }
    }

    fn admin(&self) -> Keypair {
        self.world.admin.insecure_clone()
    }

    fn key_of(trader: &Trader) -> Keypair {
        trader.key.insecure_clone()
    }
}

fn stranger() -> Keypair {
    keypair(900)
}

/// Who signs when something is listed.
struct Listers {
    payer: Keypair,
    admin: Keypair,
}

impl Listers {
    fn of(stage: &Stage) -> Self {
        Self {
            payer: stage.payer.insecure_clone(),
            admin: stage.admin(),
        }
    }

    fn signers(&self) -> Vec<Keypair> {
        let admin = self.admin.insecure_clone();
        vec![self.payer.insecure_clone(), admin, stranger()]
    }

    fn group(&self, args: GroupArgs, book: Pubkey, mint: Token) -> Instruction {
        let (payer, admin) = (self.payer.pubkey(), self.admin.pubkey());
        instruction::create_group(payer, admin, book, mint.mint, args)
    }

    fn pool(&self, keys: &GroupKeys, program: Pubkey, args: PoolArgs) -> Instruction {
        let (payer, admin) = (self.payer.pubkey(), self.admin.pubkey());
        instruction::create_pool(keys, payer, admin, program, args)
    }
}

fn payers() -> Vec<Harmless> {
    vec![
        (0, "another signer", ANY_PAYER),
        (0, "duplicate of slot 1", ANY_PAYER),
    ]
}

#[test]
fn creating_a_group_refuses_every_wrong_account() {
    CREATING_A_GROUP.judged();
}

pub static CREATING_A_GROUP: Area = Area::of("creating a group", creating_a_group);

fn creating_a_group() -> Tally {
    let mut stage = stage();
    let listers = Listers::of(&stage);
    let world = &mut stage.world;
    let blank = world.blank_book(912, RISK_BOOK_BYTES);
    let (ours, another) = (world.group_args(5), world.group_args(6));
    let (usdc, btc) = (world.token(Asset::Usdc), world.token(Asset::Btc));
    let taken = world.keys.risk_book;
    let administrator = "whoever signs becomes the new group's administrator";
    let mut allowed = payers();
    allowed.extend([
        (1, "another signer", administrator),
        (1, "duplicate of slot 0", administrator),
        (
            3,
            "a copy elsewhere",
            "any blank account of the program may become the book",
        ),
        (
            4,
            "a copy elsewhere",
            "any mint of six decimals may be the quote",
        ),
        (
            4,
            OTHER_PROGRAM,
            "a plain mint of either program; create_bank looks at extensions",
        ),
    ]);
    let case = Case {
        name: "create_group",
        base: listers.group(ours, blank, usdc),
        siblings: vec![("another group", listers.group(another, taken, btc))],
        signers: listers.signers(),
        allowed,
    };
    judge_all(world, vec![case])
}

#[test]
fn listing_refuses_every_wrong_account() {
    LISTING.judged();
}

pub static LISTING: Area = Area::of("listing", listing);

fn listing() -> Tally {
    let mut stage = stage();
    let listers = Listers::of(&stage);
    let (payer, admin) = (listers.payer.pubkey(), listers.admin.pubkey());
    let [first, other] = stage.keys();
    let world = &mut stage.world;
    let new = [world.mint(910, 9), world.mint(911, 9)];
    let btc = world.token(Asset::Btc);
    let bank_args = world.bank_args(AssetChoice::New(world.asset_args(9)));
    let market_args = world.market_args(3, AssetChoice::Listed(1));

    let bank = |keys: &GroupKeys, token: Token| {
        instruction::create_bank(keys, payer, admin, token, bank_args)
    };
    let make_market =
        |keys: &GroupKeys| instruction::create_market(keys, payer, admin, market_args);
    let cases = vec![
        Case {
            name: "create_bank",
            base: bank(&first, new[0]),
            siblings: vec![
                ("the other group", bank(&other, new[0])),
                ("another mint", bank(&first, new[1])),
                ("a listed bank", bank(&first, btc)),
            ],
            signers: listers.signers(),
            allowed: payers(),
        },
        Case {
            name: "create_market",
            base: make_market(&first),
            siblings: vec![("the other group", make_market(&other))],
            signers: listers.signers(),
            allowed: payers(),
        },
    ];
    judge_all(world, cases)
}

#[test]
fn creating_a_pool_refuses_every_wrong_account() {
    CREATING_A_POOL.judged();
}

pub static CREATING_A_POOL: Area = Area::of("creating a pool", creating_a_pool);

fn creating_a_pool() -> Tally {
    let mut stage = stage();
    let listers = Listers::of(&stage);
    let [first, other] = stage.keys();
    let args = stage.world.pool_args(1);
    let tokens = anchor_spl::token::ID;
    let in_sol = GroupKeys {
        quote_mint: stage.world.token(Asset::Sol).mint,
        ..first
    };
    let case = Case {
        name: "create_pool",
        base: listers.pool(&first, tokens, args),
        siblings: vec![
            ("the other group", listers.pool(&other, tokens, args)),
            ("another token", listers.pool(&in_sol, tokens, args)),
        ],
        signers: listers.signers(),
        allowed: payers(),
    };
    judge_all(&mut stage.world, vec![case])
}

/// One program moves the quote and mints the shares, so the shares can be of no other.
#[test]
fn a_pools_shares_are_of_the_quotes_token_program() {
    let mut stage = stage();
    let listers = Listers::of(&stage);
    let [first, _] = stage.keys();
    let world = &mut stage.world;
    let args = world.pool_args(1);
    let signers = [&listers.payer, &listers.admin];
    let create = listers.pool(&first, token_2022::ID, args);
    let refused = world.send(create, &signers).expect_err("refused");
    assert_eq!(refused.code, Some(MINT_TOKEN_PROGRAM), "{refused}");

    let in_sol = GroupKeys {
        quote_mint: world.token(Asset::Sol).mint,
        ..first
    };
    let create = listers.pool(&in_sol, anchor_spl::token::ID, args);
    expect_error(world.send(create, &signers), KeelError::WrongMint);

    let create = listers.pool(&first, anchor_spl::token::ID, args);
    world.send(create, &signers).expect("created");
}

#[test]
fn creating_an_account_refuses_every_wrong_account() {
    CREATING_AN_ACCOUNT.judged();
}

pub static CREATING_AN_ACCOUNT: Area = Area::of("creating an account", creating_an_account);

fn creating_an_account() -> Tally {
    let mut stage = stage();
    let [first, other] = stage.keys();
    let (payer, trader, friend) = (&stage.payer, &stage.trader, &stage.friend);
    let create = |keys: &GroupKeys, owner: &Trader, sub_id: u16| {
        instruction::create_margin_account(keys, payer.pubkey(), owner.owner(), sub_id, [0; 32])
    };
    let cases = vec![Case {
        name: "create_margin_account",
        base: create(&first, trader, 1),
        siblings: vec![
            ("the other group", create(&other, trader, 1)),
            ("another owner", create(&first, friend, 1)),
            ("an account that exists", create(&first, trader, 0)),
        ],
        signers: vec![
            payer.insecure_clone(),
            Stage::key_of(trader),
            Stage::key_of(friend),
            stranger(),
        ],
        allowed: payers(),
    }];
    judge_all(&mut stage.world, cases)
}

#[test]
fn deposits_and_withdrawals_refuse_every_wrong_account() {
    CASH.judged();
}

pub static CASH: Area = Area::of("cash", cash);

fn cash() -> Tally {
    let mut stage = stage();
    let [first, other] = stage.keys();
    let (trader, friend) = (&stage.trader, &stage.friend);
    let (usdc, sol) = (
        stage.world.token(Asset::Usdc),
        stage.world.token(Asset::Sol),
    );

    let deposit = |keys: &GroupKeys, from: &Trader, to: &Trader, token: Token| {
        let margin = Stage::margin(keys, to);
        instruction::deposit(keys, from.owner(), margin, token, 1_000)
    };
    let withdraw = |keys: &GroupKeys, trader: &Trader, token: Token| {
        let margin = Stage::margin(keys, trader);
        instruction::withdraw(keys, trader.owner(), margin, token, 1_000)
    };
    let of = |trader: &Trader| vec![Stage::key_of(trader), Stage::key_of(friend), stranger()];
    let copies = "the signer may use any of his token accounts";
    let anyone = "tokens may be sent to any account of the mint";
    let cases = vec![
        Case {
            name: "deposit",
            base: deposit(&first, trader, trader, usdc),
            siblings: vec![
                ("the other group", deposit(&other, trader, trader, usdc)),
                ("a friend", deposit(&first, friend, friend, usdc)),
                ("another token", deposit(&first, trader, trader, sol)),
            ],
            signers: of(trader),
            allowed: vec![
                (2, "of a friend", FRIEND_MAY_BE_PAID),
                (6, "a copy elsewhere", copies),
                (5, OTHER_PROGRAM, PINNED),
            ],
        },
        Case {
            name: "withdraw",
            base: withdraw(&first, trader, usdc),
            siblings: vec![
                ("the other group", withdraw(&other, trader, usdc)),
                ("a friend", withdraw(&first, friend, usdc)),
                ("another token", withdraw(&first, trader, sol)),
            ],
            signers: of(trader),
            allowed: vec![
                (6, "of a friend", anyone),
                (6, "a copy elsewhere", anyone),
                (5, "owned by the system", PINNED),
                (5, "owned by a stranger's program", PINNED),
                (5, OTHER_PROGRAM, PINNED),
            ],
        },
    ];
    judge_all(&mut stage.world, cases)
}

#[test]
fn updating_prices_refuses_every_wrong_account() {
    UPDATING_PRICES.judged();
}

pub static UPDATING_PRICES: Area = Area::of("updating prices", updating_prices);

fn updating_prices() -> Tally {
    let mut stage = stage();
    let [first, other] = stage.keys();
    stage.world.vm.pass(2);
    let now = stage.world.vm.now();
    for asset in Asset::ALL {
        let feed = stage.world.feed(asset);
        let update = keel_tests::PriceUpdate::of(feed, 10_000_000_000, 0, now);
        stage.world.post(asset, &update);
    }
    let prices = stage.world.price_accounts;
    let update = |keys: &GroupKeys| {
        let updates = [Asset::Sol, Asset::Btc].map(|asset| (asset.slot(), prices[asset as usize]));
        instruction::update_prices(keys, &updates, false)
    };
    let cases = vec![Case {
        name: "update_prices",
        base: update(&first),
        siblings: vec![("the other group", update(&other))],
        signers: vec![],
        allowed: vec![
            (
                0,
                "of the other group",
                "its book names the same feeds: anyone may price it",
            ),
            (1, "a copy elsewhere", "a pull account may have any address"),
            (2, "a copy elsewhere", "a pull account may have any address"),
        ],
    }];
    judge_all(&mut stage.world, cases)
}

#[test]
fn views_refuse_every_wrong_account() {
    VIEWS.judged();
}

pub static VIEWS: Area = Area::of("views", views);

fn views() -> Tally {
    let mut stage = stage();
    let [first, other] = stage.keys();
    let view = |keys: &GroupKeys, trader: &Trader| {
        instruction::view_margin(keys, Stage::margin(keys, trader), 0)
    };
    let mints: Vec<Pubkey> = stage.world.tokens.iter().map(|token| token.mint).collect();
    let check = |keys: &GroupKeys, mints: &[Pubkey], markets: &[u8]| {
        instruction::check_conservation(keys, mints, markets)
    };
    let turned: Vec<Pubkey> = mints[1..].iter().chain(&mints[..1]).copied().collect();
    let twice = "checking a market twice is only a waste";
    let cases = vec![
        Case {
            name: "view_margin",
            base: view(&first, &stage.trader),
            siblings: vec![
                ("the other group", view(&other, &stage.trader)),
                ("a friend", view(&first, &stage.friend)),
            ],
            signers: vec![],
            allowed: vec![(1, "of a friend", SEES_ANYONE)],
        },
        Case {
            name: "check_conservation",
            base: check(&first, &mints, &[0, 1, 2]),
            siblings: vec![
                ("the other group", check(&other, &mints, &[0, 1, 2])),
                ("the next", check(&first, &turned, &[1, 2, 0])),
            ],
            signers: vec![],
            allowed: vec![
                (9, "of the next", twice),
                (9, "duplicate of slot 11", twice),
                (10, "of the next", twice),
                (10, "duplicate of slot 9", twice),
                (11, "of the next", twice),
                (11, "duplicate of slot 10", twice),
                (2, OTHER_PROGRAM, PINNED),
                (4, OTHER_PROGRAM, PINNED),
                (6, OTHER_PROGRAM, PINNED),
                (8, OTHER_PROGRAM, PINNED),
            ],
        },
    ];
    judge_all(&mut stage.world, cases)
}

#[test]
fn trading_refuses_every_wrong_account() {
    TRADING.judged();
}

pub static TRADING: Area = Area::of("trading", trading);

fn trading() -> Tally {
    let mut stage = stage();
    let [first, other] = stage.keys();
    let trader = &stage.trader;
    for asset in [Asset::Sol, Asset::Btc] {
        stage.world.open(trader, asset, 10_000).expect("open");
    }
    let friend = &stage.friend;
    let args = stage.world.order(&[1_000, 1_000]);
    let closing = stage.world.order(&[-1_000, -1_000]);
    let open = |keys: &GroupKeys, trader: &Trader, assets: &[Asset]| {
        let trade = Stage::trade_keys(keys, trader, assets);
        instruction::open_position(keys, &trade, args.clone())
    };
    let close = |keys: &GroupKeys, trader: &Trader, assets: &[Asset]| {
        let trade = Stage::trade_keys(keys, trader, assets);
        instruction::close_position(keys, &trade, closing.clone())
    };
    let signers = || vec![Stage::key_of(trader), Stage::key_of(friend), stranger()];
    let both = [Asset::Sol, Asset::Btc];
    let eth = [Asset::Eth, Asset::Eth];
    let another = "the market is what the trader chooses";
    let cases = vec![
        Case {
            name: "open_position",
            base: open(&first, trader, &both),
            siblings: vec![
                ("the other group", open(&other, trader, &both)),
                ("a friend", open(&first, friend, &both)),
                ("another market", open(&first, trader, &eth)),
            ],
            signers: signers(),
            allowed: vec![
                (6, "of another market", another),
                (7, "of another market", another),
            ],
        },
        Case {
            name: "close_position",
            base: close(&first, trader, &both),
            siblings: vec![
                ("the other group", close(&other, trader, &both)),
                ("a friend", close(&first, friend, &both)),
                ("another market", close(&first, trader, &eth)),
            ],
            signers: signers(),
            allowed: vec![],
        },
    ];
    judge_all(&mut stage.world, cases)
}

/// One trader with a position to be liquidated; a second one, whose collateral is SOL and who ends
/// with a closed loss.
fn risky_and_closed(world: &mut World) -> (Trader, Trader) {
    let risky = world.trader_with(10_000).expect("a trader");
    world.open(&risky, Asset::Sol, 350_000).expect("open");
    let closed = world.trader().expect("a trader");
    world
        .deposit(&closed, Asset::Sol, 100_000_000_000)
        .expect("SOL");
    world.open(&closed, Asset::Sol, 300_000).expect("open");
    world
        .move_prices([1.0, 118.0, 64_000.0, 3_400.0])
        .expect("prices");
    world.close(&closed, Asset::Sol, -300_000).expect("close");
    (risky, closed)
}

/// The call that takes `of`'s position, or its deposit of a token.
fn liquidate(
    keys: &GroupKeys,
    of: Pubkey,
    to: &Trader,
    asset: Asset,
    deposit: Option<Token>,
    max_size: u64,
) -> Instruction {
    let (owner, margin) = (to.owner(), Stage::margin(keys, to));
    let market = market(asset);
    let leg = match deposit {
        None => TakenLeg::Position { market },
        Some(Token { mint, .. }) => TakenLeg::Deposit { market, mint },
    };
    instruction::liquidate(keys, owner, of, margin, leg, max_size)
}

#[test]
fn liquidation_refuses_every_wrong_account() {
    LIQUIDATION.judged();
}

pub static LIQUIDATION: Area = Area::of("liquidation", liquidation);

fn liquidation() -> Tally {
    let mut stage = stage();
    let [first, other] = stage.keys();
    let world = &mut stage.world;
    let (risky, closed) = risky_and_closed(world);
    let (trader, friend) = (&stage.trader, &stage.friend);
    let take = |keys: &GroupKeys, of: Pubkey, to: &Trader, asset: Asset| {
        liquidate(keys, of, to, asset, None, 100_000)
    };
    let collateral = |keys: &GroupKeys, of: Pubkey, to: &Trader, token: Token| {
        liquidate(keys, of, to, Asset::Sol, Some(token), 1_000_000_000)
    };
    let (usdc, sol) = (
        stage.world.token(Asset::Usdc),
        stage.world.token(Asset::Sol),
    );
    let signers = || vec![Stage::key_of(trader), Stage::key_of(friend), stranger()];
    let theirs = Stage::margin(&other, trader);
    let cases = vec![
        Case {
            name: "liquidate a position",
            base: take(&first, risky.margin, friend, Asset::Sol),
            siblings: vec![
                ("the other group", take(&other, theirs, friend, Asset::Sol)),
                (
                    "a healthy account",
                    take(&first, trader.margin, friend, Asset::Sol),
                ),
                (
                    "another liquidator",
                    take(&first, risky.margin, trader, Asset::Sol),
                ),
                (
                    "another market",
                    take(&first, risky.margin, friend, Asset::Eth),
                ),
                ("a bank", collateral(&first, risky.margin, friend, usdc)),
            ],
            signers: signers(),
            allowed: vec![],
        },
        Case {
            name: "liquidate a deposit",
            base: collateral(&first, closed.margin, friend, sol),
            siblings: vec![
                ("the other group", collateral(&other, theirs, friend, sol)),
                (
                    "a healthy account",
                    collateral(&first, trader.margin, friend, sol),
                ),
                (
                    "another liquidator",
                    collateral(&first, closed.margin, trader, sol),
                ),
                (
                    "another bank",
                    collateral(&first, closed.margin, friend, usdc),
                ),
                ("no bank", take(&first, closed.margin, friend, Asset::Eth)),
            ],
            signers: signers(),
            allowed: vec![],
        },
    ];
    judge_all(&mut stage.world, cases)
}

/// All of the other group's accounts but one slot: no slot of ours may be mixed in.
#[test]
fn no_account_of_one_group_mixes_with_those_of_another() {
    let mut stage = stage();
    let [first, other] = stage.keys();
    let (trader, usdc) = (&stage.trader, stage.world.token(Asset::Usdc));
    let margin = |keys: &GroupKeys| Stage::margin(keys, trader);
    let trade = |keys: &GroupKeys| Stage::trade_keys(keys, trader, &[Asset::Sol]);
    let args = stage.world.order(&[1_000]);
    let deposit = |k: &GroupKeys| instruction::deposit(k, trader.owner(), margin(k), usdc, 1_000);
    let withdraw = |k: &GroupKeys| instruction::withdraw(k, trader.owner(), margin(k), usdc, 1_000);
    let open = |k: &GroupKeys| instruction::open_position(k, &trade(k), args.clone());
    let pairs = [
        ("deposit", deposit(&first), deposit(&other)),
        ("withdraw", withdraw(&first), withdraw(&other)),
        ("open", open(&first), open(&other)),
        (
            "view",
            instruction::view_margin(&first, margin(&first), 0),
            instruction::view_margin(&other, margin(&other), 0),
        ),
    ];
    let mut tried = 0;
    for (name, ours, theirs) in pairs {
        let differing: Vec<usize> = (0..ours.accounts.len())
            .filter(|slot| ours.accounts[*slot].pubkey != theirs.accounts[*slot].pubkey)
            .collect();
        // Every mixture: neither wholly ours nor wholly theirs.
        for mask in 1..(1u32 << differing.len()) - 1 {
            let mut mixed = ours.clone();
            for (bit, slot) in differing.iter().enumerate() {
                if mask >> bit & 1 == 1 {
                    mixed.accounts[*slot] = theirs.accounts[*slot].clone();
                }
            }
            let before = snapshot(&stage.world, &addresses(&mixed));
            let sent = stage.world.vm.send(&[mixed], &[&trader.key]);
            assert!(sent.is_err(), "{name}, mixture {mask:b} of {differing:?}");
            let touched: Vec<Pubkey> = before.iter().map(|(address, _)| *address).collect();
            assert_eq!(before, snapshot(&stage.world, &touched));
            tried += 1;
        }
    }
    println!("{tried} mixtures of two groups refused");
}

/// Lamports sent ahead to an address must not keep it from being created.
#[test]
fn prefunding_an_address_does_not_block_its_creation() {
    let mut world = World::new().expect("a world");
    let owner = world.wallet_key(905);
    let address = address::margin_account(&world.keys.group, &owner.pubkey(), 0);
    world.vm.fund(address, 1);
    world.sub_account(&owner, 0).expect("created all the same");

    let index = address::market(&world.keys.group, 3);
    world.vm.fund(index, 5_000_000_000);
    let args = world.market_args(3, AssetChoice::Listed(1));
    world.list_market(args).expect("created all the same");

    let token = world.mint(906, 9);
    let bank = address::bank(&world.keys.group, &token.mint);
    world.vm.fund(bank, 1);
    world.vm.fund(address::vault(&bank), 1);
    let args = world.bank_args(AssetChoice::New(world.asset_args(9)));
    world.list_bank(token, args).expect("created all the same");

    let pool = address::pool(&world.keys.group, 1);
    world.vm.fund(address::lp_mint(&pool), 1);
    world
        .vm
        .fund(address::pool_margin(&world.keys.group, &pool), 1);
    let args = world.pool_args(1);
    world.list_pool(args).expect("created all the same");
}

/// A margin account cannot be created twice, nor a group taken over by creating it again.
#[test]
fn nothing_is_created_twice() {
    let mut world = World::new().expect("a world");
    let trader = world.trader_with(1_000).expect("a trader");
    let before = world.data(&trader.margin);
    world.vm.pass(1);
    assert!(world.sub_account(&trader.key, 0).is_err());
    assert_eq!(before, world.data(&trader.margin));

    let thief = world.wallet_key(907);
    let (payer, mint) = (world.vm.payer.pubkey(), world.token(Asset::Usdc).mint);
    let book = world.blank_book(908, RISK_BOOK_BYTES);
    let args = world.group_args(1);
    let again = instruction::create_group(payer, thief.pubkey(), book, mint, args);
    assert!(world.send(again, &[&thief]).is_err());
    let args = world.group_args(9);
    let taken = world.keys.risk_book;
    let again = instruction::create_group(payer, thief.pubkey(), taken, mint, args);
    assert!(
        world.send(again, &[&thief]).is_err(),
        "the book is taken once"
    );
}
