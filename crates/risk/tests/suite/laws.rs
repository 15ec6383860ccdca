//! 5.5, 5.9, 1.6, 2.8: what holds for every portfolio.

use crate::common::*;
use keel_risk::limits::*;
use keel_risk::*;
use proptest::prelude::*;

/// Equal multipliers, and charges as a sensible listing has them.
const EVEN: Shape = Shape {
    range: (10_000, 900_000),
    concentration_cap: 0,
    basis_rate: 50_000,
    distance: 1 << 37,
};

/// Multipliers that grow with size, as listings may have them: `range * (1 + 2 * cap) <= 0.9`.
pub const GROWING: Shape = Shape {
    range: (10_000, 300_000),
    concentration_cap: 1_000_000,
    basis_rate: 50_000,
    distance: 1 << 37,
};

pub fn tolerance(book: &TestBook) -> i64 {
    4 + 20 * book.assets.len() as i64
}

/// Perps alone, so that values add exactly when sizes do.
fn only_perps(values: &Values) -> Values {
    Values {
        cash: 0,
        legs: values.legs.iter().map(|legs| [0, legs[1], 0]).collect(),
        quotes: vec![[0, 0]; values.legs.len()],
    }
}

fn joined(a: &TestAccount, b: &TestAccount) -> TestAccount {
    let mut all = a.clone();
    for leg in &b.positions {
        match all
            .positions
            .iter_mut()
            .find(|held| held.instrument == leg.instrument)
        {
            Some(held) => held.size.0 += leg.size.0,
            None => all.positions.push(*leg),
        }
    }
    all.positions.retain(|leg| leg.size.0 != 0);
    all
}

