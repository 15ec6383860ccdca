//! What the client finds of an account in the VM, and what the specification says of a liquidation's
//! end, worked out anew.

use keel_risk::{
    Amended, Assessment, Atoms, Book, Health, InitialTerms, InstrumentTerms, Legs, Lots,
    PositionLeg, both, maintenance,
};
use keel_sdk::{Pubkey, Snapshot, decode};
use keel_state::{MarginReport, Workspace};

use crate::ledger::AccountRow;
use crate::world::{Asset, World, market};

impl World {
    /// What the client finds of a margin account now.
    pub fn assess(&self, margin: &Pubkey) -> anyhow::Result<Assessment> {
        self.assess_with(margin, InitialTerms::COUNTED)
    }

    /// The same with Initial asked for otherwise.
    pub fn assess_with(&self, margin: &Pubkey, terms: InitialTerms) -> anyhow::Result<Assessment> {
        let (book, account) = (self.book_data(), self.data(margin));
        let snapshot = Snapshot::new(&book, self.vm.now())?;
        let view = decode::margin(&account, snapshot.book())?;
        let mut workspace = Workspace::for_account(&view);
        Ok(both(
            &snapshot.view(),
            &view,
            terms,
            &mut workspace.scratch(),
        ))
    }

    /// The whole report as the client makes it, to compare with the program's own (I10).
    pub fn report_off_chain(&self, margin: &Pubkey) -> anyhow::Result<MarginReport> {
        let (book, account) = (self.book_data(), self.data(margin));
        let snapshot = Snapshot::new(&book, self.vm.now())?;
        let view = decode::margin(&account, snapshot.book())?;
        let mut workspace = Workspace::for_account(&view);
        let mut report: MarginReport = bytemuck::Zeroable::zeroed();
        report.write(&snapshot.view(), &view, 0, &mut workspace.scratch());
        Ok(report)
    }

    /// A margin account as stored, read independently of the program.
    pub fn row(&self, margin: &Pubkey) -> AccountRow {
        AccountRow::read(&self.data(margin))
    }

    /// Atoms per lot of an asset, as mantissa and shift.
    pub fn lot_price(&self, asset: Asset) -> (u64, u8) {
        self.with_book(|book| {
            let entry = &book.assets[asset as usize];
            (entry.lot_price, entry.lot_shift)
        })
        .unwrap_or_default()
    }

    /// [`overshoot`] in this world, now.
    pub fn overshoot(
        &self,
        account_before: &[u8],
        asset: Asset,
        taken: u64,
    ) -> anyhow::Result<Option<String>> {
        let book = self.book_data();
        overshoot((&book, self.vm.now()), account_before, market(asset), taken)
    }
}

/// What is wrong with where a step that took `taken` lots of `instrument` stopped, given the account
/// before it; `None` when it stopped where 8.1 and 1.7 say.
///
/// The end may be passed by one lot at most; a leg taken whole may pass it when less would have
/// left dust or the requirement was small, or when one lot less did not reach it.
pub(crate) fn overshoot(
    (book, now): (&[u8], i64),
    account_before: &[u8],
    instrument: u8,
    taken: u64,
) -> anyhow::Result<Option<String>> {
    let snapshot = Snapshot::new(book, now)?;
    let (view, stored) = (snapshot.view(), snapshot.book());
    let account = decode::margin(account_before, stored)?;
    let live_s = account.account().auction_clock().live_s(stored.live_time);
    let rate = view.liquidation_terms().after(live_s).fee;
    let step = |size: u64| {
        let position = held(&account, instrument)?;
        let mark = view.instrument(instrument).mark;
        let lots = i64::try_from(size).ok()? * position.1.size.0.signum();
        let value = i128::from(lots) * i128::from(mark.mantissa());
        let amount = (value >> mark.shift()) as i64;
        let carried = carried(&view.instrument(instrument), lots);
        let left = PositionLeg {
            size: Lots(position.1.size.0 - lots),
            quote: Atoms(position.1.quote.0 + amount - carried),
            ..position.1
        };
        let amended = Amended {
            base: &account,
            balances: &[],
            positions: &[(position.0, left)],
        };
        let mut workspace = Workspace::for_account(&account);
        let free = maintenance(&view, &amended, &mut workspace.scratch());
        let before = maintenance(&view, &account, &mut workspace.scratch());
        let gain = free.health().0 - before.health().0;
        let fee = i128::from(amount.abs()) * i128::from(rate.0);
        let penalty = ((fee + 999_999) / 1_000_000).min(i128::from(gain.max(0) / 2));
        let after = Health {
            equity: Atoms(free.equity.0 - penalty as i64),
            requirement: free.requirement,
        };
        Some((before, after, position.1.size.0.unsigned_abs()))
    };
    let passes = |health: Health| {
        let end =
            i128::from(health.requirement.0) * i128::from(1_000_000 + stored.liquidation_buffer);
        i128::from(health.equity.0) * 1_000_000 >= end
    };

    let (Some((before, after, whole)), Some((_, less, _))) =
        (step(taken), step(taken.saturating_sub(1)))
    else {
        return Ok(Some("the account held no such position".to_owned()));
    };
    // Within a few atoms the end's own rounding decides.
    let small = before.requirement.0 < stored.small_requirement;
    if !passes(after) || taken == 1 || !passes(less) || (taken == whole && small) {
        return Ok(None);
    }
    // Whole, because a size that does not pass leaves dust; eight tries place it to 1/128.
    let entry = &stored.assets[usize::from(stored.instruments[usize::from(instrument)].asset)];
    let (mantissa, shift) = (entry.lot_price, entry.lot_shift);
    let dust = (i128::from(stored.min_notional) << shift) / i128::from(mantissa);
    let short = taken.saturating_sub(u64::try_from(dust).unwrap_or(u64::MAX) + 1 + whole / 64);
    let reached = short > 0 && step(short).is_some_and(|step| passes(step.1));
    if taken == whole && !reached {
        return Ok(None);
    }
    Ok(Some(format!(
        "{taken} lots of {whole} pass the end, and so does one lot less: {after:?}, {less:?}"
    )))
}

/// What lots carry, which goes with them (7.2).
fn carried(terms: &InstrumentTerms, lots: i64) -> i64 {
    let carry = if lots < 0 {
        terms.carry_short
    } else {
        terms.carry_long
    };
    ((i128::from(lots) * carry.0) >> 48) as i64
}

fn held<L: Legs>(legs: &L, instrument: u8) -> Option<(usize, PositionLeg)> {
    (0..legs.position_slots())
        .filter_map(|slot| Some((slot, legs.position(slot)?)))
        .find(|(_, leg)| leg.instrument == instrument)
}
