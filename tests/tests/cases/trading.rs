//! Opening and closing against the pool.

use keel_tests::{Asset, World};

#[test]
fn a_trader_opens_and_closes_and_the_books_balance() {
    let mut world = World::new().expect("a world");
    let (_, provided) = world.provide(5_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    let opened = world.open(&trader, Asset::Sol, 100_000).expect("open");
    let report = world.report(trader.margin).expect("report");
    println!(
        "{} {} {:?}",
        provided.units, opened.units, report.health_initial
    );
    let closed = world.close(&trader, Asset::Sol, -100_000).expect("close");
    println!("{}", closed.units);
    let (checked, failed) = world.conservation().expect("conservation");
    assert_eq!((checked, failed), (7, 0));
    println!("{:?}", world.vm.units);
}
