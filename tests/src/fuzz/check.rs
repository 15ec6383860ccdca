//! What one step must keep (margin-spec 9). An error begins with the name of what was broken, so that
//! a shortened sequence can be known to break the same.

use anyhow::{Result, bail, ensure};
use keel_risk::{InitialTerms, Ppm};

use super::action::Action;
use super::arena::{ACCOUNTS, SPARES, TAKER_FEE, is_referred, of_mask};
use super::books::{AccountBook, Books, signed, unsigned};
use super::state::{POOL_ROW, State, row_of};

const POOL_FACTOR: Ppm = Ppm(3_000_000);
/// Most of a notional that a liquidation may cost, ppm: 5% (8.1).
const MOST_PENALTY: i128 = 50_000;
/// Atoms by which the books' arithmetic and the engine's may differ for each leg.
const ROUNDING: i128 = 2;
/// A token worth less than this, $1, stays with whoever is resolved.
const DUST: i128 = 1_000_000;
/// Atoms that rounding may cost whoever takes legs over.
const LOSSES: i128 = 256;

/// The program may refuse anything, but never fail.
pub fn is_no_fault(cause: &str) -> Result<()> {
    let faults = [
        "panicked",
        "exceeded",
        "ProgramFailedToComplete",
        "Broken",
        "overflow",
        // An invariant() that refused: errors of ledgers that no deposit or trade may cause.
        "OutOfBalance",
        "VaultShort",
        "OpenInterestUneven",
    ];
    ensure!(
        !faults.iter().any(|fault| cause.contains(fault)),
        "I14: the program failed instead of refusing: {cause}"
    );
    Ok(())
}

/// A refused transaction changes nothing.
pub fn refused(before: &State, after: &State) -> Result<()> {
    for (number, (was, is)) in before.accounts.iter().zip(&after.accounts).enumerate() {
        ensure!(
            was == is,
            "atomic: a refused transaction changed account {number}"
        );
    }
    Ok(())
}

/// Tokens neither appear nor vanish, whatever happened; shares of the pool are made and burnt. Dust is
/// kept.
pub fn tokens(before: &Books, after: &Books) -> Result<()> {
    let shares = before.tokens.len() - 1;
    ensure!(
        before.tokens[..shares] == after.tokens[..shares],
        "tokens: wallets, vaults and escrows held {:?} and hold {:?}",
        before.tokens,
        after.tokens
    );
    for (was, is) in before.banks.iter().zip(&after.banks) {
        ensure!(is.dust >= was.dust, "I1: dust fell from {was:?} to {is:?}");
    }
    Ok(())
}

/// Rows of the margin accounts that an action may change; the one that it is about comes first.
pub fn parties(action: &Action) -> Vec<usize> {
    match action {
        Action::Deposit { to, .. } => vec![row_of(*to)],
        Action::Withdraw { who, .. } => vec![row_of(*who)],
        Action::Open { who, .. } | Action::Close { who, .. } => {
            let mut rows = vec![row_of(*who), POOL_ROW];
            rows.extend(is_referred(*who).then_some(row_of(0)));
            rows
        }
        Action::Exit { who, .. } => vec![row_of(*who), POOL_ROW],
        Action::Borrow { who, .. }
        | Action::TakeTicket { who, .. }
        | Action::InsureMarket { who, .. } => vec![row_of(*who)],
        Action::Transfer { from, to, .. } => vec![row_of(*from), row_of(*to)],
        Action::Settle { winner, loser, .. } => vec![row_or_pool(*loser), row_or_pool(*winner)],
        Action::SetName { who, .. }
        | Action::SetDelegate { who, .. }
        | Action::ClearDelegate { who }
        | Action::CreateAccount { who }
        | Action::CloseAccount { who } => vec![row_of(*who)],
        Action::Provide { .. } | Action::Redeem { .. } => vec![POOL_ROW],
        Action::Liquidate { by, whom, .. }
        | Action::LiquidateDeposit { by, whom, .. }
        | Action::LiquidateHedge { by, whom, .. }
        | Action::LiquidateBorrow { by, whom, .. }
        | Action::TakeOver { by, whom, .. } => vec![row_of(*whom), row_of(*by)],
        Action::SetClock { whom, .. } => vec![row_of(*whom)],
        Action::Deleverage { whom, .. } => {
            let mut rows = vec![POOL_ROW];
            rows.extend(whom.map(row_of));
            rows.reverse();
            rows
        }
        Action::TakeStrays { .. } => vec![POOL_ROW],
        Action::Resolve { whom, .. } => vec![whom.map_or(POOL_ROW, row_of)],
        Action::Batch(steps) => steps.iter().flat_map(parties).collect(),
        _ => Vec::new(),
    }
}

