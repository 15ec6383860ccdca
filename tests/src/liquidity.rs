//! Providers of a [`World`]: their wallets, their requests, and live time that passes at once.

use core::mem::offset_of;

use anchor_lang::prelude::Pubkey;
use keel_sdk::instruction::{self, Token};
use keel_sdk::{Instruction, address, decode};
use keel_state::{Pool, Provide, Redeem, RiskBook};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::tokens::token_account;
use crate::vm::{Failure, Sent, keypair};
use crate::world::{Asset, World};

/// Bytes before an account's struct.
const DISCRIMINATOR: usize = 8;

/// An account of a pool's share token, whose mint charges for nothing.
pub fn shares_account(shares: &Token, owner: Pubkey, amount: u64) -> Account {
    Account {
        owner: shares.program,
        ..token_account(shares.mint, owner, amount)
    }
}

impl World {
    /// The pool's share token.
    pub fn share_token(&self) -> Token {
        instruction::share_token(&self.pool, self.token(Asset::Usdc))
    }

    /// A fresh wallet of `usdc` whole USDC, and an empty account for the pool's shares.
    pub fn provider(&mut self, usdc: u64) -> Keypair {
        self.next_trader += 1;
        let key = keypair(self.next_trader);
        self.vm.fund(key.pubkey(), 1_000_000_000);
        self.give(key.pubkey(), Asset::Usdc, usdc * 1_000_000);
        let shares = self.share_token();
        let destination = shares_account(&shares, key.pubkey(), 0);
        self.vm
            .set_account(shares.account_of(&key.pubkey()), destination);
        key
    }

    /// Provides `usdc` whole USDC to the pool from a fresh wallet.
    pub fn provide(&mut self, usdc: u64) -> Result<(Keypair, Sent), Failure> {
        let key = self.provider(usdc);
        let sent = self.provide_more(&key, usdc)?;
        Ok((key, sent))
    }

    /// Provides again from a wallet that holds the USDC already: request and execution in one
    /// transaction, which a world without a cooldown lets pass.
    pub fn provide_more(&mut self, key: &Keypair, usdc: u64) -> Result<Sent, Failure> {
        let quote = self.token(Asset::Usdc);
        let (owner, atoms) = (key.pubkey(), usdc * 1_000_000);
        let both = [
            instruction::request_provide(&self.keys, owner, self.pool, quote, atoms, 0),
            instruction::provide_liquidity(&self.keys, owner, self.pool, quote),
        ];
        self.vm.send(&both, &[key])
    }

    /// Escrows `atoms` of a provider's USDC.
    pub fn request_provide(
        &mut self,
        key: &Keypair,
        atoms: u64,
        min_shares: u64,
    ) -> Result<Sent, Failure> {
        let (owner, quote) = (key.pubkey(), self.token(Asset::Usdc));
        let ask =
            instruction::request_provide(&self.keys, owner, self.pool, quote, atoms, min_shares);
        self.vm.measure("request_provide", ask, &[key])
    }

    /// Executes a provider's request; nobody signs but who pays for the transaction.
    pub fn execute_provide(&mut self, owner: Pubkey) -> Result<Sent, Failure> {
        let execute = self.execution(owner, instruction::provide_liquidity);
        self.vm.measure("provide_liquidity", execute, &[])
    }

    pub fn cancel_provide(&mut self, caller: &Keypair, owner: Pubkey) -> Result<Sent, Failure> {
        let (who, quote) = (caller.pubkey(), self.token(Asset::Usdc));
        let cancel = instruction::cancel_provide(&self.keys, who, owner, self.pool, quote);
        self.vm.measure("cancel_provide", cancel, &[caller])
    }

    /// Escrows a provider's shares.
    pub fn request_redeem(
        &mut self,
        key: &Keypair,
        shares: u64,
        min_amount: u64,
    ) -> Result<Sent, Failure> {
        let (owner, quote) = (key.pubkey(), self.token(Asset::Usdc));
        let ask =
            instruction::request_redeem(&self.keys, owner, self.pool, quote, shares, min_amount);
        self.vm.measure("request_redeem", ask, &[key])
    }

    /// Executes a provider's request; nobody signs but who pays for the transaction.
    pub fn execute_redeem(&mut self, owner: Pubkey) -> Result<Sent, Failure> {
        let execute = self.execution(owner, instruction::redeem_liquidity);
        self.vm.measure("redeem_liquidity", execute, &[])
    }

    pub fn cancel_redeem(&mut self, caller: &Keypair, owner: Pubkey) -> Result<Sent, Failure> {
        let (who, quote) = (caller.pubkey(), self.token(Asset::Usdc));
        let cancel = instruction::cancel_redeem(&self.keys, who, owner, self.pool, quote);
        self.vm.measure("cancel_redeem", cancel, &[caller])
    }

    fn execution(
        &self,
        owner: Pubkey,
        build: fn(&instruction::GroupKeys, Pubkey, Pubkey, Token) -> Instruction,
    ) -> Instruction {
        build(&self.keys, owner, self.pool, self.token(Asset::Usdc))
    }

    /// Shares in an owner's wallet.
    pub fn lp_shares(&self, owner: Pubkey) -> u64 {
        self.token_amount(&self.share_token().account_of(&owner))
    }

    /// The pool as stored.
    pub fn pool_state(&self) -> Option<Pool> {
        let data = self.data(&self.pool);
        decode::account::<Pool>(&data).ok().copied()
    }

    /// An owner's request to enter, while it is open.
    pub fn provide_request(&self, owner: Pubkey) -> Option<Provide> {
        let data = self.data(&address::provide_request(&self.pool, &owner));
        decode::account::<Provide>(&data).ok().copied()
    }

    /// An owner's request to leave, while it is open.
    pub fn redeem_request(&self, owner: Pubkey) -> Option<Redeem> {
        let data = self.data(&address::redeem_request(&self.pool, &owner));
        decode::account::<Redeem>(&data).ok().copied()
    }

    /// The risk book's live time.
    pub fn live_time(&self) -> u64 {
        self.with_book(|book| book.live_time).unwrap_or(0)
    }

    /// Writes the live time as if prices had come for so many seconds; the chain's clock stands still.
    pub fn skip_live_time(&mut self, seconds: u64) {
        let later = self.live_time() + seconds;
        let at = DISCRIMINATOR + offset_of!(RiskBook, live_time);
        self.patch(self.keys.risk_book, at, &later.to_le_bytes());
    }
}
