//! What tests of quotes, exits and settlements need of a [`World`].

use anchor_lang::prelude::Pubkey;
use bytemuck::from_bytes_mut;
use keel_sdk::instruction::{self, ExitKeys, SettleKeys};
use keel_sdk::{ExitArgs, Instruction, OrderLeg, address};
use keel_state::{DISCRIMINATOR_BYTES, MarginAccount, Market, Position, Stored};

use crate::vm::{Failure, Sent};
use crate::world::{Asset, Trader, World, market};

impl World {
    pub fn pool_margin(&self) -> Pubkey {
        address::pool_margin(&self.keys.group, &self.pool)
    }

    /// Changes an asset's market in place: states that no instruction of a test reaches.
    pub fn edit_market(&mut self, asset: Asset, change: impl FnOnce(&mut Market)) {
        let address = self.market_address(asset);
        let mut account = self.vm.account(&address).unwrap_or_default();
        change(from_bytes_mut(
            &mut account.data[DISCRIMINATOR_BYTES..Market::BYTES],
        ));
        self.vm.set_account(address, account);
    }

    /// Changes a position slot in place.
    pub fn edit_position(
        &mut self,
        margin: Pubkey,
        slot: usize,
        change: impl FnOnce(&mut Position),
    ) {
        const BYTES: usize = core::mem::size_of::<Position>();
        let mut account = self.vm.account(&margin).unwrap_or_default();
        let start = MarginAccount::BYTES + slot * BYTES;
        change(from_bytes_mut(&mut account.data[start..start + BYTES]));
        self.vm.set_account(margin, account);
    }

    /// An exit of lots of one market at any price.
    pub fn exit_instruction(&self, trader: &Trader, asset: Asset, size: i64) -> Instruction {
        let keys = ExitKeys {
            owner: trader.owner(),
            margin: trader.margin,
            pool: self.pool,
            market: market(asset),
        };
        let args = ExitArgs {
            leg: OrderLeg {
                size,
                limit_price: if size > 0 { u64::MAX } else { 0 },
            },
            valid_until: self.vm.now() + 60,
            expected_seq: None,
            client_id: 0,
        };
        instruction::exit_position(&self.keys, &keys, args)
    }

    pub fn exit(&mut self, trader: &Trader, asset: Asset, size: i64) -> Result<Sent, Failure> {
        let exit = self.exit_instruction(trader, asset, size);
        self.vm.measure("exit_position", exit, &[&trader.key])
    }

    pub fn settle_instruction(
        &self,
        winner: Pubkey,
        loser: Pubkey,
        asset: Asset,
        max_amount: u64,
    ) -> Instruction {
        let keys = SettleKeys {
            winner,
            loser,
            market: market(asset),
        };
        instruction::settle_pnl(&self.keys, &keys, max_amount)
    }

    /// Settles results of one market between two margin accounts; nobody signs.
    pub fn settle(
        &mut self,
        winner: Pubkey,
        loser: Pubkey,
        asset: Asset,
        max_amount: u64,
    ) -> Result<Sent, Failure> {
        let settle = self.settle_instruction(winner, loser, asset, max_amount);
        self.vm.measure("settle_pnl", settle, &[])
    }

    /// What an account is worth: E at the mark, atoms.
    pub fn worth(&mut self, margin: Pubkey) -> Result<i64, Failure> {
        Ok(self.report(margin)?.net_asset_value)
    }
}
