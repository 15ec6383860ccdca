//! Token-2022 mints that charge for transfers, and wallets of them.

use anchor_lang::prelude::Pubkey;
use anchor_spl::token_2022;
use keel_sdk::instruction::Token;
use solana_signer::Signer;

use crate::tokens::{charging_mint_account, token_account_of};
use crate::vm::keypair;
use crate::world::World;

impl World {
    /// A mint whose transfers cost so many hundredths of a percent.
    pub fn charging_mint(&mut self, seed: u64, decimals: u8, basis_points: u16) -> Token {
        let mint = keypair(seed).pubkey();
        let account = charging_mint_account(decimals, u64::MAX / 2, basis_points);
        self.vm.set_account(mint, account);
        Token {
            mint,
            program: token_2022::ID,
        }
    }

    /// The owner's associated account of such a mint, holding so many native units.
    pub fn charging_wallet(&mut self, token: &Token, owner: Pubkey, amount: u64) -> Pubkey {
        let address = token.account_of(&owner);
        let account = token_account_of(*token, owner, amount);
        self.vm.set_account(address, account);
        address
    }
}
