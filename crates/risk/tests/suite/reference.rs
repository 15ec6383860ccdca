//! Margin-spec 3.3, 4.1 to 4.3 and 5.2 to 5.5 once more, by a different route: whole numbers of any
//! length over one common denominator, every scenario, the root compared by squaring. Nothing here
//! rounds except where the specification does (a leg's value, a token's amount and weight), and
//! nothing calls the engine's arithmetic.

use crate::common::TestBook;
use keel_risk::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use std::collections::BTreeMap;

pub fn ratio(n: impl Into<BigInt>, d: impl Into<BigInt>) -> BigRational {
    BigRational::new(n.into(), d.into())
}

pub fn whole(n: impl Into<BigInt>) -> BigRational {
    BigRational::from_integer(n.into())
}

const MILLION: i128 = 1_000_000;
/// Charges and equities are counted in atoms of `1 / (10^6 * 2^132)`: weights, 48 bits of carry, and
/// a net delta (62 + 30 bits) times a distance (40 bits) are whole numbers of it.
const FINE_BITS: usize = 132;

fn fine(atoms: impl Into<BigInt>) -> BigInt {
    (atoms.into() * MILLION) << FINE_BITS
}

/// `atoms * rate / 2^shift`, in fine atoms.
fn fine_share(atoms: impl Into<BigInt>, rate: u32, shift: usize) -> BigInt {
    (atoms.into() * rate) << (FINE_BITS - shift)
}

/// Fine atoms as a number for people.
pub fn readable(fine_atoms: &BigInt) -> String {
    BigRational::new(fine_atoms.clone(), fine(1)).to_string()
}

/// Which requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Maintenance,
    /// With the factor that replaces each asset's own, if any.
    Initial(Option<Ppm>),
}

/// An option leg.
#[derive(Clone, Copy, Debug)]
struct Held {
    instrument: u8,
    size: i128,
    value: i128,
}

/// An asset's legs, tokens weighted, in atoms; results in fine atoms.
#[derive(Clone, Debug, Default)]
struct Holding {
    spot: i128,
    linear: Vec<i128>,
    options: Vec<Held>,
    result: BigInt,
}

/// `units * price`, floor (1.3).
fn value(units: i128, price: Price) -> i128 {
    (units * i128::from(price.mantissa())) >> price.shift()
}

/// Shares at their index, towards minus infinity (4.1).
fn tokens(leg: BalanceLeg, rate: &RateTerms) -> i128 {
    let index = if leg.shares.0 >= 0 {
        rate.deposit_index
    } else {
        rate.borrow_index
    };
    (i128::from(leg.shares.0) * i128::from(index.0)) >> 48
}

/// `size * (mark - F) + quote` in fine atoms (7.2).
fn worth(leg: &PositionLeg, terms: &InstrumentTerms) -> BigInt {
    let carry = if leg.size.0 >= 0 {
        terms.carry_long
    } else {
        terms.carry_short
    };
    let carried = fine_share(BigInt::from(leg.size.0) * carry.0, 1_000_000, 48);
    fine(value(leg.size.0.into(), terms.mark) + i128::from(leg.quote.0)) - carried
}

/// The account by asset; `weight` chooses a token's weight by whether it is owed.
fn holdings(
    book: &TestBook,
    account: &impl Legs,
    weight: impl Fn(&RateTerms, bool) -> u32,
) -> BTreeMap<u8, Holding> {
    let mut assets: BTreeMap<u8, Holding> = BTreeMap::new();
    for leg in balances(account).filter(|leg| leg.rate != QUOTE_RATE && leg.shares.0 != 0) {
        let rate = book.rate(leg.rate);
        let held = value(tokens(leg, &rate), book.asset(rate.asset).native_price);
        let weighted = (held * i128::from(weight(&rate, held < 0))).div_euclid(MILLION);
        assets.entry(rate.asset).or_default().spot += weighted;
    }
    for leg in positions(account) {
        let terms = book.instrument(leg.instrument);
        let asset = assets.entry(terms.asset).or_default();
        asset.result += worth(&leg, &terms);
        let (size, value) = (i128::from(leg.size.0), value(leg.size.0.into(), terms.mark));
        if terms.kind.is_option() {
            let instrument = leg.instrument;
            asset.options.push(Held {
                instrument,
                size,
                value,
            });
        } else {
            asset.linear.push(value);
        }
    }
    assets
}

