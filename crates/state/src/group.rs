//! The group: roles, fees, pause state, insurance parameters.

use crate::Pubkey;
#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;

account! {
    /// Who runs a clearing house and on which terms. Judging never reads it: what judging needs is in
    /// the `RiskBook`.
    Group: 504 {
        version: u8,
        bump: u8,
        authority_bump: u8,
        padding0: [u8; 5],
        id: u64,
        /// May list and configure; hands over in two steps.
        admin: Pubkey,
        pending_admin: Pubkey,
        /// May halt an asset.
        council: Pubkey,
        pending_council: Pubkey,
        /// The group's only `RiskBook`.
        risk_book: Pubkey,
        /// Mint of the settlement token; its bank is bank 0 and its asset is asset 0.
        quote_mint: Pubkey,
        /// Each set bit pauses one kind of instruction.
        pause_bits: u64,
        /// Quote atoms of the group's insurance fund that were committed to losses in the window.
        insurance_used: u64,
        insurance_window_start: i64,
        pools: u16,
        padding1: [u8; 6],
        spare: [u8; 264],
    }
}

offsets!(Group { admin = 16, risk_book = 144, quote_mint = 176, pause_bits = 208, spare = 240, });
