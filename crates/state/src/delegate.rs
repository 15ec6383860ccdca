//! What an account lets others do: its delegate's grant, the markets of an isolated one.

use keel_risk::{Atoms, Authority, Grant, GrantTerms, MarketSet, Spent};

use crate::{FLAG_ISOLATED, MarginAccount, Pubkey};

impl MarginAccount {
    /// As whom a signer may send the account's orders; `None` for a stranger.
    pub fn authority_of(&self, signer: &Pubkey) -> Option<Authority> {
        if self.owner == *signer {
            Some(Authority::Owner)
        } else if self.has_delegate() && self.delegate == *signer {
            Some(Authority::Delegate)
        } else {
            None
        }
    }

    pub fn has_delegate(&self) -> bool {
        self.delegate != Pubkey::default()
    }

    /// The delegate's grant as it stands; without a delegate one of nothing.
    pub fn grant(&self) -> Grant {
        Grant {
            terms: GrantTerms {
                budget: self.delegate_budget,
                max_loss: self.delegate_max_loss,
                markets: MarketSet(self.delegate_markets),
                expiry: self.delegate_expiry,
            },
            equity: Atoms(self.delegate_equity),
            deposits: Atoms(self.delegate_deposits),
            spent: Spent {
                level: self.delegate_level,
                updated: self.delegate_updated,
            },
        }
    }

    /// Writes a grant in place of any before; [`Self::clear_grant`] writes nobody's.
    pub fn set_grant(&mut self, delegate: Pubkey, grant: &Grant) {
        self.delegate = delegate;
        self.delegate_budget = grant.terms.budget;
        self.delegate_max_loss = grant.terms.max_loss;
        self.delegate_markets = grant.terms.markets.0;
        self.delegate_expiry = grant.terms.expiry;
        self.delegate_equity = grant.equity.0;
        self.delegate_deposits = grant.deposits.0;
        self.apply_spent(grant.spent);
        self.seq += 1;
    }

    pub fn clear_grant(&mut self) {
        self.set_grant(Pubkey::default(), &Grant::default());
    }

    /// What a delegate's order used of his budget.
    pub fn apply_spent(&mut self, spent: Spent) {
        self.delegate_level = spent.level;
        self.delegate_updated = spent.updated;
    }

    /// Counts what came into the account by a deposit or a transfer, or left it (negative), so that a
    /// delegate's floor moves with it: atoms, at the price then ([`keel_risk::token_value`]), which is
    /// asked for only where there is a delegate.
    pub fn note_deposit(&mut self, value: impl FnOnce() -> Atoms) {
        if self.has_delegate() {
            self.delegate_deposits = self.delegate_deposits.saturating_add(value().0);
        }
    }

    /// Whether the account holds positions of some markets alone.
    pub fn is_isolated(&self) -> bool {
        self.flags & FLAG_ISOLATED != 0
    }

    /// Makes the account an isolated one. For its creation alone: nothing takes it back.
    pub fn isolate(&mut self, markets: MarketSet) {
        self.flags |= FLAG_ISOLATED;
        self.isolated_markets = markets.0;
    }

    /// Whether a position of the instrument may be opened or grown in the account, by its own orders,
    /// by liquidating or by bidding.
    pub fn may_hold(&self, instrument: u8) -> bool {
        !self.is_isolated() || MarketSet(self.isolated_markets).contains(instrument)
    }
}
