//! Events: at most 400 bytes each, one per thing that happened; consumers reconcile by `seq`.
//! Money is atoms or native units, sizes are lots, prices are mantissas of the asset's lot shift.

use anchor_lang::prelude::*;
use keel_state::BookView;

#[event]
pub struct GroupCreated {
    pub group: Pubkey,
    pub risk_book: Pubkey,
    pub admin: Pubkey,
    pub quote_mint: Pubkey,
}

#[event]
pub struct BankCreated {
    pub group: Pubkey,
    pub bank: Pubkey,
    pub mint: Pubkey,
    pub index: u8,
    pub asset: u8,
}

#[event]
pub struct MarketCreated {
    pub group: Pubkey,
    pub market: Pubkey,
    pub index: u8,
    pub asset: u8,
}

#[event]
pub struct PoolCreated {
    pub group: Pubkey,
    pub pool: Pubkey,
    pub margin: Pubkey,
    pub lp_mint: Pubkey,
}

#[event]
pub struct MarginAccountCreated {
    pub group: Pubkey,
    pub margin: Pubkey,
    pub owner: Pubkey,
    pub sub_id: u16,
    pub isolated_markets: Option<[u64; 2]>,
    pub referrer: Option<Pubkey>,
}

#[event]
pub struct MarginAccountClosed {
    pub margin: Pubkey,
    pub owner: Pubkey,
    /// Who got the rent.
    pub receiver: Pubkey,
    /// The last of this life of the address.
    pub seq: u64,
}

#[event]
pub struct AccountNamed {
    pub margin: Pubkey,
    pub seq: u64,
    pub name: [u8; 32],
}

/// A grant replaced any before; `equity` is what its floor counts from.
#[event]
pub struct DelegateSet {
    pub margin: Pubkey,
    pub delegate: Pubkey,
    pub seq: u64,
    pub budget: u64,
    pub max_loss: u64,
    pub markets: [u64; 2],
    pub expiry: i64,
    pub equity: i64,
}

/// A grant was taken back; `delegate` is whose it was, zero where there was none.
#[event]
pub struct DelegateCleared {
    pub margin: Pubkey,
    pub delegate: Pubkey,
    pub seq: u64,
}

/// The price that an event's amounts were judged at.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct AssetPrice {
    pub price: u64,
    /// Confidence over price, ppm.
    pub conf: u32,
    pub age_s: u32,
}

impl AssetPrice {
    pub fn of(view: &BookView<'_>, asset: u8) -> Self {
        let entry = view.asset_entry(asset);
        Self {
            price: entry.lot_price,
            conf: entry.conf,
            age_s: view.age_s(entry),
        }
    }
}

/// Tokens came in.
#[event]
pub struct Deposited {
    pub margin: Pubkey,
    pub bank: Pubkey,
    pub seq: u64,
    pub amount: u64,
    pub shares_before: i64,
    pub shares_after: i64,
    pub price: AssetPrice,
}

/// Tokens went out, some of them perhaps borrowed.
#[event]
pub struct Withdrawn {
    pub margin: Pubkey,
    pub bank: Pubkey,
    pub seq: u64,
    pub amount: u64,
    pub borrowed: i64,
    pub shares_before: i64,
    pub shares_after: i64,
    /// Initial, where it was asked for.
    pub health_before: Option<i64>,
    pub health_initial: i64,
    pub price: AssetPrice,
}

/// Tokens moved between two accounts of one owner; both healths are the giver's.
#[event]
pub struct Transferred {
    pub from: Pubkey,
    pub to: Pubkey,
    pub bank: Pubkey,
    pub from_seq: u64,
    pub to_seq: u64,
    pub amount: u64,
    pub borrowed: i64,
    pub from_before: i64,
    pub from_after: i64,
    pub to_before: i64,
    pub to_after: i64,
    pub health_before: i64,
    pub health_initial: i64,
    pub price: AssetPrice,
}

/// A withdrawal was queued, or with an amount of 0 a lapsed ticket given up.
#[event]
pub struct TicketTaken {
    pub margin: Pubkey,
    pub bank: Pubkey,
    pub seq: u64,
    pub amount: u64,
    pub ready: i64,
    /// Of the whole queue, native units.
    pub queued: u64,
}

/// Tokens given to a bank's insurance.
#[event]
pub struct BankInsuranceFunded {
    pub bank: Pubkey,
    pub funder: Pubkey,
    pub amount: u64,
    pub insurance_before: u64,
    pub insurance_after: u64,
}

