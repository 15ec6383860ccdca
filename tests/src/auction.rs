//! Liquidations, auctions and takeovers in a [`World`].

use anchor_lang::prelude::Pubkey;
use keel_sdk::decode;
use keel_sdk::instruction::{self, TakenLeg};
use keel_state::MarginAccount;
use solana_signer::Signer;

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
}
