//! `view_margin`: an account's whole margin report as return data.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::program::set_return_data;
use keel_state::{BookView, MarginAccount, MarginReport, RiskBook, Workspace};

use crate::load;

#[derive(Accounts)]
pub struct ViewMargin<'info> {
    pub risk_book: AccountLoader<'info, RiskBook>,
    pub margin: AccountLoader<'info, MarginAccount>,
}

/// Returns a [`MarginReport`]: the header and up to eight asset lines from the `first_asset`-th on.
pub fn handler(ctx: Context<ViewMargin>, first_asset: u8) -> Result<()> {
    let now = Clock::get()?.unix_timestamp;
    let book = ctx.accounts.risk_book.load()?;
    let margin = load::margin(&ctx.accounts.margin, &book)?;

    let mut workspace = Workspace::for_account(&margin.view());
    let mut report = Box::<MarginReport>::new(bytemuck::Zeroable::zeroed());
    report.write(
        &BookView::new(&book, now),
        &margin.view(),
        usize::from(first_asset),
        &mut workspace.scratch(),
    );

    set_return_data(bytemuck::bytes_of(&*report));
    Ok(())
}