fn balances(account: &impl Legs) -> impl Iterator<Item = BalanceLeg> {
    (0..account.balance_slots()).filter_map(|slot| account.balance(slot))
}

fn positions(account: &impl Legs) -> impl Iterator<Item = PositionLeg> {
    (0..account.position_slots()).filter_map(|slot| account.position(slot))
}

fn maintenance_weight(rate: &RateTerms, owed: bool) -> u32 {
    if owed {
        rate.maint_liab_weight.0
    } else {
        rate.maint_asset_weight.0
    }
}

fn initial_weight(rate: &RateTerms, owed: bool) -> u32 {
    if owed {
        rate.init_liab_weight.0
    } else {
        rate.init_asset_weight.0
    }
}

/// Equities before they are rounded, in fine atoms.
#[derive(Clone, Debug, Default)]
pub struct ExactEquities {
    pub net: BigInt,
    pub maintenance: BigInt,
    pub initial: BigInt,
}

/// 4.2, 4.3, 2.6 and decision 3.
pub fn equities(book: &TestBook, account: &impl Legs, terms: InitialTerms) -> ExactEquities {
    let cash: i128 = balances(account)
        .filter(|leg| leg.rate == QUOTE_RATE)
        .map(|leg| tokens(leg, &book.rate(QUOTE_RATE)))
        .sum();
    let plain = holdings(book, account, |_, _| 1_000_000);
    let maintenance = holdings(book, account, maintenance_weight);
    let initial = holdings(book, account, initial_weight);
    let total = |assets: &BTreeMap<u8, Holding>| {
        let worth = assets
            .values()
            .map(|asset| fine(asset.spot) + &asset.result);
        worth.fold(fine(cash), |sum, worth| sum + worth)
    };
    let stance = terms.stance;
    let doubts: BigInt = maintenance
        .iter()
        .map(|(index, asset)| doubt(book, *index, asset, stance, 0))
        .sum();

    let (mut bare, mut gains) = (fine(cash), BigInt::zero());
    for (index, asset) in &initial {
        let delta = delta(book, *index, asset);
        let listed = book.asset(*index);
        let share = if delta.is_positive() {
            listed.down
        } else {
            listed.up
        };
        bare += fine(asset.spot) - delta.abs() * share.0;
        bare += doubt(book, *index, asset, stance, share.0);
        if !asset.result.is_positive() {
            bare += &asset.result;
        } else if terms.gains == Gains::Counted {
            gains += &asset.result * book.group.upnl_weight.0.min(1_000_000) / MILLION;
        }
    }
    ExactEquities {
        net: total(&plain),
        maintenance: total(&maintenance) + doubts,
        initial: bare + gains.min(fine(book.group.upnl_cap.0.max(0))),
    }
}

/// What an asset's legs move like (4.3): one net delta, in 2^40 fine atoms, so that a distance of 40
/// bits times it is a number of fine atoms.
fn delta(book: &TestBook, index: u8, asset: &Holding) -> BigInt {
    let price = book.asset(index).lot_price;
    // In 2^-92 atoms.
    let mut net: BigInt = BigInt::from(asset.spot + asset.linear.iter().sum::<i128>()) << 92;
    for leg in &asset.options {
        let delta = book.instrument(leg.instrument).delta.0;
        let lots = BigInt::from(leg.size) * delta;
        net += (lots * price.mantissa()) << (62 - price.shift());
    }
    net * MILLION
}

