//! A world's accounts as they stand.

use keel_sdk::{Pubkey, address, decode};
use keel_state::{Bank, MarginAccount, Market};

use crate::world::{Asset, World, market};

impl World {
    pub fn bank_address(&self, asset: Asset) -> Pubkey {
        address::bank(&self.keys.group, &self.token(asset).mint)
    }

    pub fn market_address(&self, asset: Asset) -> Pubkey {
        address::market(&self.keys.group, market(asset))
    }

    /// The ledger of an asset's bank.
    pub fn bank(&self, asset: Asset) -> Bank {
        *decode::account::<Bank>(&self.data(&self.bank_address(asset))).expect("a bank")
    }

    /// The ledger of an asset's market.
    pub fn market(&self, asset: Asset) -> Market {
        *decode::account::<Market>(&self.data(&self.market_address(asset))).expect("a market")
    }

    /// The fixed part of a margin account.
    pub fn margin_account(&self, margin: &Pubkey) -> MarginAccount {
        *decode::account::<MarginAccount>(&self.data(margin)).expect("an account")
    }
}
