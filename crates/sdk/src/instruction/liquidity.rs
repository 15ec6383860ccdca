//! Into and out of a pool: requests, their execution by anyone, and their cancelling.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::system_program;
use keel::{accounts, instruction as data};

use super::{GroupKeys, Token, build};
use crate::address;

/// A pool's share token: of the program of its quote.
pub fn share_token(pool: &Pubkey, quote: Token) -> Token {
    Token {
        mint: address::lp_mint(pool),
        program: quote.program,
    }
}

/// Escrows `amount` quote atoms of the owner's associated account.
pub fn request_provide(
    keys: &GroupKeys,
    owner: Pubkey,
    pool: Pubkey,
    quote: Token,
    amount: u64,
    min_shares: u64,
) -> Instruction {
    let request = address::provide_request(&pool, &owner);
    build(
        accounts::RequestProvide {
            owner,
            group: keys.group,
            risk_book: keys.risk_book,
            pool,
            request,
            mint: quote.mint,
            escrow: address::escrow(&request),
            source: quote.account_of(&owner),
            authority: address::authority(&keys.group),
            token_program: quote.program,
            system_program: system_program::ID,
        },
        data::RequestProvide { amount, min_shares },
    )
}

/// Executes the owner's request; nobody signs. Shares go to his associated account, which must exist.
pub fn provide_liquidity(
    keys: &GroupKeys,
    owner: Pubkey,
    pool: Pubkey,
    quote: Token,
) -> Instruction {
    let bank = address::bank(&keys.group, &quote.mint);
    let request = address::provide_request(&pool, &owner);
    let shares = share_token(&pool, quote);
    let instruction = build(
        accounts::ProvideLiquidity {
            group: keys.group,
            risk_book: keys.risk_book,
            pool,
            pool_margin: address::pool_margin(&keys.group, &pool),
            bank,
            vault: address::vault(&bank),
            mint: quote.mint,
            request,
            owner,
            escrow: address::escrow(&request),
            lp_mint: shares.mint,
            lp_destination: shares.account_of(&owner),
            authority: address::authority(&keys.group),
            token_program: quote.program,
        },
        data::ProvideLiquidity {},
    );
    harvesting(instruction, quote)
}

/// Gives the quote of a request back to the owner's associated account. `caller` is the owner, or
/// anyone once the request has lapsed.
pub fn cancel_provide(
    keys: &GroupKeys,
    caller: Pubkey,
    owner: Pubkey,
    pool: Pubkey,
    quote: Token,
) -> Instruction {
    let request = address::provide_request(&pool, &owner);
    let instruction = build(
        accounts::CancelProvide {
            caller,
            group: keys.group,
            risk_book: keys.risk_book,
            pool,
            request,
            owner,
            mint: quote.mint,
            escrow: address::escrow(&request),
            destination: quote.account_of(&owner),
            authority: address::authority(&keys.group),
            token_program: quote.program,
        },
        data::CancelProvide {},
    );
    harvesting(instruction, quote)
}

/// Escrows `shares` of the owner's associated account.
pub fn request_redeem(
    keys: &GroupKeys,
    owner: Pubkey,
    pool: Pubkey,
    quote: Token,
    shares: u64,
    min_amount: u64,
) -> Instruction {
    let token = share_token(&pool, quote);
    let request = address::redeem_request(&pool, &owner);
    build(
        accounts::RequestRedeem {
            owner,
            group: keys.group,
            risk_book: keys.risk_book,
            pool,
            request,
            lp_mint: token.mint,
            escrow: address::escrow(&request),
            source: token.account_of(&owner),
            authority: address::authority(&keys.group),
            token_program: quote.program,
            system_program: system_program::ID,
        },
        data::RequestRedeem { shares, min_amount },
    )
}

/// Executes the owner's request, whole or in part; nobody signs. Quote goes to his associated account,
/// which must exist.
pub fn redeem_liquidity(
    keys: &GroupKeys,
    owner: Pubkey,
    pool: Pubkey,
    quote: Token,
) -> Instruction {
    let bank = address::bank(&keys.group, &quote.mint);
    let request = address::redeem_request(&pool, &owner);
    build(
        accounts::RedeemLiquidity {
            group: keys.group,
            risk_book: keys.risk_book,
            pool,
            pool_margin: address::pool_margin(&keys.group, &pool),
            bank,
            vault: address::vault(&bank),
            mint: quote.mint,
            request,
            owner,
            escrow: address::escrow(&request),
            lp_mint: address::lp_mint(&pool),
            destination: quote.account_of(&owner),
            authority: address::authority(&keys.group),
            token_program: quote.program,
        },
        data::RedeemLiquidity {},
    )
}

/// Gives the shares of a request back to the owner's associated account. `caller` is the owner, or
/// anyone once the request has lapsed.
pub fn cancel_redeem(
    keys: &GroupKeys,
    caller: Pubkey,
    owner: Pubkey,
    pool: Pubkey,
    quote: Token,
) -> Instruction {
    let token = share_token(&pool, quote);
    let request = address::redeem_request(&pool, &owner);
    build(
        accounts::CancelRedeem {
            caller,
            group: keys.group,
            risk_book: keys.risk_book,
            pool,
            request,
            owner,
            mint: token.mint,
            escrow: address::escrow(&request),
            destination: token.account_of(&owner),
            authority: address::authority(&keys.group),
            token_program: quote.program,
        },
        data::CancelRedeem {},
    )
}

/// A mint of Token-2022 may have withheld fees in an escrow, which go to the mint when it is closed.
fn harvesting(mut instruction: Instruction, token: Token) -> Instruction {
    if token.program == anchor_spl::token_2022::ID {
        for meta in &mut instruction.accounts {
            meta.is_writable |= meta.pubkey == token.mint;
        }
    }
    instruction
}
