//! One refusal at least per error of the program, each by name and number, on the bytecode.

use core::mem::offset_of;

use anchor_lang::prelude::Pubkey;
use anchor_spl::token_2022;
use keel::errors::KeelError;
use keel_sdk::address;
use keel_sdk::instruction::{self, TakenLeg};
use keel_sdk::{AssetChoice, BankArgs, OrderArgs, PriceSlot, SourceArgs};
use keel_state::{Balance, Bank, Market, RISK_BOOK_BYTES, SourceKind};
use keel_tests::{Asset, Failure, PriceUpdate, Sent, Trader, World, account, code, expect_error};
use keel_tests::{keypair, market};
use solana_signer::Signer;

use crate::legacy::{self, Legacy};
use crate::unreached::UNREACHED;

type Refused = Result<Sent, Failure>;

/// Declares tests that must be refused, and the table of errors that they cover.
macro_rules! refusals {
    ($($(#[$meta:meta])* $name:ident => $error:ident, |$world:ident| $body:block)+) => {
        $(
            $(#[$meta])*
            #[test]
            fn $name() {
                fn attempt($world: &mut World) -> Refused $body
                let mut world = World::new().expect("a world");
                expect_error(attempt(&mut world), KeelError::$error);
            }
        )+

        /// Errors that a test of this file expects, by name and number.
        const COVERED: &[(&str, KeelError)] = &[$((stringify!($error), KeelError::$error),)+];
    };
}

fn owner_and(world: &mut World, usdc: u64) -> Trader {
    world.trader_with(usdc).expect("a trader")
}

/// A trader and a pool with five million.
fn trading(world: &mut World, usdc: u64) -> Trader {
    world.provide(5_000_000).expect("liquidity");
    owner_and(world, usdc)
}

fn order(
    world: &mut World,
    trader: &Trader,
    asset: Asset,
    change: impl FnOnce(&mut OrderArgs),
) -> Refused {
    let keys = world.trade_keys(trader, &[asset]);
    let mut args = world.order(&[1_000]);
    change(&mut args);
    let open = instruction::open_position(&world.keys, &keys, args);
    world.send(open, &[&trader.key])
}

/// Relays an update of SOL that differs from a sound one.
fn relay(world: &mut World, change: impl FnOnce(&mut PriceUpdate, i64)) -> Refused {
    world.vm.pass(100);
    let now = world.vm.now();
    let feed = world.feed(Asset::Sol);
    let mut update = PriceUpdate::of(feed, 15_600_000_000, 7_800_000, now);
    change(&mut update, now);
    world.post(Asset::Sol, &update);
    world.relay(&[Asset::Sol])
}

fn relay_bytes(world: &mut World, change: impl FnOnce(&mut Vec<u8>)) -> Refused {
    world.vm.pass(1);
    let feed = world.feed(Asset::Sol);
    let mut bytes = PriceUpdate::of(feed, 15_600_000_000, 0, world.vm.now()).to_bytes();
    change(&mut bytes);
    let owner = keel_migrations::feeds::PYTH_RECEIVER;
    world.post_bytes(Asset::Sol, owner, bytes);
    world.relay(&[Asset::Sol])
}

/// A world with a change to its configuration, in place of the standard one.
fn replace(world: &mut World, change: impl FnOnce(&mut keel_migrations::GroupConfig)) {
    *world = World::with(change).expect("a world");
}

/// Writes one field of a bank or market, counted from behind the discriminator.
fn forge(world: &mut World, address: Pubkey, field: usize, bytes: &[u8]) {
    world.patch(address, 8 + field, bytes);
}

/// A trader hedged across assets: long $120,000 of BTC, short $80,000 of SOL, with 12,000 USDC.
fn hedged(world: &mut World) -> Trader {
    let trader = trading(world, 12_000);
    let keys = world.trade_keys(&trader, &[Asset::Btc, Asset::Sol]);
    let args = world.order(&[187_500, -510_200]);
    let open = instruction::open_position(&world.keys, &keys, args);
    world.send(open, &[&trader.key]).expect("hedged");
    trader
}

/// A trader far below Maintenance in SOL, and one who may liquidate him.
fn underwater(world: &mut World) -> (Trader, Trader) {
    let trader = trading(world, 10_000);
    world.open(&trader, Asset::Sol, 350_000).expect("open");
    let liquidator = owner_and(world, 1_000_000);
    world
        .move_prices([1.0, 138.0, 64_000.0, 3_400.0])
        .expect("prices");
    (trader, liquidator)
}

/// A source of the legacy kind pinned at key 300.
fn legacy_source() -> SourceArgs {
    SourceArgs {
        kind: SourceKind::PythLegacy as u8,
        owner: Pubkey::new_from_array([5; 32]),
        feed: keypair(300).pubkey().to_bytes(),
    }
}

fn relay_legacy(world: &mut World, seed: u64, change: impl FnOnce(&mut Legacy)) -> Refused {
    use pyth_sdk_solana::state::{AccountType, MAGIC, PriceStatus, VERSION_2};
    replace(world, |config| {
        config.tokens[1].asset.sources[1] = legacy_source();
    });
    let mut price = Legacy {
        magic: MAGIC,
        ver: VERSION_2,
        atype: AccountType::Price as u32,
        expo: -8,
        timestamp: world.vm.now(),
        ..Legacy::default()
    };
    price.agg.price = 15_600_000_000;
    price.agg.status = PriceStatus::Trading;
    price.agg.pub_slot = world.vm.slot();
    change(&mut price);
    let address = keypair(seed).pubkey();
    let bytes = legacy::bytes_of(&price);
    world
        .vm
        .set_account(address, account(legacy_source().owner, bytes));
    let slot = PriceSlot {
        asset: 1,
        source: 1,
    };
    let relay = instruction::update_prices(&world.keys, &[(slot, address)], true);
    world.send(relay, &[])
}

refusals! {
    // Who signs, and which accounts belong together.
    a_stranger_cannot_list_a_bank => NotAdmin, |world| {
        let token = world.mint(500, 9);
        let args = world.bank_args(AssetChoice::New(world.asset_args(9)));
        let stranger = world.wallet_key(501);
        let payer = world.vm.payer.pubkey();
        let create =
            instruction::create_bank(&world.keys, payer, stranger.pubkey(), token, args);
        world.send(create, &[&stranger])
    }
    a_stranger_cannot_list_a_market => NotAdmin, |world| {
        let stranger = world.wallet_key(501);
        let payer = world.vm.payer.pubkey();
        let args = world.market_args(3, AssetChoice::Listed(1));
        let create = instruction::create_market(&world.keys, payer, stranger.pubkey(), args);
        world.send(create, &[&stranger])
    }
    a_stranger_cannot_create_a_pool => NotAdmin, |world| {
        let stranger = world.wallet_key(501);
        let payer = world.vm.payer.pubkey();
        let program = anchor_spl::token::ID;
        let args = world.pool_args(1);
        let create =
            instruction::create_pool(&world.keys, payer, stranger.pubkey(), program, args);
        world.send(create, &[&stranger])
    }
    a_stranger_cannot_withdraw => NotOwner, |world| {
        let victim = owner_and(world, 1_000);
        let thief = owner_and(world, 1);
        let token = world.token(Asset::Usdc);
        let steal = instruction::withdraw(&world.keys, thief.owner(), victim.margin, token, 1);
        world.send(steal, &[&thief.key])
    }
    the_administrator_cannot_withdraw_for_a_trader => NotOwner, |world| {
        let victim = owner_and(world, 1_000);
        let admin = world.admin.insecure_clone();
        world.give(admin.pubkey(), Asset::Usdc, 0);
        let token = world.token(Asset::Usdc);
        let steal = instruction::withdraw(&world.keys, admin.pubkey(), victim.margin, token, 1);
        world.send(steal, &[&admin])
    }
    a_stranger_cannot_trade_for_an_account => NotOwner, |world| {
        let victim = trading(world, 10_000);
        let mut keys = world.trade_keys(&victim, &[Asset::Sol]);
        let thief = world.wallet_key(501);
        keys.authority = thief.pubkey();
        let args = world.order(&[1_000]);
        let open = instruction::open_position(&world.keys, &keys, args);
        world.send(open, &[&thief])
    }
    a_stranger_cannot_load_a_position_onto_an_account_by_liquidating => NotOwner, |world| {
        let (trader, rich) = underwater(world);
        let thief = world.wallet_key(501);
        let liquidate = instruction::liquidate(
            &world.keys,
            thief.pubkey(),
            trader.margin,
            rich.margin,
            TakenLeg::Position {
                market: market(Asset::Sol),
            },
            1_000,
        );
        world.send(liquidate, &[&thief])
    }
    an_account_of_another_group_is_not_judged_by_this_book => OtherGroup, |world| {
        let trader = owner_and(world, 1_000);
        let other = world.second_group(2).expect("a second group");
        let view = instruction::view_margin(&other, trader.margin, 0);
        world.send(view, &[])
    }
    a_book_of_another_group_is_not_taken => WrongRiskBook, |world| {
        let other = world.second_group(2).expect("a second group");
        let keys = keel_sdk::instruction::GroupKeys { risk_book: other.risk_book, ..world.keys };
        let (payer, admin) = (world.vm.payer.pubkey(), world.admin.insecure_clone());
        let args = world.market_args(3, AssetChoice::Listed(1));
        let create = instruction::create_market(&keys, payer, admin.pubkey(), args);
        world.send(create, &[&admin])
    }
    a_book_of_another_group_pays_nothing_out => OtherGroup, |world| {
        let trader = owner_and(world, 1_000);
        let other = world.second_group(2).expect("a second group");
        let keys = keel_sdk::instruction::GroupKeys { risk_book: other.risk_book, ..world.keys };
        let token = world.token(Asset::Usdc);
        let withdraw = instruction::withdraw(&keys, trader.owner(), trader.margin, token, 1);
        world.send(withdraw, &[&trader.key])
    }
    a_risk_book_of_another_length_is_refused => WrongRiskBookLength, |world| {
        let book = world.blank_book(600, RISK_BOOK_BYTES + 8);
        let (payer, admin) = (world.vm.payer.pubkey(), world.admin.insecure_clone());
        let mint = world.token(Asset::Usdc).mint;
        let args = world.group_args(7);
        let create = instruction::create_group(payer, admin.pubkey(), book, mint, args);
        world.send(create, &[&admin])
    }
    a_quote_of_nine_decimals_is_refused => WrongQuoteDecimals, |world| {
        let book = world.blank_book(600, RISK_BOOK_BYTES);
        let (payer, admin) = (world.vm.payer.pubkey(), world.admin.insecure_clone());
        let mint = world.token(Asset::Sol).mint;
        let args = world.group_args(7);
        let create = instruction::create_group(payer, admin.pubkey(), book, mint, args);
        world.send(create, &[&admin])
    }
    the_first_bank_must_be_the_quotes => QuoteBankFirst, |world| {
        world.keys = world.groups_first_steps(2, 1).expect("a bare group");
        let token = world.token(Asset::Sol);
        let args = BankArgs {
            init_asset_weight: 1_000_000,
            maint_asset_weight: 1_000_000,
            init_liab_weight: 1_000_000,
            maint_liab_weight: 1_000_000,
            ..world.bank_args(AssetChoice::New(world.asset_args(9)))
        };
        world.list_bank(token, args)
    }
    a_market_needs_the_quote_bank_first => QuoteBankFirst, |world| {
        world.keys = world.groups_first_steps(2, 1).expect("a bare group");
        let args = world.market_args(0, AssetChoice::New(world.asset_args(9)));
        world.list_market(args)
    }
    the_quotes_weights_must_be_one => QuoteWeightNotOne, |world| {
        world.keys = world.groups_first_steps(2, 1).expect("a bare group");
        let token = world.token(Asset::Usdc);
        let args = world.bank_args(AssetChoice::New(world.asset_args(6)));
        world.list_bank(token, args)
    }
    no_market_is_made_on_the_quote => QuoteHasNoMarket, |world| {
        let args = world.market_args(3, AssetChoice::Listed(0));
        world.list_market(args)
    }
    liquidity_is_not_taken_in_by_another_bank => NotTheQuoteBank, |world| {
        let key = world.provider(10);
        world.request_provide(&key, 10_000_000, 0)?;
        let (quote, sol) = (world.token(Asset::Usdc), world.token(Asset::Sol));
        let mut provide = instruction::provide_liquidity(
            &world.keys, key.pubkey(), world.pool, quote,
        );
        let bank = address::bank(&world.keys.group, &sol.mint);
        let request = address::provide_request(&world.pool, &key.pubkey());
        let mut escrow = world.vm.account(&address::escrow(&request)).expect("an escrow");
        escrow.data[..32].copy_from_slice(sol.mint.as_ref());
        world.vm.set_account(address::escrow(&request), escrow);
        for (at, key) in [(4, bank), (5, address::vault(&bank)), (6, sol.mint)] {
            provide.accounts[at].pubkey = key;
        }
        world.send(provide, &[])
    }
    a_full_book_takes_no_more_assets => BookFull, |world| {
        for index in 3..31 {
            let args = world.market_args(index, AssetChoice::New(world.asset_args(9)));
            world.list_market(args)?;
        }
        let args = world.market_args(31, AssetChoice::New(world.asset_args(9)));
        world.list_market(args)
    }
    a_full_book_takes_no_more_markets => BookFull, |world| {
        for index in 3..128 {
            let args = world.market_args(index, AssetChoice::Listed(1));
            world.list_market(args)?;
        }
        let args = world.market_args(128, AssetChoice::Listed(1));
        world.list_market(args)
    }
    an_asset_that_is_not_listed_has_no_price => NoSuchAsset, |world| {
        let slot = PriceSlot { asset: 4, source: 0 };
        let update = instruction::update_prices(
            &world.keys, &[(slot, world.price_accounts[1])], false,
        );
        world.send(update, &[])
    }
    no_market_is_made_on_an_asset_that_is_not_listed => NoSuchAsset, |world| {
        let args = world.market_args(3, AssetChoice::Listed(4));
        world.list_market(args)
    }
    a_source_that_is_not_configured_gives_no_price => NoSuchSource, |world| {
        let slot = PriceSlot { asset: 1, source: 1 };
        let update = instruction::update_prices(
            &world.keys, &[(slot, world.price_accounts[1])], false,
        );
        world.send(update, &[])
    }
    an_asset_without_a_source_is_not_listed => NoSuchSource, |world| {
        let mut asset = world.asset_args(9);
        asset.sources[0].kind = SourceKind::None as u8;
        let args = world.market_args(3, AssetChoice::New(asset));
        world.list_market(args)
    }
    an_unknown_kind_of_source_is_not_listed => NoSuchSource, |world| {
        let mut asset = world.asset_args(9);
        asset.sources[1].kind = 200;
        let args = world.market_args(3, AssetChoice::New(asset));
        world.list_market(args)
    }
    two_mints_do_not_share_an_asset => AssetHasBank, |world| {
        let token = world.mint(500, 9);
        let args = world.bank_args(AssetChoice::Listed(1));
        world.list_bank(token, args)
    }
    a_mint_of_other_decimals_than_the_assets_is_refused => WrongTokenDecimals, |world| {
        let token = world.mint(500, 5);
        let args = world.bank_args(AssetChoice::New(world.asset_args(9)));
        world.list_bank(token, args)
    }
    a_markets_index_is_the_next_one => WrongMarketIndex, |world| {
        let args = world.market_args(7, AssetChoice::Listed(1));
        world.list_market(args)
    }
    a_pools_id_is_the_next_one => WrongPoolId, |world| {
        let args = world.pool_args(5);
        world.list_pool(args)
    }
    a_pool_factor_below_one_is_refused => ParameterOutOfRange, |world| {
        let args = keel_sdk::PoolArgs { pool_factor: 999_999, ..world.pool_args(1) };
        world.list_pool(args)
    }
    a_mint_whose_tokens_can_be_taken_away_is_refused => MintExtensionNotAccepted, |world| {
        let mut token = world.mint(500, 9);
        token.program = token_2022::ID;
        let mut mint = world.vm.account(&token.mint).expect("a mint");
        // Padding to the length of a token account, the mint's tag, then the extension: permanent
        // delegate, 32 bytes.
        mint.data.resize(165, 0);
        mint.data.extend([1, 12, 0, 32, 0]);
        mint.data.extend([9; 32]);
        mint.owner = token_2022::ID;
        world.vm.set_account(token.mint, mint);
        let args = world.bank_args(AssetChoice::New(world.asset_args(9)));
        world.list_bank(token, args)
    }
    a_margin_account_without_its_last_byte_is_refused => AccountTruncated, |world| {
        let trader = owner_and(world, 1_000);
        let mut cut = world.vm.account(&trader.margin).expect("an account");
        cut.data.pop();
        world.vm.set_account(trader.margin, cut);
        let view = instruction::view_margin(&world.keys, trader.margin, 0);
        world.send(view, &[])
    }
    an_account_cannot_liquidate_itself => SameAccount, |world| {
        let (trader, _) = underwater(world);
        world.liquidate(&trader, trader.margin, Asset::Sol, 1_000)
    }
    a_market_is_not_traded_twice_in_one_order => DuplicateLedger, |world| {
        let trader = trading(world, 10_000);
        let keys = world.trade_keys(&trader, &[Asset::Sol, Asset::Sol]);
        let args = world.order(&[1_000, 1_000]);
        let open = instruction::open_position(&world.keys, &keys, args);
        world.send(open, &[&trader.key])
    }
    an_order_names_one_market_per_leg => WrongAccountCount, |world| {
        let trader = trading(world, 10_000);
        let keys = world.trade_keys(&trader, &[Asset::Sol, Asset::Btc]);
        let args = world.order(&[1_000]);
        let open = instruction::open_position(&world.keys, &keys, args);
        world.send(open, &[&trader.key])
    }
    a_check_needs_its_banks => WrongAccountCount, |world| {
        let mints = [world.token(Asset::Usdc).mint];
        let mut check = instruction::check_conservation(&world.keys, &mints, &[]);
        check.accounts.pop();
        world.send(check, &[])
    }
    an_order_without_legs_is_refused => WrongLegCount, |world| {
        let trader = trading(world, 10_000);
        let keys = world.trade_keys(&trader, &[]);
        let args = world.order(&[]);
        let open = instruction::open_position(&world.keys, &keys, args);
        world.send(open, &[&trader.key])
    }
    an_order_of_nine_legs_is_refused => WrongLegCount, |world| {
        let trader = trading(world, 10_000);
        let keys = world.trade_keys(&trader, &[Asset::Sol; 9]);
        let args = world.order(&[1_000; 9]);
        let open = instruction::open_position(&world.keys, &keys, args);
        world.send(open, &[&trader.key])
    }
    another_banks_vault_is_refused => WrongVault, |world| {
        let trader = owner_and(world, 1_000);
        world.give(trader.owner(), Asset::Usdc, 10);
        let (token, sol) = (world.token(Asset::Usdc), world.token(Asset::Sol));
        let bank = address::bank(&world.keys.group, &sol.mint);
        let mut deposit =
            instruction::deposit(&world.keys, trader.owner(), trader.margin, token, 1);
        deposit.accounts[4].pubkey = address::vault(&bank);
        world.send(deposit, &[&trader.key])
    }
    another_mint_is_refused => WrongMint, |world| {
        let trader = owner_and(world, 1_000);
        world.give(trader.owner(), Asset::Usdc, 10);
        let (token, sol) = (world.token(Asset::Usdc), world.token(Asset::Sol));
        let mut deposit =
            instruction::deposit(&world.keys, trader.owner(), trader.margin, token, 1);
        deposit.accounts[5].pubkey = sol.mint;
        world.send(deposit, &[&trader.key])
    }
    a_trader_cannot_stand_in_for_the_pool => WrongPoolMargin, |world| {
        let trader = trading(world, 10_000);
        let friend = owner_and(world, 1_000_000);
        let keys = world.trade_keys(&trader, &[Asset::Sol]);
        let args = world.order(&[1_000]);
        let mut open = instruction::open_position(&world.keys, &keys, args);
        open.accounts[4].pubkey = friend.margin;
        world.send(open, &[&trader.key])
    }
    nobody_deposits_into_the_pools_account => NotATrader, |world| {
        world.provide(1_000).expect("liquidity");
        let trader = owner_and(world, 1_000);
        world.give(trader.owner(), Asset::Usdc, 10);
        let margin = address::pool_margin(&world.keys.group, &world.pool);
        let token = world.token(Asset::Usdc);
        let deposit = instruction::deposit(&world.keys, trader.owner(), margin, token, 1);
        world.send(deposit, &[&trader.key])
    }
    the_pool_is_not_liquidated => NotATrader, |world| {
        let (_, liquidator) = underwater(world);
        let margin = address::pool_margin(&world.keys.group, &world.pool);
        world.liquidate(&liquidator, margin, Asset::Sol, 1_000)
    }
    a_deposit_of_nothing_is_refused => ZeroAmount, |world| {
        let trader = owner_and(world, 1_000);
        world.deposit(&trader, Asset::Usdc, 0)
    }
    a_withdrawal_of_nothing_is_refused => ZeroAmount, |world| {
        let trader = owner_and(world, 1_000);
        world.withdraw(&trader, Asset::Usdc, 0)
    }
    a_provision_of_nothing_is_refused => ZeroAmount, |world| {
        world.provide(0).map(|(_, sent)| sent)
    }
    a_stranger_cannot_open_a_balance_in_an_account => OnlyOwnerOpensSlot, |world| {
        let trader = owner_and(world, 1_000);
        let stranger = world.wallet_key(501);
        world.give(stranger.pubkey(), Asset::Sol, 10);
        let token = world.token(Asset::Sol);
        let deposit =
            instruction::deposit(&world.keys, stranger.pubkey(), trader.margin, token, 10);
        world.send(deposit, &[&stranger])
    }
    /// Sixteen assets cannot be held, so the balances are forged: used, of other banks, empty.
    a_seventeenth_balance_is_refused => NoFreeBalanceSlot, |world| {
        let trader = owner_and(world, 1_000);
        for slot in 1..16usize {
            let at = offset_of!(keel_state::MarginAccount, balances) + slot * size_of::<Balance>();
            forge(world, trader.margin, at, &[1, 16 + slot as u8]);
        }
        world.deposit(&trader, Asset::Sol, 10)
    }
    a_seventeenth_position_is_refused => NoFreePositionSlot, |world| {
        let trader = trading(world, 100_000);
        for index in 3..17 {
            let args = world.market_args(index, AssetChoice::Listed(1));
            world.list_market(args)?;
        }
        let open = |world: &mut World, index: u8| {
            let mut keys = world.trade_keys(&trader, &[]);
            keys.markets = vec![index];
            let args = world.order(&[1_000]);
            let open = instruction::open_position(&world.keys, &keys, args);
            world.send(open, &[&trader.key])
        };
        for index in 0..16 {
            // Market 1 is of BTC and market 2 of ETH, with smaller lots.
            let size = [1_000, 2_000, 1_000].get(usize::from(index)).copied().unwrap_or(1_000);
            let mut keys = world.trade_keys(&trader, &[]);
            keys.markets = vec![index];
            let args = world.order(&[size]);
            let order = instruction::open_position(&world.keys, &keys, args);
            world.send(order, &[&trader.key])?;
        }
        open(world, 16)
    }
    an_order_expires => OrderExpired, |world| {
        let trader = trading(world, 10_000);
        let now = world.vm.now();
        order(world, &trader, Asset::Sol, |args| args.valid_until = now - 1)
    }
    an_order_for_a_changed_account_is_refused => SequenceChanged, |world| {
        let trader = trading(world, 10_000);
        order(world, &trader, Asset::Sol, |args| args.expected_seq = Some(1))
    }

    // Prices: the whole matrix is in `prices`.
    a_strict_relay_wants_newer_prices => PriceNotNewer, |world| {
        let account = world.price_accounts[1];
        let update =
            instruction::update_prices(&world.keys, &[(Asset::Sol.slot(), account)], true);
        world.send(update, &[])
    }
    a_price_account_of_another_program_is_refused => WrongPriceOwner, |world| {
        world.post_bytes(Asset::Sol, keel::ID, vec![0; 134]);
        world.relay(&[Asset::Sol])
    }
    a_legacy_price_at_another_address_is_refused => WrongPriceAccount, |world| {
        relay_legacy(world, 301, |_| {})
    }
    a_short_price_account_is_refused => WrongPriceLength, |world| {
        relay_bytes(world, |bytes| bytes.truncate(133))
    }
    an_account_of_another_kind_is_no_price => WrongPriceDiscriminator, |world| {
        relay_bytes(world, |bytes| bytes[3] ^= 1)
    }
    a_partially_verified_price_is_refused => PriceNotFullyVerified, |world| {
        relay_bytes(world, |bytes| bytes[40] = 0)
    }
    a_price_of_another_feed_is_refused => WrongFeed, |world| {
        relay(world, |update, _| update.feed[0] ^= 1)
    }
    a_legacy_price_that_does_not_trade_is_refused => LegacyPriceNotTrading, |world| {
        relay_legacy(world, 300, |price| {
            price.agg.status = pyth_sdk_solana::state::PriceStatus::Unknown;
        })
    }
    a_legacy_price_of_old_slots_is_refused => LegacyPriceTooManySlots, |world| {
        relay_legacy(world, 300, |price| price.agg.pub_slot -= 26)
    }

    // Ledgers that do not balance: no instruction leaves one so, hence the bytes are forged.
    a_bank_that_lost_an_atom_stops => BankOutOfBalance, |world| {
        let trader = owner_and(world, 1_000);
        let bank = address::bank(&world.keys.group, &world.token(Asset::Usdc).mint);
        let short = 999_999_999u64;
        forge(world, bank, offset_of!(Bank, tracked), &short.to_le_bytes());
        world.deposit(&trader, Asset::Usdc, 5)
    }
    a_vault_that_lost_its_tokens_stops_deposits => VaultShort, |world| {
        let trader = owner_and(world, 1_000);
        let bank = address::bank(&world.keys.group, &world.token(Asset::Usdc).mint);
        world.patch(address::vault(&bank), 64, &0u64.to_le_bytes());
        world.deposit(&trader, Asset::Usdc, 5)
    }
    a_vault_that_lost_its_tokens_stops_withdrawals => VaultShort, |world| {
        let trader = owner_and(world, 1_000);
        let bank = address::bank(&world.keys.group, &world.token(Asset::Usdc).mint);
        world.patch(address::vault(&bank), 64, &0u64.to_le_bytes());
        world.withdraw(&trader, Asset::Usdc, 5)
    }
    a_market_with_an_atom_too_much_stops => MarketOutOfBalance, |world| {
        let trader = trading(world, 10_000);
        let at = address::market(&world.keys.group, market(Asset::Sol));
        forge(world, at, offset_of!(Market, fees), &1i64.to_le_bytes());
        world.open(&trader, Asset::Sol, 1_000)
    }
    a_market_with_a_lot_too_many_stops => OpenInterestUneven, |world| {
        let trader = trading(world, 10_000);
        let at = address::market(&world.keys.group, market(Asset::Sol));
        forge(world, at, offset_of!(Market, open_interest_long), &1u64.to_le_bytes());
        world.open(&trader, Asset::Sol, 1_000)
    }

    // On the merits.
    a_price_of_zero_is_refused => PriceNotPositive, |world| {
        relay(world, |update, _| update.price = 0)
    }
    a_positive_exponent_is_refused => ExponentOutOfRange, |world| {
        relay(world, |update, _| update.exponent = 1)
    }
    a_confidence_above_a_fifth_is_refused => ConfidenceTooWide, |world| {
        relay(world, |update, _| update.conf = 3_120_000_001)
    }
    an_old_price_is_refused => PriceTooOld, |world| {
        relay(world, |update, now| update.publish_time = now - 61)
    }
    a_price_from_the_far_future_is_refused => PriceTooEarly, |world| {
        relay(world, |update, now| update.publish_time = now + 61)
    }
    a_price_without_a_bit_left_is_refused => PriceBelowUnit, |world| {
        relay(world, |update, _| (update.price, update.conf, update.exponent) = (1, 0, -12))
    }
    a_price_above_the_unit_is_refused => PriceAboveUnit, |world| {
        relay(world, |update, _| (update.price, update.conf, update.exponent) = (i64::MAX, 0, 0))
    }
    a_range_that_no_unit_serves_is_not_listed => PriceRangeTooWide, |world| {
        let mut asset = world.asset_args(9);
        asset.high_price_e8 = u64::MAX;
        let args = world.market_args(3, AssetChoice::New(asset));
        world.list_market(args)
    }
    a_lot_below_a_cent_is_not_listed => LotTooSmall, |world| {
        let mut asset = world.asset_args(9);
        asset.lot_decimals = 4;
        let args = world.market_args(3, AssetChoice::New(asset));
        world.list_market(args)
    }
    an_asset_whose_charges_are_too_steep_is_not_listed => ChargesTooSteep, |world| {
        let mut asset = world.asset_args(9);
        asset.concentration_cap = 1_200_000;
        let args = world.market_args(3, AssetChoice::New(asset));
        world.list_market(args)
    }
    nothing_is_opened_at_an_old_price => PriceUnfit, |world| {
        let trader = trading(world, 10_000);
        world.vm.pass(11);
        world.open(&trader, Asset::Sol, 1_000)
    }
    an_order_of_no_lots_is_refused => ZeroSize, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 0)
    }
    an_order_beyond_all_bounds_is_refused => TooLarge, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, i64::MAX)
    }
    the_most_negative_order_is_refused => TooLarge, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, i64::MIN)
    }
    a_leg_above_seventy_million_is_refused => LegTooLarge, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Btc, 120_000_000)
    }
    closing_what_is_not_held_is_refused => NotReducing, |world| {
        let trader = trading(world, 10_000);
        world.close(&trader, Asset::Sol, -1_000)
    }
    closing_does_not_cross_zero => NotReducing, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 1_000)?;
        world.close(&trader, Asset::Sol, -1_001)
    }
    closing_a_hedge_that_carries_the_account_is_refused => NotRiskReducing, |world| {
        let trader = hedged(world);
        world.close(&trader, Asset::Sol, 510_200)
    }
    an_order_below_the_smallest_is_refused => BelowMinSize, |world| {
        replace(world, |config| config.markets[0].min_size = 1_001);
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 1_000)
    }
    dust_is_not_opened => BelowMinNotional, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 10)
    }
    a_limit_price_is_kept => BeyondLimit, |world| {
        let trader = trading(world, 10_000);
        order(world, &trader, Asset::Sol, |args| args.legs[0].limit_price = 1)
    }
    a_fill_far_from_the_mark_is_refused => BeyondSlip, |world| {
        replace(world, |config| config.markets[1].base_spread = 50_000);
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Btc, 10_000)
    }
    open_interest_is_capped => OpenInterestCap, |world| {
        replace(world, |config| config.markets[0].open_interest_cap = 999);
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 1_000)
    }
    a_ninth_asset_is_refused => TooManyAssets, |world| {
        let trader = trading(world, 10_000);
        for asset in Asset::TRADED {
            world.deposit(&trader, asset, 1_000)?;
        }
        let owner = trader.owner();
        let mut last = None;
        for seed in 0..6 {
            let token = world.mint(700 + seed, 9);
            let args = world.bank_args(AssetChoice::New(world.asset_args(9)));
            world.list_bank(token, args)?;
            let template = world.token(Asset::Sol).account_of(&owner);
            let mut source = world.vm.account(&template).expect("a token account");
            source.data[..32].copy_from_slice(token.mint.as_ref());
            source.data[64..72].copy_from_slice(&1_000u64.to_le_bytes());
            world.vm.set_account(token.account_of(&owner), source);
            let deposit = instruction::deposit(&world.keys, owner, trader.margin, token, 1_000);
            let sent = world.send(deposit, &[&trader.key]);
            if seed < 5 {
                sent?;
            } else {
                last = Some(sent);
            }
        }
        last.expect("the ninth")
    }
    opening_more_than_initial_allows_is_refused => BelowInitial, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 500_000)
    }
    withdrawing_what_initial_needs_is_refused => BelowInitial, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 300_000)?;
        world.withdraw(&trader, Asset::Usdc, 9_000_000_000)
    }
    an_account_of_four_dollars_does_not_open => BelowMinEquity, |world| {
        let trader = trading(world, 4);
        world.open(&trader, Asset::Sol, 100)
    }
    a_bank_at_its_cap_takes_no_more => DepositCap, |world| {
        replace(world, |config| config.tokens[1].deposit_cap = 100);
        let trader = owner_and(world, 1_000);
        world.deposit(&trader, Asset::Sol, 101)
    }
    what_was_never_deposited_is_not_withdrawn => NothingToWithdraw, |world| {
        let trader = owner_and(world, 1_000);
        world.withdraw(&trader, Asset::Sol, 1)
    }
    more_than_the_deposit_is_not_withdrawn => InsufficientDeposit, |world| {
        let trader = owner_and(world, 1_000);
        world.withdraw(&trader, Asset::Usdc, 1_000_000_001)
    }
    nothing_is_provided_to_a_pool_without_equity => PoolInsolvent, |world| {
        world.provide(10_000).expect("liquidity");
        let trader = owner_and(world, 10_000);
        world.open(&trader, Asset::Sol, 100_000)?;
        // The pool is judged where it is worth most: the stable price has to follow.
        world.hold_prices([1.0, 400.0, 64_000.0, 3_400.0], 240)?;
        world.provide(10_000).map(|(_, sent)| sent)
    }
    a_first_provision_below_the_locked_shares_is_refused => TooFewShares, |world| {
        world.provide(1).map(|(_, sent)| sent)
    }
    a_provider_gets_the_shares_he_asked_for_or_none => TooFewShares, |world| {
        world.provide(1_000).expect("liquidity");
        let key = world.provider(1);
        world.request_provide(&key, 1_000_000, 1_000_001)?;
        world.execute_provide(key.pubkey())
    }
    a_pool_at_its_cap_takes_no_more => PoolCap, |world| {
        replace(world, |config| config.pool.equity_cap = 1_000_000_000);
        world.provide(1_001).map(|(_, sent)| sent)
    }
    a_pool_does_not_fill_beyond_its_margin => PoolBelowMargin, |world| {
        world.provide(1_000).expect("liquidity");
        let trader = owner_and(world, 100_000);
        world.open(&trader, Asset::Sol, 100_000)
    }
    a_pool_does_not_fill_beyond_its_share_of_an_asset => PoolAssetCap, |world| {
        replace(world, |config| config.pool.asset_cap = 100_000_000);
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 1_000)
    }
    a_healthy_account_is_not_liquidated => NotLiquidatable, |world| {
        let trader = trading(world, 10_000);
        world.open(&trader, Asset::Sol, 300_000)?;
        let liquidator = owner_and(world, 100_000);
        world.liquidate(&liquidator, trader.margin, Asset::Sol, 1_000)
    }
    a_leg_that_is_not_there_is_not_liquidated => NothingToLiquidate, |world| {
        let (trader, liquidator) = underwater(world);
        world.liquidate(&liquidator, trader.margin, Asset::Eth, 1_000)
    }
    a_deposit_is_not_taken_while_the_position_is_open => NothingToLiquidate, |world| {
        let (trader, liquidator) = underwater(world);
        world.liquidate_with(&liquidator, trader.margin, Asset::Sol, Some(Asset::Usdc), 1_000)
    }
    a_liquidator_cannot_break_a_hedge => BreaksHedge, |world| {
        let trader = hedged(world);
        let liquidator = owner_and(world, 1_000_000);
        world.move_prices([1.0, 172.5, 64_000.0, 3_400.0])?;
        world.liquidate(&liquidator, trader.margin, Asset::Sol, u64::MAX)
    }
    a_small_leg_is_taken_whole => TakeWhole, |world| {
        let trader = trading(world, 20);
        world.open(&trader, Asset::Sol, 700)?;
        let liquidator = owner_and(world, 1_000);
        world.move_prices([1.0, 138.0, 64_000.0, 3_400.0])?;
        world.liquidate(&liquidator, trader.margin, Asset::Sol, 699)
    }
}

