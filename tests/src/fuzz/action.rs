//! What can happen, one variant per instruction; a line of text each, so that a sequence is a file.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One step. Accounts are numbers of the arena's (liquidators follow the traders), assets and banks
/// are the group's, market m is the one on asset m + 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// `by` pays into the account of `to`.
    Deposit {
        by: usize,
        to: usize,
        asset: u8,
        units: u64,
    },
    /// `u64::MAX` withdraws everything.
    Withdraw {
        who: usize,
        asset: u8,
        units: u64,
    },
    /// The owner of `by` signs: `who` himself, or his delegate.
    /// The same; what the deposit lacks is borrowed.
    Borrow {
        who: usize,
        asset: u8,
        units: u64,
    },
    /// Between two accounts, of one owner if it is to go through.
    Transfer {
        from: usize,
        to: usize,
        asset: u8,
        units: u64,
        borrows: bool,
    },
    /// A place in a bank's queue; 0 gives a lapsed one up.
    TakeTicket {
        who: usize,
        asset: u8,
        units: u64,
    },
    /// Interest and funding of these banks and markets.
    Accrue {
        banks: u8,
        markets: u8,
    },
    InsureBank {
        who: usize,
        asset: u8,
        units: u64,
    },
    /// Out of the account's result in the market.
    InsureMarket {
        who: usize,
        market: u8,
        atoms: u64,
    },
    Open {
        by: usize,
        who: usize,
        legs: Vec<(u8, i64)>,
    },
    /// Per cent of the position; more than 100 would cross zero.
    Close {
        by: usize,
        who: usize,
        market: u8,
        percent: u64,
    },
    /// Closes against the other side what the pool cannot take.
    Exit {
        who: usize,
        market: u8,
        percent: u64,
    },
    /// Turns results of a market into quote.
    Settle {
        winner: usize,
        loser: usize,
        market: u8,
        amount: u64,
    },
    SetName {
        who: usize,
        name: u8,
    },
    /// The owner of `to` may trade for `who`: atoms a day, atoms that may be lost.
    SetDelegate {
        who: usize,
        to: usize,
        budget: u64,
        max_loss: u64,
        markets: u64,
        hours: i64,
    },
    ClearDelegate {
        who: usize,
    },
    /// Opens a spare account, or closes it.
    CreateAccount {
        who: usize,
    },
    CloseAccount {
        who: usize,
    },
    /// A provider's request, its execution by anyone, and its end by `by`.
    RequestProvide {
        who: usize,
        usdc: u64,
        least: u64,
    },
    Provide {
        who: usize,
    },
    CancelProvide {
        by: usize,
        who: usize,
    },
    /// Of all shares in his wallet, ppm.
    RequestRedeem {
        who: usize,
        ppm: u64,
        least: u64,
    },
    Redeem {
        who: usize,
    },
    CancelRedeem {
        by: usize,
        who: usize,
    },
    /// Takes a leg of `whom`: a position.
    Liquidate {
        by: usize,
        whom: usize,
        market: u8,
        size: u64,
    },
    /// The same for a deposit of tokens against the negative result of a closed position.
    LiquidateDeposit {
        by: usize,
        whom: usize,
        market: u8,
        bank: u8,
        size: u64,
    },
    /// Two positions of one hedge.
    LiquidateHedge {
        by: usize,
        whom: usize,
        markets: [u8; 2],
        size: u64,
    },
    /// A deposit against a borrow.
    LiquidateBorrow {
        by: usize,
        whom: usize,
        deposit: u8,
        borrow: u8,
        size: u64,
    },
    /// Judges `whom` for his auction's clock; a deficit stops these banks and markets.
    SetClock {
        by: usize,
        whom: usize,
        banks: u8,
        markets: u8,
    },
    /// A share of everything of `whom`, naming these banks besides the quote's, and these markets.
    TakeOver {
        by: usize,
        whom: usize,
        share_ppm: u32,
        banks: u8,
        markets: u8,
    },
    /// Unwinds a position of `whom`, of the pool itself where it is nobody.
    Deleverage {
        whom: Option<usize>,
        market: u8,
        size: u64,
    },
    TakeStrays {
        market: u8,
    },
    /// Resolves a part of the bankruptcy of `whom`: a market, else a bank.
    Resolve {
        whom: Option<usize>,
        market: Option<u8>,
        bank: u8,
    },
    /// Tokens sent to a vault past the program.
    Donate {
        who: usize,
        asset: u8,
        units: u64,
    },
    Conserve,
    /// Moves the assets of a mask by so many ppm and publishes everything.
    Move {
        mask: u8,
        ppm: i64,
    },
    /// The same, and the second print that confirms what jumped (2.5).
    Jump {
        mask: u8,
        ppm: i64,
    },
    /// Publishes an asset with a confidence of 3%.
    Widen {
        asset: u8,
    },
    /// Publishes the assets of a mask.
    Publish {
        mask: u8,
    },
    /// Relays what was posted before: nothing new.
    Relay {
        mask: u8,
        strict: bool,
    },
    Pass {
        seconds: i64,
    },
    /// A time in which prices keep coming and do not move.
    Wait {
        minutes: u64,
    },
    Hostile {
        who: usize,
        whom: usize,
        attack: Attack,
    },
    /// Several in one transaction.
    Batch(Vec<Action>),
}

