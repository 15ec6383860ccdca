//! The invariants of margin-spec 9 over one step.

use anyhow::{Result, bail, ensure};
use keel_risk::{Assessment, InitialTerms, Ppm};
use keel_sdk::Pubkey;
use keel_tests::{Asset, market};

use crate::action::Action;
use crate::driver::{Driver, State};

const POOL_FACTOR: Ppm = Ppm(3_000_000);

/// What was judged before a step, for the account that it is about.
#[derive(Debug)]
pub struct Judged {
    subject: Option<Assessment>,
    bytes: Vec<u8>,
    pool_value: i64,
}

/// The account whose health the action is about.
fn subject(driver: &Driver, action: &Action) -> Option<Pubkey> {
    let number = match action {
        Action::Deposit { who, .. }
        | Action::Withdraw { who, .. }
        | Action::Open { who, .. }
        | Action::Close { who, .. } => *who,
        Action::Liquidate { whom, .. } | Action::LiquidateDeposit { whom, .. } => *whom,
        _ => return None,
    };
    Some(driver.traders[number].margin)
}

pub fn judge_before(driver: &Driver, action: &Action) -> Result<Judged> {
    let subject = subject(driver, action);
    let assess = |margin: &Pubkey| driver.world.assess(margin);
    Ok(Judged {
        subject: subject.as_ref().map(assess).transpose()?,
        bytes: subject.map_or_else(Vec::new, |margin| driver.world.data(&margin)),
        pool_value: assess(&driver.places.margins[0])?.net_asset_value.0,
    })
}

/// A refused transaction changes nothing.
pub fn refused(before: &State, after: &State) -> Result<()> {
    for ((address, was), (_, is)) in before.accounts.iter().zip(&after.accounts) {
        ensure!(
            was == is,
            "a refused transaction changed the account {address}"
        );
    }
    Ok(())
}

/// What holds whatever happened: tokens neither appear nor vanish, dust is kept.
pub fn always(before: &State, after: &State) -> Result<()> {
    for (was, is) in before.ledger.banks.iter().zip(&after.ledger.banks) {
        ensure!(is.dust >= was.dust, "I1: dust fell from {was:?} to {is:?}");
    }
    Ok(())
}

/// What an accepted action promises.
pub fn accepted(
    driver: &mut Driver,
    action: &Action,
    judged: &Judged,
    before: &State,
    after: &State,
) -> Result<()> {
    check_shares(action, before, after)?;
    check_bystanders(driver, action, before, after)?;
    check_tokens(action, before, after)?;
    let Some(margin) = subject(driver, action) else {
        return check_pool_price(driver, action, judged, before, after);
    };
    let is = driver.world.assess(&margin)?;
    let Some(was) = judged.subject else {
        bail!("nothing was judged before {action:?}");
    };
    match action {
        Action::Withdraw { .. } => check_withdrawal(driver, &margin)?,
        Action::Open { .. } => check_open(driver, &is)?,
        Action::Close { .. } => check_close(before, after, &was, &is)?,
        Action::Liquidate { .. } | Action::LiquidateDeposit { .. } => {
            check_liquidation(driver, action, judged, &was, &is)?;
        }
        Action::Deposit { .. } => ensure!(
            is.maintenance.health() >= was.maintenance.health(),
            "a deposit lowered health from {was:?} to {is:?}"
        ),
        Action::Hostile { .. } => bail!("an attack was accepted"),
        _ => {}
    }
    check_same_bits(driver, &margin)
}

/// I4: only providing changes the pool's shares.
fn check_shares(action: &Action, before: &State, after: &State) -> Result<()> {
    ensure!(
        !matches!(action, Action::Hostile { .. }),
        "an attack was accepted"
    );
    let (was, is) = (before.ledger.pool, after.ledger.pool);
    match action {
        Action::Provide { .. } => ensure!(is.shares > was.shares, "I4: nothing was issued"),
        _ => ensure!(is == was, "I4: LP shares went from {was:?} to {is:?}"),
    }
    Ok(())
}

/// I4: a provider never buys below what the shares are worth.
fn check_pool_price(
    driver: &Driver,
    action: &Action,
    judged: &Judged,
    before: &State,
    after: &State,
) -> Result<()> {
    if !matches!(action, Action::Provide { .. }) {
        return Ok(());
    }
    let pool = &driver.places.margins[0];
    let value = i128::from(driver.world.assess(pool)?.net_asset_value.0);
    let was = i128::from(judged.pool_value) * i128::from(after.ledger.pool.shares);
    let is = value * i128::from(before.ledger.pool.shares);
    ensure!(is >= was, "I4: providing diluted the pool");
    Ok(())
}

/// Nobody's margin account changes but the parties'.
fn check_bystanders(driver: &Driver, action: &Action, before: &State, after: &State) -> Result<()> {
    // Row 0 is the pool's.
    let parties: &[usize] = match action {
        Action::Deposit { who, .. } | Action::Withdraw { who, .. } => &[who + 1],
        Action::Open { who, .. } | Action::Close { who, .. } => &[0, who + 1],
        Action::Provide { .. } => &[0],
        Action::Liquidate { by, whom, .. } | Action::LiquidateDeposit { by, whom, .. } => {
            &[by + 1, whom + 1]
        }
        _ => &[],
    };
    let rows = before.ledger.accounts.iter().zip(&after.ledger.accounts);
    for (number, (was, is)) in rows.enumerate() {
        ensure!(
            was == is || parties.contains(&number),
            "the account {} changed without being a party",
            driver.places.margins[number]
        );
        ensure!(
            was == is || is.seq == was.seq + 1,
            "the account {} changed without counting it",
            driver.places.margins[number]
        );
    }
    Ok(())
}

