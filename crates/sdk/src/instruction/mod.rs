//! Instruction builders: one function each, accounts derived where they can be.

mod account;
mod failure;
mod liquidation;
mod liquidity;
mod money;
mod trading;

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use anchor_lang::{InstructionData, ToAccountMetas, system_program};
use anchor_spl::associated_token::get_associated_token_address_with_program_id;
use keel::{accounts, instruction as data};

use crate::address;
use crate::{BankArgs, GroupArgs, MarketArgs, PoolArgs, PriceSlot};

pub use account::{
    NewAccount, clear_delegate, close_margin_account, create_margin_account_with, set_delegate,
    set_name,
};
pub use failure::*;
pub use liquidation::*;
pub use liquidity::*;
pub use money::*;
pub use trading::{
    ExitKeys, SettleKeys, TradeKeys, close_position, exit_position, open_position, settle_pnl,
};

/// A group as its clients name it: its address, its risk book and its settlement mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupKeys {
    pub group: Pubkey,
    pub risk_book: Pubkey,
    pub quote_mint: Pubkey,
}

/// A mint and the program that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub mint: Pubkey,
    pub program: Pubkey,
}

impl Token {
    /// The owner's associated token account.
    pub fn account_of(&self, owner: &Pubkey) -> Pubkey {
        get_associated_token_address_with_program_id(owner, &self.mint, &self.program)
    }
}

fn build(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction {
        program_id: keel::ID,
        accounts: accounts.to_account_metas(None),
        data: data.data(),
    }
}

/// `risk_book` must exist with 65,536 bytes, owned by the program (see [`risk_book_space`]).
pub fn create_group(
    payer: Pubkey,
    admin: Pubkey,
    risk_book: Pubkey,
    quote_mint: Pubkey,
    args: GroupArgs,
) -> Instruction {
    let group = address::group(args.id);
    build(
        accounts::CreateGroup {
            payer,
            admin,
            group,
            risk_book,
            quote_mint,
            authority: address::authority(&group),
            system_program: system_program::ID,
        },
        data::CreateGroup { args },
    )
}

/// Bytes that the client allocates for a risk book before `create_group`.
pub const fn risk_book_space() -> u64 {
    keel_state::RISK_BOOK_BYTES as u64
}

pub fn create_bank(
    keys: &GroupKeys,
    payer: Pubkey,
    admin: Pubkey,
    token: Token,
    args: BankArgs,
) -> Instruction {
    let bank = address::bank(&keys.group, &token.mint);
    build(
        accounts::CreateBank {
            payer,
            admin,
            group: keys.group,
            risk_book: keys.risk_book,
            mint: token.mint,
            bank,
            vault: address::vault(&bank),
            authority: address::authority(&keys.group),
            token_program: token.program,
            system_program: system_program::ID,
        },
        data::CreateBank { args },
    )
}

pub fn create_market(
    keys: &GroupKeys,
    payer: Pubkey,
    admin: Pubkey,
    args: MarketArgs,
) -> Instruction {
    build(
        accounts::CreateMarket {
            payer,
            admin,
            group: keys.group,
            risk_book: keys.risk_book,
            market: address::market(&keys.group, args.index),
            system_program: system_program::ID,
        },
        data::CreateMarket { args },
    )
}

pub fn create_pool(
    keys: &GroupKeys,
    payer: Pubkey,
    admin: Pubkey,
    token_program: Pubkey,
    args: PoolArgs,
) -> Instruction {
    let pool = address::pool(&keys.group, args.id);
    build(
        accounts::CreatePool {
            payer,
            admin,
            group: keys.group,
            pool,
            margin: address::pool_margin(&keys.group, &pool),
            lp_mint: address::lp_mint(&pool),
            quote_mint: keys.quote_mint,
            authority: address::authority(&keys.group),
            token_program,
            system_program: system_program::ID,
        },
        data::CreatePool { args },
    )
}

/// A plain sub-account; see [`create_margin_account_with`] for an isolated or a referred one.
pub fn create_margin_account(
    keys: &GroupKeys,
    payer: Pubkey,
    owner: Pubkey,
    sub_id: u16,
    name: [u8; 32],
) -> Instruction {
    let account = NewAccount {
        sub_id,
        name,
        ..NewAccount::default()
    };
    create_margin_account_with(keys, payer, owner, account)
}

/// Pays `amount` native units from the depositor's associated account into `margin`.
pub fn deposit(
    keys: &GroupKeys,
    depositor: Pubkey,
    margin: Pubkey,
    token: Token,
    amount: u64,
) -> Instruction {
    let bank = address::bank(&keys.group, &token.mint);
    build(
        accounts::Deposit {
            depositor,
            risk_book: keys.risk_book,
            margin,
            bank,
            vault: address::vault(&bank),
            mint: token.mint,
            source: token.account_of(&depositor),
            token_program: token.program,
        },
        data::Deposit { amount },
    )
}

/// Relays one price account per slot.
pub fn update_prices(
    keys: &GroupKeys,
    updates: &[(PriceSlot, Pubkey)],
    strict: bool,
) -> Instruction {
    let mut instruction = build(
        accounts::UpdatePrices {
            risk_book: keys.risk_book,
        },
        data::UpdatePrices {
            slots: updates.iter().map(|(slot, _)| *slot).collect(),
            strict,
        },
    );
    let prices = updates
        .iter()
        .map(|(_, account)| AccountMeta::new_readonly(*account, false));
    instruction.accounts.extend(prices);
    instruction
}

/// The report comes back as return data: see [`crate::decode::margin_report`].
pub fn view_margin(keys: &GroupKeys, margin: Pubkey, first_asset: u8) -> Instruction {
    build(
        accounts::ViewMargin {
            risk_book: keys.risk_book,
            margin,
        },
        data::ViewMargin { first_asset },
    )
}

/// Checks every bank of `mints` against its vault, and every market of `markets`.
pub fn check_conservation(keys: &GroupKeys, mints: &[Pubkey], markets: &[u8]) -> Instruction {
    let mut instruction = build(
        accounts::CheckConservation {
            risk_book: keys.risk_book,
        },
        data::CheckConservation {
            banks: mints.len() as u8,
        },
    );
    for mint in mints {
        let bank = address::bank(&keys.group, mint);
        for key in [bank, address::vault(&bank)] {
            instruction
                .accounts
                .push(AccountMeta::new_readonly(key, false));
        }
    }
    let markets = markets
        .iter()
        .map(|index| AccountMeta::new_readonly(address::market(&keys.group, *index), false));
    instruction.accounts.extend(markets);
    instruction
}
