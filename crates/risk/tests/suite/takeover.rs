//! 8.3: a share of everything, at a discount that rises.

use crate::common::*;
use crate::liquidation::troubled;
use keel_risk::*;
use proptest::prelude::*;

const NO_LEG: BalanceLeg = BalanceLeg {
    rate: 0,
    shares: Shares(0),
};

/// Both accounts after a takeover, with its plan and ledgers.
#[derive(Debug)]
struct Taken {
    plan: TakeoverPlan,
    account: TestAccount,
    bidder: TestAccount,
    banks: Vec<BankChange>,
    markets: Vec<MarketChange>,
}

fn terms(max_share: u32, live_s: u64) -> TakeoverTerms {
    TakeoverTerms {
        max_share: Ppm(max_share),
        liquidation: LiquidationTerms {
            buffer: Ppm(50_000),
            fee: Ppm(5_000),
            insurance_share: Ppm(400_000),
        },
        live_s,
        insurance: u64::MAX >> 2,
        bidder_capacity: 16,
    }
}

fn written(
    account: &TestAccount,
    balances: &[(usize, BalanceLeg)],
    positions: &[(usize, PositionLeg)],
) -> TestAccount {
    let mut after = account.clone();
    for (slot, leg) in balances {
        while after.balances.len() <= *slot {
            after.balances.push(NO_LEG);
        }
        after.balances[*slot] = *leg;
    }
    for changed in positions {
        after.set_position(*changed);
    }
    after
}

fn take(
    book: &TestBook,
    account: &TestAccount,
    bidder: &TestAccount,
    terms: &TakeoverTerms,
) -> Result<Taken, RiskError> {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut balances = [vec![(0, NO_LEG); 17], vec![(0, NO_LEG); 17]];
    let mut positions = [
        vec![(0, PositionLeg::EMPTY); 16],
        vec![(0, PositionLeg::EMPTY); 16],
    ];
    let [account_balances, bidder_balances] = &mut balances;
    let [account_positions, bidder_positions] = &mut positions;
    let mut marked = vec![Marked::EMPTY; 16];
    let mut banks = vec![BankChange::default(); 17];
    let mut markets = vec![MarketChange::default(); 16];
    let plan = plan_take_over(
        book,
        (account, bidder),
        terms,
        &mut TakeoverBuffers {
            account_balances,
            account_positions,
            bidder_balances,
            bidder_positions,
            marked: &mut marked,
            banks: &mut banks,
            markets: &mut markets,
        },
        &mut Scratch::new(&mut lanes),
    )?;
    let (at, of) = (plan.balances, plan.positions);
    Ok(Taken {
        plan,
        account: written(account, &balances[0][..at], &positions[0][..of]),
        bidder: written(bidder, &balances[1][..at], &positions[1][..of]),
        banks: banks[..at].to_vec(),
        markets: markets[..of].to_vec(),
    })
}

/// $1,000 long with equity 90: E_M 90 against MM 100.
fn below() -> TestAccount {
    TestAccount::default()
        .with_balance(0, 90_000_000)
        .with_position(0, 1_000, -1_000_000_000)
}

/// 8.3 in figures: at no discount E stays 90 and MM must come to 90 / 1.05: x = 1/7, 142 lots. At
/// 10% the account loses a tenth of what it hands over.
#[test]
fn a_share_of_everything_is_paid_for_at_the_discount() {
    let book = one_asset();
    let found = take(&book, &below(), &rich(), &terms(1_000_000, 0)).unwrap();
    assert_eq!(found.plan.stopped_by, StoppedBy::End);
    assert!(
        (142_800..=143_000).contains(&found.plan.share.0),
        "{:?}",
        found.plan.share
    );
    assert_eq!(found.account.positions[0].size, Lots(1_000 - 142));
    assert_eq!(found.plan.payment, found.plan.worth);

    let later = take(&book, &below(), &rich(), &terms(100_000, 900)).unwrap();
    assert_eq!(
        (later.plan.share, later.plan.stopped_by),
        (Ppm(100_000), StoppedBy::MaxSize)
    );
    // A tenth of 90 for 90% of 9, an atom per leg for the account.
    assert_eq!(
        (later.plan.worth, later.plan.payment),
        (Atoms(9_000_002), Atoms(8_100_002))
    );
    assert_eq!(
        later.account.balances[0].shares,
        Shares(81_000_000 + 8_100_002)
    );
    assert_eq!(
        later.account.positions[0],
        PositionLeg {
            instrument: 0,
            size: Lots(900),
            quote: Atoms(-900_000_000)
        }
    );
    assert_eq!(
        later.bidder.positions[0],
        PositionLeg {
            instrument: 0,
            size: Lots(100),
            quote: Atoms(-100_000_000)
        }
    );
    assert_eq!(
        later.bidder.balances[0].shares,
        Shares((1 << 50) + 9_000_000 - 8_100_002)
    );
}

