//! Account bytes into typed references, and events out of logs.

use anchor_lang::prelude::Pubkey;
use anchor_lang::{AnchorDeserialize, Discriminator};
use bytemuck::{cast_slice, from_bytes};
use keel_state::{
    DISCRIMINATOR_BYTES, MarginAccount, MarginReport, MarginView, Position, RiskBook, Stored,
};

/// Why bytes are not the account asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer bytes than the account has.
    TooShort { got: usize, needed: usize },
    /// The bytes begin with another account's discriminator.
    OtherAccount,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooShort { got, needed } => write!(
                out,
                "account has {got} bytes, {needed} needed: fetch it whole"
            ),
            Self::OtherAccount => write!(out, "account is of another type: check its address"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The account's fixed part. The bytes must be aligned to 8, as fetched ones are.
pub fn account<T: Stored + Discriminator>(data: &[u8]) -> Result<&T, DecodeError> {
    let needed = T::BYTES;
    if data.len() < needed {
        return Err(DecodeError::TooShort {
            got: data.len(),
            needed,
        });
    }
    if &data[..DISCRIMINATOR_BYTES] != T::DISCRIMINATOR {
        return Err(DecodeError::OtherAccount);
    }
    Ok(from_bytes(&data[DISCRIMINATOR_BYTES..needed]))
}

/// A margin account with the positions behind it, seen through the book of its group.
pub fn margin<'a>(data: &'a [u8], book: &'a RiskBook) -> Result<MarginView<'a>, DecodeError> {
    let header = account::<MarginAccount>(data)?;
    Ok(MarginView::new(header, positions(header, data)?, book))
}

/// The positions behind a margin account's fixed part.
pub fn positions<'a>(
    header: &MarginAccount,
    data: &'a [u8],
) -> Result<&'a [Position], DecodeError> {
    let bytes = usize::from(header.capacity) * core::mem::size_of::<Position>();
    let needed = MarginAccount::BYTES + bytes;
    if data.len() < needed {
        return Err(DecodeError::TooShort {
            got: data.len(),
            needed,
        });
    }
    Ok(cast_slice(&data[MarginAccount::BYTES..needed]))
}

/// What `view_margin` returned. Return data drops trailing zero bytes; they are put back.
pub fn margin_report(return_data: &[u8]) -> MarginReport {
    let mut bytes = [0; core::mem::size_of::<MarginReport>()];
    let length = return_data.len().min(bytes.len());
    bytes[..length].copy_from_slice(&return_data[..length]);
    bytemuck::pod_read_unaligned(&bytes)
}

/// An event of type `T`, from the bytes that a `Program data:` log line carries.
pub fn event<T: Discriminator + AnchorDeserialize>(data: &[u8]) -> Option<T> {
    let body = data.strip_prefix(T::DISCRIMINATOR)?;
    T::try_from_slice(body).ok()
}

/// Owner of a margin account.
pub fn owner_of(data: &[u8]) -> Result<Pubkey, DecodeError> {
    Ok(account::<MarginAccount>(data)?.owner)
}
