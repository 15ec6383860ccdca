//! `create_margin_account`: one of an owner's sub-accounts, isolated if he wants it so.

use anchor_lang::prelude::*;
use keel_risk::MarketSet;
use keel_state::{
    Group, LAYOUT_VERSION, MarginAccount, MarginKind, TRADER_CAPACITY, margin_account_bytes, seeds,
};

use crate::errors::KeelError;
use crate::events::MarginAccountCreated;
use crate::load;

/// What is chosen once, when an account is created.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default)]
pub struct AccountSettings {
    /// Given for an isolated account: the markets in which alone it may ever hold a position, a bit
    /// each, by their places in the risk book. An empty set makes an account that only keeps tokens.
    pub isolated_markets: Option<[u64; 2]>,
}

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
    /// Given when somebody referred the owner.
    pub referrer: Option<AccountLoader<'info, MarginAccount>>,
}

impl CreateMarginAccount<'_> {
    /// Checked in the attributes: owner (signer), margin (its seeds), referrer (owner program,
    /// discriminator). Here: group is one, whole; the referrer is a trader of it, of another owner.
    fn validate(&self) -> Result<()> {
        self.group.load()?;
        let Some(referrer) = &self.referrer else {
            return Ok(());
        };
        load::whole(referrer)?;
        let referrer = referrer.load()?;
        require_keys_eq!(referrer.group, self.group.key(), KeelError::OtherGroup);
        require!(
            referrer.kind == MarginKind::Trader as u8,
            KeelError::NotATrader
        );
        require_keys_neq!(referrer.owner, self.owner.key(), KeelError::ReferrerIsOwner);
        Ok(())
    }
}

pub fn handler(
    ctx: Context<CreateMarginAccount>,
    sub_id: u16,
    name: [u8; 32],
    settings: AccountSettings,
) -> Result<()> {
    let accounts = &ctx.accounts;
    accounts.validate()?;
    let slot = Clock::get()?.slot;
    let referrer = accounts.referrer.as_ref().map(Key::key);

    let mut margin = accounts.margin.load_init()?;
    open_account(&mut margin, MarginKind::Trader, TRADER_CAPACITY, slot);
    margin.bump = ctx.bumps.margin;
    margin.sub_id = sub_id;
    margin.name = name;
    margin.group = accounts.group.key();
    margin.owner = accounts.owner.key();
    margin.referrer = referrer.unwrap_or_default();
    if let Some(markets) = settings.isolated_markets {
        margin.isolate(MarketSet(markets));
    }

    emit!(MarginAccountCreated {
        group: accounts.group.key(),
        margin: accounts.margin.key(),
        owner: accounts.owner.key(),
        sub_id,
        isolated_markets: settings.isolated_markets,
        referrer,
    });
    Ok(())
}

/// What every fresh margin account starts with: slot 0 is the quote's, and `seq` starts where no
/// earlier life of the same address can have been ([`MarginAccount::may_close_in`]).
pub fn open_account(margin: &mut MarginAccount, kind: MarginKind, capacity: usize, slot: u64) {
    margin.version = LAYOUT_VERSION;
    margin.kind = kind as u8;
    margin.capacity = capacity as u16;
    margin.seq = keel_state::first_seq(slot);
    margin.balances[0].used = 1;
}
