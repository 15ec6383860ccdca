//! Random books and accounts from a seed, cheap enough for a hundred thousand of them.

use crate::common::*;
use keel_risk::limits::{MAX_BALANCES, MAX_POSITIONS};
use keel_risk::*;
use proptest::prelude::*;

/// SplitMix64 (Steele, Lea, Flood 2014): every seed another stream.
#[derive(Clone, Debug)]
pub struct Draw(pub u64);

impl Draw {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low) as u64 + 1;
        low + (self.word() % span) as i64
    }

    pub fn ppm(&mut self, low: u32, high: u32) -> Ppm {
        Ppm(self.between(low.into(), high.into()) as u32)
    }

    /// True in `percent` of 100 draws.
    pub fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    /// 1 to `bits` bits, all lengths equally likely.
    pub fn magnitude(&mut self, bits: u32) -> i64 {
        let length = self.between(1, bits.into());
        ((self.word() >> (64 - length)).max(1)) as i64
    }

    pub fn signed(&mut self, bits: u32) -> i64 {
        let magnitude = self.magnitude(bits);
        if self.chance(50) {
            magnitude
        } else {
            -magnitude
        }
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.between(0, of.len() as i64 - 1) as usize]
    }
}

/// What a random portfolio is made of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub assets: (i64, i64),
    /// Perps and futures listed for each asset, and options.
    pub linear: i64,
    pub options: i64,
    pub positions: usize,
    /// Legs are worth up to so many bits.
    pub bits: u32,
    pub range: (u32, u32),
    /// Greatest `concentration_cap`; 0 for no size multiplier.
    pub cap: u32,
    pub init_factor: (u32, u32),
    pub basis: u32,
    pub unwind: u32,
    /// Greatest distance of Initial's prices, 40 fractional bits.
    pub distance: i64,
    /// Percent of positions that are closed, with a result.
    pub closed: i64,
    pub balances: bool,
    /// Carry and indices off one.
    pub accrued: bool,
    /// Scenarios of its own instead of the sixteen.
    pub custom: bool,
    /// Arrays and figures of any size rather than those of an option.
    pub wild: bool,
    pub surcharge: bool,
    /// Prices of every tier.
    pub doubt: bool,
}

impl Recipe {
    /// A trader's account with a bit of everything.
    pub const TRADER: Self = Self {
        assets: (1, 8),
        linear: 2,
        options: 3,
        positions: MAX_POSITIONS,
        bits: 44,
        range: (10_000, 330_000),
        cap: 0,
        init_factor: (1_000_000, 2_500_000),
        basis: 50_000,
        unwind: 10_000,
        distance: 1 << 37,
        closed: 10,
        balances: true,
        accrued: true,
        custom: false,
        wild: false,
        surcharge: true,
        doubt: false,
    };
    /// The same without options.
    pub const LINEAR: Self = Self {
        options: 0,
        ..Self::TRADER
    };
    /// A pool: 128 positions over up to 31 assets.
    pub const POOL: Self = Self {
        assets: (16, 31),
        positions: 128,
        bits: 46,
        cap: 1_500_000,
        ..Self::TRADER
    };

    /// A book as this recipe lists it.
    pub fn book(&self, draw: &mut Draw) -> TestBook {
        let mut book = empty_book();
        book.group.gross_min = draw.ppm(0, 500_000);
        book.group.upnl_weight = draw.ppm(0, 1_000_000);
        book.group.upnl_cap = Atoms(draw.magnitude(46));
        if self.custom {
            book.scenarios = scenarios(draw);
            book.group.extremes = extremes(&book.scenarios);
        }
        for _ in 0..draw.between(self.assets.0, self.assets.1) {
            let terms = self.asset(draw);
            let asset = book.list(terms, weights(draw), 0);
            if self.doubt {
                let tiers = [
                    Tier::Ok,
                    Tier::Wide,
                    Tier::Diverged,
                    Tier::Stale,
                    Tier::Invalid,
                ];
                let quality = &mut book.qualities[usize::from(asset)];
                quality.tier = draw.pick(&tiers);
                quality.bound_down = Frac40(draw.between(0, self.distance) as u64);
                quality.bound_up = Frac40(draw.between(0, self.distance) as u64);
            }
            if self.accrued {
                let rate = &mut book.rates[usize::from(asset)];
                rate.deposit_index = Index48(Index48::ONE.0 + draw.magnitude(48) as u64);
                rate.borrow_index = Index48(Index48::ONE.0 + draw.magnitude(48) as u64);
            }
            for number in 0..self.linear {
                let kind = if number == 0 {
                    InstrumentKind::Perp
                } else {
                    InstrumentKind::Future
                };
                let mut linear = InstrumentTerms::linear(kind, asset, terms.lot_price);
                self.accrue(draw, &mut linear);
                book.list_instrument(linear, &[], Greeks::LINEAR);
            }
            for _ in 0..self.options {
                self.list_option(draw, &mut book, asset);
            }
        }
        book
    }

