//! I1, I5, I6, I9 after every step of random walks of deposits, withdrawals, borrows, transfers,
//! tickets, insurance and accruals, the books kept a second time.

use keel_risk::InitialTerms;
use keel_state::Bank;
use keel_tests::{Asset, Trader, World};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const STEPS: usize = 250;
const BANKS: [Asset; 2] = [Asset::Usdc, Asset::Sol];
/// Native units of a dollar's worth, about.
const DOLLAR: [u64; 2] = [1_000_000, 6_378_000];

/// What a walk remembers of a bank: what may never fall.
#[derive(Clone, Copy, Default)]
struct Seen {
    dust: u64,
    deposit_index: u64,
    borrow_index: u64,
    tokens: u128,
}

struct Walk {
    world: World,
    /// Two owners with two accounts each.
    traders: Vec<Trader>,
    seen: [Seen; 2],
    done: usize,
}

impl Walk {
    fn new() -> Self {
        let mut world = World::with(|config| {
            for (token, dollar) in config.tokens.iter_mut().zip(DOLLAR) {
                // Tight enough that buckets and queues are met: $300,000 a day.
                token.lending.outflow_floor = 300_000 * dollar;
                token.lending.outflow_share = 10_000;
            }
        })
        .expect("a world");
        let mut traders = Vec::new();
        for _ in 0..2 {
            let first = world.trader_with(400_000).expect("a trader");
            world
                .deposit(&first, Asset::Sol, 300_000 * DOLLAR[1])
                .expect("deposit");
            let second = world.sub_account(&first.key, 1).expect("a sub-account");
            traders.extend([first, second]);
        }
        world.accrue_all().expect("accrue");
        let mut walk = Self {
            world,
            traders,
            seen: [Seen::default(); 2],
            done: 0,
        };
        for index in 0..2 {
            walk.seen[index].tokens = walk.tokens(index);
        }
        walk
    }

    /// Everything of a token that anybody has.
    fn tokens(&self, index: usize) -> u128 {
        let vault = keel_sdk::address::vault(&self.world.bank_address(BANKS[index]));
        let owners = [&self.traders[0], &self.traders[2]];
        let wallets = owners.map(|of| self.world.wallet(of.owner(), BANKS[index]));
        let all = wallets.into_iter().chain([self.world.token_amount(&vault)]);
        all.map(u128::from).sum()
    }

    fn step(&mut self, random: &mut ChaCha8Rng) {
        let who = random.random_range(0..self.traders.len());
        let index = random.random_range(0..2);
        let asset = BANKS[index];
        let dollars = 10u64.pow(random.random_range(0..6)) * random.random_range(1..10);
        let units = match random.random_range(0..8) {
            0 => u64::MAX,
            _ => dollars * DOLLAR[index] + random.random_range(0..1_000),
        };
        let trader = &self.traders[who];
        let other = &self.traders[who ^ 1];
        let world = &mut self.world;
        let gone = match random.random_range(0..16) {
            0..3 => {
                let held = world.wallet(trader.owner(), asset).min(units);
                let token = world.token(asset);
                let (keys, owner) = (world.keys, trader.owner());
                let deposit =
                    keel_sdk::instruction::deposit(&keys, owner, trader.margin, token, held);
                world.send(deposit, &[&trader.key]).map(|_| None)
            }
            3..6 => world.withdraw(trader, asset, units).map(|_| Some(who)),
            6..9 => world.borrow(trader, asset, units).map(|_| Some(who)),
            9..12 => {
                let borrows = random.random();
                let moved = world.transfer((trader, other), asset, units, borrows);
                moved.map(|_| Some(who))
            }
            12 => world.take_ticket(trader, asset, units).map(|_| None),
            13 => world.accrue(&[asset], &[]).map(|_| None),
            14 => {
                let atoms = dollars.min(500) * 1_000_000;
                world
                    .insure_market(trader, Asset::Sol, atoms)
                    .map(|_| Some(who))
            }
            _ => {
                world.vm.pass(random.random_range(0..30_000));
                world.refresh().expect("prices");
                world.accrue_all().map(|_| None)
            }
        };
        let gone = match gone {
            Ok(gone) => gone,
            Err(failure) => {
                assert!(failure.code.is_some(), "not a refusal by name: {failure}");
                return;
            }
        };
        self.done += 1;
        if let Some(who) = gone {
            self.check_health(who);
        }
        self.check_books();
    }

