//! Why a plan is refused, and what the caller can do about it.

use crate::price::Tier;
use crate::units::{Atoms, Lots, Ppm};

/// A refusal on the merits. Judging never fails; plans and prices do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiskError {
    /// The feed's price is zero or negative: wait for a valid one.
    PriceNotPositive,
    /// The feed's exponent is outside [-12, 0]: the feed is not supported.
    ExponentOutOfRange { exponent: i32 },
    /// Confidence exceeds 20% of the price: wait until the sources agree.
    ConfidenceTooWide { conf: u64, price: i64 },
    /// The price is older than the asset allows: post a newer one.
    PriceTooOld { age_s: i64, limit_s: i64 },
    /// The price is published too far in the future: wait for the chain's clock.
    PriceTooEarly { ahead_s: i64, limit_s: i64 },
    /// The price has no bit left in its listed unit: relist the asset.
    PriceBelowUnit,
    /// The price is above what its listed unit can hold: relist the asset.
    PriceAboveUnit,
    /// No shift serves the listed range (mantissas of its ends, the low one too coarse or the high
    /// one too large): list a narrower range.
    PriceRangeTooWide { low: i64, high: i64 },
    /// A lot is worth less than the least at the low end of the range: list larger lots.
    LotTooSmall { atoms: i64, least: i64 },
    /// An asset's price is not good enough, or too old, for what was asked: update it.
    PriceUnfit { asset: u8, tier: Tier, age_s: u32 },

    /// A size of zero: name one.
    ZeroSize,
    /// An amount, leg or total would exceed its bound: take less.
    TooLarge,
    /// The leg would be worth more than a leg may: take less.
    LegTooLarge { value: Atoms, limit: Atoms },
    /// The order does not bring the leg nearer to zero: close no more than is held.
    NotReducing { held: i64, asked: i64 },
    /// Neither at Initial nor reducing risk: a health fell by more than the fees. Add collateral.
    NotRiskReducing { fell: Atoms, allowed: Atoms },
    /// Smaller than the market's smallest order.
    BelowMinSize { asked: i64, least: u64 },
    /// The leg would end as dust: take more, or close it whole.
    BelowMinNotional { notional: Atoms, least: Atoms },
    /// The fill is worse than the order's limit price: widen it or wait.
    BeyondLimit { amount: Atoms, limit: Atoms },
    /// The fill is farther from the mark than allowed: wait for a calmer price.
    BeyondSlip { slip: Atoms, allowed: Atoms },
    /// The market is at its open-interest cap: take less or wait.
    OpenInterestCap { open_interest: u64, cap: u64 },
    /// The account would be exposed to too many assets: close one first.
    TooManyAssets,
    /// The account would end below Initial: add collateral or take less.
    BelowInitial { equity: Atoms, requirement: Atoms },
    /// Initial equity would be too small to open: add collateral.
    BelowMinEquity { equity: Atoms, least: Atoms },

    /// The bank is at its deposit cap: deposit less or wait.
    DepositCap { total: u64, cap: u64 },
    /// The account has no deposit of this bank.
    NothingToWithdraw,
    /// The deposit, less what a ticket claims of it, is smaller than what was asked: ask for less.
    InsufficientDeposit { available: i64, asked: i64 },

    /// The pool has shares but no equity: wait until it is resolved.
    PoolInsolvent,
    /// The amount buys no share: provide more.
    TooFewShares,
    /// The pool is at its equity cap: provide less or wait.
    PoolCap { equity: Atoms, cap: Atoms },
    /// The pool would end below its margin: take less.
    PoolBelowMargin { equity: Atoms, requirement: Atoms },
    /// The pool would hold too much of the asset: take less.
    PoolAssetCap { net: Atoms, cap: Atoms },

    /// The account is at or above Maintenance: nothing to liquidate.
    NotLiquidatable { equity: Atoms, requirement: Atoms },
    /// The slot does not hold what the target says: name another.
    NothingToLiquidate,
    /// Taking this leg alone does not raise health (8.2): take the other leg, or less.
    BreaksHedge { before: Atoms, after: Atoms },
    /// Every size tried passes the end: name a smaller one.
    SizeBeyondEnd { least_tried: i64 },
    /// The leg must be taken whole: name at least its size.
    TakeWhole { asked: i64, whole: i64 },

    /// An option's risk array is too far off the price, or too old: refresh the series first.
    SeriesStale {
        instrument: u8,
        off: Ppm,
        age_s: u32,
    },
    /// The settlement window is open and not yet covered: wait, or post prices.
    SettlementPending { covered_s: u32, needed_s: u32 },
    /// The slot's old series is still held, or its counter is at its end: list in another slot.
    SlotInUse { open_interest: u64, generation: u16 },
    /// The option's lot is worth too little or too much: list options on lots of another size.
    LotUnfitForOptions {
        value: Atoms,
        least: Atoms,
        most: Atoms,
    },
    /// Risk arrays of this lot could exceed 32 bits: list smaller lots or a lower range cap.
    ArrayTooWide { value: Atoms, limit: Atoms },
    /// The strike is too far from the price: list one within the bounds.
    StrikeOutOfRange { strike: u64, least: u64, most: u64 },
    /// The expiry's settlement window has begun, or begins at once: list a later one.
    ExpiryTooSoon { left_s: i64, least_s: i64 },
    /// A parameter of the volatility slice (0 to 4) is out of its bounds: publish another slice.
    SliceMalformed { parameter: u8, value: i64 },
    /// Listed strikes must be given ascending, each once: sort them.
    StrikesOutOfOrder { strike: u64 },
    /// The slice's volatility at a listed strike is outside the expiry's bounds: publish another.
    VolatilityOutOfRange { strike: u64, sigma: Ppm },
    /// The volatility at a listed strike would move too fast: publish a nearer slice first.
    VolatilityTooFast {
        strike: u64,
        moved: Ppm,
        allowed: Ppm,
    },
    /// Calls around a listed strike would allow an arbitrage: publish a slice without it.
    ButterflyArbitrage { strike: u64 },
    /// The pool's vega in the expiry would exceed its cap: take less, or the other side.
    PoolVegaCap { vega: Atoms, cap: Atoms },
    /// The pool's gamma in the asset would exceed its cap: take less, or the other side.
    PoolGammaCap { gamma: Lots, cap: Lots },
    /// An asset's charges would fall by more than an atom per atom of collateral that Initial leaves
    /// out, and Initial be laxer than Maintenance: list a smaller range cap, size multiplier or basis.
    ChargesTooSteep { slope: Ppm },
    /// Prices were silent and the asset was not priced twice since: update it and try again.
    TooFewPrints { asset: u8, seen: u8 },
    /// The share of the account is so small that nothing would move: name a larger one.
    ShareTooSmall { asked: u32 },
    /// The insurance may pay no more today: wait, or take less.
    InsuranceCap { available: u64, asked: u64 },
    /// The side has too few lots, or its carry would leave its bounds: deleverage less.
    TooLittleOpposite { open_interest: u64, asked: u64 },
    /// One of the two has no gain, the other no loss, in this market: settle others.
    NothingToSettle { gain: Atoms, loss: Atoms },
    /// Gains of this market are not paid out until its bankrupt account is resolved.
    SettlementClosed,
    /// The bank would be lent out beyond its limit: settle or take less.
    UtilisationCap {
        utilisation: crate::units::Ppm,
        most: crate::units::Ppm,
    },
    /// More would leave the bank today than may: take less, or queue.
    OutflowCap { available: u64, asked: u64 },
    /// Too little of the bank is not lent out or claimed by tickets: take less, or wait.
    InsufficientLiquidity { available: u64, asked: u64 },
    /// The bank lends no more: borrow less, or wait.
    BorrowCap { total: u64, cap: u64 },
    /// The quote is too far off its peg: no borrow of another token grows.
    BorrowsStopped,
    /// What is published of a bank or a market is too old for new risk: accrue it first.
    AccrualTooOld { age_s: i64, limit_s: i64 },
    /// A bankrupt account of the bank is not resolved yet: nothing leaves it until then.
    BankHalted,
    /// The account has a ticket already, or a lapsed one of another bank: use it, or give it up.
    TicketOpen { bank: u8, ready: i64 },
    /// The delegate's grant has run out: the owner may grant anew.
    GrantExpired { expiry: i64 },
    /// The delegate may not trade this market: the owner may, or grant it.
    NotGranted { instrument: u8 },
    /// The delegate's budget is spent: trade less or wait, it refills by the second.
    GrantSpent { available: u64, asked: u64 },
    /// The account's equity would end below the floor of the delegate's grant: only the owner may trade.
    BelowGrantFloor { equity: Atoms, floor: Atoms },
    /// The request's cooldown is not over: wait.
    CooldownRunning { left_s: u64 },
    /// The request was not executed within its hour: cancel it, and ask again.
    RequestLapsed { ago_s: u64 },
    /// The pool is below Maintenance: redeem when it is not.
    RedemptionsStopped { equity: Atoms, requirement: Atoms },
    /// Less would come out than the request accepts: cancel it, or wait.
    BelowMinAmount { amount: u64, least: u64 },
    /// The pool takes this close: send it as an ordinary one.
    PoolTakesIt,
    /// The account's auction is still running: bid, or wait (8.5).
    AuctionRunning { live_s: u64, needed_s: u64 },
    /// The account has something left that can be taken, or owes nothing that it lacks: liquidate it
    /// first (8.6).
    NotBankrupt { equity: Atoms },
    /// Nothing is missing in this market or bank: name another.
    NothingMissing,
    /// The account still owes lenders, who come first: resolve its borrows' banks (8.6).
    LendersFirst { owed: u64 },
    /// The request has received its part of this round: wait for the next.
    NothingToRedeem { received: u64, left_s: u64 },
}