/// What an equity moves by where an asset's price is in doubt (2.6).
fn doubt(book: &TestBook, index: u8, asset: &Holding, stance: Stance, counted: u64) -> BigInt {
    let delta = delta(book, index, asset);
    let quality = book.quality(index);
    let one = 1u64 << 40;
    let (down, up) = (quality.bound_down.0, quality.bound_up.0);
    // Bounds a tenth farther: (1 + up) * 1.1 - 1 and 1 - (1 - down) * 0.9, ceil.
    let stale_up = ((one + up) * 11).div_ceil(10) - one;
    let stale_down = one - (one - down) * 9 / 10;
    let long = delta.is_positive();
    let stale = quality.tier >= Tier::Stale;
    let share = match (stance, quality.tier, long) {
        (Stance::Plain, _, _) | (_, Tier::Ok, _) | (Stance::InFavour, Tier::Wide, _) => 0,
        (Stance::Against, _, true) if stale => one,
        (Stance::Against, _, false) | (Stance::InFavour, _, true) if stale => stale_up,
        (Stance::InFavour, _, false) if stale => stale_down,
        (Stance::Against, _, true) | (Stance::InFavour, _, false) => down,
        (Stance::Against, _, false) | (Stance::InFavour, _, true) => up,
    };
    if stance == Stance::InFavour {
        return delta.abs() * share;
    }
    // Against the account only what goes beyond the distance counted already.
    -(delta.abs() * share.saturating_sub(counted))
}

/// Whether an asset is judged without a scan (2.6).
fn is_quiet(book: &TestBook, index: u8, stance: Stance) -> bool {
    stance == Stance::InFavour && book.quality(index).tier >= Tier::Stale
}

/// One asset's exact part.
#[derive(Clone, Debug)]
pub struct ExactLine {
    pub net: i128,
    /// Loss in every scenario and the scan, in units of the requirement.
    pub losses: Vec<BigInt>,
    pub scan: BigInt,
    /// The size multiplier, as a fraction.
    pub multiplier: (BigInt, BigInt),
    pub legs: i64,
    /// Charges in fine atoms.
    pub basis: BigInt,
    pub floor: BigInt,
    pub unwind: BigInt,
    /// What the multiplier and the factor make of one atom, ceil.
    pub growth: i64,
    /// Judged without a scan.
    is_quiet: bool,
    systematic: u16,
}

/// A requirement before its root is drawn and before anything is rounded.
#[derive(Clone, Debug)]
pub struct Exact {
    /// Losses are whole numbers of `1 / unit` atoms.
    pub unit: BigInt,
    pub lines: BTreeMap<u8, ExactLine>,
    /// The square of X, in `1 / (1,000 * unit)^2` atoms.
    pub one_factor_squared: BigInt,
    /// Y and the sum of the scans.
    pub systemic: BigInt,
    pub sum_of_scans: BigInt,
    pub gross_min: u32,
    pub cushion: i128,
    pub surcharge: i128,
    /// The bits of the largest gain or loss, in atoms, for the shift that 1.6 allows.
    largest_bits: u64,
}

/// Losses of one asset over a denominator of its own.
struct Scan {
    losses: Vec<BigInt>,
    /// The asset's denominator beyond the scenarios'.
    own: BigInt,
    multiplier: (BigInt, BigInt),
    growth: i64,
}

