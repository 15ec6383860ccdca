//! The books, added up by the demo itself from the bytes of every margin account, beside what
//! `check_conservation` says on chain.

use anyhow::Context;
use keel_risk::{MarketLedger, SideLedger};
use keel_sdk::{address, decode};
use keel_state::{Bank, MarginAccount, Market};
use keel_tests::{Asset, market};

use crate::result::{Conservation, Invariants};
use crate::simulation::stage::Stage;

#[derive(Debug, Default)]
pub struct Ledger {
    pub conservation: Conservation,
    pub invariants: Invariants,
}

/// What the sides of a market have accrued, 48 fractional bits. No side is shrunk in a run: sizes are as
/// stored, and there are no strays.
fn carried(market: &MarketLedger) -> i128 {
    let side = |side: &SideLedger| i128::from(side.open_interest) * side.carry.0;
    side(&market.long) - side(&market.short)
}

/// Sums over all margin accounts, by place in the risk book.
#[derive(Debug, Default)]
struct Sums {
    long: [i128; 3],
    short: [i128; 3],
    quote: [i128; 3],
    deposits: [i128; 4],
    borrows: [i128; 4],
}

impl Ledger {
    /// I1, I2 and I3 from the accounts' bytes.
    pub fn check(&mut self, stage: &mut Stage, step: usize) -> anyhow::Result<()> {
        let sums = Sums::over(stage)?;
        for asset in Asset::TRADED {
            self.check_market(stage, asset, &sums, step)?;
        }
        for asset in Asset::ALL {
            self.check_bank(stage, asset, &sums, step)?;
        }
        Ok(())
    }

    fn check_market(
        &mut self,
        stage: &Stage,
        asset: Asset,
        sums: &Sums,
        step: usize,
    ) -> anyhow::Result<()> {
        let index = market(asset);
        let data = stage
            .world
            .data(&address::market(&stage.world.keys.group, index));
        let account = decode::account::<Market>(&data).context("a market")?;
        let at = usize::from(index);
        let name = asset.symbol();

        let (long, short) = (sums.long[at], sums.short[at]);
        let stated = (account.open_interest_long, account.open_interest_short);
        let even = long == short && (long, short) == (i128::from(stated.0), i128::from(stated.1));
        self.invariants.check(even, || {
            format!("I3 at step {step}, {name}: longs {long}, shorts {short}, market {stated:?}")
        });

        let quote = sums.quote[at];
        let house = i128::from(account.fees) + i128::from(account.insurance);
        let carried = carried(&account.ledger());
        let owed = ((quote + house) << 48) + i128::from(account.residue);
        self.invariants.check(owed == carried, || {
            format!("I2 at step {step}, {name}: quotes {quote}, fees and insurance {house}, carry {carried}")
        });
        self.invariants
            .check(quote == i128::from(account.quote_sum), || {
                format!(
                    "I2 at step {step}, {name}: quotes {quote}, market {}",
                    account.quote_sum
                )
            });
        Ok(())
    }

    fn check_bank(
        &mut self,
        stage: &Stage,
        asset: Asset,
        sums: &Sums,
        step: usize,
    ) -> anyhow::Result<()> {
        let world = &stage.world;
        let key = address::bank(&world.keys.group, &world.token(asset).mint);
        let data = world.data(&key);
        let bank = decode::account::<Bank>(&data).context("a bank")?;
        let at = asset as usize;
        let name = asset.symbol();

        let (deposits, borrows) = (sums.deposits[at], sums.borrows[at]);
        let stated = (bank.deposit_shares, bank.borrow_shares);
        let same = (deposits, borrows) == (i128::from(stated.0), i128::from(stated.1));
        self.invariants.check(same, || {
            format!("I1 at step {step}, {name}: shares {deposits} and {borrows}, bank {stated:?}")
        });

        let vault = world.token_amount(&address::vault(&key));
        self.invariants.check(bank.tracked <= vault, || {
            format!(
                "I1 at step {step}, {name}: bank {}, vault {vault}",
                bank.tracked
            )
        });
        Ok(())
    }

    /// The same by the program itself.
    pub fn check_on_chain(&mut self, stage: &mut Stage, step: usize) -> anyhow::Result<()> {
        let (checked, failed) = stage.world.conservation()?;
        self.conservation.checked += u64::from(checked);
        self.conservation.failed += u64::from(failed);
        self.invariants.check(failed == 0, || {
            format!(
                "check_conservation at step {step}: {failed} of {checked} ledgers do not balance"
            )
        });
        Ok(())
    }
}

impl Sums {
    fn over(stage: &Stage) -> anyhow::Result<Self> {
        let mut sums = Self::default();
        for margin in stage.margins() {
            let data = stage.world.data(&margin);
            let account = decode::account::<MarginAccount>(&data).context("a margin account")?;
            for balance in account.balances.iter().filter(|balance| balance.used != 0) {
                let shares = i128::from(balance.shares);
                let at = usize::from(balance.bank);
                sums.deposits[at] += shares.max(0);
                sums.borrows[at] += (-shares).max(0);
            }
            let positions = decode::positions(account, &data)?;
            for position in positions.iter().filter(|position| position.used != 0) {
                let size = i128::from(position.size);
                let at = usize::from(position.instrument);
                sums.long[at] += size.max(0);
                sums.short[at] += (-size).max(0);
                sums.quote[at] += i128::from(position.quote);
            }
        }
        Ok(sums)
    }
}
