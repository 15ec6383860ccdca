//! What tests of sub-accounts and delegates need of a [`World`].

use anchor_lang::prelude::Pubkey;
use bytemuck::{from_bytes, from_bytes_mut};
use keel_sdk::instruction::{self, NewAccount, TradeKeys};
use keel_sdk::{AccountSettings, DelegateArgs, address};
use keel_state::{DISCRIMINATOR_BYTES, MarginAccount, Stored};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::vm::{Failure, Sent};
use crate::world::{Asset, Trader, World, market};

const FIXED: core::ops::Range<usize> = DISCRIMINATOR_BYTES..MarginAccount::BYTES;

/// Whether an order opens or closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Open,
    Close,
}

impl World {
    /// A margin account's fixed part.
    pub fn margin(&self, margin: Pubkey) -> MarginAccount {
        let data = self.data(&margin);
        *from_bytes(&data[FIXED])
    }

    /// Changes the fixed part in place: states that no instruction of this test reaches.
    pub fn edit_margin(&mut self, margin: Pubkey, change: impl FnOnce(&mut MarginAccount)) {
        let mut account = self.vm.account(&margin).unwrap_or_default();
        change(from_bytes_mut(&mut account.data[FIXED]));
        self.vm.set_account(margin, account);
    }

    /// One more margin account of an owner, with its settings; `referrer` is a margin account.
    pub fn account_with(
        &mut self,
        owner: &Keypair,
        sub_id: u16,
        isolated_markets: Option<[u64; 2]>,
        referrer: Option<Pubkey>,
    ) -> Result<Trader, Failure> {
        let account = NewAccount {
            sub_id,
            settings: AccountSettings { isolated_markets },
            referrer,
            ..NewAccount::default()
        };
        let payer = self.vm.payer.pubkey();
        let (keys, owned) = (self.keys, owner.pubkey());
        let create = instruction::create_margin_account_with(&keys, payer, owned, account);
        self.send(create, &[owner])?;
        Ok(Trader {
            key: owner.insecure_clone(),
            margin: address::margin_account(&keys.group, &owned, sub_id),
            sub_id,
        })
    }

    /// $10,000 a day and $1,000 of loss in every market for 30 days.
    pub fn grant_args(&self, delegate: Pubkey) -> DelegateArgs {
        DelegateArgs {
            delegate,
            budget: 10_000_000_000,
            max_loss: 1_000_000_000,
            markets: [u64::MAX; 2],
            expiry: self.vm.now() + 30 * 86_400,
        }
    }

    pub fn set_delegate(&mut self, trader: &Trader, args: DelegateArgs) -> Result<Sent, Failure> {
        let set = instruction::set_delegate(&self.keys, trader.owner(), trader.margin, args);
        self.vm.measure("set_delegate", set, &[&trader.key])
    }

    pub fn clear_delegate(&mut self, trader: &Trader) -> Result<Sent, Failure> {
        let clear = instruction::clear_delegate(trader.owner(), trader.margin);
        self.vm.measure("clear_delegate", clear, &[&trader.key])
    }

    pub fn close_account(&mut self, trader: &Trader, receiver: Pubkey) -> Result<Sent, Failure> {
        let close =
            instruction::close_margin_account(&self.keys, trader.owner(), trader.margin, receiver);
        self.vm
            .measure("close_margin_account", close, &[&trader.key])
    }

    /// Orders of some lots of some assets, at any price, for a margin account in a signer's name.
    pub fn order_as(
        &mut self,
        signer: &Keypair,
        margin: Pubkey,
        side: Side,
        legs: &[(Asset, i64)],
    ) -> Result<Sent, Failure> {
        let keys = TradeKeys {
            authority: signer.pubkey(),
            margin,
            pool: self.pool,
            referrer: None,
            markets: legs.iter().map(|(asset, _)| market(*asset)).collect(),
        };
        let sizes: Vec<i64> = legs.iter().map(|(_, size)| *size).collect();
        let args = self.order(&sizes);
        let order = match side {
            Side::Open => instruction::open_position(&self.keys, &keys, args),
            Side::Close => instruction::close_position(&self.keys, &keys, args),
        };
        self.send(order, &[signer])
    }
}
