//! A book and an account in plain vectors, and strategies for random ones.

use keel_risk::limits::{MAX_BALANCES, MAX_POSITIONS};
use keel_risk::*;
use proptest::prelude::*;

/// `cases` unless PROPTEST_CASES says otherwise; cases that do not suit a law do not count.
pub fn config(cases: u32) -> ProptestConfig {
    let given = std::env::var("PROPTEST_CASES").ok();
    let cases = given.and_then(|n| n.parse().ok()).unwrap_or(cases);
    ProptestConfig {
        cases,
        max_global_rejects: cases.max(1_024),
        max_local_rejects: cases.saturating_mul(8).max(65_536),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[derive(Clone, Debug)]
pub struct TestBook {
    pub group: GroupTerms,
    pub assets: Vec<AssetTerms>,
    pub rates: Vec<RateTerms>,
    pub instruments: Vec<InstrumentTerms>,
    pub arrays: Vec<Vec<i32>>,
    pub greeks: Vec<Greeks>,
    pub qualities: Vec<PriceQuality>,
    /// Per year, of every asset.
    pub variance: Frac40,
    pub scenarios: Vec<Scenario>,
}

/// A fresh price.
pub const FRESH: PriceQuality = PriceQuality {
    tier: Tier::Ok,
    age_s: 1,
    conf: Ppm(500),
    bound_down: Frac40(0),
    bound_up: Frac40(0),
    max_age_margin_s: 60,
    max_age_liquidation_s: 15,
    max_age_withdrawal_s: 30,
    max_age_pool_s: 15,
};

pub fn price(mantissa: u64, shift: u8) -> Price {
    Price::new(mantissa, shift).expect("a price in bounds")
}

/// The quote's bank and asset, and the sixteen SPAN scenarios.
pub fn empty_book() -> TestBook {
    let mut book = TestBook {
        group: GroupTerms {
            gross_min: Ppm(300_000),
            upnl_weight: Ppm(800_000),
            upnl_cap: Atoms(1_000_000_000_000),
            min_notional: Atoms(10_000_000),
            min_equity: Atoms(5_000_000),
            small_requirement: Atoms(50_000_000),
            extremes: extremes(&SPAN_16),
        },
        assets: vec![],
        rates: vec![],
        instruments: vec![],
        arrays: vec![],
        greeks: vec![],
        qualities: vec![],
        variance: Frac40(0),
        scenarios: SPAN_16.to_vec(),
    };
    let quote = AssetTerms {
        lot_price: Price::ONE,
        native_price: Price::ONE,
        range: Ppm(0),
        ..plain_asset()
    };
    book.list(quote, [1_000_000; 4], 0);
    book
}

/// $1 per lot and 1 atom per native unit, range 10%, b 0.9, no size multiplier.
pub fn plain_asset() -> AssetTerms {
    AssetTerms {
        lot_price: price(1_000_000 << 10, 10),
        native_price: price(1 << 30, 30),
        down: Frac40(0),
        up: Frac40(0),
        depth: Atoms(0),
        range: Ppm(100_000),
        init_factor: Ppm(1_500_000),
        concentration_cap: Ppm(0),
        basis_rate: Ppm(10_000),
        unwind_rate: Ppm(0),
        short_option_min: Ppm(5_000),
        systematic: 900,
    }
}

/// Cash enough for anything.
pub fn rich() -> TestAccount {
    TestAccount::default().with_balance(0, 1 << 50)
}

/// The plain asset with weights of its own, a perp and a future.
pub fn one_asset() -> TestBook {
    let mut book = empty_book();
    book.list(plain_asset(), [900_000, 800_000, 1_100_000, 1_200_000], 2);
    book
}

/// A bank's ledger at indices of one.
pub fn bank(deposits: u64, borrows: u64) -> BankLedger {
    BankLedger {
        deposit_shares: deposits,
        borrow_shares: borrows,
        deposit_index: Index48::ONE,
        borrow_index: Index48::ONE,
        tracked: deposits - borrows,
        fees: 0,
        insurance: 0,
        dust: 0,
    }
}

/// A bank that lends to its last unit and lets out whatever is asked, published now.
pub fn open_exit(rate: u8, ledger: BankLedger) -> Exit {
    let empty = Bucket {
        level: 0,
        updated: 0,
    };
    Exit {
        bank: LendingTerms {
            rate,
            ledger,
            deposit_cap: u64::MAX,
            borrow_cap: u64::MAX,
            halted: false,
            peg_holds: true,
            published_age_s: 0,
        },
        gate: Gate {
            outflow: Outflow {
                open: empty,
                small: empty,
            },
            queue: Queue::default(),
            ticket: Ticket::default(),
            small: SmallUse::default(),
        },
        terms: OutflowTerms {
            share: Ppm(0),
            floor: u64::MAX,
            least_deposits: 0,
            now: 0,
        },
    }
}

impl TestBook {
    /// Adds an asset with a bank of these weights (maintenance and initial asset, then liability)
    /// and `instruments` perps and futures at its price. Returns the asset's index, which is also
    /// its bank's.
    pub fn list(&mut self, terms: AssetTerms, weights: [u32; 4], instruments: usize) -> u8 {
        let asset = self.assets.len() as u8;
        self.assets.push(terms);
        self.qualities.push(FRESH);
        self.rates.push(RateTerms {
            asset,
            deposit_index: Index48::ONE,
            borrow_index: Index48::ONE,
            maint_asset_weight: Ppm(weights[0]),
            init_asset_weight: Ppm(weights[1]),
            maint_liab_weight: Ppm(weights[2]),
            init_liab_weight: Ppm(weights[3]),
        });
        for index in 0..instruments {
            let kind = if index == 0 {
                InstrumentKind::Perp
            } else {
                InstrumentKind::Future
            };
            let linear = InstrumentTerms::linear(kind, asset, terms.lot_price);
            self.list_instrument(linear, &[], Greeks::LINEAR);
        }
        asset
    }

    /// Adds an instrument with its risk array. Returns its index.
    pub fn list_instrument(&mut self, terms: InstrumentTerms, array: &[i32], greeks: Greeks) -> u8 {
        self.instruments.push(terms);
        self.arrays.push(array.to_vec());
        self.greeks.push(greeks);
        (self.instruments.len() - 1) as u8
    }

    /// The same book, judged over all scenarios even where two suffice: its peaks claim a reach
    /// that no row obeys.
    pub fn unabridged(&self) -> Self {
        let mut book = self.clone();
        book.group.extremes.down.reach = 255;
        book.group.extremes.down.scenario.k_num = -127;
        book.group.extremes.down.scenario.k_den = 1;
        book
    }
}

impl Book for TestBook {
    fn group(&self) -> GroupTerms {
        self.group
    }

    fn asset(&self, index: u8) -> AssetTerms {
        self.assets[usize::from(index)]
    }

    fn rate(&self, index: u8) -> RateTerms {
        self.rates[usize::from(index)]
    }

    fn instrument(&self, index: u8) -> InstrumentTerms {
        self.instruments[usize::from(index)]
    }

    fn array(&self, instrument: u8) -> &[i32] {
        &self.arrays[usize::from(instrument)]
    }

    fn greeks(&self, instrument: u8) -> Greeks {
        self.greeks[usize::from(instrument)]
    }

    fn quality(&self, asset: u8) -> PriceQuality {
        self.qualities[usize::from(asset)]
    }

    fn variance(&self, _asset: u8) -> Frac40 {
        self.variance
    }

    fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }
}

#[derive(Clone, Debug, Default)]
pub struct TestAccount {
    pub balances: Vec<BalanceLeg>,
    pub positions: Vec<PositionLeg>,
}

impl TestAccount {
    /// A holding of a bank, in shares.
    pub fn with_balance(mut self, rate: u8, shares: i64) -> Self {
        self.balances.push(BalanceLeg {
            rate,
            shares: Shares(shares),
        });
        self
    }

    pub fn with_position(mut self, instrument: u8, size: i64, quote: i64) -> Self {
        self.positions.push(PositionLeg {
            instrument,
            size: Lots(size),
            quote: Atoms(quote),
        });
        self
    }

    /// Writes a position as a plan left it.
    pub fn set_position(&mut self, (slot, leg): (usize, PositionLeg)) {
        if slot == self.positions.len() {
            self.positions.push(leg);
        } else {
            self.positions[slot] = leg;
        }
    }
}

impl Legs for TestAccount {
    fn balance_slots(&self) -> usize {
        MAX_BALANCES.max(self.balances.len())
    }

    fn balance(&self, slot: usize) -> Option<BalanceLeg> {
        self.balances.get(slot).copied()
    }

    fn position_slots(&self) -> usize {
        MAX_POSITIONS.max(self.positions.len())
    }

    fn position(&self, slot: usize) -> Option<PositionLeg> {
        self.positions.get(slot).copied()
    }
}

/// Judges with lanes of its own.
pub fn assess(book: &TestBook, account: &TestAccount) -> Assessment {
    assess_with(book, account, InitialTerms::COUNTED)
}

pub fn assess_with(book: &TestBook, account: &TestAccount, terms: InitialTerms) -> Assessment {
    let mut lanes = vec![-1; Scratch::MAX_LANES];
    both(book, account, terms, &mut Scratch::new(&mut lanes))
}

/// A whole number of up to `bits` bits, all lengths equally likely.
pub fn any_magnitude(bits: u32) -> impl Strategy<Value = u64> {
    (1..=bits, any::<u64>()).prop_map(|(length, n)| (n >> (64 - length)).max(1))
}

pub fn any_signed(bits: u32) -> impl Strategy<Value = i64> {
    (any_magnitude(bits), any::<bool>())
        .prop_map(|(n, long)| if long { n as i64 } else { -(n as i64) })
}

/// Which shapes of assets a random book has.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub range: (u32, u32),
    pub concentration_cap: u32,
    pub basis_rate: u32,
    pub distance: u64,
}

