//! I11 for requests and their execution: every account slot refuses what is not meant for it.

use anchor_lang::prelude::Pubkey;
use keel_sdk::instruction::{self, GroupKeys, Token};
use keel_sdk::{Instruction, address};
use keel_tests::{Asset, World};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::mutations::{Area, Case, OTHER_PROGRAM, Tally, judge_all};

const PINNED: &str = "its address is pinned, and no mint or vault changes its program";
const COPIES: &str = "who asks may use any of his token accounts";
const OWN: &str = "any token account of the owner may be paid";

const ANY_WALLET: &str = "the owner gets his rent whatever else is at his address";

/// A group in which `asks` can ask and both others have open requests, and a second group with the
/// same people and requests.
struct Stage {
    world: World,
    other: GroupKeys,
    asks: Keypair,
    waits: Keypair,
    friend: Keypair,
}

fn stage() -> Stage {
    let mut world = World::with(|config| config.pool.cooldown_out_s = 0).expect("a world");
    let [asks, waits, friend] = [5_000, 3_000, 2_000].map(|usdc| {
        let (key, _) = world.provide(usdc * 1_000).expect("liquidity");
        world.give(key.pubkey(), Asset::Usdc, 10_000_000_000);
        world.give(key.pubkey(), Asset::Sol, 10_000_000_000);
        key
    });
    world.wallet_key(900);
    let other = world.second_group(2).expect("a second group");
    for key in [&waits, &friend] {
        world
            .request_provide(key, 1_000_000, 0)
            .expect("a request in");
        world
            .request_redeem(key, 1_000_000, 0)
            .expect("a request out");
    }
    let first = (world.keys, world.pool);
    (world.keys, world.pool) = (other, address::pool(&other.group, 0));
    for key in [&asks, &waits, &friend] {
        let shares = world.share_token();
        let held = keel_tests::shares_account(&shares, key.pubkey(), 5_000_000);
        world.vm.set_account(shares.account_of(&key.pubkey()), held);
    }
    for key in [&waits, &friend] {
        world
            .request_provide(key, 1_000_000, 0)
            .expect("a request in");
        world
            .request_redeem(key, 1_000_000, 0)
            .expect("a request out");
    }
    (world.keys, world.pool) = first;
    world.refresh().expect("prices");
    Stage {
        world,
        other,
        asks,
        waits,
        friend,
    }
}

impl Stage {
    /// The same call in the other group, by a friend, and of another token.
    fn siblings(
        &self,
        base: &Keypair,
        build: impl Fn(&GroupKeys, Pubkey, Token) -> Instruction,
    ) -> Vec<(&'static str, Instruction)> {
        let token = |asset| self.world.token(asset);
        vec![
            (
                "the other group",
                build(&self.other, base.pubkey(), token(Asset::Usdc)),
            ),
            (
                "a friend",
                build(&self.world.keys, self.friend.pubkey(), token(Asset::Usdc)),
            ),
            (
                "another token",
                build(&self.world.keys, base.pubkey(), token(Asset::Sol)),
            ),
        ]
    }

    fn signers(&self, base: &Keypair) -> Vec<Keypair> {
        vec![
            base.insecure_clone(),
            self.friend.insecure_clone(),
            keel_tests::keypair(900),
        ]
    }
}

fn pool(keys: &GroupKeys) -> Pubkey {
    address::pool(&keys.group, 0)
}

#[test]
fn mutations_of_requests() {
    REQUESTS.judged();
}

pub static REQUESTS: Area = Area::of("requests", requests);

fn requests() -> Tally {
    let mut stage = stage();
    let usdc = stage.world.token(Asset::Usdc);
    let provide = |keys: &GroupKeys, who, token| {
        instruction::request_provide(keys, who, pool(keys), token, 1_000_000, 0)
    };
    let redeem = |keys: &GroupKeys, who, token| {
        instruction::request_redeem(keys, who, pool(keys), token, 1_000_000, 0)
    };
    let first = stage.world.keys;
    let asks = stage.asks.insecure_clone();
    let cases = vec![
        Case {
            name: "request_provide",
            base: provide(&first, asks.pubkey(), usdc),
            siblings: stage.siblings(&asks, provide),
            signers: stage.signers(&asks),
            allowed: vec![(7, "a copy elsewhere", COPIES)],
        },
        Case {
            name: "request_redeem",
            base: redeem(&first, asks.pubkey(), usdc),
            siblings: stage.siblings(&asks, redeem),
            signers: stage.signers(&asks),
            allowed: vec![(7, "a copy elsewhere", COPIES)],
        },
    ];
    judge_all(&mut stage.world, cases)
}

#[test]
fn mutations_of_executions() {
    EXECUTIONS.judged();
}

pub static EXECUTIONS: Area = Area::of("executions", executions);

fn executions() -> Tally {
    let mut stage = stage();
    let usdc = stage.world.token(Asset::Usdc);
    let provide =
        |keys: &GroupKeys, who, token| instruction::provide_liquidity(keys, who, pool(keys), token);
    let redeem =
        |keys: &GroupKeys, who, token| instruction::redeem_liquidity(keys, who, pool(keys), token);
    let first = stage.world.keys;
    let waits = stage.waits.insecure_clone();
    let cases = vec![
        Case {
            name: "provide_liquidity",
            base: provide(&first, waits.pubkey(), usdc),
            siblings: stage.siblings(&waits, provide),
            signers: vec![],
            allowed: vec![
                (11, "a copy elsewhere", OWN),
                (6, OTHER_PROGRAM, PINNED),
                (8, "occupied", ANY_WALLET),
            ],
        },
        Case {
            name: "redeem_liquidity",
            base: redeem(&first, waits.pubkey(), usdc),
            siblings: stage.siblings(&waits, redeem),
            signers: vec![],
            allowed: vec![
                (11, "a copy elsewhere", OWN),
                (6, OTHER_PROGRAM, PINNED),
                (8, "occupied", ANY_WALLET),
            ],
        },
    ];
    judge_all(&mut stage.world, cases)
}

#[test]
fn mutations_of_cancelling() {
    CANCELLING.judged();
}

pub static CANCELLING: Area = Area::of("cancelling", cancelling);

fn cancelling() -> Tally {
    let mut stage = stage();
    let usdc = stage.world.token(Asset::Usdc);
    let provide = |keys: &GroupKeys, who, token| {
        instruction::cancel_provide(keys, who, who, pool(keys), token)
    };
    let redeem = |keys: &GroupKeys, who, token| {
        instruction::cancel_redeem(keys, who, who, pool(keys), token)
    };
    let first = stage.world.keys;
    let waits = stage.waits.insecure_clone();
    let cases = vec![
        Case {
            name: "cancel_provide",
            base: provide(&first, waits.pubkey(), usdc),
            siblings: stage.siblings(&waits, provide),
            signers: stage.signers(&waits),
            allowed: vec![
                (8, "a copy elsewhere", OWN),
                (6, OTHER_PROGRAM, PINNED),
                (5, "occupied", ANY_WALLET),
            ],
        },
        Case {
            name: "cancel_redeem",
            base: redeem(&first, waits.pubkey(), usdc),
            siblings: stage.siblings(&waits, redeem),
            signers: stage.signers(&waits),
            allowed: vec![
                (8, "a copy elsewhere", OWN),
                (6, OTHER_PROGRAM, PINNED),
                (5, "occupied", ANY_WALLET),
            ],
        },
    ];
    judge_all(&mut stage.world, cases)
}
