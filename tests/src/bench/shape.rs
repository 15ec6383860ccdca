//! How much accounts hold while they are measured.

/// The trader's account and the pool's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The figures' name.
    pub name: &'static str,
    /// The trader's balances, the quote's included.
    pub balances: usize,
    /// The trader's positions.
    pub positions: usize,
    /// Assets that these are of, the quote not counted.
    pub trader_assets: usize,
    /// Perpetuals of the group; the pool holds a position in each.
    pub perps: usize,
    /// Assets that the perpetuals are of.
    pub pool_assets: usize,
}

pub const TYPICAL: Shape = Shape {
    name: "typical",
    balances: 4,
    positions: 4,
    trader_assets: 4,
    perps: 8,
    pool_assets: 8,
};

pub const LINEAR: Shape = Shape {
    name: "linear",
    balances: 16,
    positions: 16,
    trader_assets: 8,
    perps: 32,
    pool_assets: 8,
};

/// Like [`LINEAR`], with the pool's perpetuals on twice as many assets.
pub const WIDE_POOL: Shape = Shape {
    name: "wide_pool",
    pool_assets: 16,
    ..LINEAR
};

impl Shape {
    /// Tokens to list: one per asset, and enough for the balances.
    pub const fn tokens(&self) -> usize {
        let assets = self.pool_assets + 1;
        if assets > self.balances {
            assets
        } else {
            self.balances
        }
    }

    /// The asset of a perpetual.
    pub const fn asset_of(&self, market: usize) -> usize {
        1 + market % self.pool_assets
    }

    /// The markets that the trader holds.
    pub fn trader_markets(&self) -> Vec<u8> {
        (0..self.perps)
            .filter(|market| self.asset_of(*market) <= self.trader_assets)
            .take(self.positions)
            .map(|market| market as u8)
            .collect()
    }
}
