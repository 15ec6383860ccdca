//! What the house did in a run: lending, funding, liquidity, insurance, settlements, takeovers,
//! deleveragings and bankruptcies. Plain data, money in USD.

use serde::{Deserialize, Serialize};

use crate::result::TraderResult;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct House {
    /// Those who are here for the house's sake and have no twin.
    pub members: Vec<TraderResult>,
    /// By bank.
    pub interest: Vec<Interest>,
    /// By market.
    pub funding: Vec<Funding>,
    pub liquidity: Liquidity,
    /// By market.
    pub insurance: Vec<Insurance>,
    /// By market.
    pub settlements: Vec<Settlement>,
    pub takeovers: Vec<Takeover>,
    pub deleveragings: Vec<Deleveraging>,
    /// Lots that deleveragings left without a holder, by market.
    pub strays: Vec<Strays>,
    pub bankruptcies: Vec<Bankruptcy>,
}

/// One bank's interest over the run, each step's at its price.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interest {
    pub token: String,
    /// What was lent out at the end.
    pub borrowed: f64,
    /// What borrowing costs a year at the end, per cent.
    pub yearly_percent: f64,
    pub paid: f64,
    pub earned: f64,
    pub insured: f64,
    /// Kept by the bank as remainders of rounding.
    pub rounded: f64,
}

/// One market's funding over the run; negative where shorts paid longs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Funding {
    pub market: String,
    pub longs_paid: f64,
    pub shorts_got: f64,
    /// At the end, of the notional a day, per cent.
    pub daily_percent: f64,
    /// One side's at the end.
    pub open_interest: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Liquidity {
    pub providers: Vec<Provider>,
    /// The pool's part of all fees.
    pub fees: f64,
    /// Premiums for moving the skew, less those earned back.
    pub impact: f64,
    pub redemptions: Vec<Redemption>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    pub name: String,
    /// His part of the pool's equity, at the start and at the end.
    pub initial_value: f64,
    pub final_value: f64,
    /// Paid out to him.
    pub redeemed: f64,
}

impl Provider {
    pub fn profit(&self) -> f64 {
        self.final_value + self.redeemed - self.initial_value
    }
}

/// One payment of a redemption.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Redemption {
    pub provider: String,
    pub time: i64,
    pub shares: f64,
    pub paid: f64,
    /// Shares that still wait.
    pub left: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Takeover {
    pub time: i64,
    pub account: String,
    pub bidder: String,
    /// Of everything that the account held, as a fraction.
    pub share: f64,
    /// What passed, at the marks.
    pub worth: f64,
    pub payment: f64,
    /// Added by the group's insurance where the account had no equity.
    pub from_insurance: f64,
    /// Live seconds of its auction.
    pub after_s: u64,
    pub health_before: f64,
    pub health_after: f64,
}

impl Takeover {
    /// What the bidder paid less than the worth.
    pub fn discount(&self) -> f64 {
        self.worth - self.payment
    }
}

/// One market's insurance over the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Insurance {
    pub market: String,
    /// By the operator, at the opening.
    pub given: f64,
    /// Its part of penalties, and what rounding left it.
    pub earned: f64,
    /// For bankruptcies.
    pub paid: f64,
    /// At the end.
    pub held: f64,
    /// What a side of the market may be worth with it, at the end.
    pub limit: f64,
}

/// One market's results that were turned into money over the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settlement {
    pub market: String,
    pub times: usize,
    /// From who lost to who won.
    pub moved: f64,
    /// Won and not settled at the end.
    pub waiting: f64,
}

/// A leg that nobody bid for, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deleveraging {
    pub time: i64,
    pub account: String,
    pub market: String,
    /// Whether the pool took it; else the other side of the market did.
    pub by_pool: bool,
    /// Signed size taken from the account, in the asset, and the mark.
    pub size: f64,
    pub price: f64,
    /// To the pool and to the market's insurance.
    pub penalty: f64,
    /// What was closed of everybody's position on the other side, per cent.
    pub closed_percent: f64,
    /// Of the account, before.
    pub net_asset_value: f64,
}

impl Deleveraging {
    pub fn by(&self) -> &'static str {
        if self.by_pool {
            "the pool"
        } else {
            "the other side"
        }
    }
}

/// What the pool took of a market's strays over the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Strays {
    pub market: String,
    pub times: usize,
    /// Longs and shorts together, in the asset.
    pub size: f64,
}

/// One market's or one bank's part of a bankruptcy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bankruptcy {
    pub time: i64,
    pub account: String,
    /// The market or the token.
    pub ledger: String,
    pub net_asset_value: f64,
    pub deficit: f64,
    pub from_market_insurance: f64,
    /// The group's, or the bank's own.
    pub from_group_insurance: f64,
    pub from_other_side: f64,
    pub from_depositors: f64,
    /// Left as a debt of the market's insurance.
    pub owed: f64,
}

impl Bankruptcy {
    /// Who paid, and how much, in the order of payment.
    pub fn parts(&self) -> [(&'static str, f64); 5] {
        [
            ("market insurance", self.from_market_insurance),
            ("group insurance", self.from_group_insurance),
            ("the other side", self.from_other_side),
            ("depositors", self.from_depositors),
            ("owed by the market", self.owed),
        ]
    }

    pub fn paid(&self) -> f64 {
        self.parts().iter().map(|(_, usd)| usd).sum()
    }
}
