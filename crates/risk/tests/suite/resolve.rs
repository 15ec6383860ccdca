//! 8.6: a bankruptcy, one debt at a time.

use crate::common::*;
use keel_risk::*;
use proptest::prelude::*;

const NO_FUND: Insurance = Insurance {
    balance: 0,
    used: 0,
    window_start: 0,
};

/// The quote and three tokens, each at an atom a unit, with six markets on the first token.
fn book() -> TestBook {
    let mut book = empty_book();
    for instruments in [6, 0, 0] {
        book.list(
            plain_asset(),
            [900_000, 800_000, 1_100_000, 1_200_000],
            instruments,
        );
    }
    book
}

/// A market in which each side holds this many lots.
fn market(lots: u64) -> MarketLedger {
    let side = SideLedger {
        open_interest: lots,
        carry: Carry48(0),
        keep: Keep::ONE,
        stray: Frac40(0),
        stray_quote: 0,
    };
    MarketLedger {
        long: side,
        short: side,
        fees: 0,
        insurance: 0,
        quotes: 0,
        residue: Dust48(0),
    }
}

/// A bankrupt account in its world: who pays is counted per slot.
#[derive(Clone)]
struct Ruin {
    book: TestBook,
    account: TestAccount,
    resolved: Resolved,
    markets: Vec<MarketLedger>,
    banks: Vec<BankLedger>,
    group: Insurance,
    /// Deficits by position slot, and by balance slot.
    charged: Vec<u64>,
    written_off: Vec<u64>,
}

impl Ruin {
    fn new(account: TestAccount) -> Self {
        let mut banks = vec![bank(1 << 50, 0); 4];
        for leg in &account.balances {
            let bank = &mut banks[usize::from(leg.rate)];
            let owed = leg.shares.0.min(0).unsigned_abs();
            (bank.borrow_shares, bank.tracked) = (owed, bank.tracked - owed);
        }
        let (positions, balances) = (account.positions.len(), account.balances.len());
        Self {
            book: book(),
            account,
            resolved: Resolved::NONE,
            markets: vec![market(1 << 40); 6],
            banks,
            group: NO_FUND,
            charged: vec![0; positions],
            written_off: vec![0; balances],
        }
    }

    fn terms(&self, slot: usize) -> ResolveTerms {
        ResolveTerms {
            slot,
            resolved: self.resolved,
            clock: AuctionClock { started: 5 },
            live_time: 9,
        }
    }

    fn market(&mut self, slot: usize) -> Result<MarketResolution, RiskError> {
        let index = usize::from(self.account.positions[slot].instrument);
        let before = self.markets[index];
        let insurance = Insurance {
            balance: before.insurance.max(0) as u64,
            ..NO_FUND
        };
        let terms = ResolveMarketTerms {
            account: self.terms(slot),
            quote_slot: 0,
            last_side: 1,
            ledger: before,
            market_insurance: insurance,
            group_insurance: self.group,
        };
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let mut scratch = Scratch::new(&mut lanes);
        let plan = plan_resolve_market(&self.book, &self.account, &terms, &mut scratch)?;
        self.markets[index] = before.after(&plan.loss.market);
        assert_eq!(self.markets[index].imbalance(), before.imbalance());
        let sum = plan.loss.from_market + plan.loss.from_group + plan.loss.from_side;
        assert_eq!(sum + plan.loss.owed, plan.loss.deficit);
        self.group = plan.loss.group_insurance;
        self.banks[0] = self.banks[0].after(&plan.bank);
        self.account.positions[slot] = plan.loss.after;
        self.account.balances[0] = plan.balance.1;
        self.resolved = plan.account.resolved;
        self.charged[slot] += plan.loss.deficit;
        Ok(plan)
    }

    fn bank(&mut self, slot: usize) -> Result<BankResolution, RiskError> {
        let index = usize::from(self.account.balances[slot].rate);
        let before = self.banks[index];
        let fund = Insurance {
            balance: before.insurance,
            ..NO_FUND
        };
        let mut lanes = vec![0; Scratch::MAX_LANES];
        let plan = plan_resolve_bank(
            &self.book,
            &self.account,
            &self.terms(slot),
            (&before, fund),
            &mut Scratch::new(&mut lanes),
        )?;
        self.banks[index] = before.after(&plan.bank);
        let after = self.banks[index];
        assert_eq!(after.tracked, after.owed());
        self.account.balances[slot] = plan.balance.1;
        self.resolved = plan.account.resolved;
        if let Some(loss) = plan.loss {
            assert_eq!(loss.from_insurance + loss.from_depositors, loss.deficit);
            self.written_off[slot] += loss.deficit;
        }
        Ok(plan)
    }