fn scans(book: &TestBook, account: &TestAccount) -> [i64; 2] {
    let found = assess(book, account);
    [
        found.maintenance_parts.scan().0,
        found.initial_parts.scan().0,
    ]
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 5.9: the scan of a union never exceeds the sum of the scans.
    #[test]
    fn the_scan_is_subadditive(((book, a), more) in any_portfolio(8, EVEN, 42).prop_flat_map(|p| {
        let n = p.0.assets.len() - 1;
        (Just(p), any_values(n, 42))
    })) {
        let a = account(&book, &only_perps(&a));
        let b = account(&book, &only_perps(&more));
        let (of_a, of_b, of_all) = (scans(&book, &a), scans(&book, &b), scans(&book, &joined(&a, &b)));
        for which in 0..2 {
            prop_assert!(of_all[which] <= of_a[which] + of_b[which] + tolerance(&book));
        }
    }

    /// 5.9: k times the portfolio has k times the scan.
    #[test]
    fn the_scan_is_homogeneous((book, values) in any_portfolio(8, EVEN, 40), k in 2i64..16) {
        let one = account(&book, &only_perps(&values));
        let mut many = one.clone();
        many.positions.iter_mut().for_each(|leg| leg.size.0 *= k);
        let (one, many) = (scans(&book, &one), scans(&book, &many));
        for which in 0..2 {
            let apart = (many[which] - k * one[which]).abs();
            prop_assert!(apart <= 2 * k * tolerance(&book), "{apart}");
        }
    }

    /// 5.9, 5.2: a linear leg alone pays |N| * range; a long one at most its value.
    #[test]
    fn a_single_leg_pays_its_range((book, size) in (any_book(1, EVEN), any_signed(20))) {
        let account = TestAccount::default().with_position(0, size, 0);
        let terms = book.asset(1);
        let value = num::value_floor(Lots(size), terms.lot_price).0;
        let plain = num::ppm_ceil(value.unsigned_abs(), terms.range);
        let found = assess(&book, &account);
        prop_assert_eq!(found.maintenance_parts.scan().0, plain as i64);
        let factored = num::ppm_ceil(plain, terms.init_factor) as i64;
        let most = if value > 0 { factored.min(value) } else { factored };
        // The steepness is rounded up to 2^-40, so a large loss may come out one atom higher.
        let initial = found.initial_parts.scan().0;
        prop_assert!((most..=most + 1).contains(&initial), "{initial} for {most}");
    }

    /// 5.9: cash adds to health one for one.
    #[test]
    fn cash_adds_one_for_one((book, values) in any_portfolio(8, WILD, 44), cash in 1i64..1 << 40) {
        let poor = account(&book, &values);
        let mut rich = poor.clone();
        rich.balances[0].shares.0 += cash;
        let (poor, rich) = (assess(&book, &poor), assess(&book, &rich));
        prop_assert_eq!(rich.maintenance.health().0 - poor.maintenance.health().0, cash);
        prop_assert_eq!(rich.initial.health().0 - poor.initial.health().0, cash);
    }

    /// A deposit of a token never lowers Maintenance health, beyond rounding.
    #[test]
    fn collateral_never_hurts((book, mut values) in any_portfolio(6, EVEN, 40), more in any_magnitude(40)) {
        let before = assess(&book, &account(&book, &values));
        values.legs[0][0] = values.legs[0][0].max(0);
        let start = assess(&book, &account(&book, &values));
        values.legs[0][0] += more as i64;
        let after = assess(&book, &account(&book, &values));
        prop_assert!(start.maintenance.health().0 + tolerance(&book) >= before.maintenance.health().0);
        prop_assert!(after.maintenance.health().0 + tolerance(&book) >= start.maintenance.health().0);
    }

    /// 5.9: a higher price never hurts who is only long, nor does a lower one who is only short.
    #[test]
    fn health_moves_with_the_price_of_a_one_sided_account(
        (mut book, mut values) in any_portfolio(6, GROWING, 40),
        long in any::<bool>(),
        percent in 1u64..50,
    ) {
        let side = |value: &mut i64| *value = if long { value.abs() } else { -value.abs() };
        values.legs.iter_mut().flatten().for_each(side);
        let account = account(&book, &values);
        let before = assess(&book, &account).maintenance.health();
        let raised = |old: Price| price(old.mantissa() + old.mantissa() * percent / 100, old.shift());
        for terms in &mut book.assets[1..] {
            (terms.lot_price, terms.native_price) = (raised(terms.lot_price), raised(terms.native_price));
        }
        for terms in &mut book.instruments {
            terms.mark = raised(terms.mark);
        }
        let after = assess(&book, &account).maintenance.health();
        let (worse, better) = if long { (before, after) } else { (after, before) };
        prop_assert!(better.0 + 2 * tolerance(&book) >= worse.0, "{worse:?} {better:?}");
    }

    /// 5.5.
    #[test]
    fn initial_health_never_exceeds_maintenance_health((book, values) in any_portfolio(8, GROWING, 42)) {
        let found = assess(&book, &account(&book, &values));
        prop_assert!(found.initial.health().0 <= found.maintenance.health().0 + tolerance(&book));
        let ignored = assess_with(&book, &account(&book, &values), InitialTerms::WITHDRAWAL);
        prop_assert!(ignored.initial.equity <= found.initial.equity);
        prop_assert_eq!(ignored.initial.requirement, found.initial.requirement);
    }

    /// 5.4: what Maintenance comes to does not depend on Initial being asked for too: also with a closed
    /// leg's result in an asset whose range exceeds a third, which only Initial has a row for.
    #[test]
    fn maintenance_is_the_same_alone_and_together((mut book, values) in any_portfolio(4, WILD, 16), range in 340_000u32..1_000_000) {
        let closed = 1;
        book.assets[closed].range = Ppm(range);
        let mut account = account(&book, &values);
        let of_asset = |leg: &PositionLeg| usize::from(book.instruments[usize::from(leg.instrument)].asset) == closed;
        for leg in account.positions.iter_mut().filter(|leg| of_asset(leg)) {
            leg.size = Lots(0);
        }
        account.balances.retain(|leg| usize::from(book.rates[usize::from(leg.rate)].asset) != closed);
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let alone = maintenance(&book, &account, &mut Scratch::new(&mut lanes));
        prop_assert_eq!(assess(&book, &account).maintenance, alone);
    }

    /// 5.2: whatever the ranges, sizes and multipliers, deposits alone are never below Maintenance.
    #[test]
    fn deposits_alone_are_never_below_maintenance((book, mut values) in any_portfolio(8, WILD, 45)) {
        values.cash = values.cash.abs();
        for legs in &mut values.legs {
            *legs = [legs[0].abs(), 0, 0];
        }
        values.quotes.iter_mut().for_each(|quotes| *quotes = [0, 0]);
        let found = assess(&book, &account(&book, &values));
        prop_assert!(!found.maintenance.is_liquidatable(), "{found:?}");
    }

    /// 10.2: the pool's factor takes the place of every asset's own.
    #[test]
    fn a_greater_factor_asks_for_more((book, values) in any_portfolio(8, WILD, 42)) {
        let account = account(&book, &values);
        let pool = InitialTerms { factor: Some(Ppm(3_000_000)), ..InitialTerms::COUNTED };
        let (own, pool) = (assess(&book, &account), assess_with(&book, &account, pool));
        prop_assert!(pool.initial.requirement.0 + tolerance(&book) >= own.initial.requirement.0);
        prop_assert_eq!(pool.initial.equity, own.initial.equity);
    }

    /// Each entry point says what the combined one says, and an overlay what the account would.
    #[test]
    fn every_entry_point_and_overlay_agrees((book, values) in any_portfolio(8, WILD, 44), size in any_signed(30)) {
        let mut account = account(&book, &values);
        let mut lanes = vec![7; Scratch::lanes_needed(9, 16)];
        let mut scratch = Scratch::new(&mut lanes);
        let whole = both(&book, &account, InitialTerms::COUNTED, &mut scratch);
        prop_assert_eq!(maintenance(&book, &account, &mut scratch), whole.maintenance);
        prop_assert_eq!(initial(&book, &account, InitialTerms::COUNTED, &mut scratch), whole.initial);
        let told = report(&book, &account, InitialTerms::COUNTED, 0, &mut scratch);
        prop_assert_eq!(told.totals, whole);
        let basis: i64 = told.lines.iter().map(|line| line.maintenance.basis.0).sum();
        prop_assert_eq!(basis, whole.maintenance_parts.basis.0);

        prop_assume!(!account.positions.is_empty());
        let changed = PositionLeg { size: Lots(size), ..account.positions[0] };
        let cash = BalanceLeg { rate: 0, shares: Shares(size) };
        let overlay = Amended { base: &account, balances: &[(0, cash)], positions: &[(0, changed)] };
        let judged = both(&book, &overlay, InitialTerms::COUNTED, &mut scratch);
        account.positions[0] = changed;
        account.balances[0] = cash;
        prop_assert_eq!(judged, both(&book, &account, InitialTerms::COUNTED, &mut scratch));
    }

    /// 1.6: judging is total. Any figures at all, beyond every bound, give some answer.
    #[test]
    fn judging_never_fails(
        (mut book, values) in any_portfolio(8, WILD, 30),
        wild in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i64>()), 8),
        terms in (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>(), any::<i64>(), any::<u16>(), any::<u64>()),
        scenario in (any::<i8>(), any::<u8>(), any::<u32>()),
    ) {
        let mut account = account(&book, &values);
        for (leg, figures) in account.positions.iter_mut().zip(&wild) {
            (leg.size.0, leg.quote.0) = (figures.0, figures.1);
        }
        for (leg, figures) in account.balances.iter_mut().zip(&wild) {
            leg.shares.0 = figures.2;
        }
        for (asset, rate) in book.assets.iter_mut().zip(&mut book.rates) {
            (asset.range, asset.init_factor, asset.concentration_cap) = (Ppm(terms.0), Ppm(terms.1), Ppm(terms.2));
            (asset.basis_rate, asset.depth, asset.systematic) = (Ppm(terms.3), Atoms(terms.4), terms.5);
            (asset.down, asset.up) = (Frac40(terms.6), Frac40(!terms.6));
            (rate.maint_asset_weight, rate.init_liab_weight) = (Ppm(terms.1), Ppm(terms.2));
            (rate.deposit_index, rate.borrow_index) = (Index48(terms.6), Index48(!terms.6));
        }
        book.scenarios[3] = Scenario { k_num: scenario.0, k_den: scenario.1, v: 0, w: Ppm(scenario.2) };
        book.group.extremes = extremes(&book.scenarios);
        let found = assess(&book, &account);
        prop_assert!(found.maintenance.requirement.0 >= 0 && found.initial.requirement.0 >= 0);
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        let _ = equity_at_best(&book, &account, &mut scratch);
        let _ = net_value(&book, &account, 1);
        let _ = assess(&book.unabridged(), &account);
    }
}