/// The requirement (3.3, 5.2 to 5.5).
pub fn requirement(book: &TestBook, account: &impl Legs, which: Which, stance: Stance) -> Exact {
    let assets = match which {
        Which::Maintenance => holdings(book, account, maintenance_weight),
        Which::Initial(_) => holdings(book, account, initial_weight),
    };
    let parts: i128 = book.scenarios.iter().fold(1, |lcm, scenario| {
        let by = i128::from(scenario.k_den);
        lcm / gcd(lcm, by) * by
    });
    let scans: Vec<(u8, &Holding, Scan)> = assets
        .iter()
        .map(|(index, asset)| {
            let mut scan = scan(book, *index, asset, which, parts);
            if is_quiet(book, *index, stance) {
                for loss in &mut scan.losses {
                    *loss = loss.clone().min(BigInt::zero());
                }
            }
            (*index, asset, scan)
        })
        .collect();

    // Over the product of all assets' denominators.
    let product = scans
        .iter()
        .fold(BigInt::one(), |all, (_, _, scan)| all * &scan.own);
    let unit = &product * (MILLION * MILLION * parts);
    let mut lines = BTreeMap::new();
    for (index, asset, scan) in scans {
        let others = &product / &scan.own;
        let losses: Vec<BigInt> = scan.losses.iter().map(|loss| loss * &others).collect();
        let worst = losses.iter().max().cloned().unwrap_or_default();
        let terms = book.asset(index);
        let (basis, floor, unwind) = charges(book, &terms, asset);
        let line = ExactLine {
            net: asset.spot + asset.linear.iter().sum::<i128>(),
            scan: worst.max(BigInt::zero()),
            losses,
            multiplier: scan.multiplier,
            legs: (asset.linear.len() + asset.options.len()) as i64 + 1,
            basis,
            floor,
            unwind,
            growth: scan.growth,
            is_quiet: is_quiet(book, index, stance),
            systematic: terms.systematic.min(1_000),
        };
        lines.insert(index, line);
    }
    aggregate(book, account, which, unit, lines)
}

/// Losses in every scenario (5.2), with the size multiplier (3.3) and the factor.
fn scan(book: &TestBook, index: u8, asset: &Holding, which: Which, parts: i128) -> Scan {
    let terms = book.asset(index);
    let range = i128::from(terms.range.0).min(MILLION);
    let net = asset.spot + asset.linear.iter().sum::<i128>();
    // A move as a share of the price, over `10^6 * parts`.
    let stop = -MILLION * parts;
    let shock = |scenario: &Scenario| {
        let moved = i128::from(scenario.k_num) * (parts / i128::from(scenario.k_den)) * range;
        moved.max(stop)
    };
    // Unmultiplied losses, over `10^12 * parts`.
    let raw: Vec<BigInt> = book
        .scenarios
        .iter()
        .enumerate()
        .map(|(number, scenario)| {
            let weight = i128::from(scenario.w.0).min(MILLION);
            let gained = asset.options.iter().map(|leg| {
                let array = book.array(leg.instrument);
                leg.size * i128::from(array.get(number).copied().unwrap_or(0))
            });
            let linear = BigInt::from(net) * weight * shock(scenario);
            -(linear + BigInt::from(gained.sum::<i128>()) * (MILLION * MILLION * parts))
        })
        .collect();
    let worst = raw
        .iter()
        .max()
        .cloned()
        .unwrap_or_default()
        .max(BigInt::zero());

    let unit = MILLION * MILLION * parts;
    let multiplier = multiplier(&worst, &terms, BigInt::from(unit * range));
    let factor = match which {
        Which::Maintenance => MILLION,
        Which::Initial(given) => i128::from(given.unwrap_or(terms.init_factor).0),
    };
    let factor = factor.clamp(MILLION, 16 * MILLION);
    let (up, down) = (&multiplier.0 * factor, &multiplier.1 * MILLION);

    // No long is charged more than its value: at most `1 / |shock|` of a loss.
    let falls: Vec<i128> = book.scenarios.iter().map(|s| -shock(s).min(0)).collect();
    let capped = |fall: i128| fall > 0 && &up * fall > &down * -stop;
    let common = falls
        .iter()
        .filter(|fall| capped(**fall))
        .fold(BigInt::one(), |lcm, fall| {
            let rest = i128::try_from(&lcm % fall).expect("below the divisor");
            lcm * fall / gcd(*fall, rest)
        });
    let losses = raw.iter().zip(&falls).map(|(loss, fall)| {
        if !loss.is_positive() {
            loss * &down * &common
        } else if capped(*fall) {
            loss * &down * -stop * (&common / fall)
        } else {
            loss * &up * &common
        }
    });
    Scan {
        losses: losses.collect(),
        own: &down * &common,
        growth: i64::try_from((&up + &down - 1) / &down).expect("a small multiplier"),
        multiplier,
    }
}