    /// Resolves slot by slot, balances counted after positions, until nothing is missing.
    fn resolve(&mut self, order: &[usize]) {
        let positions = self.account.positions.len();
        for at in order {
            let _ = if *at < positions {
                self.market(*at).map(|_| ())
            } else {
                self.bank(at - positions).map(|_| ())
            };
        }
    }

    fn equity(&self) -> i64 {
        assess(&self.book, &self.account).net_asset_value.0
    }
}

/// Positions of size 0, one per market, beside a deposit of quote and borrows of tokens.
fn closed(cash: i64, results: &[i64], borrows: &[i64]) -> TestAccount {
    let mut account = TestAccount::default().with_balance(0, cash);
    for (bank, borrow) in borrows.iter().enumerate() {
        account = account.with_balance(bank as u8 + 1, -borrow);
    }
    for (instrument, quote) in results.iter().enumerate() {
        account = account.with_position(instrument as u8, 0, *quote);
    }
    account
}

/// 8.6 in figures: $40 of quote and a result of $20 cover two debts of $100 and $200 in proportion; what
/// is missing, $80 and $160, is charged, and the account stands at zero with its marks wiped.
#[test]
fn assets_cover_debts_in_proportion() {
    let mut ruin = Ruin::new(closed(
        40_000_000,
        &[-100_000_000, 20_000_000, -200_000_000],
        &[],
    ));
    let first = ruin.market(0).unwrap();
    assert_eq!(
        (first.loss.deficit, first.account.missing),
        (80_000_000, 160_000_000)
    );
    assert_eq!(first.account.net_asset_value, Atoms(-240_000_000));
    assert_eq!(ruin.resolved.positions, 1);
    assert_eq!(ruin.market(0), Err(RiskError::NothingMissing));
    let second = ruin.market(2).unwrap();
    assert_eq!(
        (second.loss.deficit, second.account.missing),
        (160_000_000, 0)
    );
    assert_eq!((ruin.resolved, ruin.equity()), (Resolved::NONE, 0));
    assert_eq!(second.account.clock.started, 0);
    assert!(matches!(
        ruin.market(0),
        Err(RiskError::NotBankrupt { equity: Atoms(0) })
    ));
}

/// 8.6: borrows are covered before results: a token's lenders lose only what is missing after all
/// assets.
#[test]
fn lenders_come_before_results() {
    let mut ruin = Ruin::new(closed(900_000, &[-50_000_000, 70_000_000], &[100_000_000]));
    let lent = ruin.bank(1).unwrap();
    assert_eq!(lent.loss.unwrap().deficit, 29_100_000);
    assert_eq!(lent.loss.unwrap().from_depositors, 29_100_000);
    assert_eq!(ruin.market(0).unwrap().loss.deficit, 50_000_000);
    assert_eq!(ruin.equity(), 0);
}

/// 8.6: while a borrow is not resolved the group's insurance pays no market: it would repay that borrow.
#[test]
fn the_group_pays_no_market_before_lenders() {
    let account = closed(0, &[-50_000_000], &[100_000_000]);
    let mut ruin = Ruin::new(account);
    ruin.banks[0].insurance = 40_000_000;
    ruin.banks[0].tracked += 40_000_000;
    ruin.group.balance = 40_000_000;
    let first = RiskError::LendersFirst { owed: 100_000_000 };
    assert_eq!(ruin.market(0), Err(first));
    ruin.bank(1).unwrap();
    let plan = ruin.market(0).unwrap();
    assert_eq!(
        (plan.loss.from_group, plan.loss.from_side),
        (10_000_000, 40_000_000)
    );
    assert_eq!(ruin.banks[0].insurance, 30_000_000);
    assert_eq!(ruin.account.balances[0].shares, Shares(10_000_000));
    assert_eq!(ruin.account.positions[0].quote, Atoms(-10_000_000));
    assert_eq!((ruin.equity(), ruin.resolved), (0, Resolved::NONE));
}

