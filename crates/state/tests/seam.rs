//! The seam between plans and bytes: what a plan says will be is what its application leaves, for
//! every kind of plan, and nothing else of the account changes.

use std::sync::OnceLock;

use bytemuck::Zeroable;
use keel_risk::*;
use keel_state::*;
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000;

/// Twice 10,000, because some draws are refused by their plan.
fn config() -> ProptestConfig {
    let given = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: given.and_then(|n| n.parse().ok()).unwrap_or(20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Quote and a token at $1, with a bank each and two perps on the token.
fn stored_book() -> &'static RiskBook {
    static BOOK: OnceLock<Box<RiskBook>> = OnceLock::new();
    BOOK.get_or_init(|| {
        let mut book = Box::new(RiskBook::zeroed());
        book.set_scenarios(&SPAN_16);
        (book.assets_len, book.rates_len, book.instruments_len) = (2, 2, 2);
        book.gross_min = 300_000;
        book.upnl_weight = 800_000;
        book.upnl_cap = 1 << 40;
        book.liquidation_buffer = 50_000;
        book.liquidation_fee = 5_000;
        book.liquidation_insurance_share = 400_000;
        book.max_age_pool_s = 15;
        for asset in &mut book.assets[..2] {
            asset.priced = 1;
            asset.publish_time = NOW;
            (asset.lot_price, asset.lot_shift) = (1_000_000 << 10, 10);
            (asset.native_price, asset.native_shift) = (1 << 30, 30);
            (asset.conf, asset.wide_conf) = (500, 100_000);
            (asset.range, asset.init_factor_effective) = (100_000, 1_500_000);
            asset.max_age_margin_s = 60;
            asset.max_age_liquidation_s = 60;
            asset.max_age_withdrawal_s = 60;
        }
        for (index, rate) in book.rates[..2].iter_mut().enumerate() {
            rate.asset = index as u8;
            (rate.deposit_index, rate.borrow_index) = (1 << 48, 1 << 48);
            let token = index == 1;
            rate.maint_asset_weight = if token { 900_000 } else { 1_000_000 };
            rate.init_asset_weight = if token { 800_000 } else { 1_000_000 };
            rate.maint_liab_weight = if token { 1_100_000 } else { 1_000_000 };
            rate.init_liab_weight = if token { 1_200_000 } else { 1_000_000 };
        }
        for instrument in &mut book.instruments[..2] {
            instrument.kind = InstrumentTag::Perp as u8;
            instrument.asset = 1;
            (instrument.keep_long, instrument.keep_short) = (KEEP_ONE, KEEP_ONE);
        }
        book
    })
}

fn book() -> BookView<'static> {
    BookView::new(stored_book(), NOW)
}

fn mark() -> Price {
    book().instrument(0).mark
}

/// A margin account as stored.
#[derive(Clone, Debug)]
struct Account {
    fixed: MarginAccount,
    positions: [Position; TRADER_CAPACITY],
}

type Held = (Vec<(usize, BalanceLeg)>, Vec<(usize, PositionLeg)>);

impl Account {
    fn view(&self) -> MarginView<'_> {
        MarginView::new(&self.fixed, &self.positions, stored_book())
    }

    fn edit(&mut self) -> MarginMut<'_> {
        MarginMut::new(&mut self.fixed, &mut self.positions, stored_book())
    }

    fn held(&self) -> Held {
        held(&self.view())
    }
}

/// Every slot that holds something. An empty balance is none, but for the quote's.
fn held<L: Legs>(legs: &L) -> Held {
    let balances = (0..legs.balance_slots()).filter_map(|slot| Some((slot, legs.balance(slot)?)));
    let positions =
        (0..legs.position_slots()).filter_map(|slot| Some((slot, legs.position(slot)?)));
    (
        balances
            .filter(|(slot, leg)| *slot == 0 || leg.shares.0 != 0)
            .collect(),
        positions
            .filter(|(_, leg)| leg.size.0 != 0 || leg.quote.0 != 0)
            .collect(),
    )
}

/// What an account holds after changed slots.
fn after(
    account: &Account,
    balances: &[(usize, BalanceLeg)],
    positions: &[(usize, PositionLeg)],
) -> Held {
    held(&Amended {
        base: account.view(),
        balances,
        positions,
    })
}

fn small() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![1 => Just(0i64), 3 => -(1i64 << 33)..1 << 33]
}

/// Quote, perhaps the token, and perps in any of the first slots.
fn any_account() -> impl Strategy<Value = Account> {
    let balances = (small(), small(), 1usize..BALANCE_SLOTS);
    let position = (small(), small(), 0usize..6);
    (balances, [position.clone(), position]).prop_map(|(balances, positions)| {
        let mut account = Account {
            fixed: MarginAccount::zeroed(),
            positions: [Position::zeroed(); TRADER_CAPACITY],
        };
        account.fixed.kind = MarginKind::Trader as u8;
        let quote = leg(0, balances.0);
        let token = (balances.2, leg(1, balances.1));
        account.edit().apply_legs(&[(0, quote), token], &[]);
        for (instrument, (size, quote, slot)) in positions.into_iter().enumerate() {
            let leg = PositionLeg {
                instrument: instrument as u8,
                size: Lots(size / 1_000_000),
                quote: Atoms(quote),
            };
            let slot = 2 * slot + instrument;
            account.edit().apply_positions(&[(slot, leg)]);
        }
        account
    })
}