/// Numbers beyond the accounts stand for the pool.
fn row_or_pool(number: usize) -> usize {
    if number < ACCOUNTS + SPARES {
        row_of(number)
    } else {
        POOL_ROW
    }
}

/// Banks and markets that an action may change.
fn ledgers(action: &Action) -> (Vec<u8>, Vec<u8>) {
    match action {
        Action::Deposit { asset, .. }
        | Action::Withdraw { asset, .. }
        | Action::Donate { asset, .. } => (vec![*asset], vec![]),
        Action::Open { legs, .. } => (vec![], legs.iter().map(|leg| leg.0).collect()),
        Action::Close { market, .. }
        | Action::Exit { market, .. }
        | Action::Liquidate { market, .. } => (vec![], vec![*market]),
        Action::Settle { market, .. } => (vec![0], vec![*market]),
        Action::Borrow { asset, .. }
        | Action::Transfer { asset, .. }
        | Action::TakeTicket { asset, .. }
        | Action::InsureBank { asset, .. } => (vec![*asset], vec![]),
        Action::InsureMarket { market, .. } => (vec![], vec![*market]),
        Action::Accrue { banks, markets } => (of_mask(*banks), of_mask(*markets)),
        Action::Provide { .. } | Action::Redeem { .. } => (vec![0], vec![]),
        Action::LiquidateDeposit { market, bank, .. } => (vec![*bank], vec![*market]),
        Action::LiquidateHedge { markets, .. } => (vec![], markets.to_vec()),
        Action::LiquidateBorrow {
            deposit, borrow, ..
        } => (vec![*deposit, *borrow], vec![]),
        Action::SetClock { banks, markets, .. } => (of_mask(*banks), of_mask(*markets)),
        Action::TakeOver { banks, markets, .. } => (of_mask(banks | 1), of_mask(*markets)),
        Action::Deleverage { market, .. } | Action::TakeStrays { market } => {
            (vec![], vec![*market])
        }
        Action::Resolve { market, bank, .. } => match market {
            Some(market) => (vec![0], vec![*market]),
            None => (vec![0, *bank], vec![]),
        },
        Action::Batch(steps) => {
            let mut all = (Vec::new(), Vec::new());
            for (banks, markets) in steps.iter().map(ledgers) {
                all.0.extend(banks);
                all.1.extend(markets);
            }
            all
        }
        _ => (vec![], vec![]),
    }
}

/// Who takes legs of whom, where an action does.
fn taking(action: &Action) -> Option<(usize, usize)> {
    match action {
        // A step of size 0 only sets the clock.
        Action::Liquidate { size: 0, .. }
        | Action::LiquidateDeposit { size: 0, .. }
        | Action::LiquidateHedge { size: 0, .. }
        | Action::LiquidateBorrow { size: 0, .. } => None,
        Action::Liquidate { by, whom, .. }
        | Action::LiquidateDeposit { by, whom, .. }
        | Action::LiquidateHedge { by, whom, .. }
        | Action::LiquidateBorrow { by, whom, .. }
        | Action::TakeOver { by, whom, .. } => Some((*by, *whom)),
        _ => None,
    }
}

