//! Plans applied to margin accounts.

use keel_risk::{
    Atoms, AuctionClock, BalanceLeg, Carry48, CashPlan, Deficit, ExitPlan, Frac40, Gate, Halt,
    InsurePlan, Keep, LegChange, Lots, PositionLeg, Price, RedeemPlan, SettlePlan, SideTerms,
    SmallUse, Ticket, TouchPlan, Touched, TransferPlan, WithdrawPlan, plan_touch, up_to_date,
};

use super::wide;
use crate::{InstrumentEntry, MarginAccount, Market, Position, RiskBook};

/// A side's keep before any deleveraging: one, with 40 fractional bits.
pub const KEEP_ONE: u64 = Keep::ONE.keep.0;

/// A margin account mapped for writing. Each position that is written is marked with its side's keep
/// of now, as the book has it: it must have been brought up to date before.
#[derive(Debug)]
pub struct MarginMut<'a> {
    pub(super) account: &'a mut MarginAccount,
    pub(super) positions: &'a mut [Position],
    book: &'a RiskBook,
}

impl<'a> MarginMut<'a> {
    pub fn new(
        account: &'a mut MarginAccount,
        positions: &'a mut [Position],
        book: &'a RiskBook,
    ) -> Self {
        Self {
            account,
            positions,
            book,
        }
    }

