//! The operator's part of making a group: who signs a migration's step, and the risk book's account.

use anchor_lang::prelude::Pubkey;
use keel_migrations::{GroupConfig, Role, m0001_create_group};
use solana_account::Account;
use solana_keypair::Keypair;

use crate::tokens::token_account_of;
use crate::vm::Vm;

/// The keys that a step's roles stand for; the payer is the VM's own.
pub fn signers<'a>(roles: &[Role], admin: &'a Keypair, book: &'a Keypair) -> Vec<&'a Keypair> {
    let key = |role: &Role| match role {
        Role::Payer => None,
        Role::Admin => Some(admin),
        Role::RiskBook => Some(book),
    };
    roles.iter().filter_map(key).collect()
}

/// Gives the administrator's wallets what the migration's last steps give to insurance.
pub fn fund_insurance(vm: &mut Vm, config: &GroupConfig, admin: Pubkey) {
    for (index, token) in config.tokens.iter().enumerate() {
        let needed = m0001_create_group::insurance_needed(config, index);
        let account = token_account_of(token.token, admin, needed);
        vm.set_account(token.token.account_of(&admin), account);
    }
}

/// The account that `create_group` takes as its risk book.
pub fn create_book_account(vm: &mut Vm, address: Pubkey) {
    let bytes = keel_state::RISK_BOOK_BYTES;
    let account = Account {
        lamports: vm.rent(bytes),
        data: vec![0; bytes],
        owner: keel::ID,
        executable: false,
        rent_epoch: u64::MAX,
    };
    vm.set_account(address, account);
}
