//! What a trader asks before he trades: margin after an order, buying power, liquidation prices
//! (margin-spec 5.10). For clients; the program never calls it.

use crate::book::{
    Amended, AssetTerms, Book, Greeks, GroupTerms, InstrumentTerms, Legs, PositionLeg,
    PriceQuality, RateTerms, Scenario,
};
use crate::error::RiskError;
use crate::limits::MAX_LEG_SIZE;
use crate::margin::{Assessment, InitialTerms, Scratch, both, maintenance, net_value};
use crate::num::value_ceil;
use crate::order::{LegFill, Order, OrderBuffers, OrderTerms, Parties, plan_order};
use crate::units::{Frac40, Lots, Ppm, Price};

/// The margin that an account would have with these positions in their slots, all else as it is.
#[must_use]
pub fn projected<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    positions: &[(usize, PositionLeg)],
    terms: InitialTerms,
    scratch: &mut Scratch<'_>,
) -> Assessment {
    let after = Amended {
        base: legs,
        balances: &[],
        positions,
    };
    both(book, &after, terms, scratch)
}

/// Room for every size that is looked at: 3 * (4 + 2 * 12 + 62 + 1).
const MAX_PROBES: usize = 320;

/// What a size is met with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted,
    /// Below the market's smallest order, or dust.
    TooSmall,
    Refused,
}

/// A question of one market and side, asked for many sizes.
struct Asking<'a, 's, 'l, B, T, M> {
    book: &'a B,
    parties: &'a Parties<'a, T, M>,
    order: Order,
    terms: OrderTerms,
    scratch: &'s mut Scratch<'l>,
}

