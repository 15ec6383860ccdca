//! Behaviour of the compiled program, one module per subject.

mod accounts;
mod accruing;
mod artifact;
mod borrowing;
mod bounds;
mod closing;
mod delegate;
mod isolated;
mod jumps;
mod legacy;
mod liquidation;
mod liquidity;
mod liquidity_accounts;
mod money;
mod money_accounts;
mod money_walks;
mod mutations;
mod prices;
mod queue;
mod refusals;
mod trading;
mod transfers;
mod unreached;
