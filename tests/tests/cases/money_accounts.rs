//! I11: every slot of the instructions that move money, with every wrong account.

use anchor_lang::prelude::Pubkey;
use keel_sdk::Instruction;
use keel_sdk::address;
use keel_sdk::instruction::{self, GroupKeys, TransferKeys};
use keel_tests::{Asset, Trader, World, keypair};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::mutations::{Area, Case, OTHER_PROGRAM, Tally, judge_all};

const PINNED: &str = "the bank pins its mint, whose program the vault's transfer then needs";

/// Two groups in which one owner has two funded accounts, and a friend one.
struct Stage {
    world: World,
    other: GroupKeys,
    owner: Trader,
    friend: Trader,
}

fn stage() -> Stage {
    let mut world = World::new().expect("a world");
    let owner = world.trader_with(1_000).expect("an owner");
    let friend = world.trader_with(1_000).expect("a friend");
    let second = world.sub_account(&owner.key, 1).expect("a sub-account");
    for trader in [&owner, &second, &friend] {
        world
            .deposit(trader, Asset::Sol, 1_000_000_000)
            .expect("deposit");
    }
    for trader in [&owner, &friend] {
        for asset in [Asset::Usdc, Asset::Sol] {
            world.give(trader.owner(), asset, 1_000_000_000);
        }
    }
    let other = world.second_group(2).expect("another group");
    let payer = world.vm.payer.pubkey();
    for (trader, sub_id) in [(&owner, 0), (&owner, 1), (&friend, 0)] {
        let create =
            instruction::create_margin_account(&other, payer, trader.owner(), sub_id, [0; 32]);
        world.send(create, &[&trader.key]).expect("an account");
        let margin = address::margin_account(&other.group, &trader.owner(), sub_id);
        let usdc = world.token(Asset::Usdc);
        let deposit = instruction::deposit(&other, trader.owner(), margin, usdc, 100_000_000);
        world.give(trader.owner(), Asset::Usdc, 100_000_000);
        world.send(deposit, &[&trader.key]).expect("deposit");
    }
    world.accrue_all().expect("accrue");
    Stage {
        world,
        other,
        owner,
        friend,
    }
}

impl Stage {
    fn signers(&self) -> Vec<Keypair> {
        vec![
            self.owner.key.insecure_clone(),
            self.friend.key.insecure_clone(),
            keypair(900),
        ]
    }

    fn margin(keys: &GroupKeys, of: &Trader, sub_id: u16) -> Pubkey {
        address::margin_account(&keys.group, &of.owner(), sub_id)
    }

    fn transfer(&self, keys: &GroupKeys, of: &Trader, asset: Asset) -> Instruction {
        let accounts = TransferKeys {
            owner: of.owner(),
            from: Self::margin(keys, of, 0),
            to: Self::margin(keys, of, 1),
        };
        instruction::transfer(keys, accounts, self.world.token(asset).mint, 1_000, false)
    }

    fn ticket(&self, keys: &GroupKeys, of: &Trader, asset: Asset) -> Instruction {
        let margin = Self::margin(keys, of, 0);
        let mint = self.world.token(asset).mint;
        instruction::take_ticket(keys, of.owner(), margin, mint, 1_000)
    }

    fn borrow(&self, keys: &GroupKeys, of: &Trader, asset: Asset) -> Instruction {
        let margin = Self::margin(keys, of, 0);
        instruction::borrow(keys, of.owner(), margin, self.world.token(asset), 1_000)
    }

    fn fund_market(keys: &GroupKeys, of: &Trader, market: u8) -> Instruction {
        let margin = Self::margin(keys, of, 0);
        instruction::fund_market_insurance(keys, of.owner(), margin, market, 1_000)
    }

    fn fund_bank(&self, keys: &GroupKeys, of: &Trader, asset: Asset) -> Instruction {
        instruction::fund_bank_insurance(keys, of.owner(), self.world.token(asset), 1_000)
    }
}

#[test]
fn mutations_of_money() {
    TRANSFERS_AND_TICKETS.judged();
}

pub static TRANSFERS_AND_TICKETS: Area = Area::of("transfers and tickets", transfers_and_tickets);