impl<B: Book, T: Legs, M: Legs> Asking<'_, '_, '_, B, T, M> {
    fn answer(&mut self, lots: i64) -> Answer {
        let size = Lots(self.order.size.0.signum().saturating_mul(lots));
        let orders = [Order { size, ..self.order }];
        let mut buffers = OrderBuffers {
            fills: &mut [LegFill::EMPTY],
            taker: &mut [(0, PositionLeg::EMPTY)],
            maker: &mut [(0, PositionLeg::EMPTY)],
        };
        let (book, parties) = (self.book, self.parties);
        match plan_order(
            book,
            parties,
            &orders,
            self.terms,
            &mut buffers,
            self.scratch,
        ) {
            Ok(_) => Answer::Accepted,
            Err(RiskError::BelowMinSize { .. } | RiskError::BelowMinNotional { .. }) => {
                Answer::TooSmall
            }
            Err(_) => Answer::Refused,
        }
    }

    /// The greatest size in `[low, high)` that is met like `low`, when `high` is not.
    fn last_like(&mut self, mut low: i64, mut high: i64, like: Answer) -> i64 {
        while high.saturating_sub(low) > 1 {
            let middle = low.saturating_add(high.saturating_sub(low) / 2);
            if self.answer(middle) == like {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// The greatest size of an order, lots, such that every size from the smallest that is not too small up
/// to it would be accepted now; zero where none is. `order` names market, side (the sign of its size,
/// whose amount does not matter), limit price and slots; acceptance is [`plan_order`] itself, so fee,
/// spread, caps, dust and the pool's limits are the program's own (5.10).
///
/// Exact to one lot: the size is accepted and the next one is not. That nothing between is refused rests
/// on the form of the requirement: along the size every loss is convex in the net, and so are their
/// greatest, their sums and the root of X; equities are concave; caps are intervals. So between two
/// sizes at which a formula changes (a net at zero, a multiplier at its cap, a charge at a leg's whole
/// value) the accepted sizes that follow an accepted one are a run. All of these are looked at, each
/// with its neighbours, and powers of two besides. Health is flat to within rounding only where a lot
/// is worth no more than a few atoms of margin.
///
/// At most about 350 plans.
pub fn buying_power<B: Book, T: Legs, M: Legs>(
    book: &B,
    parties: &Parties<'_, T, M>,
    order: Order,
    terms: OrderTerms,
    scratch: &mut Scratch<'_>,
) -> Lots {
    let mut probes = [MAX_LEG_SIZE; MAX_PROBES];
    let count = gather(book, parties, &order, terms, &mut probes);
    let probes = probes.get_mut(..count).unwrap_or_default();
    probes.sort_unstable();
    let mut asking = Asking {
        book,
        parties,
        order,
        terms,
        scratch,
    };

    let (mut too_small, mut accepted) = (0i64, 0i64);
    for &probe in probes.iter() {
        if probe <= too_small || probe <= accepted {
            continue;
        }
        match (asking.answer(probe), accepted) {
            (Answer::TooSmall, 0) => too_small = probe,
            (answer, 0) => {
                // The first size that is large enough.
                let first = asking
                    .last_like(too_small, probe, Answer::TooSmall)
                    .saturating_add(1);
                if asking.answer(first) != Answer::Accepted {
                    return Lots(0);
                }
                if answer != Answer::Accepted {
                    return Lots(asking.last_like(first, probe, Answer::Accepted));
                }
                accepted = probe;
            }
            (Answer::Accepted, _) => accepted = probe,
            (_, last) => return Lots(asking.last_like(last, probe, Answer::Accepted)),
        }
    }
    Lots(accepted)
}

/// Writes the sizes to look at and returns how many: 1.5 times and whole powers of two, and where a
/// formula changes for either account, each with its neighbours.
fn gather<B: Book, T: Legs, M: Legs>(
    book: &B,
    parties: &Parties<'_, T, M>,
    order: &Order,
    asked: OrderTerms,
    probes: &mut [i64],
) -> usize {
    let mut count = 0usize;
    let mut add = |lots: i128| {
        for near in [lots - 1, lots, lots + 1] {
            let Ok(size) = i64::try_from(near) else {
                continue;
            };
            if (1..=MAX_LEG_SIZE).contains(&size)
                && let Some(free) = probes.get_mut(count)
            {
                *free = size;
                count += 1;
            }
        }
    };
    let terms = book.instrument(order.instrument);
    let asset = book.asset(terms.asset);
    let lot = i128::from(value_ceil(Lots(1 << 20), terms.mark).0.max(1));
    let side = i128::from(order.size.0.signum());
    let sizes = [
        parties.taker.position(order.taker_slot),
        parties.maker.position(order.maker_slot),
    ];
    for leg in sizes.iter().flatten() {
        // Beyond zero a leg counts as grown, hence as dust, only from its old size on.
        add(i128::from(leg.size.0).abs());
        add(i128::from(leg.size.0).abs() * 2);
    }
    let nets = [
        (
            net_value(book, parties.taker, terms.asset).0,
            side,
            asset.init_factor,
        ),
        (
            net_value(book, parties.maker, terms.asset).0,
            -side,
            asked.pool.factor,
        ),
    ];
    for (net, side, factor) in nets {
        for target in targets(book, &asset, factor) {
            for target in [target, -target] {
                let distance = (target - i128::from(net)) * side;
                add((distance << 20) / lot);
            }
        }
    }
    for power in 0..31u32 {
        add(1i128 << power);
        add(3i128 << power >> 1);
    }
    add(i128::from(order.market.min_size));
    count
}

/// Nets, in atoms, at which an asset's charge changes its form: zero, the multiplier's cap, and where a
/// fall is charged with a leg's whole value.
fn targets<B: Book>(book: &B, asset: &AssetTerms, factor: Ppm) -> [i128; 6] {
    const ONE: i128 = 1_000_000;
    let depth = i128::from(asset.depth.0.max(0));
    let cap = i128::from(asset.concentration_cap.0);
    let mut targets = [0; 6];
    targets[1] = depth * cap / ONE;
    let range = i128::from(asset.range.0.max(1));
    let factor = i128::from(factor.0.max(1));
    let reach = i128::from(book.group().extremes.down.reach.max(1));
    for (place, k) in [(2, 1), (4, reach)] {
        // multiplier * factor * k * range = 1, by a factor of one and by Initial's.
        for (step, factor) in [(0, ONE), (1, factor)] {
            let multiplier = ONE * ONE / (k * range) * ONE / factor - ONE;
            if let Some(target) = targets.get_mut(place + step) {
                *target = depth * multiplier.clamp(0, cap) / ONE;
            }
        }
    }
    targets
}

/// A book with one asset at another price: its tokens, perps and futures in proportion, its options by
/// their delta, at least one unit of the mantissa. Risk arrays stay as they are, so that an option's
/// liquidation price far from the mark is an estimate.
#[derive(Clone, Copy, Debug)]
pub struct Repriced<'b, B> {
    book: &'b B,
    asset: u8,
    from: u64,
    to: u64,
}

impl<'b, B: Book> Repriced<'b, B> {
    /// The same book with `asset` at `to`, a mantissa of its lot price's shift.
    #[must_use]
    pub fn new(book: &'b B, asset: u8, to: u64) -> Self {
        Self {
            book,
            asset,
            from: book.asset(asset).lot_price.mantissa().max(1),
            to: to.clamp(1, Price::MANTISSA_END - 1),
        }
    }

    fn scaled(&self, price: Price) -> Price {
        let scaled = u128::from(price.mantissa()) * u128::from(self.to) / u128::from(self.from);
        at(u64::try_from(scaled).unwrap_or(u64::MAX), price.shift())
    }
}

fn at(mantissa: u64, shift: u8) -> Price {
    let mantissa = mantissa.clamp(1, Price::MANTISSA_END - 1);
    Price::new(mantissa, shift).unwrap_or(Price::ONE)
}

impl<B: Book> Book for Repriced<'_, B> {
    fn group(&self) -> GroupTerms {
        self.book.group()
    }

    fn asset(&self, index: u8) -> AssetTerms {
        let terms = self.book.asset(index);
        if index != self.asset {
            return terms;
        }
        AssetTerms {
            lot_price: at(self.to, terms.lot_price.shift()),
            native_price: self.scaled(terms.native_price),
            ..terms
        }
    }

    fn rate(&self, index: u8) -> RateTerms {
        self.book.rate(index)
    }

    fn instrument(&self, index: u8) -> InstrumentTerms {
        let terms = self.book.instrument(index);
        if terms.asset != self.asset {
            return terms;
        }
        let mark = if terms.kind.is_option() {
            let moved = i128::from(self.to) - i128::from(self.from);
            // From the lot price's unit into the mark's: products within 2^49 * 2^31 * 2^62 / 2^62.
            let shift = self.book.asset(self.asset).lot_price.shift();
            let gained = (moved * i128::from(terms.delta.0)) >> 30;
            let gained = if terms.mark.shift() >= shift {
                gained << (terms.mark.shift() - shift)
            } else {
                gained >> (shift - terms.mark.shift())
            };
            let mark = i128::from(terms.mark.mantissa())
                .saturating_add(gained)
                .max(1);
            at(u64::try_from(mark).unwrap_or(u64::MAX), terms.mark.shift())
        } else {
            self.scaled(terms.mark)
        };
        InstrumentTerms { mark, ..terms }
    }

    fn array(&self, instrument: u8) -> &[i32] {
        self.book.array(instrument)
    }

    fn greeks(&self, instrument: u8) -> Greeks {
        self.book.greeks(instrument)
    }

    fn quality(&self, asset: u8) -> PriceQuality {
        self.book.quality(asset)
    }

    fn variance(&self, asset: u8) -> Frac40 {
        self.book.variance(asset)
    }

    fn scenarios(&self) -> &[Scenario] {
        self.book.scenarios()
    }
}

/// Steps of the search on either side: down by 1/64 of the price, up by 1/64 of each step's.
const STEPS: u64 = 64;
const STEPS_UP: u64 = 140;

/// The prices of an asset nearest to its own, below and above, at which Maintenance health changes its
/// sign, all else held (5.10): each is the first price on the other side of it. `None` where there is
/// none down to one unit of the mantissa, or up to eight times the price.
///
/// Exact to one unit of the mantissa between two steps of a grid of 1/64 of the price; two changes within
/// one step cancel and are not seen. At most 300 judgements.
pub fn liquidation_prices<B: Book, L: Legs>(
    book: &B,
    legs: &L,
    asset: u8,
    scratch: &mut Scratch<'_>,
) -> [Option<Price>; 2] {
    let now = book.asset(asset).lot_price;
    let start = now.mantissa().max(1);
    let mut search = Search {
        book,
        legs,
        asset,
        scratch,
    };
    let known = search.is_healthy(start);
    let below = (1..STEPS).map(|step| start.saturating_sub((start / STEPS).saturating_mul(step)));
    let below = search.first_change(start, below.chain([1]), known);
    let mut price = start;
    let above = (0..STEPS_UP).map(|_| {
        price = price.saturating_add((price / STEPS).max(1));
        price.min(Price::MANTISSA_END - 1)
    });
    let above = search.first_change(start, above, known);
    [below, above].map(|found| found.map(|mantissa| at(mantissa, now.shift())))
}

struct Search<'a, 'l, 's, B, L> {
    book: &'a B,
    legs: &'a L,
    asset: u8,
    scratch: &'s mut Scratch<'l>,
}

impl<B: Book, L: Legs> Search<'_, '_, '_, B, L> {
    fn is_healthy(&mut self, mantissa: u64) -> bool {
        let book = Repriced::new(self.book, self.asset, mantissa);
        maintenance(&book, self.legs, self.scratch).health().0 >= 0
    }

    /// The first price beyond `near` on which health has the other sign, among the steps and then to
    /// one unit.
    fn first_change(
        &mut self,
        mut near: u64,
        steps: impl Iterator<Item = u64>,
        known: bool,
    ) -> Option<u64> {
        for step in steps {
            if self.is_healthy(step) == known {
                near = step;
                continue;
            }
            let mut far = step;
            while near.abs_diff(far) > 1 {
                let middle = near.min(far) + near.abs_diff(far) / 2;
                if self.is_healthy(middle) == known {
                    near = middle;
                } else {
                    far = middle;
                }
            }
            return Some(far);
        }
        None
    }
}
