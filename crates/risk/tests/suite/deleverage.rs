//! 8.5: the backstop; 8.6: who pays a deficit.

use crate::carry::{fill_change, flat_ledger};
use crate::common::*;
use keel_risk::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

/// A market by its positions, each with the keep of its last touch.
#[derive(Clone, Debug)]
struct World {
    ledger: MarketLedger,
    legs: Vec<(PositionLeg, Keep)>,
    mark: Price,
}

/// $1 a lot, to 1,024ths of an atom.
fn world(mantissa: u64) -> World {
    World {
        ledger: flat_ledger(),
        legs: vec![],
        mark: price(mantissa, 10),
    }
}

impl World {
    fn empty() -> PositionLeg {
        PositionLeg::EMPTY
    }

    /// A long and a short of one size, opened at the mark.
    fn trade(&mut self, size: i64) -> (usize, usize) {
        let fill = Fill {
            size: Lots(size),
            amount: num::value_ceil(Lots(size), self.mark),
            fee: Atoms(0),
        };
        let plan =
            plan_fill(Self::empty(), Self::empty(), fill, self.ledger.carries()).expect("a fill");
        self.ledger = self.ledger.after(&fill_change(&plan));
        let at = self.legs.len();
        for leg in [plan.taker_after, plan.maker_after] {
            let keep = self.ledger.side(leg.size).keep;
            self.legs.push((leg, keep));
        }
        (at, at + 1)
    }

    /// Brings a position up to date, in the ledger too.
    fn touch(&mut self, slot: usize) {
        let (leg, keep) = self.legs[slot];
        let side = *self.ledger.side(leg.size);
        let plan = plan_touch(leg, keep, side.terms(), self.mark);
        self.ledger = self.ledger.after(&plan.market);
        self.legs[slot] = (plan.after, side.keep);
    }

    fn deleverage(&mut self, slot: usize, size: i64) -> Result<DeleveragePlan, RiskError> {
        self.touch(slot);
        let plan = plan_deleverage(&self.ledger, &self.terms(slot, size))?;
        self.ledger = self.ledger.after(&plan.market);
        self.legs[slot].0 = plan.after;
        Ok(plan)
    }

    fn terms(&self, slot: usize, size: i64) -> DeleverageTerms {
        DeleverageTerms {
            leg: self.legs[slot].0,
            max_size: Lots(size),
            mark: self.mark,
            equity: Atoms(0),
            share: Ppm(0),
        }
    }

    /// Everything that positions and the house are worth at the mark, quotes of strays included, lots
    /// of strays not.
    fn sizes(&self) -> (i64, i64) {
        let mut sides = (0, 0);
        for (leg, keep) in &self.legs {
            let now = self.ledger.side(leg.size).keep;
            let size = kept_size(leg.size, *keep, now).0;
            sides.0 += size.max(0);
            sides.1 -= size.min(0);
        }
        sides
    }

    /// What a position is worth exactly, in 2^-48 atoms: its size through keep as a fraction.
    fn exact_worth(&self, slot: usize) -> BigRational {
        let (leg, touched) = self.legs[slot];
        let side = self.ledger.side(leg.size);
        let epochs = side.keep.epoch - touched.epoch;
        let whole: BigInt = BigInt::from(touched.keep.0) << (16 * epochs);
        let distance = price48(self.mark) - side.carry.0;
        let worth = BigRational::new(
            BigInt::from(leg.size.0) * side.keep.keep.0 * distance,
            whole,
        );
        let quote: BigInt = BigInt::from(leg.quote.0) << 48;
        worth + quote
    }

    /// What a position is worth when it is brought up to date.
    fn worth(&self, slot: usize) -> i64 {
        let (leg, keep) = self.legs[slot];
        let side = self.ledger.side(leg.size).terms();
        let leg = up_to_date(leg, keep, side, self.mark).leg;
        position_worth(&leg, self.mark, self.ledger.carries()).0
    }
}