fn transfers_and_tickets() -> Tally {
    let mut stage = stage();
    let (ours, theirs) = (stage.world.keys, stage.other);
    let (owner, friend) = (&stage.owner, &stage.friend);
    let any_bank = "another bank of the group: his own account in it moves";
    let sub = "the other account of the same owner";
    let cases = vec![
        Case {
            name: "transfer",
            base: stage.transfer(&ours, owner, Asset::Usdc),
            siblings: vec![
                (
                    "the other group",
                    stage.transfer(&theirs, owner, Asset::Usdc),
                ),
                ("another token", stage.transfer(&ours, owner, Asset::Sol)),
                ("a friend", stage.transfer(&ours, friend, Asset::Usdc)),
            ],
            signers: stage.signers(),
            allowed: vec![(4, "of another token", any_bank)],
        },
        Case {
            name: "take_ticket",
            base: stage.ticket(&ours, owner, Asset::Usdc),
            siblings: vec![
                ("the other group", stage.ticket(&theirs, owner, Asset::Usdc)),
                ("another token", stage.ticket(&ours, owner, Asset::Sol)),
                ("a friend", stage.ticket(&ours, friend, Asset::Usdc)),
                ("a sub-account", stage.transfer(&ours, owner, Asset::Usdc)),
            ],
            signers: stage.signers(),
            allowed: vec![
                (3, "of another token", any_bank),
                (2, "of a sub-account", sub),
            ],
        },
    ];
    judge_all(&mut stage.world, cases)
}

#[test]
fn mutations_of_borrows_and_insurance() {
    BORROWS_AND_INSURANCE.judged();
}

pub static BORROWS_AND_INSURANCE: Area = Area::of("borrows and insurance", borrows_and_insurance);

fn borrows_and_insurance() -> Tally {
    let mut stage = stage();
    let (ours, theirs) = (stage.world.keys, stage.other);
    let (owner, friend) = (&stage.owner, &stage.friend);
    let any_market = "another market of the group: his own quote in it moves";
    let own = "the signer may use any of his token accounts";
    let anyone = "tokens may be sent to any account of the mint";
    let cases = vec![
        Case {
            name: "borrow",
            base: stage.borrow(&ours, owner, Asset::Usdc),
            siblings: vec![
                ("the other group", stage.borrow(&theirs, owner, Asset::Usdc)),
                ("another token", stage.borrow(&ours, owner, Asset::Sol)),
                ("a friend", stage.borrow(&ours, friend, Asset::Usdc)),
            ],
            signers: stage.signers(),
            allowed: vec![
                (6, "of a friend", anyone),
                (6, "a copy elsewhere", anyone),
                (5, "owned by the system", PINNED),
                (5, "owned by a stranger's program", PINNED),
                (5, OTHER_PROGRAM, PINNED),
            ],
        },
        Case {
            name: "fund_market_insurance",
            base: Stage::fund_market(&ours, owner, 0),
            siblings: vec![
                ("the other group", Stage::fund_market(&theirs, owner, 0)),
                ("another market", Stage::fund_market(&ours, owner, 1)),
                ("a friend", Stage::fund_market(&ours, friend, 0)),
            ],
            signers: stage.signers(),
            allowed: vec![(3, "of another market", any_market)],
        },
        Case {
            name: "fund_bank_insurance",
            base: stage.fund_bank(&ours, owner, Asset::Usdc),
            siblings: vec![
                ("another token", stage.fund_bank(&ours, owner, Asset::Sol)),
                ("a friend", stage.fund_bank(&ours, friend, Asset::Usdc)),
            ],
            signers: stage.signers(),
            allowed: vec![(4, "a copy elsewhere", own), (3, OTHER_PROGRAM, PINNED)],
        },
    ];
    judge_all(&mut stage.world, cases)
}

/// Banks and markets are remaining accounts: each is checked by `load`.
#[test]
fn mutations_of_accrue() {
    ACCRUING.judged();
}

pub static ACCRUING: Area = Area::of("accruing", accruing);

fn accruing() -> Tally {
    let mut stage = stage();
    let (ours, theirs) = (stage.world.keys, stage.other);
    let mints = [Asset::Usdc, Asset::Sol].map(|asset| stage.world.token(asset).mint);
    let others = [Asset::Btc, Asset::Eth].map(|asset| stage.world.token(asset).mint);
    let any = "any ledger of the group may be accrued by anyone";
    let cases = vec![Case {
        name: "accrue",
        base: instruction::accrue(&ours, &mints, &[0, 1]),
        siblings: vec![
            (
                "the other group",
                instruction::accrue(&theirs, &mints, &[0, 1]),
            ),
            ("others", instruction::accrue(&ours, &others, &[2, 0])),
        ],
        signers: stage.signers(),
        allowed: (1..4).map(|slot| (slot, "of others", any)).collect(),
    }];
    stage.world.vm.pass(5);
    judge_all(&mut stage.world, cases)
}
