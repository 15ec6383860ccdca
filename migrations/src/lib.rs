//! What an operator runs to create or upgrade a group, in order. A migration turns a configuration
//! into named steps; whoever holds the keys signs and sends them, and may stop and resume between
//! any two.
#![forbid(unsafe_code)]

mod config;
pub mod m0001_create_group;

pub use config::{
    AssetConfig, GroupConfig, LendingConfig, MarketConfig, PoolConfig, TokenConfig, feeds,
};

use keel_sdk::{Instruction, Pubkey};

/// Who must sign a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Payer,
    Admin,
    /// The fresh key of the risk book's account.
    RiskBook,
}

/// The operator's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    pub payer: Pubkey,
    pub admin: Pubkey,
    pub council: Pubkey,
    pub risk_book: Pubkey,
}

/// One transaction of a migration.
#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    pub instructions: Vec<Instruction>,
    pub signers: Vec<Role>,
}
