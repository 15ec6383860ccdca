//! The books, added up by the demo itself from the bytes of every margin account, beside what
//! `check_conservation` says on chain.

use anyhow::Context;
use keel_risk::{Keep, MarketLedger, SideLedger};
use keel_sdk::{address, decode};
use keel_state::{Bank, MarginAccount, Position};
use keel_tests::{Asset, market};

use crate::result::{Conservation, Invariants};
use crate::simulation::stage::Stage;

#[derive(Debug, Default)]
pub struct Ledger {
    pub conservation: Conservation,
    pub invariants: Invariants,
}

/// A whole lot, with the fractional bits of strays.
const LOT: i128 = 1 << 40;
/// Strays are counted ceil at each touch: a fraction of a lot may be counted twice, never a whole one.
const COUNTED_TWICE: i128 = 1 << 30;

/// What the sides of a market have accrued, 48 fractional bits.
fn carried(market: &MarketLedger) -> i128 {
    let side = |side: &SideLedger| i128::from(side.open_interest) * side.carry.0;
    side(&market.long) - side(&market.short)
}

/// What its side has kept of a position since it was last written, 40 fractional bits, towards zero
/// (margin-spec 8.5); by the demo's own arithmetic.
fn kept(position: &Position, side: &SideLedger) -> i128 {
    let lots = i128::from(position.size.unsigned_abs());
    let epochs = side.keep.epoch.wrapping_sub(position.epoch);
    if position.keep == 0 || epochs > 5 {
        return if position.keep == 0 { lots * LOT } else { 0 };
    }
    lots * i128::from(side.keep.keep.0) * LOT / i128::from(position.keep) / (1 << (16 * epochs))
}

/// What the holders of one side have.
#[derive(Clone, Copy, Debug, Default)]
struct Holders {
    /// 40 fractional bits.
    lots: i128,
    count: i128,
}

/// Sums over all margin accounts, by place in the risk book.
#[derive(Debug)]
struct Sums {
    markets: [MarketLedger; 3],
    long: [Holders; 3],
    short: [Holders; 3],
    quote: [i128; 3],
    deposits: [i128; 4],
    borrows: [i128; 4],
}

impl Ledger {
    /// I1, I2 and I3 from the accounts' bytes.
    pub fn check(&mut self, stage: &mut Stage, step: usize) -> anyhow::Result<()> {
        let sums = Sums::over(stage)?;
        for asset in Asset::TRADED {
            self.check_market(asset, &sums, step);
        }
        for asset in Asset::ALL {
            self.check_bank(stage, asset, &sums, step)?;
        }
        Ok(())
    }

    fn check_market(&mut self, asset: Asset, sums: &Sums, step: usize) {
        let at = usize::from(market(asset));
        let (ledger, name) = (sums.markets[at], asset.symbol());
        let (long, short) = (&ledger.long, &ledger.short);
        let stated = (long.open_interest, short.open_interest);
        self.invariants.check(stated.0 == stated.1, || {
            format!("I3 at step {step}, {name}: longs and shorts {stated:?}")
        });
        for (side, holders) in [(long, sums.long[at]), (short, sums.short[at])] {
            let all = i128::from(side.open_interest) * LOT;
            let lacks = all - holders.lots - i128::from(side.stray.0);
            // A side that was never shrunk is whole to the lot; else each holder's part is cut once.
            let whole = side.keep == Keep::ONE && side.stray.0 == 0;
            let cut = if whole { 0 } else { holders.count };
            self.invariants
                .check((-COUNTED_TWICE..=cut).contains(&lacks), || {
                    format!("I3 at step {step}, {name}: {lacks}/2^40 lots lack of {side:?}")
                });
        }

        let quote = sums.quote[at] + i128::from(long.stray_quote) + i128::from(short.stray_quote);
        let house = i128::from(ledger.fees) + i128::from(ledger.insurance);
        let carried = carried(&ledger);
        let owed = ((quote + house) << 48) + i128::from(ledger.residue.0);
        self.invariants.check(owed == carried, || {
            format!("I2 at step {step}, {name}: quotes {quote}, fees and insurance {house}, carry {carried}")
        });
        let stated = ledger.quotes;
        self.invariants.check(quote == i128::from(stated), || {
            format!("I2 at step {step}, {name}: quotes {quote}, market {stated}")
        });
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
        let markets = Asset::TRADED.map(|asset| stage.world.market(asset).ledger());
        let mut sums = Self {
            markets,
            long: [Holders::default(); 3],
            short: [Holders::default(); 3],
            quote: [0; 3],
            deposits: [0; 4],
            borrows: [0; 4],
        };
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
                let at = usize::from(position.instrument);
                let (side, holders) = if position.size < 0 {
                    (&markets[at].short, &mut sums.short[at])
                } else {
                    (&markets[at].long, &mut sums.long[at])
                };
                holders.lots += kept(position, side);
                holders.count += 1;
                sums.quote[at] += i128::from(position.quote);
            }
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;
    use keel_risk::{Carry48, Frac40};

    use super::*;

    fn side(keep: u64, epoch: u32) -> SideLedger {
        SideLedger {
            open_interest: 0,
            carry: Carry48(0),
            keep: Keep {
                keep: Frac40(keep),
                epoch,
            },
            stray: Frac40(0),
            stray_quote: 0,
        }
    }

    /// 8.5: a position keeps what its side does since it was last written, an epoch being sixteen places.
    #[test]
    fn a_position_keeps_what_its_side_keeps() {
        let mut position = Position::zeroed();
        (position.size, position.keep) = (-7, 1 << 40);
        assert_eq!(kept(&position, &side(1 << 40, 0)), 7 * LOT);
        assert_eq!(kept(&position, &side(1 << 39, 0)), 7 * LOT / 2);
        assert_eq!(kept(&position, &side(1 << 40, 1)), (7 * LOT) >> 16);
        assert_eq!(kept(&position, &side(1 << 40, 6)), 0);

        (position.keep, position.epoch) = (1 << 39, 3);
        assert_eq!(kept(&position, &side(1 << 38, 3)), 7 * LOT / 2);
    }
}
