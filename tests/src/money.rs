//! What worlds do with money: borrows, transfers, tickets, insurance, accruals.

use anchor_lang::prelude::Pubkey;
use keel_sdk::instruction::{self, TransferKeys};

use crate::prices::PriceUpdate;
use crate::vm::{Failure, Sent};
use crate::world::{Asset, Trader, World, market};

impl World {
    /// A world without insurance, whose banks are empty and let out whatever is asked. Its markets do not
    /// open (3.4).
    pub fn bare() -> anyhow::Result<Self> {
        Self::with(|config| {
            for token in &mut config.tokens {
                token.insurance = 0;
                token.lending.outflow_floor = 1 << 60;
            }
            for market in &mut config.markets {
                market.insurance = 0;
            }
        })
    }

    /// Shares that an account holds of a bank; negative ones are borrowed.
    pub fn shares(&self, margin: &Pubkey, asset: Asset) -> i64 {
        self.row(margin).shares(asset as u8)
    }

    /// Withdraws, borrowing what the deposit lacks.
    pub fn borrow(&mut self, trader: &Trader, asset: Asset, units: u64) -> Result<Sent, Failure> {
        if self.wallet(trader.owner(), asset) == 0 {
            self.give(trader.owner(), asset, 0);
        }
        let token = self.token(asset);
        let borrow = instruction::borrow(&self.keys, trader.owner(), trader.margin, token, units);
        self.vm.measure("borrow", borrow, &[&trader.key])
    }

    /// Moves tokens between two accounts of one owner.
    pub fn transfer(
        &mut self,
        (from, to): (&Trader, &Trader),
        asset: Asset,
        units: u64,
        allow_borrow: bool,
    ) -> Result<Sent, Failure> {
        let accounts = TransferKeys {
            owner: from.owner(),
            from: from.margin,
            to: to.margin,
        };
        let mint = self.token(asset).mint;
        let transfer = instruction::transfer(&self.keys, accounts, mint, units, allow_borrow);
        self.vm.measure("transfer", transfer, &[&from.key])
    }

    /// Queues a withdrawal.
    pub fn take_ticket(
        &mut self,
        trader: &Trader,
        asset: Asset,
        units: u64,
    ) -> Result<Sent, Failure> {
        let mint = self.token(asset).mint;
        let take = instruction::take_ticket(&self.keys, trader.owner(), trader.margin, mint, units);
        self.vm.measure("take_ticket", take, &[&trader.key])
    }

    /// Accrues and publishes these banks and markets.
    pub fn accrue(&mut self, banks: &[Asset], markets: &[Asset]) -> Result<Sent, Failure> {
        let mints: Vec<Pubkey> = banks.iter().map(|asset| self.token(*asset).mint).collect();
        let markets: Vec<u8> = markets.iter().map(|asset| market(*asset)).collect();
        let accrue = instruction::accrue(&self.keys, &mints, &markets);
        self.vm.measure("accrue", accrue, &[])
    }

    /// Every bank and every market.
    pub fn accrue_all(&mut self) -> Result<Sent, Failure> {
        self.accrue(&Asset::ALL, &Asset::TRADED)
    }

    /// Gives tokens, then gives them to a bank's insurance.
    pub fn insure_bank(
        &mut self,
        trader: &Trader,
        asset: Asset,
        units: u64,
    ) -> Result<Sent, Failure> {
        self.give(trader.owner(), asset, units);
        let token = self.token(asset);
        let fund = instruction::fund_bank_insurance(&self.keys, trader.owner(), token, units);
        self.vm.measure("fund_bank_insurance", fund, &[&trader.key])
    }

    /// Gives quote of an account to a market's insurance.
    pub fn insure_market(
        &mut self,
        trader: &Trader,
        asset: Asset,
        atoms: u64,
    ) -> Result<Sent, Failure> {
        let (owner, index) = (trader.owner(), market(asset));
        let fund =
            instruction::fund_market_insurance(&self.keys, owner, trader.margin, index, atoms);
        self.vm
            .measure("fund_market_insurance", fund, &[&trader.key])
    }

    /// What a borrow would come to; nothing is kept of it.
    pub fn simulate_borrow(
        &mut self,
        trader: &Trader,
        asset: Asset,
        units: u64,
    ) -> Result<Sent, Failure> {
        self.give(trader.owner(), asset, 0);
        let token = self.token(asset);
        let borrow = instruction::borrow(&self.keys, trader.owner(), trader.margin, token, units);
        self.vm.simulate(&[borrow], &[&trader.key])
    }

    /// Posts and relays the prices of some assets only, in USD, published now.
    pub fn set_prices_of(&mut self, prices: [f64; 4], assets: &[Asset]) -> Result<Sent, Failure> {
        let now = self.vm.now();
        for asset in assets {
            let e8 = prices[*asset as usize] * 1e8;
            let conf = (e8 * 0.000_5).round() as u64;
            let update = PriceUpdate::of(self.feed(*asset), e8.round() as i64, conf, now);
            self.post(*asset, &update);
        }
        self.relay(assets)
    }

    /// Overwrites a field of a bank.
    pub fn patch_bank(&mut self, asset: Asset, offset: usize, bytes: &[u8]) {
        self.patch(self.bank_address(asset), 8 + offset, bytes);
    }
}
