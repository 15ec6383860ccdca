//! A group as fetched: the two accounts that judge anyone, and the engine over them.

use keel_risk::{Assessment, InitialTerms, both};
use keel_state::{BookView, MarginView, RiskBook, Workspace};

use crate::decode::{self, DecodeError};

/// A risk book's bytes at a moment. The same code judges here and on chain, to the bit (I10).
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    book: &'a RiskBook,
    now: i64,
}

impl<'a> Snapshot<'a> {
    /// `risk_book` is the account's data, `now` the chain's time in seconds.
    pub fn new(risk_book: &'a [u8], now: i64) -> Result<Self, DecodeError> {
        Ok(Self {
            book: decode::account(risk_book)?,
            now,
        })
    }

    pub fn book(&self) -> &'a RiskBook {
        self.book
    }

    pub fn view(&self) -> BookView<'a> {
        BookView::new(self.book, self.now)
    }

    /// A margin account of the group, from its data.
    pub fn margin(&self, data: &'a [u8]) -> Result<MarginView<'a>, DecodeError> {
        decode::margin(data, self.book)
    }

    /// Equity, requirements and health of a margin account, positive results counted.
    pub fn assess(&self, margin: &MarginView<'_>) -> Assessment {
        let mut workspace = Workspace::for_account(margin);
        both(
            &self.view(),
            margin,
            InitialTerms::COUNTED,
            &mut workspace.scratch(),
        )
    }
}
