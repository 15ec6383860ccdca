//! The scene: a group, its liquidity, the traders, their twins and the keeper.

use anyhow::Context;
use keel_sdk::{Pubkey, address, instruction};
use keel_state::LISTING_PERIOD_S;
use keel_tests::{Asset, Keypair, Sent, Signer, Trader as Account, World};

use crate::cast::{
    BIDDER, Care, LIQUIDATOR, MEMBERS, Member, PROVIDERS, REDEEMED, TRADERS, Token, Trader,
};
use crate::path::Tick;
use crate::simulation::liquidity::Income;
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

/// One of the house's members.
#[derive(Debug)]
pub struct MemberSeat {
    pub member: &'static Member,
    pub seat: Seat,
}

/// A provider of liquidity.
#[derive(Debug)]
pub struct Provider {
    pub name: &'static str,
    key: Keypair,
}

impl Provider {
    pub fn owner(&self) -> Pubkey {
        self.key.pubkey()
    }
}

/// Live seconds that leaving the pool takes: an hour, so that the run sees the end of it.
const COOLDOWN_OUT_S: u32 = 3_600;

/// What the operator gives to each market's insurance and to the group's at the opening, atoms: a young
/// house's. Fifty times the first is all that a side may hold, and a quarter of it a day's losses.
const MARKET_INSURANCE: u64 = 40_000_000_000;
const GROUP_INSURANCE: u64 = 4_000_000_000;

#[derive(Debug)]
pub struct Stage {
    pub world: World,
    pub pairs: Vec<Pair>,
    pub members: Vec<MemberSeat>,
    pub providers: Vec<Provider>,
    pub keeper: Account,
    pub bidder: Account,
    pub pool_margin: Pubkey,
    /// What fills left with the pool so far.
    pub income: Income,
    opening: Tick,
}

impl Stage {
    /// A group listed long enough ago for its collateral to count, priced by the opening tick, with
    /// everybody's money in and nothing traded yet. Its pool lets providers in without a cooldown
    /// (`cooldown_in_s` 0, within its bounds): nobody trades before they are in. It is younger than the
    /// standard group: less insurance, a shorter way out of the pool.
    pub fn set(opening: &Tick) -> anyhow::Result<Self> {
        let mut world = World::unpriced_at(opening.time - LISTING_PERIOD_S, |config| {
            config.pool.cooldown_out_s = COOLDOWN_OUT_S;
            config.tokens[0].insurance = GROUP_INSURANCE;
            for market in &mut config.markets {
                market.insurance = MARKET_INSURANCE;
            }
        })?;
        publish(&mut world, opening, None).context("the opening prices")?;
        world.accrue_all().context("the first accrual")?;
        let mut providers = Vec::with_capacity(PROVIDERS.len());
        for (name, usd) in PROVIDERS {
            let provided = world.provide(usd as u64);
            let (key, _) = provided.with_context(|| format!("liquidity of {name}"))?;
            providers.push(Provider { name, key });
        }
        let mut pairs = Vec::with_capacity(TRADERS.len());
        for trader in &TRADERS {
            let pair = seat_pair(&mut world, trader, opening);
            pairs.push(pair.with_context(|| format!("deposits of {}", trader.name))?);
        }
        let mut members = Vec::with_capacity(MEMBERS.len());
        for member in &MEMBERS {
            let seat = seat_member(&mut world, member, opening);
            let seat = seat.with_context(|| format!("deposits of {}", member.trader.name))?;
            members.push(MemberSeat { member, seat });
        }
        let keeper = world
            .trader_with(LIQUIDATOR.1 as u64)
            .context("the keeper's deposit")?;
        let bidder = world
            .trader_with(BIDDER.1 as u64)
            .context("the bidder's deposit")?;
        Ok(Self {
            pool_margin: address::pool_margin(&world.keys.group, &world.pool),
            world,
            pairs,
            members,
            providers,
            keeper,
            bidder,
            income: Income::default(),
            opening: opening.clone(),
        })
    }

