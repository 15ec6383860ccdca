//! The Rust client of Keel: where things are ([`address`]), how to ask ([`instruction`]), what came
//! back ([`decode`]), and the same risk engine as on chain over fetched accounts ([`Snapshot`]).
#![forbid(unsafe_code)]

pub mod address;
pub mod decode;
pub mod instruction;
mod snapshot;

pub use anchor_lang::prelude::Pubkey;
pub use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
pub use keel::instructions::{
    AccountSettings, BankArgs, DelegateArgs, ExitArgs, GroupArgs, LiquidateArgs, LiquidationTarget,
    MarketArgs, OrderArgs, OrderLeg, PoolArgs, PriceSlot, TakeOverArgs, WithdrawArgs,
};
pub use keel::listing::{AssetArgs, AssetChoice, SourceArgs};
pub use snapshot::Snapshot;
