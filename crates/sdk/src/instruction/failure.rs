//! Backstop and bankruptcy: anyone may call these.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use keel::{accounts, instruction as data};

use super::{GroupKeys, build};
use crate::address;

/// Unwinds a trader's position in a market: `pool` is the one that the market names. Without a trader's
/// account the pool's own position is closed.
pub fn deleverage(
    keys: &GroupKeys,
    margin: Option<Pubkey>,
    market: u8,
    pool: Pubkey,
    max_size: u64,
) -> Instruction {
    build(
        accounts::Deleverage {
            risk_book: keys.risk_book,
            margin,
            market: address::market(&keys.group, market),
            pool,
            pool_margin: address::pool_margin(&keys.group, &pool),
        },
        data::Deleverage { max_size },
    )
}

/// Gives a market's pool its stray lots.
pub fn take_strays(keys: &GroupKeys, market: u8, pool: Pubkey) -> Instruction {
    build(
        accounts::TakeStrays {
            risk_book: keys.risk_book,
            market: address::market(&keys.group, market),
            pool,
            pool_margin: address::pool_margin(&keys.group, &pool),
        },
        data::TakeStrays {},
    )
}

/// What of a bankrupt account is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Market(u8),
    /// The bank of a mint, the quote's included.
    Bank(Pubkey),
}

/// Resolves one part of a bankruptcy.
pub fn resolve_bankruptcy(keys: &GroupKeys, margin: Pubkey, part: Part) -> Instruction {
    let (market, bank) = match part {
        Part::Market(index) => (Some(address::market(&keys.group, index)), None),
        Part::Bank(mint) if mint == keys.quote_mint => (None, None),
        Part::Bank(mint) => (None, Some(address::bank(&keys.group, &mint))),
    };
    build(
        accounts::ResolveBankruptcy {
            risk_book: keys.risk_book,
            margin,
            quote_bank: address::bank(&keys.group, &keys.quote_mint),
            market,
            bank,
        },
        data::ResolveBankruptcy {},
    )
}
