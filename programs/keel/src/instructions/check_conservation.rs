//! `check_conservation`: anyone checks that the books balance to the atom.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::program::set_return_data;
use anchor_spl::token_interface::TokenAccount;
use keel_state::{Bank, Market, RiskBook};

use crate::errors::KeelError;

#[derive(Accounts)]
pub struct CheckConservation<'info> {
    pub risk_book: AccountLoader<'info, RiskBook>,
    // Remaining accounts: `banks` pairs of bank and vault, then markets.
}

/// Checks I1 of each bank against its vault, and I2 and I3 of each market. Returns two bytes:
/// how many were checked and how many failed.
pub fn handler<'info>(ctx: Context<'info, CheckConservation<'info>>, banks: u8) -> Result<()> {
    let book = ctx.accounts.risk_book.load()?;
    let banks = usize::from(banks);
    let pairs = banks + banks;
    require_gte!(
        ctx.remaining_accounts.len(),
        pairs,
        KeelError::WrongAccountCount
    );
    let (pairs, markets) = ctx.remaining_accounts.split_at(pairs);
    require!(
        pairs.len() + markets.len() <= usize::from(u8::MAX),
        KeelError::WrongAccountCount
    );

    let (mut checked, mut failed) = (0u8, 0u8);
    for pair in pairs.chunks_exact(2) {
        checked += 1;
        failed += u8::from(!bank_balances(&book, &pair[0], &pair[1])?);
    }
    for account in markets {
        let market = AccountLoader::<Market>::try_from(account)?;
        let market = market.load()?;
        require_keys_eq!(market.group, book.group, KeelError::OtherGroup);
        checked += 1;
        failed += u8::from(market.invariant().is_err());
    }

    set_return_data(&[checked, failed]);
    Ok(())
}

fn bank_balances<'info>(
    book: &RiskBook,
    bank: &'info AccountInfo<'info>,
    vault: &'info AccountInfo<'info>,
) -> Result<bool> {
    let loader = AccountLoader::<Bank>::try_from(bank)?;
    let bank = loader.load()?;
    require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
    require_keys_eq!(bank.vault, vault.key(), KeelError::WrongVault);
    let vault = InterfaceAccount::<TokenAccount>::try_from(vault)?;
    Ok(bank.invariant(vault.amount).is_ok())
}