/// 8.6: the group's part of one market is set aside for it, and does not cover another's.
#[test]
fn what_the_group_paid_covers_its_market_alone() {
    let mut ruin = Ruin::new(closed(0, &[-80_000_000, -60_000_000], &[]));
    ruin.banks[0].insurance = 80_000_000;
    ruin.banks[0].tracked += 80_000_000;
    ruin.group.balance = 80_000_000;
    assert_eq!(ruin.market(0).unwrap().loss.from_group, 20_000_000);
    let second = ruin.market(1).unwrap();
    assert_eq!(
        (second.loss.deficit, second.loss.from_group),
        (60_000_000, 0)
    );
    assert_eq!(ruin.account.positions[0].quote, Atoms(-20_000_000));
    assert_eq!((ruin.equity(), ruin.resolved), (0, Resolved::NONE));
}

/// 8.6, I1: at any index the group's part is whole shares, so that the account ends at zero.
#[test]
fn the_groups_part_is_whole_shares() {
    let mut ruin = Ruin::new(closed(7, &[-80_000_000], &[]));
    ruin.book.rates[0].deposit_index = Index48(281_474_976_748_987);
    ruin.banks[0].deposit_index = ruin.book.rates[0].deposit_index;
    ruin.banks[0].insurance = 35_005_479;
    ruin.banks[0].tracked = ruin.banks[0].owed();
    ruin.group.balance = 35_005_479;
    let plan = ruin.market(0).unwrap();
    assert_eq!((plan.loss.from_group, ruin.equity()), (8_751_368, 0));
    assert_eq!(ruin.banks[0].tracked, ruin.banks[0].owed());
}

/// 8.6: where what covered a resolved debt is gone, all debts are shared out anew.
#[test]
fn marks_without_cover_count_nothing() {
    let mut ruin = Ruin::new(closed(40_000_000, &[-100_000_000, -100_000_000], &[]));
    ruin.market(0).unwrap();
    ruin.account.balances[0].shares = Shares(0);
    let again = ruin.market(0).unwrap();
    assert_eq!(again.loss.deficit, 20_000_000);
    assert_eq!(ruin.market(1).unwrap().loss.deficit, 100_000_000);
    assert_eq!(ruin.equity(), 0);
}

/// 8.6: lots that are not worth taking pass to the strays at the mark; the other side is charged.
#[test]
fn dust_passes_to_the_strays() {
    let mut book = book();
    book.instruments[0].mark = price(300_000 << 10, 10);
    let account = TestAccount::default()
        .with_balance(0, 0)
        .with_position(0, 3, -50_000_000);
    let mut ruin = Ruin::new(account);
    ruin.book = book;
    ruin.markets[0].long.stray = Frac40(7);
    let plan = ruin.market(0).unwrap();
    assert_eq!((plan.dust, plan.loss.deficit), (Lots(3), 49_100_000));
    assert_eq!(ruin.account.positions[0].size, Lots(0));
    assert_eq!(ruin.account.positions[0].quote, Atoms(0));
    let long = ruin.markets[0].long;
    assert_eq!(
        (long.stray, long.stray_quote),
        (Frac40((3 << 40) + 7), -900_000)
    );
    assert!(ruin.markets[0].short.carry.0 < 0 && long.carry.0 == 0);
    assert_eq!(long.open_interest, 1 << 40);

    // Too many strays must be taken first.
    let account = TestAccount::default()
        .with_balance(0, 0)
        .with_position(0, 3, -50_000_000);
    let mut ruin = Ruin::new(account);
    ruin.book.instruments[0].mark = price(300_000 << 10, 10);
    ruin.markets[0].long.stray = Frac40(u64::MAX / 2 + 1);
    assert_eq!(ruin.market(0), Err(RiskError::TooLarge));
}

/// 8.6: a deposit of a token that is not worth taking is that bank's insurance.
#[test]
fn dust_deposits_are_swept() {
    let mut ruin = Ruin::new(
        TestAccount::default()
            .with_balance(0, 0)
            .with_balance(2, 900_000)
            .with_position(0, 0, -50_000_000),
    );
    let plan = ruin.bank(1).unwrap();
    assert_eq!((plan.loss, plan.swept), (None, 900_000));
    assert_eq!(ruin.account.balances[1].shares, Shares(0));
    assert_eq!(ruin.banks[2].insurance, 900_000);
    assert_eq!(plan.account.missing, 50_000_000);
    assert_eq!(ruin.bank(0), Err(RiskError::NothingMissing));
    assert_eq!(ruin.bank(1), Err(RiskError::NothingMissing));
    assert_eq!(ruin.market(0).unwrap().loss.deficit, 50_000_000);
}

