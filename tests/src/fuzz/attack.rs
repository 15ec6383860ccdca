//! What nobody may succeed with, as instructions.

use anyhow::Result;
use keel_sdk::instruction::{self, TakenLeg};
use keel_sdk::{AccountMeta, Instruction, OrderArgs, OrderLeg, Pubkey, address};

use super::action::Attack;
use super::arena::{TRADERS, market_of};
use super::driver::Driver;
use super::state::row_of;

const SOL: u8 = market_of(1);
const BTC: u8 = market_of(2);
const ETH: u8 = market_of(3);
const SOL_LEG: TakenLeg = TakenLeg::Position { market: SOL };
const BTC_LEG: TakenLeg = TakenLeg::Position { market: BTC };

impl Driver {
    fn is_healthy(&self, whom: usize) -> Result<bool> {
        let found = self.state.assess(row_of(whom))?;
        Ok(!found.maintenance.is_liquidatable())
    }

    /// The instruction of an attack by `who` on `whom`.
    pub(super) fn attack(&self, who: usize, whom: usize, attack: Attack) -> Result<Instruction> {
        let arena = &self.arena;
        let (me, other) = (&arena.accounts[who], &arena.accounts[whom]);
        let buy = |args: OrderArgs| {
            instruction::open_position(&arena.keys, &arena.trade_keys((who, who), vec![ETH]), args)
        };
        let open = || arena.open((who, who), &[(SOL, 100)]);
        let healthy = self.is_healthy(whom)?;
        Ok(match attack {
            Attack::LiquidateTheHealthy if healthy => {
                arena.liquidate((who, whom), SOL_LEG, u64::MAX)
            }
            Attack::LiquidateOneself | Attack::LiquidateTheHealthy => {
                arena.liquidate((who, who), SOL_LEG, u64::MAX)
            }
            Attack::LiquidateThePool => with_account(
                arena.liquidate((who, whom), BTC_LEG, u64::MAX),
                2,
                arena.pool_margin(),
            ),
            Attack::LiquidateForAnother => {
                let take = arena.liquidate((who, whom), SOL_LEG, u64::MAX);
                with_account(take, 3, self.third(who, whom))
            }
            // A delegate's order would be none.
            Attack::TradeForAnother if me.owner() == other.owner() || self.may_sign(who, whom) => {
                arena.open((who, who), &[])
            }
            Attack::TradeForAnother => with_account(open(), 2, other.margin),
            Attack::TradeAsThePool => with_account(open(), 2, arena.pool_margin()),
            Attack::TradeWithOneself => with_account(open(), 4, me.margin),
            Attack::WithdrawFromAnother if me.owner() == other.owner() => {
                arena.withdraw(who, who, 0, 0)
            }
            Attack::WithdrawFromAnother => arena.withdraw(who, whom, 0, 1),
            // Who lowers the pool's skew may buy below the mark, by half a range at most.
            Attack::LimitTooLow => buy(OrderArgs {
                legs: vec![OrderLeg {
                    size: 1_000,
                    limit_price: self.state.books.prices[3].lot.0 / 4,
                }],
                ..arena.order(&[1_000])
            }),
            Attack::Expired => buy(OrderArgs {
                valid_until: arena.vm.now() - 1,
                ..arena.order(&[1_000])
            }),
            Attack::StaleSequence => buy(OrderArgs {
                expected_seq: Some(self.state.books.accounts[row_of(who)].seq + 1),
                ..arena.order(&[1_000])
            }),
            Attack::SameMarketTwice => arena.open((who, who), &[(SOL, 100), (SOL, -100)]),
            Attack::DepositFromTheVault => {
                let vault = address::vault(&arena.bank(0));
                with_account(arena.deposit(who, who, 0, 1), 6, vault)
            }
            Attack::OpenByClosing => {
                let size = self.size(who, BTC);
                arena.close((who, who), BTC, if size < 0 { -1_000 } else { 1_000 })
            }
            Attack::NothingAtAll => arena.deposit(who, who, 1, 0),
            Attack::Everything => arena.open((who, who), &[(BTC, i64::MAX)]),
        })
    }

    /// The margin account of somebody else than two others.
    fn third(&self, who: usize, whom: usize) -> Pubkey {
        let accounts = &self.arena.accounts;
        let is_other =
            |number: &usize| accounts[*number].owner() != accounts[who].owner() && *number != whom;
        let third = (0..TRADERS).find(is_other);
        accounts[third.unwrap_or(TRADERS)].margin
    }
}

/// The instruction with another account at a place.
fn with_account(mut instruction: Instruction, at: usize, address: Pubkey) -> Instruction {
    instruction.accounts[at] = AccountMeta {
        pubkey: address,
        ..instruction.accounts[at].clone()
    };
    instruction
}