/// 8.5 in figures: a long of 300 is closed against shorts of 300 and 100 at the mark: each keeps a
/// quarter, and is worth what it was.
#[test]
fn a_leg_closes_against_the_whole_other_side() {
    let mut world = world(1_000_000 << 10);
    let (long, first) = world.trade(300);
    let (other, second) = world.trade(100);
    world.mark = price(900_000 << 10, 10);
    let worths = [long, first, other, second].map(|slot| world.worth(slot));
    assert_eq!(worths, [-30_000_000, 30_000_000, -10_000_000, 10_000_000]);

    let plan = world.deleverage(long, 1_000).unwrap();
    assert_eq!(
        (plan.size, plan.stopped_by),
        (Lots(300), StoppedBy::WholeLeg)
    );
    assert_eq!(plan.opposite.keep.keep, Frac40(1 << 38));
    assert_eq!(world.ledger.imbalance(), 0);
    assert_eq!(
        [long, first, other, second].map(|slot| world.worth(slot)),
        worths
    );
    for slot in [first, second] {
        world.touch(slot);
    }
    assert_eq!(
        (world.legs[first].0.size, world.legs[second].0.size),
        (Lots(-75), Lots(-25))
    );
    assert_eq!(
        (
            world.ledger.long.open_interest,
            world.ledger.short.open_interest
        ),
        (100, 100)
    );
    // Whoever opens now carries the new F along and is worth nothing at the mark.
    let (_, late) = world.trade(50);
    assert!((-1..=0).contains(&world.worth(late)));
}

/// 8.5: with equity left the leg closes at the mark moved against the account by its share of E.
#[test]
fn equity_is_given_up_in_the_price() {
    let mut world = world(1_000_000 << 10);
    let (long, short) = world.trade(400);
    world.trade(100);
    let terms = DeleverageTerms {
        equity: Atoms(20_000_000),
        share: Ppm(500_000),
        ..world.terms(long, 400)
    };
    let before = world.worth(short);
    let plan = plan_deleverage(&world.ledger, &terms).unwrap();
    // $10 over 400 lots: 2.5 cents a lot.
    assert_eq!(plan.price, Carry48(975_000 << 48));
    assert_eq!(plan.after.quote, Atoms(-400_000_000 + 390_000_000));
    world.ledger = world.ledger.after(&plan.market);
    world.legs[long].0 = plan.after;
    // Four fifths of the other side share it; a fifth of it is the second short's.
    let gained = world.worth(short) - before;
    assert!((7_999_998..=8_000_000).contains(&gained), "{gained}");
}

/// 8.5: the other side keeps a lot, and its carry stays within what can be judged.
#[test]
fn a_side_is_never_emptied() {
    let mut small = world(1_000_000 << 10);
    let (long, _) = small.trade(10);
    let plan = small.deleverage(long, 10).unwrap();
    assert_eq!((plan.size, plan.stopped_by), (Lots(9), StoppedBy::End));
    let mut large = world(1_000_000 << 10);
    let (long, _) = large.trade(1_000_000);
    let refused = RiskError::TooLittleOpposite {
        open_interest: 1_000_000,
        asked: 999_999,
    };
    assert_eq!(large.deleverage(long, 999_999), Err(refused));
    assert!(large.deleverage(long, 980_000).is_ok());
    assert_eq!(large.deleverage(long, 0), Err(RiskError::ZeroSize));
}

impl World {
    /// Closes a long and a short of one size against each other, at the mark.
    fn close(&mut self, long: usize, short: usize) {
        let lots = self.legs[long].0.size;
        let fill = Fill {
            size: lots.opposite(),
            amount: num::value_ceil(lots.opposite(), self.mark),
            fee: Atoms(0),
        };
        let (first, second) = (self.legs[long].0, self.legs[short].0);
        let plan = plan_fill(first, second, fill, self.ledger.carries()).expect("a close");
        self.ledger = self.ledger.after(&fill_change(&plan));
        (self.legs[long].0, self.legs[short].0) = (plan.taker_after, plan.maker_after);
    }
}

/// 8.5: F of a side is of all deleveragings since nobody held a lot, and they end where it would pass 64
/// marks; once the market is flat it starts anew, and as much may be closed again. What is held keeps F.
#[test]
fn a_flat_market_may_be_deleveraged_anew() {
    let mut world = world(1_000_000 << 10);
    let mut episodes = Vec::new();
    for _ in 0..3 {
        let (long, short) = world.trade(1 << 20);
        let mut closed = 0;
        loop {
            let half = world.legs[long].0.size.0 / 2;
            match world.deleverage(long, half) {
                Ok(plan) => closed += plan.size.0,
                Err(error) => {
                    assert!(matches!(error, RiskError::TooLittleOpposite { .. }));
                    break;
                }
            }
        }
        episodes.push(closed);
        let held = world.ledger.rested();
        assert_eq!(held, world.ledger, "a lot is held");
        world.touch(short);
        world.close(long, short);
        assert_eq!(world.ledger.long.open_interest, 0);
        world.ledger = world.ledger.rested();
        let Carries { long, short } = world.ledger.carries();
        assert_eq!((long, short), (Carry48(0), Carry48(0)));
        assert_eq!(world.ledger.imbalance(), 0);
    }
    // Six halvings, each time.
    let six = (1 << 20) - (1 << 14);
    assert_eq!(episodes, [six; 3]);
    let money: i64 = world.legs.iter().map(|(leg, _)| leg.quote.0).sum();
    assert_eq!(money, 0, "nobody gained by it");
}

