//! `set_name`: what a wallet shows for a sub-account.

use anchor_lang::prelude::*;
use keel_state::MarginAccount;

use crate::errors::KeelError;
use crate::events::AccountNamed;
use crate::load;

/// Checked in the attributes: owner (signer, the margin account's). In `load`: its bytes.
#[derive(Accounts)]
pub struct SetName<'info> {
    pub owner: Signer<'info>,
    #[account(mut, has_one = owner @ KeelError::NotOwner)]
    pub margin: AccountLoader<'info, MarginAccount>,
}

/// `name` is any 32 bytes: UTF-8 padded with zeros by custom; the program does not read it.
pub fn handler(ctx: Context<SetName>, name: [u8; 32]) -> Result<()> {
    load::whole(&ctx.accounts.margin)?;
    let mut margin = ctx.accounts.margin.load_mut()?;

    margin.set_name(name);

    emit!(AccountNamed {
        margin: ctx.accounts.margin.key(),
        seq: margin.seq,
        name,
    });
    Ok(())
}