/// `1 + min(concentration_cap, D* / depth)`, D* the unmultiplied scan divided by the range. `range`
/// is the range over the scan's denominator times `10^6`.
fn multiplier(scan: &BigInt, terms: &AssetTerms, range: BigInt) -> (BigInt, BigInt) {
    let cap = BigInt::from(terms.concentration_cap.0.min(15_000_000));
    if terms.depth.0 <= 0 || scan.is_zero() {
        return (BigInt::one(), BigInt::one());
    }
    let size = scan * MILLION;
    let depth = range * terms.depth.0;
    if &size * MILLION >= &cap * &depth {
        return (cap + MILLION, BigInt::from(MILLION));
    }
    (&size + &depth, depth)
}

/// Basis, floor and unwind (5.3), in fine atoms.
fn charges(book: &TestBook, terms: &AssetTerms, asset: &Holding) -> (BigInt, BigInt, BigInt) {
    let rate = |rate: Ppm| rate.0.min(1_000_000);
    let legs = || asset.linear.iter().copied().chain([asset.spot]);
    let long: i128 = legs().filter(|value| *value > 0).sum();
    let short: i128 = -legs().filter(|value| *value < 0).sum::<i128>();
    let traded: i128 = asset.linear.iter().map(|value| value.abs()).sum::<i128>()
        + asset
            .options
            .iter()
            .map(|leg| leg.value.abs())
            .sum::<i128>()
        + -asset.spot.min(0);
    let sold = asset.options.iter().filter(|leg| leg.size < 0).map(|leg| {
        assert!(book.instrument(leg.instrument).kind.is_option());
        -leg.size
    });
    let price = terms.lot_price;
    (
        fine_share(long.min(short), rate(terms.basis_rate), 0),
        fine_share(
            BigInt::from(sold.sum::<i128>()) * price.mantissa(),
            rate(terms.short_option_min),
            usize::from(price.shift()),
        ),
        fine_share(traded, rate(terms.unwind_rate), 0),
    )
}

