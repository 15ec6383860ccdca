//! 5.9 and its neighbours for accounts of every kind of leg: deposits, perps, futures, calls, puts.

use crate::common::*;
use crate::portfolios::{Draw, Recipe, any_of};
use keel_risk::*;
use proptest::prelude::*;

/// Equal multipliers (5.9), and every leg open.
const EVEN: Recipe = Recipe {
    closed: 0,
    bits: 40,
    accrued: false,
    ..Recipe::TRADER
};

/// Multipliers that grow with size, as listings may have them: `range * (1 + 2 * cap) + basis <= 1`
/// (decision 12).
const LISTED: Recipe = Recipe {
    range: (10_000, 300_000),
    cap: 1_000_000,
    basis: 100_000,
    ..Recipe::TRADER
};

/// What roundings may add up to: see the reference's tolerance, for factors up to 2.5.
fn slack(accounts: &[&TestAccount]) -> i64 {
    let legs = accounts
        .iter()
        .map(|a| a.balances.len() + a.positions.len())
        .sum::<usize>();
    64 + 32 * legs as i64
}

fn scans(book: &TestBook, account: &TestAccount) -> [i64; 2] {
    let found = assess(book, account);
    [
        found.maintenance_parts.scan().0,
        found.initial_parts.scan().0,
    ]
}

/// Deposits alone besides positions, so that each token has one weight and sums are sums.
fn without_borrows(mut account: TestAccount) -> TestAccount {
    account
        .balances
        .iter_mut()
        .for_each(|leg| leg.shares.0 = leg.shares.0.abs());
    account
}

/// Both accounts' holdings in one.
fn joined(a: &TestAccount, b: &TestAccount) -> TestAccount {
    let mut all = a.clone();
    for leg in &b.balances {
        match all.balances.iter_mut().find(|held| held.rate == leg.rate) {
            Some(held) => held.shares.0 += leg.shares.0,
            None => all.balances.push(*leg),
        }
    }
    for leg in &b.positions {
        let held = all
            .positions
            .iter_mut()
            .find(|held| held.instrument == leg.instrument);
        match held {
            Some(held) => {
                held.size.0 += leg.size.0;
                held.quote.0 += leg.quote.0;
            }
            None => all.positions.push(*leg),
        }
    }
    all
}

/// Two accounts of one book.
fn any_two(recipe: Recipe) -> impl Strategy<Value = (TestBook, TestAccount, TestAccount)> {
    (any_of(recipe), any::<u64>()).prop_map(move |((book, a), seed)| {
        let b = recipe.account(&mut Draw(seed), &book);
        (book, without_borrows(a), without_borrows(b))
    })
}

/// An account, and the same with one more option that gains, or loses nothing, in every scenario.
fn any_gaining(recipe: Recipe) -> impl Strategy<Value = (TestBook, TestAccount, TestAccount)> {
    (any_of(recipe), any::<u64>()).prop_map(|((mut book, account), seed)| {
        let mut draw = Draw(seed);
        let asset = draw.between(1, book.assets.len() as i64 - 1) as u8;
        let side = draw.pick(&[-1, 1]);
        let gains: Vec<i32> = (0..16)
            .map(|_| (side * draw.between(0, 1 << 24)) as i32)
            .collect();
        let mark = book.asset(asset).lot_price;
        let call = InstrumentTerms::linear(InstrumentKind::Call, asset, mark);
        let instrument = book.list_instrument(call, &gains, Greeks::LINEAR);
        let more = account
            .clone()
            .with_position(instrument, side * draw.magnitude(20), 0);
        (book, account, more)
    })
}

fn is_option(book: &TestBook, leg: &PositionLeg) -> bool {
    book.instrument(leg.instrument).kind.is_option()
}

