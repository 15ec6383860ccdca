//! What a size of the target comes to, and the account without it.

use super::target::{HeldBalance, Taken};
use super::{LegChange, NO_BALANCE, Slots};
use crate::book::{BalanceLeg, PositionLeg};
use crate::error::RiskError;
use crate::fill::moved;
use crate::num::{mul_div_ceil, mul_div_floor, value_ceil, value_floor};
use crate::shares::{borrow_amount, deposit_amount, shares_for_deposit, shares_for_repayment};
use crate::units::{Dust48, Lots, Native, Shares};

/// What leaves the account, and what it receives for it before any penalty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut {
    pub size: i64,
    /// Lots of the positions, with their signs.
    pub lots: [i64; 2],
    /// Quote received for them, floor; for a closed position the size.
    pub amounts: [i64; 2],
    pub notional: u64,
    /// Deposit shares that leave the account.
    pub shares: i64,
    /// Native units that the liquidator repays, and borrow shares that they extinguish.
    pub repaid: i64,
    pub extinguished: i64,
}

impl Taken {
    /// What `size` of the target comes to.
    pub fn cut(&self, size: i64) -> Cut {
        let mut cut = Cut {
            size,
            ..Cut::default()
        };
        match (self.first, self.deposit, self.borrow) {
            (Some(_), Some(deposit), _) => {
                cut.amounts = [size, 0];
                cut.notional = size.unsigned_abs();
                cut.shares = shares_worth(size, &deposit);
            }
            (_, Some(deposit), Some(borrow)) => {
                let owed = borrow_amount(borrow.leg.shares, borrow.borrow_index);
                cut.repaid = size;
                cut.extinguished = if size >= owed.0 {
                    borrow.leg.shares.0.saturating_neg()
                } else {
                    shares_for_repayment(Native(size), borrow.borrow_index).0
                };
                let worth = value_floor(Lots(size), borrow.price).0;
                cut.notional = worth.unsigned_abs();
                cut.shares = shares_worth(worth, &deposit);
            }
            _ => self.cut_positions(&mut cut),
        }
        cut
    }

    fn cut_positions(&self, cut: &mut Cut) {
        let sizes = [cut.size, self.second_lots(cut.size)];
        let legs = [self.first, self.second];
        let places = cut.lots.iter_mut().zip(cut.amounts.iter_mut());
        for ((held, size), (lots, amount)) in legs.iter().zip(sizes).zip(places) {
            if let Some(held) = held {
                *lots = size * held.leg.size.0.signum();
                *amount = value_floor(Lots(*lots), held.mark).0;
                cut.notional = cut.notional.saturating_add(amount.unsigned_abs());
            }
        }
    }

    /// Lots of the hedge's other leg that go with `size` of the first: the same share, ceil.
    fn second_lots(&self, size: i64) -> i64 {
        let (Some(first), Some(second)) = (self.first, self.second) else {
            return 0;
        };
        let all = second.leg.size.0.unsigned_abs();
        let whole = first.leg.size.0.unsigned_abs();
        let lots = mul_div_ceil(size.unsigned_abs(), all, whole);
        lots.map_or(all, |lots| lots.min(all)) as i64
    }

    /// Whether taking `size` leaves dust: less of a leg than `least` is worth, ceil (1.7).
    pub fn leaves_dust(&self, size: i64, least: i64) -> bool {
        if size == self.whole {
            return false;
        }
        let cut = self.cut(size);
        match (self.deposit, self.borrow) {
            (Some(_), None) => self.whole - size < least,
            (_, Some(borrow)) => value_ceil(Lots(self.whole - size), borrow.price).0 < least,
            _ => [self.first, self.second]
                .iter()
                .zip(cut.lots)
                .any(|(held, lots)| {
                    held.is_some_and(|held| {
                        let left = held.leg.size.0.saturating_sub(lots).saturating_abs();
                        left > 0 && value_ceil(Lots(left), held.mark).0 < least
                    })
                }),
        }
    }

    /// The account's legs without the cut, `penalty` quote and `more` deposit shares; and what
    /// rounding of the carry kept, by market.
    pub fn without(
        &self,
        cut: &Cut,
        penalty: i64,
        more: i64,
    ) -> Result<(LegChange, [Dust48; 2]), RiskError> {
        let mut positions = Slots::none(PositionLeg::EMPTY);
        let mut dust = [Dust48(0); 2];
        let [lots, other_lots] = cut.lots;
        let [amount, other_amount] = cut.amounts;
        if let Some(first) = self.first {
            let (leg, kept) = moved(first.leg, -lots, amount.checked_sub(penalty), first.carries)?;
            positions = Slots::one(first.slot, leg);
            dust = [kept, Dust48(0)];
            if let Some(second) = self.second {
                let (other, rest) =
                    moved(second.leg, -other_lots, Some(other_amount), second.carries)?;
                positions = Slots::two([(first.slot, leg), (second.slot, other)]);
                dust = [kept, rest];
            }
        }

        let mut balances = Slots::none(NO_BALANCE);
        if let Some(deposit) = self.deposit {
            let left = deposit.leg.shares.0 - cut.shares - more;
            balances = Slots::one(deposit.slot, with_shares(deposit.leg, left));
            if let Some(borrow) = self.borrow {
                let owed = borrow.leg.shares.0 + cut.extinguished;
                balances = Slots::two([
                    (deposit.slot, with_shares(deposit.leg, left)),
                    (borrow.slot, with_shares(borrow.leg, owed)),
                ]);
            }
        }
        let change = LegChange {
            positions,
            balances,
        };
        Ok((change, dust))
    }
}

pub(super) fn with_shares(leg: BalanceLeg, shares: i64) -> BalanceLeg {
    BalanceLeg {
        shares: Shares(shares),
        ..leg
    }
}

/// Deposit shares worth `atoms`, floor, at most those held.
pub(super) fn shares_worth(atoms: i64, held: &HeldBalance) -> i64 {
    let (mantissa, shift) = (held.price.mantissa(), held.price.shift());
    let native = mul_div_floor(atoms.unsigned_abs(), 1 << shift, mantissa);
    let native = native.and_then(|native| i64::try_from(native).ok());
    let native = Native(native.unwrap_or(i64::MAX));
    shares_for_deposit(native, held.deposit_index)
        .0
        .min(held.leg.shares.0)
}

/// What deposit shares are worth, floor.
pub(super) fn worth_of(shares: i64, held: &HeldBalance) -> i64 {
    let native = deposit_amount(Shares(shares), held.deposit_index);
    value_floor(Lots(native.0), held.price).0
}
