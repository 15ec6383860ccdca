//! Migration 1: a group, its banks, its markets, its pool, and the insurance of all of them.

use keel_sdk::instruction::{self, GroupKeys};
use keel_sdk::{AssetChoice, BankArgs, GroupArgs, MarketArgs, PoolArgs, Pubkey, address};

use keel_state::TRADER_CAPACITY;

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
/// in the same transaction; the caller adds it, because only he knows the rent. The last steps insure
/// markets and banks out of the administrator's associated accounts: see [`insurance_needed`].
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
    steps.extend(market_insurance(config, operator, &group));
    steps.extend(bank_insurance(config, operator, &group));
    steps
}

/// Native units of the token at `index` that the administrator's associated account must hold before
/// the insuring steps: of the quote also what the markets get.
pub fn insurance_needed(config: &GroupConfig, index: usize) -> u64 {
    let own = config.tokens[index].insurance;
    if index == 0 {
        let for_markets: u64 = config.markets.iter().map(|market| market.insurance).sum();
        own.saturating_add(for_markets)
    } else {
        own
    }
}

/// The administrator's own margin accounts, one for as many markets as an account has position slots,
/// give quote to each market's insurance (margin-spec 8.6: a market without insurance does not open).
fn market_insurance(config: &GroupConfig, operator: &Keys, group: &GroupKeys) -> Vec<Step> {
    let insured: Vec<(u8, &crate::MarketConfig)> = (0u8..)
        .zip(&config.markets)
        .filter(|(_, market)| market.insurance > 0)
        .collect();
    let accounts = insured.chunks(TRADER_CAPACITY).zip(0u16..);
    accounts
        .flat_map(|(markets, sub_id)| insure(markets, sub_id, config, operator, group))
        .collect()
}

/// One such account: opened and funded, then an instruction per market.
fn insure(
    markets: &[(u8, &crate::MarketConfig)],
    sub_id: u16,
    config: &GroupConfig,
    operator: &Keys,
    group: &GroupKeys,
) -> Vec<Step> {
    let (admin, quote) = (operator.admin, config.tokens[0].token);
    let margin = address::margin_account(&group.group, &admin, sub_id);
    let total = markets.iter().map(|(_, market)| market.insurance).sum();
    let (payer, name) = (operator.payer, padded("operator"));
    let signers = vec![Role::Payer, Role::Admin];
    let fund = Step {
        name: format!("fund the operator's margin account {sub_id}"),
        instructions: vec![
            instruction::create_margin_account(group, payer, admin, sub_id, name),
            instruction::deposit(group, admin, margin, quote, total),
        ],
        signers: signers.clone(),
    };
    let give = markets.iter().map(|(index, market)| Step {
        name: format!("insure market {}", market.symbol),
        instructions: vec![instruction::fund_market_insurance(
            group,
            admin,
            margin,
            *index,
            market.insurance,
        )],
        signers: signers.clone(),
    });
    std::iter::once(fund).chain(give).collect()
}

fn bank_insurance(config: &GroupConfig, operator: &Keys, group: &GroupKeys) -> Vec<Step> {
    let insured = config.tokens.iter().filter(|token| token.insurance > 0);
    let insure = |token: &crate::TokenConfig| Step {
        name: format!("insure bank {}", token.asset.symbol),
        instructions: vec![instruction::fund_bank_insurance(
            group,
            operator.admin,
            token.token,
            token.insurance,
        )],
        signers: vec![Role::Payer, Role::Admin],
    };
    insured.map(insure).collect()
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
        liquidation_fee: 5_000,
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
                borrow_cap: token.lending.borrow_cap,
                curve_utilisation: token.lending.curve_utilisation,
                curve_rate: token.lending.curve_rate,
                insurance_fee: token.lending.insurance_fee,
                outflow_share: token.lending.outflow_share,
                outflow_floor: token.lending.outflow_floor,
                weight_scale_start: token.lending.weight_scale_start,
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