/// Vaults move only with deposits, withdrawals and liquidity, and by exactly what was asked.
fn check_tokens(action: &Action, before: &State, after: &State) -> Result<()> {
    let moved: Vec<i128> = (before.ledger.banks.iter())
        .zip(&after.ledger.banks)
        .map(|(was, is)| i128::from(is.vault) - i128::from(was.vault))
        .collect();
    let (asset, expected) = match action {
        Action::Deposit { asset, units, .. } => (*asset, Some(i128::from(*units))),
        Action::Provide { usdc, .. } => (Asset::Usdc, Some(i128::from(*usdc) * 1_000_000)),
        Action::Withdraw {
            asset,
            units: u64::MAX,
            ..
        } => (*asset, None),
        Action::Withdraw { asset, units, .. } => (*asset, Some(-i128::from(*units))),
        _ => (Asset::Usdc, Some(0)),
    };
    for (index, moved) in moved.iter().enumerate() {
        let holds = match (index == asset as usize, expected) {
            (true, Some(expected)) => *moved == expected,
            (true, None) => *moved < 0,
            (false, _) => *moved == 0,
        };
        ensure!(holds, "the vault of bank {index} moved by {moved}");
    }
    Ok(())
}

/// I6: what stays behind is at or above Initial with positive results ignored, unless the account
/// owes nothing.
fn check_withdrawal(driver: &Driver, margin: &Pubkey) -> Result<()> {
    let row = driver.world.row(margin);
    let owes = row
        .positions
        .iter()
        .any(|(_, size, quote)| *size != 0 || *quote < 0);
    let left = driver.world.assess_with(margin, InitialTerms::WITHDRAWAL)?;
    ensure!(
        !owes || (left.initial.health().0 >= 0 && left.maintenance.health().0 >= 0),
        "I6: a withdrawal left {left:?}"
    );
    Ok(())
}

/// I6 and 10.2: an order that opens leaves both sides at Initial.
fn check_open(driver: &Driver, is: &Assessment) -> Result<()> {
    ensure!(is.initial.health().0 >= 0, "I6: an order left {is:?}");
    let terms = InitialTerms {
        factor: Some(POOL_FACTOR),
        ..InitialTerms::COUNTED
    };
    let pool = driver.world.assess_with(&driver.places.margins[0], terms)?;
    ensure!(
        pool.initial.health().0 >= 0,
        "10.2: an order left the pool at {pool:?}"
    );
    Ok(())
}

/// I6 and 5.7: a close ends at Initial, or costs neither health more than the fee.
fn check_close(before: &State, after: &State, was: &Assessment, is: &Assessment) -> Result<()> {
    if is.initial.health().0 >= 0 && is.maintenance.health().0 >= 0 {
        return Ok(());
    }
    let fees = |state: &State| -> i64 { state.ledger.markets.iter().map(|row| row.fees).sum() };
    let fee = fees(after) - fees(before);
    let holds = is.initial.health().0 >= was.initial.health().0 - fee
        && is.maintenance.health().0 >= was.maintenance.health().0 - fee;
    ensure!(holds, "5.7: a close for a fee of {fee}: {was:?} to {is:?}");
    Ok(())
}

/// I7 and I8, and I6 for the liquidator.
fn check_liquidation(
    driver: &Driver,
    action: &Action,
    judged: &Judged,
    was: &Assessment,
    is: &Assessment,
) -> Result<()> {
    let (before, after) = (was.maintenance.health(), is.maintenance.health());
    ensure!(
        before.0 < 0,
        "I7: a healthy account was liquidated: {was:?}"
    );
    ensure!(after > before, "I8: health went from {was:?} to {is:?}");
    let (Action::Liquidate { by, whom, .. } | Action::LiquidateDeposit { by, whom, .. }) = action
    else {
        bail!("not a liquidation");
    };
    let liquidator = driver.world.assess(&driver.traders[*by].margin)?;
    ensure!(
        liquidator.initial.health().0 >= 0,
        "I6: the liquidator ends at {liquidator:?}"
    );
    let Action::Liquidate { asset, .. } = action else {
        return Ok(());
    };
    let held = |data: &[u8]| keel_tests::AccountRow::read(data).position(market(*asset));
    let size_before = held(&judged.bytes).0;
    let (size_after, _) = driver
        .world
        .row(&driver.traders[*whom].margin)
        .position(market(*asset));
    let taken = (size_before - size_after).unsigned_abs();
    match driver.world.overshoot(&judged.bytes, *asset, taken)? {
        None => Ok(()),
        Some(what) => bail!("I8: {what}"),
    }
}

/// I10: the program's report and the client's are the same bytes.
fn check_same_bits(driver: &mut Driver, margin: &Pubkey) -> Result<()> {
    let on_chain = driver.world.report(*margin)?;
    let off_chain = driver.world.report_off_chain(margin)?;
    ensure!(
        bytemuck::bytes_of(&on_chain) == bytemuck::bytes_of(&off_chain),
        "I10: the program says {on_chain:?}, the client {off_chain:?}"
    );
    Ok(())
}
