//! Mapping accounts: margin accounts with the positions behind them, and markets among the
//! remaining accounts. Every account that arrives without an Anchor constraint is checked here.

use std::cell::{Ref, RefMut};

use anchor_lang::prelude::*;
use anchor_lang::{Owner, ZeroCopy};
use bytemuck::{cast_slice, cast_slice_mut, from_bytes, from_bytes_mut};
use keel_risk::{AuctionClock, CashPlan, InitialTerms, initial};
use keel_state::{
    Bank, BookView, DISCRIMINATOR_BYTES, MarginAccount, MarginKind, MarginMut, MarginView, Market,
    Position, RiskBook, Workspace,
};

use crate::errors::KeelError;

const HEADER_BYTES: usize = core::mem::size_of::<MarginAccount>();
const POSITION_BYTES: usize = core::mem::size_of::<Position>();

/// A margin account mapped for reading.
pub struct MarginRef<'a> {
    header: Ref<'a, MarginAccount>,
    positions: Ref<'a, [Position]>,
    book: &'a RiskBook,
}

impl MarginRef<'_> {
    pub fn view(&self) -> MarginView<'_> {
        MarginView::new(&self.header, &self.positions, self.book)
    }
}

/// A margin account mapped for writing.
pub struct MarginRefMut<'a> {
    header: RefMut<'a, MarginAccount>,
    positions: RefMut<'a, [Position]>,
    book: &'a RiskBook,
}

impl MarginRefMut<'_> {
    pub fn view(&self) -> MarginView<'_> {
        MarginView::new(&self.header, &self.positions, self.book)
    }

    pub fn account(&self) -> &MarginAccount {
        &self.header
    }

    /// Brings the position of an instrument up to date with its side, before anything is planned.
    pub fn touch(&mut self, market: &mut Market) {
        if let Some(slot) = self.view().held_slot(market.index) {
            self.edit().touch(slot, market);
        }
    }

    /// The same where the account may be a pool's, whose lots move the skew.
    pub fn touch_either(&mut self, market: &mut Market, now: i64) {
        let Some(slot) = self.view().held_slot(market.index) else {
            return;
        };
        if self.header.kind == MarginKind::Pool as u8 {
            self.edit().touch_pool(slot, market, now);
        } else {
            self.edit().touch(slot, market);
        }
    }

    pub fn edit(&mut self) -> MarginMut<'_> {
        MarginMut::new(&mut self.header, &mut self.positions, self.book)
    }
}

/// The clock of an account's auction once tokens came in: judged only while it runs, on the heap and in
/// a frame of its own (margin-spec 8.4).
pub fn clock_after_inflow(margin: &MarginRefMut, view: &BookView, cash: &CashPlan) -> AuctionClock {
    let clock = margin.account().auction_clock();
    if clock == AuctionClock::STOPPED {
        return clock;
    }
    judge_inflow(margin, view, cash)
}

#[inline(never)]
fn judge_inflow(margin: &MarginRefMut, view: &BookView, cash: &CashPlan) -> AuctionClock {
    let legs = margin.view();
    let mut workspace = Workspace::for_account(&legs);
    keel_risk::clock_after_inflow(
        view,
        &legs,
        cash,
        margin.account().auction_clock(),
        &mut workspace.scratch(),
    )
}

/// Maps a margin account of this book's group for reading.
pub fn margin<'a>(
    loader: &'a AccountLoader<'_, MarginAccount>,
    book: &'a RiskBook,
) -> Result<MarginRef<'a>> {
    let data = loader.as_ref().try_borrow_data()?;
    let bytes = Ref::map(data, |data| &data[DISCRIMINATOR_BYTES..]);
    let capacity = capacity(&bytes)?;
    let (header, positions) = Ref::map_split(bytes, |bytes| {
        let (header, rest) = bytes.split_at(HEADER_BYTES);
        let positions = &rest[..capacity * POSITION_BYTES];
        (from_bytes::<MarginAccount>(header), cast_slice(positions))
    });
    require_keys_eq!(header.group, book.group, KeelError::OtherGroup);
    Ok(MarginRef {
        header,
        positions,
        book,
    })
}