fn leg(rate: u8, shares: i64) -> BalanceLeg {
    BalanceLeg {
        rate,
        shares: Shares(shares),
    }
}

/// An account whose cash puts it just below Maintenance, and its token and perps where they were.
fn any_troubled() -> impl Strategy<Value = Account> {
    (any_account(), 1i64..900).prop_filter_map("no risk", |(mut account, short)| {
        let mut workspace = Workspace::largest();
        let found = maintenance(&book(), &account.view(), &mut workspace.scratch());
        if found.requirement.0 < 1_000_000 {
            return None;
        }
        let target = -found.requirement.0 / 1_000 * short - 1;
        account.fixed.balances[0].shares += target - found.health().0;
        Some(account)
    })
}

fn rich() -> Account {
    let mut account = Account {
        fixed: MarginAccount::zeroed(),
        positions: [Position::zeroed(); TRADER_CAPACITY],
    };
    account.fixed.kind = MarginKind::Trader as u8;
    account.edit().apply_legs(&[(0, leg(0, 1 << 50))], &[]);
    account
}

/// An account without anything.
fn empty() -> Account {
    let mut account = rich();
    account.edit().apply_legs(&[(0, leg(0, 0))], &[]);
    account
}

/// Results of closed positions in both markets, one of them a loss, with cash that does not cover it;
/// whatever was resolved before is marked.
fn any_ruined() -> impl Strategy<Value = Account> {
    let result = 1i64..1 << 36;
    (result, small(), 0i64..1 << 30, any::<bool>(), -1i8..=1).prop_map(
        |(lost, other, cash, marked, last)| {
            let mut account = empty();
            let of = |instrument, quote| PositionLeg {
                instrument,
                size: Lots(0),
                quote: Atoms(quote),
            };
            // More is lost than the other market and the cash may cover.
            let lost = lost + other.max(0) + 4 * cash;
            let other = if other == 0 { -1 } else { other };
            let positions = [(1, of(0, -lost)), (2, of(1, other))];
            account.edit().apply_legs(&[(0, leg(0, cash))], &positions);
            account.positions[1].last_side = last;
            account.positions[2].covered = u8::from(marked && other < 0);
            account.fixed.liquidation_started = 7;
            account
        },
    )
}

fn resolve_terms(account: &Account, slot: usize) -> ResolveTerms {
    ResolveTerms {
        slot,
        resolved: account.view().resolved(),
        clock: account.fixed.auction_clock(),
        live_time: 9,
    }
}

/// What a part of a bankruptcy leaves an account marked with.
fn resolved(stored: &Account, before: &Account, left: &Aftermath) -> Result<(), TestCaseError> {
    prop_assert_eq!(stored.view().resolved(), left.resolved);
    prop_assert_eq!(stored.fixed.liquidation_started, left.clock.started);
    prop_assert_eq!(stored.fixed.seq, before.fixed.seq + 1);
    let found_at = if left.missing == 0 {
        0
    } else {
        before.fixed.deficit_found_at
    };
    prop_assert_eq!(stored.fixed.deficit_found_at, found_at);
    Ok(())
}

/// A bank whose ledger balances, every field of it different from nothing.
fn any_bank() -> impl Strategy<Value = Bank> {
    let indices = (1u64 << 48..1 << 50, 1u64 << 48..1 << 50);
    let house = (0u64..1 << 30, 0u64..1 << 40, 0u64..1 << 20);
    let time = (0i64..1 << 40, any::<u32>());
    (1u64 << 20..1 << 50, 0u64..=900, indices, house, time).prop_map(
        |(shares, lent, indices, house, time)| {
            let mut bank = Bank::zeroed();
            bank.index = 0;
            (bank.deposit_index, bank.borrow_index) = indices;
            bank.deposit_shares = shares;
            bank.borrow_shares = shares / 4_000 * lent;
            (bank.fees, bank.insurance, bank.dust) = house;
            bank.tracked = bank.ledger().owed();
            bank.deposit_cap = u64::MAX;
            bank.last_accrual = time.0;
            bank.borrow_rate = u64::from(time.1);
            bank.pending_growth = u64::from(time.1) << 3;
            bank.curve_utilisation = [800_000, 900_000];
            bank.curve_rate = [50_000, 200_000, 1_000_000];
            bank
        },
    )
}

/// A market with a long and a short of one size, carry on both sides, and a house.
fn any_market() -> impl Strategy<Value = Market> {
    let carry = -(1i64 << 60)..1 << 60;
    let house = (0i64..1 << 30, 0i64..1 << 30, 0u64..1 << 48);
    (1u64..1 << 24, carry.clone(), carry, house).prop_map(|(lots, long, short, house)| {
        let mut market = Market::zeroed();
        (market.open_interest_long, market.open_interest_short) = (lots, lots);
        (market.keep_long, market.keep_short) = (KEEP_ONE, KEEP_ONE);
        market.carry_long = [long as u64, (long >> 63) as u64];
        market.carry_short = [short as u64, (short >> 63) as u64];
        (market.fees, market.insurance, market.residue) = house;
        // The quotes are what balances it, to an atom: the rest is residue.
        let lacking = market.ledger().imbalance().wrapping_neg();
        market.quote_sum = (lacking >> 48) as i64;
        let rest = lacking as u64 % DUST_ONE + market.residue;
        market.residue = rest % DUST_ONE;
        market.insurance += (rest / DUST_ONE) as i64;
        market
    })
}