/// A holder who slept while his side was emptied, but for less than any count of lots shows, is worth
/// what he was when F has started anew: an atom at most.
#[test]
fn a_sleeping_remainder_is_seen_right_after_a_rest() {
    let touched = Keep::ONE;
    let keep = Keep {
        keep: KEEP_LEAST,
        epoch: 1,
    };
    let mark = price(1_000_000 << 10, 10);
    let leg = PositionLeg {
        size: Lots(1),
        quote: Atoms(77),
        ..PositionLeg::EMPTY
    };
    for carry in [0, 64 * 1_000_000] {
        let side = SideTerms {
            keep,
            carry: Carry48(carry << 48),
        };
        let seen = up_to_date(leg, touched, side, mark);
        assert_eq!(seen.leg.size, Lots(0));
        assert!((76..=77).contains(&seen.leg.quote.0), "{seen:?}");
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.5, I2, I3: whatever is closed, touched and traded in whatever order, the ledger sums to zero to
    /// the last bit, no position is worth more than it was and none loses more than its rounding to atoms; when
    /// all are touched the strays make up every lot, and the pool takes them.
    #[test]
    fn deleveraging_is_zero_sum(
        sizes in prop::collection::vec(1i64..1 << 24, 2..5), closes in prop::collection::vec((0usize..16, 1u32..=100, any::<bool>()), 1..6), mantissa in 1u64 << 29..1 << 34
    ) {
        let mut world = world(mantissa);
        for size in &sizes {
            world.trade(*size);
        }
        for (slot, percent, rise) in closes {
            let slot = slot % world.legs.len();
            let up = world.mark.mantissa() / 50;
            world.mark = price(if rise { world.mark.mantissa() + up } else { world.mark.mantissa() - up }, 10);
            let before: Vec<BigRational> = (0..world.legs.len()).map(|slot| world.exact_worth(slot)).collect();
            let size = world.legs[slot].0.size.0.abs() * i64::from(percent) / 100;
            if world.deleverage(slot, size).is_err() {
                continue;
            }
            prop_assert_eq!(world.ledger.imbalance(), 0);
            for (other, before) in before.iter().enumerate() {
                // The other side's F is rounded at 2^-48 a lot; the closed leg's quote to atoms.
                let change = world.exact_worth(other) - before;
                let most: BigInt = if other == slot { BigInt::from(3) << 48 } else { BigInt::from(1) << 26 };
                prop_assert!(change <= BigRational::from(BigInt::from(1) << 20), "{other} of {slot}: {change}");
                prop_assert!(change > -BigRational::from(most), "{other} of {slot}: {change}");
            }
            let (long, short) = world.sizes();
            prop_assert!(long as u64 <= world.ledger.long.open_interest);
            prop_assert!(short as u64 <= world.ledger.short.open_interest);
            prop_assert_eq!(world.ledger.long.open_interest, world.ledger.short.open_interest);
        }

        for slot in 0..world.legs.len() {
            world.touch(slot);
        }
        prop_assert_eq!(world.ledger.imbalance(), 0);
        let mut pool = PositionLeg::EMPTY;
        for long in [true, false] {
            if let Ok(plan) = plan_take_strays(&world.ledger, pool, long) {
                pool = plan.after;
                world.ledger = world.ledger.after(&plan.market);
            }
        }
        prop_assert_eq!(world.ledger.imbalance(), 0);
        let (long, short) = world.sizes();
        let sum = long - short + pool.size.0;
        prop_assert_eq!(sum, 0);
        prop_assert_eq!(long as u64 + pool.size.0.max(0) as u64, world.ledger.long.open_interest);
        // What is left of strays is what ceil added, and money to within it.
        prop_assert!(world.ledger.long.stray.0 < 64 && world.ledger.short.stray.0 < 64);
        let money: i64 = world.legs.iter().map(|(leg, _)| leg.quote.0).sum();
        let house = pool.quote.0 + world.ledger.long.stray_quote + world.ledger.short.stray_quote;
        prop_assert_eq!(money + house, world.ledger.quotes);
    }
}

/// A market in which longs and shorts hold `lots`.
fn traded(lots: i64) -> MarketLedger {
    let mut world = world(1_000_000 << 10);
    world.trade(lots);
    world.ledger
}

fn loss(deficit: u64, market: u64, group: u64) -> MarketLossTerms {
    let fund = |balance| Insurance {
        balance,
        used: 0,
        window_start: 0,
    };
    MarketLossTerms {
        leg: PositionLeg {
            quote: Atoms(-(deficit as i64)),
            ..PositionLeg::EMPTY
        },
        deficit,
        payers: Payers::Shorts,
        mark: price(1_000_000 << 10, 10),
        market_insurance: fund(market),
        group_insurance: fund(group),
        deposit_index: Index48::ONE,
    }
}

/// 8.6 in figures: of 1,000 missing the market's insurance pays a quarter of 800, the group's a
/// quarter of 1,200, and shorts of 300 lots the last 500.
#[test]
fn a_deficit_is_paid_in_order() {
    let ledger = traded(300);
    let plan = plan_market_loss(&ledger, &loss(1_000, 800, 1_200)).unwrap();
    assert_eq!(
        (plan.from_market, plan.from_group, plan.from_side),
        (200, 300, 500)
    );
    assert_eq!(plan.after.quote, Atoms(-300));
    assert_eq!(plan.group_insurance.used, 300);
    let after = ledger.after(&plan.market);
    // 5/3 of an atom a lot, ceil in 2^-48, and against shorts.
    assert_eq!(after.short.carry, Carry48(-(((500i128 << 48) + 299) / 300)));
    assert_eq!(after.imbalance(), ledger.imbalance());
}

/// 8.6: each insurance pays at most a quarter of what it held when its day began.
#[test]
fn an_insurance_pays_a_quarter_a_day() {
    let fund = Insurance {
        balance: 1_000,
        used: 0,
        window_start: 5,
    };
    let (paid, after) = fund.pays(900);
    assert_eq!((paid, after.balance, after.used), (250, 750, 250));
    assert_eq!(after.pays(1).0, 0);
    assert_eq!(after.at(86_404).pays(900).0, 0);
    // The next day a quarter of what is left.
    assert_eq!(after.at(86_405).pays(900).0, 187);
}

/// 8.6: a lot bears at most the mark, and no F leaves its bounds; what nobody can bear stays owed by the
/// market's insurance. Without a debt nothing is.
#[test]
fn what_no_side_can_bear_the_insurance_owes() {
    let ledger = flat_ledger();
    let plan = plan_market_loss(&ledger, &loss(10, 8, 0)).unwrap();
    assert_eq!((plan.from_market, plan.from_side, plan.owed), (2, 0, 8));
    assert_eq!(ledger.after(&plan.market).insurance, -10);
    assert_eq!(ledger.after(&plan.market).imbalance(), ledger.imbalance());

    // Five lots of $1 bear $5 of 12, and F of 64 marks none.
    let mut ledger = traded(5);
    let plan = plan_market_loss(&ledger, &loss(12_000_000, 0, 0)).unwrap();
    assert_eq!((plan.from_side, plan.owed), (5_000_000, 7_000_000));
    ledger.short.carry = Carry48(-64_000_000 << 48);
    let plan = plan_market_loss(&ledger, &loss(12_000_000, 0, 0)).unwrap();
    assert_eq!((plan.from_side, plan.owed), (0, 12_000_000));
    let mut terms = loss(12_000_000, 0, 0);
    terms.payers = Payers::Both;
    let plan = plan_market_loss(&ledger, &terms).unwrap();
    assert_eq!((plan.from_side, plan.owed), (5_000_000, 7_000_000));

    let mut terms = loss(10, 0, 0);
    terms.leg.quote = Atoms(-9);
    let nothing = Err(RiskError::NothingToLiquidate);
    assert_eq!(plan_market_loss(&traded(5), &terms), nothing);
    terms.leg.size = Lots(1);
    assert_eq!(plan_market_loss(&traded(5), &terms), nothing);
}

/// 8.6: bankrupt is E < 0 with nothing left that is worth a dollar; what halts outflow is a tenth of a
/// percent.
#[test]
fn a_bankrupt_account_has_nothing_worth_taking() {
    let mut book = empty_book();
    book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 1);
    let is = |account: &TestAccount| {
        let mut lanes = vec![0; Scratch::MAX_LANES];
        is_bankrupt(
            &book,
            account,
            Resolved::NONE,
            &mut Scratch::new(&mut lanes),
        )
    };
    let owing = |quote| TestAccount::default().with_position(0, 0, quote);
    assert!(is(&owing(-5)));
    assert!(is(&owing(-1_000_000).with_balance(0, 999_999)));
    assert!(!is(&owing(-2_000_000).with_balance(1, 1_000_000)));
    // Quote covers results as it is; for a borrow somebody may take it.
    assert!(is(&owing(-2_000_000).with_balance(0, 1_000_000)));
    let borrower = |quote| {
        TestAccount::default()
            .with_balance(0, quote)
            .with_balance(1, -2_000_000)
    };
    assert!(is(&borrower(999_999)) && !is(&borrower(1_000_000)));
    assert!(!is(&owing(5)));
    assert!(!is(&TestAccount::default().with_position(0, 1, -9_000_000)));
    assert!(!halts(Atoms(-1_000), 1_000_000) && halts(Atoms(-1_001), 1_000_000));
    assert!(!halts(Atoms(5), 0));
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.6: the parts sum to the deficit exactly, none exceeds its cap, and the ledger stays balanced.
    #[test]
    fn losses_sum_exactly(lots in 1i64..1 << 40, deficit in any_magnitude(50), market in any_magnitude(50), group in any_magnitude(50), used in any_magnitude(40), longs in any::<bool>()) {
        let ledger = traded(lots);
        let mut terms = loss(deficit, market, group);
        terms.payers = if longs { Payers::Longs } else { Payers::Shorts };
        terms.group_insurance.used = used;
        let plan = plan_market_loss(&ledger, &terms).unwrap();
        prop_assert_eq!(plan.from_market + plan.from_group + plan.from_side + plan.owed, deficit);
        prop_assert!(plan.owed == 0 || plan.from_side == lots as u64 * 1_000_000);
        prop_assert!(plan.from_market <= market / 4 && plan.from_group + used <= (group + used) / 4 || plan.from_group == 0);
        prop_assert_eq!(plan.after.quote.0 + plan.from_group as i64, 0);
        let after = ledger.after(&plan.market);
        prop_assert_eq!(after.imbalance(), ledger.imbalance());
        prop_assert!(after.insurance >= ledger.insurance - (plan.from_market + plan.owed) as i64);
        // The side pays what it is charged and less than a bit per lot more.
        let charged = |side: &SideLedger, was: &SideLedger| BigInt::from(side.carry.0 - was.carry.0) * lots;
        let (long, short) = (charged(&after.long, &ledger.long), charged(&after.short, &ledger.short));
        let paid = long - short;
        let due: BigInt = BigInt::from(plan.from_side) << 48;
        prop_assert!(paid >= due && paid < due + lots);
    }

    /// 8.6, I1: of a bank's loss too, and only then does a deposit index fall.
    #[test]
    fn a_banks_loss_is_its_insurances_and_its_depositors(deposits in 1u64 << 20..1 << 50, index in 1u64 << 48..1 << 50, lent in 1u32..=1_000_000, lost in 1u32..=1_000_000, insurance in any_magnitude(40)) {
        let mut bank = BankLedger {
            deposit_shares: deposits,
            borrow_shares: 0,
            deposit_index: Index48(index),
            borrow_index: Index48(index),
            tracked: 0,
            fees: 7,
            insurance,
            dust: 3,
        };
        bank.borrow_shares = (u128::from(deposits) * u128::from(lent) / 1_000_000) as u64;
        bank.tracked = bank.owed();
        let shares = (u128::from(bank.borrow_shares) * u128::from(lost) / 1_000_000) as u64;
        let fund = Insurance { balance: insurance, used: 0, window_start: 0 };
        let found = plan_bank_loss(&bank, shares, fund);
        if shares == 0 {
            prop_assert_eq!(found, Err(RiskError::NothingToLiquidate));
            return Ok(());
        }
        let plan = found.unwrap();
        let after = bank.after(&plan.bank);
        prop_assert_eq!(plan.from_insurance + plan.from_depositors, plan.deficit);
        prop_assert_eq!(bank.borrows() - after.borrows(), plan.deficit);
        prop_assert_eq!(after.tracked, after.owed());
        prop_assert_eq!(after.tracked, bank.tracked);
        prop_assert_eq!(bank.insurance - after.insurance, plan.from_insurance);
        let fell = bank.deposits() - after.deposits();
        prop_assert_eq!(fell, plan.from_depositors + after.dust - bank.dust);
        prop_assert!(after.dust - bank.dust <= 1 + (deposits >> 48) + 1);
        prop_assert!(after.deposit_index <= bank.deposit_index);
    }

    /// 8.6: what a bankrupt still has covers borrows before quotes, pro rata, to the atom.
    #[test]
    fn what_is_left_is_shared_out_to_the_atom(assets in any_magnitude(45), borrows in prop::collection::vec(any_magnitude(44), 0..5), quotes in prop::collection::vec(any_magnitude(44), 0..5)) {
        let debts = |owed: &[u64]| owed.iter().map(|owed| Debt { owed: *owed, covered: 0 }).collect::<Vec<_>>();
        let (mut first, mut second) = (debts(&borrows), debts(&quotes));
        let left = cover(assets, &mut first, &mut second);
        let sum = |debts: &[Debt]| debts.iter().map(|debt| debt.covered).sum::<u64>();
        prop_assert_eq!(left + sum(&first) + sum(&second), assets);
        let (owed, more) = (borrows.iter().sum::<u64>(), quotes.iter().sum::<u64>());
        prop_assert_eq!(sum(&first), assets.min(owed));
        prop_assert_eq!(sum(&second), (assets - assets.min(owed)).min(more));
        for (debts, total) in [(&first, owed), (&second, more)] {
            for debt in debts {
                let exact = u128::from(debt.owed) * u128::from(sum(debts)) / u128::from(total);
                prop_assert!(debt.covered <= debt.owed && u128::from(debt.covered).abs_diff(exact) <= 1);
            }
        }
    }
}

