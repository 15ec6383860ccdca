//! Auctions: every kind of step against an account below Maintenance, and takeovers.

use anyhow::{Context, ensure};
use keel_sdk::instruction::{self, TakenLeg};
use keel_sdk::{Instruction, Pubkey, Snapshot, address};
use keel_state::{Bank, RiskBook};
use solana_signer::Signer;

use super::accounts::{edit, edit_margin};
use super::shape::LINEAR;
use super::stage::Stage;
use super::{Figures, engine, passes, refusal, sizes};
use keel::errors::KeelError;

/// What an account that is to be liquidated lacks, atoms.
const LACKING: i64 = 2_000_000_000;
/// What a bidder has besides what a stage gives him, atoms.
const BIDDER_HAS: i64 = 20_000_000_000_000;
/// The bank of the stage's trader that is made a borrow, and the position that is closed.
const OWED: usize = 3;
const CLOSED: usize = 5;

pub fn measure(figures: &mut Figures) -> anyhow::Result<()> {
    let mut stage = Stage::build(LINEAR)?;
    two_prints(&mut stage)?;
    below_maintenance(&mut stage)?;
    clocks(figures, &stage)?;
    hedges(figures, &stage)?;
    netting(figures, &mut stage)?;

    let mut stage = Stage::build(LINEAR)?;
    two_prints(&mut stage)?;
    owe(&mut stage)?;
    below_maintenance(&mut stage)?;
    balances(figures, &stage)?;
    drop(stage);

    let mut stage = Stage::build(LINEAR)?;
    two_prints(&mut stage)?;
    engine::season(&mut stage)?;
    free_bidder(&mut stage)?;
    refused(figures, &stage)?;
    below_maintenance(&mut stage)?;
    takeover(figures, &stage, "linear", &[])?;
    engine::mix(&mut stage)?;
    below_maintenance(&mut stage)?;
    takeover(figures, &stage, "mixed", &[])?;
    figures.take_sizes(&stage);
    Ok(())
}

/// Steps against an account of sixteen balances and sixteen positions on eight assets: name, units and
/// bytes of the transaction. Fails where one does not go through.
pub fn at_the_limits() -> anyhow::Result<Vec<(&'static str, u64, u64)>> {
    let mut stage = Stage::build(LINEAR)?;
    two_prints(&mut stage)?;
    below_maintenance(&mut stage)?;
    let signer = stage.liquidator.owner();
    let margin = stage.trader.margin;
    let clock = instruction::set_auction_clock(&stage.keys, signer, margin, &[], &[]);
    let markets = stage.shape.trader_markets();
    let mut steps = vec![("clock", clock)];
    for market in &markets {
        let leg = TakenLeg::Position { market: *market };
        steps.push(("position", step(&stage, leg, u64::MAX)));
    }
    free_bidder(&mut stage)?;
    steps.push(("take over", bid(&stage, &[], &[])));
    let mut found = Vec::new();
    for (name, step) in steps {
        let size = sizes::measure(&step, &stage.vm.payer.pubkey());
        let size = size.context("a transaction")?;
        let sent = stage.vm.simulate(&[step], &[&stage.liquidator.key]);
        match sent {
            Ok(sent) => found.push((name, sent.units, size.bytes)),
            // Of a hedged book not every leg alone may be taken.
            Err(_) if name == "position" => (),
            Err(failure) => anyhow::bail!("{name}: {failure}"),
        }
    }
    Ok(found)
}

/// As if prices had come often enough since the last silence.
pub fn two_prints(stage: &mut Stage) -> anyhow::Result<()> {
    edit::<RiskBook>(&mut stage.vm, &stage.keys.risk_book, |book| {
        let silence = book.silence;
        for asset in &mut book.assets {
            (asset.silence, asset.prints) = (silence, 2);
        }
    })
}

/// Lets the trader's first position lose, or gain, what leaves him below Maintenance by a fixed sum, in
/// an auction that has begun.
pub(super) fn below_maintenance(stage: &mut Stage) -> anyhow::Result<()> {
    let (health, equity) = {
        let book = stage.data(&stage.keys.risk_book)?;
        let data = stage.data(&stage.trader.margin)?;
        let snapshot = Snapshot::new(&book, stage.vm.now());
        let snapshot = snapshot.map_err(|error| anyhow::anyhow!("{error}"))?;
        let margin = snapshot.margin(&data);
        let margin = margin.map_err(|error| anyhow::anyhow!("{error}"))?;
        let found = snapshot.assess(&margin);
        (found.maintenance.health().0, found.net_asset_value.0)
    };
    let loss = health + LACKING;
    ensure!(equity > loss, "the trader would have no equity left");
    let margin = stage.trader.margin;
    edit_margin(&mut stage.vm, &margin, |account, positions| {
        positions[0].quote -= loss;
        account.liquidation_started = 1;
    })
}

pub(super) fn step(stage: &Stage, leg: TakenLeg, max_size: u64) -> Instruction {
    let (owner, liquidator) = (stage.liquidator.owner(), stage.liquidator.margin);
    let margin = stage.trader.margin;
    instruction::liquidate(&stage.keys, owner, margin, liquidator, leg, max_size)
}

