//! The scene: a group, its liquidity, the traders, their twins and the keeper.

use anyhow::Context;
use keel_sdk::{Pubkey, address, instruction};
use keel_state::LISTING_PERIOD_S;
use keel_tests::{Asset, Trader as Account, World};

use crate::cast::{LIQUIDATOR, PROVIDERS, TRADERS, Token, Trader};
use crate::path::Tick;
use crate::simulation::market::{asset, lots, native, publish, token_asset};

/// A margin account and the positions that it opens, USD.
#[derive(Debug)]
pub struct Seat {
    pub account: Account,
    plan: Vec<(Asset, f64)>,
}

/// A trader's one account, and the accounts of the isolated twin.
#[derive(Debug)]
pub struct Pair {
    pub trader: &'static Trader,
    pub cross: Seat,
    pub twin: Vec<Seat>,
}

#[derive(Debug)]
pub struct Stage {
    pub world: World,
    pub pairs: Vec<Pair>,
    pub keeper: Account,
    pub pool_margin: Pubkey,
    opening: Tick,
}

impl Stage {
    /// A group listed long enough ago for its collateral to count, priced by the opening tick, with
    /// everybody's money in and nothing traded yet. Its pool lets providers in without a cooldown
    /// (`cooldown_in_s` 0, within its bounds): nobody trades before they are in.
    pub fn set(opening: &Tick) -> anyhow::Result<Self> {
        let mut world = World::unpriced_at(opening.time - LISTING_PERIOD_S, |_| {})?;
        publish(&mut world, opening, None).context("the opening prices")?;
        for (name, usd) in PROVIDERS {
            world
                .provide(usd as u64)
                .with_context(|| format!("liquidity of {name}"))?;
        }
        let mut pairs = Vec::with_capacity(TRADERS.len());
        for trader in &TRADERS {
            let pair = seat_pair(&mut world, trader, opening);
            pairs.push(pair.with_context(|| format!("deposits of {}", trader.name))?);
        }
        let keeper = world
            .trader_with(LIQUIDATOR.1 as u64)
            .context("the keeper's deposit")?;
        Ok(Self {
            pool_margin: address::pool_margin(&world.keys.group, &world.pool),
            world,
            pairs,
            keeper,
            opening: opening.clone(),
        })
    }

    /// Opens everybody's positions against the pool, one order for each account.
    pub fn open_all(&mut self) -> anyhow::Result<()> {
        for pair in &self.pairs {
            for seat in std::iter::once(&pair.cross).chain(&pair.twin) {
                open(&mut self.world, seat, &self.opening).with_context(|| {
                    format!(
                        "{}'s positions, sub-account {}",
                        pair.trader.name, seat.account.sub_id
                    )
                })?;
            }
        }
        Ok(())
    }

    /// All accounts of traders and twins.
    pub fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.pairs
            .iter()
            .flat_map(|pair| std::iter::once(&pair.cross).chain(&pair.twin))
    }

    /// Every margin account of the group.
    pub fn margins(&self) -> Vec<Pubkey> {
        let others = [self.keeper.margin, self.pool_margin];
        self.seats()
            .map(|seat| seat.account.margin)
            .chain(others)
            .chain(self.world.operator_margin())
            .collect()
    }
}

fn seat_pair(world: &mut World, trader: &'static Trader, opening: &Tick) -> anyhow::Result<Pair> {
    let account = world.trader()?;
    for (token, usd) in trader.collateral {
        let asset = token_asset(*token);
        world.deposit(&account, asset, native(*usd, asset, opening))?;
    }

    let mut twin = Vec::new();
    for part in trader.isolated_split() {
        let sub = world.sub_account(&account.key, part.sub_id)?;
        let usdc = token_asset(Token::Usdc);
        world.deposit(&sub, usdc, native(part.collateral_usd, usdc, opening))?;
        twin.push(Seat {
            account: sub,
            plan: vec![(asset(part.symbol), part.notional_usd)],
        });
    }

    let plan = trader
        .positions
        .iter()
        .map(|(symbol, usd)| (asset(*symbol), *usd));
    Ok(Pair {
        trader,
        cross: Seat {
            account,
            plan: plan.collect(),
        },
        twin,
    })
}

fn open(world: &mut World, seat: &Seat, opening: &Tick) -> anyhow::Result<()> {
    let assets: Vec<Asset> = seat.plan.iter().map(|(asset, _)| *asset).collect();
    let sizes: Vec<i64> = seat
        .plan
        .iter()
        .map(|(asset, usd)| lots(*usd, *asset, opening))
        .collect();
    let keys = world.trade_keys(&seat.account, &assets);
    let order = instruction::open_position(&world.keys, &keys, world.order(&sizes));
    world
        .vm
        .measure("open_position", order, &[&seat.account.key])?;
    Ok(())
}