/// Maps a margin account of this book's group for writing.
pub fn margin_mut<'a>(
    loader: &'a AccountLoader<'_, MarginAccount>,
    book: &'a RiskBook,
) -> Result<MarginRefMut<'a>> {
    let info = loader.as_ref();
    require!(info.is_writable, ErrorCode::AccountNotMutable);
    let data = info.try_borrow_mut_data()?;
    let bytes = RefMut::map(data, |data| &mut data[DISCRIMINATOR_BYTES..]);
    let capacity = capacity(&bytes)?;
    let (header, positions) = RefMut::map_split(bytes, |bytes| {
        let (header, rest) = bytes.split_at_mut(HEADER_BYTES);
        let positions = &mut rest[..capacity * POSITION_BYTES];
        (
            from_bytes_mut::<MarginAccount>(header),
            cast_slice_mut(positions),
        )
    });
    require_keys_eq!(header.group, book.group, KeelError::OtherGroup);
    Ok(MarginRefMut {
        header,
        positions,
        book,
    })
}

/// Initial health before a plan, for its event alone: what the plan judges is what it leaves.
#[inline(never)]
pub fn health_before(
    view: &BookView,
    margin: &MarginRefMut,
    terms: InitialTerms,
    workspace: &mut Workspace,
) -> i64 {
    let judged = initial(view, &margin.view(), terms, &mut workspace.scratch());
    judged.health().0
}

/// Refuses a margin account of which bytes are missing, where only its fixed part is used.
pub fn whole(loader: &AccountLoader<'_, MarginAccount>) -> Result<()> {
    let data = loader.as_ref().try_borrow_data()?;
    capacity(&data[DISCRIMINATOR_BYTES..]).map(drop)
}

/// Position slots of the account behind its discriminator, or a refusal when bytes are missing.
fn capacity(bytes: &[u8]) -> Result<usize> {
    require!(bytes.len() >= HEADER_BYTES, KeelError::AccountTruncated);
    let capacity = usize::from(from_bytes::<MarginAccount>(&bytes[..HEADER_BYTES]).capacity);
    let needed = HEADER_BYTES + capacity * POSITION_BYTES;
    require!(bytes.len() >= needed, KeelError::AccountTruncated);
    Ok(capacity)
}

/// The markets among the remaining accounts: of this program, this group, all different.
pub fn markets<'info>(
    accounts: &'info [AccountInfo<'info>],
    book: &RiskBook,
    expected: usize,
) -> Result<Vec<AccountLoader<'info, Market>>> {
    ledgers(accounts, expected, |market: &Market| {
        require_keys_eq!(market.group, book.group, KeelError::OtherGroup);
        Ok(market.index)
    })
}

/// The banks among the remaining accounts: of this program, this group, all different.
pub fn banks<'info>(
    accounts: &'info [AccountInfo<'info>],
    book: &RiskBook,
    expected: usize,
) -> Result<Vec<AccountLoader<'info, Bank>>> {
    ledgers(accounts, expected, |bank: &Bank| {
        require_keys_eq!(bank.group, book.group, KeelError::OtherGroup);
        Ok(bank.index)
    })
}

/// `index_of` checks the group, in which an index belongs to one account: no two are the same.
fn ledgers<'info, T: ZeroCopy + Owner>(
    accounts: &'info [AccountInfo<'info>],
    expected: usize,
    index_of: impl Fn(&T) -> Result<u8>,
) -> Result<Vec<AccountLoader<'info, T>>> {
    require_eq!(accounts.len(), expected, KeelError::WrongAccountCount);
    let mut loaders: Vec<AccountLoader<T>> = Vec::with_capacity(expected);
    let mut seen = [0u64; 4];
    for account in accounts {
        let loader = AccountLoader::<T>::try_from(account)?;
        let index = index_of(&*loader.load()?)?;
        let (word, bit) = (&mut seen[usize::from(index >> 6)], 1 << (index & 63));
        require!(*word & bit == 0, KeelError::DuplicateLedger);
        *word |= bit;
        loaders.push(loader);
    }
    Ok(loaders)
}
