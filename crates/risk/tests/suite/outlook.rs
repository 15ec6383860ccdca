//! 5.10: what a trader asks before he trades, against brute force.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

/// A market of $1 lots that anything up to a few hundred lots meets.
fn market_terms() -> MarketTerms {
    MarketTerms {
        open_interest_cap: 260,
        min_size: 2,
        taker_fee: Ppm(500),
        maker_fee: Ppm(200),
        referral_share: Ppm(100_000),
        base_spread: Ppm(300),
        conf_share: Ppm(500_000),
        max_age_fill_s: 10,
        ..MarketTerms::default()
    }
}

fn pool_terms(asset_cap: i64) -> OrderTerms {
    OrderTerms {
        intent: Intent::Open,
        authority: Authority::Owner,
        pool: PoolTerms {
            shares: 1,
            equity_cap: Atoms(i64::MAX),
            asset_cap: Atoms(asset_cap),
            factor: Ppm(3_000_000),
        },
    }
}

/// Every size from the smallest that is not too small, one after the other.
fn by_brute_force(
    book: &TestBook,
    parties: &Parties<'_, TestAccount, TestAccount>,
    order: Order,
    terms: OrderTerms,
) -> i64 {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut scratch = Scratch::new(&mut lanes);
    let mut last = 0;
    for lots in 1..=1_000 {
        let orders = [Order {
            size: Lots(order.size.0.signum() * lots),
            ..order
        }];
        let mut buffers = OrderBuffers {
            fills: &mut [LegFill::EMPTY],
            taker: &mut [(0, PositionLeg::EMPTY)],
            maker: &mut [(0, PositionLeg::EMPTY)],
        };
        match plan_order(book, parties, &orders, terms, &mut buffers, &mut scratch) {
            Ok(_) => last = lots,
            Err(RiskError::BelowMinSize { .. } | RiskError::BelowMinNotional { .. })
                if last == 0 => {}
            Err(_) => break,
        }
    }
    last
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 5.10: buying power is what trying every size finds, on both sides, with positions in the same
    /// and in another asset, tokens of either, size multipliers and the pool's limits.
    #[test]
    fn buying_power_is_what_trying_every_size_finds(
        cash in 10i64..120, held in -150i64..150, other in -150i64..150, token in 0i64..100,
        depth in prop::option::of(20i64..300), cap in 0u32..1_500_000, range in 20_000u32..300_000,
        pool in (20i64..400, -100i64..100), asset_cap in 50i64..400, dust in 1i64..100, buys: bool,
        skewed in (-300i64..300, prop::option::of(100u64..5_000), 0u64..20_000_000, 0u32..4)
    ) {
        let usd = 1_000_000;
        let mut book = empty_book();
        book.group.min_notional = Atoms(dust * usd);
        let terms = AssetTerms {
            depth: Atoms(depth.map_or(0, |depth| depth * usd)),
            concentration_cap: Ppm(cap),
            range: Ppm(range),
            unwind_rate: Ppm(2_500),
            ..plain_asset()
        };
        book.list(terms, [900_000, 800_000, 1_100_000, 1_200_000], 1);
        book.list(AssetTerms { range: Ppm(80_000), systematic: 700, ..plain_asset() }, [900_000; 4], 1);
        let leg = |instrument, size: i64| PositionLeg { instrument, size: Lots(size), quote: Atoms(-size * usd) };
        let mut taker = TestAccount::default().with_balance(0, cash * usd).with_balance(1, token * usd);
        taker.positions = vec![leg(0, held), leg(1, other)];
        let mut maker = TestAccount::default().with_balance(0, pool.0 * usd);
        maker.positions = vec![leg(0, pool.1)];
        let parties = Parties { taker: &taker, maker: &maker };
        let mark = book.instrument(0).mark;
        let order = Order {
            instrument: 0,
            size: Lots(if buys { 1 } else { -1 }),
            limit_price: if buys { mark.mantissa() * 2 } else { 0 },
            taker_slot: 0,
            maker_slot: 0,
            referred: true,
            market: MarketTerms {
                skew: skewed.0,
                skew_scale: skewed.1.unwrap_or(0),
                impact_paid: skewed.2,
                insurance: Atoms(90 * usd),
                insurance_multiple: skewed.3,
                ..market_terms()
            },
        };
        let terms = pool_terms(asset_cap * usd);
        let exact = by_brute_force(&book, &parties, order, terms);
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let found = buying_power(&book, &parties, order, terms, &mut Scratch::new(&mut lanes));
        prop_assert_eq!(found, Lots(exact));
    }

    /// 5.10: a liquidation price is the first unit of price on the other side of Maintenance.
    #[test]
    fn a_liquidation_price_is_the_first_beyond_maintenance(
        cash in 50i64..400, size in -1_000i64..1_000, token in 0i64..300
    ) {
        let mut book = empty_book();
        let terms = AssetTerms { unwind_rate: Ppm(2_500), ..plain_asset() };
        book.list(terms, [900_000; 4], 1);
        let account = TestAccount::default()
            .with_balance(0, cash * 1_000_000)
            .with_balance(1, token * 1_000_000)
            .with_position(0, size, -size * 1_000_000);
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        let mut healthy = |mantissa| {
            maintenance(&Repriced::new(&book, 1, mantissa), &account, &mut scratch).health().0 >= 0
        };
        let now = book.asset(1).lot_price.mantissa();
        let known = healthy(now);
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let [below, above] = liquidation_prices(&book, &account, 1, &mut Scratch::new(&mut lanes));
        if let Some(price) = below {
            prop_assert!(price.mantissa() < now);
            prop_assert_ne!(healthy(price.mantissa()), known);
            prop_assert_eq!(healthy(price.mantissa() + 1), known);
        }
        if let Some(price) = above {
            prop_assert!(price.mantissa() > now);
            prop_assert_ne!(healthy(price.mantissa()), known);
            prop_assert_eq!(healthy(price.mantissa() - 1), known);
        }
        // A net long is hurt by a fall alone, a net short by a rise alone.
        if known {
            prop_assert!(below.is_none() || size + token * 9 / 10 >= 0);
            prop_assert!(above.is_none() || size < 0);
        }
    }
}

