//! Who trades: five traders as data, how an isolated twin is made of each, the house's members, and
//! who else is there.
//!
//! **The isolated twin** has the trader's wealth and the trader's exposures, and nothing helps
//! anything else. Each exposure stands alone in an account of its own (same owner, sub-accounts
//! 1, 2, ...). A venue with isolated margin takes the quote alone, so the twin turns all
//! collateral into USDC at the opening prices; what was an exposure to a pledged token becomes a
//! long position of the same value (added to a long in that asset if there is one); the USDC is
//! split over the accounts in proportion to notional. Until something is liquidated both make the same profit, fees apart, so what they
//! end with differs by what margining did.

use crate::path::Symbol;

/// A token that can be pledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Usdc,
    Of(Symbol),
}

impl Token {
    pub const fn name(self) -> &'static str {
        match self {
            Token::Usdc => "USDC",
            Token::Of(symbol) => symbol.name(),
        }
    }
}

/// A trader. Money is USD at the opening prices.
#[derive(Clone, Copy, Debug)]
pub struct Trader {
    pub name: &'static str,
    pub kind: &'static str,
    pub story: &'static str,
    pub collateral: &'static [(Token, f64)],
    /// Perpetuals by asset; + is long.
    pub positions: &'static [(Symbol, f64)],
}

/// One account of a twin: one position and the USDC that backs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IsolatedAccount {
    pub sub_id: u16,
    pub symbol: Symbol,
    pub notional_usd: f64,
    pub collateral_usd: f64,
}

const USDC: Token = Token::Usdc;
const SOL: Token = Token::Of(Symbol::Sol);
const ETH: Token = Token::Of(Symbol::Eth);

/// The five, each of another kind.
pub const TRADERS: [Trader; 5] = [
    Trader {
        name: "Lena",
        kind: "long-only",
        story: "Holds USDC and is long BTC, ETH and SOL at one and a half times her money.",
        collateral: &[(USDC, 100_000.0)],
        positions: &[
            (Symbol::Btc, 80_000.0),
            (Symbol::Eth, 40_000.0),
            (Symbol::Sol, 30_000.0),
        ],
    },
    Trader {
        name: "Bruno",
        kind: "basis",
        story: "Pledges SOL and is short the same value of SOL perpetuals: he earns the basis and \
                the price is nothing to him.",
        collateral: &[(SOL, 200_000.0)],
        positions: &[(Symbol::Sol, -200_000.0)],
    },
    Trader {
        name: "Mira",
        kind: "market-neutral",
        story: "Long BTC against ETH and SOL, six times her money in gross and nothing in net.",
        collateral: &[(USDC, 100_000.0)],
        positions: &[
            (Symbol::Btc, 300_000.0),
            (Symbol::Eth, -150_000.0),
            (Symbol::Sol, -150_000.0),
        ],
    },
    Trader {
        name: "Theo",
        kind: "levered long",
        story: "Pledges USDC, SOL and ETH and is long all three assets with nearly four times his money on top.",
        collateral: &[(USDC, 50_000.0), (SOL, 30_000.0), (ETH, 20_000.0)],
        positions: &[
            (Symbol::Btc, 160_000.0),
            (Symbol::Eth, 120_000.0),
            (Symbol::Sol, 100_000.0),
        ],
    },
    Trader {
        name: "Ines",
        kind: "hedged treasury",
        story: "A treasury of SOL and ETH that is not for sale: pledged, hedged with shorts, and \
                used to hold BTC instead.",
        collateral: &[(SOL, 120_000.0), (ETH, 80_000.0)],
        positions: &[
            (Symbol::Sol, -120_000.0),
            (Symbol::Eth, -80_000.0),
            (Symbol::Btc, 250_000.0),
        ],
    },
];

/// Who looks after an account that falls below Maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// The keeper, at once.
    Keeper,
    /// A bidder takes over a share of everything once the discount is worth it.
    Bidder,
    /// Nobody, until he owes so many dollars more than he has.
    Late(u32),
    /// Nobody at all: the backstop, once the auction has run unbid for long enough.
    Backstop,
}