    /// The fixed part.
    pub fn account(self) -> &'a mut MarginAccount {
        self.account
    }

    /// Brings the stored position of a slot up to date with its side; what rounding takes from it
    /// joins the market's strays (margin-spec 8.5). Whoever writes a position does this first.
    pub fn touch(mut self, slot: usize, market: &mut Market) {
        let position = &self.positions[slot];
        if position.used == 0 || self.book.is_touched(position) {
            return;
        }
        let plan = self.book.touch_plan(position);
        self.set_position(slot, plan.after);
        market.apply(&plan.market);
    }

    /// The same for a pool's position: traders hold net what the pool does not, so that the lots which
    /// its side lost move the skew (margin-spec 7.2).
    pub fn touch_pool(self, slot: usize, market: &mut Market, now: i64) {
        let position = &self.positions[slot];
        if position.used == 0 || self.book.is_touched(position) {
            return;
        }
        let held = position.size;
        let kept = self.book.touched(position).leg.size.0;
        self.touch(slot, market);
        market.move_skew(held - kept, now);
    }

    /// A referrer's part of a fee: quote of an instrument in his slot, whatever he holds there.
    pub fn apply_referral(mut self, slot: usize, instrument: u8, amount: Atoms) {
        let position = &self.positions[slot];
        let held = match position.used {
            0 => PositionLeg::EMPTY,
            _ => position.leg(),
        };
        let leg = PositionLeg {
            instrument,
            quote: Atoms(held.quote.0 + amount.0),
            ..held
        };
        self.set_position(slot, leg);
        self.account.seq += 1;
    }

    pub fn apply_exit(self, slot: usize, plan: &ExitPlan) {
        self.apply_positions(&[(slot, plan.after)]);
    }

    pub fn apply_cash(mut self, plan: &CashPlan) {
        self.set_balance(plan.slot, plan.after);
        self.account.seq += 1;
    }

    /// A withdrawal: its balance, its ticket and its day; an account found at Maintenance or above is
    /// in no auction (margin-spec 8.4).
    pub fn apply_withdrawal(mut self, plan: &WithdrawPlan) {
        self.end_auction();
        self.set_gate(&plan.gate);
        self.apply_cash(&plan.cash);
    }

    /// The giver's side of a transfer.
    pub fn apply_transfer(mut self, plan: &TransferPlan) {
        self.end_auction();
        self.set_gate(&plan.gate);
        self.apply_cash(&plan.given);
    }

    /// Quote given to a market's insurance.
    pub fn apply_insurance(mut self, plan: &InsurePlan) {
        self.end_auction();
        self.apply_positions(&[(plan.slot, plan.after)]);
    }

    /// A ticket taken or given up.
    pub fn apply_ticket(mut self, gate: &Gate) {
        self.set_gate(gate);
        self.account.seq += 1;
    }

    /// The account's part of a gate: its ticket and its day.
    fn set_gate(&mut self, gate: &Gate) {
        let account = &mut *self.account;
        account.ticket_bank = gate.ticket.bank;
        account.ticket_amount = gate.ticket.amount;
        account.ticket_ready = gate.ticket.ready;
        account.small_withdrawn = gate.small.withdrawn;
        account.small_window_start = gate.small.since;
    }

    /// Moves a delegate's floor: [`MarginAccount::note_deposit`].
    pub fn note_deposit(self, value: impl FnOnce() -> Atoms) {
        self.account.note_deposit(value);
    }

    pub fn apply_positions(mut self, changes: &[(usize, PositionLeg)]) {
        for (slot, leg) in changes {
            self.set_position(*slot, *leg);
        }
        self.account.seq += 1;
    }

    /// Balances and positions of a takeover, from its buffers.
    pub fn apply_legs(
        mut self,
        balances: &[(usize, BalanceLeg)],
        positions: &[(usize, PositionLeg)],
    ) {
        for (slot, leg) in balances {
            self.set_balance(*slot, *leg);
        }
        self.apply_positions(positions);
    }

    pub fn apply_liquidation(self, side: &LegChange) {
        self.apply_legs(side.balances.as_slice(), side.positions.as_slice());
    }

    /// Whoever took part of another account ended at Initial.
    pub fn apply_taking(mut self, side: &LegChange) {
        self.end_auction();
        self.apply_liquidation(side);
    }

    pub fn apply_settlement_gain(self, plan: &SettlePlan) {
        self.apply_legs(&[plan.winner_balance], &[plan.winner_position]);
    }

    pub fn apply_settlement_loss(mut self, plan: &SettlePlan) {
        if plan.loser_maintained {
            self.end_auction();
        }
        self.apply_legs(&[plan.loser_balance], &[plan.loser_position]);
    }

    /// Tokens that came in, and the clock that was judged with them.
    pub fn apply_inflow(mut self, plan: &CashPlan, clock: AuctionClock) {
        self.account.liquidation_started = clock.started;
        self.set_balance(plan.slot, plan.after);
        self.account.seq += 1;
    }

    /// A pool's redemption, which found it at Maintenance; one that paid nothing changes nothing else.
    pub fn apply_redeem(mut self, plan: &RedeemPlan) {
        self.end_auction();
        if plan.burned != 0 {
            self.apply_cash(&plan.cash);
        }
    }

    pub fn apply_clock(self, clock: AuctionClock) {
        self.account.liquidation_started = clock.started;
    }

    /// Found at Maintenance or above: no auction is under way (margin-spec 8.4).
    fn end_auction(&mut self) {
        self.account.liquidation_started = AuctionClock::STOPPED.started;
    }

    pub fn apply_halt(self, halt: Halt) {
        self.account.deficit_found_at = halt.found_at;
    }

    /// Writes a balance; an empty one frees its slot, but for the quote's.
    pub(super) fn set_balance(&mut self, slot: usize, leg: BalanceLeg) {
        let balance = &mut self.account.balances[slot];
        balance.bank = leg.rate;
        balance.shares = leg.shares.0;
        balance.covered *= u8::from(leg.shares.0 < 0);
        balance.used = u8::from(slot == 0 || leg.shares.0 != 0);
    }

    /// Writes a position; one without size and result frees its slot.
    pub(super) fn set_position(&mut self, slot: usize, leg: PositionLeg) {
        let entry = &self.book.instruments[usize::from(leg.instrument)];
        let (keep, epoch) = entry.keep(leg.size.0);
        let position = &mut self.positions[slot];
        position.instrument = leg.instrument;
        position.size = leg.size.0;
        position.quote = leg.quote.0;
        position.keep = keep;
        position.epoch = u32::from(epoch);
        let used = u8::from(leg.size.0 != 0 || leg.quote.0 != 0);
        // A slot that was free remembers nothing.
        position.last_side = match leg.size.0.signum() {
            0 => position.last_side * (used & position.used) as i8,
            sign => sign as i8,
        };
        position.covered *= used;
        position.used = used;
        self.find_end(slot);
    }

    /// Keeps `positions_end` one past the last slot in use, after `slot` was written.
    fn find_end(&mut self, slot: usize) {
        let mut end = usize::from(self.account.positions_end).max(slot + 1);
        while end > 0 && self.positions[end - 1].used == 0 {
            end -= 1;
        }
        self.account.positions_end = end as u16;
    }
}