/// 1.6: a pool's account at 64 times its largest legs, 128 of them, over 31 assets: sums fit.
#[test]
fn the_largest_account_of_all_is_judged() {
    for sign in [1, -1] {
        let mut book = empty_book();
        let terms = AssetTerms {
            range: Ppm(1_000_000),
            init_factor: Ppm(16_000_000),
            concentration_cap: Ppm(15_000_000),
            depth: Atoms(1),
            unwind_rate: Ppm(1_000_000),
            ..plain_asset()
        };
        let mut account = TestAccount::default().with_balance(0, sign * i64::MAX);
        for index in 0..31 {
            book.list(terms, [1_000_000; 4], 4);
            if index < 15 {
                account = account.with_balance(index + 1, sign * i64::MAX);
            }
        }
        for slot in 0..128u8 {
            account = account.with_position(slot.min(123), sign * i64::MAX, sign * i64::MAX);
        }
        let found = assess(&book, &account);
        assert_eq!(found.maintenance.equity.0.signum(), sign);
        assert!(found.maintenance.requirement.0 > 1 << 61);
        assert!(found.initial.requirement >= found.maintenance.requirement);
        assert_eq!(assess(&book.unabridged(), &account).assets, 31);
    }
}

/// With too few lanes only what is owed counts: never better than with enough.
#[test]
fn too_short_a_scratch_is_strict() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 1);
    book.list(plain_asset(), [1_000_000; 4], 1);
    let account = TestAccount::default()
        .with_balance(1, 1_000_000_000)
        .with_balance(2, 1_000_000_000)
        .with_position(1, 10, -15_000_000);
    let mut lanes = vec![0; Scratch::lanes_needed(1, 16)];
    let found = maintenance(&book, &account, &mut Scratch::new(&mut lanes));
    assert_eq!(found.equity, Atoms(1_000_000_000 - 5_000_000));
    assert!(found.health() < assess(&book, &account).maintenance.health());
}