/// What an accepted action promises.
pub fn accepted(action: &Action, before: &State, after: &State) -> Result<()> {
    ensure!(
        !matches!(action, Action::Hostile { .. }),
        "attack: it was accepted"
    );
    untouched(action, before, after)?;
    indices(action, before, after)?;
    strangers(action, before, after)?;
    vaults(action, before, after)?;
    shares(action, before, after)?;
    for row in parties(action) {
        same_worth(after, row)?;
        same_health(before, row)?;
        same_health(after, row)?;
    }
    promised(action, before, after)
}

/// What each kind of action promises by itself.
fn promised(action: &Action, before: &State, after: &State) -> Result<()> {
    match action {
        Action::Deposit { to, .. } => deposit(before, after, row_of(*to)),
        Action::Transfer { from, to, .. } => {
            withdrawal(after, row_of(*from))?;
            transferred(before, after, (row_of(*from), row_of(*to)))
        }
        Action::InsureMarket { who, .. } => withdrawal(after, row_of(*who)),
        Action::Withdraw { who, asset, .. } | Action::Borrow { who, asset, .. } => {
            let bank = &before.books.banks[usize::from(*asset)];
            ensure!(
                bank.halted_until <= before.now,
                "8.6: something left a halted bank: {bank:?}"
            );
            withdrawal(after, row_of(*who))
        }
        Action::Open { by, who, .. } => {
            open(after, row_of(*who))?;
            delegated(after, (*by, *who))
        }
        Action::Exit { who, market, .. } => close(before, after, row_of(*who), *market),
        Action::Settle {
            winner,
            loser,
            market,
            ..
        } => {
            let held = &before.books.markets[usize::from(*market)];
            ensure!(
                held.halted_until <= before.now,
                "8.6: a gain was settled in a halted market: {held:?}"
            );
            settled(before, after, (row_or_pool(*winner), row_or_pool(*loser)))
        }
        Action::Close {
            by, who, market, ..
        } => {
            close(before, after, row_of(*who), *market)?;
            delegated(after, (*by, *who))
        }
        Action::SetClock { whom, .. }
        | Action::Liquidate { whom, .. }
        | Action::LiquidateDeposit { whom, .. }
        | Action::LiquidateHedge { whom, .. }
        | Action::LiquidateBorrow { whom, .. }
        | Action::TakeOver { whom, .. } => {
            clock(before, after, row_of(*whom))?;
            match taking(action) {
                Some(parties) => liquidation(action, parties, before, after),
                None => Ok(()),
            }
        }

        Action::Deleverage { whom, .. } => unwound(whom.map_or(POOL_ROW, row_of), before, after),
        Action::Resolve { whom, .. } => resolved(whom.map_or(POOL_ROW, row_of), before, after),
        Action::Batch(steps) => batch(steps, before, after),
        _ => Ok(()),
    }
}

/// An account with the changes that nobody counts: its auction's clock, and positions brought up to date
/// with what their side keeps.
fn uncounted(was: &AccountBook, is: &AccountBook) -> AccountBook {
    let mut same = was.clone();
    same.liquidation_started = is.liquidation_started;
    for held in &mut same.positions {
        if let Some(now) = is.position(held.instrument)
            && (now.keep, now.epoch) != (held.keep, held.epoch)
        {
            *held = *now;
        }
    }
    same
}

/// Nothing changes but what the action names.
fn untouched(action: &Action, before: &State, after: &State) -> Result<()> {
    let parties = parties(action);
    let rows = before.books.accounts.iter().zip(&after.books.accounts);
    for (row, (was, is)) in rows.enumerate() {
        ensure!(
            was == is || parties.contains(&row),
            "bystander: row {row} changed from {was:?} to {is:?}"
        );
        let is_closed =
            matches!(action, Action::CloseAccount { .. }) && *is == AccountBook::default();
        ensure!(
            uncounted(was, is) == *is || is.seq > was.seq || is_closed,
            "seq: row {row} changed without counting it"
        );
    }
    let (banks, markets) = ledgers(action);
    for (index, (was, is)) in before
        .books
        .banks
        .iter()
        .zip(&after.books.banks)
        .enumerate()
    {
        ensure!(
            was == is || banks.contains(&(index as u8)),
            "bystander: bank {index} changed from {was:?} to {is:?}"
        );
    }
    let both = before.books.markets.iter().zip(&after.books.markets);
    for (index, (was, is)) in both.enumerate() {
        ensure!(
            was == is || markets.contains(&(index as u8)),
            "bystander: market {index} changed from {was:?} to {is:?}"
        );
    }
    Ok(())
}

