//! `create_market`: a perpetual on a listed or a new asset.

use anchor_lang::prelude::*;
use keel_risk::{MAX_FUNDING, MAX_SKEW_SCALE, Ppm, premium_fits};
use keel_state::{
    AssetEntry, Group, INSTRUMENT_SLOTS, InstrumentTag, LAYOUT_VERSION, Market, RiskBook, seeds,
};

use crate::errors::KeelError;
use crate::events::MarketCreated;
use crate::listing::{AssetChoice, place};

/// Terms of a market. Ratios are ppm, sizes are lots.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct MarketArgs {
    /// The market's place in the risk book: the next free one.
    pub index: u8,
    pub asset: AssetChoice,
    pub symbol: [u8; 16],
    /// Greatest open interest of one side.
    pub open_interest_cap: u64,
    /// Smallest order.
    pub min_size: u64,
    pub taker_fee: u32,
    /// Half-spread of the pool's quotes, and the share of the price's confidence added to it.
    pub base_spread: u32,
    pub conf_share: u32,
    /// Oldest price that may be filled at (margin-spec 2.6).
    pub max_age_fill_s: u32,
    /// Net lots of traders at which the fair price has doubled; 0 for no premium and no funding (10.1).
    pub skew_scale: u64,
    /// How much the daily funding rate changes in a day of full skew, and the most it may be (7.2).
    pub funding_velocity: u32,
    pub max_funding: u32,
    /// What a pool gets of the taker's fee, over the notional.
    pub maker_fee: u32,
    /// What a referrer gets of it, over the fee.
    pub referral_share: u32,
    /// What an old price adds to the half-spread, over sigma times the root of its age.
    pub age_share: u32,
    /// Open interest is worth at most this many times the market's insurance; 0 for no such limit (3.4).
    pub insurance_multiple: u32,
    /// Id of the pool that takes what nobody bid for (8.5).
    pub backstop_pool: u16,
}

impl MarketArgs {
    fn validate(&self) -> Result<()> {
        let sound = self.open_interest_cap < 1 << 31
            && (1..1 << 31).contains(&self.min_size)
            && self.taker_fee <= 20_000
            && self.base_spread <= 50_000
            && self.conf_share <= 5_000_000
            && (2..=60).contains(&self.max_age_fill_s)
            && self.skew_scale <= MAX_SKEW_SCALE
            && self.funding_velocity <= 1_000_000_000
            && self.max_funding <= MAX_FUNDING.0
            && self.maker_fee <= self.taker_fee
            && self.referral_share <= 500_000
            && self.age_share <= 10_000_000
            && self.insurance_multiple <= 1_000;
        require!(sound, KeelError::ParameterOutOfRange);
        Ok(())
    }

    /// Skew must not carry quotes so far that it shuts exits.
    fn validate_premium(&self, asset: &AssetEntry) -> Result<()> {
        let floor = Ppm(asset.range_floor);
        require!(
            premium_fits(self.open_interest_cap, self.skew_scale, floor),
            KeelError::PremiumTooSteep
        );
        Ok(())
    }
}

#[derive(Accounts)]
#[instruction(args: MarketArgs)]
pub struct CreateMarket<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    pub admin: Signer<'info>,
    #[account(has_one = admin @ KeelError::NotAdmin, has_one = risk_book @ KeelError::WrongRiskBook)]
    pub group: AccountLoader<'info, Group>,
    #[account(mut)]
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Market>(),
        seeds = [seeds::MARKET, group.key().as_ref(), &[args.index]],
        bump
    )]
    pub market: AccountLoader<'info, Market>,
    pub system_program: Program<'info, System>,
}

pub fn handler(ctx: Context<CreateMarket>, args: MarketArgs) -> Result<()> {
    args.validate()?;
    let accounts = &ctx.accounts;
    let clock = Clock::get()?;
    let mut book = accounts.risk_book.load_mut()?;
    let index = book.instruments_len;
    require_eq!(args.index, index, KeelError::WrongMarketIndex);
    require!(usize::from(index) < INSTRUMENT_SLOTS, KeelError::BookFull);
    require!(book.rates_len > 0, KeelError::QuoteBankFirst);

    let asset = place(&mut book, &args.asset, clock.unix_timestamp)?;
    require!(asset != 0, KeelError::QuoteHasNoMarket);
    args.validate_premium(&book.assets[usize::from(asset)])?;

    let entry = &mut book.instruments[usize::from(index)];
    entry.market = accounts.market.key();
    entry.kind = InstrumentTag::Perp as u8;
    entry.asset = asset;
    entry.keep_long = KEEP_ONE;
    entry.keep_short = KEEP_ONE;
    book.instruments_len += 1;
    book.sequence += 1;

    let mut market = accounts.market.load_init()?;
    market.version = LAYOUT_VERSION;
    market.bump = ctx.bumps.market;
    market.index = index;
    market.asset = asset;
    market.kind = InstrumentTag::Perp as u8;
    market.life_stage = 1;
    market.group = accounts.group.key();
    market.symbol = args.symbol;
    market.keep_long = KEEP_ONE;
    market.keep_short = KEEP_ONE;
    market.last_accrual = clock.unix_timestamp;
    market.open_interest_cap = args.open_interest_cap;
    market.min_size = args.min_size;
    market.taker_fee = args.taker_fee;
    market.base_spread = args.base_spread;
    market.conf_share = args.conf_share;
    market.max_age_fill_s = args.max_age_fill_s;
    market.skew_scale = args.skew_scale;
    market.funding_velocity = args.funding_velocity;
    market.max_funding = args.max_funding;
    market.maker_fee = args.maker_fee;
    market.referral_share = args.referral_share;
    market.age_share = args.age_share;
    market.insurance_multiple = args.insurance_multiple;
    market.backstop_pool = args.backstop_pool;

    emit!(MarketCreated {
        group: accounts.group.key(),
        market: accounts.market.key(),
        index,
        asset,
    });
    Ok(())
}

/// A side's keep before any deleveraging: one, with 40 fractional bits.
const KEEP_ONE: u64 = 1 << 40;