/// 4.3: results count by asset, weighted and capped; a closed position's result counts until settled.
#[test]
fn gains_count_in_part_and_losses_in_full() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 2);
    book.list(plain_asset(), [1_000_000; 4], 1);
    book.group.upnl_cap = Atoms(100_000_000);
    // Asset 1: +$50 and -$30 net to +$20, of which 80% counts. Asset 2: -$7.
    let account = TestAccount::default()
        .with_balance(0, 1_000_000_000)
        .with_position(0, 0, 50_000_000)
        .with_position(1, 0, -30_000_000)
        .with_position(2, 0, -7_000_000);
    let found = assess(&book, &account);
    assert_eq!(found.initial.equity, Atoms(1_009_000_000));
    assert_eq!(found.maintenance.equity, Atoms(1_013_000_000));
    assert_eq!(found.maintenance.requirement, Atoms(0));
    let strict = assess_with(&book, &account, InitialTerms::WITHDRAWAL);
    assert_eq!(strict.initial.equity, Atoms(993_000_000));
    book.group.upnl_cap = Atoms(1_000_000);
    assert_eq!(assess(&book, &account).initial.equity, Atoms(994_000_000));
}

/// 4.3: Initial values a net long at the lower, a net short at the upper of the two prices.
#[test]
fn initial_takes_the_worse_price_of_the_net() {
    let mut book = empty_book();
    let terms = AssetTerms {
        down: Frac40(Frac40::ONE.0 / 64),
        up: Frac40(Frac40::ONE.0 / 32),
        ..plain_asset()
    };
    book.list(terms, [1_000_000; 4], 1);
    let equity = |size| {
        let account = TestAccount::default()
            .with_balance(1, 640_000_000)
            .with_position(0, size, 0);
        let found = assess(&book, &account);
        found.initial.equity.0 - found.maintenance.equity.0
    };
    assert_eq!(equity(0), -10_000_000);
    assert_eq!(equity(-640), 0);
    assert_eq!(equity(-1_280), -20_000_000);
}

