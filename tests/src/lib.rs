//! The harness: Keel's compiled bytecode in an embedded VM, with real token programs, real
//! price-account bytes and a clock that the test holds.
//!
//! - [`Vm`]: program, payer, clock; sends transactions and keeps what they cost.
//! - [`PriceUpdate`]: the bytes of a `PriceUpdateV2` account.
//! - [`World`]: a whole group made by the operator's own migration, with traders and a pool.
//! - [`Ledger`]: the books kept a second time, from raw bytes.
//! - [`fuzz`]: random sequences on a group of eight assets, and what they must keep.
//! - [`bench`]: compute units of every instruction, in the shapes of the architecture.
//! - [`vectors`]: files of expected figures, natively and in the VM.
//!
//! Keys, seeds and the VM's features are fixed, so that compute units repeat to the unit.
#![forbid(unsafe_code)]

mod artifacts;
mod attack;
mod auction;
mod backstop;
pub mod bench;
mod charging;
mod delegation;
pub mod fuzz;
mod judge;
mod ledger;
mod liquidity;
mod money;
mod operator;
mod prices;
mod risk_program;
mod stored;
mod tokens;
mod trading;
pub mod vectors;
mod vm;
mod world;

pub use artifacts::{ArtifactMissing, program_file};
pub use attack::{account, code, expect_error};
pub use backstop::{KeptBooks, KeptSide};
pub use delegation::Side;
pub use ledger::{AccountRow, BankRow, Ledger, MarketRow, Places, PoolRow};
pub use liquidity::shares_account;
pub use prices::PriceUpdate;
pub use risk_program::RiskProgram;
pub use solana_keypair::Keypair;
pub use solana_signer::Signer;
pub use tokens::TokenKind;
pub use vm::{Failure, Sent, Vm, keypair};
pub use world::{Asset, Trader, World, market};
