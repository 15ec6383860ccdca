//! Every bound of a parameter, one step outside, and the documented defaults (docs/parameters.md).

use keel::errors::KeelError;
use keel_migrations::m0001_create_group::group_args;
use keel_sdk::{AssetChoice, BankArgs, instruction};
use keel_state::RISK_BOOK_BYTES;
use keel_tests::{Asset, World, expect_error};
use solana_signer::Signer;

/// Every bound of an asset's parameters, one step outside; the edges themselves are accepted.
#[test]
fn every_bound_of_an_asset_is_checked() {
    use keel_sdk::AssetArgs;
    type Change = fn(&mut AssetArgs);
    let outside: [Change; 50] = [
        |a| a.lot_decimals = 10,
        |a| a.token_decimals = 13,
        |a| a.range_floor = 999,
        |a| a.range_floor = a.range_cap + 1,
        |a| a.range_cap = 1_000_001,
        |a| a.range = a.range_floor - 1,
        |a| a.range = a.range_cap + 1,
        |a| a.init_factor = 999_999,
        |a| a.init_factor = 10_000_001,
        |a| a.systematic = 901,
        |a| a.basis_rate = 200_001,
        |a| a.unwind_rate = 100_001,
        |a| a.short_option_min = 100_001,
        |a| a.concentration_cap = 15_000_001,
        |a| a.depth = -1,
        |a| a.conf_multiplier = 999_999,
        |a| a.conf_multiplier = 10_000_001,
        |a| a.conf_cap = 200_001,
        |a| a.wide_conf = 200_001,
        |a| a.max_divergence = 200_001,
        |a| a.max_jump = 9_999,
        |a| a.max_jump = 500_001,
        |a| a.stable_speed = 99,
        |a| a.stable_speed = 100_001,
        |a| a.max_age_s = 0,
        |a| a.max_age_s = 3_601,
        |a| a.max_future_s = 4,
        |a| a.max_future_s = 3_601,
        |a| a.max_age_margin_s = 0,
        |a| a.max_age_margin_s = 3_601,
        |a| a.max_age_liquidation_s = 0,
        |a| a.max_age_liquidation_s = 3_601,
        |a| a.max_age_withdrawal_s = 0,
        |a| a.max_age_withdrawal_s = 3_601,
        |a| a.range_k = 999_999,
        |a| a.range_k = 10_000_001,
        |a| a.range_horizon_s = 59,
        |a| a.range_horizon_s = 86_401,
        |a| a.tau_up_s = 3_599,
        |a| (a.tau_up_s, a.tau_down_s) = (864_001, 864_001),
        |a| a.tau_down_s = a.tau_up_s - 1,
        |a| a.tau_down_s = 31_536_001,
        |a| a.oi_soft_cap = -1,
        |a| a.oi_soft_cap = 3 * a.depth + 1,
        |a| a.oi_slope = 10_000_001,
        |a| a.range = u32::MAX,
        |a| a.depth = i64::MIN,
        |a| a.lot_decimals = u8::MAX,
        |a| a.token_decimals = u8::MAX,
        |a| a.systematic = u16::MAX,
    ];
    let mut world = World::new().expect("a world");
    for (number, change) in outside.iter().enumerate() {
        let mut asset = world.asset_args(9);
        change(&mut asset);
        let args = world.market_args(3, AssetChoice::New(asset));
        println!("bound {number}");
        expect_error(world.list_market(args), KeelError::ParameterOutOfRange);
    }
    let sound = world.market_args(3, AssetChoice::New(world.asset_args(9)));
    world.list_market(sound).expect("the same without a change");
}

/// The bounds of a group.
#[test]
fn every_bound_of_a_group_is_checked() {
    use keel_sdk::GroupArgs;
    let mut world = World::new().expect("a world");
    let groups: [fn(&mut GroupArgs); 14] = [
        |a| a.gross_min = 1_000_001,
        |a| a.upnl_weight = 1_000_001,
        |a| a.upnl_cap = -1,
        |a| a.min_notional = -1,
        |a| a.min_equity = -1,
        |a| a.small_requirement = -1,
        |a| a.liquidation_buffer = 500_001,
        |a| a.liquidation_fee = 50_001,
        |a| a.liquidation_insurance_share = 1_000_001,
        |a| a.max_age_pool_s = 0,
        |a| a.peg_band = 999,
        |a| a.peg_band = 100_001,
        |a| a.peg_stop = 499_999,
        |a| a.peg_stop = 990_001,
    ];
    let book = world.blank_book(600, RISK_BOOK_BYTES);
    let (payer, admin) = (world.vm.payer.pubkey(), world.admin.insecure_clone());
    let mint = world.token(Asset::Usdc).mint;
    for change in groups {
        let mut args = world.group_args(7);
        change(&mut args);
        let create = instruction::create_group(payer, admin.pubkey(), book, mint, args);
        expect_error(
            world.send(create, &[&admin]),
            KeelError::ParameterOutOfRange,
        );
    }
}