/// The dearest of the steps that go through.
fn dearest(
    stage: &Stage,
    name: &'static str,
    steps: impl Iterator<Item = Instruction>,
) -> anyhow::Result<u64> {
    let mut most = None;
    for step in steps {
        if let Ok(sent) = stage
            .vm
            .simulate(std::slice::from_ref(&step), &[&stage.liquidator.key])
        {
            stage.note_size(name, &step);
            most = most.max(Some(sent.units));
        }
    }
    most.with_context(|| format!("{name}: no step went through"))
}

fn clocks(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let signer = stage.liquidator.owner();
    let mint = stage.config.tokens[OWED].token.mint;
    let clock = |mints: &[Pubkey], markets: &[u8]| {
        instruction::set_auction_clock(&stage.keys, signer, stage.trader.margin, mints, markets)
    };
    let key = &stage.liquidator.key;
    let sent = passes(stage, "liquidate", clock(&[], &[]), &[key])?;
    figures.set("liquidate", "clock", sent.units);
    let sent = passes(stage, "liquidate", clock(&[mint], &[0]), &[key])?;
    figures.set("liquidate", "clock_ledgers", sent.units);
    Ok(())
}

/// Every pair of positions, at a fifth of the first and at the whole.
fn hedges(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let markets = stage.shape.trader_markets();
    let pairs = |max_size: u64| {
        let steps = markets.iter().flat_map(|first| {
            let others = markets.iter().filter(move |second| *second != first);
            others.map(|second| TakenLeg::Hedge {
                markets: [*first, *second],
            })
        });
        let steps = steps.map(move |leg| step(stage, leg, max_size));
        dearest(stage, "liquidate", steps)
    };
    figures.set("liquidate", "hedge", pairs(u64::MAX)?);
    Ok(())
}

/// Makes one of the trader's deposits a borrow and one of his positions a loss.
fn owe(stage: &mut Stage) -> anyhow::Result<()> {
    let margin = stage.trader.margin;
    let mut owed = 0;
    edit_margin(&mut stage.vm, &margin, |account, positions| {
        owed = account.balances[OWED].shares.unsigned_abs();
        account.balances[OWED].shares = -(owed as i64);
        positions[CLOSED].size = 0;
        positions[CLOSED].quote = -10_000_000_000;
    })?;
    let mint = stage.config.tokens[OWED].token.mint;
    let bank = address::bank(&stage.keys.group, &mint);
    edit::<Bank>(&mut stage.vm, &bank, |bank| {
        bank.deposit_shares -= owed;
        bank.borrow_shares += owed;
        bank.tracked -= 2 * owed;
        // What two accounts deposited, less what is lent out of it and of another's deposit.
        bank.deposit_shares += 2 * owed;
        bank.tracked += 2 * owed;
    })
}

fn balances(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let mint = |bank: usize| stage.config.tokens[bank].token.mint;
    let market = stage.shape.trader_markets()[CLOSED];
    let others = || (1..stage.shape.balances).filter(|bank| *bank != OWED);
    for (row, leg) in [("deposit", true), ("borrow", false)] {
        let legs = others().map(|bank| match leg {
            true => TakenLeg::Deposit {
                market,
                mint: mint(bank),
            },
            false => TakenLeg::Borrow {
                deposit: mint(bank),
                borrow: mint(OWED),
            },
        });
        let steps = legs.map(|leg| step(stage, leg, u64::MAX));
        figures.set("liquidate", row, dearest(stage, "liquidate", steps)?);
    }
    Ok(())
}

/// A bidder without positions who can carry everything.
fn free_bidder(stage: &mut Stage) -> anyhow::Result<()> {
    let bidder = stage.liquidator.margin;
    edit_margin(&mut stage.vm, &bidder, |account, positions| {
        account.balances[0].shares += BIDDER_HAS;
        account.positions_end = 0;
        positions.fill(bytemuck::Zeroable::zeroed());
    })
}

fn bid(stage: &Stage, mints: &[Pubkey], markets: &[u8]) -> Instruction {
    let (owner, bidder) = (stage.liquidator.owner(), stage.liquidator.margin);
    let pair = (stage.trader.margin, bidder);
    instruction::take_over(&stage.keys, owner, pair, 1_000_000, mints, markets)
}

/// A share of everything that the end asks for.
fn takeover(
    figures: &mut Figures,
    stage: &Stage,
    row: &'static str,
    markets: &[u8],
) -> anyhow::Result<()> {
    let take = bid(stage, &[], markets);
    let sent = passes(stage, "take_over", take, &[&stage.liquidator.key])?;
    figures.set("take_over", row, sent.units);
    Ok(())
}

/// A bidder who holds the other side of every position: all markets are passed.
fn netting(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let bidder = stage.liquidator.margin;
    edit_margin(&mut stage.vm, &bidder, |account, _| {
        account.balances[0].shares += BIDDER_HAS;
    })?;
    takeover(figures, stage, "netting", &stage.shape.trader_markets())
}

/// A bid for a healthy account.
fn refused(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let code = u32::from(KeelError::NotLiquidatable);
    let units = refusal(
        stage,
        "take_over",
        code,
        bid(stage, &[], &[]),
        &[&stage.liquidator.key],
    )?;
    figures.set("take_over", "error", units);
    Ok(())
}
