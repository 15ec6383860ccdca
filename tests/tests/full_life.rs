//! One whole life of an account on Agave's own runtime (`solana-program-test`): the token program
//! makes the mints and wallets, the system program the risk book; only clock and price accounts are
//! written from outside, because nobody can sign for time or for a publisher.

use std::collections::BTreeMap;

use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::associated_token::spl_associated_token_account::instruction::create_associated_token_account;
use anchor_spl::token::spl_token::{instruction as spl, state::Mint};
use anyhow::{Context, Result, ensure};
use keel::errors::KeelError;
use keel_migrations::{GroupConfig, Keys, Role, m0001_create_group};
use keel_sdk::instruction::{self, GroupKeys, TakenLeg, Token, TradeKeys};
use keel_sdk::{Instruction, OrderArgs, OrderLeg, Pubkey, address, decode};
use keel_tests::{Asset, Ledger, Places, PriceUpdate, code, keypair, market, program_file};
use solana_account::{Account, AccountSharedData};
use solana_clock::Clock;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_keypair::Keypair;
use solana_program_test::{ProgramTest, ProgramTestContext, tokio};
use solana_signer::Signer;
use solana_system_interface::instruction::{create_account, transfer};
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

/// The loader of programs without an upgrade authority.
const BPF_LOADER: Pubkey = Pubkey::from_str_const("BPFLoader2111111111111111111111111111111111");
const START: i64 = 1_721_133_402;
const USDC: u64 = 1_000_000;
const NO_LIMIT: u64 = u64::MAX;

/// The runtime with a group in it.
struct Chain {
    context: ProgramTestContext,
    config: GroupConfig,
    keys: GroupKeys,
    now: i64,
    sent: u32,
}

/// What a transaction returned, or the program's error number.
type Outcome = core::result::Result<Vec<u8>, Option<u32>>;

impl Chain {
    /// A runtime with the compiled program at its address and nothing else.
    async fn start() -> Result<ProgramTestContext> {
        let bytecode = std::fs::read(program_file("keel")?)?;
        let mut test = ProgramTest::default();
        test.add_account(
            keel::ID,
            Account {
                lamports: 100_000_000_000,
                data: bytecode,
                owner: BPF_LOADER,
                executable: true,
                rent_epoch: u64::MAX,
            },
        );
        Ok(test.start_with_context().await)
    }

    /// Sends instructions; each transaction differs from every other by its unit limit.
    async fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Outcome> {
        send(&mut self.context, &mut self.sent, instructions, signers).await
    }