/// Whoever is no party loses nothing but by prices, time and losses that are shared out (8.5, 8.6).
fn strangers(action: &Action, before: &State, after: &State) -> Result<()> {
    let is_meant = matches!(
        action,
        Action::Deleverage { .. }
            | Action::Exit { .. }
            | Action::TakeStrays { .. }
            | Action::Open { .. }
            | Action::Close { .. }
    );
    if !is_meant {
        return Ok(());
    }
    let parties = parties(action);
    let rows = 0..after.books.accounts.len();
    for row in rows.filter(|row| !parties.contains(row)) {
        let (was, is) = (before.worth(row), after.worth(row));
        let legs = after.books.accounts[row].positions.len() as i128;
        ensure!(
            is >= was - ROUNDING * (legs + 1),
            "8.5: row {row} was no party and lost {} atoms",
            was - is
        );
    }
    Ok(())
}

/// Indices never fall (7.1), but where a bankruptcy is resolved (8.6).
fn indices(action: &Action, before: &State, after: &State) -> Result<()> {
    if matches!(action, Action::Resolve { .. } | Action::Batch(_)) {
        return Ok(());
    }
    for (index, (was, is)) in before
        .books
        .banks
        .iter()
        .zip(&after.books.banks)
        .enumerate()
    {
        ensure!(
            is.deposit_index >= was.deposit_index && is.borrow_index >= was.borrow_index,
            "7.1: the indices of bank {index} fell from {was:?} to {is:?}"
        );
    }
    Ok(())
}

/// Where tokens go between wallets and vaults, native units.
enum Flow {
    Exactly(i128),
    In,
    /// A whole deposit, also one of shares that are worth less than a unit.
    Whole,
    OutOrNothing,
}

/// What an action asks of one token's vault.
fn flow(action: &Action) -> (u8, Flow) {
    match action {
        Action::Deposit { asset, units, .. } | Action::Donate { asset, units, .. } => {
            (*asset, Flow::Exactly(i128::from(*units)))
        }
        Action::Withdraw {
            asset,
            units: u64::MAX,
            ..
        } => (*asset, Flow::Whole),
        Action::Withdraw { asset, units, .. } | Action::Borrow { asset, units, .. } => {
            (*asset, Flow::Exactly(-i128::from(*units)))
        }
        Action::InsureBank { asset, units, .. } => (*asset, Flow::Exactly(i128::from(*units))),
        Action::Provide { .. } => (0, Flow::In),
        Action::Redeem { .. } => (0, Flow::OutOrNothing),
        _ => (0, Flow::Exactly(0)),
    }
}

/// Vaults move only as an action asks, and their banks' books with them; a donation is not credited
/// (I1).
fn vaults(action: &Action, before: &State, after: &State) -> Result<()> {
    if let Action::Batch(_) = action {
        return Ok(());
    }
    let (asset, expected) = flow(action);
    for (index, (was, is)) in before
        .books
        .banks
        .iter()
        .zip(&after.books.banks)
        .enumerate()
    {
        let moved = i128::from(is.vault) - i128::from(was.vault);
        let tracked = i128::from(is.tracked) - i128::from(was.tracked);
        let holds = match (index == usize::from(asset), &expected) {
            (true, Flow::Exactly(expected)) => moved == *expected,
            (true, Flow::In) => moved > 0,
            (true, Flow::Whole) => {
                let burned = was.deposit_shares.saturating_sub(is.deposit_shares);
                moved < 0 || burned > 0 && is.amount(burned as i64) == 0
            }
            // A pool that can carry nothing now pays nothing, and burns nothing.
            (true, Flow::OutOrNothing) => moved < 0 || before.books.pool == after.books.pool,
            (false, _) => moved == 0,
        };
        ensure!(
            holds,
            "tokens: the vault of bank {index} moved by {moved}, {:?} to {:?}",
            before.books.pool,
            after.books.pool
        );
        let is_given = matches!(action, Action::Donate { .. });
        let credited = if is_given { 0 } else { moved };
        ensure!(
            tracked == credited,
            "I1: the vault of bank {index} moved by {moved}, its books by {tracked}"
        );
    }
    Ok(())
}

