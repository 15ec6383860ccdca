//! Liquidations, auctions and takeovers in a [`World`].

use anchor_lang::prelude::Pubkey;
use keel_sdk::instruction::{self, TakenLeg};
use keel_sdk::{address, decode};
use keel_state::{Bank, MarginAccount, Position, Stored};
use solana_signer::Signer;

use crate::bench::accounts::{edit, edit_margin};
use crate::tokens::token_account;
use crate::vm::{Failure, Sent};
use crate::world::{Asset, Trader, World, market};

impl World {
    /// Takes at most `max_size` of a leg of `account`.
    pub fn take(
        &mut self,
        liquidator: &Trader,
        account: Pubkey,
        leg: TakenLeg,
        max_size: u64,
    ) -> Result<Sent, Failure> {
        let (owner, margin) = (liquidator.owner(), liquidator.margin);
        let liquidate = instruction::liquidate(&self.keys, owner, account, margin, leg, max_size);
        self.vm.measure("liquidate", liquidate, &[&liquidator.key])
    }

    /// Two positions of one hedge.
    pub fn hedge(&self, first: Asset, second: Asset) -> TakenLeg {
        TakenLeg::Hedge {
            markets: [market(first), market(second)],
        }
    }

    /// A deposit against a borrow.
    pub fn borrow_leg(&self, deposit: Asset, borrow: Asset) -> TakenLeg {
        TakenLeg::Borrow {
            deposit: self.token(deposit).mint,
            borrow: self.token(borrow).mint,
        }
    }

    /// Judges an account for its auction's clock, signed by the payer, with these banks and markets.
    pub fn set_clock(
        &mut self,
        account: Pubkey,
        banks: &[Asset],
        markets: &[Asset],
    ) -> Result<Sent, Failure> {
        let mints: Vec<Pubkey> = banks.iter().map(|asset| self.token(*asset).mint).collect();
        let markets: Vec<u8> = markets.iter().map(|asset| market(*asset)).collect();
        let signer = self.vm.payer.pubkey();
        let clock = instruction::set_auction_clock(&self.keys, signer, account, &mints, &markets);
        self.vm.measure("set_clock", clock, &[])
    }

    /// Takes over a share of an account, with these banks and markets besides the quote's bank.
    pub fn take_over(
        &mut self,
        bidder: &Trader,
        account: Pubkey,
        max_share_ppm: u32,
        banks: &[Asset],
        markets: &[Asset],
    ) -> Result<Sent, Failure> {
        let mints: Vec<Pubkey> = banks.iter().map(|asset| self.token(*asset).mint).collect();
        let markets: Vec<u8> = markets.iter().map(|asset| market(*asset)).collect();
        let pair = (account, bidder.margin);
        let take = instruction::take_over(
            &self.keys,
            bidder.owner(),
            pair,
            max_share_ppm,
            &mints,
            &markets,
        );
        self.vm.measure("take_over", take, &[&bidder.key])
    }

    /// Live time at which an account's auction began; 0 while there is none.
    pub fn auction_started(&self, margin: &Pubkey) -> u64 {
        let data = self.data(margin);
        let account = decode::account::<MarginAccount>(&data).expect("a margin account");
        account.liquidation_started
    }

    /// Keeps prices coming for so many seconds, one update every ten.
    pub fn live(&mut self, prices: [f64; 4], seconds: u64) -> Result<(), Failure> {
        for _ in 0..seconds / 10 {
            self.vm.pass(10);
            self.set_prices(prices)?;
        }
        Ok(())
    }

    /// Lets a trader's position of a market lose atoms to the pool's, without any price.
    pub fn lose(&mut self, trader: &Trader, index: u8, atoms: i64) {
        let pool = address::pool_margin(&self.keys.group, &self.pool);
        for (margin, change) in [(trader.margin, -atoms), (pool, atoms)] {
            edit_margin(&mut self.vm, &margin, |_, positions| {
                let held = positions
                    .iter_mut()
                    .find(|position| position.used != 0 && position.instrument == index);
                held.expect("a position in the market").quote += change;
            })
            .expect("a margin account");
        }
    }

    /// Lets an account owe native units of a token, as if it had withdrawn them, at an index of one.
    pub fn owe(&mut self, trader: &Trader, asset: Asset, units: u64) {
        edit_margin(&mut self.vm, &trader.margin, |account, _| {
            let slot = account.balances.iter().position(|held| held.used == 0);
            let balance = &mut account.balances[slot.expect("a free balance")];
            (balance.used, balance.bank) = (1, asset as u8);
            balance.shares = -(units as i64);
        })
        .expect("a margin account");
        self.edit_bank(asset, |bank| {
            bank.borrow_shares += units;
            bank.tracked -= units;
        });
        self.fill_vault(asset);
    }

    /// Lets a bank's insurance hold so many native units.
    pub fn set_insurance(&mut self, asset: Asset, units: u64) {
        self.edit_bank(asset, |bank| {
            bank.tracked = bank.tracked - bank.insurance + units;
            bank.insurance = units;
        });
        self.fill_vault(asset);
    }

    /// Lets a bank's vault hold what the bank tracks.
    fn fill_vault(&mut self, asset: Asset) {
        let token = self.token(asset);
        let authority = address::authority(&self.keys.group);
        let vault = token_account(token.mint, authority, self.bank(asset).tracked);
        let address = address::vault(&self.bank_address(asset));
        self.vm.set_account(address, vault);
    }

    /// Changes an account's fixed part.
    pub fn edit<T: Stored>(&mut self, address: &Pubkey, change: impl FnOnce(&mut T)) {
        edit(&mut self.vm, address, change).expect("an account");
    }

    /// Changes the positions of a margin account.
    pub fn edit_positions(&mut self, margin: &Pubkey, change: impl FnOnce(&mut [Position])) {
        edit_margin(&mut self.vm, margin, |_, positions| change(positions))
            .expect("a margin account");
    }

    /// Changes a bank; its vault holds what it tracks then.
    pub fn edit_bank(&mut self, asset: Asset, change: impl FnOnce(&mut Bank)) {
        let token = self.token(asset);
        let address = address::bank(&self.keys.group, &token.mint);
        let mut tracked = 0;
        edit::<Bank>(&mut self.vm, &address, |bank| {
            change(bank);
            tracked = bank.tracked;
        })
        .expect("a bank");
        let authority = address::authority(&self.keys.group);
        let vault = token_account(token.mint, authority, tracked);
        self.vm.set_account(address::vault(&address), vault);
    }

    /// Maintenance health of an account, atoms.
    pub fn health(&self, trader: &Trader) -> i64 {
        let found = self.assess(&trader.margin).expect("an assessment");
        found.maintenance.health().0
    }

    /// Net asset value of an account, atoms.
    pub fn value(&self, trader: &Trader) -> i64 {
        let found = self.assess(&trader.margin).expect("an assessment");
        found.net_asset_value.0
    }
}