/// 8.3: without equity the bidder pays nothing; insurance adds what is missing and a premium.
#[test]
fn insurance_pays_for_an_account_without_equity() {
    let book = one_asset();
    let broke = TestAccount::default()
        .with_balance(0, -20_000_000)
        .with_position(0, 1_000, -1_000_000_000);
    let found = take(&book, &broke, &rich(), &terms(500_000, 900)).unwrap();
    // Half of 20 missing, and a quarter of half of MM 100.
    assert_eq!(
        (found.plan.payment, found.plan.from_insurance),
        (Atoms(0), Atoms(22_500_000))
    );
    assert_eq!(found.banks[0].insurance, -22_500_000);
    assert_eq!(
        found.bidder.balances[0].shares,
        Shares((1 << 50) - 10_000_000 + 22_500_000)
    );
    let poor = TakeoverTerms {
        insurance: 22_499_999,
        ..terms(500_000, 900)
    };
    let refused = RiskError::InsuranceCap {
        available: 22_499_999,
        asked: 22_500_000,
    };
    assert_eq!(take(&book, &broke, &rich(), &poor).unwrap_err(), refused);
}

/// 8.3: the bidder ends at Initial, pays out of what he has, and names a share.
#[test]
fn a_bidder_must_be_able_to_carry_it() {
    let book = one_asset();
    let poor = TestAccount::default().with_balance(0, 9_000_000);
    let found = take(&book, &below(), &poor, &terms(1_000_000, 0));
    assert!(
        matches!(found, Err(RiskError::BelowInitial { .. })),
        "{found:?}"
    );
    let none = TestAccount::default();
    let found = take(&book, &below(), &none, &terms(1_000_000, 0));
    assert!(found.is_err());
    let refused = RiskError::ShareTooSmall { asked: 0 };
    assert_eq!(
        take(&book, &below(), &rich(), &terms(0, 0)).unwrap_err(),
        refused
    );
    let sound = below().with_balance(1, 1 << 40);
    let found = take(&book, &sound, &rich(), &terms(1_000_000, 0));
    assert!(matches!(found, Err(RiskError::NotLiquidatable { .. })));
    // No slot of the bidder's is free for the position.
    let full = TakeoverTerms {
        bidder_capacity: 0,
        ..terms(1_000_000, 0)
    };
    assert_eq!(
        take(&book, &below(), &rich(), &full).unwrap_err(),
        RiskError::TooLarge
    );
}