/// I4: only providing and redeeming change the pool's shares, and neither takes from those who stay.
fn shares(action: &Action, before: &State, after: &State) -> Result<()> {
    let (was, is) = (before.books.pool, after.books.pool);
    let steps = match action {
        Action::Batch(steps) => &steps[..],
        one => std::slice::from_ref(one),
    };
    let any = |of: fn(&Action) -> bool| steps.iter().any(of);
    let provides = any(|step| matches!(step, Action::Provide { .. }));
    let redeems = any(|step| matches!(step, Action::Redeem { .. }));
    ensure!(
        (is.shares <= was.shares || provides) && (is.shares >= was.shares || redeems),
        "I4: LP shares went from {was:?} to {is:?}"
    );
    ensure!(
        is.locked == was.locked,
        "I4: locked shares went from {was:?} to {is:?}"
    );
    if (provides || redeems) && steps.len() == 1 {
        ensure!(is.shares != was.shares || redeems, "I4: no share was made");
        let worth_is = after.worth(POOL_ROW);
        let worth_was = worth_is - gain(before, after, POOL_ROW);
        ensure!(
            // What is credited is floored: an atom may go to the bank's dust.
            (worth_is + ROUNDING) * i128::from(was.shares) >= worth_was * i128::from(is.shares),
            "I4: the pool was diluted: {worth_was} of {was:?}, {worth_is} of {is:?}"
        );
    }
    Ok(())
}

/// 4.2: the engine's net asset value is what the books' own arithmetic finds.
fn same_worth(state: &State, row: usize) -> Result<()> {
    if state.margin(row).is_empty() {
        return Ok(());
    }
    let ours = state
        .books
        .judged_worth(&state.books.accounts[row], state.now);
    let theirs = i128::from(state.assess(row)?.net_asset_value.0);
    let account = &state.books.accounts[row];
    let legs = (account.balances.len() + account.positions.len()) as i128;
    ensure!(
        (ours - theirs).abs() <= ROUNDING * (legs + 1),
        "4.2: row {row} is worth {ours} atoms, the engine says {theirs}: {account:?}"
    );
    Ok(())
}

/// 5.5: the engine's Maintenance is what the specification gives, worked out anew.
fn same_health(state: &State, row: usize) -> Result<()> {
    if state.margin(row).is_empty() {
        return Ok(());
    }
    let ours = state.estimate(row);
    let theirs = state.assess(row)?;
    // Prices are floored to 30 bits, and each of the engine's roundings is an atom.
    let room = 64.0 + ours.grain + ours.scale * 1e-8;
    let worth = theirs.net_asset_value.0 as f64;
    ensure!(
        (ours.worth - worth).abs() <= room,
        "4.2: row {row}: {ours:?}, the engine finds {theirs:?}"
    );
    if !ours.is_sound {
        return Ok(());
    }
    let found = theirs.maintenance;
    let equity = (ours.equity - found.equity.0 as f64).abs();
    let requirement = (ours.requirement - found.requirement.0 as f64).abs();
    ensure!(
        equity <= room && requirement <= room,
        "5.5: row {row}: {ours:?}, the engine finds {theirs:?}"
    );
    Ok(())
}

