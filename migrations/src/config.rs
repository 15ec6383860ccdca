//! What a group is made of, with defaults for a first group of USDC, SOL, BTC and ETH. Ratios are
//! ppm, money is atoms, ages are seconds.

use keel_sdk::instruction::Token;
use keel_sdk::{AssetArgs, Pubkey, SourceArgs};
use keel_state::SourceKind;

/// Published identifiers of Pyth's feeds.
pub mod feeds {
    use keel_sdk::Pubkey;

    /// The pull receiver that owns the price accounts of the default configuration.
    pub const PYTH_RECEIVER: Pubkey =
        Pubkey::from_str_const("rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ");

    pub const USDC_USD: &str = "eaa020c61cc479712813461ce153894a96a6c00b21ed0cfc2798d1f9a9e9c94a";
    pub const SOL_USD: &str = "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d";
    pub const BTC_USD: &str = "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43";
    pub const ETH_USD: &str = "ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace";

    /// The 32 bytes that a feed's 64 hexadecimal digits name; `None` for anything else.
    pub fn parse(hex: &str) -> Option<[u8; 32]> {
        let digits = hex.as_bytes();
        if digits.len() != 64 || !hex.is_ascii() {
            return None;
        }
        let mut feed = [0; 32];
        for (byte, pair) in feed.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = core::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(feed)
    }
}

/// An asset and the parameters of its margin that differ from asset to asset.
#[derive(Clone, Debug)]
pub struct AssetConfig {
    pub symbol: String,
    pub lot_decimals: u8,
    pub token_decimals: u8,
    /// Prices between which the asset is listed, USD.
    pub low_price: u64,
    pub high_price: u64,
    pub sources: [SourceArgs; 2],
    pub range: u32,
    /// Systematic share b, thousandths.
    pub systematic: u16,
    pub depth: i64,
}

/// A token taken as collateral.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    pub asset: AssetConfig,
    pub token: Token,
    pub maint_asset_weight: u32,
    pub init_asset_weight: u32,
    pub maint_liab_weight: u32,
    pub init_liab_weight: u32,
    pub deposit_cap: u64,
    pub lending: LendingConfig,
    /// What the operator gives to the bank's insurance, native units; the quote's serves the group.
    pub insurance: u64,
}

/// How a bank lends, and how fast it may be emptied. Amounts are native units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LendingConfig {
    pub borrow_cap: u64,
    /// Utilisation at which the curve has its kinks, and what borrowing costs a year at each of them and
    /// when all is lent out.
    pub curve_utilisation: [u32; 2],
    pub curve_rate: [u32; 3],
    /// Share of the interest that goes to the bank's insurance.
    pub insurance_fee: u32,
    /// Net outflow of a day, over the least deposits; and in any case so much.
    pub outflow_share: u32,
    pub outflow_floor: u64,
    /// Deposits beyond which the Initial weight shrinks; 0 for never.
    pub weight_scale_start: u64,
}

/// A perpetual on the asset of the token at `token` in the configuration.
#[derive(Clone, Debug)]
pub struct MarketConfig {
    pub symbol: String,
    pub token: usize,
    pub open_interest_cap: u64,
    pub min_size: u64,
    pub taker_fee: u32,
    pub base_spread: u32,
    pub conf_share: u32,
    pub max_age_fill_s: u32,
    pub skew_scale: u64,
    pub funding_velocity: u32,
    pub max_funding: u32,
    pub maker_fee: u32,
    pub referral_share: u32,
    pub age_share: u32,
    pub insurance_multiple: u32,
    pub backstop_pool: u16,
    /// What the operator gives to the market's insurance, atoms.
    pub insurance: u64,
}

#[derive(Clone, Debug)]
pub struct PoolConfig {
    pub equity_cap: u64,
    pub pool_factor: u32,
    pub asset_cap: u64,
    /// Live seconds that a request waits, into the pool and out of it.
    pub cooldown_in_s: u32,
    pub cooldown_out_s: u32,
}

/// A whole group; the first token is the quote.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    pub id: u64,
    pub tokens: Vec<TokenConfig>,
    pub markets: Vec<MarketConfig>,
    pub pool: PoolConfig,
}

/// A source that a configuration leaves out.
pub const NO_SOURCE: SourceArgs = SourceArgs {
    kind: SourceKind::None as u8,
    owner: Pubkey::new_from_array([0; 32]),
    feed: [0; 32],
};

/// The pull receiver's feed of these hexadecimal digits; no source when they are not a feed's.
pub fn pull_source(feed: &str) -> SourceArgs {
    feeds::parse(feed).map_or(NO_SOURCE, |feed| SourceArgs {
        kind: SourceKind::PythPull as u8,
        owner: feeds::PYTH_RECEIVER,
        feed,
    })
}

const MILLION: i64 = 1_000_000_000_000;

impl GroupConfig {
    /// USDC as quote, SOL, BTC and ETH as collateral, a perpetual on each of the three.
    pub fn standard(id: u64, usdc: Token, sol: Token, btc: Token, eth: Token) -> Self {
        Self {
            id,
            tokens: vec![
                quote(usdc),
                collateral(sol_asset(), sol, 10_000_000_000_000),
                collateral(btc_asset(), btc, 2_000_000_000),
                collateral(eth_asset(), eth, 40_000_000_000),
            ],
            markets: vec![
                perpetual("SOL-PERP", 1),
                perpetual("BTC-PERP", 2),
                perpetual("ETH-PERP", 3),
            ],
            pool: PoolConfig {
                equity_cap: 100_000_000_000_000,
                pool_factor: 3_000_000,
                asset_cap: 20_000_000_000_000,
                cooldown_in_s: 3_600,
                cooldown_out_s: 86_400,
            },
        }
    }
}

