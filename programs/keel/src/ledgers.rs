//! The banks and markets that a step against an account may change, mapped for writing.

use std::cell::RefMut;

use anchor_lang::prelude::*;
use keel_risk::{Atoms, Endangered, plan_halt};
use keel_state::{Bank, BookView, FreshRate, Market, RiskBook};

use crate::errors::KeelError;
use crate::load::{self, MarginRefMut};

/// Their accounts, checked by `load`.
pub struct Loaders<'info> {
    banks: Vec<AccountLoader<'info, Bank>>,
    markets: Vec<AccountLoader<'info, Market>>,
}

impl<'info> Loaders<'info> {
    /// Of these accounts the banks, and of those the markets.
    pub fn of(
        banks: &'info [AccountInfo<'info>],
        markets: &'info [AccountInfo<'info>],
        book: &RiskBook,
    ) -> Result<Self> {
        Ok(Self {
            banks: load::banks(banks, book, banks.len())?,
            markets: load::markets(markets, book, markets.len())?,
        })
    }

    pub fn load_mut(&self) -> Result<Ledgers<'_>> {
        let banks = self.banks.iter().map(AccountLoader::load_mut);
        let markets = self.markets.iter().map(AccountLoader::load_mut);
        Ok(Ledgers {
            banks: banks.collect::<Result<_>>()?,
            markets: markets.collect::<Result<_>>()?,
        })
    }

    /// Address of the bank or market at a place.
    pub fn bank(&self, place: usize) -> Pubkey {
        self.banks.get(place).map(Key::key).unwrap_or_default()
    }

    pub fn market(&self, place: usize) -> Pubkey {
        self.markets.get(place).map(Key::key).unwrap_or_default()
    }
}

/// The ledgers themselves, in the order in which they were passed.
pub struct Ledgers<'a> {
    pub banks: Vec<RefMut<'a, Bank>>,
    pub markets: Vec<RefMut<'a, Market>>,
}

impl Ledgers<'_> {
    /// Charges the banks' interest up to now.
    pub fn bring_to_now(&mut self, now: i64) {
        for bank in &mut self.banks {
            bank.bring_to_now(now);
        }
    }

    /// Brings an account's positions in these markets up to date.
    pub fn touch(&mut self, margin: &mut MarginRefMut) {
        for market in &mut self.markets {
            margin.touch(market);
        }
    }

    /// The bank of a rate, or the market of an instrument, where it was passed.
    pub fn bank(&self, rate: u8) -> Option<&Bank> {
        let bank = self.banks.iter().find(|bank| bank.index == rate);
        bank.map(core::ops::Deref::deref)
    }

    pub fn market(&self, instrument: u8) -> Option<&Market> {
        let market = self
            .markets
            .iter()
            .find(|market| market.index == instrument);
        market.map(core::ops::Deref::deref)
    }

    /// The banks' indices as they stand.
    pub fn rates(&self) -> Vec<FreshRate> {
        self.banks.iter().map(|bank| bank.fresh_rate()).collect()
    }

    /// Stops these ledgers where an account found at this net asset value leaves a deficit that may
    /// fall on them (margin-spec 8.6).
    pub fn halt(
        &mut self,
        view: &BookView,
        margin: &mut MarginRefMut,
        net_asset_value: Atoms,
        now: i64,
    ) {
        if net_asset_value.0 >= 0 {
            return;
        }
        let deficit = margin.account().deficit(net_asset_value, now);
        let mut found = None;
        for bank in &mut self.banks {
            if let Some(halt) = plan_halt(view, &margin.view(), deficit, bank.endangered()) {
                bank.apply_halt(halt);
                found = Some(halt);
            }
        }
        for market in &mut self.markets {
            let endangered = Endangered::Market {
                instrument: market.index,
                deposits: view.quote_deposits(),
            };
            if let Some(halt) = plan_halt(view, &margin.view(), deficit, endangered) {
                market.apply_halt(halt);
                found = Some(halt);
            }
        }
        if let Some(halt) = found {
            margin.edit().apply_halt(halt);
        }
    }

    /// I1 to I3. No token moves in such a step, so that the vaults stand where they stood: a bank's
    /// ledger is checked against itself.
    pub fn invariant(&self) -> Result<()> {
        for bank in &self.banks {
            bank.invariant(bank.tracked).map_err(KeelError::from)?;
        }
        for market in &self.markets {
            market.invariant().map_err(KeelError::from)?;
        }
        Ok(())
    }
}