fn deposit(before: &State, after: &State, row: usize) -> Result<()> {
    let (was, is) = (before.assess(row)?, after.assess(row)?);
    ensure!(
        is.maintenance.health() >= was.maintenance.health(),
        "health: a deposit lowered it from {was:?} to {is:?}"
    );
    Ok(())
}

/// I6: what stays behind is at or above Initial with positive results ignored, unless the account
/// owes nothing.
fn withdrawal(after: &State, row: usize) -> Result<()> {
    let account = &after.books.accounts[row];
    let owes = account
        .positions
        .iter()
        .any(|held| held.size != 0 || held.quote < 0)
        || account.balances.iter().any(|(_, shares)| *shares < 0);
    let left = after.assess_with(row, InitialTerms::WITHDRAWAL)?;
    ensure!(
        !owes || (left.initial.health().0 >= 0 && left.maintenance.health().0 >= 0),
        "I6: something left, and {left:?} stays"
    );
    Ok(())
}

/// I6 and 10.2: an order that opens leaves both sides at Initial.
fn open(after: &State, row: usize) -> Result<()> {
    let is = after.assess(row)?;
    ensure!(is.initial.health().0 >= 0, "I6: an order left {is:?}");
    let terms = InitialTerms {
        factor: Some(POOL_FACTOR),
        ..InitialTerms::COUNTED
    };
    let pool = after.assess_with(POOL_ROW, terms)?;
    ensure!(
        pool.initial.health().0 >= 0,
        "10.2: an order left the pool at {pool:?}"
    );
    Ok(())
}

/// 11.1: the floor of a grant, by the books' own worth; it rests on the offsets of `docs/layout.md`.
fn delegated(after: &State, (by, who): (usize, usize)) -> Result<()> {
    let row = row_of(who);
    if by == who {
        return Ok(());
    }
    let data = after.margin(row);
    let is_delegates = data[48..80] != after.margin(row_of(by))[48..80];
    let floor = i128::from(signed(data, 8 + 176)) + i128::from(signed(data, 8 + 184))
        - i128::from(unsigned(data, 8 + 192));
    let worth = after.worth(row);
    ensure!(
        !is_delegates || worth + ROUNDING >= floor,
        "11.1: a delegate's order left {worth}, the floor is {floor}"
    );
    Ok(())
}

/// I6 and 5.7: a close ends at Initial, or costs neither health more than the fee.
fn close(before: &State, after: &State, row: usize, market: u8) -> Result<()> {
    let (was, is) = (before.assess(row)?, after.assess(row)?);
    if is.initial.health().0 >= 0 && is.maintenance.health().0 >= 0 {
        return Ok(());
    }
    let (size_was, size_is) = (size(before, row, market), size(after, row, market));
    let asset = usize::from(before.books.markets[usize::from(market)].asset);
    let closed = i128::from((size_was - size_is).unsigned_abs());
    let notional = (closed * before.books.prices[asset].lot48()) >> 48;
    // What is paid may be up to a quarter of a range off the mark, and the fee is of what is paid.
    let fee = notional * TAKER_FEE * 5 / 4 / 1_000_000 + ROUNDING;
    let fee = i64::try_from(fee).unwrap_or(i64::MAX);
    let holds = is.initial.health().0 >= was.initial.health().0 - fee
        && is.maintenance.health().0 >= was.maintenance.health().0 - fee;
    ensure!(holds, "5.7: a close for a fee of {fee}: {was:?} to {is:?}");
    Ok(())
}

/// I5: a transfer gains nothing.
fn transferred(before: &State, after: &State, (from, to): (usize, usize)) -> Result<()> {
    let gain = gain(before, after, from) + gain(before, after, to);
    ensure!(gain <= 2 * ROUNDING, "I5: a transfer made {gain} atoms");
    Ok(())
}

/// What an account gained but for interest: both times by the indices and carries of after.
fn gain(before: &State, after: &State, row: usize) -> i128 {
    after.worth(row) - after.books.worth(&before.books.accounts[row])
}

