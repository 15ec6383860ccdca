//! `PriceUpdateV2` accounts, byte for byte.

use keel::oracle::{PULL_ACCOUNT_BYTES, PULL_DISCRIMINATOR};
use keel_sdk::Pubkey;

/// What a fully verified price update says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceUpdate {
    pub write_authority: Pubkey,
    pub feed: [u8; 32],
    pub price: i64,
    pub conf: u64,
    pub exponent: i32,
    pub publish_time: i64,
    pub prev_publish_time: i64,
    pub ema_price: i64,
    pub ema_conf: u64,
    pub posted_slot: u64,
}

impl PriceUpdate {
    /// A price in units of 1e-8 with its confidence; the rest as a publisher would fill it in.
    pub fn of(feed: [u8; 32], price: i64, conf: u64, publish_time: i64) -> Self {
        Self {
            write_authority: Pubkey::new_from_array([7; 32]),
            feed,
            price,
            conf,
            exponent: -8,
            publish_time,
            prev_publish_time: publish_time - 1,
            ema_price: price,
            ema_conf: conf,
            posted_slot: 1,
        }
    }

    /// Published facts of a real update of SOL/USD, 16 July 2024.
    pub fn real_sol(feed: [u8; 32]) -> Self {
        Self {
            ema_price: 15_660_921_800,
            ema_conf: 15_919_247,
            ..Self::of(feed, 15_679_769_099, 16_197_271, 1_721_133_402)
        }
    }

    /// The account's 134 bytes: full verification takes one byte less than partial, so the last
    /// stays zero.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PULL_ACCOUNT_BYTES);
        bytes.extend(PULL_DISCRIMINATOR);
        bytes.extend(self.write_authority.to_bytes());
        bytes.push(1);
        bytes.extend(self.feed);
        bytes.extend(self.price.to_le_bytes());
        bytes.extend(self.conf.to_le_bytes());
        bytes.extend(self.exponent.to_le_bytes());
        bytes.extend(self.publish_time.to_le_bytes());
        bytes.extend(self.prev_publish_time.to_le_bytes());
        bytes.extend(self.ema_price.to_le_bytes());
        bytes.extend(self.ema_conf.to_le_bytes());
        bytes.extend(self.posted_slot.to_le_bytes());
        bytes.resize(PULL_ACCOUNT_BYTES, 0);
        bytes
    }
}