/// Every range, multipliers up to 2.5, charges up to 5%.
pub const WILD: Shape = Shape {
    range: (10_000, 1_000_000),
    concentration_cap: 1_500_000,
    basis_rate: 50_000,
    distance: 1 << 37,
};

pub fn any_asset(shape: Shape) -> impl Strategy<Value = AssetTerms> {
    let prices = (1u64 << 29..1 << 40, 14u8..30, 20u8..40);
    let risk = (
        shape.range.0..=shape.range.1,
        1_000_000u32..=2_500_000,
        0..=shape.concentration_cap,
        prop_oneof![Just(0u64), any_magnitude(46)],
    );
    let rest = (
        0..=shape.basis_rate,
        0u32..=10_000,
        0u16..=900,
        0..=shape.distance,
        0..=shape.distance,
    );
    (prices, risk, rest).prop_map(|(prices, risk, rest)| AssetTerms {
        lot_price: price(prices.0, prices.1),
        native_price: price(prices.0, prices.2),
        down: Frac40(rest.3),
        up: Frac40(rest.4),
        depth: Atoms(risk.3 as i64),
        range: Ppm(risk.0),
        init_factor: Ppm(risk.1),
        concentration_cap: Ppm(risk.2),
        basis_rate: Ppm(rest.0),
        unwind_rate: Ppm(rest.1),
        short_option_min: Ppm(5_000),
        systematic: rest.2,
    })
}