/// Somebody who shows a part of the house and has no twin.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub trader: Trader,
    /// Withdrawn beyond what was deposited, at the opening.
    pub borrows: &'static [(Symbol, f64)],
    pub care: Care,
}

pub const MEMBERS: [Member; 6] = [
    Member {
        trader: Trader {
            name: "Otto",
            kind: "borrower",
            story: "Borrows SOL and ETH against USDC and takes them elsewhere: he pays interest, and gains \
                    where they fall.",
            collateral: &[(USDC, 200_000.0)],
            positions: &[],
        },
        borrows: &[(Symbol::Sol, 60_000.0), (Symbol::Eth, 30_000.0)],
        care: Care::Keeper,
    },
    Member {
        trader: Trader {
            name: "Vera",
            kind: "hedged fund",
            story: "Long SOL and ETH against BTC at many times her money. One leg alone would leave the \
                    others unhedged, so a bidder takes a share of all.",
            collateral: &[(USDC, 100_000.0)],
            positions: &[
                (Symbol::Sol, 450_000.0),
                (Symbol::Eth, 450_000.0),
                (Symbol::Btc, -900_000.0),
            ],
        },
        borrows: &[],
        care: Care::Bidder,
    },
    Member {
        trader: Trader {
            name: "Gus",
            kind: "over-levered",
            story: "Long SOL with all that he may, and no keeper looks at him before he owes a tenth more \
                    than he had: insurance alone does not pay that.",
            collateral: &[(USDC, 120_000.0)],
            positions: &[(Symbol::Sol, 600_000.0)],
        },
        borrows: &[],
        care: Care::Late(12_000),
    },
    Member {
        trader: Trader {
            name: "Hugo",
            kind: "pairs trader",
            story: "Long ETH against BTC at nearly ten times his money. Without the one leg the other would weigh more, \
                    so a keeper takes both at once.",
            collateral: &[(USDC, 42_000.0)],
            positions: &[(Symbol::Eth, 400_000.0), (Symbol::Btc, -400_000.0)],
        },
        borrows: &[],
        care: Care::Keeper,
    },
    Member {
        trader: Trader {
            name: "Sven",
            kind: "short hedger",
            story: "Has ETH elsewhere and is short here for all of it, so that the pool is long: it has no room for \
                    an ETH long that nobody bids for, which is closed against him and the other shorts.",
            collateral: &[(USDC, 300_000.0)],
            positions: &[(Symbol::Eth, -900_000.0)],
        },
        borrows: &[],
        care: Care::Keeper,
    },
    Member {
        trader: Trader {
            name: "Nils",
            kind: "unbid",
            story: "Long ETH, and nobody bids for what he holds: after ten minutes of auction the pool takes what it \
                    may, and the other side of the market the rest.",
            collateral: &[(USDC, 60_000.0)],
            positions: &[(Symbol::Eth, 350_000.0)],
        },
        borrows: &[],
        care: Care::Backstop,
    },
];

/// Who bids for shares of accounts: name and USDC.
pub const BIDDER: (&str, f64) = ("Bidder", 2_000_000.0);

/// Of the second provider's shares, the part that he asks back at the opening.
pub const REDEEMED: f64 = 0.25;

/// Who provides the pool's liquidity: name and USDC.
pub const PROVIDERS: [(&str, f64); 2] = [("Provider A", 4_000_000.0), ("Provider B", 2_000_000.0)];

/// Who liquidates: name and USDC.
pub const LIQUIDATOR: (&str, f64) = ("Keeper", 2_000_000.0);

impl Trader {
    /// Value of everything pledged.
    pub fn wealth_usd(&self) -> f64 {
        self.collateral.iter().map(|(_, usd)| usd).sum()
    }

    pub fn twin_name(&self) -> String {
        format!("{} (isolated)", self.name)
    }

