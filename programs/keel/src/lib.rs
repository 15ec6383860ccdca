//! Keel: a cross-margin clearing house. One pool of collateral backs all of a trader's positions;
//! one risk engine judges the whole.
//!
//! This crate holds no formula. A handler loads its accounts, asks `keel-risk` for a plan, applies
//! it through `keel-state`, checks invariants, moves tokens and emits; nothing is logged on success
//! but the event.
//!
//! # Threat model in short
//! Everyone is hostile: every account is checked by owner, discriminator, group and index, mint or
//! owner; remaining accounts by `load`; accounts that must differ are compared by key, because
//! Anchor's duplicate check skips `AccountLoader`. Prices enter through `oracle` alone, tokens move
//! through `token` alone. The administrator can list and configure; no instruction lets him, or
//! anyone, move what an account owns. See `docs/threat-model.md`.
// Anchor's macros expand to code that these lints do not like.
#![allow(clippy::diverging_sub_expression, unexpected_cfgs)]

use anchor_lang::prelude::*;

pub mod errors;
pub mod events;
pub mod instructions;
pub mod ledgers;
pub mod listing;
pub mod load;
pub mod oracle;
pub mod restart;
pub mod token;

use instructions::*;

declare_id!("KEELp7kYzFzUw1QfU6jvEWwMqcfEQtG2mNTuCdgdoQM");

#[cfg(not(feature = "no-entrypoint"))]
solana_security_txt::security_txt! {
    name: "Keel",
    project_url: "https://github.com/keel-clearing/keel",
    contacts: "link:https://github.com/keel-clearing/keel/security/advisories/new",
    policy: "https://github.com/keel-clearing/keel/blob/main/SECURITY.md",
    preferred_languages: "en",
    source_code: "https://github.com/keel-clearing/keel"
}

#[program]
pub mod keel {
    use super::*;

    /// Creates a group and takes its risk book.
    pub fn create_group(ctx: Context<CreateGroup>, args: GroupArgs) -> Result<()> {
        create_group::handler(ctx, args)
    }

    /// Lists a token as collateral; the first one is the quote.
    pub fn create_bank(ctx: Context<CreateBank>, args: BankArgs) -> Result<()> {
        create_bank::handler(ctx, args)
    }

    /// Lists a perpetual.
    pub fn create_market(ctx: Context<CreateMarket>, args: MarketArgs) -> Result<()> {
        create_market::handler(ctx, args)
    }

    /// Creates a liquidity pool.
    pub fn create_pool(ctx: Context<CreatePool>, args: PoolArgs) -> Result<()> {
        create_pool::handler(ctx, args)
    }

    /// Opens one of the owner's sub-accounts.
    pub fn create_margin_account(
        ctx: Context<CreateMarginAccount>,
        sub_id: u16,
        name: [u8; 32],
        settings: AccountSettings,
    ) -> Result<()> {
        create_margin_account::handler(ctx, sub_id, name, settings)
    }

    /// Renames a sub-account.
    pub fn set_name(ctx: Context<SetName>, name: [u8; 32]) -> Result<()> {
        set_name::handler(ctx, name)
    }

    /// Closes an empty sub-account; its rent goes to whom the owner names.
    pub fn close_margin_account(ctx: Context<CloseMarginAccount>) -> Result<()> {
        close_margin_account::handler(ctx)
    }

    /// Lets another key trade for an account, within a budget and above a floor of equity.
    pub fn set_delegate(ctx: Context<SetDelegate>, args: DelegateArgs) -> Result<()> {
        delegate::set_handler(ctx, args)
    }

    /// Takes a delegate's grant back.
    pub fn clear_delegate(ctx: Context<ClearDelegate>) -> Result<()> {
        delegate::clear_handler(ctx)
    }