#[test]
fn a_vault_is_neither_paid_from_itself_nor_to_itself() {
    let mut world = World::new().expect("a world");
    let trader = owner_and(&mut world, 1_000);
    let token = world.token(Asset::Usdc);
    let mut deposit = instruction::deposit(&world.keys, trader.owner(), trader.margin, token, 1);
    deposit.accounts[6].pubkey = deposit.accounts[4].pubkey;
    expect_error(world.send(deposit, &[&trader.key]), KeelError::SameAccount);

    let mut withdraw = instruction::withdraw(&world.keys, trader.owner(), trader.margin, token, 1);
    withdraw.accounts[6].pubkey = withdraw.accounts[4].pubkey;
    expect_error(world.send(withdraw, &[&trader.key]), KeelError::SameAccount);
}

/// The errors' names in the order of their numbers, read from the program's source.
fn declared() -> Vec<String> {
    let source = include_str!("../../../programs/keel/src/errors.rs");
    source
        .lines()
        .filter_map(|line| {
            let (name, message) = line.trim().split_once(" = ")?;
            let named = name.chars().all(|letter| letter.is_ascii_alphanumeric());
            (named && message.starts_with('"')).then(|| name.to_owned())
        })
        .collect()
}

/// The sources of the other cases: an error that one of them expects, as the last argument of
/// `expect_error`, has its test there.
fn other_cases() -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let files = std::fs::read_dir(folder).expect("the folder of the cases");
    let sources = files.map(|file| std::fs::read_to_string(file.expect("a file").path()));
    let sources: Vec<String> = sources.map(|source| source.expect("a source")).collect();
    // However rustfmt broke the line.
    let joined = sources.concat().replace(",\n", "\n");
    joined.split_whitespace().collect()
}

#[test]
fn every_error_has_a_test_or_a_reason() {
    let declared = declared();
    assert!(declared.len() > 80, "only {} errors found", declared.len());
    let others = other_cases();
    let covered = |name: &str| {
        let here = COVERED.iter().any(|(covered, _)| *covered == name);
        here || others.contains(&format!("KeelError::{name})"))
    };
    let excused = |name: &str| UNREACHED.iter().any(|(excused, _)| *excused == name);
    let missing: Vec<&String> = declared
        .iter()
        .filter(|name| !covered(name) && !excused(name))
        .collect();
    assert!(missing.is_empty(), "errors without a test: {missing:?}");
    for (name, reason) in UNREACHED {
        assert!(
            !covered(name),
            "{name} has a test: remove its excuse ({reason})"
        );
        assert!(declared.iter().any(|declared| declared == name), "{name}");
    }
    println!("{} errors, {} refusals", declared.len(), COVERED.len());
}

#[test]
fn an_errors_number_is_its_place() {
    let declared = declared();
    for (name, error) in COVERED {
        let place = declared.iter().position(|declared| declared == name);
        let place = place.expect("declared");
        assert_eq!(code(*error) as usize, 6_000 + place, "{name}");
    }
}