    fn asset(&self, draw: &mut Draw) -> AssetTerms {
        // 2^13.3 to 2^30 atoms for a lot, 30 to 48 bits of mantissa (1.1, 1.3, 5.8).
        let bits = draw.between(30, 48) as u32;
        let low = 1i64 << (bits - 1);
        let mantissa = draw.between(low, 2 * low - 1) as u64;
        let whole = draw.between(15, 30) as u32;
        let sized = self.cap > 0 && draw.chance(80);
        AssetTerms {
            lot_price: price(mantissa, bits.saturating_sub(whole) as u8),
            // Down to 2^-12 atoms for a native unit.
            native_price: price(
                mantissa,
                draw.between(i64::from(bits) - 4, (i64::from(bits) + 12).min(60)) as u8,
            ),
            down: Frac40(draw.between(0, self.distance) as u64),
            up: Frac40(draw.between(0, self.distance) as u64),
            depth: Atoms(if sized { draw.magnitude(46) } else { 0 }),
            range: draw.ppm(self.range.0, self.range.1),
            init_factor: draw.ppm(self.init_factor.0, self.init_factor.1),
            concentration_cap: draw.ppm(0, self.cap),
            basis_rate: draw.ppm(0, self.basis),
            unwind_rate: draw.ppm(0, self.unwind),
            short_option_min: draw.ppm(0, 20_000),
            systematic: draw.between(0, 900) as u16,
        }
    }

    fn accrue(&self, draw: &mut Draw, terms: &mut InstrumentTerms) {
        if self.accrued && draw.chance(60) {
            let mut carry =
                || Carry48((i128::from(draw.signed(24)) << 40) + i128::from(draw.signed(47)));
            (terms.carry_long, terms.carry_short) = (carry(), carry());
        }
    }

    /// Lists a call or a put around the money.
    fn list_option(&self, draw: &mut Draw, book: &mut TestBook, asset: u8) {
        let lot = book.asset(asset).lot_price;
        let forward = ((lot.mantissa() >> lot.shift()) as i64).max(1);
        let strike = forward * draw.between(50, 150) / 100;
        let premium = forward * draw.between(1, 30) / 100;
        let call = draw.chance(50);
        let model = Model {
            forward,
            strike,
            premium,
            call,
        };
        let mut terms = InstrumentTerms {
            kind: if call {
                InstrumentKind::Call
            } else {
                InstrumentKind::Put
            },
            mark: price((model.value(forward, 0) as u64).max(1) << 8, 8),
            delta: Delta30(model.delta()),
            ..InstrumentTerms::linear(InstrumentKind::Call, asset, lot)
        };
        self.accrue(draw, &mut terms);
        if self.surcharge && draw.chance(30) {
            terms.surcharge = Atoms(draw.magnitude(20));
        }
        let range = i64::from(book.asset(asset).range.0);
        let mut array: Vec<i32> = book
            .scenarios
            .iter()
            .map(|s| model.gain(s, range))
            .collect();
        if self.wild {
            match draw.between(0, 9) {
                0..=3 => array.iter_mut().for_each(|a| *a = draw.signed(30) as i32),
                4 => array
                    .iter_mut()
                    .for_each(|a| *a = draw.pick(&[i32::MIN, i32::MAX, -1, 0])),
                5 => array.truncate(draw.between(0, 15) as usize),
                _ => {}
            }
            terms.mark = price(draw.magnitude(40) as u64, draw.between(10, 20) as u8);
            terms.delta = Delta30(draw.between(-1 << 30, 1 << 30) as i32);
        }
        book.list_instrument(terms, &array, Greeks::LINEAR);
    }

    /// An account with a holding of most of what the book lists.
    pub fn account(&self, draw: &mut Draw, book: &TestBook) -> TestAccount {
        let mut account = TestAccount::default().with_balance(QUOTE_RATE, draw.signed(self.bits));
        if self.balances {
            for asset in 1..book.assets.len().min(MAX_BALANCES) {
                if draw.chance(60) {
                    let shares = lots(draw.signed(self.bits), book.assets[asset].native_price);
                    account = account.with_balance(asset as u8, shares);
                }
            }
        }
        let listed = book.instruments.len();
        let keep = (100 * self.positions as i64 / listed.max(1) as i64).clamp(20, 90);
        for instrument in 0..listed {
            if account.positions.len() == self.positions || !draw.chance(keep) {
                continue;
            }
            account = self.hold(draw, book, account, instrument);
        }
        account
    }