/// Long 1,000 lots of $1 with $200: E = 200 - 1,000 (1 - p), MM = 102.50 p, equal at p = 0.891364.
#[test]
fn a_longs_liquidation_price_by_hand() {
    let mut book = empty_book();
    book.list(
        AssetTerms {
            unwind_rate: Ppm(2_500),
            ..plain_asset()
        },
        [1_000_000; 4],
        1,
    );
    let account = TestAccount::default()
        .with_balance(0, 200_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let [below, above] = liquidation_prices(&book, &account, 1, &mut Scratch::new(&mut lanes));
    let ppm = below.expect("a price").mantissa() >> 10;
    assert!((891_362..=891_365).contains(&ppm), "{ppm}");
    assert_eq!(above, None);
}

/// A short straddle has a price on either side, a whole hedge none.
#[test]
fn a_straddle_has_two_prices_and_a_hedge_none() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 1);
    let array: Vec<i32> = SPAN_16
        .iter()
        .map(|scenario| {
            let moved = i64::from(scenario.k_num) * 100_000 / i64::from(scenario.k_den);
            (moved.abs() * i64::from(scenario.w.0) / 1_000_000) as i32
        })
        .collect();
    for (kind, delta) in [
        (InstrumentKind::Call, 1 << 29),
        (InstrumentKind::Put, -(1 << 29)),
    ] {
        let terms = InstrumentTerms {
            kind,
            delta: Delta30(delta),
            ..InstrumentTerms::linear(kind, 1, price(70_000 << 10, 10))
        };
        book.list_instrument(terms, &array, Greeks::default());
    }
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let short_call = TestAccount::default()
        .with_balance(0, 300_000_000)
        .with_position(1, -1_000, 70_000_000);
    let [below, above] = liquidation_prices(&book, &short_call, 1, &mut Scratch::new(&mut lanes));
    assert!(below.is_none() && above.is_some());
    // Beyond 14% one option is worth nothing and the other goes on: the straddle loses both ways.
    let straddle = TestAccount::default()
        .with_balance(0, 215_000_000)
        .with_position(1, -1_000, 70_000_000)
        .with_position(2, -1_000, 70_000_000);
    let found = liquidation_prices(&book, &straddle, 1, &mut Scratch::new(&mut lanes));
    assert!(found.iter().all(Option::is_some), "{found:?}");
    let hedge = TestAccount::default()
        .with_balance(0, 100_000_000)
        .with_balance(1, 1_000_000_000)
        .with_position(0, -1_000, 1_000_000_000);
    let [below, _] = liquidation_prices(&book, &hedge, 1, &mut Scratch::new(&mut lanes));
    assert_eq!(below, None);
}

/// Projected margin is the margin of the account so changed.
#[test]
fn projected_margin_is_the_changed_accounts() {
    let mut book = empty_book();
    book.list(plain_asset(), [1_000_000; 4], 1);
    let account = TestAccount::default().with_balance(0, 200_000_000);
    let after = account.clone().with_position(0, 1_000, -1_000_500_000);
    let leg = after.positions[0];
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let found = projected(
        &book,
        &account,
        &[(0, leg)],
        InitialTerms::COUNTED,
        &mut Scratch::new(&mut lanes),
    );
    assert_eq!(found, assess(&book, &after));
    assert_eq!(found.maintenance.requirement, Atoms(100_000_000));
}