    /// Pledged tokens that move, as longs, and the positions; longs in one asset are one exposure,
    /// and so are shorts.
    pub fn exposures(&self) -> Vec<(Symbol, f64)> {
        let pledged = self
            .collateral
            .iter()
            .filter_map(|(token, usd)| match token {
                Token::Usdc => None,
                Token::Of(symbol) => Some((*symbol, *usd)),
            });
        let mut merged: Vec<(Symbol, f64)> = Vec::new();
        for (symbol, usd) in pledged.chain(self.positions.iter().copied()) {
            match merged
                .iter_mut()
                .find(|(s, sum)| *s == symbol && (*sum < 0.0) == (usd < 0.0))
            {
                Some((_, sum)) => *sum += usd,
                None => merged.push((symbol, usd)),
            }
        }
        merged
    }

    /// The accounts of the isolated twin.
    pub fn isolated_split(&self) -> Vec<IsolatedAccount> {
        let exposures = self.exposures();
        let gross: f64 = exposures.iter().map(|(_, usd)| usd.abs()).sum();
        let each = |(sub_id, (symbol, notional_usd)): (u16, (Symbol, f64))| IsolatedAccount {
            sub_id,
            symbol,
            notional_usd,
            collateral_usd: self.wealth_usd() * notional_usd.abs() / gross,
        };
        (1..).zip(exposures).map(each).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_has_the_same_wealth_and_the_same_exposures() {
        for trader in &TRADERS {
            let split = trader.isolated_split();
            let wealth: f64 = split.iter().map(|a| a.collateral_usd).sum();
            assert!((wealth - trader.wealth_usd()).abs() < 1e-6);

            for symbol in Symbol::ALL {
                let twin: f64 = split
                    .iter()
                    .filter(|a| a.symbol == symbol)
                    .map(|a| a.notional_usd)
                    .sum();
                let cross: f64 = trader
                    .exposures()
                    .iter()
                    .filter(|(s, _)| *s == symbol)
                    .map(|(_, usd)| usd)
                    .sum();
                assert!((twin - cross).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn an_isolated_account_is_levered_like_the_whole() {
        let mira = &TRADERS[2];
        for account in mira.isolated_split() {
            assert!((account.notional_usd.abs() / account.collateral_usd - 6.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_pledged_token_and_a_long_in_it_are_one_exposure() {
        let theo = &TRADERS[3];
        let bruno = &TRADERS[1];

        assert!(theo.exposures().contains(&(Symbol::Sol, 130_000.0)));
        assert_eq!(theo.isolated_split().len(), 3);
        assert_eq!(
            bruno.exposures(),
            [(Symbol::Sol, 200_000.0), (Symbol::Sol, -200_000.0)]
        );
    }

    #[test]
    fn names_and_kinds_are_told_apart() {
        let members = MEMBERS.iter().map(|member| &member.trader);
        let all: Vec<&Trader> = TRADERS.iter().chain(members).collect();
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(a.name, b.name);
                assert_ne!(a.kind, b.kind);
            }
        }
    }

    /// Maintenance by hand with the ranges of the listing (SOL 10%, BTC 7%, ETH 8%) at the day's
    /// low: who would be under it alone, who would be as one book at its gross worst.
    #[test]
    fn the_sizes_tell_the_story_at_the_low() {
        let fall = [
            1.0 - 169.0 / 221.0,
            1.0 - 102_000.0 / 121_500.0,
            1.0 - 3_440.0 / 4_360.0,
        ];
        let range = [0.10, 0.07, 0.08];
        let alone = |a: &IsolatedAccount| {
            let i = a.symbol.index();
            a.collateral_usd - a.notional_usd * fall[i]
                < a.notional_usd.abs() * (1.0 - fall[i]) * range[i]
        };
        let fallen: Vec<usize> = TRADERS
            .iter()
            .map(|t| t.isolated_split().iter().filter(|a| alone(a)).count())
            .collect();

        assert_eq!(fallen, [0, 0, 1, 2, 1]);
    }
}