/// The bounds of bank, market and pool.
#[test]
fn every_other_bound_is_checked() {
    use keel_sdk::{MarketArgs, PoolArgs};
    let mut world = World::new().expect("a world");
    let out = KeelError::ParameterOutOfRange;

    let banks: [fn(&mut BankArgs); 18] = [
        |a| a.init_asset_weight = a.maint_asset_weight + 1,
        |a| a.maint_asset_weight = 1_000_001,
        |a| a.maint_liab_weight = 999_999,
        |a| a.maint_liab_weight = a.init_liab_weight + 1,
        |a| a.init_liab_weight = 5_000_001,
        |a| a.deposit_cap = 1 << 62,
        |a| a.borrow_cap = 1 << 62,
        |a| a.outflow_floor = 1 << 62,
        |a| a.weight_scale_start = 1 << 62,
        |a| a.curve_utilisation[0] = 0,
        |a| a.curve_utilisation[1] = a.curve_utilisation[0] - 1,
        |a| a.curve_utilisation[1] = 1_000_000,
        |a| a.curve_rate[0] = a.curve_rate[1] + 1,
        |a| a.curve_rate[1] = a.curve_rate[2] + 1,
        |a| a.curve_rate[2] = 10_000_001,
        |a| a.insurance_fee = 500_001,
        |a| a.outflow_share = 9_999,
        |a| a.outflow_share = 300_001,
    ];
    let token = world.mint(500, 9);
    for change in banks {
        let mut args = world.bank_args(AssetChoice::New(world.asset_args(9)));
        change(&mut args);
        expect_error(world.list_bank(token, args), out);
    }

    let markets: [fn(&mut MarketArgs); 15] = [
        |a| a.open_interest_cap = 1 << 31,
        |a| a.min_size = 0,
        |a| a.min_size = 1 << 31,
        |a| a.taker_fee = 20_001,
        |a| a.base_spread = 50_001,
        |a| a.conf_share = 5_000_001,
        |a| a.max_age_fill_s = 1,
        |a| a.max_age_fill_s = 61,
        |a| a.skew_scale = (1 << 40) + 1,
        |a| a.funding_velocity = 1_000_000_001,
        |a| a.max_funding = 120_001,
        |a| a.maker_fee = a.taker_fee + 1,
        |a| a.referral_share = 500_001,
        |a| a.age_share = 10_000_001,
        |a| a.insurance_multiple = 1_001,
    ];
    for change in markets {
        let mut args = world.market_args(3, AssetChoice::Listed(1));
        change(&mut args);
        expect_error(world.list_market(args), out);
    }

    let pools: [fn(&mut PoolArgs); 6] = [
        |a| a.equity_cap = 1 << 48,
        |a| a.pool_factor = 999_999,
        |a| a.pool_factor = 10_000_001,
        |a| a.asset_cap = 1 << 48,
        |a| a.cooldown_in_s = 86_401,
        |a| a.cooldown_out_s = 604_801,
    ];
    for change in pools {
        let mut args = world.pool_args(1);
        change(&mut args);
        expect_error(world.list_pool(args), out);
    }
}

/// The default that the page gives for a parameter.
fn documented(name: &str) -> String {
    const PAGE: &str = include_str!("../../../docs/parameters.md");
    let named = format!("`{name}`");
    let row = |line: &&str| {
        line.split('|')
            .nth(1)
            .is_some_and(|cell| cell.contains(&named))
    };
    let line = PAGE.lines().find(row).expect(name);
    let cell = line.split('|').nth(3).expect("a default");
    cell.trim().replace(',', "")
}

/// What the page says of a group's and a market's defaults is what migration 1 lists with: among them
/// the multiple of its insurance that a market may grow to (3.4) and an auction's first penalty (8.1).
#[test]
fn the_documented_defaults_are_the_migrations() {
    let world = World::new().expect("a world");
    let (group, market) = (
        group_args(1, world.admin.pubkey()),
        &world.config.markets[0],
    );
    let all = [
        ("gross_min", i64::from(group.gross_min)),
        ("upnl_weight", i64::from(group.upnl_weight)),
        ("upnl_cap", group.upnl_cap),
        ("min_notional", group.min_notional),
        ("min_equity", group.min_equity),
        ("small_requirement", group.small_requirement),
        ("liquidation_buffer", i64::from(group.liquidation_buffer)),
        ("liquidation_fee", i64::from(group.liquidation_fee)),
        (
            "liquidation_insurance_share",
            i64::from(group.liquidation_insurance_share),
        ),
        ("max_age_pool_s", i64::from(group.max_age_pool_s)),
        ("peg_band", i64::from(group.peg_band)),
        ("peg_stop", i64::from(group.peg_stop)),
        ("open_interest_cap", market.open_interest_cap as i64),
        ("min_size", market.min_size as i64),
        ("taker_fee", i64::from(market.taker_fee)),
        ("base_spread", i64::from(market.base_spread)),
        ("conf_share", i64::from(market.conf_share)),
        ("max_age_fill_s", i64::from(market.max_age_fill_s)),
        ("skew_scale", market.skew_scale as i64),
        ("funding_velocity", i64::from(market.funding_velocity)),
        ("max_funding", i64::from(market.max_funding)),
        ("maker_fee", i64::from(market.maker_fee)),
        ("referral_share", i64::from(market.referral_share)),
        ("age_share", i64::from(market.age_share)),
        ("insurance_multiple", i64::from(market.insurance_multiple)),
        ("backstop_pool", i64::from(market.backstop_pool)),
    ];
    for (name, listed) in all {
        assert_eq!(documented(name), listed.to_string(), "{name}");
    }
    assert_eq!(
        (market.insurance_multiple, group.liquidation_fee),
        (50, 5_000)
    );
    // Every market of the migration opens: it is insured as it is listed.
    for asset in Asset::TRADED {
        let insured = world.market(asset).insurance;
        assert_eq!(insured, 100_000_000_000, "{asset:?}");
    }
}