/// 8.5: the pool takes at the auction's price, within 2% of its Initial equity, and stops there.
#[test]
fn the_pool_takes_up_to_two_percent() {
    let mut book = empty_book();
    book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 2);
    let account = TestAccount::default()
        .with_balance(0, 9_000_000_000)
        .with_position(0, 100_000, -100_000_000_000);
    let terms = LiquidationTerms {
        buffer: Ppm(50_000),
        fee: Ppm(5_000),
        insurance_share: Ppm(400_000),
    };
    let take_up_to = |max_size: i64, cash: i64, held: i64| {
        let pool =
            TestAccount::default()
                .with_balance(0, cash)
                .with_position(0, held, -held * 1_000_000);
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        plan_backstop(
            &book,
            (&account, &pool),
            (0, 0),
            (Lots(max_size), terms.after(600)),
            &mut scratch,
        )
    };
    let take = |cash, held| take_up_to(1 << 40, cash, held);
    let plan = take(100_000_000_000, 0).unwrap();
    assert_eq!(
        (plan.size, plan.stopped_by),
        (Lots(2_000), StoppedBy::PoolLimit)
    );
    let plan_of_less = take_up_to(1_500, 100_000_000_000, 0).unwrap();
    assert_eq!(
        (plan_of_less.size, plan_of_less.stopped_by),
        (Lots(1_500), StoppedBy::MaxSize)
    );
    let none = take_up_to(0, 100_000_000_000, 0);
    assert_eq!(none, Err(RiskError::ZeroSize));
    // The penalty after ten minutes is 5%, the pool's as any liquidator's.
    assert_eq!(
        plan.penalty_liquidator.0 + plan.penalty_insurance.0,
        100_000_000
    );
    assert!(matches!(take(0, 0), Err(RiskError::PoolBelowMargin { .. })));

    // What it took before counts, and a position of the other side makes room.
    assert_eq!(take(100_000_000_000, 1_500).unwrap().size, Lots(500));
    assert_eq!(take(100_000_000_000, -1_500).unwrap().size, Lots(3_500));
    let full = take(100_000_000_000, 2_000);
    assert!(matches!(full, Err(RiskError::PoolBelowMargin { .. })));
}
