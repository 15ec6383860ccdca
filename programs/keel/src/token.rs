//! The only module that moves tokens, and the only one that signs for a vault.

use anchor_lang::prelude::*;
use anchor_spl::token_2022::spl_token_2022::extension::transfer_fee::{
    TransferFeeAmount, instruction::harvest_withheld_tokens_to_mint,
};
use anchor_spl::token_2022::spl_token_2022::extension::{
    BaseStateWithExtensions, StateWithExtensions,
};
use anchor_spl::token_2022::spl_token_2022::state::Account as TokenState;
use anchor_spl::token_interface::{
    self, Burn, CloseAccount, Mint, MintTo, TokenAccount, TokenInterface, TransferChecked,
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
    let mint = (mint.to_account_info(), mint.decimals);
    pay_from(program, mint, vault, to, authority, amount)
}

/// The same of a mint that is not read: its decimals are known.
pub fn pay_from<'info>(
    program: &Interface<'info, TokenInterface>,
    (mint, decimals): (AccountInfo<'info>, u8),
    vault: &InterfaceAccount<'info, TokenAccount>,
    to: &InterfaceAccount<'info, TokenAccount>,
    authority: VaultAuthority<'_, 'info>,
    amount: u64,
) -> Result<()> {
    let accounts = TransferChecked {
        from: vault.to_account_info(),
        mint,
        to: to.to_account_info(),
        authority: authority.account.to_account_info(),
    };
    let bump = [authority.bump];
    let signer: [&[u8]; 3] = [seeds::AUTHORITY, authority.group.as_ref(), &bump];
    token_interface::transfer_checked(
        CpiContext::new_with_signer(program.key(), accounts, &[&signer]),
        amount,
        decimals,
    )
}

/// Moves all that an escrow holds into a vault; returns what the vault really gained.
pub fn take_in<'info>(
    program: &Interface<'info, TokenInterface>,
    mint: &InterfaceAccount<'info, Mint>,
    escrow: &InterfaceAccount<'info, TokenAccount>,
    vault: &mut InterfaceAccount<'info, TokenAccount>,
    authority: VaultAuthority<'_, 'info>,
) -> Result<u64> {
    let before = vault.amount;
    pay_out(program, mint, escrow, vault, authority, escrow.amount)?;

    vault.reload()?;
    vault
        .amount
        .checked_sub(before)
        .ok_or_else(|| error!(KeelError::VaultShort))
}

/// Closes an empty escrow; its rent goes to `owner`. Transfer fees that the mint withheld in it go to
/// the mint first, which must then be writable.
pub fn close_escrow<'info>(
    program: &Interface<'info, TokenInterface>,
    mint: &InterfaceAccount<'info, Mint>,
    escrow: &InterfaceAccount<'info, TokenAccount>,
    owner: &UncheckedAccount<'info>,
    authority: VaultAuthority<'_, 'info>,
) -> Result<()> {
    if withholds(&escrow.to_account_info())? {
        let harvest =
            harvest_withheld_tokens_to_mint(&program.key(), &mint.key(), &[&escrow.key()])?;
        let accounts = [mint.to_account_info(), escrow.to_account_info()];
        anchor_lang::solana_program::program::invoke(&harvest, &accounts)?;
    }
    let accounts = CloseAccount {
        account: escrow.to_account_info(),
        destination: owner.to_account_info(),
        authority: authority.account.to_account_info(),
    };
    let bump = [authority.bump];
    let signer: [&[u8]; 3] = [seeds::AUTHORITY, authority.group.as_ref(), &bump];
    token_interface::close_account(CpiContext::new_with_signer(
        program.key(),
        accounts,
        &[&signer],
    ))
}

/// Whether a token account holds fees of transfers into it.
fn withholds(account: &AccountInfo) -> Result<bool> {
    let data = account.try_borrow_data()?;
    let state = StateWithExtensions::<TokenState>::unpack(&data)?;
    let fees = state.get_extension::<TransferFeeAmount>();
    Ok(fees.is_ok_and(|fees| u64::from(fees.withheld_amount) != 0))
}

/// Burns liquidity-provider tokens of an escrow.
pub fn burn_shares<'info>(
    program: &Interface<'info, TokenInterface>,
    mint: &InterfaceAccount<'info, Mint>,
    escrow: &InterfaceAccount<'info, TokenAccount>,
    authority: VaultAuthority<'_, 'info>,
    amount: u64,
) -> Result<()> {
    let accounts = Burn {
        mint: mint.to_account_info(),
        from: escrow.to_account_info(),
        authority: authority.account.to_account_info(),
    };
    let bump = [authority.bump];
    let signer: [&[u8]; 3] = [seeds::AUTHORITY, authority.group.as_ref(), &bump];
    token_interface::burn(
        CpiContext::new_with_signer(program.key(), accounts, &[&signer]),
        amount,
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