/// Weights in their lawful order: initial asset <= maintenance asset <= 1 <= maintenance liability
/// <= initial liability.
pub fn any_weights() -> impl Strategy<Value = [u32; 4]> {
    (
        0..=1_000_000u32,
        0..=1_000_000u32,
        0..=300_000u32,
        0..=300_000u32,
    )
        .prop_map(|(maintenance, cut, owed, more)| {
            let initial = (u64::from(maintenance) * u64::from(cut) / 1_000_000) as u32;
            [
                maintenance,
                initial,
                1_000_000 + owed,
                1_000_000 + owed + more,
            ]
        })
}

/// A book of one to `most` assets, each with a perp and a future.
pub fn any_book(most: usize, shape: Shape) -> impl Strategy<Value = TestBook> {
    let listed = prop::collection::vec((any_asset(shape), any_weights()), 1..=most);
    let group = (0..=500_000u32, 0..=1_000_000u32, any_magnitude(46));
    (listed, group).prop_map(|(listed, group)| {
        let mut book = empty_book();
        book.group.gross_min = Ppm(group.0);
        book.group.upnl_weight = Ppm(group.1);
        book.group.upnl_cap = Atoms(group.2 as i64);
        for (terms, weights) in listed {
            book.list(terms, weights, 2);
        }
        book
    })
}

/// For each asset of a book a size of its token, its perp and its future, each in atoms of value
/// (zero for none), and cash.
#[derive(Clone, Debug)]
pub struct Values {
    pub cash: i64,
    pub legs: Vec<[i64; 3]>,
    pub quotes: Vec<[i64; 2]>,
}

/// Values of up to `bits` bits for `assets` assets.
pub fn any_values(assets: usize, bits: u32) -> impl Strategy<Value = Values> {
    let leg = prop_oneof![1 => Just(0i64), 2 => any_signed(bits)];
    let legs = prop::collection::vec([leg.clone(), leg.clone(), leg.clone()], assets);
    let quotes = prop::collection::vec([leg.clone(), leg.clone()], assets);
    (leg, legs, quotes).prop_map(|(cash, legs, quotes)| Values { cash, legs, quotes })
}

/// A book and values for it.
pub fn any_portfolio(
    most: usize,
    shape: Shape,
    bits: u32,
) -> impl Strategy<Value = (TestBook, Values)> {
    any_book(most, shape).prop_flat_map(move |book| {
        let assets = book.assets.len() - 1;
        (Just(book), any_values(assets, bits))
    })
}

/// How many units of `price` are worth about `value`.
pub fn units(value: i64, price: Price) -> i64 {
    let wide = (i128::from(value) << price.shift()) / i128::from(price.mantissa());
    i64::try_from(wide).expect("few enough units")
}

/// The account that holds `values` of a book from [`any_book`].
pub fn account(book: &TestBook, values: &Values) -> TestAccount {
    let mut account = TestAccount::default().with_balance(0, values.cash);
    for (index, (legs, quotes)) in values.legs.iter().zip(&values.quotes).enumerate() {
        let asset = index as u8 + 1;
        let terms = book.asset(asset);
        let token = units(legs[0], terms.native_price);
        if token != 0 {
            account = account.with_balance(asset, token);
        }
        for (which, (value, quote)) in legs[1..].iter().zip(quotes).enumerate() {
            let size = units(*value, terms.lot_price);
            if size != 0 || *quote != 0 {
                account = account.with_position((2 * index + which) as u8, size, *quote);
            }
        }
    }
    account
}
