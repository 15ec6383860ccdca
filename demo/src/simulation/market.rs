//! Ticks into price accounts, and lots and native units out of dollars.

use keel_risk::{CONFIRMED_AFTER_S, SILENCE_S};
use keel_state::RiskBook;
use keel_tests::{Asset, PriceUpdate, World};

use crate::cast::Token;
use crate::path::{EXPONENT, Quote, Symbol, Tick};

pub const fn asset(symbol: Symbol) -> Asset {
    match symbol {
        Symbol::Sol => Asset::Sol,
        Symbol::Btc => Asset::Btc,
        Symbol::Eth => Asset::Eth,
    }
}

pub const fn token_asset(token: Token) -> Asset {
    match token {
        Token::Usdc => Asset::Usdc,
        Token::Of(symbol) => asset(symbol),
    }
}

pub const fn symbol(asset: Asset) -> Option<Symbol> {
    match asset {
        Asset::Usdc => None,
        Asset::Sol => Some(Symbol::Sol),
        Asset::Btc => Some(Symbol::Btc),
        Asset::Eth => Some(Symbol::Eth),
    }
}

/// What the tick publishes for the asset.
pub fn quote(tick: &Tick, asset: Asset) -> &Quote {
    match symbol(asset) {
        None => &tick.usdc,
        Some(symbol) => tick.quote(symbol),
    }
}

/// Native units of a token worth `usd`.
pub fn native(usd: f64, asset: Asset, tick: &Tick) -> u64 {
    (usd / quote(tick, asset).usd() * 10f64.powi(i32::from(asset.decimals()))).round() as u64
}

/// Lots of a perpetual worth `usd`.
pub fn lots(usd: f64, asset: Asset, tick: &Tick) -> i64 {
    (usd / quote(tick, asset).usd() * 10f64.powi(i32::from(asset.lot_decimals()))).round() as i64
}

/// Lots of one whole asset.
pub fn lots_of_one(asset: Asset) -> f64 {
    10f64.powi(i32::from(asset.lot_decimals()))
}

/// So many lots in the asset.
pub fn size_of(lots: i64, asset: Asset) -> f64 {
    lots as f64 / lots_of_one(asset)
}

/// Slots in the two seconds after which a jump is confirmed.
const CONFIRMING_SLOTS: u64 = 5;

/// Moves the clock to the tick, writes its four price accounts and relays them. Where a price jumps
/// the program waits for a second print, which the publishers' next ones are: the keeper relays it
/// two seconds later, unless the next tick comes as soon. So it does after a silence, from which nobody
/// is liquidated on one print.
pub fn publish(world: &mut World, tick: &Tick, next: Option<&Tick>) -> anyhow::Result<()> {
    let silent = tick.time - world.vm.now() > SILENCE_S;
    print(world, tick, 0)?;
    let waits = |book: &RiskBook| book.assets.iter().any(|asset| asset.pending().is_some());
    let later = tick.time + CONFIRMED_AFTER_S;
    let in_time = next.is_none_or(|next| later < next.time);
    if in_time && (silent || world.with_book(waits) == Some(true)) {
        print(world, tick, CONFIRMED_AFTER_S)?;
    }
    Ok(())
}

/// The tick's prices, published and relayed `after_s` later.
fn print(world: &mut World, tick: &Tick, after_s: i64) -> anyhow::Result<()> {
    let slots = if after_s == 0 { 0 } else { CONFIRMING_SLOTS };
    world.vm.set_time(tick.time + after_s, tick.slot + slots);
    for asset in Asset::ALL {
        let quote = quote(tick, asset);
        let update = PriceUpdate {
            exponent: EXPONENT,
            prev_publish_time: quote.prev_publish_time,
            ema_price: quote.ema_price,
            ema_conf: quote.ema_conf,
            posted_slot: tick.slot.saturating_sub(1),
            ..PriceUpdate::of(
                world.feed(asset),
                quote.price,
                quote.conf,
                quote.publish_time + after_s,
            )
        };
        world.post(asset, &update);
    }
    world.relay(&Asset::ALL)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::crash;

    #[test]
    fn dollars_become_lots_and_native_units_at_the_tick() {
        let opening = &crash::path(1, 60).ticks[0];

        assert_eq!(native(100.0, Asset::Usdc, opening), 100_000_000);
        assert_eq!(native(121_500.0, Asset::Btc, opening), 100_000_000);
        assert_eq!(lots(-121_500.0, Asset::Btc, opening), -100_000);
        assert_eq!(lots(4_360.0, Asset::Eth, opening), 10_000);
    }
}