fn option_lots(book: &TestBook, account: &TestAccount) -> i64 {
    let held = account.positions.iter().filter(|leg| is_option(book, leg));
    held.map(|leg| leg.size.0.abs()).sum()
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 5.9: k times the portfolio has k times the scan.
    #[test]
    fn the_scan_of_any_legs_is_homogeneous((book, one) in any_of(EVEN), k in 2i64..16) {
        let mut many = one.clone();
        many.balances.iter_mut().for_each(|leg| leg.shares.0 *= k);
        many.positions.iter_mut().for_each(|leg| leg.size.0 *= k);
        let (of_one, of_many) = (scans(&book, &one), scans(&book, &many));
        for which in 0..2 {
            let apart = (of_many[which] - k * of_one[which]).abs();
            prop_assert!(apart <= k * slack(&[&one]), "{apart}");
        }
    }

    /// 5.9: the scan of a union never exceeds the sum of the scans.
    #[test]
    fn the_scan_of_any_legs_is_subadditive((book, a, b) in any_two(EVEN)) {
        let (of_a, of_b) = (scans(&book, &a), scans(&book, &b));
        let of_all = scans(&book, &joined(&a, &b));
        for which in 0..2 {
            prop_assert!(of_all[which] <= of_a[which] + of_b[which] + slack(&[&a, &b]));
        }
    }

    /// 5.9: a leg that gains in every scenario never raises the scan.
    #[test]
    fn a_leg_that_always_gains_never_raises_the_scan((book, before, after) in any_gaining(EVEN)) {
        let (of_before, of_after) = (scans(&book, &before), scans(&book, &after));
        for which in 0..2 {
            prop_assert!(of_after[which] <= of_before[which] + slack(&[&after]));
        }
    }

    /// 5.9, 3.3: nor does it where the multiplier sees the whole book.
    #[test]
    fn a_leg_that_always_gains_never_raises_a_multiplied_scan((book, before, after) in any_gaining(LISTED)) {
        let (of_before, of_after) = (scans(&book, &before), scans(&book, &after));
        for which in 0..2 {
            prop_assert!(of_after[which] <= of_before[which] + 2 * slack(&[&after]));
        }
    }

    /// 5.9: the scan is at most the sum of the assets' own, and at least its share of it (5.4).
    #[test]
    fn the_scan_lies_between_the_gross_minimum_and_the_sum((book, account) in any_of(LISTED)) {
        let mut lanes = vec![-1; Scratch::MAX_LANES];
        let told = report(&book, &account, InitialTerms::COUNTED, 0, &mut Scratch::new(&mut lanes));
        let lines = &told.lines[..told.lines_len];
        let sums = [
            lines.iter().map(|line| line.maintenance.scan.0).sum::<i64>(),
            lines.iter().map(|line| line.initial.scan.0).sum::<i64>(),
        ];
        for (sum, scan) in sums.into_iter().zip(scans(&book, &account)) {
            prop_assert!(scan <= sum + slack(&[&account]));
            prop_assert!(scan >= num::ppm_floor(sum as u64, book.group.gross_min) as i64);
        }
    }

    /// 5.4: the scan of a whole account is at most the sum of the scans of accounts of one asset each.
    #[test]
    fn splitting_by_asset_never_pays((book, account) in any_of(LISTED)) {
        let mut apart = [0i64; 2];
        for asset in 1..book.assets.len() as u8 {
            let mut one = account.clone();
            one.balances.retain(|leg| book.rate(leg.rate).asset == asset);
            one.positions.retain(|leg| book.instrument(leg.instrument).asset == asset);
            let scans = scans(&book, &one);
            apart.iter_mut().zip(scans).for_each(|(sum, scan)| *sum += scan);
        }
        for (apart, scan) in apart.into_iter().zip(scans(&book, &account)) {
            prop_assert!(scan <= apart + slack(&[&account]));
        }
    }

    /// 5.9: cash adds to health one for one, and changes no requirement.
    #[test]
    fn cash_adds_one_for_one_to_any_legs((book, poor) in any_of(LISTED), cash in 1i64..1 << 40) {
        let mut rich = poor.clone();
        rich.balances[0].shares.0 += cash;
        let (poor, rich) = (assess(&book, &poor), assess(&book, &rich));
        prop_assert_eq!(rich.maintenance.health().0 - poor.maintenance.health().0, cash);
        prop_assert_eq!(rich.initial.health().0 - poor.initial.health().0, cash);
        prop_assert_eq!(rich.maintenance_parts, poor.maintenance_parts);
        prop_assert_eq!(rich.initial_parts, poor.initial_parts);
    }

    /// A deposit more never lowers Maintenance health, whatever it hedges.
    #[test]
    fn collateral_never_hurts_any_legs((book, mut account) in any_of(LISTED), more in any_magnitude(36)) {
        prop_assume!(account.balances.len() > 1);
        account.balances[1].shares.0 = account.balances[1].shares.0.abs();
        let before = assess(&book, &account).maintenance.health().0;
        account.balances[1].shares.0 += more as i64;
        let after = assess(&book, &account).maintenance.health().0;
        prop_assert!(after + 2 * slack(&[&account]) >= before, "{before} {after}");
    }

    /// 5.5: Initial is never the easier test.
    #[test]
    fn initial_health_of_any_legs_never_exceeds_maintenance_health((book, account) in any_of(LISTED)) {
        let found = assess(&book, &account);
        let most = found.maintenance.health().0 + 2 * slack(&[&account]);
        prop_assert!(found.initial.health().0 <= most, "{found:?}");
        let ignored = assess_with(&book, &account, InitialTerms::WITHDRAWAL);
        prop_assert!(ignored.initial.equity <= found.initial.equity);
        prop_assert_eq!(ignored.initial.requirement, found.initial.requirement);
    }

    /// 5.3: the cushion is an atom for each option lot, bought or sold, in both requirements; the
    /// floor of what is sold is not netted by what is bought.
    #[test]
    fn cushion_and_floor_count_every_series((book, account) in any_of(LISTED)) {
        let found = assess(&book, &account);
        let lots = option_lots(&book, &account);
        prop_assert_eq!(found.maintenance_parts.cushion.0, lots);
        prop_assert_eq!(found.initial_parts.cushion.0, lots);
        prop_assert_eq!(found.initial_parts.floor, found.maintenance_parts.floor);

        let mut sold = account.clone();
        sold.positions.retain(|leg| leg.size.0 < 0);
        prop_assert_eq!(assess(&book, &sold).maintenance_parts.floor, found.maintenance_parts.floor);
        sold.positions.retain(|leg| !is_option(&book, leg));
        prop_assert_eq!(assess(&book, &sold).maintenance_parts.floor, Atoms(0));
    }

    /// 5.8: a stale array's surcharge is added to Initial, lot by lot, and to nothing else.
    #[test]
    fn a_surcharge_is_paid_in_initial_alone((mut book, account) in any_of(LISTED), surcharge in 0i64..1 << 20) {
        book.instruments.iter_mut().for_each(|terms| terms.surcharge = Atoms(0));
        let fresh = assess(&book, &account);
        let options = book.instruments.iter_mut().filter(|terms| terms.kind.is_option());
        options.for_each(|terms| terms.surcharge = Atoms(surcharge));
        let stale = assess(&book, &account);
        let added = surcharge * option_lots(&book, &account);
        prop_assert_eq!(stale.initial.requirement.0 - fresh.initial.requirement.0, added);
        prop_assert_eq!(stale.initial_parts.surcharge.0, added);
        prop_assert_eq!(stale.initial.equity, fresh.initial.equity);
        prop_assert_eq!(stale.maintenance, fresh.maintenance);
        prop_assert_eq!(stale.maintenance_parts.surcharge, Atoms(0));
    }

    /// 7.2: carry is part of what a position is worth, floor, and no part of its risk.
    #[test]
    fn carry_moves_equity_by_size_and_changes_no_requirement((book, account) in any_of(Recipe { accrued: true, ..LISTED })) {
        let mut plain = book.clone();
        for terms in &mut plain.instruments {
            (terms.carry_long, terms.carry_short) = (Carry48(0), Carry48(0));
        }
        let carried: i128 = account.positions.iter().map(|leg| {
            let terms = book.instrument(leg.instrument);
            let carry = if leg.size.0 > 0 { terms.carry_long } else { terms.carry_short };
            -((-i128::from(leg.size.0) * carry.0) >> 48)
        }).sum();
        let (with, without) = (assess(&book, &account), assess(&plain, &account));
        let paid = |with: Atoms, without: Atoms| i128::from(without.0) - i128::from(with.0);
        let few = account.positions.len() as i128;
        for paid in [
            paid(with.net_asset_value, without.net_asset_value),
            paid(with.maintenance.equity, without.maintenance.equity),
        ] {
            prop_assert!((carried - few..=carried).contains(&paid), "{paid} of {carried}");
        }
        prop_assert_eq!(with.maintenance_parts, without.maintenance_parts);
        prop_assert_eq!(with.initial_parts, without.initial_parts);
    }

    /// 2.6: a doubtful price taken against the account never adds to its equity, one taken in its
    /// favour never takes from it; neither touches net asset value.
    #[test]
    fn doubt_moves_equity_to_its_side((book, account) in any_of(Recipe { doubt: true, ..LISTED })) {
        let judged = |stance| assess_with(&book, &account, InitialTerms { stance, ..InitialTerms::COUNTED });
        let plain = judged(Stance::Plain);
        let (against, favour) = (judged(Stance::Against), judged(Stance::InFavour));
        prop_assert!(against.maintenance.equity <= plain.maintenance.equity);
        prop_assert!(against.initial.equity <= plain.initial.equity);
        prop_assert!(favour.maintenance.equity >= plain.maintenance.equity);
        prop_assert_eq!(against.maintenance.requirement, plain.maintenance.requirement);
        prop_assert_eq!(against.initial.requirement, plain.initial.requirement);
        let nets = [against.net_asset_value, favour.net_asset_value];
        prop_assert_eq!(nets, [plain.net_asset_value; 2]);
        let mut lanes = vec![7; Scratch::MAX_LANES];
        let alone = maintenance_in_favour(&book, &account, &mut Scratch::new(&mut lanes));
        prop_assert_eq!(alone, favour.maintenance);
    }

    /// I13's cousin: the order of an account's slots changes nothing.
    #[test]
    fn the_order_of_slots_changes_nothing((book, account) in any_of(LISTED), turn in 0usize..16) {
        let mut turned = account.clone();
        turned.positions.reverse();
        turned.balances.reverse();
        let slots = turned.positions.len().max(1);
        turned.positions.rotate_left(turn % slots);
        let (found, other) = (assess(&book, &account), assess(&book, &turned));
        prop_assert_eq!(found, other);
    }

    /// 5.2: what nets is judged as one. A leg split over two instruments of one side pays no more and
    /// no less, beyond a rounding.
    #[test]
    fn a_leg_split_over_two_series_is_judged_as_one((mut book, mut account) in any_of(EVEN), choice in 0usize..16, part in 0i64..=1_000_000) {
        prop_assume!(!account.positions.is_empty());
        let slot = choice % account.positions.len();
        let leg = account.positions[slot];
        let whole = assess(&book, &account);
        let array = book.array(leg.instrument).to_vec();
        let twin = book.list_instrument(book.instrument(leg.instrument), &array, Greeks::LINEAR);
        let moved = (i128::from(leg.size.0) * i128::from(part) / 1_000_000) as i64;
        account.positions[slot].size.0 -= moved;
        account = account.with_position(twin, moved, 0);
        let split = assess(&book, &account);
        for (whole, split) in [(whole.maintenance, split.maintenance), (whole.initial, split.initial)] {
            prop_assert!((whole.equity.0 - split.equity.0).abs() <= 4);
            prop_assert!((whole.requirement.0 - split.requirement.0).abs() <= slack(&[&account]));
        }
    }

    /// 5.5: the parts are the whole, and the report's lines are the parts.
    #[test]
    fn parts_and_lines_sum_to_the_requirement((book, account) in any_of(LISTED)) {
        let mut lanes = vec![-1; Scratch::MAX_LANES];
        let told = report(&book, &account, InitialTerms::COUNTED, 0, &mut Scratch::new(&mut lanes));
        let found = told.totals;
        for (health, parts) in [(found.maintenance, found.maintenance_parts), (found.initial, found.initial_parts)] {
            let added = [parts.basis, parts.floor, parts.unwind, parts.cushion, parts.surcharge];
            let sum = added.iter().fold(parts.scan().0, |sum, part| sum + part.0);
            prop_assert_eq!(health.requirement.0, sum);
            prop_assert_eq!(parts.total().0, sum);
        }
        let lines = &told.lines[..told.lines_len];
        let sum = |part: fn(&AssetLine) -> Atoms| lines.iter().map(|line| part(line).0).sum::<i64>();
        prop_assert_eq!(sum(|line| line.maintenance.basis), found.maintenance_parts.basis.0);
        prop_assert_eq!(sum(|line| line.maintenance.unwind), found.maintenance_parts.unwind.0);
        prop_assert_eq!(sum(|line| line.initial.basis), found.initial_parts.basis.0);
        prop_assert_eq!(sum(|line| line.initial.unwind), found.initial_parts.unwind.0);
    }

    /// Each entry point says what the combined one says.
    #[test]
    fn every_entry_point_agrees_on_any_legs((book, account) in any_of(LISTED)) {
        let mut lanes = vec![7; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        let whole = both(&book, &account, InitialTerms::COUNTED, &mut scratch);
        prop_assert_eq!(maintenance(&book, &account, &mut scratch), whole.maintenance);
        prop_assert_eq!(initial(&book, &account, InitialTerms::COUNTED, &mut scratch), whole.initial);
    }

    /// 1.6: judging is total for options too.
    #[test]
    fn judging_options_never_fails((mut book, mut account) in any_of(Recipe { wild: true, ..LISTED }), seed in any::<u64>()) {
        let mut draw = Draw(seed);
        for leg in &mut account.positions {
            (leg.size.0, leg.quote.0) = (draw.word() as i64, draw.word() as i64);
        }
        for terms in &mut book.instruments {
            terms.surcharge = Atoms(draw.word() as i64);
            terms.delta = Delta30(draw.word() as i32);
            terms.carry_long = Carry48(i128::from(draw.word() as i64) << draw.between(0, 64));
            terms.carry_short = Carry48(i128::from(draw.word() as i64) << draw.between(0, 64));
        }
        for array in &mut book.arrays {
            array.iter_mut().for_each(|gain| *gain = draw.word() as i32);
        }
        let found = assess(&book, &account);
        prop_assert!(found.maintenance.requirement.0 >= 0 && found.initial.requirement.0 >= 0);
        prop_assert!(found.initial.requirement.0 >= found.maintenance_parts.scan().0.min(0));
    }
}
