//! The keeper's `accrue` of every step, and what it moved, read from the ledgers' bytes.

use anyhow::Context;
use keel_state::{Bank, Market};
use keel_tests::Asset;

use crate::house::{Funding, Interest};
use crate::path::Tick;
use crate::result::Invariants;
use crate::simulation::chain::ATOMS;
use crate::simulation::market::quote;
use crate::simulation::stage::Stage;

const YEAR_S: f64 = 365.0 * 86_400.0;
/// One, with the fractional bits of a carry and of a funding rate.
const ONE_48: f64 = (1u64 << 48) as f64;
/// One, with those of a borrow's growth per second.
const ONE_64: f64 = (1u128 << 64) as f64;

/// What time alone moved, summed over the run.
#[derive(Debug)]
pub struct Meter {
    interest: [Interest; 4],
    funding: [Funding; 3],
}

/// What a bank is owed and owes, native units.
#[derive(Clone, Copy, Debug)]
struct Dues {
    lent: i128,
    deposited: i128,
    insurance: i128,
    rounded: i128,
}

impl Dues {
    fn of(bank: &Bank) -> Self {
        let ledger = bank.ledger();
        Self {
            lent: i128::from(ledger.borrows()),
            deposited: i128::from(ledger.deposits()),
            insurance: i128::from(bank.insurance),
            rounded: i128::from(bank.dust) + i128::from(bank.fees),
        }
    }
}

impl Meter {
    pub fn new() -> Self {
        Self {
            interest: Asset::ALL.map(|asset| Interest {
                token: asset.symbol().to_owned(),
                ..Interest::default()
            }),
            funding: Asset::TRADED.map(|asset| Funding {
                market: format!("{}-PERP", asset.symbol()),
                ..Funding::default()
            }),
        }
    }

    /// Accrues every bank and market, and reads what that changed.
    pub fn accrue(
        &mut self,
        stage: &mut Stage,
        tick: &Tick,
        step: usize,
        invariants: &mut Invariants,
    ) -> anyhow::Result<()> {
        let world = &mut stage.world;
        let banks = Asset::ALL.map(|asset| Dues::of(&world.bank(asset)));
        let markets = Asset::TRADED.map(|asset| world.market(asset));
        world.accrue_all().context("accruing")?;

        for (asset, before) in Asset::ALL.into_iter().zip(banks) {
            let after = Dues::of(&world.bank(asset));
            self.add_interest(asset, tick, [before, after], |holds, figures| {
                invariants.check(holds, || {
                    format!("interest at step {step}, {}: {figures}", asset.symbol())
                });
            });
        }
        for ((asset, before), sum) in Asset::TRADED.iter().zip(markets).zip(&mut self.funding) {
            add_funding(sum, &before, &world.market(*asset));
        }
        Ok(())
    }

    /// Borrowers pay what depositors, insurance and rounding get.
    fn add_interest(
        &mut self,
        asset: Asset,
        tick: &Tick,
        [before, after]: [Dues; 2],
        check: impl FnOnce(bool, String),
    ) {
        let paid = after.lent - before.lent;
        let earned = after.deposited - before.deposited;
        let insured = after.insurance - before.insurance;
        let rounded = after.rounded - before.rounded;
        check(
            paid == earned + insured + rounded,
            format!("paid {paid}, earned {earned}, insured {insured}, rounded {rounded}"),
        );

        let unit = quote(tick, asset).usd() / 10f64.powi(i32::from(asset.decimals()));
        let sum = &mut self.interest[asset as usize];
        sum.paid += paid as f64 * unit;
        sum.earned += earned as f64 * unit;
        sum.insured += insured as f64 * unit;
        sum.rounded += rounded as f64 * unit;
    }

    /// The sums, with what stands at the end.
    pub fn finish(mut self, stage: &Stage, last: &Tick) -> (Vec<Interest>, Vec<Funding>) {
        for (asset, sum) in Asset::ALL.into_iter().zip(&mut self.interest) {
            let bank = stage.world.bank(asset);
            let unit = quote(last, asset).usd() / 10f64.powi(i32::from(asset.decimals()));
            sum.borrowed = bank.ledger().borrows() as f64 * unit;
            sum.yearly_percent = bank.borrow_rate as f64 / ONE_64 * YEAR_S * 100.0;
        }
        for (asset, sum) in Asset::TRADED.into_iter().zip(&mut self.funding) {
            let market = stage.world.market(asset);
            let lots = market.open_interest_long as f64;
            let lot = quote(last, asset).usd() / 10f64.powi(i32::from(asset.lot_decimals()));
            sum.daily_percent = market.funding_rate as f64 / ONE_48 * 100.0;
            sum.open_interest = lots * lot;
        }
        (self.interest.into(), self.funding.into())
    }
}

/// A side's carry rose by what each of its lots paid.
fn add_funding(sum: &mut Funding, before: &Market, after: &Market) {
    let (old, new) = (before.ledger(), after.ledger());
    let usd = |lots: u64, from: i128, to: i128| lots as f64 * (to - from) as f64 / ONE_48 / ATOMS;
    let (long, short) = (&new.long, &new.short);
    sum.longs_paid += usd(long.open_interest, old.long.carry.0, long.carry.0);
    sum.shorts_got += usd(short.open_interest, old.short.carry.0, short.carry.0);
}
