//! One error per cause. Refusals on the merits come from `keel-risk`, one to one, with their figures
//! in the log; the rest concern accounts and arguments. Every message says what to do.

use anchor_lang::prelude::*;
use keel_risk::RiskError;
use keel_state::Broken;

/// The errors that mirror `RiskError`, and the mapping, from one list.
macro_rules! errors {
    (
        own { $($own:ident = $own_message:literal,)+ }
        merits { $($merit:ident = $merit_message:literal,)+ }
    ) => {
        #[error_code]
        #[derive(PartialEq, Eq)]
        pub enum KeelError {
            $(#[msg($own_message)] $own,)+
            $(#[msg($merit_message)] $merit,)+
        }

        impl From<&RiskError> for KeelError {
            fn from(error: &RiskError) -> Self {
                match error { $(RiskError::$merit { .. } => Self::$merit,)+ }
            }
        }
    };
}

errors! {
    own {
        NotAdmin = "the signer is not the group's administrator: sign with his key",
        NotOwner = "the signer may not act for the margin account: sign with its owner's key, or an order with its delegate's",
        OtherGroup = "an account belongs to another group: pass accounts of one group",
        WrongRiskBook = "not the group's risk book: pass the one that the group names",
        WrongRiskBookLength = "the risk book's account must have 65,536 bytes: allocate it anew",
        WrongQuoteDecimals = "the quote's mint must have 6 decimals: choose another",
        QuoteBankFirst = "the first bank, and only the first, is the quote's: create it first",
        QuoteWeightNotOne = "the quote's weights must be 1,000,000 ppm",
        QuoteHasNoMarket = "no market may be made on the quote's own asset",
        NotTheQuoteBank = "only the quote serves here: pass its bank",
        BookFull = "the risk book has no free slot of this kind",
        NoSuchAsset = "no asset is listed at this index",
        NoSuchSource = "no price source is configured there",
        AssetHasBank = "the asset has a bank already: each mint is its own asset",
        WrongTokenDecimals = "the mint's decimals differ from the asset's token_decimals",
        WrongMarketIndex = "the market's index must be the next free one of the risk book",
        WrongPoolId = "the pool's id must be the group's next one",
        ParameterOutOfRange = "a parameter is outside its documented bounds: see docs/parameters.md",
        MintExtensionNotAccepted = "the mint has an extension that could take or freeze a vault's tokens",
        AccountTruncated = "the account has fewer bytes than its layout: pass a whole one",
        SameAccount = "two accounts that must differ are the same",
        DuplicateLedger = "a market or bank is given twice: merge the legs, name each once",
        WrongAccountCount = "the number of remaining accounts does not fit the arguments",
        WrongLegCount = "an order has 1 to 8 legs",
        WrongVault = "not the bank's vault",
        WrongMint = "not the mint that the account names",
        WrongPoolMargin = "not the pool's margin account",
        NotATrader = "a pool's margin account cannot be used here",
        ZeroAmount = "the amount is zero",
        OnlyOwnerOpensSlot = "only the owner may open a new balance: let him deposit first",
        NoFreeBalanceSlot = "all 16 balances are in use: withdraw one whole first",
        NoFreePositionSlot = "all positions are in use: close and settle one first",
        OrderExpired = "the order's valid_until has passed: send a new one",
        SequenceChanged = "the account changed since it was read: read it again",
        PriceNotNewer = "a price is not newer than the stored one, and strict was asked",
        WrongPriceOwner = "the price account is not owned by the source's program",
        WrongPriceAccount = "not the price account that the source pins",
        WrongPriceLength = "a price update has 134 bytes: this is another account",
        WrongPriceDiscriminator = "the account is not a price account of the source's kind",
        PriceNotFullyVerified = "the price update is only partially verified: post it with full verification",
        WrongFeed = "the price update is of another feed",
        LegacyPriceNotTrading = "the legacy price's status is not Trading",
        LegacyPriceTooManySlots = "the legacy price is older than 25 slots",
        BankOutOfBalance = "the bank's ledger does not balance: nothing was changed, report this",
        VaultShort = "the vault holds less than the bank's ledger: nothing was changed, report this",
        MarketOutOfBalance = "the market's ledger does not balance: nothing was changed, report this",
        OpenInterestUneven = "longs and shorts differ: nothing was changed, report this",
        AccountNotEmpty = "the account holds tokens, owes some, or has a position: withdraw, repay, close and settle first",
        TicketOutstanding = "the account has a withdrawal ticket: withdraw it or let it lapse first",
        LiquidationUnderWay = "the account's liquidation is not over: it cannot be closed",
        DeficitUnresolved = "the account's deficit is not resolved: it cannot be closed",
        OpenedInThisSlot = "the account was opened in this slot: close it in a later one",
        ReferrerIsOwner = "nobody refers himself: pass another owner's margin account",
        NotInMarkets = "the isolated account may not hold this market: use another account",
        WrongDelegate = "a delegate is a key other than the owner's and other than zero",
        GrantOutOfRange = "grant a budget, a market and time to come; budget and loss at most 2^56 atoms",
        NotTheQuote = "liquidity is provided in the quote: pass its mint",
        WrongRequest = "the request is of another pool or owner: pass his request to this pool",
        NotRequester = "only who asked may cancel a request that has not lapsed: sign with his key",
        NoLiquidator = "a step that takes something needs the margin account that takes it",
        MissingLedger = "a bank or market that this changes was not passed: add it",
        PremiumTooSteep = "the premium at the cap would leave exits too little slip: list a larger skew_scale",
        WrongReferrer = "not the margin account's referrer: pass his account, or none",
        WrongBackstopPool = "not the pool that takes the market's legs: pass the one that it names",
        OneLedgerAtATime = "one market or one bank is resolved per call: leave the other out",
    }
    merits {
        PriceNotPositive = "the price is not positive",
        ExponentOutOfRange = "the price's exponent is outside -12 to 0",
        ConfidenceTooWide = "the price's confidence exceeds 20% of it",
        PriceTooOld = "the price is older than the asset allows: post a newer one",
        PriceTooEarly = "the price was published too far in the future: wait for the chain's clock",
        PriceBelowUnit = "the price is too small for the asset's listed unit: relist it",
        PriceAboveUnit = "the price is above the asset's listed range: relist it",
        PriceRangeTooWide = "no unit serves the listed price range: list a narrower one",
        LotTooSmall = "a lot must be worth at least 10,000 atoms at the low end: list larger lots",
        PriceUnfit = "an asset's price is not good enough, or too old, for this: update it",
        ZeroSize = "the size is zero",
        TooLarge = "an amount exceeds its bound: take less",
        LegTooLarge = "the leg would be worth more than a leg may: take less",
        NotReducing = "the order does not bring the position nearer to zero: close no more than is held",
        NotRiskReducing = "the account stays below Initial and its health would fall: add collateral",
        BelowMinSize = "the order is smaller than the market's smallest",
        BelowMinNotional = "the position would end as dust: take more, or close it whole",
        BeyondLimit = "the fill is worse than the limit price: widen it or wait",
        BeyondSlip = "the fill is too far from the mark: wait for a calmer price",
        OpenInterestCap = "the market is at its open-interest cap: take less or wait",
        TooManyAssets = "the account would be exposed to too many assets: close one first",
        BelowInitial = "the account would end below Initial: add collateral or take less",
        BelowMinEquity = "Initial equity would be below the least for opening: add collateral",
        DepositCap = "the bank is at its deposit cap: deposit less or wait",
        NothingToWithdraw = "the account has no deposit of this bank",
        InsufficientDeposit = "the deposit, less what a ticket claims, is smaller than what was asked: ask for less",
        PoolInsolvent = "the pool has shares but no equity: wait until it is resolved",
        TooFewShares = "too few shares would come out: provide more, or accept fewer",
        PoolCap = "the pool is at its equity cap: provide less or wait",
        PoolBelowMargin = "the pool would end below its margin: take less",
        PoolAssetCap = "the pool would hold too much of the asset: take less",
        NotLiquidatable = "the account is at or above Maintenance: nothing to liquidate",
        NothingToLiquidate = "the account has no such leg: name another",
        BreaksHedge = "taking this leg alone would not raise health enough: take the other leg, or less",
        SizeBeyondEnd = "every size tried passes the end of the liquidation: name a smaller one",
        TakeWhole = "the leg must be taken whole: name at least its size",
        SeriesStale = "an option's risk array is too far off or too old: refresh the series first",
        SettlementPending = "the settlement window is not covered yet: wait, or post prices",
        SlotInUse = "the slot's old series is still held: list in another slot",
        LotUnfitForOptions = "options need lots worth $0.10 to $500",
        ArrayTooWide = "risk arrays of this lot could exceed 32 bits: list smaller lots",
        StrikeOutOfRange = "the strike is too far from the price",
        ExpiryTooSoon = "the expiry's settlement window begins at once: list a later expiry",
        SliceMalformed = "a parameter of the volatility slice is out of its bounds",
        StrikesOutOfOrder = "listed strikes must be given ascending, each once",
        VolatilityOutOfRange = "the slice leaves the expiry's volatility bounds at a listed strike",
        VolatilityTooFast = "the slice moves too fast at a listed strike: publish a nearer one first",
        ButterflyArbitrage = "the slice allows a butterfly arbitrage at a listed strike",
        PoolVegaCap = "the pool's vega in the expiry would exceed its cap: take less",
        PoolGammaCap = "the pool's gamma in the asset would exceed its cap: take less",
        ChargesTooSteep = "range cap, size multiplier and basis rate together would make Initial laxer than Maintenance: list smaller ones",
        TooFewPrints = "prices were silent and this asset was not priced twice since: update it and try again",
        ShareTooSmall = "nothing would move at so small a share: name a larger one",
        InsuranceCap = "the insurance may pay no more today: wait, or take less",
        TooLittleOpposite = "the other side has too few lots, or its carry would leave its bounds: deleverage less",
        NothingToSettle = "one of the two has no gain, or the other no loss, in this market: settle others",
        SettlementClosed = "gains of this market wait until its bankrupt account is resolved",
        UtilisationCap = "the bank would be lent out beyond its limit: settle or take less",
        OutflowCap = "more would leave the bank today than may: take less, or queue",
        InsufficientLiquidity = "too little of the bank is not lent out or claimed by tickets: take less, or wait",
        BorrowCap = "the bank lends no more: borrow less, or wait",
        BorrowsStopped = "the quote is too far off its peg: no borrow of another token grows",
        AccrualTooOld = "what is published of a bank or a market is too old for new risk: accrue it first",
        BankHalted = "a bankrupt account of the bank is not resolved yet: nothing leaves it until then",
        TicketOpen = "the account has a ticket already: withdraw by it, or wait until it lapses and give it up",
        GrantExpired = "the delegate's grant has run out: the owner may grant anew",
        NotGranted = "the delegate may not trade this market",
        GrantSpent = "the delegate's budget is spent: trade less, or wait while it refills",
        BelowGrantFloor = "equity would end below the floor of the delegate's grant: only the owner may trade",
        CooldownRunning = "the request's cooldown is not over: wait",
        RequestLapsed = "the request was not executed within its hour: cancel it, and ask again",
        RedemptionsStopped = "the pool is below Maintenance: redeem when it is not",
        BelowMinAmount = "less would come out than the request accepts: cancel it, or wait",
        PoolTakesIt = "the pool takes this close: use close_position",
        AuctionRunning = "the account's auction is still running: bid, or wait for its ten live minutes",
        NotBankrupt = "the account has something left that can be taken, or lacks nothing: liquidate it first",
        NothingMissing = "nothing is missing in this market or bank: name another",
        LendersFirst = "the account still owes lenders, who come first: resolve its borrows' banks",
        NothingToRedeem = "the request has received its part of this hour's round: wait for the next",
    }
}

impl From<Broken> for KeelError {
    fn from(broken: Broken) -> Self {
        msg!("{:?}", broken);
        match broken {
            Broken::BankLedger { .. } => Self::BankOutOfBalance,
            Broken::VaultShort { .. } => Self::VaultShort,
            Broken::MarketLedger { .. } => Self::MarketOutOfBalance,
            Broken::OpenInterest { .. } => Self::OpenInterestUneven,
        }
    }
}

/// Turns a refusal of the risk engine into the program's error, its figures in the log.
pub trait Merits<T> {
    fn merits(self) -> Result<T>;
}

impl<T> Merits<T> for core::result::Result<T, RiskError> {
    fn merits(self) -> Result<T> {
        self.map_err(|error| {
            msg!("{:?}", error);
            KeelError::from(&error).into()
        })
    }
}
