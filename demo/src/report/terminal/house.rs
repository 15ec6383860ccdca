//! The house: who is here for its sake, and what lending, funding, liquidity, insurance, settlements,
//! takeovers, deleveragings and bankruptcies came to.

use super::{clip, trader_table};
use crate::house::House;
use crate::report::money::{cents, elapsed, grouped, share, signed_usd, size, usd};
use crate::report::table::Align::{Left, Right};
use crate::report::table::Table;
use crate::result::RunResult;

pub fn render(run: &RunResult) -> String {
    let house = &run.house;
    let start = run.times.first().copied().unwrap_or(0);
    [
        trader_table(&house.members, "kind", |t| t.kind.clone()),
        titled("Interest, by bank", interest(house)),
        titled("Funding, by market", funding(house)),
        titled("Liquidity providers", providers(house, start)),
        titled("Insurance, by market", insurance(house)),
        titled("Results settled, by market", settlements(house)),
        titled("Takeovers", takeovers(house, start)),
        titled(
            "Deleveragings of what nobody bid for",
            deleveragings(house, start),
        ),
        titled("Bankruptcies, and who paid", bankruptcies(house, start)),
    ]
    .join("\n")
}

fn titled(title: &str, body: String) -> String {
    format!("  {title}:\n{body}")
}

fn interest(house: &House) -> String {
    let columns = [
        ("token", Left),
        ("lent out", Right),
        ("a year", Right),
        ("borrowers paid", Right),
        ("depositors earned", Right),
        ("insurance kept", Right),
    ];
    let mut table = Table::new(&columns);
    for bank in &house.interest {
        table.row([
            clip(&bank.token, 10),
            usd(bank.borrowed),
            share(bank.yearly_percent),
            cents(bank.paid),
            cents(bank.earned),
            cents(bank.insured),
        ]);
    }
    table.render()
}

fn funding(house: &House) -> String {
    let columns = [
        ("market", Left),
        ("open interest", Right),
        ("longs paid", Right),
        ("shorts got", Right),
        ("rate a day, at the end", Right),
    ];
    let mut table = Table::new(&columns);
    for market in &house.funding {
        table.row([
            clip(&market.market, 12),
            usd(market.open_interest),
            cents(market.longs_paid),
            cents(market.shorts_got),
            share(market.daily_percent),
        ]);
    }
    table.render()
}

fn providers(house: &House, start: i64) -> String {
    let columns = [
        ("provider", Left),
        ("shares at the start", Right),
        ("at the end", Right),
        ("paid out", Right),
        ("profit", Right),
    ];
    let mut table = Table::new(&columns);
    let liquidity = &house.liquidity;
    for provider in &liquidity.providers {
        table.row([
            clip(&provider.name, 18),
            usd(provider.initial_value),
            usd(provider.final_value),
            usd(provider.redeemed),
            signed_usd(provider.profit()),
        ]);
    }
    let mut out = table.render();
    out += &format!(
        "  Of it fees {}, premiums for skew {}; the rest is what traders lost or won.\n",
        usd(liquidity.fees),
        usd(liquidity.impact)
    );
    for paid in &liquidity.redemptions {
        out += &format!(
            "  {} after {}: {} for {:.0} shares, {:.0} left to pay.\n",
            clip(&paid.provider, 18),
            elapsed(paid.time - start),
            usd(paid.paid),
            paid.shares,
            paid.left
        );
    }
    if liquidity.redemptions.is_empty() {
        out += "  The redemption's cooldown was not over in the run.\n";
    }
    out
}

fn insurance(house: &House) -> String {
    let columns = [
        ("market", Left),
        ("given by the operator", Right),
        ("earned", Right),
        ("paid", Right),
        ("held at the end", Right),
        ("a side's limit with it", Right),
    ];
    let mut table = Table::new(&columns);
    for market in &house.insurance {
        table.row([
            clip(&market.market, 12),
            usd(market.given),
            usd(market.earned),
            usd(market.paid),
            usd(market.held),
            usd(market.limit),
        ]);
    }
    table.render()
}

fn settlements(house: &House) -> String {
    let columns = [
        ("market", Left),
        ("settlements", Right),
        ("paid to who won", Right),
        ("won and waiting at the end", Right),
    ];
    let mut table = Table::new(&columns);
    for market in &house.settlements {
        table.row([
            clip(&market.market, 12),
            market.times.to_string(),
            usd(market.moved),
            usd(market.waiting),
        ]);
    }
    table.render()
}

fn takeovers(house: &House, start: i64) -> String {
    if house.takeovers.is_empty() {
        return "  none\n".to_owned();
    }
    let columns = [
        ("after", Right),
        ("account", Left),
        ("by", Left),
        ("share", Right),
        ("worth", Right),
        ("paid", Right),
        ("discount", Right),
        ("auction", Right),
    ];
    let mut table = Table::new(&columns);
    for taken in &house.takeovers {
        table.row([
            elapsed(taken.time - start),
            clip(&taken.account, 16),
            clip(&taken.bidder, 12),
            share(taken.share * 100.0),
            usd(taken.worth),
            usd(taken.payment),
            usd(taken.discount()),
            format!("{} s", taken.after_s),
        ]);
    }
    table.render()
}

fn deleveragings(house: &House, start: i64) -> String {
    if house.deleveragings.is_empty() {
        return "  none\n".to_owned();
    }
    let columns = [
        ("after", Right),
        ("account", Left),
        ("market", Left),
        ("by", Left),
        ("taken", Right),
        ("mark", Right),
        ("penalty", Right),
        ("of the side", Right),
        ("equity", Right),
    ];
    let mut table = Table::new(&columns);
    for one in &house.deleveragings {
        table.row([
            elapsed(one.time - start),
            clip(&one.account, 12),
            clip(&one.market, 12),
            one.by().to_owned(),
            size(one.size),
            grouped(one.price, 2),
            usd(one.penalty),
            share(one.closed_percent),
            usd(one.net_asset_value),
        ]);
    }
    let mut out = table.render();
    for strays in &house.strays {
        out += &format!(
            "  {}: the pool took {} in lots that rounding left without a holder.\n",
            clip(&strays.market, 12),
            grouped(strays.size, 5)
        );
    }
    out
}

fn bankruptcies(house: &House, start: i64) -> String {
    if house.bankruptcies.is_empty() {
        return "  none\n".to_owned();
    }
    let mut columns = vec![
        ("after", Right),
        ("account", Left),
        ("in", Left),
        ("lacked", Right),
    ];
    let heads = [
        "market ins.",
        "group ins.",
        "other side",
        "depositors",
        "owed",
    ];
    columns.extend(heads.map(|head| (head, Right)));
    let mut table = Table::new(&columns);
    for one in &house.bankruptcies {
        let who = [
            elapsed(one.time - start),
            clip(&one.account, 16),
            clip(&one.ledger, 10),
            usd(one.deficit),
        ];
        table.row(
            who.into_iter()
                .chain(one.parts().map(|(_, paid)| usd(paid))),
        );
    }
    table.render()
}
