//! What a liquidation may take: positions, hedges, deposits against losses and against borrows
//! (margin-spec 8.1, 8.2, 1.7; I7, I8, I11, I12). SOL starts at $150, BTC at $64,000, ETH at $3,400.

use keel::errors::KeelError;
use keel_sdk::instruction::{self, TakenLeg};
use keel_sdk::{AssetChoice, Instruction, address};
use keel_tests::{Asset, Trader, World, bench, expect_error, market};

use crate::auction::{SOL, fallen, rich};
use crate::mutations::{Area, Case, Tally, judge_all};
use crate::trading::{check_books, open_legs, reprice, world};

/// A second perpetual of SOL.
pub const SECOND: u8 = 3;

pub const HEDGE: TakenLeg = TakenLeg::Hedge {
    markets: [market(Asset::Sol), SECOND],
};

/// Long 200 SOL in one market and short as many in another, with less left than what unwinding both
/// asks for.
pub fn hedged(world: &mut World) -> Trader {
    let args = world.market_args(SECOND, AssetChoice::Listed(Asset::Sol as u8));
    world.list_market(args).expect("a second perpetual");
    let trader = world.trader_with(3_000).expect("a trader");
    let mut keys = world.trade_keys(&trader, &[]);
    keys.markets = vec![market(Asset::Sol), SECOND];
    let order = world.order(&[200_000, -200_000]);
    let open = instruction::open_position(&world.keys, &keys, order);
    world.send(open, &[&trader.key]).expect("the hedge");
    let spare = world.health(&trader);
    world.lose(&trader, market(Asset::Sol), spare + 50_000_000);
    assert_eq!(world.health(&trader), -50_000_000);
    trader
}

/// I8: the step raised health, and did not pass the end by more than `unit`, what one unit of size
/// adds.
#[track_caller]
fn raised(world: &World, trader: &Trader, before: i64, unit: i64) {
    let found = world.assess(&trader.margin).expect("health").maintenance;
    assert!(found.health().0 > before, "{before} {found:?}");
    let end = found.requirement.0 + found.requirement.0 / 20 + 1;
    assert!(found.equity.0 <= end + unit, "{found:?}");
}

/// 8.2, 8.3. The hole: of a hedge neither leg may be taken alone at any size, so that the account
/// could not be liquidated at all. Both legs together may be, and so may a share of everything.
#[test]
fn a_hedged_book_that_no_single_step_may_touch_goes_by_hedge_or_takeover() {
    let mut world = world();
    let trader = hedged(&mut world);
    let liquidator = rich(&mut world);
    for index in [market(Asset::Sol), SECOND] {
        for size in [1, 100, 50_000, u64::MAX] {
            let leg = TakenLeg::Position { market: index };
            expect_error(
                world.take(&liquidator, trader.margin, leg, size),
                KeelError::BreaksHedge,
            );
        }
    }
    let untouched = world.data(&trader.margin);
    let before = world.health(&trader);
    world
        .take_over(&liquidator, trader.margin, 100_000, &[], &[])
        .expect("a tenth of everything");
    assert!(world.health(&trader) > before);
    let mut account = world.vm.account(&trader.margin).expect("the account");
    account.data = untouched;
    world.vm.set_account(trader.margin, account);
    // The bidder's side of it is undone by nobody: a second liquidator takes the hedge.
    let second = rich(&mut world);
    world
        .take(&second, trader.margin, HEDGE, u64::MAX)
        .expect("both legs");
    raised(&world, &trader, before, 150_000);
    let row = world.row(&trader.margin);
    let (long, short) = (row.position(0).0, row.position(SECOND).0);
    assert!(long > 0 && long == -short, "{long} {short}");
    let taken = world.row(&second.margin);
    assert_eq!(taken.position(0).0, 200_000 - long);
    assert_eq!(taken.position(SECOND).0, long - 200_000);
}

