//! Carries actions out on the compiled program and checks everything after each.

use anchor_spl::token::spl_token;
use anyhow::{Context, Result, bail, ensure};
use keel_sdk::instruction::TakenLeg;
use keel_sdk::{DelegateArgs, Instruction, Pubkey, address, instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::action::Action;
use super::arena::{ASSETS, Arena, PROVIDERS, first_price};
use super::books::Places;
use super::check;
use super::choose::View;
use super::state::{State, row_of};
use crate::tokens::amount;
use crate::vm::Failure;

/// How far from where it began a price may wander.
const FARTHEST: f64 = 4.0;

/// The group, and its state after the last step.
#[derive(Debug)]
pub struct Driver {
    pub arena: Arena,
    pub places: Places,
    pub state: State,
}

/// What became of a step; the cause of a refusal.
pub type Outcome = Option<String>;

impl Driver {
    pub fn new() -> Result<Self> {
        let arena = Arena::new()?;
        let places = places(&arena);
        let state = State::read(&arena, &places);
        state.books.check().map_err(anyhow::Error::msg)?;
        Ok(Self {
            arena,
            places,
            state,
        })
    }

    pub fn view(&self) -> Result<View> {
        self.state.view(&self.arena)
    }

    /// Carries the action out and checks everything; an error begins with the broken invariant.
    pub fn step(&mut self, action: &Action) -> Result<Outcome> {
        let before_signs = match action {
            Action::Open { by, who, .. } | Action::Close { by, who, .. } => {
                Some(self.may_sign(*by, *who))
            }
            _ => None,
        };
        let sent = self.carry_out(action)?;
        let after = State::read(&self.arena, &self.places);
        let before = std::mem::replace(&mut self.state, after);
        let after = &self.state;

        after.books.check().map_err(anyhow::Error::msg)?;
        check::tokens(&before.books, &after.books)?;
        match sent {
            Ok(()) => {
                ensure!(
                    before_signs.is_none_or(|may| may),
                    "11.1: {action:?} was signed by a stranger"
                );
                check::accepted(action, &before, after)?;
                self.check_same_bits(action)?;
                Ok(None)
            }
            Err(failure) => {
                let cause = cause(&failure);
                check::is_no_fault(&cause)?;
                if is_one_transaction(action) {
                    check::refused(&before, after).with_context(|| format!("refused: {cause}"))?;
                }
                Ok(Some(cause))
            }
        }
    }

    /// Carries the action out unchecked; whether it was refused.
    pub fn follow(&mut self, action: &Action) -> Result<bool> {
        let sent = self.carry_out(action)?;
        self.state = State::read(&self.arena, &self.places);
        Ok(sent.is_err())
    }

    fn carry_out(&mut self, action: &Action) -> Result<Result<(), Failure>> {
        if let Some(happened) = self.happen(action) {
            return Ok(happened);
        }
        let (instructions, keys) = self.instructions(action)?;
        let keys: Vec<&Keypair> = keys.iter().collect();
        Ok(self.arena.vm.send(&instructions, &keys).map(drop))
    }

    /// What nobody signs: time and prices. `None` for anything else.
    fn happen(&mut self, action: &Action) -> Option<Result<(), Failure>> {
        let arena = &mut self.arena;
        Some(match action {
            Action::Move { mask, ppm } => {
                shift(arena, *mask, *ppm);
                arena.vm.pass(1);
                arena.publish(u8::MAX, None)
            }
            // The second print, two seconds after the first, confirms what jumped (2.5).
            Action::Jump { mask, ppm } => {
                shift(arena, *mask, *ppm);
                arena.vm.pass(1);
                arena.publish(u8::MAX, None).and_then(|()| {
                    arena.vm.pass(2);
                    arena.publish(u8::MAX, None)
                })
            }
            Action::Widen { asset } => {
                arena.vm.pass(1);
                arena.publish(u8::MAX, Some(*asset))
            }
            Action::Publish { mask } => {
                arena.vm.pass(1);
                arena.publish(*mask, None)
            }
            Action::Pass { seconds } => {
                arena.vm.pass(*seconds);
                Ok(())
            }
            Action::Wait { minutes } => (0..*minutes).try_for_each(|_| {
                arena.vm.pass(59);
                arena.publish(u8::MAX, None)
            }),
            _ => return None,
        })
    }

    /// What is sent, and who signs.
    fn instructions(&self, action: &Action) -> Result<(Vec<Instruction>, Vec<Keypair>)> {
        if let Action::Batch(steps) = action {
            let mut all = (Vec::new(), Vec::new());
            for step in steps {
                let (instructions, keys) = self.instructions(step)?;
                all.0.extend(instructions);
                all.1.extend(keys);
            }
            return Ok(all);
        }
        let (instruction, key) = self.instruction(action)?;
        Ok((vec![instruction], key.into_iter().collect()))
    }

    fn instruction(&self, action: &Action) -> Result<(Instruction, Option<Keypair>)> {
        let arena = &self.arena;
        let signed =
            |instruction, who: usize| (instruction, Some(arena.accounts[who].key.insecure_clone()));
        Ok(match action {
            Action::Deposit {
                by,
                to,
                asset,
                units,
            } => signed(arena.deposit(*by, *to, *asset, *units), *by),
            Action::Withdraw { who, asset, units } => {
                signed(arena.withdraw(*who, *who, *asset, *units), *who)
            }
            Action::Open { by, who, legs } => signed(arena.open((*by, *who), legs), *by),
            Action::Borrow { .. }
            | Action::Transfer { .. }
            | Action::TakeTicket { .. }
            | Action::Accrue { .. }
            | Action::InsureBank { .. }
            | Action::InsureMarket { .. } => self.money(action)?,
            Action::Exit { .. } | Action::Settle { .. } | Action::Close { .. } => {
                self.trade(action)?
            }
            Action::SetName { .. }
            | Action::SetDelegate { .. }
            | Action::ClearDelegate { .. }
            | Action::CreateAccount { .. }
            | Action::CloseAccount { .. } => self.account(action)?,
            Action::RequestProvide { .. }
            | Action::Provide { .. }
            | Action::CancelProvide { .. }
            | Action::RequestRedeem { .. }
            | Action::Redeem { .. }
            | Action::CancelRedeem { .. } => self.liquidity(action)?,
            Action::Liquidate { by, .. }
            | Action::LiquidateDeposit { by, .. }
            | Action::LiquidateHedge { by, .. }
            | Action::LiquidateBorrow { by, .. }
            | Action::SetClock { by, .. }
            | Action::TakeOver { by, .. } => signed(self.failure(action)?, *by),
            Action::Donate { who, asset, units } => {
                signed(self.donation(*who, *asset, *units)?, *who)
            }
            Action::Deleverage { whom, market, size } => {
                (arena.deleverage(*whom, *market, *size), None)
            }
            Action::TakeStrays { market } => (arena.take_strays(*market), None),
            Action::Resolve { whom, market, bank } => (arena.resolve(*whom, *market, *bank), None),
            Action::Conserve => (arena.conserve(), None),
            Action::Relay { mask, strict } => {
                let assets: Vec<u8> = (0..ASSETS as u8)
                    .filter(|asset| mask >> asset & 1 == 1)
                    .collect();
                (arena.relay(&assets, *strict), None)
            }
            Action::Hostile { who, whom, attack } => {
                signed(self.attack(*who, *whom, *attack)?, *who)
            }
            other => bail!("{other:?} is signed by nobody"),
        })
    }

    /// Closes, exits and settlements.
    fn trade(&self, action: &Action) -> Result<(Instruction, Option<Keypair>)> {
        let arena = &self.arena;
        let signed =
            |instruction, who: usize| (instruction, Some(arena.accounts[who].key.insecure_clone()));
        Ok(match action {
            Action::Exit {
                who,
                market,
                percent,
            } => {
                let size = i128::from(self.size(*who, *market));
                let part = size * i128::from(*percent) / 100;
                signed(arena.exit(*who, *market, -(part as i64)), *who)
            }
            Action::Settle {
                winner,
                loser,
                market,
                amount,
            } => (arena.settle(*winner, *loser, *market, *amount), None),
            Action::Close {
                by,
                who,
                market,
                percent,
            } => {
                let size = i128::from(self.size(*who, *market));
                let part = size * i128::from(*percent) / 100;
                signed(arena.close((*by, *who), *market, -(part as i64)), *by)
            }
            other => bail!("{other:?} is signed by nobody"),
        })
    }

    /// What owners do to their accounts.
    fn account(&self, action: &Action) -> Result<(Instruction, Option<Keypair>)> {
        let arena = &self.arena;
        let signed =
            |instruction, who: usize| (instruction, Some(arena.accounts[who].key.insecure_clone()));
        Ok(match action {
            Action::SetName { who, name } => {
                let margin = arena.accounts[*who].margin;
                let owner = arena.accounts[*who].owner();
                signed(instruction::set_name(owner, margin, [*name; 32]), *who)
            }
            Action::SetDelegate { who, .. } => signed(self.grant(action)?, *who),
            Action::ClearDelegate { who } => {
                let account = &arena.accounts[*who];
                let clear = instruction::clear_delegate(account.owner(), account.margin);
                signed(clear, *who)
            }
            Action::CreateAccount { who } => signed(arena.open_spare(*who), *who),
            Action::CloseAccount { who } => signed(arena.close_account(*who), *who),
            other => bail!("{other:?} is signed by nobody"),
        })
    }

    /// Loans, transfers, tickets, accruals and insurance.
    fn money(&self, action: &Action) -> Result<(Instruction, Option<Keypair>)> {
        let arena = &self.arena;
        let signed =
            |instruction, who: usize| (instruction, Some(arena.accounts[who].key.insecure_clone()));
        Ok(match action {
            Action::Borrow { who, asset, units } => {
                signed(arena.borrow(*who, *asset, *units), *who)
            }
            Action::Transfer {
                from,
                to,
                asset,
                units,
                borrows,
            } => {
                let transfer = arena.transfer((*from, *to), *asset, *units, *borrows);
                signed(transfer, *from)
            }
            Action::TakeTicket { who, asset, units } => {
                signed(arena.take_ticket(*who, *asset, *units), *who)
            }
            Action::Accrue { banks, markets } => (arena.accrue(*banks, *markets), None),
            Action::InsureBank { who, asset, units } => {
                signed(arena.insure_bank(*who, *asset, *units), *who)
            }
            Action::InsureMarket { who, market, atoms } => {
                signed(arena.insure_market(*who, *market, *atoms), *who)
            }
            other => bail!("{other:?} is signed by nobody"),
        })
    }

    /// What providers do, and what anyone does for them.
    fn liquidity(&self, action: &Action) -> Result<(Instruction, Option<Keypair>)> {
        let arena = &self.arena;
        let signed =
            |instruction, by: usize| (instruction, Some(arena.providers[by].insecure_clone()));
        Ok(match action {
            Action::RequestProvide { who, usdc, least } => {
                let atoms = usdc.saturating_mul(1_000_000);
                signed(arena.request_provide(*who, atoms, *least), *who)
            }
            Action::Provide { who } => (arena.provide(*who), None),
            Action::CancelProvide { by, who } => signed(arena.cancel_provide(*by, *who), *by),
            Action::RequestRedeem { who, ppm, least } => {
                let shares = crate::tokens::classic(self.places.lp_mint);
                let wallet = shares.account_of(&arena.providers[*who].pubkey());
                let held = arena
                    .vm
                    .account(&wallet)
                    .map_or(0, |account| amount(&account));
                let part = u128::from(held) * u128::from(*ppm) / 1_000_000;
                let part = u64::try_from(part).unwrap_or(u64::MAX);
                signed(arena.request_redeem(*who, part, *least), *who)
            }
            Action::Redeem { who } => (arena.redeem(*who), None),
            Action::CancelRedeem { by, who } => signed(arena.cancel_redeem(*by, *who), *by),
            other => bail!("{other:?} is no provider's"),
        })
    }

    /// What is done to an account below Maintenance.
    fn failure(&self, action: &Action) -> Result<Instruction> {
        let arena = &self.arena;
        let (parties, leg, size) = match action {
            Action::Liquidate {
                by,
                whom,
                market,
                size,
            } => ((*by, *whom), TakenLeg::Position { market: *market }, *size),
            Action::LiquidateHedge {
                by,
                whom,
                markets,
                size,
            } => ((*by, *whom), TakenLeg::Hedge { markets: *markets }, *size),
            Action::LiquidateDeposit {
                by,
                whom,
                market,
                bank,
                size,
            } => {
                let (market, mint) = (*market, arena.mint(*bank));
                ((*by, *whom), TakenLeg::Deposit { market, mint }, *size)
            }
            Action::LiquidateBorrow {
                by,
                whom,
                deposit,
                borrow,
                size,
            } => {
                let (deposit, borrow) = (arena.mint(*deposit), arena.mint(*borrow));
                ((*by, *whom), TakenLeg::Borrow { deposit, borrow }, *size)
            }
            Action::SetClock {
                by,
                whom,
                banks,
                markets,
            } => return Ok(arena.set_clock((*by, *whom), *banks, *markets)),
            Action::TakeOver {
                by,
                whom,
                share_ppm,
                banks,
                markets,
            } => return Ok(arena.take_over((*by, *whom), *share_ppm, *banks, *markets)),
            other => bail!("{other:?} is done to nobody"),
        };
        Ok(arena.liquidate(parties, leg, size))
    }

    fn grant(&self, action: &Action) -> Result<Instruction> {
        let Action::SetDelegate {
            who,
            to,
            budget,
            max_loss,
            markets,
            hours,
        } = action
        else {
            bail!("{action:?} grants nothing");
        };
        let account = &self.arena.accounts[*who];
        let args = DelegateArgs {
            delegate: self.arena.accounts[*to].owner(),
            budget: *budget,
            max_loss: *max_loss,
            markets: [*markets, 0],
            expiry: self.arena.vm.now() + 3_600 * hours,
        };
        let keys = &self.arena.keys;
        Ok(instruction::set_delegate(
            keys,
            account.owner(),
            account.margin,
            args,
        ))
    }

    /// Whether the owner of `by` may trade for `who`, by the account's bytes.
    pub(super) fn may_sign(&self, by: usize, who: usize) -> bool {
        let signer = self.arena.accounts[by].owner().to_bytes();
        let data = self.state.margin(row_of(who));
        data.len() > 112 && (data[48..80] == signer || data[80..112] == signer)
    }

    /// Lots that an account holds in a market.
    pub(super) fn size(&self, who: usize, market: u8) -> i64 {
        let books = &self.state.books;
        let held = books.accounts[row_of(who)].position(market);
        held.map_or(0, |held| books.markets[usize::from(market)].kept(held))
    }

    fn donation(&self, who: usize, asset: u8, units: u64) -> Result<Instruction> {
        let token = self.arena.tokens[usize::from(asset)];
        let owner = self.arena.accounts[who].owner();
        Ok(spl_token::instruction::transfer(
            &token.program,
            &token.account_of(&owner),
            &address::vault(&self.arena.bank(asset)),
            &owner,
            &[],
            units,
        )?)
    }

    /// I10: the program's report and the client's are the same bytes, of the accounts that an action
    /// is about.
    fn check_same_bits(&mut self, action: &Action) -> Result<()> {
        for row in check::parties(action).into_iter().take(2) {
            if self.state.margin(row).is_empty() {
                continue;
            }
            let margin = self.places.margins[row];
            let on_chain = self.arena.report(margin)?;
            let off_chain = self.state.report(row)?;
            ensure!(
                bytemuck::bytes_of(&on_chain) == bytemuck::bytes_of(&off_chain),
                "I10: the program says {on_chain:?}, the client {off_chain:?}"
            );
        }
        Ok(())
    }
}

fn places(arena: &Arena) -> Places {
    let mints: Vec<Pubkey> = arena.tokens.iter().map(|token| token.mint).collect();
    let mut margins: Vec<Pubkey> = arena.accounts.iter().map(|trader| trader.margin).collect();
    margins.push(arena.operator_margin());
    let keys = (arena.keys.group, arena.keys.risk_book);
    let mut places = Places::new(keys, &mints, arena.pool, &margins);
    let shares = crate::tokens::classic(places.lp_mint);
    let mut owners: Vec<Pubkey> = arena.accounts.iter().map(|trader| trader.owner()).collect();
    owners.extend(arena.providers.iter().map(|key| key.pubkey()));
    owners.push(arena.admin.pubkey());
    owners.sort();
    owners.dedup();
    for owner in owners {
        for (number, token) in arena.tokens.iter().chain([&shares]).enumerate() {
            places.wallets.push((number, token.account_of(&owner)));
        }
    }
    for provider in 0..PROVIDERS {
        let [quote, shares] = arena.escrows(provider);
        places.wallets.push((0, quote));
        places.escrows.push(shares);
    }
    places
}

fn shift(arena: &mut Arena, mask: u8, ppm: i64) {
    for asset in (0..ASSETS as u8).filter(|asset| mask >> asset & 1 == 1) {
        let first = first_price(asset);
        let price = &mut arena.prices[usize::from(asset)];
        *price = (*price * (1.0 + ppm as f64 / 1e6)).clamp(first / FARTHEST, first * FARTHEST);
    }
}

/// Whether nothing of a refused action may have happened.
fn is_one_transaction(action: &Action) -> bool {
    !matches!(action, Action::Jump { .. } | Action::Wait { .. })
}

/// The name of the program's error, else what the runtime says.
fn cause(failure: &Failure) -> String {
    let named = failure.logs.iter().find_map(|line| {
        let rest = line.split("Error Code: ").nth(1)?;
        rest.split('.').next().map(str::to_owned)
    });
    named.unwrap_or_else(|| failure.error.clone())
}
