//! What attacks and refusals need of a [`World`]: a second group beside the first, accounts written
//! at will, and the one error that is expected.

use anchor_lang::prelude::Pubkey;
use keel::errors::KeelError;
use keel_migrations::{AssetConfig, GroupConfig, Keys, m0001_create_group};
use keel_sdk::instruction::{self, GroupKeys, Token};
use keel_sdk::{AssetArgs, AssetChoice, BankArgs, GroupArgs, Instruction, MarketArgs, PoolArgs};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::operator::signers;
use crate::tokens::{RENT, classic, mint_account};
use crate::vm::{Failure, Sent, keypair};
use crate::world::{Asset, World};

/// The number by which a client sees one of the program's errors.
pub fn code(error: KeelError) -> u32 {
    u32::from(error)
}

/// Panics unless the transaction was refused with exactly this error.
#[track_caller]
pub fn expect_error<T>(result: Result<T, Failure>, expected: KeelError) {
    let name = format!("{expected:?}");
    match result {
        Ok(_) => panic!("went through, but {name} was expected"),
        Err(failure) => assert_eq!(
            failure.code,
            Some(code(expected)),
            "{name} was expected: {failure}"
        ),
    }
}

/// An account that does not need rent.
pub fn account(owner: Pubkey, data: Vec<u8>) -> Account {
    Account {
        lamports: RENT,
        data,
        owner,
        executable: false,
        rent_epoch: u64::MAX,
    }
}

impl World {
    /// Sends one instruction.
    pub fn send(
        &mut self,
        instruction: Instruction,
        signers: &[&Keypair],
    ) -> Result<Sent, Failure> {
        self.vm.send(&[instruction], signers)
    }

    /// A funded key.
    pub fn wallet_key(&mut self, seed: u64) -> Keypair {
        let key = keypair(seed);
        self.vm.fund(key.pubkey(), 100_000_000_000);
        key
    }

    /// A fresh mint of the classic token program.
    pub fn mint(&mut self, seed: u64, decimals: u8) -> Token {
        let token = classic(keypair(seed).pubkey());
        self.vm
            .set_account(token.mint, mint_account(decimals, u64::MAX / 2));
        token
    }

    /// An account for a risk book that no group has taken yet.
    pub fn blank_book(&mut self, seed: u64, bytes: usize) -> Pubkey {
        let address = keypair(seed).pubkey();
        self.vm
            .set_account(address, account(keel::ID, vec![0; bytes]));
        address
    }

    /// The operator's keys, with another risk book.
    fn operator(&self, risk_book: Pubkey) -> Keys {
        Keys {
            payer: self.vm.payer.pubkey(),
            admin: self.admin.pubkey(),
            council: self.admin.pubkey(),
            risk_book,
        }
    }

    /// A second whole group of the same tokens, the same administrator and an own risk book.
    pub fn second_group(&mut self, id: u64) -> Result<GroupKeys, Failure> {
        self.groups_first_steps(id, usize::MAX)
    }

    /// A group made of the migration's first `steps` only: 1 is the group without any bank.
    pub fn groups_first_steps(&mut self, id: u64, steps: usize) -> Result<GroupKeys, Failure> {
        let book = self.blank_book(10_000 + id, keel_state::RISK_BOOK_BYTES);
        let [usdc, sol, btc, eth] = self.tokens;
        let config = GroupConfig::standard(id, usdc, sol, btc, eth);
        let operator = self.operator(book);
        let key = keypair(10_000 + id);
        let needed = m0001_create_group::insurance_needed(&config, 0);
        self.give(self.admin.pubkey(), Asset::Usdc, needed);
        for step in m0001_create_group::steps(&config, &operator)
            .into_iter()
            .take(steps)
        {
            let admin = self.admin.insecure_clone();
            let signers = signers(&step.signers, &admin, &key);
            self.vm.send(&step.instructions, &signers)?;
        }
        Ok(m0001_create_group::keys(&config, &operator))
    }

    /// Terms of a group that `create_group` accepts.
    pub fn group_args(&self, id: u64) -> GroupArgs {
        m0001_create_group::group_args(id, self.admin.pubkey())
    }

    /// Terms of a new asset with a token of `decimals`, otherwise like SOL.
    pub fn asset_args(&self, decimals: u8) -> AssetArgs {
        let like: &AssetConfig = &self.config.tokens[Asset::Sol as usize].asset;
        AssetArgs {
            token_decimals: decimals,
            ..like.args()
        }
    }

