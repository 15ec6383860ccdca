//! What leaves an account, what accrues, and insurance.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use keel::instructions::WithdrawArgs;
use keel::{accounts, instruction as data};

use super::{GroupKeys, Token, build};
use crate::address;

/// Takes `amount` native units (`u64::MAX`: all) of a deposit to the owner's associated account.
pub fn withdraw(
    keys: &GroupKeys,
    owner: Pubkey,
    margin: Pubkey,
    token: Token,
    amount: u64,
) -> Instruction {
    let args = WithdrawArgs {
        amount,
        allow_borrow: false,
        health_before: false,
    };
    withdraw_with(keys, owner, margin, token, args)
}

/// The same; what the deposit lacks is borrowed.
pub fn borrow(
    keys: &GroupKeys,
    owner: Pubkey,
    margin: Pubkey,
    token: Token,
    amount: u64,
) -> Instruction {
    let args = WithdrawArgs {
        amount,
        allow_borrow: true,
        health_before: false,
    };
    withdraw_with(keys, owner, margin, token, args)
}

/// Takes tokens out as `args` say.
pub fn withdraw_with(
    keys: &GroupKeys,
    owner: Pubkey,
    margin: Pubkey,
    token: Token,
    args: WithdrawArgs,
) -> Instruction {
    let bank = address::bank(&keys.group, &token.mint);
    build(
        accounts::Withdraw {
            owner,
            risk_book: keys.risk_book,
            margin,
            bank,
            vault: address::vault(&bank),
            mint: token.mint,
            destination: token.account_of(&owner),
            authority: address::authority(&keys.group),
            token_program: token.program,
        },
        data::Withdraw { args },
    )
}

/// Two margin accounts of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferKeys {
    pub owner: Pubkey,
    pub from: Pubkey,
    pub to: Pubkey,
}

/// Moves `amount` native units (`u64::MAX`: the whole deposit) of a mint's bank.
pub fn transfer(
    keys: &GroupKeys,
    accounts: TransferKeys,
    mint: Pubkey,
    amount: u64,
    allow_borrow: bool,
) -> Instruction {
    build(
        accounts::Transfer {
            owner: accounts.owner,
            risk_book: keys.risk_book,
            from: accounts.from,
            to: accounts.to,
            bank: address::bank(&keys.group, &mint),
        },
        data::Transfer {
            amount,
            allow_borrow,
        },
    )
}

/// Queues `amount` native units (`u64::MAX`: the whole deposit); 0 gives a lapsed ticket up.
pub fn take_ticket(
    keys: &GroupKeys,
    owner: Pubkey,
    margin: Pubkey,
    mint: Pubkey,
    amount: u64,
) -> Instruction {
    build(
        accounts::TakeTicket {
            owner,
            risk_book: keys.risk_book,
            margin,
            bank: address::bank(&keys.group, &mint),
        },
        data::TakeTicket { amount },
    )
}

/// Brings the banks of these mints and these markets to now, and publishes them.
pub fn accrue(keys: &GroupKeys, mints: &[Pubkey], markets: &[u8]) -> Instruction {
    let mut instruction = build(
        accounts::Accrue {
            risk_book: keys.risk_book,
        },
        data::Accrue {
            banks: mints.len() as u8,
        },
    );
    let banks = mints.iter().map(|mint| address::bank(&keys.group, mint));
    let markets = markets
        .iter()
        .map(|index| address::market(&keys.group, *index));
    let ledgers = banks.chain(markets).map(|key| AccountMeta::new(key, false));
    instruction.accounts.extend(ledgers);
    instruction
}

/// Gives `amount` native units of the funder's associated account to a bank's insurance.
pub fn fund_bank_insurance(
    keys: &GroupKeys,
    funder: Pubkey,
    token: Token,
    amount: u64,
) -> Instruction {
    let bank = address::bank(&keys.group, &token.mint);
    build(
        accounts::FundBankInsurance {
            funder,
            bank,
            vault: address::vault(&bank),
            mint: token.mint,
            source: token.account_of(&funder),
            token_program: token.program,
        },
        data::FundBankInsurance { amount },
    )
}

/// Gives `amount` atoms of the owner's account to a market's insurance.
pub fn fund_market_insurance(
    keys: &GroupKeys,
    owner: Pubkey,
    margin: Pubkey,
    market: u8,
    amount: u64,
) -> Instruction {
    build(
        accounts::FundMarketInsurance {
            owner,
            risk_book: keys.risk_book,
            margin,
            market: address::market(&keys.group, market),
        },
        data::FundMarketInsurance { amount },
    )
}
