//! What is created: figures of the building itself, and the refusals.

use keel_migrations::{Keys, m0001_create_group};
use keel_sdk::{Instruction, PoolArgs, instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::stage::{Stage, mint_of};
use super::{Figures, passes, refusal};
use crate::operator::create_book_account;
use crate::tokens::mint_account;
use crate::vm::{Vm, keypair};
use keel::errors::KeelError;

/// Owners whose accounts are created; the cost depends on how long an address is searched for.
const OWNERS: u64 = 16;
/// The error of the system program for an address that is taken.
const TAKEN: u32 = 0;

/// `typical` is the median of all that were created, `longest_search` the greatest.
pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let mut created = stage.created.clone();
    for seed in 0..OWNERS {
        let owner = keypair(2_000 + seed);
        let create = stage.create_margin_account(owner.pubkey());
        let sent = passes(stage, "create_margin_account", create, &[&owner])?;
        created
            .entry("create_margin_account")
            .or_default()
            .push(sent.units);
    }
    for name in [
        "create_group",
        "create_bank",
        "create_market",
        "create_pool",
        "create_margin_account",
    ] {
        let units = created.entry(name).or_default();
        units.sort_unstable();
        if let Some(median) = units.get((units.len().max(1) - 1) / 2) {
            figures.set(name, "typical", *median);
        }
        if let Some(greatest) = units.last().filter(|_| units.len() > 1) {
            figures.set(name, "longest_search", *greatest);
        }
    }
    refusals(figures, stage)
}

/// A group whose quote has other decimals, listings by a stranger, an account that exists.
fn refusals(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let (stranger, book) = (keypair(4), keypair(5));
    let mut wrong = stage.config.clone();
    wrong.id = 2;
    wrong.tokens[0] = wrong.tokens[1].clone();
    let other = Keys {
        risk_book: book.pubkey(),
        ..stage.operator
    };
    create_book_account(&mut stage.vm, book.pubkey());
    let create = nth_step(&wrong, &other, 0)?;
    let admin = stage.admin.insecure_clone();
    let code = u32::from(KeelError::WrongQuoteDecimals);
    let units = refusal(stage, "create_group", code, create, &[&admin, &book])?;
    figures.set("create_group", "error", units);

    for (name, instruction) in by_a_stranger(stage, &stranger)? {
        let code = u32::from(KeelError::NotAdmin);
        let units = refusal(stage, name, code, instruction, &[&stranger])?;
        figures.set(name, "error", units);
    }

    let owner = stage.trader.key.insecure_clone();
    let create = stage.create_margin_account(owner.pubkey());
    let units = refusal(stage, "create_margin_account", TAKEN, create, &[&owner])?;
    figures.set("create_margin_account", "error", units);
    Ok(())
}

/// One more bank, market and pool, not signed by the administrator.
fn by_a_stranger(
    stage: &mut Stage,
    stranger: &Keypair,
) -> anyhow::Result<[(&'static str, Instruction); 3]> {
    let mut more = stage.config.clone();
    let mut token = more.tokens[1].clone();
    token.token = mint_of(more.tokens.len());
    create_mint(&mut stage.vm, &token);
    more.tokens.push(token);
    more.markets.push(more.markets[0].clone());
    let operator = Keys {
        admin: stranger.pubkey(),
        ..stage.operator
    };
    let (banks, markets) = (more.tokens.len(), more.markets.len());
    let pool = PoolArgs {
        id: 1,
        equity_cap: more.pool.equity_cap,
        pool_factor: more.pool.pool_factor,
        asset_cap: more.pool.asset_cap,
        cooldown_in_s: more.pool.cooldown_in_s,
        cooldown_out_s: more.pool.cooldown_out_s,
    };
    let program = more.tokens[0].token.program;
    let (payer, admin) = (operator.payer, operator.admin);
    Ok([
        ("create_bank", nth_step(&more, &operator, banks)?),
        (
            "create_market",
            nth_step(&more, &operator, banks + markets)?,
        ),
        (
            "create_pool",
            instruction::create_pool(&stage.keys, payer, admin, program, pool),
        ),
    ])
}

fn create_mint(vm: &mut Vm, token: &keel_migrations::TokenConfig) {
    let mint = mint_account(token.asset.token_decimals, u64::MAX / 2);
    vm.set_account(token.token.mint, mint);
}

/// The instruction of a step of the migration.
fn nth_step(
    config: &keel_migrations::GroupConfig,
    operator: &Keys,
    index: usize,
) -> anyhow::Result<Instruction> {
    let step = m0001_create_group::steps(config, operator)
        .into_iter()
        .nth(index);
    step.and_then(|step| step.instructions.into_iter().next())
        .ok_or_else(|| anyhow::anyhow!("the migration has no step {index}"))
}
