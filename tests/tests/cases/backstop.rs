//! The backstop (margin-spec 8.5, 10.3; I2, I3): what nobody bids for goes to the pool, what the pool
//! cannot carry is closed against the other side, and the pool itself below Maintenance too.

use keel::errors::KeelError;
use keel_sdk::{Instruction, address, instruction};
use keel_state::MarginAccount;
use keel_tests::{Asset, Failure, Sent, Trader, World, expect_error, market};

use crate::mutations::{Area, Case, Tally, judge_all};
use crate::trading::PRICES;

/// SOL after the fall that alice does not survive.
const FALLEN: [f64; 4] = [1.0, 129.0, 64_000.0, 3_400.0];

/// And where it leaves her less than nothing.
pub const GONE: [f64; 4] = [1.0, 115.0, 64_000.0, 3_400.0];

/// Alice is long 200 SOL and below Maintenance; bob and carol are short 100 and 90, and a pool of
/// $100,000 the rest.
pub struct Stage {
    pub world: World,
    pub alice: Trader,
    pub bob: Trader,
    pub carol: Trader,
}

/// A group that nobody insured and whose markets open all the same, with so much liquidity.
pub fn uninsured(liquidity: u64) -> World {
    let world = World::with(|config| {
        config
            .tokens
            .iter_mut()
            .for_each(|token| token.insurance = 0);
        for market in &mut config.markets {
            (market.insurance, market.insurance_multiple) = (0, 0);
        }
    });
    let mut world = world.expect("a world");
    world.vm.pass(1);
    world.set_prices(PRICES).expect("prices");
    world.provide(liquidity).expect("liquidity");
    world
}

impl Stage {
    pub fn new(collateral: u64, prices: [f64; 4]) -> Self {
        let mut world = uninsured(100_000);
        let mut trader = |usdc, lots| {
            let trader = world.trader_with(usdc).expect("a trader");
            world.open(&trader, Asset::Sol, lots).expect("open");
            trader
        };
        let bob = trader(50_000, -100_000);
        let carol = trader(50_000, -90_000);
        let alice = trader(collateral, 200_000);
        world.reprice(prices).expect("prices");
        Self {
            world,
            alice,
            bob,
            carol,
        }
    }

    /// An auction that nobody ended: its clock set, and ten live minutes gone.
    pub fn unbid(collateral: u64, prices: [f64; 4]) -> Self {
        let mut stage = Self::new(collateral, prices);
        stage.start(prices);
        stage.world.live(prices, 600).expect("ten minutes");
        stage
    }

    /// Two prints, then the clock.
    fn start(&mut self, prices: [f64; 4]) {
        self.world.live(prices, 20).expect("prints");
        let alice = self.alice.margin;
        self.world.set_clock(alice, &[], &[]).expect("the clock");
        assert!(self.world.auction_started(&alice) > 0);
    }

    pub fn traders(&self) -> [&Trader; 3] {
        [&self.alice, &self.bob, &self.carol]
    }

    pub fn take(&mut self, max_size: u64) -> Result<Sent, Failure> {
        self.world
            .deleverage(self.alice.margin, Asset::Sol, max_size)
    }

    /// Sizes in SOL through keep: the pool's, alice's, bob's, carol's. Checks the books.
    pub fn sizes(&self) -> Vec<i64> {
        self.world.kept_books(Asset::Sol, &self.traders()).sizes
    }

    pub fn value(&self, trader: &Trader) -> i64 {
        let found = self.world.assess(&trader.margin).expect("health");
        found.net_asset_value.0
    }
}