/// Quote given to a market's insurance out of a margin account.
#[event]
pub struct MarketInsuranceFunded {
    pub market: Pubkey,
    pub margin: Pubkey,
    pub seq: u64,
    pub amount: u64,
    pub insurance_before: i64,
    pub insurance_after: i64,
    pub quote_before: i64,
    pub quote_after: i64,
    pub health_before: i64,
    pub health_initial: i64,
    pub price: AssetPrice,
}

/// Banks and markets brought to now and published: bit i is bank i, or market i. A market on a price
/// that does not serve is skipped.
#[event]
pub struct Accrued {
    pub risk_book: Pubkey,
    pub sequence: u64,
    pub banks: u32,
    pub markets: [u64; 2],
    pub skipped: [u64; 2],
}

/// A provider asked to enter a pool; executable between two live times.
#[event]
pub struct ProvideRequested {
    pub pool: Pubkey,
    pub owner: Pubkey,
    pub amount: u64,
    pub min_shares: u64,
    pub opens: u64,
    pub closes: u64,
}

#[event]
pub struct ProvideCancelled {
    pub pool: Pubkey,
    pub owner: Pubkey,
    pub amount: u64,
}

/// Equity is the pool's at the mark, `value` what the shares were bought at, all together; prices are
/// atoms of a million shares at the mark.
#[event]
pub struct LiquidityProvided {
    pub pool: Pubkey,
    pub owner: Pubkey,
    pub amount: u64,
    pub shares: u64,
    pub equity_before: i64,
    pub value: i64,
    pub shares_before: u64,
    pub shares_after: u64,
    pub price_before: u64,
    pub price_after: u64,
}

/// A provider asked to leave a pool; executable between two live times.
#[event]
pub struct RedeemRequested {
    pub pool: Pubkey,
    pub owner: Pubkey,
    pub shares: u64,
    pub min_amount: u64,
    pub opens: u64,
    pub closes: u64,
}

#[event]
pub struct RedeemCancelled {
    pub pool: Pubkey,
    pub owner: Pubkey,
    pub shares: u64,
}

/// Equity is the pool's at the mark, `value` what the shares were redeemed at, all together; prices
/// are atoms of a million shares at the mark. `shares_left` stay in escrow.
#[event]
pub struct LiquidityRedeemed {
    pub pool: Pubkey,
    pub owner: Pubkey,
    pub amount: u64,
    pub shares: u64,
    pub shares_left: u64,
    pub equity_before: i64,
    pub value: i64,
    pub shares_before: u64,
    pub shares_after: u64,
    pub price_before: u64,
    pub price_after: u64,
}

/// One accepted call of `update_prices`: bit i of a mask is asset i.
#[event]
pub struct PricesUpdated {
    pub risk_book: Pubkey,
    pub sequence: u64,
    pub live_time: u64,
    pub updated: u32,
    pub skipped: u32,
}

/// One leg of a fill between a trader and a pool. The amount contains the impact: the premium on skew,
/// negative where it was earned back. The fee is in the three parts that it went to.
#[event]
pub struct Filled {
    pub taker: Pubkey,
    pub maker: Pubkey,
    pub market: Pubkey,
    pub taker_seq: u64,
    pub client_id: u64,
    pub size: i64,
    pub amount: i64,
    pub impact: i64,
    pub fee_maker: i64,
    pub fee_referral: i64,
    pub fee_market: i64,
    pub price: u64,
    pub price_conf: u32,
    pub price_age_s: u32,
    pub size_before: i64,
    pub size_after: i64,
    pub quote_before: i64,
    pub quote_after: i64,
    /// Initial, where the order asked for it.
    pub health_before: Option<i64>,
    pub health_initial: i64,
}

/// A close that the other side of the market took, because the pool could not.
#[event]
pub struct Exited {
    pub margin: Pubkey,
    pub market: Pubkey,
    pub seq: u64,
    pub client_id: u64,
    pub size: i64,
    pub amount: i64,
    pub fee: i64,
    pub price: u64,
    pub price_conf: u32,
    pub price_age_s: u32,
    pub size_before: i64,
    pub size_after: i64,
    pub quote_before: i64,
    pub quote_after: i64,
    pub health_before: i64,
    pub health_initial: i64,
    /// The side that was shrunk: its keep, 40 fractional bits, and epoch.
    pub opposite_keep: u64,
    pub opposite_epoch: u32,
}

