//! `fund_bank_insurance`: tokens given to what pays a bank's losses.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_state::Bank;

use crate::errors::KeelError;
use crate::events::BankInsuranceFunded;
use crate::token;

/// Checked in the attributes: funder (signer), bank (owner, discriminator), vault and mint (the
/// bank's), source (its mint), token_program (a token program). No token account twice: by Anchor.
#[derive(Accounts)]
pub struct FundBankInsurance<'info> {
    /// Pays the tokens; anyone may.
    pub funder: Signer<'info>,
    #[account(mut, has_one = vault @ KeelError::WrongVault, has_one = mint @ KeelError::WrongMint)]
    pub bank: AccountLoader<'info, Bank>,
    #[account(mut)]
    pub vault: InterfaceAccount<'info, TokenAccount>,
    pub mint: InterfaceAccount<'info, Mint>,
    #[account(mut, token::mint = mint)]
    pub source: InterfaceAccount<'info, TokenAccount>,
    pub token_program: Interface<'info, TokenInterface>,
}

/// `amount` in native units; what the vault really gained is credited.
pub fn handler<'info>(ctx: Context<'info, FundBankInsurance<'info>>, amount: u64) -> Result<()> {
    let accounts = ctx.accounts;
    require!(amount > 0, KeelError::ZeroAmount);
    let now = Clock::get()?.unix_timestamp;
    let received = token::pay_in(
        &accounts.token_program,
        &accounts.mint,
        &accounts.source,
        &mut accounts.vault,
        &accounts.funder,
        amount,
    )?;

    let mut bank = accounts.bank.load_mut()?;
    bank.bring_to_now(now);
    let before = bank.insurance;
    bank.give_insurance(received);

    bank.invariant(accounts.vault.amount)
        .map_err(KeelError::from)?;

    emit!(BankInsuranceFunded {
        bank: accounts.bank.key(),
        funder: accounts.funder.key(),
        amount: received,
        insurance_before: before,
        insurance_after: bank.insurance,
    });
    Ok(())
}