/// 8.5: first the pool, at the auction's price and up to 2% of its Initial equity; then the other side,
/// all of it in proportion, at the mark moved against the account by what is left of its equity.
#[test]
fn the_pool_takes_before_the_side() {
    let mut stage = Stage::unbid(6_000, FALLEN);
    assert_eq!(stage.sizes(), [-10_000, 200_000, -100_000, -90_000]);
    let before = stage.world.kept_books(Asset::Sol, &stage.traders());
    stage.take(u64::MAX).expect("the pool's part");
    let after = stage.world.kept_books(Asset::Sol, &stage.traders());
    // What it is short, and about $2,000 of $129 a SOL.
    let taken = 200_000 - after.sizes[1];
    assert!((25_000..27_000).contains(&taken), "{taken}");
    assert_eq!(after.short.keep, before.short.keep);
    // Half of the penalty, 5% by now, is the market's insurance.
    assert!(after.insurance > before.insurance);
    let market = stage.world.market(Asset::Sol);
    assert_eq!(
        (market.skew, market.skew_updated),
        (-after.sizes[0], stage.world.vm.now())
    );

    let worths = stage.traders().map(|trader| stage.value(trader));
    let left = stage.sizes();
    stage.take(u64::MAX).expect("the side's part");
    let sizes = stage.sizes();
    assert_eq!(sizes[1], 0);
    let kept = |held: i64| held * (190_000 - left[1]) / 190_000;
    assert_eq!([sizes[2], sizes[3]], [kept(-100_000), kept(-90_000)]);
    assert_eq!(sizes[0], left[0], "the pool is on alice's side");
    assert_eq!(stage.world.market(Asset::Sol).skew, -sizes[0]);
    // Alice gave up her equity, and those who were closed share it.
    assert!(stage.value(&stage.alice).abs() <= 200_000);
    let gained = stage.value(&stage.bob) - worths[1];
    let given = worths[0];
    assert!(
        (gained - given * 100 / 190).abs() < 1_000_000,
        "{gained} of {given}"
    );
    assert_eq!(stage.world.auction_started(&stage.alice.margin), 0);
    let gone = stage.take(u64::MAX);
    expect_error(gone, KeelError::NothingToLiquidate);
}

/// 8.4, 8.5: ten minutes in which prices came, not ten minutes; and not for who is healthy again.
#[test]
fn unbid_for_ten_live_minutes_only() {
    let mut stage = Stage::new(6_000, FALLEN);
    expect_error(stage.take(u64::MAX), KeelError::AuctionRunning);
    stage.start(FALLEN);
    stage.world.live(FALLEN, 590).expect("nearly ten minutes");
    expect_error(stage.take(u64::MAX), KeelError::AuctionRunning);
    stage.world.live(FALLEN, 10).expect("the rest");
    let (keys, alice) = (stage.world.keys, stage.alice.margin);
    let call = instruction::deleverage(&keys, Some(alice), 0, stage.world.pool, u64::MAX);
    assert!(stage.world.vm.simulate(&[call], &[]).is_ok());

    let Stage { world, alice, .. } = &mut stage;
    world
        .deposit(alice, Asset::Usdc, 5_000_000_000)
        .expect("help");
    expect_error(stage.take(u64::MAX), KeelError::NotLiquidatable);

    // An hour of silence is a minute of auction.
    let mut silent = Stage::new(6_000, FALLEN);
    silent.start(FALLEN);
    silent.world.vm.pass(3_600);
    silent.world.live(FALLEN, 500).expect("prices");
    expect_error(silent.take(u64::MAX), KeelError::AuctionRunning);
}

/// 8.5: whoever was shrunk trades on what is left: his position is brought up to date and marked, and what
/// rounding took of it goes to the strays, which the pool takes.
#[test]
fn a_holder_trades_on_after_a_deleveraging() {
    let mut stage = Stage::unbid(6_000, FALLEN);
    while stage.sizes()[1] != 0 {
        stage.take(77_777).expect("a part");
    }
    let bob = stage.world.row(&stage.bob.margin).position(0);
    assert_eq!(bob.0, -100_000, "nobody has touched him");
    let kept = stage.sizes()[2];
    assert!(kept > -20_000);
    let (keys, sizes) = (&stage.bob, stage.sizes());
    stage.world.close(keys, Asset::Sol, 1_000).expect("a close");
    let bob = stage.world.row(&stage.bob.margin).position(0);
    assert_eq!(bob.0, kept + 1_000);
    assert_eq!(stage.sizes()[0], sizes[0] - 1_000);
    let open = stage.world.open(&stage.carol, Asset::Sol, -500);
    open.expect("an opening");

    let books = stage.world.kept_books(Asset::Sol, &stage.traders());
    let whole = (books.short.stray >> 40) as i64;
    assert!(whole > 0, "{books:?}");
    let pool = books.sizes[0];
    stage.world.take_strays(Asset::Sol).expect("strays");
    let after = stage.world.kept_books(Asset::Sol, &stage.traders());
    assert_eq!(after.sizes[0], pool - whole);
    assert_eq!(stage.world.market(Asset::Sol).skew, -after.sizes[0]);
    assert_eq!(after.short.stray >> 40, 0);
    assert_eq!(after.short.open_interest, after.long.open_interest);
    let again = stage.world.take_strays(Asset::Sol);
    expect_error(again, KeelError::NothingToLiquidate);
}