/// 8.1: of the second leg goes the same share, rounded up; what both cost is exact, and the insurance's
/// part is the first market's.
#[test]
fn a_hedge_goes_in_equal_shares_and_its_books_balance() {
    let mut world = world();
    let trader = hedged(&mut world);
    let liquidator = rich(&mut world);
    let sums = |world: &World| {
        let rows = [&trader, &liquidator].map(|side| world.row(&side.margin));
        [0, SECOND].map(|index| {
            let of = |row: &keel_tests::AccountRow| row.position(index);
            (
                of(&rows[0]).0 + of(&rows[1]).0,
                of(&rows[0]).1 + of(&rows[1]).1,
            )
        })
    };
    let before = sums(&world);
    let backwards = TakenLeg::Hedge {
        markets: [SECOND, market(Asset::Sol)],
    };
    world
        .take(&liquidator, trader.margin, backwards, 7_777)
        .expect("a part");
    let after = sums(&world);
    let taken = world.row(&liquidator.margin);
    assert_eq!(taken.position(SECOND).0, -7_777);
    assert_eq!(taken.position(0).0, 7_777);
    assert_eq!(after[0], before[0]);
    // Half of the penalty left the two accounts for the market's insurance.
    assert_eq!(after[1].0, before[1].0);
    let penalty = before[1].1 - after[1].1;
    assert!(penalty > 0, "{before:?} {after:?}");
    let same = TakenLeg::Hedge {
        markets: [SECOND, SECOND],
    };
    expect_error(
        world.take(&liquidator, trader.margin, same, 1),
        KeelError::DuplicateLedger,
    );
}

/// Owes 150 SOL against ten ETH; SOL rises until that is too much.
fn indebted(world: &mut World) -> (Trader, Trader) {
    let lender = world.trader().expect("a lender");
    world
        .deposit(&lender, Asset::Sol, 1_000_000_000_000)
        .expect("SOL");
    let trader = world.trader().expect("a trader");
    world
        .deposit(&trader, Asset::Eth, 1_000_000_000)
        .expect("ten ETH");
    world.owe(&trader, Asset::Sol, 150_000_000_000);
    reprice(world, [1.0, 193.0, 64_000.0, 3_400.0]);
    world.accrue_all().expect("interest until now");
    (trader, lender)
}

const BORROW_SOL: fn(&World) -> TakenLeg = |world| world.borrow_leg(Asset::Eth, Asset::Sol);

/// 8.1: the liquidator repays out of his deposit and receives collateral worth it and the penalty; the
/// bank's insurance keeps its share of that. Shares change hands one for one.
#[test]
fn a_borrow_is_repaid_for_collateral_and_the_penalty() {
    let mut world = world();
    let (trader, lender) = indebted(&mut world);
    let liquidator = rich(&mut world);
    world
        .deposit(&liquidator, Asset::Sol, 200_000_000_000)
        .expect("SOL");
    let before = world.health(&trader);
    assert!(before < 0, "{before}");
    let value = world.value(&trader) + world.value(&liquidator);
    let leg = BORROW_SOL(&world);
    let insured = world.bank(Asset::Eth).insurance;
    world
        .take(&liquidator, trader.margin, leg, 10_000_000_000)
        .expect("10 SOL");
    raised(&world, &trader, before, 1_000);

    let all = [&trader, &lender, &liquidator];
    let ledger = check_books(&world, &all);
    let [of, by] = [&trader, &liquidator].map(|side| world.row(&side.margin));
    // Three seconds of interest make shares worth a little more than a unit.
    assert!((of.shares(1) + 140_000_000_000).abs() < 1_000, "{of:?}");
    assert!((by.shares(1) - 190_000_000_000).abs() < 1_000, "{by:?}");
    // 10 SOL at $193 are 0.5676 ETH; 0.5% more, half of that the insurance's.
    let (left, got) = (of.shares(3), by.shares(3));
    let insured = (ledger.banks[3].insurance - insured) as i64;
    assert_eq!(left + got + insured, 1_000_000_000);
    let due = 56_764_705;
    assert!((got - due - due / 400).abs() < 100, "{got}");
    assert!((insured - due / 400).abs() < 100, "{insured}");
    let lost = value - world.value(&trader) - world.value(&liquidator);
    assert!((lost - insured * 34).abs() <= 40, "{lost} {insured}");
}

/// 8.1: the whole of it, until the end; and a liquidator without the token borrows it, within his own
/// margin.
#[test]
fn a_liquidator_may_borrow_what_he_repays() {
    let mut world = world();
    let (trader, lender) = indebted(&mut world);
    let liquidator = rich(&mut world);
    let before = world.health(&trader);
    let leg = BORROW_SOL(&world);
    world
        .take(&liquidator, trader.margin, leg, u64::MAX)
        .expect("what the end asks for");
    raised(&world, &trader, before, 1_000);
    assert!(world.health(&trader) >= 0);
    let repaid = 150_000_000_000 + world.row(&trader.margin).shares(1);
    // Each rounds a share against who owes it.
    let borrowed = -world.row(&liquidator.margin).shares(1);
    assert!((borrowed - repaid).abs() <= 1, "{borrowed} {repaid}");
    check_books(&world, &[&trader, &lender, &liquidator]);

    let poor = world.trader_with(10).expect("a poor one");
    reprice(&mut world, [1.0, 200.0, 64_000.0, 3_400.0]);
    let leg = BORROW_SOL(&world);
    expect_error(
        world.take(&poor, trader.margin, leg, u64::MAX),
        KeelError::BelowInitial,
    );
}

