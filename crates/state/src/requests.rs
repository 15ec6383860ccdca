//! Requests that wait: a provider's entry and redemption, and a proposed change of parameters. The
//! instructions of the last come with a later release; its layout is fixed with the others.

use crate::Pubkey;
#[cfg(feature = "anchor")]
use anchor_lang::prelude::*;

account! {
    /// A provider's request to redeem: the share tokens that are still in escrow, when they were
    /// brought, and what the round of redemptions has paid on them (margin-spec 10.4).
    Redeem: 160 {
        version: u8,
        bump: u8,
        escrow_bump: u8,
        padding0: [u8; 5],
        pool: Pubkey,
        owner: Pubkey,
        lp_tokens: u64,
        requested_at: i64,
        /// The risk book's live time at the request: cooldowns run on it (8.4).
        requested_live_time: u64,
        /// Live time after which it can only be cancelled.
        lapses_at: u64,
        /// Fewer atoms than these are not taken for all that is in escrow.
        min_amount: u64,
        /// The round of the pool in which it was last paid, with what: shares, and atoms.
        round: u64,
        round_burned: u64,
        round_paid: u64,
        spare: [u8; 24],
    }
}

offsets!(Redeem { pool = 8, lp_tokens = 72, lapses_at = 96, spare = 136, });

account! {
    /// A provider's request to enter: the escrowed quote and when it was brought (margin-spec 10.4).
    Provide: 168 {
        version: u8,
        bump: u8,
        escrow_bump: u8,
        padding0: [u8; 5],
        pool: Pubkey,
        owner: Pubkey,
        /// Quote atoms in escrow.
        amount: u64,
        /// Fewer shares than these are not taken.
        min_shares: u64,
        requested_at: i64,
        requested_live_time: u64,
        spare: [u8; 64],
    }
}

offsets!(Provide { pool = 8, amount = 72, spare = 104, });

account! {
    /// A change of parameters that waits for its earliest execution.
    Change: 712 {
        version: u8,
        bump: u8,
        /// What kind of change the payload is.
        kind: u8,
        padding0: [u8; 5],
        group: Pubkey,
        nonce: u64,
        proposer: Pubkey,
        /// The account that it changes.
        target: Pubkey,
        proposed_at: i64,
        earliest_execution: i64,
        payload_len: u16,
        padding1: [u8; 6],
        payload: [u8; 512],
        spare: [u8; 64],
    }
}

offsets!(Change { group = 8, proposer = 48, earliest_execution = 120, payload = 136, spare = 648, });
