//! Sub-accounts and delegates.

use anyhow::Context;
use keel_risk::{Atoms, Grant, GrantTerms, MAX_GRANTED, MarketSet};
use keel_sdk::instruction::{self, NewAccount};
use keel_sdk::{AccountSettings, DelegateArgs};
use keel_state::MarginAccount;
use solana_signer::Signer;

use super::accounts::{edit, edit_margin};
use super::stage::Stage;
use super::{Figures, passes, refusal, trade};
use crate::vm::keypair;
use keel::errors::KeelError;

/// The largest grant there is.
const TERMS: GrantTerms = GrantTerms {
    budget: MAX_GRANTED,
    max_loss: MAX_GRANTED,
    markets: MarketSet::ALL,
    expiry: i64::MAX,
};

/// Grants, names and closing; orders in a delegate's name. The stage ends as it was.
pub fn measure(figures: &mut Figures, stage: &mut Stage) -> anyhow::Result<()> {
    let shape = stage.shape.name;
    let key = stage.trader.key.insecure_clone();
    let (owner, margin) = (stage.trader.owner(), stage.trader.margin);
    let delegate = keypair(2_900);
    let args = DelegateArgs {
        delegate: delegate.pubkey(),
        budget: TERMS.budget,
        max_loss: TERMS.max_loss,
        markets: TERMS.markets.0,
        expiry: TERMS.expiry,
    };
    let set = instruction::set_delegate(&stage.keys, owner, margin, args);
    let sent = passes(stage, "set_delegate", set, &[&key])?;
    figures.set("set_delegate", shape, sent.units);
    let stranger = instruction::set_delegate(&stage.keys, delegate.pubkey(), margin, args);
    let code = u32::from(KeelError::NotOwner);
    let units = refusal(stage, "set_delegate", code, stranger, &[&delegate])?;
    figures.set("set_delegate", "error", units);

    let before = stage.vm.account(&margin).context("no trader's account")?;
    let grant = Grant {
        terms: TERMS,
        equity: Atoms(0),
        ..Grant::default()
    };
    edit::<MarginAccount>(&mut stage.vm, &margin, |account| {
        account.set_grant(delegate.pubkey(), &grant);
    })?;
    for (name, direction) in [("open_position", 1), ("close_position", -1)] {
        let mut order = trade::order(stage, name, 1, direction)?;
        order.accounts[0].pubkey = delegate.pubkey();
        let sent = passes(stage, name, order, &[&delegate])?;
        figures.set(name, "by_delegate", sent.units);
    }
    let clear = instruction::clear_delegate(owner, margin);
    let sent = passes(stage, "clear_delegate", clear, &[&key])?;
    figures.set("clear_delegate", "typical", sent.units);
    let rename = instruction::set_name(owner, margin, [7; 32]);
    let sent = passes(stage, "set_name", rename, &[&key])?;
    figures.set("set_name", "typical", sent.units);

    let close = instruction::close_margin_account(&stage.keys, owner, margin, owner);
    let code = u32::from(KeelError::AccountNotEmpty);
    let units = refusal(stage, "close_margin_account", code, close.clone(), &[&key])?;
    figures.set("close_margin_account", "error", units);
    edit_margin(&mut stage.vm, &margin, |account, positions| {
        let balances = account.balances.iter_mut();
        balances.for_each(|balance| balance.shares = 0);
        positions.iter_mut().for_each(|position| position.used = 0);
    })?;
    let sent = passes(stage, "close_margin_account", close, &[&key])?;
    figures.set("close_margin_account", "typical", sent.units);
    stage.vm.set_account(margin, before);
    measure_referred(figures, stage)
}

/// An isolated account that the trader referred.
fn measure_referred(figures: &mut Figures, stage: &Stage) -> anyhow::Result<()> {
    let owner = keypair(2_901);
    let account = NewAccount {
        settings: AccountSettings {
            isolated_markets: Some([1, 0]),
        },
        referrer: Some(stage.trader.margin),
        ..NewAccount::default()
    };
    let payer = stage.vm.payer.pubkey();
    let create =
        instruction::create_margin_account_with(&stage.keys, payer, owner.pubkey(), account);
    let sent = passes(stage, "create_margin_account", create, &[&owner])?;
    figures.set("create_margin_account", "referred", sent.units);
    Ok(())
}
