//! Both sides as a takeover would leave them, read straight from its buffers: no slot is looked for.

use crate::book::{BalanceLeg, Legs, PositionLeg};

/// The account: every leg of it is written anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub balances: &'a [(usize, BalanceLeg)],
    pub positions: &'a [(usize, PositionLeg)],
}

impl Legs for Written<'_> {
    fn balance_slots(&self) -> usize {
        self.balances.len()
    }

    #[inline]
    fn balance(&self, slot: usize) -> Option<BalanceLeg> {
        self.balances.get(slot).map(|(_, leg)| *leg)
    }

    fn position_slots(&self) -> usize {
        self.positions.len()
    }

    #[inline]
    fn position(&self, slot: usize) -> Option<PositionLeg> {
        self.positions.get(slot).map(|(_, leg)| *leg)
    }
}

/// Slots as bits, 128 of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlotSet([u64; 2]);

impl SlotSet {
    #[inline]
    pub fn holds(&self, slot: usize) -> bool {
        let word = self.0.get(slot >> 6).copied().unwrap_or(0);
        (word >> (slot & 63)) & 1 != 0
    }

    #[inline]
    pub fn add(&mut self, slot: usize) {
        if let Some(word) = self.0.get_mut(slot >> 6) {
            *word |= 1 << (slot & 63);
        }
    }
}

/// The bidder: the written legs first, then those of his slots that no leg was written to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined<'a, L> {
    pub base: &'a L,
    pub written: Written<'a>,
    pub balances: SlotSet,
    pub positions: SlotSet,
}

impl<L: Legs> Legs for Joined<'_, L> {
    fn balance_slots(&self) -> usize {
        self.written.balances.len() + self.base.balance_slots()
    }

    #[inline]
    fn balance(&self, slot: usize) -> Option<BalanceLeg> {
        match slot.checked_sub(self.written.balances.len()) {
            None => self.written.balance(slot),
            Some(slot) if self.balances.holds(slot) => None,
            Some(slot) => self.base.balance(slot),
        }
    }

    fn position_slots(&self) -> usize {
        self.written.positions.len() + self.base.position_slots()
    }

    #[inline]
    fn position(&self, slot: usize) -> Option<PositionLeg> {
        match slot.checked_sub(self.written.positions.len()) {
            None => self.written.position(slot),
            Some(slot) if self.positions.holds(slot) => None,
            Some(slot) => self.base.position(slot),
        }
    }

    fn asset_limit(&self) -> usize {
        self.base.asset_limit()
    }
}
