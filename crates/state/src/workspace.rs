//! The engine's working memory: one allocation per instruction, reused by every evaluation.

use alloc::vec;
use alloc::vec::Vec;

use keel_risk::limits::{MAX_ASSETS, MAX_SCENARIOS};
use keel_risk::{Legs, Scratch};

use crate::MarginView;

/// Owns the lanes that a [`Scratch`] borrows.
#[derive(Debug)]
pub struct Workspace {
    lanes: Vec<i64>,
}

impl Workspace {
    /// Room for every asset that the account's slots may name, closed positions included; at most
    /// 16 KB.
    pub fn for_account(margin: &MarginView<'_>) -> Self {
        let assets = (margin.asset_limit() + margin.capacity()).min(MAX_ASSETS);
        let lanes = Scratch::lanes_needed(assets, MAX_SCENARIOS);
        Self {
            lanes: vec![0; lanes],
        }
    }

    /// Room for any account: the engine's greatest need.
    pub fn largest() -> Self {
        Self {
            lanes: vec![0; Scratch::MAX_LANES],
        }
    }

    pub fn scratch(&mut self) -> Scratch<'_> {
        Scratch::new(&mut self.lanes)
    }
}