    fn hold(
        &self,
        draw: &mut Draw,
        book: &TestBook,
        account: TestAccount,
        at: usize,
    ) -> TestAccount {
        let terms = book.instruments[at];
        let most = (1 << 31) - 1;
        // Options are sized by their asset, so that an array's losses compare with linear ones.
        let by = book.asset(terms.asset).lot_price;
        let size = match terms.kind.is_option() && self.wild {
            true => draw.signed(20),
            false => lots(draw.signed(self.bits), by),
        };
        let quote = if draw.chance(60) {
            draw.signed(self.bits)
        } else {
            0
        };
        if draw.chance(self.closed) {
            return account.with_position(at as u8, 0, quote);
        }
        let size = if size == 0 {
            draw.pick(&[-1, 1])
        } else {
            size.clamp(-most, most)
        };
        account.with_position(at as u8, size, quote)
    }

    pub fn portfolio(&self, draw: &mut Draw) -> (TestBook, TestAccount) {
        let book = self.book(draw);
        let account = self.account(draw, &book);
        (book, account)
    }
}

/// Portfolios of a recipe, with up to its assets and bits; these two shrink.
pub fn any_of(recipe: Recipe) -> impl Strategy<Value = (TestBook, TestAccount)> {
    let (least, most) = recipe.assets;
    (least..=most, 8..=recipe.bits, any::<u64>()).prop_map(move |(assets, bits, seed)| {
        let recipe = Recipe {
            assets: (assets, assets),
            bits,
            ..recipe
        };
        recipe.portfolio(&mut Draw(seed))
    })
}

/// A rough option: intrinsic value and a premium that fades from the strike and breathes with
/// volatility. Convex enough, and whole numbers only.
struct Model {
    forward: i64,
    strike: i64,
    premium: i64,
    call: bool,
}

impl Model {
    fn value(&self, forward: i64, vol: i64) -> i64 {
        let inner = if self.call {
            forward - self.strike
        } else {
            self.strike - forward
        };
        let far = (forward - self.strike).abs();
        let premium = self.premium * (100 + 25 * vol) / 100;
        inner.max(0) + premium * self.strike / (self.strike + 4 * far)
    }

    fn gain(&self, scenario: &Scenario, range: i64) -> i32 {
        let shock = i64::from(scenario.k_num) * range / i64::from(scenario.k_den);
        let moved = self.forward + self.forward * shock.max(-1_000_000) / 1_000_000;
        let gained = self.value(moved, scenario.v.into()) - self.value(self.forward, 0);
        let covered = (gained * i64::from(scenario.w.0)).div_euclid(1_000_000);
        covered.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    fn delta(&self) -> i32 {
        let step = (self.forward / 64).max(1);
        let moved = self.value(self.forward + step, 0) - self.value(self.forward - step, 0);
        ((moved << 30) / (2 * step)).clamp(-1 << 30, 1 << 30) as i32
    }
}

/// Two to 24 scenarios of any depth.
fn scenarios(draw: &mut Draw) -> Vec<Scenario> {
    let one = |draw: &mut Draw| {
        let k_den = draw.pick(&[1u8, 2, 3, 4, 5]);
        let reach = 4 * i64::from(k_den);
        Scenario {
            k_num: draw.between(-reach, reach) as i8,
            k_den,
            v: draw.between(-1, 1) as i8,
            w: if draw.chance(60) {
                Ppm::ONE
            } else {
                draw.ppm(100_000, 1_000_000)
            },
        }
    };
    (0..draw.between(2, 24)).map(|_| one(draw)).collect()
}

/// Weights in their lawful order.
fn weights(draw: &mut Draw) -> [u32; 4] {
    let maintenance = draw.ppm(0, 1_000_000).0;
    let owed = draw.ppm(1_000_000, 1_300_000).0;
    [
        maintenance,
        draw.ppm(0, maintenance).0,
        owed,
        draw.ppm(owed, 1_600_000).0,
    ]
}

/// How many units of `price` are worth about `value`.
fn lots(value: i64, price: Price) -> i64 {
    let wide = (i128::from(value) << price.shift()) / i128::from(price.mantissa());
    wide.clamp(-(1 << 61), 1 << 61) as i64
}