proptest! {
    #![proptest_config(config())]

    /// Deposits and withdrawals.
    #[test]
    fn cash((account, bank) in (any_account(), any_bank()), amount in 1u64..1 << 40, out in any::<bool>()) {
        let mut workspace = Workspace::largest();
        let plan = if out {
            let mut exit = bank.exit(&account.fixed, stored_book(), NOW);
            exit.terms.floor = u64::MAX;
            let asked = Taking { slot: 0, amount, allow_borrow: false };
            plan_withdraw(&book(), &account.view(), &exit, asked, &mut workspace.scratch()).map(|plan| plan.cash)
        } else {
            plan_deposit(&book(), &account.view(), 0, bank.terms(), amount)
        };
        let Ok(plan) = plan else { return Ok(()) };
        let (mut stored, mut ledger) = (account.clone(), bank);
        stored.edit().apply_cash(&plan);
        prop_assert_eq!(stored.held(), after(&account, &[(plan.slot, plan.after)], &[]));
        ledger.apply_cash(&plan);
        let change = BankChange { tokens: plan.tokens.0, ..BankChange::of(plan.before, plan.after.shares) };
        prop_assert_eq!(ledger.ledger(), bank.ledger().after(&change));
        // The account is one of many only where the bank holds what it takes.
        let covers = bank.deposit_shares.checked_add_signed(change.deposits).is_some()
            && bank.borrow_shares.checked_add_signed(change.borrows).is_some()
            && bank.ledger().owed() > amount;
        prop_assert!(!covers || ledger.invariant(u64::MAX).is_ok());
    }

    /// Liquidity: its cash, and the pool's shares.
    #[test]
    fn provide(bank in any_bank(), amount in 2_000_000u64..1 << 40, shares in 1u64 << 20..1 << 40) {
        let account = rich();
        let mut pool = Pool::zeroed();
        (pool.shares, pool.equity_cap) = (shares, 1 << 60);
        let mut workspace = Workspace::largest();
        let plan = plan_provide(&book(), &account.view(), bank.terms(), pool.terms(), amount, &mut workspace.scratch()).unwrap();
        let (mut stored, mut ledger) = (account.clone(), bank);
        stored.edit().apply_cash(&plan.cash);
        prop_assert_eq!(stored.held(), after(&account, &[(0, plan.cash.after)], &[]));
        ledger.apply_cash(&plan.cash);
        prop_assert!(ledger.invariant(u64::MAX).is_ok());
        let before = pool.terms();
        pool.apply_provide(&plan);
        prop_assert_eq!(pool.terms(), PoolTerms { shares: before.shares + plan.minted + plan.locked, ..before });
    }

    /// Fills, carry and its residue included.
    #[test]
    fn fill((taker, maker, market) in (any_account(), any_account(), any_market()), size in small(), amount in small(), fee in 0i64..1 << 20) {
        let fill = Fill { size: Lots(size), amount: Atoms(amount), fee: Atoms(fee) };
        let at = |account: &Account| account.view().position_slot(0, |_| true).unwrap();
        let slots = (at(&taker), at(&maker));
        let leg = |account: &Account, slot| account.view().position(slot).unwrap_or(PositionLeg::EMPTY);
        let Ok(plan) = plan_fill(leg(&taker, slots.0), leg(&maker, slots.1), fill, market.ledger().carries()) else { return Ok(()) };
        let changes = [(slots.0, plan.taker_after), (slots.1, plan.maker_after)];
        for (account, change) in [&taker, &maker].into_iter().zip(changes) {
            let mut stored = account.clone();
            stored.edit().apply_positions(&[change]);
            prop_assert_eq!(stored.held(), after(account, &[], &[change]));
        }

        let mut stored = market;
        stored.apply_fill(&plan);
        let mut change = MarketChange { fees: fee, quotes: plan.quotes_change, residue: plan.residue, ..MarketChange::default() };
        change.long.open_interest = plan.open_interest_change_long;
        change.short.open_interest = plan.open_interest_change_short;
        let fits = |lots: u64, change: i64| lots.checked_add_signed(change).is_some();
        if fits(market.open_interest_long, change.long.open_interest) && fits(market.open_interest_short, change.short.open_interest) {
            prop_assert_eq!(stored.ledger(), market.ledger().after(&change));
        }
    }

    /// Liquidation steps of every target, on both accounts.
    #[test]
    fn liquidation((account, which) in (any_troubled(), 0usize..4), max_size in 1i64..1 << 33) {
        let liquidator = rich();
        let at = |instrument| account.view().held_slot(instrument);
        let token = account.view().balance_slot(1);
        let target = match (which, at(0), at(1), token) {
            (0, Some(slot), ..) => Target::Position { slot, liquidator_slot: 0 },
            (1, Some(first), Some(second), _) => Target::Hedge { slots: [first, second], liquidator_slots: [0, 1] },
            (2, Some(position_slot), _, Some(balance_slot)) => Target::Deposit { balance_slot, position_slot, liquidator_balance_slot: 1, liquidator_position_slot: 0 },
            (3, _, _, Some(deposit_slot)) => Target::Borrow { deposit_slot, borrow_slot: 0, liquidator_deposit_slot: 1, liquidator_borrow_slot: 0 },
            _ => return Ok(()),
        };
        let mut workspace = Workspace::largest();
        let terms = book().liquidation_terms();
        let Ok(plan) = plan_liquidation(&book(), &account.view(), &liquidator.view(), target, Lots(max_size), terms, &mut workspace.scratch()) else { return Ok(()) };
        for (account, side) in [(&account, &plan.account), (&liquidator, &plan.liquidator)] {
            let mut stored = account.clone();
            stored.edit().apply_liquidation(side);
            prop_assert_eq!(stored.held(), held(&side.of(account.view())));
        }
        let mut stored = account.clone();
        stored.edit().apply_liquidation(&plan.account);
        let found = maintenance(&book(), &stored.view(), &mut workspace.scratch());
        prop_assert_eq!(found, plan.after);
    }

    /// Takeovers, on both accounts.
    #[test]
    fn take_over((account, bidder) in (any_troubled(), any_account()), share in 1u32..=1_000_000, live_s in 0u64..2_000) {
        let mut bidder = bidder;
        bidder.fixed.balances[0].shares = 1 << 50;
        let terms = TakeoverTerms {
            max_share: Ppm(share),
            liquidation: book().liquidation_terms(),
            live_s,
            insurance: 1 << 50,
            bidder_capacity: TRADER_CAPACITY,
        };
        let mut balances = [[(0, leg(0, 0)); 17]; 2];
        let mut positions = [[(0, PositionLeg::EMPTY); 16]; 2];
        let [account_balances, bidder_balances] = &mut balances;
        let [account_positions, bidder_positions] = &mut positions;
        let (mut banks, mut markets) = ([BankChange::default(); 17], [MarketChange::default(); 16]);
        let mut marked = [Marked::EMPTY; 16];
        let mut buffers = TakeoverBuffers { account_balances, account_positions, bidder_balances, bidder_positions, marked: &mut marked, banks: &mut banks, markets: &mut markets };
        let mut workspace = Workspace::largest();
        let found = plan_take_over(&book(), (&account.view(), &bidder.view()), &terms, &mut buffers, &mut workspace.scratch());
        let Ok(plan) = found else { return Ok(()) };
        for (side, account) in [&account, &bidder].into_iter().enumerate() {
            let changed = (&balances[side][..plan.balances], &positions[side][..plan.positions]);
            let mut stored = account.clone();
            stored.edit().apply_legs(changed.0, changed.1);
            prop_assert_eq!(stored.held(), after(account, changed.0, changed.1));
        }
        let mut stored = account.clone();
        stored.edit().apply_legs(&balances[0][..plan.balances], &positions[0][..plan.positions]);
        let found = maintenance(&book(), &stored.view(), &mut workspace.scratch());
        prop_assert_eq!(found, plan.after);
    }

    /// Deleveraging, touches and strays: the market, and the position with its side's keep.
    #[test]
    fn deleverage(market in any_market(), size in small(), quote in small(), closed in 1i64..1 << 20, touched in 1u64 << 30..=KEEP_ONE) {
        let leg = PositionLeg { size: Lots(size / 1_000), quote: Atoms(quote), ..PositionLeg::EMPTY };
        let touched = Keep { keep: Frac40(touched), epoch: 0 };
        let mut market = market;
        market.keep_long = market.keep_long / 3 * 2;
        let before = market.ledger();
        let touch = plan_touch(leg, touched, before.side(leg.size).terms(), mark());
        let mut stored = market;
        stored.apply(&touch.market);
        prop_assert_eq!(stored.ledger(), before.after(&touch.market));

        let before = stored.ledger();
        let terms = DeleverageTerms { leg: touch.after, max_size: Lots(closed), mark: mark(), equity: Atoms(quote), share: Ppm(400_000) };
        if let Ok(plan) = plan_deleverage(&before, &terms) {
            stored.apply(&plan.market);
            prop_assert_eq!(stored.ledger(), before.after(&plan.market));
            prop_assert_eq!(stored.ledger().imbalance(), before.imbalance());
            let account = rich();
            let mut written = account.clone();
            let mut book = Box::new(*stored_book());
            book.publish_market(0, &stored.ledger());
            let keep = stored.ledger().side(plan.after.size).keep;
            MarginMut::new(&mut written.fixed, &mut written.positions, &book)
                .apply_positions(&[(3, plan.after)]);
            let seen = held(&MarginView::new(&written.fixed, &written.positions, &book));
            prop_assert_eq!(seen, after(&account, &[], &[(3, plan.after)]));
            prop_assert_eq!(written.positions[3].touched(), keep);
        }

        let mut stray = stored;
        stray.stray_short = (3 << 40) + 5;
        stray.stray_quote_short = quote;
        // Open interest counts the strays, and the leg that they meet.
        stray.open_interest_long += 1 << 40;
        stray.open_interest_short += 1 << 40;
        let before = stray.ledger();
        if let Ok(plan) = plan_take_strays(&before, leg, false) {
            stray.apply(&plan.market);
            prop_assert_eq!(stray.ledger(), before.after(&plan.market));
            prop_assert_eq!(stray.stray_short, 5);
        }
    }

    /// 8.5. A position is seen through what its side keeps; bringing it up to date in place leaves what
    /// was seen, and what rounding takes from it is the market's: its books stand as they stood.
    #[test]
    fn touch(account in any_account(), market in any_market(), kept in 1u64 << 24..KEEP_ONE, epoch in 0u32..3) {
        let mut market = market;
        (market.keep_long, market.epoch_long) = (kept, epoch);
        (market.keep_short, market.epoch_short) = (KEEP_ONE - kept / 3, epoch / 2);
        let mut book = Box::new(*stored_book());
        book.publish_market(0, &market.ledger());
        let quotes = |account: &Account| -> i64 {
            let of_first = account.positions.iter().filter(|position| position.instrument == 0);
            of_first.map(|position| position.quote).sum()
        };
        let (strays, before) = (market.stray_quote_long + market.stray_quote_short, quotes(&account));

        let mut stored = account.clone();
        let seen = held(&MarginView::new(&account.fixed, &account.positions, &book));
        for slot in 0..TRADER_CAPACITY {
            if stored.positions[slot].instrument == 0 {
                MarginMut::new(&mut stored.fixed, &mut stored.positions, &book).touch(slot, &mut market);
            }
        }
        let after = held(&MarginView::new(&stored.fixed, &stored.positions, &book));
        prop_assert_eq!(&after, &seen);
        for (slot, leg) in seen.1.iter().filter(|(_, leg)| leg.instrument == 0) {
            prop_assert_eq!(stored.positions[*slot].size, leg.size.0);
            prop_assert_eq!(stored.positions[*slot].quote, leg.quote.0);
        }
        let now = market.stray_quote_long + market.stray_quote_short;
        prop_assert_eq!(quotes(&stored) + now, before + strays);
    }

    /// Settlement, on both accounts and the quote's bank.
    #[test]
    fn settle((winner, loser, bank) in (any_account(), any_account(), any_bank()), max_amount in 1u64..1 << 34, gain in 1i64..1 << 33, loss in 1i64..1 << 33) {
        let (mut winner, mut loser) = (winner, loser);
        let at = |account: &Account| account.view().position_slot(0, |_| true).unwrap();
        let (won, lost) = (at(&winner), at(&loser));
        for (account, slot, quote) in [(&mut winner, won, gain), (&mut loser, lost, -loss)] {
            let size = account.view().position(slot).map_or(Lots(0), |leg| leg.size);
            let quote = Atoms(quote - num::value_floor(size, mark()).0);
            account.edit().apply_positions(&[(slot, PositionLeg { instrument: 0, size, quote })]);
        }
        let (winning, losing) = (winner.view(), loser.view());
        let mut workspace = Workspace::largest();
        let terms = SettleTerms { max_amount, closed: false, bank: bank.ledger() };
        let found = plan_settle(
            &book(),
            Settling { legs: &winning, position_slot: won, balance_slot: 0 },
            Settling { legs: &losing, position_slot: lost, balance_slot: 0 },
            &terms,
            &mut workspace.scratch(),
        );
        let Ok(plan) = found else { return Ok(()) };
        let mut stored = winner.clone();
        stored.edit().apply_settlement_gain(&plan);
        prop_assert_eq!(stored.held(), after(&winner, &[plan.winner_balance], &[plan.winner_position]));
        let mut stored = loser.clone();
        stored.edit().apply_settlement_loss(&plan);
        prop_assert_eq!(stored.held(), after(&loser, &[plan.loser_balance], &[plan.loser_position]));
        let mut ledger = bank;
        ledger.apply(&plan.bank);
        prop_assert_eq!(ledger.ledger(), bank.ledger().after(&plan.bank));
    }

    /// Losses of a market and of a bank, with their insurances' windows.
    #[test]
    fn losses((market, bank) in (any_market(), any_bank()), deficit in 1u64..1 << 40, shares in 1u64..1 << 40) {
        let leg = PositionLeg { quote: Atoms(-(deficit as i64)), ..PositionLeg::EMPTY };
        let terms = MarketLossTerms {
            leg,
            deficit,
            payers: Payers::against(deficit as i8),
            mark: mark(),
            market_insurance: market.insurance_fund().at(NOW),
            group_insurance: bank.insurance_fund().at(NOW),
            deposit_index: Index48(bank.deposit_index),
        };
        let plan = plan_market_loss(&market.ledger(), &terms).unwrap();
        let mut stored = market;
        stored.apply_loss(&plan);
        prop_assert_eq!(stored.ledger(), market.ledger().after(&plan.market));
        prop_assert_eq!(stored.ledger().imbalance(), 0);
        prop_assert_eq!(stored.insurance_used, plan.from_market);
        prop_assert_eq!(stored.insurance_window_start, NOW);
        let mut paying = bank;
        paying.apply(&BankChange { insurance: -(plan.group_cost as i64), ..BankChange::default() });
        paying.set_insurance_window(&plan.group_insurance);
        prop_assert_eq!(paying.insurance_fund(), plan.group_insurance);

        let Ok(plan) = plan_bank_loss(&bank.ledger(), shares, bank.insurance_fund().at(NOW)) else { return Ok(()) };
        let mut stored = bank;
        stored.apply_loss(&plan);
        prop_assert_eq!(stored.ledger(), bank.ledger().after(&plan.bank));
        prop_assert_eq!(stored.insurance_fund(), plan.insurance);
        prop_assert!(stored.invariant(u64::MAX).is_ok());
    }

    /// Calls of `deleverage`: the account and its clock, the pool where it takes, the market and its skew.
    #[test]
    fn unwinding((account, market) in (any_troubled(), any_market()), of_pool in any::<bool>(), max_size in 1i64..1 << 20) {
        prop_assume!(market.open_interest_long > 1 << 14);
        let Some(slot) = account.view().held_slot(0) else { return Ok(()) };
        let pool = if of_pool { rich() } else { empty() };
        let terms = UnwindTerms {
            slot,
            max_size: Lots(max_size),
            ledger: market.ledger(),
            clock: AuctionClock { started: 1 },
            live_time: 1 + BACKSTOP_DELAY_S,
            liquidation: book().liquidation_terms(),
        };
        let mut workspace = Workspace::largest();
        let found = plan_unwind(&book(), (&account.view(), &pool.view()), 0, &terms, &mut workspace.scratch());
        let Ok(plan) = found else { return Ok(()) };
        let (mut stored, mut ledger) = (account.clone(), market);
        stored.edit().apply_unwinding(slot, &plan);
        ledger.apply_unwinding(&plan.step, false, NOW);
        match &plan.step {
            UnwindStep::Pool(taken) => {
                prop_assert_eq!(stored.held(), held(&taken.account.of(account.view())));
                prop_assert_eq!(ledger.ledger(), market.ledger().after(&taken.markets[0]));
                prop_assert_eq!(ledger.skew, market.skew - taken.size.0);
            }
            UnwindStep::Side(closed) => {
                prop_assert_eq!(stored.held(), after(&account, &[], &[(slot, closed.after)]));
                prop_assert_eq!(ledger.ledger(), market.ledger().after(&closed.market));
                prop_assert_eq!(ledger.skew, market.skew);
                // What a pool's own account gives up, traders hold the less of.
                let mut given = market;
                given.apply_unwinding(&plan.step, true, NOW);
                prop_assert_eq!(given.skew, market.skew + closed.size.0);
            }
        }
        prop_assert_eq!((stored.fixed.seq, stored.fixed.liquidation_started), (account.fixed.seq + 1, plan.clock.started));
        let found = maintenance_in_favour(&book(), &stored.view(), &mut workspace.scratch());
        prop_assert_eq!(found, plan.after);
    }

    /// What a pool takes of a market's strays, on both.
    #[test]
    fn strays((pool, market) in (any_account(), any_market()), lots in 1u64..1 << 12, part in 0u64..1 << 40, quote in small(), long in any::<bool>()) {
        prop_assume!(market.open_interest_long > 1 << 14);
        let mut market = market;
        let stray = (lots << 40) + part;
        if long {
            (market.stray_long, market.stray_quote_long) = (stray, quote);
        } else {
            (market.stray_short, market.stray_quote_short) = (stray, quote);
        }
        let slot = pool.view().position_slot(0, |_| true).unwrap();
        let leg = pool.view().position(slot).unwrap_or(PositionLeg::EMPTY);
        let plan = plan_take_strays(&market.ledger(), leg, long).unwrap();
        let (mut stored, mut ledger) = (pool.clone(), market);
        let taken = plan.after.size.0 - leg.size.0;
        stored.edit().apply_strays(slot, &plan);
        ledger.apply_strays(taken, &plan, NOW);
        prop_assert_eq!(stored.held(), after(&pool, &[], &[(slot, plan.after)]));
        prop_assert_eq!(ledger.ledger(), market.ledger().after(&plan.market));
        prop_assert_eq!((taken.unsigned_abs(), ledger.skew), (lots, market.skew - taken));
        prop_assert_eq!(ledger.stray_long + ledger.stray_short, part);
    }

    /// A market's part of a bankruptcy: the account with what it is marked with, the market, and the
    /// quote's bank, whose ledger balances afterwards (I1).
    #[test]
    fn resolved_market((account, market, bank) in (any_ruined(), any_market(), any_bank()), which in 0u8..2, found_at in NOW - 9_000..NOW, halted in NOW - 9_000..NOW) {
        let (mut account, mut market) = (account, market);
        (account.fixed.deficit_found_at, market.halted_until) = (found_at, halted);
        let rates = [bank.fresh_rate()];
        let view = book().with_rates(&rates);
        let slot = account.view().held_slot(which).unwrap();
        let terms = ResolveMarketTerms {
            account: resolve_terms(&account, slot),
            quote_slot: 0,
            last_side: account.view().last_side(slot),
            ledger: market.ledger(),
            market_insurance: market.insurance_fund().at(NOW),
            group_insurance: bank.insurance_fund().at(NOW),
        };
        let mut workspace = Workspace::largest();
        let Ok(plan) = plan_resolve_market(&view, &account.view(), &terms, &mut workspace.scratch()) else { return Ok(()) };
        let mut stored = account.clone();
        stored.edit().apply_market_resolution(slot, &plan);
        prop_assert_eq!(stored.held(), after(&account, &[plan.balance], &[(slot, plan.loss.after)]));
        resolved(&stored, &account, &plan.account)?;

        let mut ledger = market;
        ledger.apply_resolution(&plan, found_at);
        prop_assert_eq!(ledger.ledger(), market.ledger().after(&plan.loss.market));
        prop_assert_eq!((ledger.insurance_used, ledger.insurance_window_start), (plan.loss.market_insurance.used, NOW));
        prop_assert_eq!(ledger.halted_until, halt_after(halted, found_at));
        let mut ledger = bank;
        ledger.apply_group_part(&plan);
        prop_assert_eq!(ledger.ledger(), bank.ledger().after(&plan.bank));
        prop_assert_eq!(ledger.insurance_fund(), plan.loss.group_insurance);
        prop_assert!(ledger.invariant(ledger.tracked).is_ok());
    }

    /// A bank's part of a bankruptcy: the account with what it is marked with, and the bank.
    #[test]
    fn resolved_bank((account, bank) in (any_ruined(), any_bank()), owed in 1i64..1 << 30, found_at in NOW - 9_000..NOW, halted in NOW - 9_000..NOW) {
        let (mut account, mut bank) = (account, bank);
        (bank.index, bank.halted_until) = (1, halted);
        bank.borrow_shares += owed.unsigned_abs();
        bank.tracked = bank.ledger().owed();
        account.fixed.deficit_found_at = found_at;
        let slot = account.view().balance_slot(1).unwrap_or(1);
        account.edit().apply_legs(&[(slot, leg(1, -owed)), (0, leg(0, 0))], &[]);
        let rates = [bank.fresh_rate()];
        let view = book().with_rates(&rates);
        let terms = resolve_terms(&account, slot);
        let fund = bank.insurance_fund().at(NOW);
        let mut workspace = Workspace::largest();
        let Ok(plan) = plan_resolve_bank(&view, &account.view(), &terms, (&bank.ledger(), fund), &mut workspace.scratch()) else { return Ok(()) };
        let mut stored = account.clone();
        stored.edit().apply_bank_resolution(&plan);
        prop_assert_eq!(stored.held(), after(&account, &[plan.balance], &[]));
        resolved(&stored, &account, &plan.account)?;

        let mut ledger = bank;
        ledger.apply_resolution(&plan, found_at);
        prop_assert_eq!(ledger.ledger(), bank.ledger().after(&plan.bank));
        if let Some(loss) = &plan.loss {
            prop_assert_eq!(ledger.insurance_fund(), loss.insurance);
        }
        prop_assert_eq!(ledger.halted_until, halt_after(halted, found_at));
        prop_assert!(ledger.invariant(ledger.tracked).is_ok());
    }

    /// A finding of a deficit, on the account, the market and the bank: no halt is ever shortened.
    #[test]
    fn halts((market, bank) in (any_market(), any_bank()), found_at in 1i64..1 << 40, until in 0i64..1 << 40, halted in 0i64..1 << 40) {
        let halt = Halt { found_at, until };
        let (mut account, mut market, mut bank) = (rich(), market, bank);
        (market.halted_until, bank.halted_until) = (halted, halted);
        account.edit().apply_halt(halt);
        market.apply_halt(halt);
        bank.apply_halt(halt);
        prop_assert_eq!(account.fixed.deficit_found_at, found_at);
        prop_assert_eq!((market.halted_until, bank.halted_until), (until.max(halted), until.max(halted)));
    }

    /// Accrual of a bank, and what the book publishes of it.
    #[test]
    fn accrual(bank in any_bank(), elapsed in 0i64..40_000_000) {
        let terms = AccrualTerms { curve: bank.curve(), insurance_share: Ppm(100_000), now: bank.last_accrual + elapsed };
        let plan = plan_accrual(&bank.ledger(), bank.accruing(), &terms);
        let mut stored = bank;
        stored.apply_accrual(&plan);
        prop_assert_eq!(stored.ledger(), bank.ledger().after(&plan.change));
        prop_assert_eq!(stored.accruing(), plan.accruing);
        prop_assert!(stored.invariant(u64::MAX).is_ok());
        let mut entry = RateEntry::zeroed();
        entry.publish(&stored.ledger(), &stored.accruing());
        let published = (entry.deposit_index, entry.borrow_index, entry.borrow_rate, entry.updated);
        prop_assert_eq!(published, (stored.deposit_index, stored.borrow_index, stored.borrow_rate, stored.last_accrual));
        prop_assert_eq!((entry.total_deposits, entry.total_borrows), (stored.ledger().deposits(), stored.ledger().borrows()));
    }

    /// Funding of a market, and what the book publishes of it.
    #[test]
    fn funding(market in any_market(), skew in small(), rate in -(1i64 << 44)..1 << 44, elapsed in 0i64..7_200, then in 0i64..7_200) {
        let mut market = market;
        (market.last_accrual, market.skew_updated, market.funding_rate) = (NOW, NOW, rate);
        (market.skew_scale, market.max_funding, market.funding_velocity) = (1 << 30, 20_000, 100_000);
        market.set_skew(skew, NOW);
        market.set_skew(skew / 2, NOW + elapsed);
        let now = NOW + elapsed + then;
        let state = market.funding(now);
        let expected = i128::from(skew) * i128::from(elapsed) + i128::from(skew / 2) * i128::from(then);
        prop_assert_eq!(state.skew_integral, expected);
        let plan = plan_funding(&state, &market.funding_terms(mark(), now));
        let mut stored = market;
        stored.apply_funding(&plan, now);
        prop_assert_eq!(stored.funding(now), plan.after);
        // Both sides hold the same, so the ledger balances at the new carry as it did at the old.
        prop_assert!(stored.invariant().is_ok());
        let mut book = Box::new(*stored_book());
        book.publish_market(0, &stored.ledger());
        let entry = &book.instruments[0];
        prop_assert_eq!((entry.carry_long, entry.carry_short), (stored.carry_long, stored.carry_short));
        prop_assert_eq!((entry.keep_long, entry.keep_short, entry.open_interest), (stored.keep_long, stored.keep_short, stored.open_interest_long));
    }

    /// Outflow of a bank and of an account, and an account's auction clock.
    #[test]
    fn outflow_and_clock(bank in any_bank(), amount in 1u64..1 << 36, level in 0u64..1 << 40, small in 0u64..1 << 20, started in any::<u64>()) {
        let mut bank = bank;
        bank.outflow_share = 150_000;
        bank.halted_until = NOW + i64::from(started % 2 == 0);
        (bank.outflow_level, bank.outflow_updated) = (level, NOW - 5_000);
        (bank.small_level, bank.small_updated) = (small, NOW - 5_000);
        bank.bring_to_now(NOW);
        let mut account = rich();
        let exit = bank.exit(&account.fixed, stored_book(), NOW);
        prop_assert_eq!(exit.bank.halted, started % 2 == 0);
        prop_assert_eq!(exit.bank.ledger, bank.ledger());
        let out = Outgoing { bank: 0, amount, borrowed: 0, value: Some(Atoms(amount as i64)) };
        let left = exit.gate.let_out(&exit.terms, out);
        let queued = plan_ticket(exit.gate, &exit.terms, 0, u64::MAX - 1, amount);
        for gate in [left, queued].into_iter().flatten() {
            bank.apply_gate(&gate);
            account.edit().apply_ticket(&gate);
            prop_assert_eq!(bank.exit(&account.fixed, stored_book(), NOW).gate, gate);
        }
        let (before, terms) = (bank.outflow(), bank.outflow_terms(NOW));
        bank.take_inflow(amount, NOW);
        prop_assert_eq!(bank.outflow(), after_inflow(before, &terms, amount));

        let before = account.held();
        account.edit().apply_clock(AuctionClock { started });
        prop_assert_eq!(account.fixed.auction_clock().started, started);
        prop_assert_eq!(account.held(), before);
    }

    /// 7.5: whatever changes a bank's deposits, what it keeps of the day is never above the least of the
    /// last 24 h.
    #[test]
    fn least_deposits(bank in any_bank(), changes in prop::collection::vec((0i64..50_000, -(1i64 << 40)..1 << 40), 1..12)) {
        let mut bank = bank;
        let (mut now, mut history) = (NOW, vec![]);
        bank.last_accrual = NOW;
        bank.least_deposits_since = NOW;
        for (pause, shares) in changes {
            now += pause;
            bank.bring_to_now(now);
            history.push((now, bank.total_deposits()));
            let shares = shares.clamp(-(bank.deposit_shares as i64), 1 << 50);
            bank.apply(&BankChange { deposits: shares, ..BankChange::default() });
            history.push((now, bank.total_deposits()));
            let least = history.iter().filter(|(time, _)| *time > now - 86_400).map(|(_, total)| *total).min();
            prop_assert!(bank.outflow_terms(now).least_deposits <= least.unwrap());
        }
    }

    /// 4.4, 7.1: a bank's copy is what its ledger says, and a second copy is nothing new.
    #[test]
    fn published_bank(bank in any_bank(), weight in 0u32..=1_000_000, start in 0u64..1 << 50, elapsed in 0i64..100_000) {
        let mut bank = bank;
        (bank.init_asset_weight, bank.weight_scale_start) = (weight, start);
        bank.last_accrual = NOW - elapsed;
        bank.bring_to_now(NOW);
        let mut book = Box::new(*stored_book());
        book.publish_bank(&bank);
        prop_assert!(!book.publish_bank(&bank));
        let entry = &book.rates[0];
        let total = bank.total_deposits();
        prop_assert_eq!((entry.deposit_index, entry.borrow_index, entry.total_deposits), (bank.deposit_index, bank.borrow_index, total));
        prop_assert_eq!((entry.total_borrows, entry.borrow_rate, entry.updated), (bank.ledger().borrows(), bank.borrow_rate, NOW));
        prop_assert_eq!(entry.init_asset_weight, scaled_weight(Ppm(weight), total, start).0);
        let earned = u128::from(entry.deposit_rate) * u128::from(total);
        let paid = u128::from(bank.borrow_rate) * u128::from(bank.ledger().borrows());
        prop_assert!(earned <= paid && paid - earned <= u128::from(total));
    }

    /// 3.4, 2.6, 7.2: funding and open interest as they are published; a market on a stale price waits.
    #[test]
    fn published_market(market in any_market(), skew in small(), others in 0u64..1 << 20, soft_cap in 0i64..1 << 40, elapsed in 0i64..7_200, age in 0i64..120) {
        let mut market = market;
        (market.last_accrual, market.skew_updated, market.skew) = (NOW - elapsed, NOW - elapsed, skew);
        (market.skew_scale, market.max_funding, market.funding_velocity) = (1 << 20, 20_000, 100_000);
        market.asset = 1;
        let mut book = Box::new(*stored_book());
        book.instruments[1].open_interest = others;
        let asset = &mut book.assets[1];
        (asset.priced, asset.publish_time, asset.max_age_margin_s) = (1, NOW - age, 60);
        (asset.oi_soft_cap, asset.oi_slope) = (soft_cap, 500_000);
        let mut stored = market;
        let accrued = book.accrue_market(&mut stored, NOW);
        prop_assert_eq!(accrued.is_some(), age <= 60);
        if accrued.is_none() {
            prop_assert_eq!(bytemuck::bytes_of(&stored), bytemuck::bytes_of(&market));
            return Ok(());
        }
        prop_assert_eq!(book.accrue_market(&mut stored, NOW), Some(false));
        prop_assert!(stored.invariant().is_ok());
        prop_assert_eq!(book.instruments[0].carry_long, stored.carry_long);
        book.publish_open_interest(1 << 1);
        prop_assert!(!book.publish_open_interest(1 << 1));
        let lots = market.open_interest_long + others;
        prop_assert_eq!(book.assets[1].open_interest, lots);
        let held = keel_risk::num::value_ceil(Lots(lots as i64), mark());
        let factor = open_interest_factor(held, Atoms(soft_cap), Ppm(500_000));
        prop_assert_eq!(book.assets[1].oi_factor, factor.0);
    }
}
