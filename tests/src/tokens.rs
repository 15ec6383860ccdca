//! Mints and token accounts, written as the token program would have left them.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_option::COption;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::token::spl_token::state::{Account as TokenState, AccountState, Mint};
use keel_sdk::instruction::Token;
use solana_account::Account;

/// A mint that the harness makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenKind {
    pub symbol: &'static str,
    pub decimals: u8,
}

/// Lamports that keep any account of the harness rent-exempt.
pub const RENT: u64 = 1_000_000_000;

/// A mint without a freeze authority.
pub fn mint_account(decimals: u8, supply: u64) -> Account {
    let state = Mint {
        mint_authority: COption::None,
        supply,
        decimals,
        is_initialized: true,
        freeze_authority: COption::None,
    };
    packed(state, anchor_spl::token::ID)
}

/// A token account with a balance.
pub fn token_account(mint: Pubkey, owner: Pubkey, amount: u64) -> Account {
    let state = TokenState {
        mint,
        owner,
        amount,
        delegate: COption::None,
        state: AccountState::Initialized,
        is_native: COption::None,
        delegated_amount: 0,
        close_authority: COption::None,
    };
    packed(state, anchor_spl::token::ID)
}

/// The amount that a token account holds; 0 for an account that is none.
pub fn amount(account: &Account) -> u64 {
    TokenState::unpack_from_slice(&account.data).map_or(0, |state| state.amount)
}

/// A token of the classic program.
pub fn classic(mint: Pubkey) -> Token {
    Token {
        mint,
        program: anchor_spl::token::ID,
    }
}

fn packed<T: Pack>(state: T, owner: Pubkey) -> Account {
    let mut data = vec![0; T::LEN];
    state.pack_into_slice(&mut data);
    Account {
        lamports: RENT,
        data,
        owner,
        executable: false,
        rent_epoch: u64::MAX,
    }
}