    /// Pays tokens into a margin account.
    pub fn deposit<'info>(ctx: Context<'info, Deposit<'info>>, amount: u64) -> Result<()> {
        deposit::handler(ctx, amount)
    }

    /// Takes tokens out of a margin account: of a deposit, and where it is allowed as a borrow.
    pub fn withdraw<'info>(ctx: Context<'info, Withdraw<'info>>, args: WithdrawArgs) -> Result<()> {
        withdraw::handler(ctx, args)
    }

    /// Moves tokens between two accounts of one owner.
    pub fn transfer(ctx: Context<Transfer>, amount: u64, allow_borrow: bool) -> Result<()> {
        transfer::handler(ctx, amount, allow_borrow)
    }

    /// Queues a withdrawal that the bank cannot let out at once; `u64::MAX` queues the whole deposit.
    pub fn take_ticket(ctx: Context<TakeTicket>, amount: u64) -> Result<()> {
        take_ticket::handler(ctx, amount)
    }

    /// Brings banks and markets to now and publishes them in the risk book.
    pub fn accrue<'info>(ctx: Context<'info, Accrue<'info>>, banks: u8) -> Result<()> {
        accrue::handler(ctx, banks)
    }

    /// Gives tokens to a bank's insurance.
    pub fn fund_bank_insurance<'info>(
        ctx: Context<'info, FundBankInsurance<'info>>,
        amount: u64,
    ) -> Result<()> {
        fund_bank_insurance::handler(ctx, amount)
    }

    /// Gives quote of a margin account to a market's insurance.
    pub fn fund_market_insurance(ctx: Context<FundMarketInsurance>, amount: u64) -> Result<()> {
        fund_market_insurance::handler(ctx, amount)
    }

    /// Escrows quote to enter a pool after its cooldown.
    pub fn request_provide(
        ctx: Context<RequestProvide>,
        amount: u64,
        min_shares: u64,
    ) -> Result<()> {
        request_provide::handler(ctx, amount, min_shares)
    }

    /// Executes a request: pays its quote into the pool and mints shares.
    pub fn provide_liquidity<'info>(ctx: Context<'info, ProvideLiquidity<'info>>) -> Result<()> {
        provide_liquidity::handler(ctx)
    }

    /// Gives the quote of a request back.
    pub fn cancel_provide(ctx: Context<CancelProvide>) -> Result<()> {
        cancel_provide::handler(ctx)
    }

    /// Escrows shares of a pool to leave it after its cooldown.
    pub fn request_redeem(ctx: Context<RequestRedeem>, shares: u64, min_amount: u64) -> Result<()> {
        request_redeem::handler(ctx, shares, min_amount)
    }

    /// Executes a request: burns its shares, or a part of them, and pays quote out.
    pub fn redeem_liquidity<'info>(ctx: Context<'info, RedeemLiquidity<'info>>) -> Result<()> {
        redeem_liquidity::handler(ctx)
    }

    /// Gives the shares of a request back.
    pub fn cancel_redeem(ctx: Context<CancelRedeem>) -> Result<()> {
        cancel_redeem::handler(ctx)
    }

    /// Relays price accounts into the risk book.
    pub fn update_prices<'info>(
        ctx: Context<'info, UpdatePrices<'info>>,
        slots: Vec<PriceSlot>,
        strict: bool,
    ) -> Result<()> {
        update_prices::handler(ctx, slots, strict)
    }

    /// Fills an order against a pool; the account ends at or above Initial.
    pub fn open_position<'info>(ctx: Context<'info, Trade<'info>>, args: OrderArgs) -> Result<()> {
        order::handler(ctx, args, keel_risk::Intent::Open)
    }

    /// Fills an order that only reduces positions; open to accounts below Initial.
    pub fn close_position<'info>(ctx: Context<'info, Trade<'info>>, args: OrderArgs) -> Result<()> {
        order::handler(ctx, args, keel_risk::Intent::Close)
    }

    /// Closes against the other side of the market what the pool cannot take.
    pub fn exit_position(ctx: Context<ExitPosition>, args: ExitArgs) -> Result<()> {
        exit_position::handler(ctx, args)
    }

    /// Turns a result of one market into quote, from who lost to who gained; open to anyone.
    pub fn settle_pnl(ctx: Context<SettlePnl>, max_amount: u64) -> Result<()> {
        settle_pnl::handler(ctx, max_amount)
    }

    /// Takes one leg, or two of one hedge, of an account below Maintenance; or only sets the clock of
    /// its auction.
    pub fn liquidate<'info>(
        ctx: Context<'info, Liquidate<'info>>,
        args: LiquidateArgs,
    ) -> Result<()> {
        liquidate::handler(ctx, args)
    }

    /// Takes a share of everything that an account below Maintenance holds.
    pub fn take_over<'info>(
        ctx: Context<'info, TakeOver<'info>>,
        args: TakeOverArgs,
    ) -> Result<()> {
        take_over::handler(ctx, args)
    }

    /// Gives what nobody bid for to the pool, or closes it against the other side of the market.
    pub fn deleverage(ctx: Context<Deleverage>, max_size: u64) -> Result<()> {
        deleverage::handler(ctx, max_size)
    }

    /// Gives the market's pool the lots that deleveraging's rounding left without a holder.
    pub fn take_strays(ctx: Context<TakeStrays>) -> Result<()> {
        take_strays::handler(ctx)
    }

    /// Spreads one market's or one bank's part of what a bankrupt account lacks.
    pub fn resolve_bankruptcy(ctx: Context<ResolveBankruptcy>) -> Result<()> {
        resolve_bankruptcy::handler(ctx)
    }

    /// Returns an account's margin report.
    pub fn view_margin(ctx: Context<ViewMargin>, first_asset: u8) -> Result<()> {
        view_margin::handler(ctx, first_asset)
    }

    /// Checks banks against vaults, and markets, to the atom; returns checked and failed.
    pub fn check_conservation<'info>(
        ctx: Context<'info, CheckConservation<'info>>,
        banks: u8,
    ) -> Result<()> {
        check_conservation::handler(ctx, banks)
    }
}