/// Results of one market became quote in the bank, from who lost to who gained.
#[event]
pub struct PnlSettled {
    pub winner: Pubkey,
    pub loser: Pubkey,
    pub market: Pubkey,
    pub winner_seq: u64,
    pub loser_seq: u64,
    pub amount: i64,
    /// What of it the loser borrowed.
    pub borrowed: i64,
    /// What bounded it: 0 the amount asked, 1 the smaller result, 2 the loser's deposit.
    pub up_to: u8,
    pub winner_quote_after: i64,
    pub loser_quote_after: i64,
    pub winner_shares_after: i64,
    pub loser_shares_after: i64,
    pub price: u64,
    pub price_age_s: u32,
}

/// One step of a liquidation.
#[event]
pub struct Liquidated {
    pub account: Pubkey,
    pub liquidator: Pubkey,
    /// The target's ledgers in its order; the second of a single position is none.
    pub ledgers: [Pubkey; 2],
    pub account_seq: u64,
    /// 0: a position was taken; 1: two positions; 2: a deposit against a negative result; 3: a
    /// deposit against a borrow.
    pub kind: u8,
    /// A `StoppedBy`.
    pub stopped_by: u8,
    /// Live seconds of the auction, and its start in live time after the step; 0 where it ended.
    pub live_s: u64,
    pub auction_started: u64,
    pub size: i64,
    pub notional: i64,
    pub penalty_liquidator: i64,
    pub penalty_insurance: i64,
    pub price: u64,
    pub price_age_s: u32,
    pub health_before: i64,
    pub health_after: i64,
    pub requirement_before: i64,
    pub requirement_after: i64,
}

/// An account was judged for its auction's clock.
#[event]
pub struct AuctionClockSet {
    pub account: Pubkey,
    /// Live time at which the auction began; 0 while there is none.
    pub started: u64,
    pub health: i64,
    pub requirement: i64,
    pub net_asset_value: i64,
    /// When its deficit was first found; 0 for never.
    pub deficit_found_at: i64,
}

/// A share of everything that an account held passed to a bidder.
#[event]
pub struct TookOver {
    pub account: Pubkey,
    pub bidder: Pubkey,
    pub account_seq: u64,
    /// Of a million.
    pub share: u32,
    /// A `StoppedBy`.
    pub stopped_by: u8,
    pub worth: i64,
    pub payment: i64,
    pub from_insurance: i64,
    pub live_s: u64,
    pub auction_started: u64,
    pub net_asset_value: i64,
    pub health_before: i64,
    pub health_after: i64,
    pub requirement_before: i64,
    pub requirement_after: i64,
}

/// What nobody bid for went to the pool or was closed against the other side; or a pool's own leg was.
#[event]
pub struct Deleveraged {
    pub account: Pubkey,
    pub market: Pubkey,
    pub account_seq: u64,
    /// 0: the pool took it; 1: the other side; 2: the other side, of a pool's own account.
    pub kind: u8,
    pub size: i64,
    pub net_asset_value: i64,
    /// What the account's quote changed by, its carry's included.
    pub quote_change: i64,
    /// To the pool, and to the market's insurance; 0 against the other side.
    pub penalty_pool: i64,
    pub penalty_insurance: i64,
    /// The side opposite to the account's, as it is now: keep with 40 fractional bits.
    pub opposite_keep: u64,
    pub opposite_epoch: u32,
    pub price: u64,
    pub price_age_s: u32,
    pub health_before: i64,
    pub health_after: i64,
}

/// A pool took lots that rounding of deleveragings had left over.
#[event]
pub struct StraysTaken {
    pub pool: Pubkey,
    pub market: Pubkey,
    /// Lots of the long and of the short side, and the quote that came with them.
    pub long: i64,
    pub short: i64,
    pub quote: i64,
}

/// One market's or one bank's part of a bankruptcy: what it lacked and who paid. Atoms of the quote, or
/// native units of the bank's token.
#[event]
pub struct BankruptcyResolved {
    pub account: Pubkey,
    /// The market or the bank.
    pub ledger: Pubkey,
    pub account_seq: u64,
    /// 0: a market; 1: a bank.
    pub kind: u8,
    /// E before.
    pub net_asset_value: i64,
    pub deficit: u64,
    /// By the market's insurance, and by the group's or the bank's.
    pub from_market: u64,
    pub from_insurance: u64,
    /// By the other side's positions, or by the depositors.
    pub from_holders: u64,
    /// Left as a debt of the market's insurance.
    pub owed: u64,
    /// Lots and tokens too small to take: to the strays, and to the bank's insurance.
    pub dust: i64,
    pub swept: u64,
    /// What is still missing in other markets and banks, atoms.
    pub missing: u64,
}