    /// The same for what must go through.
    async fn done(
        &mut self,
        what: &str,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Vec<u8>> {
        let outcome = self.send(instructions, signers).await?;
        outcome.map_err(|code| anyhow::anyhow!("{what} was refused: {code:?}"))
    }

    /// The same for what must be refused, and why.
    async fn refused(
        &mut self,
        what: &str,
        because: KeelError,
        instruction: Instruction,
        signer: &Keypair,
    ) -> Result<()> {
        let outcome = self.send(&[instruction], &[signer]).await?;
        ensure!(
            outcome == Err(Some(code(because))),
            "{what} ended with {outcome:?}"
        );
        Ok(())
    }

    async fn set_time(&mut self, now: i64) -> Result<()> {
        let mut clock: Clock = self.context.banks_client.get_sysvar().await?;
        clock.unix_timestamp = now;
        self.context.set_sysvar(&clock);
        self.now = now;
        Ok(())
    }

    /// Publishes all four prices a second later and relays them.
    async fn publish(&mut self, prices: [f64; 4]) -> Result<()> {
        self.set_time(self.now + 1).await?;
        let mut updates = Vec::new();
        for (asset, price) in Asset::ALL.into_iter().zip(prices) {
            let source = self.config.tokens[asset as usize].asset.sources[0];
            let e8 = (price * 1e8).round();
            let conf = (e8 * 0.000_5) as u64;
            let update = PriceUpdate::of(source.feed, e8 as i64, conf, self.now);
            let address = keypair(200 + asset as u64).pubkey();
            let account = Account {
                lamports: 10_000_000,
                data: update.to_bytes(),
                owner: source.owner,
                executable: false,
                rent_epoch: u64::MAX,
            };
            let account = AccountSharedData::from(account);
            self.context.set_account(&address, &account);
            updates.push((asset.slot(), address));
        }
        let relay = instruction::update_prices(&self.keys, &updates, true);
        self.done("update_prices", &[relay], &[]).await?;
        Ok(())
    }

    fn token(&self, asset: Asset) -> Token {
        self.config.tokens[asset as usize].token
    }

    async fn data(&mut self, address: Pubkey) -> Result<Vec<u8>> {
        let account = self.context.banks_client.get_account(address).await?;
        Ok(account.context("no such account")?.data)
    }

    async fn wallet(&mut self, owner: &Pubkey, asset: Asset) -> Result<u64> {
        let data = self.data(self.token(asset).account_of(owner)).await?;
        Ok(u64::from_le_bytes(data[64..72].try_into()?))
    }

    /// The program's own report of an account: Maintenance health and Initial health.
    async fn health(&mut self, margin: Pubkey) -> Result<(i64, i64)> {
        let view = instruction::view_margin(&self.keys, margin, 0);
        let returned = self.done("view_margin", &[view], &[]).await?;
        let report = decode::margin_report(&returned);
        Ok((report.health_maintenance(), report.health_initial()))
    }

    fn order(&self, size: i64) -> OrderArgs {
        OrderArgs {
            legs: vec![OrderLeg {
                size,
                limit_price: if size > 0 { NO_LIMIT } else { 0 },
            }],
            valid_until: self.now + 60,
            expected_seq: None,
            client_id: 7,
            health_before: true,
        }
    }

    fn trade_keys(&self, owner: &Keypair) -> TradeKeys {
        TradeKeys {
            authority: owner.pubkey(),
            margin: address::margin_account(&self.keys.group, &owner.pubkey(), 0),
            pool: address::pool(&self.keys.group, 0),
            referrer: None,
            markets: vec![market(Asset::Sol)],
        }
    }
}

async fn send(
    context: &mut ProgramTestContext,
    sent: &mut u32,
    instructions: &[Instruction],
    signers: &[&Keypair],
) -> Result<Outcome> {
    *sent += 1;
    let budget = ComputeBudgetInstruction::set_compute_unit_limit(1_400_000 - *sent);
    let all: Vec<Instruction> = [budget]
        .into_iter()
        .chain(instructions.iter().cloned())
        .collect();
    let mut keys = vec![&context.payer];
    keys.extend(signers);
    let payer = context.payer.pubkey();
    let transaction =
        Transaction::new_signed_with_payer(&all, Some(&payer), &keys, context.last_blockhash);
    let done = context
        .banks_client
        .process_transaction_with_metadata(transaction)
        .await?;
    let returned = done.metadata.and_then(|metadata| metadata.return_data);
    let returned = returned.map_or_else(Vec::new, |returned| returned.data);
    Ok(match done.result {
        Ok(()) => Ok(returned),
        Err(TransactionError::InstructionError(
            _,
            anchor_lang::solana_program::instruction::error::InstructionError::Custom(code),
        )) => Err(Some(code)),
        Err(_) => Err(None),
    })
}

/// Mints made by the token program, in the order of the banks.
async fn make_mints(context: &mut ProgramTestContext, sent: &mut u32) -> Result<[Token; 4]> {
    let rent = context.banks_client.get_rent().await?;
    let payer = context.payer.pubkey();
    for asset in Asset::ALL {
        let mint = keypair(100 + asset as u64);
        let make = [
            create_account(
                &payer,
                &mint.pubkey(),
                rent.minimum_balance(Mint::LEN),
                Mint::LEN as u64,
                &anchor_spl::token::ID,
            ),
            spl::initialize_mint2(
                &anchor_spl::token::ID,
                &mint.pubkey(),
                &payer,
                None,
                asset.decimals(),
            )?,
        ];
        let made = send(context, sent, &make, &[&mint]).await?;
        ensure!(made.is_ok(), "no mint of {}: {made:?}", asset.symbol());
    }
    Ok(Asset::ALL.map(|asset| Token {
        mint: keypair(100 + asset as u64).pubkey(),
        program: anchor_spl::token::ID,
    }))
}

/// The risk book by the system program, then migration 1 as an operator runs it.
async fn make_group() -> Result<Chain> {
    let mut context = Chain::start().await?;
    let mut sent = 0;
    let [usdc, sol, btc, eth] = make_mints(&mut context, &mut sent).await?;
    let mut config = GroupConfig::standard(1, usdc, sol, btc, eth);
    // A request is executed in the transaction that brings it.
    config.pool.cooldown_in_s = 0;
    let (admin, book) = (keypair(2), keypair(3));
    let operator = Keys {
        payer: context.payer.pubkey(),
        admin: admin.pubkey(),
        council: admin.pubkey(),
        risk_book: book.pubkey(),
    };
    let keys = m0001_create_group::keys(&config, &operator);
    let mut chain = Chain {
        context,
        config,
        keys,
        now: 0,
        sent,
    };
    chain.set_time(START).await?;
    let space = instruction::risk_book_space();
    let rent = chain.context.banks_client.get_rent().await?;
    let allocate = create_account(
        &operator.payer,
        &operator.risk_book,
        rent.minimum_balance(usize::try_from(space)?),
        space,
        &keel::ID,
    );
    let mut allocate = Some(allocate);
    fund_operator(&mut chain, &admin).await?;
    for step in m0001_create_group::steps(&chain.config, &operator) {
        let mut instructions: Vec<Instruction> = allocate.take().into_iter().collect();
        instructions.extend(step.instructions);
        let signers: Vec<&Keypair> = (step.signers.iter())
            .filter_map(|role| match role {
                Role::Payer => None,
                Role::Admin => Some(&admin),
                Role::RiskBook => Some(&book),
            })
            .collect();
        chain.done(&step.name, &instructions, &signers).await?;
    }
    chain.set_time(START + 86_400).await?;
    Ok(chain)
}

/// What the migration's last steps give to insurance, in the administrator's wallet.
async fn fund_operator(chain: &mut Chain, admin: &Keypair) -> Result<()> {
    let (payer, token) = (chain.context.payer.pubkey(), chain.token(Asset::Usdc));
    let wallet = token.account_of(&admin.pubkey());
    let needed = m0001_create_group::insurance_needed(&chain.config, 0);
    let make = [
        create_associated_token_account(&payer, &admin.pubkey(), &token.mint, &token.program),
        spl::mint_to(&token.program, &token.mint, &wallet, &payer, &[], needed)?,
    ];
    chain.done("the operator's wallet", &make, &[]).await?;
    Ok(())
}

/// A funded key with a margin account and `usdc` whole USDC in its wallet.
async fn make_trader(chain: &mut Chain, seed: u64, usdc: u64) -> Result<Keypair> {
    let key = keypair(seed);
    let payer = chain.context.payer.pubkey();
    let token = chain.token(Asset::Usdc);
    let wallet = token.account_of(&key.pubkey());
    let create = instruction::create_margin_account(&chain.keys, payer, key.pubkey(), 0, [0; 32]);
    let make = [
        transfer(&payer, &key.pubkey(), 1_000_000_000),
        create_associated_token_account(&payer, &key.pubkey(), &token.mint, &token.program),
        spl::mint_to(
            &token.program,
            &token.mint,
            &wallet,
            &payer,
            &[],
            usdc * USDC,
        )?,
        create,
    ];
    chain.done("a trader", &make, &[&key]).await?;
    Ok(key)
}

async fn deposit(chain: &mut Chain, key: &Keypair, usdc: u64) -> Result<()> {
    let margin = chain.trade_keys(key).margin;
    let token = chain.token(Asset::Usdc);
    let deposit = instruction::deposit(&chain.keys, key.pubkey(), margin, token, usdc * USDC);
    chain.done("deposit", &[deposit], &[key]).await?;
    Ok(())
}

async fn provide(chain: &mut Chain, key: &Keypair, usdc: u64) -> Result<()> {
    let pool = address::pool(&chain.keys.group, 0);
    let payer = chain.context.payer.pubkey();
    let quote = chain.token(Asset::Usdc);
    let shares = address::lp_mint(&pool);
    let provide = [
        create_associated_token_account(&payer, &key.pubkey(), &shares, &quote.program),
        instruction::request_provide(
            &chain.keys,
            key.pubkey(),
            pool,
            quote,
            usdc * USDC,
            (usdc - 1) * USDC,
        ),
        instruction::provide_liquidity(&chain.keys, key.pubkey(), pool, quote),
    ];
    chain.done("provide", &provide, &[key]).await?;
    Ok(())
}

/// The program's own check of all seven ledgers, and the test's, from raw bytes.
async fn check_books(chain: &mut Chain, traders: &[&Keypair]) -> Result<()> {
    let mints = Asset::ALL.map(|asset| chain.token(asset).mint);
    let check = instruction::check_conservation(&chain.keys, &mints, &[0, 1, 2]);
    // Return data drops trailing zeros: seven checked, none failed.
    let returned = chain.done("check_conservation", &[check], &[]).await?;
    ensure!(returned.first() == Some(&7), "{returned:?}");
    ensure!(
        returned.get(1).is_none_or(|failed| *failed == 0),
        "{returned:?}"
    );

    let operator = keypair(2);
    let margins: Vec<Pubkey> = (traders.iter().copied().chain([&operator]))
        .map(|key| chain.trade_keys(key).margin)
        .collect();
    let pool = address::pool(&chain.keys.group, 0);
    let places = Places::new(&chain.keys.group, &mints, pool, &margins);
    let mut bytes = BTreeMap::new();
    for address in places.all() {
        bytes.insert(address, chain.data(address).await?);
    }
    let ledger = Ledger::read(&places, |address| {
        bytes.get(address).cloned().unwrap_or_default()
    });
    ledger.check().map_err(anyhow::Error::msg)
}

/// What is left is closed, and what the losses left is withdrawn, but not an atom more.
async fn leave(chain: &mut Chain, trader: &Keypair) -> Result<()> {
    let trade = chain.trade_keys(trader);
    let row = keel_tests::AccountRow::read(&chain.data(trade.margin).await?);
    let (left, _) = row.position(market(Asset::Sol));
    ensure!(0 < left && left < 200_000, "{left} lots are left");
    let close = instruction::close_position(&chain.keys, &trade, chain.order(-left));
    chain.done("close", &[close], &[trader]).await?;
    let row = keel_tests::AccountRow::read(&chain.data(trade.margin).await?);
    let (_, result) = row.position(market(Asset::Sol));
    let free = u64::try_from(row.shares(0) + result)?;
    let withdraw = |chain: &Chain, atoms: u64| {
        let token = chain.token(Asset::Usdc);
        instruction::withdraw(&chain.keys, trader.pubkey(), trade.margin, token, atoms)
    };
    let greedy = withdraw(chain, free + 1);
    chain
        .refused("greedy", KeelError::BelowInitial, greedy, trader)
        .await?;
    let fair = withdraw(chain, free);
    chain.done("withdraw", &[fair], &[trader]).await?;
    ensure!(chain.wallet(&trader.pubkey(), Asset::Usdc).await? == free);
    ensure!(chain.health(trade.margin).await? == (0, 0));
    Ok(())
}

#[tokio::test]
async fn an_account_lives_its_whole_life_on_the_real_runtime() -> Result<()> {
    let mut chain = make_group().await?;
    let provider = make_trader(&mut chain, 11, 1_000_000).await?;
    let trader = make_trader(&mut chain, 12, 6_000).await?;
    let liquidator = make_trader(&mut chain, 13, 100_000).await?;
    let everyone = [&provider, &trader, &liquidator];

    chain.publish([1.0, 150.0, 64_000.0, 3_400.0]).await?;
    provide(&mut chain, &provider, 1_000_000).await?;
    deposit(&mut chain, &trader, 6_000).await?;
    deposit(&mut chain, &liquidator, 100_000).await?;
    check_books(&mut chain, &everyone).await?;

    // 200 SOL for $30,000 with $6,000: Initial asks for 15% and the costs, Maintenance for 10.25%.
    let trade = chain.trade_keys(&trader);
    let open = instruction::open_position(&chain.keys, &trade, chain.order(200_000));
    chain.done("open", &[open], &[&trader]).await?;
    let (maintenance, initial) = chain.health(trade.margin).await?;
    ensure!(
        initial > 0 && maintenance > initial,
        "{maintenance} {initial}"
    );

    let taker = chain.trade_keys(&liquidator);
    let take = |chain: &Chain| {
        instruction::liquidate(
            &chain.keys,
            liquidator.pubkey(),
            trade.margin,
            taker.margin,
            TakenLeg::Position {
                market: market(Asset::Sol),
            },
            200_000,
        )
    };
    let early = take(&chain);
    chain
        .refused("early", KeelError::NotLiquidatable, early, &liquidator)
        .await?;

    // 14% down: the loss is $4,200 of the $6,000, Maintenance asks for about $2,645. A jump: the
    // first print waits, the second one confirms it two seconds later.
    let fallen = [1.0, 129.0, 64_000.0, 3_400.0];
    chain.publish(fallen).await?;
    let wick = take(&chain);
    chain
        .refused("a wick", KeelError::NotLiquidatable, wick, &liquidator)
        .await?;
    chain.set_time(chain.now + 1).await?;
    chain.publish(fallen).await?;
    let (before, _) = chain.health(trade.margin).await?;
    ensure!(before < 0, "{before}");
    let step = take(&chain);
    chain.done("liquidate", &[step], &[&liquidator]).await?;
    let (after, _) = chain.health(trade.margin).await?;
    ensure!(
        after > 0,
        "one step ends the liquidation: {before} to {after}"
    );
    check_books(&mut chain, &everyone).await?;

    leave(&mut chain, &trader).await?;
    check_books(&mut chain, &everyone).await
}
