//! Orders, exits and settlements.

use anchor_lang::InstructionData;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use keel::{accounts, instruction as data};

use super::{GroupKeys, build};
use crate::{ExitArgs, OrderArgs, address};

/// The accounts of an order: the trader's side, the pool, and one market per leg.
#[derive(Clone, Debug)]
pub struct TradeKeys {
    /// The margin account's owner or delegate, who signs.
    pub authority: Pubkey,
    pub margin: Pubkey,
    pub pool: Pubkey,
    /// The margin account that referred the trader, when it is to get its part of the fee.
    pub referrer: Option<Pubkey>,
    /// Places of the legs' markets in the risk book.
    pub markets: Vec<u8>,
}

pub fn open_position(keys: &GroupKeys, trade: &TradeKeys, args: OrderArgs) -> Instruction {
    trade_instruction(keys, trade, data::OpenPosition { args })
}

pub fn close_position(keys: &GroupKeys, trade: &TradeKeys, args: OrderArgs) -> Instruction {
    trade_instruction(keys, trade, data::ClosePosition { args })
}

fn trade_instruction(
    keys: &GroupKeys,
    trade: &TradeKeys,
    data: impl InstructionData,
) -> Instruction {
    let mut instruction = build(
        accounts::Trade {
            authority: trade.authority,
            risk_book: keys.risk_book,
            margin: trade.margin,
            pool: trade.pool,
            pool_margin: address::pool_margin(&keys.group, &trade.pool),
            referrer: trade.referrer,
        },
        data,
    );
    let markets = trade
        .markets
        .iter()
        .map(|index| AccountMeta::new(address::market(&keys.group, *index), false));
    instruction.accounts.extend(markets);
    instruction
}

/// The accounts of an exit: the trader's side, the pool that cannot take it, and the market.
#[derive(Clone, Copy, Debug)]
pub struct ExitKeys {
    pub owner: Pubkey,
    pub margin: Pubkey,
    pub pool: Pubkey,
    pub market: u8,
}

/// Closes against the other side of the market what the pool cannot take.
pub fn exit_position(keys: &GroupKeys, exit: &ExitKeys, args: ExitArgs) -> Instruction {
    build(
        accounts::ExitPosition {
            owner: exit.owner,
            risk_book: keys.risk_book,
            margin: exit.margin,
            pool: exit.pool,
            pool_margin: address::pool_margin(&keys.group, &exit.pool),
            market: address::market(&keys.group, exit.market),
        },
        data::ExitPosition { args },
    )
}

/// Two margin accounts with results in one market.
#[derive(Clone, Copy, Debug)]
pub struct SettleKeys {
    pub winner: Pubkey,
    pub loser: Pubkey,
    pub market: u8,
}

/// Turns at most `max_amount` atoms of both results into quote.
pub fn settle_pnl(keys: &GroupKeys, settle: &SettleKeys, max_amount: u64) -> Instruction {
    build(
        accounts::SettlePnl {
            risk_book: keys.risk_book,
            winner: settle.winner,
            loser: settle.loser,
            market: address::market(&keys.group, settle.market),
            bank: address::bank(&keys.group, &keys.quote_mint),
        },
        data::SettlePnl { max_amount },
    )
}
