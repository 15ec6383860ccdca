//! Migration 1: a group, its banks, its markets and its pool.

use keel_sdk::instruction::{self, GroupKeys};
use keel_sdk::{AssetChoice, BankArgs, GroupArgs, MarketArgs, PoolArgs, Pubkey, address};

use crate::config::padded;
use crate::{GroupConfig, Keys, Role, Step};

/// The keys that the group will have, before any of it exists.
pub fn keys(config: &GroupConfig, keys: &Keys) -> GroupKeys {
    GroupKeys {
        group: address::group(config.id),
        risk_book: keys.risk_book,
        quote_mint: config.tokens[0].token.mint,
    }
}

/// The steps, in the order in which they must run. The first needs the risk book's account: system
/// `create_account` with [`instruction::risk_book_space`] bytes, rent-exempt, owned by the program,
/// in the same transaction; the caller adds it, because only he knows the rent.
pub fn steps(config: &GroupConfig, operator: &Keys) -> Vec<Step> {
    let group = keys(config, operator);
    let mut steps = vec![Step {
        name: format!("create group {}", config.id),
        instructions: vec![instruction::create_group(
            operator.payer,
            operator.admin,
            operator.risk_book,
            group.quote_mint,
            group_args(config.id, operator.council),
        )],
        signers: vec![Role::Payer, Role::Admin, Role::RiskBook],
    }];
    steps.extend(banks(config, operator, &group));
    steps.extend(markets(config, operator, &group));
    steps.push(pool(config, operator, &group));
    steps
}

/// The group's terms: the defaults of `docs/parameters.md`.
pub fn group_args(id: u64, council: Pubkey) -> GroupArgs {
    GroupArgs {
        id,
        council,
        gross_min: 300_000,
        upnl_weight: 1_000_000,
        upnl_cap: 1_000_000_000_000,
        min_notional: 10_000_000,
        min_equity: 5_000_000,
        small_requirement: 50_000_000,
        liquidation_buffer: 50_000,
        liquidation_fee: 25_000,
        liquidation_insurance_share: 500_000,
        max_age_pool_s: 15,
        peg_band: 10_000,
        peg_stop: 950_000,
    }
}

fn banks(config: &GroupConfig, operator: &Keys, group: &GroupKeys) -> Vec<Step> {
    let create = |token: &crate::TokenConfig| Step {
        name: format!("create bank {}", token.asset.symbol),
        instructions: vec![instruction::create_bank(
            group,
            operator.payer,
            operator.admin,
            token.token,
            BankArgs {
                asset: AssetChoice::New(token.asset.args()),
                maint_asset_weight: token.maint_asset_weight,
                init_asset_weight: token.init_asset_weight,
                maint_liab_weight: token.maint_liab_weight,
                init_liab_weight: token.init_liab_weight,
                deposit_cap: token.deposit_cap,
            },
        )],
        signers: vec![Role::Payer, Role::Admin],
    };
    config.tokens.iter().map(create).collect()
}

fn markets(config: &GroupConfig, operator: &Keys, group: &GroupKeys) -> Vec<Step> {
    let create = |(index, market): (usize, &crate::MarketConfig)| Step {
        name: format!("create market {}", market.symbol),
        instructions: vec![instruction::create_market(
            group,
            operator.payer,
            operator.admin,
            MarketArgs {
                index: index as u8,
                asset: AssetChoice::Listed(market.token as u8),
                symbol: padded(&market.symbol),
                open_interest_cap: market.open_interest_cap,
                min_size: market.min_size,
                taker_fee: market.taker_fee,
                base_spread: market.base_spread,
                conf_share: market.conf_share,
                max_age_fill_s: market.max_age_fill_s,
                skew_scale: market.skew_scale,
                funding_velocity: market.funding_velocity,
                max_funding: market.max_funding,
                maker_fee: market.maker_fee,
                referral_share: market.referral_share,
                age_share: market.age_share,
                insurance_multiple: market.insurance_multiple,
                backstop_pool: market.backstop_pool,
            },
        )],
        signers: vec![Role::Payer, Role::Admin],
    };
    config.markets.iter().enumerate().map(create).collect()
}

fn pool(config: &GroupConfig, operator: &Keys, group: &GroupKeys) -> Step {
    Step {
        name: "create pool 0".to_owned(),
        instructions: vec![instruction::create_pool(
            group,
            operator.payer,
            operator.admin,
            config.tokens[0].token.program,
            PoolArgs {
                id: 0,
                equity_cap: config.pool.equity_cap,
                pool_factor: config.pool.pool_factor,
                asset_cap: config.pool.asset_cap,
                cooldown_in_s: config.pool.cooldown_in_s,
                cooldown_out_s: config.pool.cooldown_out_s,
            },
        )],
        signers: vec![Role::Payer, Role::Admin],
    }
}