/// 8.5: F of a side that was shrunk stays while a lot is held; once nobody holds one, an accrual lets it
/// start anew, in the market and in the risk book, and nobody's result changes.
#[test]
fn f_starts_anew_in_a_flat_market() {
    let mut stage = Stage::unbid(6_000, FALLEN);
    while stage.sizes()[1] != 0 {
        stage.take(77_777).expect("a part");
    }
    let carry = |world: &World| {
        let market = world.market(Asset::Sol);
        [market.carry_long, market.carry_short]
    };
    let shrunk = carry(&stage.world);
    assert!(shrunk[1] != [0; 2], "shorts were shrunk");
    stage.world.accrue_all().expect("accrue");
    assert!(carry(&stage.world)[1] != [0; 2], "lots are held");

    let [_, _, bob, carol] = stage.sizes()[..] else {
        panic!("four holders")
    };
    let world = &mut stage.world;
    world.close(&stage.bob, Asset::Sol, -bob).expect("bob");
    world
        .close(&stage.carol, Asset::Sol, -carol)
        .expect("carol");
    world.take_strays(Asset::Sol).expect("strays");
    let result = |world: &World, trader: &Trader| world.row(&trader.margin).position(0);
    let before = [&stage.alice, &stage.bob, &stage.carol].map(|of| result(world, of));
    world.accrue_all().expect("accrue");
    assert_eq!(carry(world), [[0; 2]; 2]);
    let published = world.with_book(|book| {
        let entry = &book.instruments[usize::from(market(Asset::Sol))];
        (entry.carry_long, entry.carry_short, entry.open_interest)
    });
    assert_eq!(published, Some(([0; 2], [0; 2], 0)));
    let after = [&stage.alice, &stage.bob, &stage.carol].map(|of| result(world, of));
    assert_eq!(before, after);

    // Who opens now is worth what he was, less fee and spread.
    let worth = stage.value(&stage.bob);
    let opened = stage.world.open(&stage.bob, Asset::Sol, -10_000);
    opened.expect("an opening");
    let cost = worth - stage.value(&stage.bob);
    assert!((0..20_000_000).contains(&cost), "{cost}");
    stage.sizes();
}

/// 8.5: a keep below 2^-16 starts a new epoch, and who slept through it is read right.
#[test]
fn a_new_epoch_shrinks_who_slept() {
    let mut stage = Stage::unbid(6_000, FALLEN);
    let address = address::market(&stage.world.keys.group, market(Asset::Sol));
    // As if the side had been shrunk to 2^-15 before: every holder was written since.
    let keep = (1u64 << 25).to_le_bytes();
    stage.world.patch(address, 8 + 112, &keep);
    let book = stage.world.keys.risk_book;
    let entry = 8 + 24_912 + 208 + 32 + 8;
    stage.world.patch(book, entry, &keep);
    for margin in stage
        .traders()
        .map(|trader| trader.margin)
        .into_iter()
        .chain([address::pool_margin(
            &stage.world.keys.group,
            &stage.world.pool,
        )])
    {
        let row = stage.world.row(&margin).position(0);
        if row.0 < 0 {
            stage.world.patch(margin, 8 + 904 + 24, &keep);
        }
    }
    let before = stage.sizes();
    assert_eq!(before, [-10_000, 200_000, -100_000, -90_000]);
    stage.take(u64::MAX).expect("the pool's part");
    let left = stage.sizes()[1];
    stage.take(u64::MAX).expect("the side's part");
    let market = stage.world.market(Asset::Sol);
    assert_eq!((market.epoch_short, market.epoch_long), (1, 0));
    let sizes = stage.sizes();
    assert_eq!(sizes[2], -100_000 * (190_000 - left) / 190_000);
    // The client reads him as the program does.
    let bob = stage.bob.margin;
    let found = stage.world.report(bob).expect("a report");
    let client = stage.world.report_off_chain(&bob).expect("the same");
    assert_eq!(bytemuck::bytes_of(&found), bytemuck::bytes_of(&client));
}

