//! `create_bank`: a token that the group takes as collateral. The first bank is the quote's.

use anchor_lang::prelude::*;
use anchor_spl::token_2022::spl_token_2022::extension::{
    BaseStateWithExtensions, ExtensionType, StateWithExtensions,
};
use anchor_spl::token_2022::spl_token_2022::state::Mint as MintState;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use keel_risk::limits::MAX_BANK_TOTAL;
use keel_risk::{Index48, MAX_OUTFLOW_SHARE};
use keel_state::{Bank, Group, LAYOUT_VERSION, RATE_SLOTS, RiskBook, seeds};

use crate::errors::KeelError;
use crate::events::BankCreated;
use crate::listing::{AssetChoice, place};

/// Terms of a bank. Ratios are ppm, caps native units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct BankArgs {
    pub asset: AssetChoice,
    pub maint_asset_weight: u32,
    pub init_asset_weight: u32,
    pub maint_liab_weight: u32,
    pub init_liab_weight: u32,
    pub deposit_cap: u64,
    /// Most that it lends; 0 for none.
    pub borrow_cap: u64,
    /// The kinks of the utilisation curve, and what borrowing costs a year at each and at all
    /// (margin-spec 7.1).
    pub curve_utilisation: [u32; 2],
    pub curve_rate: [u32; 3],
    /// Share of the interest that goes to the bank's insurance.
    pub insurance_fee: u32,
    /// Net outflow of a day: a share of the least deposits, and at least so much (7.5).
    pub outflow_share: u32,
    pub outflow_floor: u64,
    /// Deposits beyond which the Initial weight shrinks; 0 for never (4.4).
    pub weight_scale_start: u64,
}

/// A bank lets out at least 1% of its deposits a day.
const LEAST_OUTFLOW: u32 = 10_000;
/// At most half of the interest goes to the insurance.
const MOST_INSURANCE_FEE: u32 = 500_000;
/// Borrowing costs at most 1,000% a year.
const MOST_YEARLY: u32 = 10_000_000;

impl BankArgs {
    /// `init_asset <= maint_asset <= 1 <= maint_liab <= init_liab`, so that Initial never exceeds
    /// Maintenance (margin-spec 5.5).
    fn validate(&self, is_quote: bool) -> Result<()> {
        const ONE: u32 = 1_000_000;
        const MOST: u32 = 5_000_000;
        let ordered = self.init_asset_weight <= self.maint_asset_weight
            && self.maint_asset_weight <= ONE
            && ONE <= self.maint_liab_weight
            && self.maint_liab_weight <= self.init_liab_weight
            && self.init_liab_weight <= MOST;
        require!(ordered, KeelError::ParameterOutOfRange);

        let weightless = self.init_asset_weight == ONE && self.init_liab_weight == ONE;
        let weightless = weightless && self.weight_scale_start == 0;
        require!(!is_quote || weightless, KeelError::QuoteWeightNotOne);
        let caps = [
            self.deposit_cap,
            self.borrow_cap,
            self.outflow_floor,
            self.weight_scale_start,
        ];
        let bounded = caps.iter().all(|cap| *cap < MAX_BANK_TOTAL);
        require!(bounded, KeelError::ParameterOutOfRange);
        require!(self.is_rising(), KeelError::ParameterOutOfRange);
        let shares = self.insurance_fee <= MOST_INSURANCE_FEE
            && (LEAST_OUTFLOW..=MAX_OUTFLOW_SHARE.0).contains(&self.outflow_share);
        require!(shares, KeelError::ParameterOutOfRange);
        Ok(())
    }

    /// A curve whose kinks and rates rise.
    fn is_rising(&self) -> bool {
        let [low, high] = self.curve_utilisation;
        let [first, second, last] = self.curve_rate;
        (1..=high).contains(&low)
            && high < 1_000_000
            && first <= second
            && second <= last
            && last <= MOST_YEARLY
    }
}

