//! What the engine sees of stored bytes.

use keel_risk::carry::{extrapolated, per_second};
use keel_risk::{Book, Index48, PerSecond64, Ppm};
use keel_state::{BookView, RiskBook};

fn book() -> Box<RiskBook> {
    Box::new(bytemuck::Zeroable::zeroed())
}

/// 4.1: a borrow counts at the published rate until now; a deposit at what was published.
#[test]
fn borrows_grow_from_their_publication_to_now() {
    let mut book = book();
    let rate = per_second(Ppm(100_000));
    let index = Index48::ONE.0 + 12_345;
    let entry = &mut book.rates[1];
    (entry.deposit_index, entry.borrow_index) = (index, index);
    (entry.borrow_rate, entry.updated) = (rate.0, 1_000);

    for (now, elapsed_s) in [(1_000, 0), (4_600, 3_600), (500, 0)] {
        let seen = BookView::new(&book, now).rate(1);
        let expected = extrapolated(Index48(index), PerSecond64(rate.0), elapsed_s);
        assert_eq!(seen.borrow_index, expected);
        assert_eq!(seen.deposit_index, Index48(index));
    }
    // 10% a year is 1.1416e-5 an hour.
    let grown = BookView::new(&book, 4_600).rate(1).borrow_index.0 - index;
    let exact = (index as f64) * 0.1 * 3_600.0 / 31_536_000.0;
    assert!((grown as f64 - exact).abs() < exact * 1e-3, "{grown}");
}