/// 8.1: the ledgers name the legs; an account that does not hold them is told so.
#[test]
fn a_target_must_be_what_the_account_holds() {
    let mut world = world();
    let (trader, _) = indebted(&mut world);
    let liquidator = rich(&mut world);
    for leg in [
        world.borrow_leg(Asset::Sol, Asset::Eth),
        world.borrow_leg(Asset::Eth, Asset::Btc),
        world.borrow_leg(Asset::Usdc, Asset::Sol),
        SOL,
        TakenLeg::Deposit {
            market: market(Asset::Sol),
            mint: world.token(Asset::Eth).mint,
        },
        world.hedge(Asset::Sol, Asset::Btc),
    ] {
        expect_error(
            world.take(&liquidator, trader.margin, leg, u64::MAX),
            KeelError::NothingToLiquidate,
        );
    }
}

/// 8.1: who takes something names the account that takes it; who only sets the clock need not.
#[test]
fn a_step_that_takes_needs_a_liquidator() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = rich(&mut world);
    let nobody = |max_size| {
        let owner = liquidator.owner();
        let leg = SOL;
        let mut step = instruction::liquidate(
            &world.keys,
            owner,
            trader.margin,
            liquidator.margin,
            leg,
            max_size,
        );
        // An absent account is the program's address.
        step.accounts[3].pubkey = keel::ID;
        step.accounts[3].is_writable = false;
        step
    };
    let (takes, sets) = (nobody(1), nobody(0));
    expect_error(
        world.send(takes, &[&liquidator.key]),
        KeelError::NoLiquidator,
    );
    world.send(sets, &[&liquidator.key]).expect("the clock");
}

/// The remaining accounts are the target's, no more and no fewer.
#[test]
fn a_target_has_its_ledgers_and_no_others() {
    let mut world = world();
    let trader = fallen(&mut world);
    let liquidator = rich(&mut world);
    let (owner, margin) = (liquidator.owner(), liquidator.margin);
    let step = instruction::liquidate(&world.keys, owner, trader.margin, margin, SOL, 1_000);
    let mut more = step.clone();
    more.accounts.push(step.accounts[4].clone());
    let mut fewer = step.clone();
    fewer.accounts.truncate(4);
    for wrong in [more, fewer] {
        expect_error(
            world.send(wrong, &[&liquidator.key]),
            KeelError::WrongAccountCount,
        );
    }
}

/// 1.7. The hole: a step that leaves a few lots behind, leg after leg, until the account is all dust
/// that nobody cares to take. A step takes such a leg whole or is refused; and dust that is there
/// keeps nobody from the other legs.
#[test]
fn dust_positions_do_not_block_liquidation() {
    let mut world = world();
    let trader = world.trader_with(7_000).expect("a trader");
    let legs = [(Asset::Sol, 110), (Asset::Eth, 60), (Asset::Btc, 50_000)];
    open_legs(&mut world, &trader, &legs).expect("open");
    let liquidator = rich(&mut world);
    reprice(&mut world, [1.0, 148.0, 53_500.0, 3_400.0]);
    let before = world.health(&trader);
    assert!(before < 0, "{before}");
    let btc = TakenLeg::Position {
        market: market(Asset::Btc),
    };
    for size in [50, 109] {
        expect_error(
            world.take(&liquidator, trader.margin, SOL, size),
            KeelError::TakeWhole,
        );
    }
    world
        .take(&liquidator, trader.margin, btc, 2_000)
        .expect("the other legs are open all the while");
    world
        .take(&liquidator, trader.margin, SOL, 110)
        .expect("the leg whole");
    assert_eq!(world.row(&trader.margin).position(0).0, 0);
    raised(&world, &trader, before, 640_000);
    world
        .take(&liquidator, trader.margin, btc, u64::MAX)
        .expect("to the end");
    assert!(world.health(&trader) >= 0);
    check_books(&world, &[&trader, &liquidator]);
}