/// 8.6: neither an account with something left nor a slot without anything is resolved, nor on prices
/// that are not good enough.
#[test]
fn only_the_bankrupt_are_resolved() {
    let solvent = closed(200_000_000, &[-100_000_000], &[]);
    let refused = Ruin::new(solvent).market(0);
    assert!(matches!(refused, Err(RiskError::NotBankrupt { .. })));
    let holding = closed(0, &[-100_000_000], &[]).with_position(1, 5, 0);
    assert!(matches!(
        Ruin::new(holding).market(0),
        Err(RiskError::NotBankrupt { .. })
    ));
    let mut ruin = Ruin::new(closed(0, &[-100_000_000], &[5_000_000]));
    ruin.account.balances[1].shares = Shares(0);
    assert_eq!(ruin.bank(1), Err(RiskError::NothingMissing));
    ruin.account.balances[1].shares = Shares(-5_000_000);
    ruin.book.qualities[1].tier = Tier::Stale;
    assert!(matches!(ruin.bank(1), Err(RiskError::PriceUnfit { .. })));
}

proptest! {
    #![proptest_config(config(10_000))]

    /// 8.6, I1: at any index and whatever else is deposited, a bank never owes more for the group's part
    /// than its insurance paid, and keeps at most an atom of it as dust; the account ends at zero, or at
    /// the atom that its fractions come to.
    #[test]
    fn the_groups_part_never_outgrows_what_the_insurance_paid(
        cash in 0i64..1 << 40,
        others in 0u64..1 << 50,
        deficit in 1i64..1 << 40,
        fund in 0u64..1 << 42,
        index in 1u64 << 47..1 << 50,
    ) {
        let worth = deposit_amount(Shares(cash), Index48(index)).0;
        let mut ruin = Ruin::new(closed(cash, &[-worth - deficit], &[]));
        ruin.book.rates[0].deposit_index = Index48(index);
        let bank = &mut ruin.banks[0];
        bank.deposit_index = Index48(index);
        bank.deposit_shares += others;
        (bank.insurance, bank.dust, bank.tracked) = (fund, 0, 0);
        bank.tracked = bank.owed();
        ruin.group.balance = fund;
        let before = ruin.banks[0];
        let plan = ruin.market(0).unwrap();
        let bank = ruin.banks[0];
        prop_assert_eq!(bank.owed(), bank.tracked);
        prop_assert!(bank.dust <= 1);
        prop_assert_eq!(before.insurance - bank.insurance, plan.loss.group_cost);
        prop_assert!(plan.loss.group_cost - plan.loss.from_group <= 1);
        prop_assert!(plan.loss.group_cost <= fund / 4);
        prop_assert!((0..=1).contains(&ruin.equity()), "{}", ruin.equity());
    }

    /// 8.6: in whatever order debts are resolved, each is charged the same but for an atom, together
    /// exactly what the account lacks, and it ends at zero.
    #[test]
    fn the_order_of_a_bankruptcy_does_not_matter(
        cash in 0i64..1 << 40,
        results in prop::collection::vec(-1i64 << 40..1 << 39, 1..6),
        borrows in prop::collection::vec(1i64..1 << 40, 0..3),
        seed in any::<u64>(),
    ) {
        // With a borrow a deposit is taken before anything is resolved.
        let cash = if borrows.is_empty() { cash } else { cash % 1_000_000 };
        let ruin = Ruin::new(closed(cash, &results, &borrows));
        let before = ruin.equity();
        let debts = results.len() + borrows.len() + 1;
        let forwards: Vec<usize> = (0..debts).collect();
        let mut shuffled = forwards.clone();
        for at in (1..debts).rev() {
            shuffled.swap(at, (seed >> at) as usize % (at + 1));
        }
        let (mut one, mut other) = (ruin.clone(), ruin);
        one.resolve(&forwards);
        other.resolve(&shuffled);
        for ruin in [&one, &other] {
            let sum: u64 = ruin.charged.iter().chain(&ruin.written_off).sum();
            prop_assert_eq!(sum as i64, -before.min(0));
            prop_assert_eq!(ruin.equity(), before.max(0));
            prop_assert_eq!(ruin.resolved, Resolved::NONE);
        }
        for (one, other) in one.charged.iter().zip(&other.charged) {
            prop_assert!(one.abs_diff(*other) <= 6);
        }
        for (one, other) in one.written_off.iter().zip(&other.written_off) {
            prop_assert!(one.abs_diff(*other) <= 6);
        }
    }
}
