//! Everything at one moment: the accounts' bytes, the books read from them, and what the engine says
//! of an account.

use anyhow::Result;
use keel_risk::{Assessment, InitialTerms, both};
use keel_sdk::Snapshot;
use keel_state::{MarginReport, Workspace};
use solana_account::Account;

use super::arena::{ACCOUNTS, ASSETS, Arena, MARKETS, SPARES};
use super::books::{Books, Places};
use super::choose::{AccountView, View};
use super::margin::{Estimate, Terms};

/// Row of the pool among the margin accounts.
pub const POOL_ROW: usize = 0;

/// Row of an account of the arena among the margin accounts.
pub const fn row_of(account: usize) -> usize {
    account + 1
}

/// The risk book is the first account of all, the margin accounts follow banks and markets.
const BOOK: usize = 0;
const MARGINS: usize = 3 + 2 * ASSETS + MARKETS;

/// The group at one moment.
#[derive(Clone, Debug)]
pub struct State {
    pub now: i64,
    /// In the order of [`Places::all`].
    pub accounts: Vec<Account>,
    pub books: Books,
}

impl State {
    pub fn read(arena: &Arena, places: &Places) -> Self {
        let all = places.all();
        let accounts: Vec<Account> = all
            .iter()
            .map(|address| arena.vm.account(address).unwrap_or_default())
            .collect();
        let data: Vec<&[u8]> = accounts.iter().map(|account| &account.data[..]).collect();
        Self {
            now: arena.vm.now(),
            books: Books::read(places, &data),
            accounts,
        }
    }

    fn snapshot(&self) -> Result<Snapshot<'_>> {
        Ok(Snapshot::new(&self.accounts[BOOK].data, self.now)?)
    }

    /// The bytes of a margin account.
    pub fn margin(&self, row: usize) -> &[u8] {
        &self.accounts[MARGINS + row].data
    }

    pub fn book(&self) -> &[u8] {
        &self.accounts[BOOK].data
    }

    /// What the engine finds of a margin account.
    pub fn assess(&self, row: usize) -> Result<Assessment> {
        self.assess_with(row, InitialTerms::COUNTED)
    }

    /// The same with Initial asked for otherwise.
    pub fn assess_with(&self, row: usize, terms: InitialTerms) -> Result<Assessment> {
        let snapshot = self.snapshot()?;
        let view = snapshot.margin(self.margin(row))?;
        let mut workspace = Workspace::for_account(&view);
        let mut scratch = workspace.scratch();
        Ok(both(&snapshot.view(), &view, terms, &mut scratch))
    }

    /// The whole report as the client makes it, to compare with the program's own (I10).
    pub fn report(&self, row: usize) -> Result<MarginReport> {
        let snapshot = self.snapshot()?;
        let view = snapshot.margin(self.margin(row))?;
        let mut workspace = Workspace::for_account(&view);
        let mut report: MarginReport = bytemuck::Zeroable::zeroed();
        report.write(&snapshot.view(), &view, 0, &mut workspace.scratch());
        Ok(report)
    }

    /// What an account is worth by the books' own arithmetic, atoms.
    pub fn worth(&self, row: usize) -> i128 {
        self.books.worth(&self.books.accounts[row])
    }

    /// What an account is worth, has and needs, worked out anew from the specification.
    pub fn estimate(&self, row: usize) -> Estimate {
        let terms = Terms::read(self.book(), ASSETS, self.now);
        terms.estimate(&self.books, &self.books.accounts[row])
    }

    /// What choosing looks at.
    pub fn view(&self, arena: &Arena) -> Result<View> {
        let accounts =
            (0..ACCOUNTS + SPARES).map(|number| self.account_view(arena, row_of(number)));
        Ok(View {
            price_age_s: self.now - arena.published,
            prices: arena.prices,
            accrual_age_s: (self.books.markets.iter())
                .map(|market| self.now - market.last_accrual)
                .max()
                .unwrap_or_default(),
            accounts: accounts.collect::<Result<_>>()?,
            pool: self.account_view(arena, POOL_ROW)?,
            strays: (self.books.markets.iter())
                .map(|market| market.stray.iter().any(|stray| stray >> 40 != 0))
                .collect(),
        })
    }

    /// The account whose owner may trade for this one.
    fn delegate(&self, arena: &Arena, row: usize) -> Option<usize> {
        let delegate = &self.margin(row)[80..112];
        let mut accounts = arena.accounts.iter();
        accounts.position(|account| account.owner().to_bytes() == delegate)
    }

    fn account_view(&self, arena: &Arena, row: usize) -> Result<AccountView> {
        if self.margin(row).is_empty() {
            return Ok(AccountView::default());
        }
        let (found, held) = (self.assess(row)?, &self.books.accounts[row]);
        let mut view = AccountView {
            exists: true,
            unbid_s: match held.liquidation_started {
                0 => 0,
                started => self.books.live_time.saturating_sub(started),
            },
            delegate: self.delegate(arena, row),
            equity: found.net_asset_value.0,
            is_liquidatable: found.maintenance.is_liquidatable(),
            ..AccountView::default()
        };
        for position in &held.positions {
            let market = usize::from(position.instrument);
            view.sizes[market] = self.books.markets[market].kept(position);
            view.quotes[market] = position.quote;
            let result = self.books.result48(position) >> 48;
            view.results[market] = i64::try_from(result).unwrap_or_default();
        }
        for (bank, shares) in &held.balances {
            match shares.signum() {
                1 => view.deposits.push(*bank),
                -1 => view.borrows.push(*bank),
                _ => {}
            }
        }
        Ok(view)
    }
}