/// The `seq` that an account opened in a slot begins with.
pub fn first_seq(slot: u64) -> u64 {
    slot << 20
}

impl MarginAccount {
    /// What it has queued to withdraw.
    pub fn ticket(&self) -> Ticket {
        Ticket {
            bank: self.ticket_bank,
            amount: self.ticket_amount,
            ready: self.ticket_ready,
        }
    }

    pub fn small_use(&self) -> SmallUse {
        SmallUse {
            withdrawn: self.small_withdrawn,
            since: self.small_window_start,
        }
    }

    pub fn set_name(&mut self, name: [u8; 32]) {
        self.name = name;
        self.seq += 1;
    }

    /// Whether an account that is opened at this address from this slot on begins with a `seq` beyond
    /// any of this life: the account was opened in an earlier slot, and has not changed a million times
    /// in each since.
    pub fn may_close_in(&self, slot: u64) -> bool {
        first_seq(slot) > self.seq
    }

    /// Since when the account has been below Maintenance.
    pub fn auction_clock(&self) -> AuctionClock {
        AuctionClock {
            started: self.liquidation_started,
        }
    }

    /// What a step that finds this net asset value means for the ledgers it may fall on.
    pub fn deficit(&self, net_asset_value: Atoms, now: i64) -> Deficit {
        Deficit {
            net_asset_value,
            found_at: self.deficit_found_at,
            now,
        }
    }
}

impl InstrumentEntry {
    /// Keep and epoch of the side that a size is on, as published; nothing's is the long side's.
    #[inline(always)]
    fn keep(&self, size: i64) -> (u64, u16) {
        if size < 0 {
            (self.keep_short, self.epoch_short)
        } else {
            (self.keep_long, self.epoch_long)
        }
    }
}

impl RiskBook {
    /// Whether a position was written since its side was last shrunk.
    #[inline]
    pub(crate) fn is_touched(&self, position: &Position) -> bool {
        let entry = &self.instruments[usize::from(position.instrument)];
        let (keep, epoch) = entry.keep(position.size);
        position.keep == keep && position.epoch as u16 == epoch
    }

    /// A position as its side has it now.
    #[cold]
    #[inline(never)]
    pub(crate) fn touched(&self, position: &Position) -> Touched {
        let (side, mark) = self.side_of(position);
        up_to_date(position.leg(), position.touched(), side, mark)
    }

    #[cold]
    #[inline(never)]
    fn touch_plan(&self, position: &Position) -> TouchPlan {
        let (side, mark) = self.side_of(position);
        plan_touch(position.leg(), position.touched(), side, mark)
    }

    /// The side of a position and the mark at which parts of lots pass to the pool. Of the epoch the
    /// low bits are published: it counts on from where the position was touched.
    fn side_of(&self, position: &Position) -> (SideTerms, Price) {
        let entry = &self.instruments[usize::from(position.instrument)];
        let asset = &self.assets[usize::from(entry.asset)];
        let (keep, epoch) = entry.keep(position.size);
        let passed = epoch.wrapping_sub(position.epoch as u16);
        let carry = if position.size < 0 {
            entry.carry_short
        } else {
            entry.carry_long
        };
        let mark = if entry.terms_kind() == keel_risk::InstrumentKind::Perp {
            asset.lot_price
        } else {
            entry.mark
        };
        let side = SideTerms {
            keep: Keep {
                keep: Frac40(keep),
                epoch: position.epoch.wrapping_add(u32::from(passed)),
            },
            carry: Carry48(wide(carry)),
        };
        (side, Price::from_stored(mark, asset.lot_shift))
    }
}

impl Position {
    /// What is stored, whatever its side did since.
    #[inline(always)]
    pub(crate) fn leg(&self) -> PositionLeg {
        PositionLeg {
            instrument: self.instrument,
            size: Lots(self.size),
            quote: Atoms(self.quote),
        }
    }

    /// Where its side's keep stood when it was last written.
    pub fn touched(&self) -> Keep {
        Keep {
            keep: Frac40(self.keep),
            epoch: self.epoch,
        }
    }
}
