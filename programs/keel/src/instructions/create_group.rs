//! `create_group`: a group and its only risk book.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::Mint;
use keel_risk::SPAN_16;
use keel_state::{Group, LAYOUT_VERSION, RISK_BOOK_BYTES, RiskBook, seeds};

use crate::errors::KeelError;
use crate::events::GroupCreated;

/// The terms that judging reads from the risk book's header. Ratios are ppm, money is atoms.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct GroupArgs {
    pub id: u64,
    pub council: Pubkey,
    /// Share of the sum of scans below which the aggregate never falls (margin-spec 5.4).
    pub gross_min: u32,
    /// How much of a positive result counts towards Initial, and up to what sum (4.3).
    pub upnl_weight: u32,
    pub upnl_cap: i64,
    /// Dust rules (1.7).
    pub min_notional: i64,
    pub min_equity: i64,
    pub small_requirement: i64,
    /// Liquidation: where it ends, its penalty, the insurance's share of it (8.1).
    pub liquidation_buffer: u32,
    pub liquidation_fee: u32,
    pub liquidation_insurance_share: u32,
    /// Oldest price of an asset that the pool holds when liquidity enters (10.4).
    pub max_age_pool_s: u32,
    /// How far the quote's own feed may leave 1, and where borrowing stops (2.7).
    pub peg_band: u32,
    pub peg_stop: u32,
}

#[derive(Accounts)]
#[instruction(args: GroupArgs)]
pub struct CreateGroup<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    pub admin: Signer<'info>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Group>(),
        seeds = [seeds::GROUP, &args.id.to_le_bytes()],
        bump
    )]
    pub group: AccountLoader<'info, Group>,
    /// Created by the client with 65,536 bytes and owned by this program; taken once.
    #[account(zero)]
    pub risk_book: AccountLoader<'info, RiskBook>,
    /// Mint of the settlement token.
    pub quote_mint: InterfaceAccount<'info, Mint>,
    /// CHECK: a dataless address that signs for the group's vaults; verified by its seeds.
    #[account(seeds = [seeds::AUTHORITY, group.key().as_ref()], bump)]
    pub authority: UncheckedAccount<'info>,
    pub system_program: Program<'info, System>,
}

impl CreateGroup<'_> {
    /// Checked in the attributes: group (init, seeds), risk_book (zero, owner), authority (seeds).
    /// Here: the book's length, the quote's decimals, and every ratio's range.
    fn validate(&self, args: &GroupArgs) -> Result<()> {
        require_eq!(
            self.risk_book.to_account_info().data_len(),
            RISK_BOOK_BYTES,
            KeelError::WrongRiskBookLength
        );
        require_eq!(self.quote_mint.decimals, 6, KeelError::WrongQuoteDecimals);

        const ONE: u32 = 1_000_000;
        require!(args.gross_min <= ONE, KeelError::ParameterOutOfRange);
        require!(args.upnl_weight <= ONE, KeelError::ParameterOutOfRange);
        require!(args.upnl_cap >= 0, KeelError::ParameterOutOfRange);
        require!(args.min_notional >= 0, KeelError::ParameterOutOfRange);
        require!(args.min_equity >= 0, KeelError::ParameterOutOfRange);
        require!(args.small_requirement >= 0, KeelError::ParameterOutOfRange);
        require!(
            args.liquidation_buffer <= 500_000,
            KeelError::ParameterOutOfRange
        );
        require!(
            args.liquidation_fee <= 50_000,
            KeelError::ParameterOutOfRange
        );
        require!(
            args.liquidation_insurance_share <= ONE,
            KeelError::ParameterOutOfRange
        );
        require!(
            (1..=3_600).contains(&args.max_age_pool_s),
            KeelError::ParameterOutOfRange
        );
        require!(
            (1_000..=100_000).contains(&args.peg_band),
            KeelError::ParameterOutOfRange
        );
        require!(
            (500_000..=990_000).contains(&args.peg_stop),
            KeelError::ParameterOutOfRange
        );
        Ok(())
    }
}

pub fn handler(ctx: Context<CreateGroup>, args: GroupArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    accounts.validate(&args)?;
    let clock = Clock::get()?;

    let mut group = accounts.group.load_init()?;
    group.version = LAYOUT_VERSION;
    group.bump = ctx.bumps.group;
    group.authority_bump = ctx.bumps.authority;
    group.id = args.id;
    group.admin = accounts.admin.key();
    group.council = args.council;
    group.risk_book = accounts.risk_book.key();
    group.quote_mint = accounts.quote_mint.key();

    let mut book = accounts.risk_book.load_init()?;
    open_book(&mut book, &args, clock.unix_timestamp);
    book.group = accounts.group.key();

    emit!(GroupCreated {
        group: accounts.group.key(),
        risk_book: accounts.risk_book.key(),
        admin: accounts.admin.key(),
        quote_mint: accounts.quote_mint.key(),
    });
    Ok(())
}

/// Writes the header and the sixteen SPAN scenarios of a fresh book.
fn open_book(book: &mut RiskBook, args: &GroupArgs, now: i64) {
    book.version = LAYOUT_VERSION;
    book.last_update = now;
    book.upnl_cap = args.upnl_cap;
    book.min_notional = args.min_notional;
    book.min_equity = args.min_equity;
    book.small_requirement = args.small_requirement;
    book.gross_min = args.gross_min;
    book.upnl_weight = args.upnl_weight;
    book.liquidation_buffer = args.liquidation_buffer;
    book.liquidation_fee = args.liquidation_fee;
    book.liquidation_insurance_share = args.liquidation_insurance_share;
    book.max_age_pool_s = args.max_age_pool_s;
    book.peg_band = args.peg_band;
    book.peg_stop = args.peg_stop;
    book.publish_peg();

    book.set_scenarios(&SPAN_16);
}
