//! The worked examples of `docs/risk.md`: every line that prints a figure is built here from what the
//! engine answers, to the atom, and must stand in the document. A test that fails prints the lines.
//! Dollars are millions of atoms.

use crate::chart;
use crate::common::*;
use keel_risk::black76::{Contract, OptionSide, greeks, lot_greeks};
use keel_risk::risk_array::{ArrayTerms, risk_array, scenario_sigma, shocked_forward};
use keel_risk::*;

const DOCUMENT: &str = include_str!("../../../../docs/risk.md");
const USD: i64 = 1_000_000;
/// Collateral at 90% and 80%.
const WEIGHTS: [u32; 4] = [900_000, 800_000, 1_100_000, 1_200_000];

/// Fails unless the document has these lines, one after the other.
fn documented(lines: &[String]) {
    let block = lines.join("\n");
    assert!(
        DOCUMENT.contains(&block),
        "docs/risk.md should read\n\n{block}\n"
    );
}

/// `1,234.50`: every atom, two places at least where there are any.
pub fn dollars(amount: Atoms) -> String {
    let (whole, part) = (
        amount.0.unsigned_abs() / 1_000_000,
        amount.0.unsigned_abs() % 1_000_000,
    );
    let digits = whole.to_string();
    let mut text = String::from(if amount.0 < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if part != 0 {
        let places = format!("{part:06}");
        let kept = places.trim_end_matches('0').len().max(2);
        text.push('.');
        text.push_str(&places[..kept]);
    }
    text
}

/// One asset with a perp, in lots of $1: range 10%, Initial 1.5 times.
fn market() -> TestBook {
    let mut book = empty_book();
    book.list(linear_terms(), WEIGHTS, 1);
    book
}

fn linear_terms() -> AssetTerms {
    AssetTerms {
        unwind_rate: Ppm(2_500),
        ..plain_asset()
    }
}

fn cash(whole: i64) -> TestAccount {
    TestAccount::default().with_balance(0, whole * USD)
}

/// `10%`, `0.25%`.
fn percent(ratio: Ppm) -> String {
    let places = format!("{}.{:04}", ratio.0 / 10_000, ratio.0 % 10_000);
    let kept = places.trim_end_matches('0').trim_end_matches('.');
    format!("{kept}%")
}

/// `1.5`.
fn ratio(ratio: Ppm) -> String {
    let places = format!("{}.{:06}", ratio.0 / 1_000_000, ratio.0 % 1_000_000);
    String::from(places.trim_end_matches('0').trim_end_matches('.'))
}

/// Docs: what the examples are computed with.
#[test]
fn the_inputs_are_printed() {
    let terms = linear_terms();
    documented(&[format!(
        "Range {}, `init_factor` {}, basis {}, unwind {}, token weights {} and {}, b = {}.",
        percent(terms.range),
        ratio(terms.init_factor),
        percent(terms.basis_rate),
        percent(terms.unwind_rate),
        ratio(Ppm(WEIGHTS[0])),
        ratio(Ppm(WEIGHTS[1])),
        ratio(Ppm(u32::from(terms.systematic) * 1_000))
    )]);
    let group = empty_book().group;
    documented(&[format!(
        "{} of the sum of the scans",
        percent(group.gross_min)
    )]);
    documented(&[format!(
        "{} of the asset's price for each short lot",
        percent(terms.short_option_min)
    )]);
    documented(&[format!(
        "less than ${}, or stands behind a requirement under ${},",
        dollars(group.min_notional),
        dollars(group.small_requirement)
    )]);

    let option = array_terms(OptionSide::Call);
    documented(&[format!(
        "A lot is ${}. Call and put have strike {}, {} days, volatility {}; volatility range {}.",
        (option.contract.forward >> STRIKE_SHIFT) / 1_000_000,
        (option.contract.strike >> STRIKE_SHIFT) / 1_000_000,
        option.contract.time_s / 86_400,
        percent(option.contract.sigma),
        percent(option.vol_range)
    )]);
}

/// Docs: the table of tiers, with bounds 2% off: what equity moves by, and whether a scan is left.
#[test]
fn prices_in_doubt_count_as_the_table_says() {
    let mut book = market();
    book.qualities[1].bound_down = Frac40((1 << 40) / 50);
    book.qualities[1].bound_up = Frac40((1 << 40) / 50);
    let long = cash(200).with_position(0, 1_000, -1_000 * USD);
    let short = cash(200).with_position(0, -1_000, 1_000 * USD);
    let mut moved = |account: &TestAccount, tier, stance| {
        book.qualities[1].tier = tier;
        let terms = InitialTerms {
            stance,
            ..InitialTerms::COUNTED
        };
        let found = assess_with(&book, account, terms);
        let [kept, less] = [found.maintenance, found.initial].map(|h| h.equity.0 - 200 * USD);
        assert_eq!(kept, less, "one judgement, both requirements");
        (kept, found.maintenance_parts.scan().0 / USD)
    };

    let held = |moved: i64| (moved * USD, 100);
    for account in [&long, &short] {
        assert_eq!(moved(account, Tier::Ok, Stance::Against), held(0));
        assert_eq!(moved(account, Tier::Wide, Stance::Against), held(-20));
        assert_eq!(moved(account, Tier::Diverged, Stance::Against), held(-20));
        assert_eq!(moved(account, Tier::Wide, Stance::InFavour), held(0));
        assert_eq!(moved(account, Tier::Diverged, Stance::InFavour), held(20));
        assert_eq!(moved(account, Tier::Stale, Stance::Plain), held(0));
    }
    for tier in [Tier::Stale, Tier::Invalid] {
        assert_eq!(moved(&long, tier, Stance::Against), held(-1_000));
        // 1.02 * 1.1 - 1 = 12.2%, and 1 - 0.98 * 0.9 = 11.8%; up to an atom of rounding.
        for (account, stance, percent, scan) in [
            (&short, Stance::Against, -122, 100),
            (&long, Stance::InFavour, 122, 0),
            (&short, Stance::InFavour, 118, 0),
        ] {
            let (found, left) = moved(account, tier, stance);
            assert!(
                (found - percent * USD).abs() <= 1,
                "{tier:?} {stance:?} {found}"
            );
            assert_eq!(left, scan);
        }
    }
}

/// Docs: "One long".
#[test]
fn one_long() {
    let found = assess(&market(), &cash(200).with_position(0, 1_000, -1_000 * USD));
    let (low, high) = (found.maintenance_parts, found.initial_parts);
    let line = |name: &str, maintenance: Atoms, initial: Atoms| {
        format!(
            "| {name} | {} | {} |",
            dollars(maintenance),
            dollars(initial)
        )
    };
    documented(&[
        line("scan: 10% of 1,000, times 1.5", low.scan(), high.scan()),
        line("unwind: 0.25% of 1,000", low.unwind, high.unwind),
        line("requirement", low.total(), high.total()),
        line("equity", found.maintenance.equity, found.initial.equity),
        line(
            "**health**",
            found.maintenance.health(),
            found.initial.health(),
        ),
    ]);
}

/// Docs: "Hedge".
#[test]
fn spot_against_a_short_perp() {
    let account = TestAccount::default()
        .with_balance(1, 1_000 * USD)
        .with_position(0, -900, 900 * USD);
    let found = assess(&market(), &account);
    let (low, high) = (found.maintenance_parts, found.initial_parts);
    // Nothing else is held, so the token's weighted value is the equity.
    let net = |equity: Atoms| dollars(Atoms(equity.0 - 900 * USD));
    let (kept, less) = (found.maintenance.equity, found.initial.equity);
    documented(&[
        format!(
            "| token at 0.9, at 0.8 | {} | {} |",
            dollars(kept),
            dollars(less)
        ),
        format!("| net of the short 900 | {} | {} |", net(kept), net(less)),
        format!(
            "| scan | {} | {} |",
            dollars(low.scan()),
            dollars(high.scan())
        ),
        format!(
            "| basis: 1% of what is matched | {} | {} |",
            dollars(low.basis),
            dollars(high.basis)
        ),
        format!(
            "| unwind: 0.25% of 900 | {} | {} |",
            dollars(low.unwind),
            dollars(high.unwind)
        ),
        format!(
            "| **requirement** | {} | {} |",
            dollars(low.total()),
            dollars(high.total())
        ),
    ]);
}

/// Docs: "Calendar".
#[test]
fn near_future_against_far_future() {
    let mut book = market();
    let far = price(1_020_000 << 10, 10);
    let far = InstrumentTerms::linear(InstrumentKind::Future, 1, far);
    let far = book.list_instrument(far, &[], Greeks::LINEAR);
    let long = cash(50).with_position(0, 1_000, -1_000 * USD);
    let short = cash(50).with_position(far, -1_000, 1_020 * USD);
    let both = long.clone().with_position(far, -1_000, 1_020 * USD);
    let found = [long, short, both].map(|account| assess(&book, &account));
    let row = |name: &str, of: fn(&Assessment) -> Atoms| {
        let [long, short, both] = found.each_ref().map(|found| dollars(of(found)));
        format!("| {name} | {long} | {short} | {both} |")
    };
    documented(&[
        row("scan", |found| found.maintenance_parts.scan()),
        row("basis", |found| found.maintenance_parts.basis),
        row("unwind", |found| found.maintenance_parts.unwind),
        row("**Maintenance**", |found| found.maintenance.requirement),
        row("**Initial**", |found| found.initial.requirement),
    ]);
}

/// Docs: "Long one asset, short another".
#[test]
fn long_one_asset_short_another() {
    let mut book = market();
    book.list(linear_terms(), WEIGHTS, 1);
    let account = cash(300)
        .with_position(0, 1_000, -1_000 * USD)
        .with_position(1, -1_000, 1_000 * USD);
    let found = assess(&book, &account);
    let (low, high) = (found.maintenance_parts, found.initial_parts);
    assert_eq!((low.rule, high.rule), (Rule::OneFactor, Rule::OneFactor));
    let line = |name: &str, maintenance: Atoms, initial: Atoms| {
        format!(
            "| {name} | {} | {} |",
            dollars(maintenance),
            dollars(initial)
        )
    };
    documented(&[
        line("systemic: loss less gain", low.systemic, high.systemic),
        line("one-factor", low.one_factor, high.one_factor),
        line("30% of both scans", low.gross, high.gross),
        line("unwind", low.unwind, high.unwind),
        line("**requirement**", low.total(), high.total()),
    ]);

    let alone = |instrument, size: i64| {
        assess(
            &book,
            &cash(300).with_position(instrument, size, -size * USD),
        )
    };
    let (long, short) = (alone(0, 1_000), alone(1, -1_000));
    let sum = |of: fn(&Assessment) -> Health| {
        dollars(Atoms(of(&long).requirement.0 + of(&short).requirement.0))
    };
    documented(&[format!(
        "Apart they would need {} and {}.",
        sum(|found| found.maintenance),
        sum(|found| found.initial)
    )]);
}

/// Docs: "Collateral that is also the position's asset".
#[test]
fn collateral_of_the_asset_itself() {
    let book = market();
    let held = TestAccount::default().with_balance(1, 500 * USD);
    let accounts = [
        held.clone(),
        held.clone().with_position(0, 1_000, -1_000 * USD),
        held.with_position(0, -1_000, 1_000 * USD),
    ];
    let found = accounts.map(|account| {
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        report(&book, &account, InitialTerms::COUNTED, 0, &mut scratch)
    });
    let row = |name: &str, of: fn(&MarginReport) -> Atoms| {
        let [alone, long, short] = found.each_ref().map(|found| dollars(of(found)));
        format!("| {name} | {alone} | {long} | {short} |")
    };
    documented(&[
        row("net", |found| found.lines[0].maintenance.net),
        row("scan", |found| found.totals.maintenance_parts.scan()),
        row("basis", |found| found.totals.maintenance_parts.basis),
        row("unwind", |found| found.totals.maintenance_parts.unwind),
        row("**health**", |found| found.totals.maintenance.health()),
    ]);
}

const SIGMA: Ppm = Ppm(600_000);
const STRIKE_SHIFT: u8 = 10;
const HUNDRED: u64 = 100_000_000 << STRIKE_SHIFT;
const SIZE: i64 = 10;

/// The option examples' contract: at the money, $100 a lot, 30 days, 60%; range 10%, volatility
/// range 25%.
fn array_terms(side: OptionSide) -> ArrayTerms {
    ArrayTerms {
        contract: Contract {
            side,
            forward: HUNDRED,
            strike: HUNDRED,
            sigma: SIGMA,
            time_s: 30 * 86_400,
        },
        shift: STRIKE_SHIFT,
        range: Ppm(100_000),
        vol_range: Ppm(250_000),
        vol_floor: Ppm(200_000),
    }
}

/// A perp (instrument 0), the call (1) and the put (2), all in lots of $100.
fn options_market() -> TestBook {
    let mut book = empty_book();
    let terms = AssetTerms {
        lot_price: price(HUNDRED, STRIKE_SHIFT),
        ..linear_terms()
    };
    book.list(terms, WEIGHTS, 1);
    for (kind, side) in [
        (InstrumentKind::Call, OptionSide::Call),
        (InstrumentKind::Put, OptionSide::Put),
    ] {
        let terms = array_terms(side);
        let mut array = [0; 16];
        risk_array(&terms, &SPAN_16, &mut array);
        let valued = greeks(&terms.contract);
        let lot = lot_greeks(&valued, HUNDRED, STRIKE_SHIFT);
        let mark = price(valued.value, STRIKE_SHIFT);
        let listed = InstrumentTerms {
            delta: lot.delta,
            ..InstrumentTerms::linear(kind, 1, mark)
        };
        book.list_instrument(listed, &array, lot);
    }
    book
}

/// Opens at the mark, so that the position's result is zero, or an atom of rounding less.
fn at_mark(book: &TestBook, account: TestAccount, instrument: u8, size: i64) -> TestAccount {
    let value = num::value_floor(Lots(size), book.instrument(instrument).mark);
    account.with_position(instrument, size, -value.0)
}

/// Docs: "Options": mark and Greeks of a lot.
#[test]
fn an_option_has_a_mark_and_greeks() {
    let book = options_market();
    // Thirty fractional bits as four places, to the nearest.
    let places = |bits: i64| {
        let rounded = (bits.abs() * 10_000 + (1 << 29)) >> 30;
        let sign = if bits < 0 { "-" } else { "" };
        format!("{sign}{}.{:04}", rounded / 10_000, rounded % 10_000)
    };
    let atoms = |bits: i64| dollars(Atoms(bits / (1 << 16)));
    let line = |name: &str, instrument: u8| {
        let greeks = book.greeks(instrument);
        let mark = num::value_floor(Lots(1), book.instrument(instrument).mark);
        format!(
            "| {name} | {} | {} | {} | {} | {} |",
            dollars(mark),
            places(greeks.delta.0.into()),
            places(greeks.gamma),
            atoms(greeks.vega),
            atoms(greeks.theta)
        )
    };
    documented(&[line("call", 1), line("put", 2)]);
}

/// Docs: "Options": the risk arrays of both.
#[test]
fn an_option_has_a_risk_array() {
    let book = options_market();
    let entry =
        |instrument: u8, number: usize| dollars(Atoms(book.array(instrument)[number - 1].into()));
    let terms = array_terms(OptionSide::Call);
    let at = |number: usize| {
        let forward = shocked_forward(HUNDRED, &SPAN_16[number - 1], terms.range);
        // To the nearest cent.
        let cents = ((forward >> STRIKE_SHIFT) + 5_000) / 10_000;
        dollars(Atoms(cents as i64 * 10_000))
    };
    let [down, up] = [-1, 1].map(|direction| percent(scenario_sigma(&terms, direction)));
    let mut lines = vec![format!(
        "| scenarios | price | call, {up} | call, {down} | put, {up} | put, {down} |"
    )];
    lines.push("|---|---:|---:|---:|---:|---:|".into());
    let single = |number: usize| {
        let (call, put) = (entry(1, number), entry(2, number));
        let share = percent(SPAN_16[number - 1].w);
        format!(
            "| {number}, at {share} | {} | {call} | | {put} | |",
            at(number)
        )
    };
    lines.push(single(16));
    for first in [13, 9, 5, 1, 3, 7, 11] {
        let second = first + 1;
        assert_eq!((SPAN_16[first - 1].v, SPAN_16[first].v), (1, -1));
        lines.push(format!(
            "| {first}, {second} | {} | {} | {} | {} | {} |",
            at(first),
            entry(1, first),
            entry(1, second),
            entry(2, first),
            entry(2, second)
        ));
    }
    lines.push(single(15));
    documented(&lines);
}

/// The parts of three accounts side by side.
fn side_by_side(book: &TestBook, accounts: &[TestAccount; 3]) -> Vec<String> {
    let found = accounts.each_ref().map(|account| {
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        report(book, account, InitialTerms::COUNTED, 0, &mut scratch)
    });
    let row = |name: &str, of: fn(&MarginReport) -> Atoms| {
        let [one, other, both] = found.each_ref().map(|found| dollars(of(found)));
        format!("| {name} | {one} | {other} | {both} |")
    };
    let [one, other, both] = found
        .each_ref()
        .map(|found| found.lines[0].maintenance.worst);
    vec![
        format!("| worst scenario | {one} | {other} | {both} |"),
        row("scan", |found| found.totals.maintenance_parts.scan()),
        row("floor", |found| found.totals.maintenance_parts.floor),
        row("cushion", |found| found.totals.maintenance_parts.cushion),
        row("unwind", |found| found.totals.maintenance_parts.unwind),
        row("**Maintenance**", |found| {
            found.totals.maintenance.requirement
        }),
        row("**Initial**", |found| found.totals.initial.requirement),
    ]
}

/// The long perp, the short call and both, each with $200 of cash.
fn covered_call(book: &TestBook) -> [TestAccount; 3] {
    let perp = at_mark(book, cash(200), 0, SIZE);
    let call = at_mark(book, cash(200), 1, -SIZE);
    let both = at_mark(book, perp.clone(), 1, -SIZE);
    [perp, call, both]
}

/// Docs: "Covered call".
#[test]
fn a_covered_call() {
    let book = options_market();
    documented(&side_by_side(&book, &covered_call(&book)));
}

/// Docs: "Short straddle".
#[test]
fn a_short_straddle() {
    let book = options_market();
    let call = at_mark(&book, cash(200), 1, -SIZE);
    let put = at_mark(&book, cash(200), 2, -SIZE);
    let both = at_mark(&book, call.clone(), 2, -SIZE);
    documented(&side_by_side(&book, &[call, put, both]));
}

/// Docs: the picture. `KEEL_BLESS=1` draws it anew.
#[test]
fn the_covered_call_is_drawn() {
    let book = options_market();
    // What each holding gains in each scenario: the linear leg `w * k * range` of its value, the
    // short calls ten lots of minus the array.
    let perp: Vec<i64> = SPAN_16
        .iter()
        .map(|s| {
            let whole = SIZE * 100 * i64::from(s.k_num) * i64::from(s.w.0);
            whole / i64::from(s.k_den) / 10
        })
        .collect();
    let array = book.array(1).iter();
    let call: Vec<i64> = array.map(|gain| -SIZE * i64::from(*gain)).collect();
    let both: Vec<i64> = perp.iter().zip(&call).map(|(a, b)| a + b).collect();
    let series = [perp, call, both];

    // The picture's worst columns are the engine's scans.
    let scans = covered_call(&book).map(|account| assess(&book, &account).maintenance_parts.scan());
    for (gains, scan) in series.iter().zip(scans) {
        let worst = gains.iter().map(|gain| -gain).max().unwrap();
        assert!((worst - scan.0).abs() <= 1, "{worst} {scan:?}");
    }
    chart::check("risk.svg", &chart::draw(&series, scans));
}

/// Docs: "What liquidation takes".
#[test]
fn what_liquidation_takes() {
    let mut book = market();
    book.assets[1].lot_price = price(900_000 << 10, 10);
    book.instruments[0].mark = book.assets[1].lot_price;
    let account = cash(192).with_position(0, 1_000, -1_000 * USD);
    let before = assess(&book, &account).maintenance;
    assert!(before.is_liquidatable());
    documented(&[format!(
        "Equity is {}; the requirement {}.",
        dollars(before.equity),
        dollars(before.requirement)
    )]);

    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let liquidator = cash(1_000);
    let target = Target::Position {
        slot: 0,
        liquidator_slot: 0,
    };
    let terms = LiquidationTerms {
        buffer: Ppm(50_000),
        fee: Ppm(5_000),
        insurance_share: Ppm(400_000),
    };
    let plan = plan_liquidation(
        &book,
        &account,
        &liquidator,
        target,
        Lots(50),
        terms,
        &mut scratch,
    );
    let plan = plan.unwrap();
    assert_eq!(plan.size, Lots(50));
    let penalty = Atoms(plan.penalty_liquidator.0 + plan.penalty_insurance.0);
    documented(&[format!(
        "A liquidator takes ${} of it at the mark. The penalty of 0.5%, ${}, is shared: ${} to him, ${} to insurance. Equity is then **{}**, the requirement **{}**",
        dollars(plan.notional),
        dollars(penalty),
        dollars(plan.penalty_liquidator),
        dollars(plan.penalty_insurance),
        dollars(plan.after.equity),
        dollars(plan.after.requirement)
    )]);
}