/// 10.3: a pool below Maintenance is closed at the mark, at once and by anyone, until it is at Initial:
/// traders keep what they are worth.
#[test]
fn the_pool_below_maintenance_is_deleveraged_at_the_mark() {
    let mut world = uninsured(20_000);
    let alice = world.trader_with(50_000).expect("a trader");
    world.open(&alice, Asset::Sol, 200_000).expect("open");
    let healthy = world.deleverage_pool(Asset::Sol, u64::MAX);
    expect_error(healthy, KeelError::NotLiquidatable);

    let mut sol = 150.0;
    let pool = address::pool_margin(&world.keys.group, &world.pool);
    while !world
        .assess(&pool)
        .expect("health")
        .maintenance
        .is_liquidatable()
    {
        sol *= 1.08;
        let prices = [1.0, sol, 64_000.0, 3_400.0];
        world.reprice(prices).expect("prices");
    }
    let value = |world: &World| {
        world
            .assess(&alice.margin)
            .expect("health")
            .net_asset_value
            .0
    };
    let before = value(&world);
    // A part at once, then as near to the end as eight tries come, then by less: what Maintenance
    // began goes on to Initial.
    world.deleverage_pool(Asset::Sol, 40_000).expect("a part");
    let short = |world: &World| world.assess(&pool).expect("health").initial.health().0 < 0;
    let mut coarse = world.deleverage_pool(Asset::Sol, u64::MAX);
    for _ in 0..4 {
        assert!(coarse.is_ok() && short(&world));
        coarse = world.deleverage_pool(Asset::Sol, u64::MAX);
        if coarse.is_err() {
            break;
        }
    }
    expect_error(coarse, KeelError::SizeBeyondEnd);
    let mut size = 256;
    while short(&world) {
        let _ = world.deleverage_pool(Asset::Sol, size);
        size = (size / 2).max(1);
    }
    assert!((value(&world) - before).abs() < 1_000);
    let books = world.kept_books(Asset::Sol, &[&alice]);
    assert!(
        books.sizes[0] < -1_000 && books.sizes[1] > 1_000,
        "{books:?}"
    );
    // Traders hold net what the pool does not.
    assert_eq!(world.market(Asset::Sol).skew, -books.sizes[0]);
    let ended = world.deleverage_pool(Asset::Sol, u64::MAX);
    expect_error(ended, KeelError::NotLiquidatable);
}

/// 10.3: no hedge of the pool's is taken apart.
#[test]
fn a_pools_hedge_is_left_whole() {
    let mut world = uninsured(20_000);
    let alice = world.trader_with(50_000).expect("a trader");
    let bob = world.trader_with(50_000).expect("a trader");
    world.open(&alice, Asset::Sol, 200_000).expect("open");
    world.open(&bob, Asset::Eth, -30_000).expect("open");
    let pool = address::pool_margin(&world.keys.group, &world.pool);
    // SOL rises away from ETH: the pool is short the one and long the other.
    let mut sol = 150.0;
    while !world
        .assess(&pool)
        .expect("health")
        .maintenance
        .is_liquidatable()
    {
        sol *= 1.08;
        world
            .reprice([1.0, sol, 64_000.0, 3_400.0])
            .expect("prices");
    }
    let whole = world.deleverage_pool(Asset::Eth, u64::MAX);
    expect_error(whole, KeelError::BreaksHedge);
    world
        .deleverage_pool(Asset::Sol, u64::MAX)
        .expect("the short");
}

/// 8.6: settlement in the market stops where the account's deficit is large, for two hours from when it
/// was found, and no later step extends them.
#[test]
fn a_large_deficit_closes_settlement() {
    let mut stage = Stage::unbid(5_000, GONE);
    assert!(stage.value(&stage.alice) < -1_900_000_000);
    stage.take(1_000).expect("a part");
    let found = stage.world.vm.now();
    assert_eq!(stage.world.market(Asset::Sol).halted_until, found + 7_200);
    let account: MarginAccount = stage.world.margin_account(&stage.alice.margin);
    assert_eq!(account.deficit_found_at, found);
    stage.world.live(GONE, 10).expect("prices");
    stage.take(1_000).expect("a part");
    assert_eq!(stage.world.market(Asset::Sol).halted_until, found + 7_200);
}

