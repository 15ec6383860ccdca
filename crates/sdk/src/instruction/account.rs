//! Sub-accounts and their delegates.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::system_program;
use keel::{accounts, instruction as data};

use super::{GroupKeys, build};
use crate::{AccountSettings, DelegateArgs, address};

/// A sub-account to open.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewAccount {
    pub sub_id: u16,
    /// UTF-8 padded with zeros.
    pub name: [u8; 32],
    pub settings: AccountSettings,
    /// A margin account of the group, of another owner.
    pub referrer: Option<Pubkey>,
}

/// Opens a sub-account of `owner`, who signs; `payer` pays the rent.
pub fn create_margin_account_with(
    keys: &GroupKeys,
    payer: Pubkey,
    owner: Pubkey,
    account: NewAccount,
) -> Instruction {
    build(
        accounts::CreateMarginAccount {
            payer,
            owner,
            group: keys.group,
            margin: address::margin_account(&keys.group, &owner, account.sub_id),
            system_program: system_program::ID,
            referrer: account.referrer,
        },
        data::CreateMarginAccount {
            sub_id: account.sub_id,
            name: account.name,
            settings: account.settings,
        },
    )
}

pub fn set_name(owner: Pubkey, margin: Pubkey, name: [u8; 32]) -> Instruction {
    build(accounts::SetName { owner, margin }, data::SetName { name })
}

/// Closes an empty sub-account; its rent goes to `receiver`.
pub fn close_margin_account(
    keys: &GroupKeys,
    owner: Pubkey,
    margin: Pubkey,
    receiver: Pubkey,
) -> Instruction {
    build(
        accounts::CloseMarginAccount {
            owner,
            risk_book: keys.risk_book,
            margin,
            receiver,
        },
        data::CloseMarginAccount {},
    )
}

pub fn set_delegate(
    keys: &GroupKeys,
    owner: Pubkey,
    margin: Pubkey,
    args: DelegateArgs,
) -> Instruction {
    build(
        accounts::SetDelegate {
            owner,
            risk_book: keys.risk_book,
            margin,
        },
        data::SetDelegate { args },
    )
}

pub fn clear_delegate(owner: Pubkey, margin: Pubkey) -> Instruction {
    build(
        accounts::ClearDelegate { owner, margin },
        data::ClearDelegate {},
    )
}
