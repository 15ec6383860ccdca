//! Borrows, transfers, tickets, insurance, accruals.

use keel::errors::KeelError;
use keel_sdk::instruction::{self, TransferKeys};
use keel_sdk::{Instruction, Pubkey, address};
use solana_signer::Signer;

use super::stage::Stage;
use super::{Figures, passes, refusal};

/// Most banks, and most markets, of the accrual that a share is taken of: a transaction locks at most
/// 64 accounts.
const ACCRUED: usize = 16;

/// The token that is borrowed and moved, beside the quote.
const TOKEN: usize = 1;

pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    lend(stage)?;
    let shape = stage.shape.name;
    let key = stage.trader.key.insecure_clone();
    for (name, instruction) in all(stage)? {
        let sent = passes(stage, name, instruction, &[&key])?;
        figures.set(name, shape, sent.units);
    }

    let of = |banks, markets| accrue(stage, banks, markets);
    let measured = |stage: &Stage, instruction| {
        passes(stage, "accrue", instruction, &[]).map(|sent| sent.units)
    };
    let (banks, markets) = (stage.config.tokens.len(), stage.shape.perps);
    let (banks, markets) = (banks.min(ACCRUED), markets.min(ACCRUED));
    let nothing = measured(stage, of(0, 0))?;
    let share = |units: u64, count: usize| (units - nothing) / count as u64;
    let of_banks = measured(stage, of(banks, 0))?;
    let of_markets = measured(stage, of(0, markets))?;
    figures.set("accrue", shape, measured(stage, of(banks, markets))?);
    figures.set("accrue", "per_bank", share(of_banks, banks));
    figures.set("accrue", "per_market", share(of_markets, markets));
    Ok(())
}

/// Every instruction of the trader's.
fn all(stage: &Stage) -> anyhow::Result<[(&'static str, Instruction); 5]> {
    let (keys, trader) = (&stage.keys, &stage.trader);
    let (owner, margin) = (trader.owner(), trader.margin);
    let (token, quote) = (stage.config.tokens[TOKEN].token, stage.quote());
    let more = stage.shares_worth(TOKEN, 25_000)?;
    let held = stage
        .shape
        .trader_markets()
        .first()
        .map_or(0, |market| *market);
    let accounts = TransferKeys {
        owner,
        from: margin,
        to: second(stage),
    };
    Ok([
        (
            "borrow",
            instruction::borrow(keys, owner, margin, token, more),
        ),
        (
            "transfer",
            instruction::transfer(keys, accounts, token.mint, 1_000, false),
        ),
        (
            "take_ticket",
            instruction::take_ticket(keys, owner, margin, token.mint, 1_000),
        ),
        (
            "fund_market_insurance",
            instruction::fund_market_insurance(keys, owner, margin, held, 1_000_000),
        ),
        (
            "fund_bank_insurance",
            instruction::fund_bank_insurance(keys, owner, quote, 1_000_000),
        ),
    ])
}

pub fn measure_refusals(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let key = stage.trader.key.insecure_clone();
    let (keys, owner, margin) = (stage.keys, stage.trader.owner(), stage.trader.margin);
    let (token, quote) = (stage.config.tokens[TOKEN].token, stage.quote());
    let itself = TransferKeys {
        owner,
        from: margin,
        to: margin,
    };
    let poor = stage.shares_worth(TOKEN, 1_000_000)?;
    let held = stage
        .shape
        .trader_markets()
        .first()
        .map_or(0, |market| *market);
    let mut few = accrue(stage, 1, 0);
    few.accounts.truncate(1);
    let refused = [
        (
            "borrow",
            KeelError::BelowInitial,
            instruction::borrow(&keys, owner, margin, token, poor),
        ),
        (
            "transfer",
            KeelError::SameAccount,
            instruction::transfer(&keys, itself, token.mint, 1_000, false),
        ),
        (
            "take_ticket",
            KeelError::InsufficientDeposit,
            instruction::take_ticket(&keys, owner, margin, token.mint, u64::MAX - 1),
        ),
        (
            "fund_market_insurance",
            KeelError::TooLarge,
            instruction::fund_market_insurance(&keys, owner, margin, held, u64::MAX),
        ),
        (
            "fund_bank_insurance",
            KeelError::ZeroAmount,
            instruction::fund_bank_insurance(&keys, owner, quote, 0),
        ),
    ];
    for (name, error, instruction) in refused {
        let units = refusal(stage, name, u32::from(error), instruction, &[&key])?;
        figures.set(name, "error", units);
    }
    let code = u32::from(KeelError::WrongAccountCount);
    let units = refusal(stage, "accrue", code, few, &[])?;
    figures.set("accrue", "error", units);
    Ok(())
}

/// Somebody's deposit to borrow from, an empty second account, and all of it published.
fn lend(stage: &mut Stage) -> anyhow::Result<()> {
    let token = stage.config.tokens[TOKEN].token;
    let lender = stage.liquidator.key.insecure_clone();
    let units = stage.shares_worth(TOKEN, 5_000_000)?;
    stage.give(lender.pubkey(), token, units);
    let margin = stage.liquidator.margin;
    let deposit = instruction::deposit(&stage.keys, lender.pubkey(), margin, token, units);
    stage.vm.send(&[deposit], &[&lender])?;

    let trader = stage.trader.key.insecure_clone();
    let (owner, payer) = (trader.pubkey(), stage.vm.payer.pubkey());
    let create = instruction::create_margin_account(&stage.keys, payer, owner, 1, [0; 32]);
    stage.vm.send(&[create], &[&trader])?;
    stage.give(owner, token, 1_000_000);
    stage.give(owner, stage.quote(), 1_000_000);
    let publish = accrue(stage, stage.config.tokens.len().min(ACCRUED), 0);
    stage.vm.send(&[publish], &[])?;
    Ok(())
}

fn second(stage: &Stage) -> Pubkey {
    address::margin_account(&stage.keys.group, &stage.trader.owner(), 1)
}

/// The first banks and the first markets.
fn accrue(stage: &Stage, banks: usize, markets: usize) -> Instruction {
    let tokens = stage.config.tokens[..banks].iter();
    let mints: Vec<Pubkey> = tokens.map(|token| token.token.mint).collect();
    let markets: Vec<u8> = (0..markets as u8).collect();
    instruction::accrue(&stage.keys, &mints, &markets)
}
