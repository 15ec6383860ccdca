//! 1.6, I14: at its documented maximum every field gives the right answer or a typed refusal; beyond
//! it judging saturates and never fails.

use crate::common::*;
use crate::differential::compare;
use crate::portfolios::{Draw, Recipe, any_of};
use keel_risk::limits::*;
use keel_risk::*;
use proptest::prelude::*;

/// A figure of a book that has a documented maximum, and how to set it there.
type AtMost = (&'static str, fn(&mut TestBook));

fn every_asset(book: &mut TestBook, set: impl Fn(&mut AssetTerms)) {
    book.assets[1..].iter_mut().for_each(set);
}

fn every_bank(book: &mut TestBook, set: impl Fn(&mut RateTerms)) {
    book.rates[1..].iter_mut().for_each(set);
}

fn every_instrument(book: &mut TestBook, set: impl Fn(&mut InstrumentTerms)) {
    book.instruments.iter_mut().for_each(set);
}

/// The maxima of `docs/parameters.md`, `limits.rs` and the fields' own documents.
const MAXIMA: [AtMost; 23] = [
    ("gross_min", |book| book.group.gross_min = Ppm::ONE),
    ("upnl_weight", |book| book.group.upnl_weight = Ppm::ONE),
    ("upnl_cap", |book| book.group.upnl_cap = Atoms(i64::MAX)),
    ("range", |book| every_asset(book, |a| a.range = Ppm::ONE)),
    ("init_factor", |book| {
        every_asset(book, |a| a.init_factor = Ppm(16_000_000))
    }),
    ("systematic", |book| {
        every_asset(book, |a| a.systematic = 1_000)
    }),
    ("basis_rate", |book| {
        every_asset(book, |a| a.basis_rate = Ppm::ONE)
    }),
    ("unwind_rate", |book| {
        every_asset(book, |a| a.unwind_rate = Ppm::ONE)
    }),
    ("short_option_min", |book| {
        every_asset(book, |a| a.short_option_min = Ppm::ONE)
    }),
    ("concentration_cap, least depth", |book| {
        every_asset(book, |a| {
            (a.concentration_cap, a.depth) = (Ppm(15_000_000), Atoms(1))
        });
    }),
    ("depth", |book| {
        every_asset(book, |a| {
            (a.concentration_cap, a.depth) = (Ppm(15_000_000), Atoms((1 << 48) - 1))
        });
    }),
    ("down", |book| every_asset(book, |a| a.down = Frac40::ONE)),
    ("up", |book| every_asset(book, |a| a.up = Frac40::ONE)),
    ("maint_asset_weight", |book| {
        every_bank(book, |b| b.maint_asset_weight = Ppm::ONE)
    }),
    ("init_asset_weight", |book| {
        every_bank(book, |b| b.init_asset_weight = Ppm::ONE)
    }),
    ("maint_liab_weight", |book| {
        every_bank(book, |b| b.maint_liab_weight = Ppm(5_000_000))
    }),
    ("init_liab_weight", |book| {
        every_bank(book, |b| b.init_liab_weight = Ppm(5_000_000))
    }),
    ("deposit_index", |book| {
        every_bank(book, |b| b.deposit_index = Index48(Index48::ONE.0 << 6))
    }),
    ("borrow_index", |book| {
        every_bank(book, |b| b.borrow_index = Index48(Index48::ONE.0 << 6))
    }),
    ("surcharge", |book| {
        every_instrument(book, |i| {
            if i.kind.is_option() {
                i.surcharge = Atoms(1 << 24)
            }
        });
    }),
    ("delta", |book| {
        every_instrument(book, |i| i.delta = Delta30::ONE)
    }),
    ("carry", |book| {
        every_instrument(book, |i| {
            (i.carry_long, i.carry_short) = (Carry48(1 << 74), Carry48(-(1 << 74)))
        });
    }),
    ("scenarios", |book| {
        let far = |index: i64| Scenario {
            k_num: if index % 2 == 0 { 4 } else { -4 },
            k_den: 1 + (index % 5) as u8,
            v: (index % 3 - 1) as i8,
            w: Ppm::ONE,
        };
        every_asset(book, |a| a.range = Ppm(a.range.0.min(250_000)));
        book.scenarios = (0..MAX_SCENARIOS as i64).map(far).collect();
        book.group.extremes = extremes(&book.scenarios);
        book.arrays
            .iter_mut()
            .for_each(|array| array.resize(MAX_SCENARIOS, -1));
    }),
];

/// Accounts whose legs may be of up to 2^42 atoms, so that the whole judgement stays exact.
const MODEST: Recipe = Recipe {
    bits: 40,
    assets: (1, 4),
    ..Recipe::TRADER
};

fn judged_right(name: &str, book: &TestBook, account: &TestAccount) -> Result<(), TestCaseError> {
    compare(book, account, InitialTerms::COUNTED)
        .map_err(|error| TestCaseError::fail(format!("{name}: {error}")))
}

proptest! {
    #![proptest_config(config(10_000))]

    /// I14: each field at its maximum, the others as they come, is judged right.
    #[test]
    fn every_field_at_its_maximum_is_judged_right((mut book, account) in any_of(MODEST), field in 0..MAXIMA.len()) {
        let (name, set) = MAXIMA[field];
        set(&mut book);
        judged_right(name, &book, &account)?;
    }

    /// I14: all fields at their maxima at once, long only, short only and mixed, are judged right.
    #[test]
    fn all_fields_at_their_maxima_are_judged_right((mut book, mut account) in any_of(MODEST), sides in 0..3) {
        MAXIMA.iter().for_each(|(_, set)| set(&mut book));
        let side = |figure: &mut i64| match sides {
            0 => *figure = figure.abs(),
            1 => *figure = -figure.abs(),
            _ => {}
        };
        account.balances.iter_mut().for_each(|leg| side(&mut leg.shares.0));
        account.positions.iter_mut().for_each(|leg| side(&mut leg.size.0));
        judged_right("all", &book, &account)?;
    }

    /// 1.6: at 64 times the bound of every figure at once, and at the ends of every type, all that
    /// judges gives an answer, and no requirement is below nothing.
    #[test]
    fn nothing_fails_at_the_ends_of_every_type(
        (mut book, mut account) in prop_oneof![
            9 => any_of(Recipe { wild: true, doubt: true, ..MODEST }).boxed(),
            1 => any_of(Recipe::POOL).boxed(),
        ],
        seed in any::<u64>(),
        stance in prop_oneof![Just(Stance::Plain), Just(Stance::Against), Just(Stance::InFavour)],
    ) {
        to_the_ends(&mut book, &mut account, &mut Draw(seed));
        if seed % 2 == 0 {
            MAXIMA.iter().for_each(|(_, set)| set(&mut book));
        }
        let terms = InitialTerms { stance, ..InitialTerms::COUNTED };
        let mut lanes = vec![-1; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        for first in [0, 7, usize::MAX] {
            let found = report(&book, &account, terms, first, &mut scratch).totals;
            prop_assert!(found.maintenance.requirement.0 >= 0 && found.initial.requirement.0 >= 0);
        }
        let _ = equity_at_best(&book, &account, &mut scratch);
        let _ = net_value(&book, &account, 1);
        let _ = count_assets(&book, &account);
    }
}

/// Sets every size, quote, balance, array, delta, carry and surcharge to some end of its type.
fn to_the_ends(book: &mut TestBook, account: &mut TestAccount, draw: &mut Draw) {
    let ends = [
        i64::MIN,
        i64::MIN + 1,
        -1,
        0,
        1,
        i64::MAX,
        1 << 54,
        -(1 << 54),
    ];
    let mut end = || draw.pick(&ends);
    for leg in &mut account.positions {
        (leg.size.0, leg.quote.0) = (end(), end());
    }
    account
        .balances
        .iter_mut()
        .for_each(|leg| leg.shares.0 = end());
    for array in &mut book.arrays {
        array
            .iter_mut()
            .for_each(|gain| *gain = (end() >> 32) as i32);
    }
    for terms in &mut book.instruments {
        terms.delta = Delta30((end() >> 32) as i32);
        (terms.carry_long, terms.carry_short) =
            (Carry48(i128::from(end()) << 64), Carry48(end().into()));
        terms.surcharge = Atoms(end());
    }
    for quality in &mut book.qualities {
        (quality.bound_down, quality.bound_up) = (Frac40(end() as u64), Frac40(end() as u64));
    }
}

/// A book of `assets` with a perp, a future and two options each, one atom per lot.
fn flat_book(assets: u8, array: [i32; 16]) -> TestBook {
    let mut book = empty_book();
    for _ in 0..assets {
        let terms = AssetTerms {
            lot_price: Price::ONE,
            native_price: Price::ONE,
            unwind_rate: Ppm(10_000),
            ..plain_asset()
        };
        let asset = book.list(terms, [900_000, 800_000, 1_100_000, 1_200_000], 2);
        for kind in [InstrumentKind::Call, InstrumentKind::Put] {
            let option = InstrumentTerms::linear(kind, asset, Price::ONE);
            book.list_instrument(option, &array, Greeks::LINEAR);
        }
    }
    book
}

/// Every slot of an account filled: 16 balances, and positions in turn long and short or all alike.
/// Balances are an eighth: their weighted values, up to 5 times as much, saturate at the same bound.
fn full_account(book: &TestBook, positions: usize, worth: i64, alternate: bool) -> TestAccount {
    let mut account = TestAccount::default().with_balance(QUOTE_RATE, worth);
    let sign = |index: usize| {
        if alternate && index.is_multiple_of(3) {
            -1
        } else {
            1
        }
    };
    for asset in 1..book.assets.len().min(MAX_BALANCES) {
        account = account.with_balance(asset as u8, sign(asset) * worth / 8);
    }
    let linear = |at: &usize| !book.instruments[*at].kind.is_option();
    for at in (0..book.instruments.len()).filter(linear).take(positions) {
        account = account.with_position(at as u8, sign(at / 2) * worth, -sign(at) * worth);
    }
    account
}

/// 1.6: the largest legs that a trader and a pool may have, and 64 times both, are judged exactly.
#[test]
fn the_largest_legs_and_64_times_them_are_judged_right() {
    let trader = flat_book(8, [0; 16]);
    let pool = flat_book(31, [0; 16]);
    for alternate in [false, true] {
        for times in [1, 64] {
            let worth = times * MAX_LEG_VALUE.0;
            let account = full_account(&trader, MAX_POSITIONS, worth, alternate);
            judged_right("trader", &trader, &account).unwrap();
            let worth = times * MAX_POOL_LEG_VALUE.0;
            let account = full_account(&pool, MAX_POOL_POSITIONS, worth, alternate);
            judged_right("pool", &pool, &account).unwrap();
        }
    }
}

/// 1.6, 5.8: arrays at the ends of `i32`, at every size for which a loss is below 64 legs.
#[test]
fn arrays_at_the_ends_of_their_type_are_judged_right() {
    let ends = [i32::MIN, i32::MAX, i32::MIN, -1, 0, 1, i32::MAX, i32::MIN];
    let mut array = [i32::MAX; 16];
    array[..8].copy_from_slice(&ends);
    for array in [[i32::MIN; 16], [i32::MAX; 16], array] {
        let book = flat_book(2, array);
        for bits in 0..=22 {
            for (size, other) in [(1i64 << bits, 1), (-(1i64 << bits), 1), (1 << bits, -1)] {
                let account = TestAccount::default()
                    .with_balance(QUOTE_RATE, 1 << 40)
                    .with_position(2, size, 0)
                    .with_position(3, other * size / 2, 0)
                    .with_position(6, size, 0);
                judged_right("array", &book, &account).unwrap();
            }
        }
    }
}

/// 1.6: beyond that a loss saturates far above what any account owns; it never wraps into a gain.
#[test]
fn a_loss_beyond_every_bound_never_turns_into_a_gain() {
    for (array, side) in [([i32::MIN; 16], 1), ([i32::MAX; 16], -1)] {
        let book = flat_book(2, array);
        for size in [1i64 << 31, 1 << 37, 1 << 53, i64::MAX] {
            let account = TestAccount::default()
                .with_balance(QUOTE_RATE, MAX_POOL_LEG_VALUE.0)
                .with_position(2, side * size, 0);
            let found = assess(&book, &account);
            assert!(
                found.maintenance.requirement.0 >= MAX_JUDGED_VALUE,
                "{found:?}"
            );
            assert!(found.initial.requirement >= found.maintenance.requirement);
            let wrapped = found.maintenance.requirement.0 > 1 << 62;
            assert!(!wrapped, "{found:?}");
        }
    }
}

const BANK: BankTerms = BankTerms {
    rate: 1,
    deposit_index: Index48::ONE,
    borrow_index: Index48::ONE,
    total_deposits: 0,
    deposit_cap: MAX_BANK_TOTAL,
};

const POOL: PoolTerms = PoolTerms {
    shares: u64::MAX,
    equity_cap: MAX_POOL_LEG_VALUE,
    asset_cap: MAX_POOL_LEG_VALUE,
    factor: Ppm(3_000_000),
};

/// A full bank whose deposits stand at `index`.
fn exit(index: u64) -> Exit {
    let ledger = BankLedger {
        deposit_index: Index48(index),
        ..bank(MAX_BANK_TOTAL, MAX_BANK_TOTAL / 2)
    };
    open_exit(1, ledger)
}

/// I14: a plan for amounts, sizes and indices at the ends of their types is a typed refusal or a plan
/// that keeps its bound; none fails otherwise.
#[test]
fn plans_at_the_ends_of_every_type_refuse_or_keep_their_bound() {
    let book = flat_book(2, [i32::MIN; 16]);
    let mut lanes = vec![-1; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let ends = [i64::MIN, -1, 0, 1, MAX_LEG_SIZE, 1 << 46, 1 << 62, i64::MAX];
    for shares in ends {
        for size in ends {
            let account = TestAccount::default()
                .with_balance(QUOTE_RATE, shares)
                .with_balance(1, shares)
                .with_position(0, size, shares)
                .with_position(2, size, 0);
            for amount in [0, 1, MAX_BANK_TOTAL, i64::MAX as u64, u64::MAX] {
                for index in [1, Index48::ONE.0, u64::MAX] {
                    let bank = BankTerms {
                        deposit_index: Index48(index),
                        ..BANK
                    };
                    if let Ok(plan) = plan_deposit(&book, &account, 1, bank, amount) {
                        assert!(plan.tokens.0 >= 0 && plan.after.shares >= plan.before);
                    }
                    for allow_borrow in [false, true] {
                        let asked = Taking {
                            slot: 1,
                            amount,
                            allow_borrow,
                        };
                        let left =
                            plan_withdraw(&book, &account, &exit(index), asked, &mut scratch);
                        if let Ok(plan) = left {
                            assert!(plan.cash.tokens.0 <= 0);
                            assert!(allow_borrow || plan.cash.after.shares.0 >= 0);
                        }
                    }
                }
                let given = plan_provide(&book, &account, BANK, POOL, amount, &mut scratch);
                assert!(given.is_err(), "shares beyond 64 bits: {given:?}");
            }
            for asked in ends {
                refuse_or_liquidate(&book, &account, asked, &mut scratch);
            }
        }
    }
}

fn refuse_or_liquidate(
    book: &TestBook,
    account: &TestAccount,
    asked: i64,
    scratch: &mut Scratch<'_>,
) {
    let rich = TestAccount::default().with_balance(QUOTE_RATE, 1 << 50);
    let terms = LiquidationTerms {
        buffer: Ppm(500_000),
        fee: Ppm(50_000),
        insurance_share: Ppm::ONE,
    };
    for slot in [0, 1, usize::MAX] {
        let target = Target::Position {
            slot,
            liquidator_slot: slot.min(8),
        };
        let found = plan_liquidation(book, account, &rich, target, Lots(asked), terms, scratch);
        if let Ok(plan) = found {
            assert!(plan.after.health() > plan.before.health());
            assert!(plan.size.0.unsigned_abs() <= asked.unsigned_abs());
        }
    }
}

/// What the account's owner asks.
fn by_owner(intent: Intent, pool: PoolTerms) -> OrderTerms {
    OrderTerms {
        intent,
        authority: Authority::Owner,
        pool,
    }
}

/// A market without a cap whose fee and spread are the greatest.
fn dear_market(open_interest: u64) -> MarketTerms {
    MarketTerms {
        open_interest_long: open_interest,
        open_interest_short: open_interest,
        open_interest_cap: u64::MAX,
        min_size: 1,
        taker_fee: Ppm(20_000),
        base_spread: Ppm(40_000),
        conf_share: Ppm(5_000_000),
        max_age_fill_s: 60,
        ..MarketTerms::default()
    }
}

/// I14, 1.6: an order of any size, limit and open interest is filled within its bounds or refused.
#[test]
fn orders_at_the_ends_of_every_type_refuse_or_keep_their_bound() {
    let book = flat_book(1, [0; 16]);
    let mut lanes = vec![-1; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let taker = TestAccount::default().with_balance(QUOTE_RATE, 1 << 46);
    let maker = TestAccount::default().with_balance(QUOTE_RATE, 1 << 53);
    let mut filled = 0;
    for size in [
        i64::MIN,
        -MAX_LEG_SIZE,
        1 - MAX_LEG_SIZE,
        -1,
        0,
        1,
        MAX_LEG_SIZE - 1,
        MAX_LEG_SIZE,
        i64::MAX,
    ] {
        for (limit_price, open_interest) in [
            (0, 0),
            (u64::MAX, 0),
            (1 << 48, u64::MAX),
            (u64::MAX, 1 << 31),
        ] {
            let market = dear_market(open_interest);
            let order = Order {
                instrument: 0,
                size: Lots(size),
                limit_price,
                taker_slot: 0,
                maker_slot: 0,
                referred: false,
                market,
            };
            for intent in [Intent::Open, Intent::Close] {
                let pool = PoolTerms { shares: 0, ..POOL };
                let mut fills = [LegFill::EMPTY];
                let (mut ours, mut theirs) = ([(0, PositionLeg::EMPTY)], [(0, PositionLeg::EMPTY)]);
                let mut buffers = OrderBuffers {
                    fills: &mut fills,
                    taker: &mut ours,
                    maker: &mut theirs,
                };
                let parties = Parties {
                    taker: &taker,
                    maker: &maker,
                };
                let terms = by_owner(intent, pool);
                let found =
                    plan_order(&book, &parties, &[order], terms, &mut buffers, &mut scratch);
                if let Ok(outcome) = found {
                    filled += 1;
                    assert!(outcome.taker_initial.health().0 >= 0);
                    let after = ours[0].1.size.0;
                    assert!(after == size && after.unsigned_abs() < MAX_LEG_SIZE as u64);
                    assert_eq!(theirs[0].1.size.0, -size);
                }
            }
        }
    }
    assert!(filled > 0);
}

/// 1.6: losses above 2^48 are shifted towards plus infinity. Scans of 3 and 4 times 2^47 + 1 with
/// b = 0 have the exact root 5 times it.
#[test]
fn shifted_losses_are_never_rounded_down() {
    let mut book = empty_book();
    let terms = AssetTerms {
        range: Ppm(1_000_000),
        systematic: 0,
        lot_price: Price::ONE,
        ..plain_asset()
    };
    book.list(terms, [1_000_000; 4], 1);
    book.list(terms, [1_000_000; 4], 1);
    let unit = (1i64 << 47) + 1;
    let account = TestAccount::default()
        .with_position(0, 3 * unit, 0)
        .with_position(1, -4 * unit, 0);
    let parts = assess(&book, &account).maintenance_parts;
    assert_eq!(parts.rule, Rule::OneFactor);
    assert!((5 * unit..5 * unit + 8).contains(&parts.one_factor.0));
}

/// 3.3, I14: sizes whose long division leaves a rest just below the greatest depths: the multiplier is
/// the exact one, rounded up, and no step of it wraps.
#[test]
fn no_rest_of_a_size_over_the_greatest_depth_wraps() {
    for depth in [(1i64 << 47) - 1, 1 << 47, (1 << 48) - 1, 1 << 48] {
        for lots in [65_535i64, 2_752_511, (1 << 32) - 1, (1 << 33) + 65_535] {
            let mut book = one_asset();
            let unit = Price::ONE;
            book.assets[1] = AssetTerms {
                lot_price: unit,
                depth: Atoms(depth),
                concentration_cap: Ppm(15_000_000),
                ..plain_asset()
            };
            book.instruments[0].mark = unit;
            let account = rich().with_position(0, lots, 0);
            let mut lanes = vec![0; Scratch::MAX_LANES];
            let mut scratch = Scratch::new(&mut lanes);
            let found = report(&book, &account, InitialTerms::COUNTED, 0, &mut scratch);
            let line = &found.lines[0];
            let exact = ((lots as u128) << 40).div_ceil(depth as u128) + (1 << 40);
            let multiplier = u128::from(line.maintenance.multiplier.0);
            assert!(
                (exact..=exact + 1).contains(&multiplier),
                "{lots} of {depth}"
            );
        }
    }
}
