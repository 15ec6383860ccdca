//! The only module that moves tokens, and the only one that signs for a vault.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{
    self, Mint, MintTo, TokenAccount, TokenInterface, TransferChecked,
};
use keel_state::seeds;

use crate::errors::KeelError;

/// Moves `amount` from a user's token account into a vault; returns what the vault really gained,
/// which is what the ledger may credit (a mint may charge a transfer fee).
pub fn pay_in<'info>(
    program: &Interface<'info, TokenInterface>,
    mint: &InterfaceAccount<'info, Mint>,
    from: &InterfaceAccount<'info, TokenAccount>,
    vault: &mut InterfaceAccount<'info, TokenAccount>,
    authority: &Signer<'info>,
    amount: u64,
) -> Result<u64> {
    let before = vault.amount;
    let accounts = TransferChecked {
        from: from.to_account_info(),
        mint: mint.to_account_info(),
        to: vault.to_account_info(),
        authority: authority.to_account_info(),
    };
    token_interface::transfer_checked(
        CpiContext::new(program.key(), accounts),
        amount,
        mint.decimals,
    )?;

    vault.reload()?;
    vault
        .amount
        .checked_sub(before)
        .ok_or_else(|| error!(KeelError::VaultShort))
}

/// The group's vault authority, as a signer.
#[derive(Clone, Copy)]
pub struct VaultAuthority<'a, 'info> {
    pub account: &'a UncheckedAccount<'info>,
    pub group: &'a Pubkey,
    pub bump: u8,
}

/// Moves `amount` out of a vault.
pub fn pay_out<'info>(
    program: &Interface<'info, TokenInterface>,
    mint: &InterfaceAccount<'info, Mint>,
    vault: &InterfaceAccount<'info, TokenAccount>,
    to: &InterfaceAccount<'info, TokenAccount>,
    authority: VaultAuthority<'_, 'info>,
    amount: u64,
) -> Result<()> {
    let accounts = TransferChecked {
        from: vault.to_account_info(),
        mint: mint.to_account_info(),
        to: to.to_account_info(),
        authority: authority.account.to_account_info(),
    };
    let bump = [authority.bump];
    let signer: [&[u8]; 3] = [seeds::AUTHORITY, authority.group.as_ref(), &bump];
    token_interface::transfer_checked(
        CpiContext::new_with_signer(program.key(), accounts, &[&signer]),
        amount,
        mint.decimals,
    )
}

/// Mints liquidity-provider tokens.
pub fn mint_shares<'info>(
    program: &Interface<'info, TokenInterface>,
    mint: &InterfaceAccount<'info, Mint>,
    to: &InterfaceAccount<'info, TokenAccount>,
    authority: VaultAuthority<'_, 'info>,
    amount: u64,
) -> Result<()> {
    let accounts = MintTo {
        mint: mint.to_account_info(),
        to: to.to_account_info(),
        authority: authority.account.to_account_info(),
    };
    let bump = [authority.bump];
    let signer: [&[u8]; 3] = [seeds::AUTHORITY, authority.group.as_ref(), &bump];
    token_interface::mint_to(
        CpiContext::new_with_signer(program.key(), accounts, &[&signer]),
        amount,
    )
}
