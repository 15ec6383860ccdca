//! The only module that knows Pyth: price-account bytes in, a [`Reading`] or a refusal out
//! (margin-spec 2.1, 2.2).
//!
//! The bytes are parsed here because two receivers are live and the SDK's account type names only
//! one owner; tests compare this parser with the SDK's types on random accounts. Nothing of the
//! account is remembered: its author may change or close it at any time.

use anchor_lang::prelude::*;
use keel_risk::Reading;
use keel_state::{PriceSource, SourceKind};

use crate::errors::KeelError;

/// Length of a `PriceUpdateV2` account: the layout with the longer verification level.
pub const PULL_ACCOUNT_BYTES: usize = 134;
/// First eight bytes of `sha256("account:PriceUpdateV2")`.
pub const PULL_DISCRIMINATOR: [u8; 8] = [34, 241, 35, 99, 157, 126, 244, 205];
/// `VerificationLevel::Full` as Borsh writes it; `Partial` is 0 and one more byte.
const VERIFICATION_FULL: u8 = 1;
/// A legacy price counts only while its aggregate is at most this many slots old.
pub const LEGACY_MAX_SLOTS: u64 = 25;

/// Where a legacy price account keeps its aggregate's status, and the status that counts.
const LEGACY_STATUS: usize = 224;
const LEGACY_TRADING: u32 = 1;

/// Offsets inside a fully verified `PriceUpdateV2`.
mod at {
    pub const VERIFICATION: usize = 40;
    pub const FEED: usize = 41;
    pub const PRICE: usize = 73;
    pub const CONFIDENCE: usize = 81;
    pub const EXPONENT: usize = 89;
    pub const PUBLISH_TIME: usize = 93;
}

/// Reads `account` as `source` is configured.
///
/// Errors: `WrongPriceOwner`, `WrongPriceAccount` (legacy address), `WrongPriceLength`,
/// `WrongPriceDiscriminator`, `PriceNotFullyVerified`, `WrongFeed`, `LegacyPriceNotTrading`,
/// `LegacyPriceTooManySlots`, `NoSuchSource`. Judging the figures is `keel_risk::accept`'s work.
pub fn read(source: &PriceSource, account: &AccountInfo, slot: u64) -> Result<Reading> {
    let kind = SourceKind::from_byte(source.kind).unwrap_or(SourceKind::None);
    require!(kind != SourceKind::None, KeelError::NoSuchSource);
    require_keys_eq!(*account.owner, source.owner, KeelError::WrongPriceOwner);

    let data = account.try_borrow_data()?;
    match kind {
        SourceKind::PythLegacy => {
            require_keys_eq!(
                *account.key,
                Pubkey::new_from_array(source.feed),
                KeelError::WrongPriceAccount
            );
            read_legacy(&data, slot)
        }
        _ => read_pull(&data, &source.feed),
    }
}

/// Parses a `PriceUpdateV2` of the given feed.
pub fn read_pull(data: &[u8], feed: &[u8; 32]) -> Result<Reading> {
    require_eq!(data.len(), PULL_ACCOUNT_BYTES, KeelError::WrongPriceLength);
    require!(
        data[..8] == PULL_DISCRIMINATOR,
        KeelError::WrongPriceDiscriminator
    );
    require!(
        data[at::VERIFICATION] == VERIFICATION_FULL,
        KeelError::PriceNotFullyVerified
    );
    require!(data[at::FEED..at::PRICE] == *feed, KeelError::WrongFeed);

    Ok(Reading {
        price: i64::from_le_bytes(bytes(data, at::PRICE)),
        conf: u64::from_le_bytes(bytes(data, at::CONFIDENCE)),
        expo: i32::from_le_bytes(bytes(data, at::EXPONENT)),
        publish_time: i64::from_le_bytes(bytes(data, at::PUBLISH_TIME)),
    })
}

/// Parses a legacy price account: status Trading, aggregate at most [`LEGACY_MAX_SLOTS`] old.
pub fn read_legacy(data: &[u8], slot: u64) -> Result<Reading> {
    // The SDK maps the status onto an enum: a value that is none of its own must not reach it.
    let is_long_enough = data.len() >= LEGACY_STATUS + 4;
    require!(is_long_enough, KeelError::WrongPriceDiscriminator);
    let status = u32::from_le_bytes(bytes(data, LEGACY_STATUS));
    require!(status == LEGACY_TRADING, KeelError::LegacyPriceNotTrading);
    let account = pyth_sdk_solana::state::load_price_account::<32, ()>(data)
        .map_err(|_| error!(KeelError::WrongPriceDiscriminator))?;
    require!(
        slot.saturating_sub(account.agg.pub_slot) <= LEGACY_MAX_SLOTS,
        KeelError::LegacyPriceTooManySlots
    );

    Ok(Reading {
        price: account.agg.price,
        conf: account.agg.conf,
        expo: account.expo,
        publish_time: account.timestamp,
    })
}

/// `N` bytes of `data` from `offset`; the caller has checked the length.
fn bytes<const N: usize>(data: &[u8], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&data[offset..offset + N]);
    out
}
