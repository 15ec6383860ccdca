//! Derived addresses (architecture 3).

use anchor_lang::prelude::Pubkey;
use keel_state::seeds;

fn derive(seeds: &[&[u8]]) -> Pubkey {
    Pubkey::find_program_address(seeds, &keel::ID).0
}

pub fn group(id: u64) -> Pubkey {
    derive(&[seeds::GROUP, &id.to_le_bytes()])
}

/// The dataless address that signs for a group's vaults.
pub fn authority(group: &Pubkey) -> Pubkey {
    derive(&[seeds::AUTHORITY, group.as_ref()])
}

pub fn bank(group: &Pubkey, mint: &Pubkey) -> Pubkey {
    derive(&[seeds::BANK, group.as_ref(), mint.as_ref()])
}

pub fn vault(bank: &Pubkey) -> Pubkey {
    derive(&[seeds::VAULT, bank.as_ref()])
}

pub fn market(group: &Pubkey, index: u8) -> Pubkey {
    derive(&[seeds::MARKET, group.as_ref(), &[index]])
}

pub fn margin_account(group: &Pubkey, owner: &Pubkey, sub_id: u16) -> Pubkey {
    derive(&[
        seeds::MARGIN,
        group.as_ref(),
        owner.as_ref(),
        &sub_id.to_le_bytes(),
    ])
}

pub fn pool(group: &Pubkey, id: u16) -> Pubkey {
    derive(&[seeds::POOL, group.as_ref(), &id.to_le_bytes()])
}

/// The pool's book.
pub fn pool_margin(group: &Pubkey, pool: &Pubkey) -> Pubkey {
    margin_account(group, pool, 0)
}

pub fn lp_mint(pool: &Pubkey) -> Pubkey {
    derive(&[seeds::LP_MINT, pool.as_ref()])
}

/// An owner's request to enter a pool; he has one at a time.
pub fn provide_request(pool: &Pubkey, owner: &Pubkey) -> Pubkey {
    derive(&[seeds::PROVIDE, pool.as_ref(), owner.as_ref()])
}

/// An owner's request to leave a pool; he has one at a time.
pub fn redeem_request(pool: &Pubkey, owner: &Pubkey) -> Pubkey {
    derive(&[seeds::REDEEM, pool.as_ref(), owner.as_ref()])
}

/// The token account that holds what a request brought.
pub fn escrow(request: &Pubkey) -> Pubkey {
    derive(&[seeds::ESCROW, request.as_ref()])
}