/// 7.4, I5: nobody is worth less or more by a settlement, and whoever ends with a larger borrow is at
/// Initial.
fn settled(before: &State, after: &State, (winner, loser): (usize, usize)) -> Result<()> {
    for row in [winner, loser] {
        let gain = gain(before, after, row);
        ensure!(gain <= ROUNDING, "I5: a settlement gave row {row} {gain}");
        ensure!(
            gain >= -2 * ROUNDING,
            "7.4: a settlement took {gain} from row {row}"
        );
    }
    let owed = |state: &State| state.books.accounts[loser].shares(0).min(0);
    let initial = after.assess(loser)?.initial;
    ensure!(
        owed(after) >= owed(before) || initial.health().0 >= 0,
        "7.4: a settlement lent to an account at {initial:?}"
    );
    Ok(())
}

/// 8.5, I7: only an account below Maintenance is unwound. What the pool takes raises its health (I8);
/// against the other side it gives up at most what it is worth, and below zero nothing.
fn unwound(row: usize, before: &State, after: &State) -> Result<()> {
    let (was, is) = (
        before.assess(row)?.maintenance,
        after.assess(row)?.maintenance,
    );
    // What was begun with a pool goes on until it is at Initial (10.3); found there it takes nothing.
    let held = |state: &State| state.books.accounts[row].clone();
    let begun = row == POOL_ROW && held(before).liquidation_started != 0;
    let below = before.assess(row)?.initial.health().0 < 0;
    let over = uncounted(&held(before), &held(after)) == held(after)
        && held(after).liquidation_started == 0;
    ensure!(
        was.health().0 < 0 || (begun && (below || over)),
        "I7: a healthy account was unwound: {was:?}"
    );
    let (worth, left) = (before.worth(row), after.worth(row));
    let legs = after.books.accounts[row].positions.len() as i128;
    ensure!(
        is.health() >= was.health() || left >= worth.min(0) - ROUNDING * (legs + 1),
        "8.5: unwinding took an account of {worth} to {left}, {was:?} to {is:?}"
    );
    Ok(())
}

/// 8.6: only who is worth less than nothing is resolved, and he ends with no more than that. Tokens
/// come in whole units, and his borrows' interest since the last accrual is his too.
fn resolved(row: usize, before: &State, after: &State) -> Result<()> {
    let (was, is) = (before.worth(row), after.worth(row));
    let tokens = after.books.accounts[row].balances.len() as i128;
    let grain = (tokens + 1) * unit_of_any(after);
    ensure!(
        was <= grain && is <= grain.max(tokens * DUST) && is >= was - grain,
        "8.6: a resolution took row {row} from {was} to {is}"
    );
    Ok(())
}

/// 8.4: an auction runs exactly while its account was last found below Maintenance, and its beginning
/// never moves.
fn clock(before: &State, after: &State, row: usize) -> Result<()> {
    let started = |state: &State| state.books.accounts[row].liquidation_started;
    let (was, is) = (started(before), started(after));
    ensure!(
        was == 0 || is == 0 || is == was,
        "8.4: the auction of row {row} began at {was}, and then at {is}"
    );
    let found = after.assess(row)?.maintenance;
    ensure!(
        is == 0 || found.health().0 < 0 || !after.estimate(row).is_sound,
        "8.4: the auction of row {row} goes on at {found:?}"
    );
    Ok(())
}