/// What nobody may succeed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attack {
    LiquidateOneself,
    LiquidateThePool,
    LiquidateTheHealthy,
    LiquidateForAnother,
    TradeForAnother,
    TradeAsThePool,
    TradeWithOneself,
    WithdrawFromAnother,
    LimitTooLow,
    Expired,
    StaleSequence,
    SameMarketTwice,
    DepositFromTheVault,
    OpenByClosing,
    NothingAtAll,
    Everything,
}

impl Attack {
    pub const ALL: [Self; 16] = [
        Self::LiquidateOneself,
        Self::LiquidateThePool,
        Self::LiquidateTheHealthy,
        Self::LiquidateForAnother,
        Self::TradeForAnother,
        Self::TradeAsThePool,
        Self::TradeWithOneself,
        Self::WithdrawFromAnother,
        Self::LimitTooLow,
        Self::Expired,
        Self::StaleSequence,
        Self::SameMarketTwice,
        Self::DepositFromTheVault,
        Self::OpenByClosing,
        Self::NothingAtAll,
        Self::Everything,
    ];
}

impl Action {
    /// Instructions that take part; `view_margin` is asked after every step, and an operator's are sent
    /// before the first.
    pub const INSTRUCTIONS: [&'static str; 29] = [
        "deposit",
        "withdraw",
        "transfer",
        "take_ticket",
        "accrue",
        "fund_bank_insurance",
        "fund_market_insurance",
        "open_position",
        "close_position",
        "exit_position",
        "settle_pnl",
        "liquidate",
        "take_over",
        "deleverage",
        "take_strays",
        "resolve_bankruptcy",
        "request_provide",
        "provide_liquidity",
        "cancel_provide",
        "request_redeem",
        "redeem_liquidity",
        "cancel_redeem",
        "set_name",
        "set_delegate",
        "clear_delegate",
        "create_margin_account",
        "close_margin_account",
        "check_conservation",
        "update_prices",
    ];

    /// The instruction, or what else it is.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deposit { .. } => "deposit",
            Self::Withdraw { .. } => "withdraw",
            Self::Open { by, who, .. } if by != who => "open_position (delegate)",
            Self::Close { by, who, .. } if by != who => "close_position (delegate)",
            Self::Open { legs, .. } if legs.len() == 1 => "open_position",
            Self::Open { .. } => "open_position (more legs)",
            Self::Close { .. } => "close_position",
            Self::Borrow { .. } => "withdraw (borrow)",
            Self::Transfer { .. } => "transfer",
            Self::TakeTicket { .. } => "take_ticket",
            Self::Accrue { .. } => "accrue",
            Self::InsureBank { .. } => "fund_bank_insurance",
            Self::InsureMarket { .. } => "fund_market_insurance",
            Self::Exit { .. } => "exit_position",
            Self::Settle { .. } => "settle_pnl",
            Self::SetName { .. } => "set_name",
            Self::SetDelegate { .. } => "set_delegate",
            Self::ClearDelegate { .. } => "clear_delegate",
            Self::CreateAccount { .. } => "create_margin_account",
            Self::CloseAccount { .. } => "close_margin_account",
            Self::RequestProvide { .. } => "request_provide",
            Self::Provide { .. } => "provide_liquidity",
            Self::CancelProvide { .. } => "cancel_provide",
            Self::RequestRedeem { .. } => "request_redeem",
            Self::Redeem { .. } => "redeem_liquidity",
            Self::CancelRedeem { .. } => "cancel_redeem",
            Self::Liquidate { .. } => "liquidate",
            Self::LiquidateDeposit { .. } => "liquidate (deposit)",
            Self::LiquidateHedge { .. } => "liquidate (hedge)",
            Self::LiquidateBorrow { .. } => "liquidate (borrow)",
            Self::SetClock { .. } => "liquidate (clock)",
            Self::TakeOver { .. } => "take_over",
            Self::Deleverage { whom: None, .. } => "deleverage (pool)",
            Self::Deleverage { .. } => "deleverage",
            Self::TakeStrays { .. } => "take_strays",
            Self::Resolve {
                market: Some(_), ..
            } => "resolve_bankruptcy (market)",
            Self::Resolve { .. } => "resolve_bankruptcy (bank)",
            Self::Donate { .. } => "a donation",
            Self::Conserve => "check_conservation",
            Self::Move { .. } => "update_prices (move)",
            Self::Jump { .. } => "update_prices (jump)",
            Self::Widen { .. } => "update_prices (wide)",
            Self::Publish { .. } => "update_prices",
            Self::Relay { .. } => "update_prices (nothing new)",
            Self::Pass { .. } => "time",
            Self::Wait { .. } => "time with prices",
            Self::Hostile { .. } => "an attack",
            Self::Batch(_) => "batch",
        }
    }

    /// The action as one line.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a file of lines; empty ones and those that begin with `#` say nothing.
    pub fn read_lines(text: &str) -> Result<Vec<Self>> {
        let lines = text.lines().enumerate();
        let said = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        said.map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("line {}: {line}", number + 1))
        })
        .collect()
    }
}