/// X squared, Y and the sums (5.4).
fn aggregate(
    book: &TestBook,
    account: &impl Legs,
    which: Which,
    unit: BigInt,
    lines: BTreeMap<u8, ExactLine>,
) -> Exact {
    let (mut systemic, mut together) = (BigInt::zero(), BigInt::zero());
    for number in 0..book.scenarios.len() {
        let (mut plain, mut shared) = (BigInt::zero(), BigInt::zero());
        for line in lines.values() {
            plain += &line.losses[number];
            shared += &line.losses[number] * line.systematic;
        }
        systemic = systemic.max(plain);
        together = together.max(shared);
    }
    let own: BigInt = lines
        .values()
        .map(|line| {
            let b = i64::from(line.systematic);
            &line.scan * &line.scan * (1_000_000 - b * b)
        })
        .sum();
    let largest = lines
        .values()
        .flat_map(|line| &line.losses)
        .map(BigInt::abs)
        .max();
    let options =
        || positions(account).filter(|leg| book.instrument(leg.instrument).kind.is_option());
    let lots = |leg: &PositionLeg| i128::from(leg.size.0).abs();
    Exact {
        one_factor_squared: &together * &together + own,
        systemic,
        sum_of_scans: lines.values().map(|line| &line.scan).sum(),
        gross_min: book.group.gross_min.0.min(1_000_000),
        cushion: options().map(|leg| lots(&leg)).sum(),
        surcharge: match which {
            Which::Maintenance => 0,
            Which::Initial(_) => options()
                .map(|leg| lots(&leg) * i128::from(book.instrument(leg.instrument).surcharge.0))
                .sum(),
        },
        largest_bits: (largest.unwrap_or_default() / &unit).bits(),
        unit,
        lines,
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Exact {
    fn sum(&self, part: impl Fn(&ExactLine) -> &BigInt) -> BigInt {
        self.lines.values().map(part).sum()
    }

    pub fn basis(&self) -> BigInt {
        self.sum(|line| &line.basis)
    }

    pub fn floor(&self) -> BigInt {
        self.sum(|line| &line.floor)
    }

    pub fn unwind(&self) -> BigInt {
        self.sum(|line| &line.unwind)
    }

    /// All that is added to the scan, in fine atoms.
    fn additions(&self) -> BigInt {
        self.basis() + self.floor() + self.unwind() + fine(self.cushion + self.surcharge)
    }

    /// Whether a scan of so many fine atoms is at least the exact one.
    fn scan_within(&self, scan: &BigInt) -> bool {
        !scan.is_negative()
            && scan * &self.unit >= fine(self.systemic.clone())
            && scan * &self.unit * MILLION >= fine(&self.sum_of_scans * self.gross_min)
            && self.root_within(scan)
    }

    fn root_within(&self, scan: &BigInt) -> bool {
        let root = scan * &self.unit * 1_000;
        &root * &root >= &self.one_factor_squared * fine(1) * fine(1)
    }

    /// Whether the exact requirement is at most `atoms`.
    pub fn at_most(&self, atoms: i64) -> bool {
        self.scan_within(&(fine(atoms) - self.additions()))
    }

    /// The same for a fraction of atoms.
    pub fn is_at_most(&self, atoms: &BigRational) -> bool {
        let fine_atoms = (atoms * whole(fine(1))).floor().to_integer();
        self.scan_within(&(fine_atoms - self.additions()))
    }

    /// Whether the exact requirement is at least `atoms`.
    pub fn at_least(&self, atoms: i64) -> bool {
        // Strictly below is not above: compare with the next smaller fine atom.
        !self.scan_within(&(fine(atoms) - self.additions() - 1))
    }

    /// How many atoms the engine may exceed the exact requirement by: 24, 8 for each leg and each
    /// asset, times what multiplier and factor make of an atom beyond 8; and what shifting losses
    /// above 2^48 may add (1.6).
    pub fn tolerance(&self) -> i64 {
        let assets = self.lines.len() as i64;
        let legs: i64 = self.lines.values().map(|line| line.legs).sum();
        let growth = self
            .lines
            .values()
            .map(|line| line.growth)
            .max()
            .unwrap_or(1);
        let plain = (24 + 8 * (legs + assets)) * growth.div_euclid(8).max(1);
        let shift = self.largest_bits.saturating_sub(48);
        let shifted = if shift == 0 {
            0
        } else {
            (2 * assets + 2) << shift
        };
        plain + shifted
    }

    /// Checks one requirement and every part of it, each rounded up by at most the tolerance.
    pub fn check(&self, requirement: Atoms, parts: &Parts) -> Result<(), String> {
        let tolerance = self.tolerance();
        let within = |name: &str, atoms: i64, least: bool, most: bool| {
            if least && most {
                return Ok(());
            }
            let side = if least { "too far above" } else { "below" };
            Err(format!(
                "{name} {atoms} is {side} the exact one (tolerance {tolerance})"
            ))
        };
        let over = |name: &str, atoms: Atoms, exact: &BigInt, unit: &BigInt| {
            let (least, most) = (
                BigInt::from(atoms.0) * unit,
                BigInt::from(atoms.0 - tolerance) * unit,
            );
            within(name, atoms.0, least >= *exact, most <= *exact)
        };
        let (one, ppm) = (fine(1), &self.unit * MILLION);
        over("systemic", parts.systemic, &self.systemic, &self.unit)?;
        over(
            "gross",
            parts.gross,
            &(&self.sum_of_scans * self.gross_min),
            &ppm,
        )?;
        over("basis", parts.basis, &self.basis(), &one)?;
        over("unwind", parts.unwind, &self.unwind(), &one)?;
        over("floor", parts.floor, &self.floor(), &one)?;
        let lots = [i128::from(parts.cushion.0), i128::from(parts.surcharge.0)];
        if lots != [self.cushion, self.surcharge] {
            return Err(format!("cushion and surcharge {lots:?}"));
        }
        let root = parts.one_factor.0;
        let less = fine((root - tolerance).max(0));
        within(
            "one_factor",
            root,
            root >= 0 && self.root_within(&fine(root)),
            root <= tolerance || !self.root_within(&(less - 1)),
        )?;
        within(
            "requirement",
            requirement.0,
            self.at_most(requirement.0),
            requirement.0 <= tolerance || self.at_least(requirement.0 - tolerance),
        )
    }
}

impl ExactLine {
    /// Checks a report's part of this asset: its net exactly, its scan and charges rounded up by at
    /// most the tolerance, a worst scenario that is one, and the multiplier.
    pub fn check(&self, part: &LinePart, terms: &AssetTerms, exact: &Exact) -> Result<(), String> {
        let tolerance = exact.tolerance();
        let over = |name: &str, atoms: Atoms, exact: &BigInt, unit: &BigInt| {
            let more: BigInt = BigInt::from(atoms.0) * unit - exact;
            let right = !more.is_negative() && more <= unit * tolerance;
            right.then_some(()).ok_or(format!("{name} {}", atoms.0))
        };
        let one = fine(1);
        over("line's scan", part.scan, &self.scan, &exact.unit)?;
        over("line's basis", part.basis, &self.basis, &one)?;
        over("line's unwind", part.unwind, &self.unwind, &one)?;
        over("line's floor", part.floor, &self.floor, &one)?;
        let net = i128::from(part.net.0) == self.net;
        let worst = self.losses.get(usize::from(part.worst).wrapping_sub(1));
        let short = &self.scan - worst.ok_or("no worst scenario")?;
        let near = short <= &exact.unit * tolerance || (part.scan.0 == 0 && part.worst == 1);

        // The scan that D* is made of may be 8 atoms over.
        let (up, down) = &self.multiplier;
        let more: BigInt = BigInt::from(part.multiplier.0) * down - (up << 40);
        let range = BigInt::from(terms.range.0.max(1));
        let over: BigInt = (BigInt::from(8_000_000) / range + 2) << 40;
        let most = (over / terms.depth.0.max(1) + 4) * down;
        let multiplier = !more.is_negative() && more <= most;
        match (net, near, multiplier || self.is_quiet) {
            (true, true, true) => Ok(()),
            wrong => Err(format!(
                "line's net, worst, multiplier: {wrong:?}; {part:?} {terms:?} {more} of {most}"
            )),
        }
    }
}

impl ExactEquities {
    /// Checks every equity: at most the exact one, and below it by at most 8 atoms and 4 for each
    /// leg. Prices in the account's favour are rounded in its favour, by as much.
    pub fn check(&self, found: &Assessment, stance: Stance, legs: i64) -> Result<(), String> {
        let (maintenance, initial) = (found.maintenance.equity, found.initial.equity);
        let few = fine(8 + 4 * legs);
        let above = match stance {
            Stance::InFavour => few.clone(),
            _ => BigInt::zero(),
        };
        for (name, atoms, exact, above) in [
            (
                "net asset value",
                found.net_asset_value,
                &self.net,
                &BigInt::zero(),
            ),
            ("maintenance equity", maintenance, &self.maintenance, &above),
            ("initial equity", initial, &self.initial, &above),
        ] {
            let short = exact - fine(atoms.0);
            if short < -above || short > few {
                return Err(format!("{name} {} for {}", atoms.0, readable(exact)));
            }
        }
        Ok(())
    }
}
