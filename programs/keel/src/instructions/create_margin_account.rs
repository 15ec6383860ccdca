//! `create_margin_account`: one of an owner's sub-accounts.

use anchor_lang::prelude::*;
use keel_state::{
    Group, LAYOUT_VERSION, MarginAccount, MarginKind, TRADER_CAPACITY, margin_account_bytes, seeds,
};

use crate::events::MarginAccountCreated;

#[derive(Accounts)]
#[instruction(sub_id: u16)]
pub struct CreateMarginAccount<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    pub owner: Signer<'info>,
    pub group: AccountLoader<'info, Group>,
    #[account(
        init,
        payer = payer,
        space = margin_account_bytes(TRADER_CAPACITY),
        seeds = [seeds::MARGIN, group.key().as_ref(), owner.key().as_ref(), &sub_id.to_le_bytes()],
        bump
    )]
    pub margin: AccountLoader<'info, MarginAccount>,
    pub system_program: Program<'info, System>,
}

pub fn handler(ctx: Context<CreateMarginAccount>, sub_id: u16, name: [u8; 32]) -> Result<()> {
    let accounts = &ctx.accounts;
    // Nothing of the group is needed but that it is one, whole.
    accounts.group.load()?;
    let slot = Clock::get()?.slot;

    let mut margin = accounts.margin.load_init()?;
    open_account(&mut margin, MarginKind::Trader, TRADER_CAPACITY, slot);
    margin.bump = ctx.bumps.margin;
    margin.sub_id = sub_id;
    margin.name = name;
    margin.group = accounts.group.key();
    margin.owner = accounts.owner.key();

    emit!(MarginAccountCreated {
        group: accounts.group.key(),
        margin: accounts.margin.key(),
        owner: accounts.owner.key(),
        sub_id,
    });
    Ok(())
}

/// What every fresh margin account starts with: slot 0 is the quote's, and `seq` starts where no
/// earlier life of the same address can have been.
pub fn open_account(margin: &mut MarginAccount, kind: MarginKind, capacity: usize, slot: u64) {
    margin.version = LAYOUT_VERSION;
    margin.kind = kind as u8;
    margin.capacity = capacity as u16;
    margin.seq = slot << 20;
    margin.balances[0].used = 1;
}