/// 8.1. The hole: a loss that stands in a closed position has no size to be taken, so that the account
/// sinks while its collateral falls. Its deposit is taken against it.
#[test]
fn a_closed_losing_position_can_be_liquidated() {
    let mut world = world();
    let trader = world.trader().expect("a trader");
    world
        .deposit(&trader, Asset::Eth, 400_000_000)
        .expect("four ETH");
    world.open(&trader, Asset::Sol, 200_000).expect("open");
    reprice(&mut world, [1.0, 112.0, 64_000.0, 3_400.0]);
    world
        .close(&trader, Asset::Sol, -200_000)
        .expect("he closes");
    let (size, loss) = world.row(&trader.margin).position(0);
    assert!(size == 0 && loss < -7_000_000_000, "{loss}");
    let liquidator = rich(&mut world);
    let fallen = [1.0, 112.0, 64_000.0, 2_100.0];
    world.move_prices(fallen).expect("ETH falls");
    let before = world.health(&trader);
    assert!(before < 0, "{before}");
    expect_error(
        world.take(&liquidator, trader.margin, SOL, u64::MAX),
        KeelError::NothingToLiquidate,
    );
    let deposit = TakenLeg::Deposit {
        market: market(Asset::Sol),
        mint: world.token(Asset::Eth).mint,
    };
    world
        .take(&liquidator, trader.margin, deposit, u64::MAX)
        .expect("the deposit");
    raised(&world, &trader, before, 10);
    assert!(world.health(&trader) >= 0);
    assert!(world.row(&trader.margin).position(0).1 > loss);
    check_books(&world, &[&trader, &liquidator]);
}

/// I7: no target, no clock and no bid touches an account that is at Maintenance, whatever came before
/// in the same transaction.
#[test]
fn no_target_touches_a_healthy_account() {
    let mut world = world();
    let hedged = hedged(&mut world);
    let (indebted, _) = indebted(&mut world);
    let liquidator = rich(&mut world);
    for trader in [&hedged, &indebted] {
        let lacking = -world.health(trader);
        world
            .deposit(trader, Asset::Usdc, lacking.unsigned_abs())
            .expect("to the atom");
        assert_eq!(world.health(trader), 0);
    }
    let steps = [
        (&hedged, HEDGE),
        (&hedged, SOL),
        (&indebted, BORROW_SOL(&world)),
    ];
    let relay = world.relay(&Asset::ALL);
    assert!(relay.is_ok());
    for (trader, leg) in steps {
        let account = world.data(&trader.margin);
        let (owner, margin) = (liquidator.owner(), liquidator.margin);
        let keys = world.keys;
        let take = instruction::liquidate(&keys, owner, trader.margin, margin, leg, u64::MAX);
        let clock = instruction::set_auction_clock(&keys, owner, trader.margin, &[], &[]);
        let bid = instruction::take_over(&keys, owner, (trader.margin, margin), 1, &[], &[]);
        for order in [
            vec![take.clone()],
            vec![clock.clone(), take.clone()],
            vec![clock.clone(), bid.clone()],
            vec![bid, clock.clone(), take],
        ] {
            expect_error(
                world.vm.send(&order, &[&liquidator.key]),
                KeelError::NotLiquidatable,
            );
        }
        world.vm.send(&[clock], &[&liquidator.key]).expect("clock");
        assert_eq!(world.data(&trader.margin), account);
    }
}

/// I12: an account with sixteen balances and sixteen positions on eight assets, taken from at the
/// longest search, its clock set, and taken over, each in one transaction that a client may send.
#[test]
fn an_account_at_the_limits_is_liquidated_in_one_transaction() {
    let measured = bench::at_the_limits().expect("all of them go through");
    assert!(measured.len() >= 4, "{measured:?}");
    for (name, units, bytes) in measured {
        println!("{name}: {units} units, {bytes} bytes");
        assert!(units < 1_400_000 / 2, "{name}: {units} units");
        assert!(bytes <= 1_232, "{name}: {bytes} bytes");
    }
}

/// Lets the hedged and the indebted stand in one world, with what the mutations need.
struct Stage {
    world: World,
    hedged: Trader,
    indebted: Trader,
    liquidator: Trader,
    stranger: Trader,
}

fn stage() -> Stage {
    let mut world = world();
    let hedged = hedged(&mut world);
    let (indebted, _) = indebted(&mut world);
    let liquidator = rich(&mut world);
    let stranger = rich(&mut world);
    // The liquidator is short of what he takes long, so that its ledgers change.
    world
        .open(&liquidator, Asset::Sol, -10_000)
        .expect("a short");
    world.wallet_key(900);
    Stage {
        world,
        hedged,
        indebted,
        liquidator,
        stranger,
    }
}

