//! One instruction, one file: arguments, accounts, `validate`, handler.

pub mod accrue;
pub mod cancel_provide;
pub mod cancel_redeem;
pub mod check_conservation;
pub mod close_margin_account;
pub mod create_bank;
pub mod create_group;
pub mod create_margin_account;
pub mod create_market;
pub mod create_pool;
pub mod delegate;
pub mod deleverage;
pub mod deposit;
pub mod exit_position;
pub mod fund_bank_insurance;
pub mod fund_market_insurance;
pub mod liquidate;
pub mod order;
pub mod provide_liquidity;
pub mod redeem_liquidity;
pub mod request_provide;
pub mod request_redeem;
pub mod resolve_bankruptcy;
pub mod set_name;
pub mod settle_pnl;
pub mod take_over;
pub mod take_strays;
pub mod take_ticket;
pub mod transfer;
pub mod update_prices;
pub mod view_margin;
pub mod withdraw;

// Every instruction has its `handler`; nobody calls one without naming its module.
#[allow(ambiguous_glob_reexports)]
pub use {
    accrue::*, cancel_provide::*, cancel_redeem::*, check_conservation::*, close_margin_account::*,
    create_bank::*, create_group::*, create_margin_account::*, create_market::*, create_pool::*,
    delegate::*, deleverage::*, deposit::*, exit_position::*, fund_bank_insurance::*,
    fund_market_insurance::*, liquidate::*, order::*, provide_liquidity::*, redeem_liquidity::*,
    request_provide::*, request_redeem::*, resolve_bankruptcy::*, set_name::*, settle_pnl::*,
    take_over::*, take_strays::*, take_ticket::*, transfer::*, update_prices::*, view_margin::*,
    withdraw::*,
};