    /// Terms of a bank on that asset.
    pub fn bank_args(&self, asset: AssetChoice) -> BankArgs {
        BankArgs {
            asset,
            maint_asset_weight: 950_000,
            init_asset_weight: 900_000,
            maint_liab_weight: 1_050_000,
            init_liab_weight: 1_100_000,
            deposit_cap: 1 << 60,
            borrow_cap: 1 << 60,
            curve_utilisation: [800_000, 900_000],
            curve_rate: [50_000, 200_000, 1_000_000],
            insurance_fee: 100_000,
            outflow_share: 150_000,
            outflow_floor: 1 << 50,
            weight_scale_start: 0,
        }
    }

    /// Terms of a market on that asset.
    pub fn market_args(&self, index: u8, asset: AssetChoice) -> MarketArgs {
        MarketArgs {
            index,
            asset,
            symbol: [0; 16],
            open_interest_cap: 1_000_000_000,
            min_size: 1,
            taker_fee: 500,
            base_spread: 200,
            conf_share: 250_000,
            max_age_fill_s: 10,
            skew_scale: 0,
            funding_velocity: 0,
            max_funding: 0,
            maker_fee: 0,
            referral_share: 0,
            age_share: 0,
            insurance_multiple: 0,
            backstop_pool: 0,
        }
    }

    /// Terms of a pool.
    pub fn pool_args(&self, id: u16) -> PoolArgs {
        PoolArgs {
            id,
            equity_cap: 1 << 46,
            pool_factor: 3_000_000,
            asset_cap: 1 << 44,
            cooldown_in_s: 3_600,
            cooldown_out_s: 86_400,
        }
    }

    /// Lists a bank in this world's group, signed by the administrator.
    pub fn list_bank(&mut self, token: Token, args: BankArgs) -> Result<Sent, Failure> {
        let admin = self.admin.insecure_clone();
        let payer = self.vm.payer.pubkey();
        let create = instruction::create_bank(&self.keys, payer, admin.pubkey(), token, args);
        self.send(create, &[&admin])
    }

    /// Lists a market in this world's group, signed by the administrator.
    pub fn list_market(&mut self, args: MarketArgs) -> Result<Sent, Failure> {
        let admin = self.admin.insecure_clone();
        let payer = self.vm.payer.pubkey();
        let create = instruction::create_market(&self.keys, payer, admin.pubkey(), args);
        self.send(create, &[&admin])
    }

    /// Creates a pool in this world's group, signed by the administrator.
    pub fn list_pool(&mut self, args: PoolArgs) -> Result<Sent, Failure> {
        let admin = self.admin.insecure_clone();
        let payer = self.vm.payer.pubkey();
        let program = anchor_spl::token::ID;
        let create = instruction::create_pool(&self.keys, payer, admin.pubkey(), program, args);
        self.send(create, &[&admin])
    }

    /// Overwrites bytes of an account, its discriminator counted.
    pub fn patch(&mut self, address: Pubkey, offset: usize, bytes: &[u8]) {
        let mut account = self.vm.account(&address).unwrap_or_default();
        account.data[offset..offset + bytes.len()].copy_from_slice(bytes);
        self.vm.set_account(address, account);
    }

    /// Moves the prices for good: posted three times, 3 s apart, so that a jump is confirmed.
    pub fn move_prices(&mut self, prices: [f64; 4]) -> Result<Sent, Failure> {
        for _ in 0..2 {
            self.vm.pass(3);
            self.set_prices(prices)?;
        }
        self.vm.pass(3);
        self.set_prices(prices)
    }

    /// Holds prices for so many steps of two minutes, until the stable prices have followed.
    pub fn hold_prices(&mut self, prices: [f64; 4], steps: u32) -> Result<(), Failure> {
        for _ in 0..steps {
            self.vm.pass(120);
            self.set_prices(prices)?;
        }
        Ok(())
    }

    /// The prices that a world begins with, published now.
    pub fn refresh(&mut self) -> Result<Sent, Failure> {
        self.vm.pass(1);
        self.set_prices([1.0, 156.797_690_99, 64_000.0, 3_400.0])
    }

    /// Writes any bytes with any owner as an asset's price account.
    pub fn post_bytes(&mut self, asset: Asset, owner: Pubkey, data: Vec<u8>) {
        let address = self.price_accounts[asset as usize];
        self.vm.set_account(address, account(owner, data));
    }
}