/// What the standard assets have in common.
fn asset(symbol: &str, feed: &str) -> AssetConfig {
    AssetConfig {
        symbol: symbol.to_owned(),
        lot_decimals: 3,
        token_decimals: 8,
        low_price: 10,
        high_price: 10_000,
        sources: [pull_source(feed), NO_SOURCE],
        range: 80_000,
        systematic: 850,
        depth: 10 * MILLION,
    }
}

fn sol_asset() -> AssetConfig {
    AssetConfig {
        token_decimals: 9,
        range: 100_000,
        depth: 5 * MILLION,
        ..asset("SOL", feeds::SOL_USD)
    }
}

fn btc_asset() -> AssetConfig {
    AssetConfig {
        lot_decimals: 5,
        low_price: 5_000,
        high_price: 1_000_000,
        range: 70_000,
        systematic: 900,
        depth: 20 * MILLION,
        ..asset("BTC", feeds::BTC_USD)
    }
}

fn eth_asset() -> AssetConfig {
    AssetConfig {
        lot_decimals: 4,
        low_price: 200,
        high_price: 50_000,
        ..asset("ETH", feeds::ETH_USD)
    }
}

/// The settlement token: worth one, whatever it is used for.
fn quote(token: Token) -> TokenConfig {
    let asset = AssetConfig {
        lot_decimals: 1,
        token_decimals: 6,
        low_price: 1,
        high_price: 10,
        range: 20_000,
        ..asset("USDC", feeds::USDC_USD)
    };
    TokenConfig {
        maint_asset_weight: 1_000_000,
        init_asset_weight: 1_000_000,
        maint_liab_weight: 1_000_000,
        init_liab_weight: 1_000_000,
        insurance: 50_000_000_000,
        lending: LendingConfig {
            weight_scale_start: 0,
            ..lending(MILLION.unsigned_abs())
        },
        ..collateral(asset, token, MILLION.unsigned_abs())
    }
}

/// The standard terms of a bank, `million` being native units worth about a million dollars.
fn lending(million: u64) -> LendingConfig {
    LendingConfig {
        borrow_cap: 1 << 60,
        curve_utilisation: [800_000, 900_000],
        curve_rate: [50_000, 200_000, 1_000_000],
        insurance_fee: 100_000,
        outflow_share: 150_000,
        outflow_floor: million,
        weight_scale_start: million.saturating_mul(50),
    }
}

fn collateral(asset: AssetConfig, token: Token, million: u64) -> TokenConfig {
    TokenConfig {
        asset,
        token,
        maint_asset_weight: 950_000,
        init_asset_weight: 900_000,
        maint_liab_weight: 1_050_000,
        init_liab_weight: 1_100_000,
        deposit_cap: 1 << 60,
        lending: lending(million),
        insurance: 0,
    }
}

fn perpetual(symbol: &str, token: usize) -> MarketConfig {
    MarketConfig {
        symbol: symbol.to_owned(),
        token,
        open_interest_cap: 400_000_000,
        min_size: 1,
        taker_fee: 500,
        base_spread: 200,
        conf_share: 250_000,
        max_age_fill_s: 10,
        // A premium of 0.4% at the cap, and of 0.01% per tenth of a lot's billion.
        skew_scale: 100_000_000_000,
        funding_velocity: 30_000_000,
        max_funding: 20_000,
        maker_fee: 200,
        referral_share: 100_000,
        age_share: 1_000_000,
        insurance_multiple: 50,
        backstop_pool: 0,
        insurance: 100_000_000_000,
    }
}

impl AssetConfig {
    /// The listing's arguments: what is given here, and the specification's defaults for the rest.
    pub fn args(&self) -> AssetArgs {
        AssetArgs {
            symbol: padded(&self.symbol),
            lot_decimals: self.lot_decimals,
            token_decimals: self.token_decimals,
            low_price_e8: self.low_price.saturating_mul(100_000_000),
            high_price_e8: self.high_price.saturating_mul(100_000_000),
            sources: self.sources,
            range: self.range,
            range_floor: self.range / 2,
            range_cap: (self.range * 3).min(1_000_000),
            init_factor: 1_500_000,
            systematic: self.systematic,
            basis_rate: 10_000,
            unwind_rate: 2_500,
            short_option_min: 5_000,
            concentration_cap: 1_000_000,
            depth: self.depth,
            conf_multiplier: 2_120_000,
            conf_cap: 50_000,
            wide_conf: 20_000,
            max_divergence: 10_000,
            max_jump: 100_000,
            stable_speed: 2_000,
            max_age_s: 60,
            max_future_s: 60,
            max_age_margin_s: 60,
            max_age_liquidation_s: 15,
            max_age_withdrawal_s: 30,
            range_k: 3_000_000,
            range_horizon_s: 3_600,
            tau_up_s: 43_200,
            tau_down_s: 864_000,
            oi_soft_cap: self.depth,
            oi_slope: 500_000,
        }
    }
}

/// A symbol or a name in so many bytes, cut or padded with zeros.
pub fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    for (slot, byte) in out.iter_mut().zip(text.bytes()) {
        *slot = byte;
    }
    out
}
