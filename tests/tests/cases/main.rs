//! Behaviour of the compiled program, one module per subject.

mod accounts;
mod artifact;
mod bounds;
mod closing;
mod delegate;
mod exits;
mod isolated;
mod jumps;
mod legacy;
mod liquidation;
mod liquidity;
mod liquidity_accounts;
mod money;
mod mutations;
mod prices;
mod quotes;
mod refusals;
mod settle;
mod trading;
mod trading_attacks;
mod unreached;