const ANYONE: &str = "anyone may judge an account";
const BELOW: &str = "any account below Maintenance may be bid for";

impl Stage {
    fn step(&self, of: &Trader, by: &Trader, leg: TakenLeg) -> Instruction {
        let keys = &self.world.keys;
        instruction::liquidate(keys, by.owner(), of.margin, by.margin, leg, 1_000)
    }

    fn bid(&self, of: &Trader, by: &Trader, markets: &[u8]) -> Instruction {
        let pair = (of.margin, by.margin);
        instruction::take_over(&self.world.keys, by.owner(), pair, 50_000, &[], markets)
    }

    fn clock(&self, of: &Trader) -> Instruction {
        let mint = self.world.token(Asset::Sol).mint;
        let (keys, signer) = (&self.world.keys, self.liquidator.owner());
        instruction::set_auction_clock(keys, signer, of.margin, &[mint], &[market(Asset::Sol)])
    }

    fn signers(&self) -> Vec<solana_keypair::Keypair> {
        [
            &self.liquidator,
            &self.stranger,
            &self.hedged,
            &self.indebted,
        ]
        .map(|trader| trader.key.insecure_clone())
        .into_iter()
        .chain([keel_tests::keypair(900)])
        .collect()
    }
}

/// I11: every slot of every target, of the clock and of a bid.
#[test]
fn mutations_of_liquidation() {
    TARGETS.judged();
}

pub static TARGETS: Area = Area::of("targets", targets);

fn targets() -> Tally {
    let mut stage = stage();
    let (hedged, indebted) = (&stage.hedged, &stage.indebted);
    let (by, other) = (&stage.liquidator, &stage.stranger);
    let borrow = |deposit, owed| stage.world.borrow_leg(deposit, owed);
    let eth_for_sol = borrow(Asset::Eth, Asset::Sol);
    let cases = vec![
        Case {
            name: "liquidate a hedge",
            base: stage.step(hedged, by, HEDGE),
            siblings: vec![
                ("another account", stage.step(indebted, by, HEDGE)),
                ("another liquidator", stage.step(hedged, other, HEDGE)),
                ("banks", stage.step(hedged, by, eth_for_sol)),
            ],
            signers: stage.signers(),
            allowed: vec![],
        },
        Case {
            name: "liquidate a borrow",
            base: stage.step(indebted, by, eth_for_sol),
            siblings: vec![
                ("another account", stage.step(hedged, by, eth_for_sol)),
                (
                    "another liquidator",
                    stage.step(indebted, other, eth_for_sol),
                ),
                (
                    "other banks",
                    stage.step(indebted, by, borrow(Asset::Btc, Asset::Eth)),
                ),
                ("markets", stage.step(indebted, by, HEDGE)),
            ],
            signers: stage.signers(),
            allowed: vec![],
        },
        Case {
            name: "set the clock",
            base: stage.clock(hedged),
            siblings: vec![("another account", stage.clock(indebted))],
            signers: stage.signers(),
            allowed: vec![
                (0, "another signer", ANYONE),
                (2, "of another account", ANYONE),
            ],
        },
        Case {
            name: "take over",
            base: stage.bid(hedged, by, &[market(Asset::Sol)]),
            siblings: vec![
                (
                    "another account",
                    stage.bid(indebted, by, &[market(Asset::Sol)]),
                ),
                (
                    "another bidder",
                    stage.bid(hedged, other, &[market(Asset::Sol)]),
                ),
                (
                    "another market",
                    stage.bid(hedged, by, &[market(Asset::Eth)]),
                ),
            ],
            signers: stage.signers(),
            allowed: vec![(2, "of another account", BELOW)],
        },
    ];
    judge_all(&mut stage.world, cases)
}

/// 10.3: the pool is not taken over, and bids for nobody.
#[test]
fn the_pool_neither_bids_nor_is_taken_over() {
    let mut world = world();
    let trader = fallen(&mut world);
    let bidder = rich(&mut world);
    let pool = address::pool_margin(&world.keys.group, &world.pool);
    let keys = world.keys;
    let mut bid = |pair, because| {
        let bid = instruction::take_over(&keys, bidder.owner(), pair, 1_000, &[], &[]);
        expect_error(world.vm.send(&[bid], &[&bidder.key]), because);
    };
    bid((pool, bidder.margin), KeelError::NotATrader);
    bid((trader.margin, pool), KeelError::NotOwner);
    bid((bidder.margin, bidder.margin), KeelError::SameAccount);
}