    /// Opens everybody's positions against the pool, one order for each account; the last provider
    /// asks part of his shares back.
    pub fn open_all(&mut self) -> anyhow::Result<()> {
        let pairs = self.pairs.iter().flat_map(|pair| {
            let seats = std::iter::once(&pair.cross).chain(&pair.twin);
            seats.map(|seat| (pair.trader.name, seat))
        });
        let members = self.members.iter();
        let members = members.map(|member| (member.member.trader.name, &member.seat));
        for (name, seat) in pairs.chain(members) {
            if seat.plan.is_empty() {
                continue;
            }
            let sent = open(&mut self.world, seat, &self.opening).with_context(|| {
                format!("{name}'s positions, sub-account {}", seat.account.sub_id)
            })?;
            self.income.add(&sent.logs);
        }
        self.ask_back()
    }

    fn ask_back(&mut self) -> anyhow::Result<()> {
        let Some(provider) = self.providers.last() else {
            return Ok(());
        };
        let held = self.world.lp_shares(provider.owner());
        let asked = (held as f64 * REDEEMED) as u64;
        self.world
            .request_redeem(&provider.key, asked, 0)
            .with_context(|| format!("{}'s request", provider.name))?;
        Ok(())
    }

    /// Who looks after an account.
    pub fn care_of(&self, margin: &Pubkey) -> Care {
        let mut members = self.members.iter();
        members
            .find(|member| member.seat.account.margin == *margin)
            .map_or(Care::Keeper, |member| member.member.care)
    }

    /// All accounts of traders, twins and members.
    pub fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.pairs
            .iter()
            .flat_map(|pair| std::iter::once(&pair.cross).chain(&pair.twin))
            .chain(self.members.iter().map(|member| &member.seat))
    }

    /// Every margin account of the group.
    pub fn margins(&self) -> Vec<Pubkey> {
        let others = [self.keeper.margin, self.bidder.margin, self.pool_margin];
        self.seats()
            .map(|seat| seat.account.margin)
            .chain(others)
            .chain(self.world.operator_margin())
            .collect()
    }
}

fn seat_member(world: &mut World, member: &Member, opening: &Tick) -> anyhow::Result<Seat> {
    let seat = seat_trader(world, &member.trader, opening)?;
    for (symbol, usd) in member.borrows {
        let asset = asset(*symbol);
        world.borrow(&seat.account, asset, native(*usd, asset, opening))?;
    }
    Ok(seat)
}

/// The trader's account with his collateral in it.
fn seat_trader(world: &mut World, trader: &Trader, opening: &Tick) -> anyhow::Result<Seat> {
    let account = world.trader()?;
    for (token, usd) in trader.collateral {
        let asset = token_asset(*token);
        world.deposit(&account, asset, native(*usd, asset, opening))?;
    }
    let positions = trader.positions.iter();
    let plan = positions.map(|(symbol, usd)| (asset(*symbol), *usd));
    Ok(Seat {
        account,
        plan: plan.collect(),
    })
}

fn seat_pair(world: &mut World, trader: &'static Trader, opening: &Tick) -> anyhow::Result<Pair> {
    let cross = seat_trader(world, trader, opening)?;
    let mut twin = Vec::new();
    for part in trader.isolated_split() {
        let sub = world.sub_account(&cross.account.key, part.sub_id)?;
        let usdc = token_asset(Token::Usdc);
        world.deposit(&sub, usdc, native(part.collateral_usd, usdc, opening))?;
        twin.push(Seat {
            account: sub,
            plan: vec![(asset(part.symbol), part.notional_usd)],
        });
    }

    Ok(Pair {
        trader,
        cross,
        twin,
    })
}

fn open(world: &mut World, seat: &Seat, opening: &Tick) -> anyhow::Result<Sent> {
    let assets: Vec<Asset> = seat.plan.iter().map(|(asset, _)| *asset).collect();
    let sizes: Vec<i64> = seat
        .plan
        .iter()
        .map(|(asset, usd)| lots(*usd, *asset, opening))
        .collect();
    let keys = world.trade_keys(&seat.account, &assets);
    let order = instruction::open_position(&world.keys, &keys, world.order(&sizes));
    let key = &seat.account.key;
    Ok(world.vm.measure("open_position", order, &[key])?)
}
