//! Builders of what happens to an account below Maintenance.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use keel::{accounts, instruction as data};

use super::{GroupKeys, build};
use crate::address;
use crate::{LiquidateArgs, LiquidationTarget, TakeOverArgs};

/// What a liquidation takes, by the ledgers of its legs. Banks are named by their mints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenLeg {
    Position { market: u8 },
    Hedge { markets: [u8; 2] },
    Deposit { market: u8, mint: Pubkey },
    Borrow { deposit: Pubkey, borrow: Pubkey },
}

impl TakenLeg {
    /// The target, and its ledgers in its order.
    fn target(&self, keys: &GroupKeys) -> (LiquidationTarget, Vec<Pubkey>) {
        let market = |index: u8| address::market(&keys.group, index);
        let bank = |mint: &Pubkey| address::bank(&keys.group, mint);
        match self {
            Self::Position { market: index } => (LiquidationTarget::Position, vec![market(*index)]),
            Self::Hedge { markets } => (LiquidationTarget::Hedge, markets.map(market).to_vec()),
            Self::Deposit {
                market: index,
                mint,
            } => (LiquidationTarget::Deposit, vec![market(*index), bank(mint)]),
            Self::Borrow { deposit, borrow } => {
                (LiquidationTarget::Borrow, vec![bank(deposit), bank(borrow)])
            }
        }
    }
}

/// Takes at most `max_size` of a leg of `margin` into `liquidator`, which `owner` owns; 0 only sets the
/// auction's clock.
pub fn liquidate(
    keys: &GroupKeys,
    owner: Pubkey,
    margin: Pubkey,
    liquidator: Pubkey,
    leg: TakenLeg,
    max_size: u64,
) -> Instruction {
    let (target, ledgers) = leg.target(keys);
    step(
        keys,
        (owner, margin, Some(liquidator)),
        LiquidateArgs { target, max_size },
        ledgers,
    )
}

/// Only judges `margin` for its auction's clock, signed by anyone; a deficit stops the banks and
/// markets that are named.
pub fn set_auction_clock(
    keys: &GroupKeys,
    signer: Pubkey,
    margin: Pubkey,
    mints: &[Pubkey],
    markets: &[u8],
) -> Instruction {
    let target = LiquidationTarget::Clock {
        banks: mints.len() as u8,
    };
    let args = LiquidateArgs {
        target,
        max_size: 0,
    };
    step(
        keys,
        (signer, margin, None),
        args,
        ledgers(keys, mints, markets),
    )
}

fn step(
    keys: &GroupKeys,
    (owner, margin, liquidator): (Pubkey, Pubkey, Option<Pubkey>),
    args: LiquidateArgs,
    ledgers: Vec<Pubkey>,
) -> Instruction {
    let mut instruction = build(
        accounts::Liquidate {
            owner,
            risk_book: keys.risk_book,
            margin,
            liquidator,
        },
        data::Liquidate { args },
    );
    let ledgers = ledgers.into_iter().map(|key| AccountMeta::new(key, false));
    instruction.accounts.extend(ledgers);
    instruction
}

/// Takes at most `max_share_ppm` of everything of `margin` into `bidder`, which `owner` owns. Banks
/// besides the quote's and markets need be named where the bidder holds the opposite.
pub fn take_over(
    keys: &GroupKeys,
    owner: Pubkey,
    (margin, bidder): (Pubkey, Pubkey),
    max_share_ppm: u32,
    mints: &[Pubkey],
    markets: &[u8],
) -> Instruction {
    let mints: Vec<Pubkey> = core::iter::once(keys.quote_mint)
        .chain(mints.iter().copied())
        .collect();
    let args = TakeOverArgs {
        max_share_ppm,
        banks: mints.len() as u8,
    };
    let mut instruction = build(
        accounts::TakeOver {
            owner,
            risk_book: keys.risk_book,
            margin,
            bidder,
        },
        data::TakeOver { args },
    );
    let ledgers = ledgers(keys, &mints, markets).into_iter();
    instruction
        .accounts
        .extend(ledgers.map(|key| AccountMeta::new(key, false)));
    instruction
}

/// Addresses of banks, then markets.
fn ledgers(keys: &GroupKeys, mints: &[Pubkey], markets: &[u8]) -> Vec<Pubkey> {
    let banks = mints.iter().map(|mint| address::bank(&keys.group, mint));
    let markets = markets
        .iter()
        .map(|index| address::market(&keys.group, *index));
    banks.chain(markets).collect()
}