    /// I6: what something left is at or above Initial, gains not counted, if it owes anything.
    fn check_health(&self, who: usize) {
        let margin = &self.traders[who].margin;
        let row = self.world.row(margin);
        let owes = row.balances.iter().any(|(_, shares)| *shares < 0)
            || row.positions.iter().any(|(_, _, quote)| *quote < 0);
        let left = self
            .world
            .assess_with(margin, InitialTerms::WITHDRAWAL)
            .expect("judged");
        // The copy of a borrow index is behind its ledger by at most an hour at 100% a year.
        let behind = left.initial.requirement.0 / 5_000 + 10;
        let least = left.initial.health().0.min(left.maintenance.health().0);
        assert!(!owes || least >= -behind, "I6: {left:?}");
    }

    /// I1, from the accounts' shares and the bank's own figures.
    fn check_books(&mut self) {
        for (index, asset) in BANKS.into_iter().enumerate() {
            let bank = self.world.bank(asset);
            let margins = self.traders.iter().map(|trader| trader.margin);
            let margins = margins.chain(self.world.operator_margin());
            let held: Vec<i64> = margins
                .map(|margin| self.world.shares(&margin, asset))
                .collect();
            let sum = |of: fn(i64) -> i64| held.iter().map(|shares| of(*shares)).sum::<i64>();
            assert_eq!(bank.deposit_shares as i64, sum(|shares| shares.max(0)));
            assert_eq!(bank.borrow_shares as i64, sum(|shares| (-shares).max(0)));
            self.check_bank(index, &bank);
        }
        let (_, failed) = self.world.conservation().expect("a check");
        assert_eq!(failed, 0, "the program's own check");
    }

    fn check_bank(&mut self, index: usize, bank: &Bank) {
        let at = |shares: u64, index: u64| u128::from(shares) * u128::from(index);
        let deposits = at(bank.deposit_shares, bank.deposit_index) >> 48;
        let borrows = at(bank.borrow_shares, bank.borrow_index).div_ceil(1 << 48);
        let house = u128::from(bank.fees) + u128::from(bank.insurance) + u128::from(bank.dust);
        assert_eq!(u128::from(bank.tracked) + borrows, deposits + house, "I1");
        assert!(
            deposits >= borrows,
            "7.5: the vault keeps what the house has"
        );
        let vault = keel_sdk::address::vault(&self.world.bank_address(BANKS[index]));
        assert!(self.world.token_amount(&vault) >= bank.tracked, "I1");

        let tokens = self.tokens(index);
        let seen = &mut self.seen[index];
        assert!(bank.dust >= seen.dust, "I1: dust fell");
        assert!(bank.deposit_index >= seen.deposit_index, "7.1");
        assert!(bank.borrow_index >= seen.borrow_index, "7.1");
        assert_eq!(tokens, seen.tokens, "tokens came from nowhere");
        *seen = Seen {
            dust: bank.dust,
            deposit_index: bank.deposit_index,
            borrow_index: bank.borrow_index,
            tokens,
        };
    }
}

/// I1, I5, I6: whatever is tried, in any order, the books balance to the unit and nothing leaves an
/// account below Initial.
#[test]
fn random_walks_of_money_keep_the_books() {
    let mut done = 0;
    for seed in 0..6 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut walk = Walk::new();
        for _ in 0..STEPS {
            walk.step(&mut random);
        }
        done += walk.done;
    }
    println!("{done} of {} steps went through", 6 * STEPS);
    assert!(done > 3 * STEPS, "{done}");
}
