//! Maintenance from kept sums is Maintenance judged anew.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

fn kept_equals_anew(
    book: &TestBook,
    account: &TestAccount,
    slots: (usize, usize),
    tries: &[(i64, i64, i64)],
) {
    let mut lanes = vec![0; Scratch::MAX_LANES];
    let mut others = vec![0; Scratch::MAX_LANES];
    for stance in [Stance::Plain, Stance::InFavour] {
        let positions: Vec<_> = account
            .position(slots.0)
            .map(|leg| (slots.0, leg))
            .into_iter()
            .collect();
        let balances: Vec<_> = account
            .balance(slots.1)
            .map(|leg| (slots.1, leg))
            .into_iter()
            .collect();
        let mut scratch = Scratch::new(&mut lanes);
        let mut kept = Kept::new(book, account, stance, (&positions, &balances), &mut scratch);
        for (size, quote, shares) in tries {
            let tried: Vec<_> = positions
                .iter()
                .map(|(slot, leg)| {
                    (
                        *slot,
                        PositionLeg {
                            size: Lots(*size),
                            quote: Atoms(*quote),
                            ..*leg
                        },
                    )
                })
                .collect();
            let changed: Vec<_> = balances
                .iter()
                .map(|(slot, leg)| {
                    (
                        *slot,
                        BalanceLeg {
                            shares: Shares(*shares),
                            ..*leg
                        },
                    )
                })
                .collect();
            let got = kept.try_legs((&tried, &changed), &mut scratch);
            let amended = Amended {
                base: account,
                positions: &tried,
                balances: &changed,
            };
            let mut scratch = Scratch::new(&mut others);
            let anew = match stance {
                Stance::InFavour => maintenance_in_favour(book, &amended, &mut scratch),
                _ => maintenance(book, &amended, &mut scratch),
            };
            assert_eq!(got, anew, "{stance:?} {size} {quote} {shares}");
        }
    }
}

/// A book whose last instruments are options on its assets, with arrays of any shape.
fn with_options(mut book: TestBook, arrays: &[Vec<i32>]) -> TestBook {
    for (place, array) in arrays.iter().enumerate() {
        let asset = 1 + (place % (book.assets.len() - 1)) as u8;
        let terms = InstrumentTerms {
            kind: [InstrumentKind::Call, InstrumentKind::Put][place % 2],
            delta: Delta30([1 << 29, -(1 << 28)][place % 2]),
            ..InstrumentTerms::linear(InstrumentKind::Call, asset, price(70_000, 0))
        };
        book.list_instrument(terms, array, Greeks::default());
    }
    book
}

proptest! {
    #![proptest_config(config(10_000))]

    /// Architecture 2: `replace(leg)` finds what judging anew finds, to the atom.
    #[test]
    fn a_replaced_leg_is_judged_as_if_anew(
        (book, values) in any_portfolio(6, WILD, 40),
        arrays in prop::collection::vec(prop::collection::vec(-900_000i32..900_000, 16), 0..4),
        sizes in prop::collection::vec(-5_000i64..5_000, 4),
        slots in (0usize..10, 0usize..6),
        tiers in prop::collection::vec(0usize..5, 7),
        tries in prop::collection::vec((-100_000i64..100_000, -1i64 << 40..1 << 40, -1i64 << 40..1 << 40), 1..4)
    ) {
        let mut account = account(&book, &values);
        let first = book.instruments.len() as u8;
        let mut book = with_options(book, &arrays);
        for (place, size) in sizes.iter().take(arrays.len()).enumerate() {
            account = account.with_position(first + place as u8, *size, 0);
        }
        for (quality, tier) in book.qualities.iter_mut().skip(1).zip(&tiers) {
            quality.tier = TIERS[*tier];
            (quality.bound_down, quality.bound_up) = (Frac40(1 << 35), Frac40(1 << 36));
        }
        kept_equals_anew(&book, &account, slots, &tries);
    }
}