/// 8.5: a side keeps a lot, and its carry stays within what can be judged.
#[test]
fn a_side_is_not_emptied() {
    let mut world = uninsured(20_000);
    let alice = world.trader_with(50_000).expect("a trader");
    world.open(&alice, Asset::Sol, 1).expect_err("dust");
    world.open(&alice, Asset::Sol, 200).expect("open");
    let address = address::market(&world.keys.group, market(Asset::Sol));
    let pool = address::pool_margin(&world.keys.group, &world.pool);
    // One lot on each side, and a pool without equity.
    for at in [56, 64] {
        world.patch(address, 8 + at, &1u64.to_le_bytes());
    }
    for (margin, size) in [(alice.margin, 1i64), (pool, -1)] {
        world.patch(margin, 8 + 904 + 8, &size.to_le_bytes());
        world.patch(margin, 8 + 904 + 16, &0i64.to_le_bytes());
    }
    world.patch(pool, 8 + 240 + 8, &1i64.to_le_bytes());
    let refused = world.deleverage_pool(Asset::Sol, u64::MAX);
    expect_error(refused, KeelError::TooLittleOpposite);
}

/// 8.5: only the market's own pool takes, only for traders, only of one group, and something.
#[test]
fn only_the_markets_pool_takes() {
    let mut stage = Stage::unbid(6_000, FALLEN);
    expect_error(stage.take(0), KeelError::ZeroSize);
    let keys = stage.world.keys;
    let other = address::pool(&keys.group, 1);
    let args = stage.world.pool_args(1);
    stage.world.list_pool(args).expect("a second pool");
    let call = instruction::deleverage(&keys, Some(stage.alice.margin), 0, other, u64::MAX);
    expect_error(stage.world.send(call, &[]), KeelError::WrongBackstopPool);
    let call = instruction::take_strays(&keys, 0, other);
    expect_error(stage.world.send(call, &[]), KeelError::WrongBackstopPool);
    let pool = address::pool_margin(&keys.group, &other);
    expect_error(
        stage.world.deleverage(pool, Asset::Sol, 1),
        KeelError::NotATrader,
    );
    let mut call: Instruction =
        instruction::deleverage(&keys, Some(stage.alice.margin), 0, stage.world.pool, 1);
    call.accounts[4].pubkey = pool;
    expect_error(stage.world.send(call, &[]), KeelError::WrongPoolMargin);
    let absent = stage.world.deleverage(stage.alice.margin, Asset::Btc, 1);
    expect_error(absent, KeelError::NothingToLiquidate);
}

/// I11: every slot of deleverage and take_strays.
#[test]
fn mutations_of_backstop() {
    BACKSTOP.judged();
}

pub static BACKSTOP: Area = Area::of("backstop", backstop);

fn backstop() -> Tally {
    let mut stage = Stage::unbid(6_000, FALLEN);
    let keys = stage.world.keys;
    let sibling = |asset: u8, account| {
        instruction::deleverage(&keys, account, asset, stage.world.pool, 5_000)
    };
    let (alice, bob) = (stage.alice.margin, stage.bob.margin);
    let mut cases = vec![Case {
        name: "deleverage",
        base: sibling(0, Some(alice)),
        siblings: vec![
            ("a healthy account", sibling(0, Some(bob))),
            ("a market that is not held", sibling(1, Some(alice))),
        ],
        signers: vec![],
        allowed: vec![],
    }];
    while stage.sizes()[1] != 0 {
        stage.take(77_777).expect("a part");
    }
    for trader in [&stage.bob, &stage.carol] {
        let close = stage.world.close(trader, Asset::Sol, 1_000);
        close.expect("a close");
    }
    cases.push(Case {
        name: "take_strays",
        base: instruction::take_strays(&keys, 0, stage.world.pool),
        siblings: vec![(
            "a market without strays",
            instruction::take_strays(&keys, 1, stage.world.pool),
        )],
        signers: vec![],
        allowed: vec![],
    });
    let strays = cases.pop().expect("a case");
    let first = judge_all(&mut stage.world, vec![strays]);
    let mut fresh = Stage::unbid(6_000, FALLEN);
    first.and(judge_all(&mut fresh.world, cases))
}