/// 2.8: an asset without holding has no bit, nor has the quote.
#[test]
fn only_holdings_expose() {
    let mut book = empty_book();
    for _ in 0..3 {
        book.list(plain_asset(), [1_000_000; 4], 1);
    }
    let account = TestAccount::default()
        .with_balance(0, 5)
        .with_balance(1, 0)
        .with_balance(2, -1)
        .with_position(0, 0, 9)
        .with_position(2, 1, 0);
    assert_eq!(exposed_assets(&book, &account), 0b1100);
    assert_eq!(count_assets(&book, &account), 2);
    assert_eq!(net_value(&book, &account, 3), Atoms(1_000_000));
    assert_eq!(net_value(&book, &account, 2), Atoms(-1));
}

/// 10.4: a newcomer buys at the equity that is largest within the bounds.
#[test]
fn the_best_equity_stretches_both_sides() {
    let mut book = empty_book();
    let terms = AssetTerms {
        down: Frac40(Frac40::ONE.0 / 64),
        up: Frac40(Frac40::ONE.0 / 32),
        ..plain_asset()
    };
    book.list(terms, [1_000_000; 4], 1);
    let best = |size| {
        let account = TestAccount::default().with_position(0, size, 0);
        let mut lanes = vec![0; Scratch::MAX_LANES];
        equity_at_best(&book, &account, &mut Scratch::new(&mut lanes))
            .1
            .0
    };
    assert_eq!(best(64), 64_000_000 + 2_000_000);
    assert_eq!(best(-64), -64_000_000 + 1_000_000);
}

/// 1.6.
#[test]
fn a_leg_grows_only_to_its_bound_and_always_shrinks() {
    let mark = plain_asset().lot_price;
    let most = MAX_LEG_VALUE.0 / 1_000_000;
    let grow = |before, after, pool| check_growth(Lots(before), Lots(after), mark, pool);
    assert!(grow(0, most, false).is_ok());
    assert!(matches!(
        grow(0, most + 1, false),
        Err(RiskError::LegTooLarge { .. })
    ));
    assert!(grow(0, most + 1, true).is_ok());
    assert!(grow(-4 * most, -4 * most + 1, false).is_ok());
    assert!(grow(4 * most, -4 * most, false).is_err());
    assert_eq!(grow(0, -MAX_LEG_SIZE, true), Err(RiskError::TooLarge));
    assert_eq!(grow(0, i64::MIN, true), Err(RiskError::TooLarge));
}

/// 5.1: the peaks of the default set are scenarios 11 and 13.
#[test]
fn the_peaks_of_span_are_one_range() {
    let peaks = extremes(&SPAN_16);
    assert_eq!((peaks.up.number, peaks.down.number), (11, 13));
    assert_eq!((peaks.up.reach, peaks.down.reach), (3, 3));
    assert_eq!(extremes(&[]).down.scenario.k_num, 0);
}
