//! Mints and token accounts, written as the token program would have left them.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_error::ProgramError;
use anchor_lang::solana_program::program_option::COption;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::token::spl_token::state::{Account as TokenState, AccountState, Mint};
use anchor_spl::token_2022::spl_token_2022::extension::transfer_fee::{
    TransferFee, TransferFeeAmount, TransferFeeConfig,
};
use anchor_spl::token_2022::spl_token_2022::extension::{
    BaseStateWithExtensionsMut, ExtensionType, StateWithExtensionsMut,
};
use anchor_spl::token_2022::spl_token_2022::state as token_2022;
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

/// What mints of Token-2022 charge here for a transfer, hundredths of a per cent.
pub const TRANSFER_FEE_BPS: u16 = 100;

/// A mint of the token's program; one of Token-2022 charges for transfers.
pub fn mint_account_of(token: Token, decimals: u8, supply: u64) -> Account {
    if token.program == anchor_spl::token_2022::ID {
        return charging_mint_account(decimals, supply, TRANSFER_FEE_BPS);
    }
    mint_account(decimals, supply)
}

/// A mint of Token-2022 whose transfers cost so many hundredths of a per cent.
pub fn charging_mint_account(decimals: u8, supply: u64, basis_points: u16) -> Account {
    let data = extended::<token_2022::Mint>(ExtensionType::TransferFeeConfig, |state| {
        let fee = TransferFee {
            epoch: 0.into(),
            maximum_fee: u64::MAX.into(),
            transfer_fee_basis_points: basis_points.into(),
        };
        let config = state.init_extension::<TransferFeeConfig>(true)?;
        (config.older_transfer_fee, config.newer_transfer_fee) = (fee, fee);
        state.base = token_2022::Mint {
            mint_authority: COption::None,
            supply,
            decimals,
            is_initialized: true,
            freeze_authority: COption::None,
        };
        Ok(())
    });
    held_by(anchor_spl::token_2022::ID, data)
}

/// An account of the token with a balance; one of Token-2022 has room for withheld fees.
pub fn token_account_of(token: Token, owner: Pubkey, amount: u64) -> Account {
    if token.program != anchor_spl::token_2022::ID {
        return token_account(token.mint, owner, amount);
    }
    let data = extended::<token_2022::Account>(ExtensionType::TransferFeeAmount, |state| {
        state.init_extension::<TransferFeeAmount>(true)?;
        state.base = token_2022::Account {
            mint: token.mint,
            owner,
            amount,
            state: token_2022::AccountState::Initialized,
            ..token_2022::Account::default()
        };
        Ok(())
    });
    held_by(token.program, data)
}

/// Bytes of a Token-2022 state with one extension, as `fill` leaves it.
fn extended<T>(
    extension: ExtensionType,
    fill: impl FnOnce(&mut StateWithExtensionsMut<'_, T>) -> Result<(), ProgramError>,
) -> Vec<u8>
where
    T: anchor_spl::token_2022::spl_token_2022::extension::BaseState + Pack,
{
    let length = ExtensionType::try_calculate_account_len::<T>(&[extension]).unwrap_or(0);
    let mut data = vec![0; length];
    let written =
        StateWithExtensionsMut::<T>::unpack_uninitialized(&mut data).and_then(|mut state| {
            fill(&mut state)?;
            state.pack_base();
            state.init_account_type()
        });
    assert!(written.is_ok(), "a state with {extension:?}: {written:?}");
    data
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
    held_by(owner, data)
}

fn held_by(owner: Pubkey, data: Vec<u8>) -> Account {
    Account {
        lamports: RENT,
        data,
        owner,
        executable: false,
        rent_epoch: u64::MAX,
    }
}
