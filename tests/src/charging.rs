//! Token-2022 mints that charge for transfers, and wallets of them.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_option::COption;
use anchor_spl::token_2022;
use anchor_spl::token_2022::spl_token_2022::extension::transfer_fee::{
    TransferFee, TransferFeeAmount, TransferFeeConfig,
};
use anchor_spl::token_2022::spl_token_2022::extension::{
    BaseStateWithExtensionsMut, ExtensionType, StateWithExtensionsMut,
};
use anchor_spl::token_2022::spl_token_2022::state::{Account as Wallet, AccountState, Mint};
use keel_sdk::instruction::Token;
use solana_signer::Signer;

use crate::attack::account;
use crate::vm::keypair;
use crate::world::World;

impl World {
    /// A mint whose transfers cost so many hundredths of a percent.
    ///
    /// # Panics
    /// Where the token program's library cannot lay a mint out.
    pub fn charging_mint(&mut self, seed: u64, decimals: u8, basis_points: u16) -> Token {
        let kinds = [ExtensionType::TransferFeeConfig];
        let length = ExtensionType::try_calculate_account_len::<Mint>(&kinds);
        let mut data = vec![0; length.expect("a length")];
        let mut state =
            StateWithExtensionsMut::<Mint>::unpack_uninitialized(&mut data).expect("blank bytes");
        let fee = TransferFee {
            epoch: 0.into(),
            maximum_fee: u64::MAX.into(),
            transfer_fee_basis_points: basis_points.into(),
        };
        let config = state.init_extension::<TransferFeeConfig>(true);
        let config = config.expect("room for it");
        (config.older_transfer_fee, config.newer_transfer_fee) = (fee, fee);
        state.base = Mint {
            mint_authority: COption::None,
            supply: u64::MAX / 2,
            decimals,
            is_initialized: true,
            freeze_authority: COption::None,
        };
        state.pack_base();
        state.init_account_type().expect("a mint");

        let mint = keypair(seed).pubkey();
        self.vm.set_account(mint, account(token_2022::ID, data));
        Token {
            mint,
            program: token_2022::ID,
        }
    }

    /// The owner's associated account of such a mint, holding so many native units.
    ///
    /// # Panics
    /// As above.
    pub fn charging_wallet(&mut self, token: &Token, owner: Pubkey, amount: u64) -> Pubkey {
        let kinds = [ExtensionType::TransferFeeAmount];
        let length = ExtensionType::try_calculate_account_len::<Wallet>(&kinds);
        let mut data = vec![0; length.expect("a length")];
        let mut state =
            StateWithExtensionsMut::<Wallet>::unpack_uninitialized(&mut data).expect("blank bytes");
        state
            .init_extension::<TransferFeeAmount>(true)
            .expect("room for it");
        state.base = Wallet {
            mint: token.mint,
            owner,
            amount,
            delegate: COption::None,
            state: AccountState::Initialized,
            is_native: COption::None,
            delegated_amount: 0,
            close_authority: COption::None,
        };
        state.pack_base();
        state.init_account_type().expect("a wallet");

        let address = token.account_of(&owner);
        self.vm.set_account(address, account(token_2022::ID, data));
        address
    }
}