#[derive(Accounts)]
pub struct CreateBank<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    pub admin: Signer<'info>,
    #[account(has_one = admin @ KeelError::NotAdmin, has_one = risk_book @ KeelError::WrongRiskBook)]
    pub group: AccountLoader<'info, Group>,
    #[account(mut)]
    pub risk_book: AccountLoader<'info, RiskBook>,
    #[account(mint::token_program = token_program)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Bank>(),
        seeds = [seeds::BANK, group.key().as_ref(), mint.key().as_ref()],
        bump
    )]
    pub bank: AccountLoader<'info, Bank>,
    #[account(
        init,
        payer = payer,
        token::mint = mint,
        token::authority = authority,
        token::token_program = token_program,
        seeds = [seeds::VAULT, bank.key().as_ref()],
        bump
    )]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: a dataless address that signs for the group's vaults; verified by its seeds.
    #[account(seeds = [seeds::AUTHORITY, group.key().as_ref()], bump)]
    pub authority: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
    pub system_program: Program<'info, System>,
}

pub fn handler(ctx: Context<CreateBank>, args: BankArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    refuse_unknown_extensions(&accounts.mint.to_account_info())?;
    let clock = Clock::get()?;
    let mut book = accounts.risk_book.load_mut()?;
    let index = book.rates_len;
    require!(usize::from(index) < RATE_SLOTS, KeelError::BookFull);
    let is_quote = index == 0;
    args.validate(is_quote)?;
    let is_quote_mint = accounts.mint.key() == accounts.group.load()?.quote_mint;
    require!(is_quote == is_quote_mint, KeelError::QuoteBankFirst);

    let asset = place(&mut book, &args.asset, clock.unix_timestamp)?;
    let decimals = accounts.mint.decimals;
    require_eq!(
        book.assets[usize::from(asset)].token_decimals,
        decimals,
        KeelError::WrongTokenDecimals
    );
    require!(!book.has_bank_of(asset), KeelError::AssetHasBank);

    let rate = &mut book.rates[usize::from(index)];
    rate.bank = accounts.bank.key();
    rate.asset = asset;
    rate.listed = 1;
    rate.deposit_index = Index48::ONE.0;
    rate.borrow_index = Index48::ONE.0;
    rate.updated = clock.unix_timestamp;
    rate.maint_asset_weight = args.maint_asset_weight;
    rate.init_asset_weight = args.init_asset_weight;
    rate.maint_liab_weight = args.maint_liab_weight;
    rate.init_liab_weight = args.init_liab_weight;
    book.rates_len += 1;
    book.sequence += 1;

    let mut bank = accounts.bank.load_init()?;
    bank.version = LAYOUT_VERSION;
    bank.bump = ctx.bumps.bank;
    bank.vault_bump = ctx.bumps.vault;
    bank.index = index;
    bank.asset = asset;
    bank.decimals = decimals;
    bank.authority_bump = accounts.group.load()?.authority_bump;
    bank.group = accounts.group.key();
    bank.mint = accounts.mint.key();
    bank.vault = accounts.vault.key();
    bank.token_program = accounts.token_program.key();
    bank.deposit_index = Index48::ONE.0;
    bank.borrow_index = Index48::ONE.0;
    bank.last_accrual = clock.unix_timestamp;
    bank.least_deposits_since = clock.unix_timestamp;
    bank.deposit_cap = args.deposit_cap;
    bank.borrow_cap = args.borrow_cap;
    bank.curve_utilisation = args.curve_utilisation;
    bank.curve_rate = args.curve_rate;
    bank.insurance_fee = args.insurance_fee;
    bank.outflow_share = args.outflow_share;
    bank.outflow_floor = args.outflow_floor;
    bank.weight_scale_start = args.weight_scale_start;
    bank.init_asset_weight = args.init_asset_weight;

    emit!(BankCreated {
        group: accounts.group.key(),
        bank: accounts.bank.key(),
        mint: accounts.mint.key(),
        index,
        asset,
    });
    Ok(())
}

/// A mint may carry only the extensions that cannot take tokens out of a vault, freeze them there,
/// or run code during a transfer (architecture 5).
fn refuse_unknown_extensions(mint: &AccountInfo) -> Result<()> {
    let data = mint.try_borrow_data()?;
    let state = StateWithExtensions::<MintState>::unpack(&data)?;
    for extension in state.get_extension_types()? {
        match extension {
            ExtensionType::MetadataPointer
            | ExtensionType::TokenMetadata
            | ExtensionType::GroupPointer
            | ExtensionType::GroupMemberPointer
            | ExtensionType::InterestBearingConfig
            | ExtensionType::ScaledUiAmount
            | ExtensionType::TransferFeeConfig => {}
            refused => {
                msg!("mint extension not accepted: {:?}", refused);
                return err!(KeelError::MintExtensionNotAccepted);
            }
        }
    }
    Ok(())
}