/// 7.2, 8.3: a bidder who is short nets: both close, each at its own side's carry.
#[test]
fn a_bidder_with_the_opposite_leg_nets() {
    let mut book = one_asset();
    book.instruments[0].carry_long = Carry48(3 << 48);
    book.instruments[0].carry_short = Carry48(5 << 48);
    let short = rich().with_position(0, -40, 40_000_000);
    let found = take(&book, &below(), &short, &terms(100_000, 0)).unwrap();
    // 100 lots long come to -40: 60 long. The taken lots lose 300 of carry, the closed ones gain
    // 200, and the 60 that stay long carry 180 on.
    assert_eq!(found.bidder.positions[0].size, Lots(60));
    let quote = 40_000_000 - 100_000_000 - 300 + 200 + 180;
    assert_eq!(found.bidder.positions[0].quote, Atoms(quote));
    assert_eq!(found.markets[0].long.open_interest, -40);
    assert_eq!(found.markets[0].short.open_interest, -40);
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.3, I1, I2, I8: the payment is exactly the worth of what moved less the discount, rounded up;
    /// shares, sizes and quotes are conserved; health rises; and the end is not passed by more than
    /// rounding.
    #[test]
    fn a_takeover_pays_exactly_and_conserves((book, account) in troubled(), max_share in 1u32..=1_000_000, live_s in 0u64..2_400, size in any_signed(30)) {
        let bidder = TestAccount::default().with_balance(0, 1 << 50).with_position(0, size, 0);
        let Ok(found) = take(&book, &account, &bidder, &terms(max_share, live_s)) else { return Ok(()) };
        let plan = found.plan;
        prop_assert!(plan.share.0 <= max_share);
        let before = assess(&book, &account);
        prop_assert_eq!(plan.before, before.maintenance);
        prop_assert_eq!(assess(&book, &found.account).maintenance, plan.after);
        prop_assert!(plan.after.health() > plan.before.health());

        // Indices are one, so shares are tokens; what one side loses the other gets.
        for rate in 0..book.rates.len() as u8 {
            let of = |account: &TestAccount| account.balances.iter().filter(|leg| leg.rate == rate).map(|leg| leg.shares.0).sum::<i64>();
            let held = of(&account) + of(&bidder);
            let insurance = if rate == 0 { plan.from_insurance.0 } else { 0 };
            prop_assert_eq!(of(&found.account) + of(&found.bidder), held + insurance);
        }
        for instrument in 0..book.instruments.len() as u8 {
            let of = |account: &TestAccount| account.positions.iter().filter(|leg| leg.instrument == instrument).fold((0, 0), |sum, leg| (sum.0 + leg.size.0, sum.1 + leg.quote.0));
            let (a, b, c, d) = (of(&account), of(&bidder), of(&found.account), of(&found.bidder));
            prop_assert_eq!((a.0 + b.0, a.1 + b.1), (c.0 + d.0, c.1 + d.1));
        }
        // The ledgers' totals are those of the two accounts.
        let deposits: i64 = found.banks.iter().map(|bank| bank.deposits - bank.borrows).sum();
        prop_assert_eq!(deposits, plan.from_insurance.0);
        for market in &found.markets {
            prop_assert_eq!((market.quotes, market.residue), (0, Dust48(0)));
            prop_assert_eq!(market.long.open_interest, market.short.open_interest);
        }

        // Payment: ceil of worth times 1 - discount; worth is what the bidder gained before it.
        if before.net_asset_value.0 > 0 {
            let rate = i128::from(1_000_000 - discount(live_s).0);
            let due = i128::from(plan.worth.0.max(0)) * rate;
            let paid = i128::from(plan.payment.0) * 1_000_000;
            prop_assert!(paid >= due && paid < due + 1_000_000);
        } else {
            prop_assert_eq!(plan.payment, Atoms(0));
            prop_assert!(i128::from(plan.from_insurance.0) * 1_000_000 >= i128::from(-before.net_asset_value.0) * i128::from(plan.share.0));
        }
        let gained = assess(&book, &found.bidder).net_asset_value.0 - assess(&book, &bidder).net_asset_value.0;
        let moved = plan.worth.0 - plan.payment.0 + plan.from_insurance.0;
        // Floors of values before and after differ by an atom per leg.
        prop_assert!((gained - moved).abs() <= 2 * (found.banks.len() + found.markets.len()) as i64 + 2, "{gained} {moved}");

        // The end is passed by no more than a millionth of everything and a few units of each leg.
        if plan.stopped_by == StoppedBy::End {
            let end = i128::from(plan.after.requirement.0) * 105 / 100;
            let past = i128::from(plan.after.equity.0) - end;
            let lot = |leg: &PositionLeg| i128::from(num::value_ceil(Lots(1), book.instrument(leg.instrument).mark).0);
            let native = |leg: &BalanceLeg| i128::from(num::value_ceil(Lots(1), book.asset(leg.rate).native_price).0);
            let lots: i128 = account.positions.iter().map(lot).sum();
            let units = lots + account.balances.iter().map(native).sum::<i128>();
            let all = before.maintenance.requirement.0.max(before.net_asset_value.0);
            prop_assert!(past <= i128::from(all) / 10_000 + 8 * units + 1_000, "{past} {units} {all}");
        }
    }
}