/// I7 and I8, I6 for the liquidator, and that it costs no more than 8.1 says.
fn liquidation(
    action: &Action,
    (by, whom): (usize, usize),
    before: &State,
    after: &State,
) -> Result<()> {
    let row = row_of(whom);
    let (was, is) = (before.assess(row)?, after.assess(row)?);
    ensure!(
        was.maintenance.health().0 < 0,
        "I7: a healthy account was liquidated: {was:?}"
    );
    // A step that converts shares judges them by the ledgers' indices, which may be ahead of the book's
    // by what an atom is: of dust nothing is seen to rise there.
    let converts = !matches!(
        action,
        Action::Liquidate { .. } | Action::LiquidateHedge { .. }
    );
    let raised = is.maintenance.health().0 - was.maintenance.health().0;
    ensure!(
        raised > if converts { -2 } else { 0 },
        "I8: health went from {was:?} to {is:?}"
    );
    let liquidator = after.assess(row_of(by))?;
    ensure!(
        liquidator.initial.health().0 >= 0,
        "I6: the liquidator ends at {liquidator:?}"
    );
    let cost = -gain(before, after, row);
    let gain = gain(before, after, row_of(by));
    // Of a takeover negative legs round up, by a lot each (8.3); tokens come in whole units.
    let grain = match action {
        Action::TakeOver { .. } => lots_of_each(before, row) + unit_of_any(before),
        Action::LiquidateDeposit { .. } | Action::LiquidateBorrow { .. } => unit_of_any(before),
        _ => 0,
    };
    ensure!(
        gain >= -LOSSES - grain,
        "8.1: the liquidator lost {} atoms, and {grain} may be rounding: {:?} took of {:?}",
        -gain,
        before.books.accounts[row_of(by)],
        before.books.accounts[row],
    );
    let Action::Liquidate { market, .. } = action else {
        return Ok(());
    };
    let taken = (size(before, row, *market) - size(after, row, *market)).unsigned_abs();
    let asset = usize::from(after.books.markets[usize::from(*market)].asset);
    let notional = (i128::from(taken) * after.books.prices[asset].lot48()) >> 48;
    ensure!(
        (-4 * ROUNDING..=notional * MOST_PENALTY / 1_000_000 + 4 * ROUNDING).contains(&cost),
        "8.1: taking a notional of {notional} cost {cost}"
    );
    let place = (before.book(), before.now);
    match crate::judge::overshoot(place, before.margin(row), *market, taken)? {
        None => Ok(()),
        Some(what) => bail!("I8: {what}; {:?} to {:?}", was.maintenance, is.maintenance),
    }
}

/// Four of the dearest native unit of a token, atoms: a balance that changes sign is rounded as a borrow
/// and as a deposit, on both sides.
fn unit_of_any(state: &State) -> i128 {
    let units = state.books.prices.iter().skip(1).map(|price| {
        let (mantissa, shift) = price.native;
        i128::from(mantissa) >> shift
    });
    4 * (units.max().unwrap_or(0) + 1)
}

/// What a lot of each of an account's positions is worth together, at the mark, with its carry, or with
/// what it gained or lost, whichever is most; atoms.
fn lots_of_each(state: &State, row: usize) -> i128 {
    let books = &state.books;
    let held = books.accounts[row].positions.iter();
    held.map(|held| {
        let market = &books.markets[usize::from(held.instrument)];
        let lot = books.prices[usize::from(market.asset)].lot48() >> 48;
        let lots = i128::from(market.kept(held)).abs().max(1);
        let carry = market.carry[usize::from(held.size < 0)] >> 48;
        let result = (books.result48(held) >> 48).abs() / lots;
        lot.max((lot - carry).abs()).max(result) + 1
    })
    .sum()
}

fn size(state: &State, row: usize, market: u8) -> i64 {
    let held = state.books.accounts[row].position(market);
    held.map_or(0, |held| {
        state.books.markets[usize::from(market)].kept(held)
    })
}

/// I7 under batching: whoever was healthy before several steps at one price is not liquidated in them.
fn batch(steps: &[Action], before: &State, after: &State) -> Result<()> {
    for step in steps {
        let Some((_, whom)) = taking(step) else {
            continue;
        };
        let was = before.assess(row_of(whom))?;
        ensure!(
            was.maintenance.health().0 < 0,
            "I7: a healthy account was liquidated in a batch: {was:?}"
        );
    }
    for step in steps {
        if let Action::Withdraw { who, .. } | Action::Open { who, .. } = step {
            let is = after.assess(row_of(*who))?;
            ensure!(
                is.maintenance.health().0 >= 0,
                "I6: a batch with a withdrawal or an order left {is:?}"
            );
        }
    }
    Ok(())
}
