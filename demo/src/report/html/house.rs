//! The house: members, lending, funding, liquidity, insurance, settlements, takeovers, deleveragings and
//! bankruptcies.

use super::{escape, row, table};
use crate::house::House;
use crate::report::money::{cents, elapsed, grouped, percent, share, signed_usd, size, usd};
use crate::result::RunResult;

pub fn section(run: &RunResult) -> String {
    let house = &run.house;
    let start = run.times.first().copied().unwrap_or(0);
    let cards = [
        card("Its members", members(house)),
        card("Interest", interest(house)),
        card("Funding", funding(house)),
        card("Liquidity providers", providers(house, start)),
        card("Insurance", insurance(house)),
        card("Results settled", settlements(house)),
        card("Takeovers", takeovers(house, start)),
        card(
            "Deleveragings of what nobody bid for",
            deleveragings(house, start),
        ),
        card("Bankruptcies, and who paid", bankruptcies(house, start)),
    ];
    format!("<section><h2>The house</h2>{}</section>", cards.join("\n"))
}

fn card(title: &str, body: String) -> String {
    format!("<div class=\"card scroll\"><h3>{title}</h3>{body}</div>")
}

fn members(house: &House) -> String {
    let mut rows = String::new();
    for member in &house.members {
        let cells = [
            usd(member.initial_equity),
            usd(member.final_equity),
            percent(member.change()),
            usd(member.min_health),
            member.liquidations.to_string(),
        ];
        rows.push_str(&row(
            "",
            &[&member.name, &member.kind, &member.story],
            &cells,
        ));
    }
    table(
        &["who", "kind", ""],
        &["start", "end", "change", "least health", "liquidations"],
        &rows,
    )
}

fn interest(house: &House) -> String {
    let mut rows = String::new();
    for bank in &house.interest {
        let cells = [
            usd(bank.borrowed),
            share(bank.yearly_percent),
            cents(bank.paid),
            cents(bank.earned),
            cents(bank.insured),
        ];
        rows.push_str(&row("", &[&bank.token], &cells));
    }
    let heads = [
        "lent out",
        "rate a year",
        "borrowers paid",
        "depositors earned",
        "insurance kept",
    ];
    table(&["token"], &heads, &rows)
}

fn funding(house: &House) -> String {
    let mut rows = String::new();
    for market in &house.funding {
        let cells = [
            usd(market.open_interest),
            cents(market.longs_paid),
            cents(market.shorts_got),
            share(market.daily_percent),
        ];
        rows.push_str(&row("", &[&market.market], &cells));
    }
    let heads = [
        "open interest",
        "longs paid",
        "shorts got",
        "rate a day, at the end",
    ];
    table(&["market"], &heads, &rows)
}

fn providers(house: &House, start: i64) -> String {
    let liquidity = &house.liquidity;
    let mut rows = String::new();
    for provider in &liquidity.providers {
        let cells = [
            usd(provider.initial_value),
            usd(provider.final_value),
            usd(provider.redeemed),
            signed_usd(provider.profit()),
        ];
        rows.push_str(&row("", &[&provider.name], &cells));
    }
    let heads = ["shares at the start", "at the end", "paid out", "profit"];
    let mut out = table(&["provider"], &heads, &rows);
    out += &format!(
        "<p class=\"soft\">Of it fees {}, premiums for skew {}; the rest is what traders lost or won.</p>",
        usd(liquidity.fees),
        usd(liquidity.impact)
    );
    for paid in &liquidity.redemptions {
        out += &format!(
            "<p class=\"soft\">{} after {}: {} for {:.0} shares, {:.0} left to pay.</p>",
            escape(&paid.provider),
            elapsed(paid.time - start),
            usd(paid.paid),
            paid.shares,
            paid.left
        );
    }
    if liquidity.redemptions.is_empty() {
        out += "<p class=\"soft\">The redemption's cooldown was not over in the run.</p>";
    }
    out
}

fn insurance(house: &House) -> String {
    let mut rows = String::new();
    for market in &house.insurance {
        let cells = [
            usd(market.given),
            usd(market.earned),
            usd(market.paid),
            usd(market.held),
            usd(market.limit),
        ];
        rows.push_str(&row("", &[&market.market], &cells));
    }
    let heads = [
        "given by the operator",
        "earned",
        "paid",
        "held at the end",
        "a side's limit with it",
    ];
    table(&["market"], &heads, &rows)
}

fn settlements(house: &House) -> String {
    let mut rows = String::new();
    for market in &house.settlements {
        let cells = [
            market.times.to_string(),
            usd(market.moved),
            usd(market.waiting),
        ];
        rows.push_str(&row("", &[&market.market], &cells));
    }
    let heads = [
        "settlements",
        "paid to who won",
        "won and waiting at the end",
    ];
    table(&["market"], &heads, &rows)
}

fn takeovers(house: &House, start: i64) -> String {
    if house.takeovers.is_empty() {
        return "<p>None.</p>".to_owned();
    }
    let mut rows = String::new();
    for taken in &house.takeovers {
        let after = elapsed(taken.time - start);
        let cells = [
            share(taken.share * 100.0),
            usd(taken.worth),
            usd(taken.payment),
            usd(taken.discount()),
            usd(taken.from_insurance),
            format!("{} s", taken.after_s),
            usd(taken.health_before),
            usd(taken.health_after),
        ];
        rows.push_str(&row("", &[&after, &taken.account, &taken.bidder], &cells));
    }
    let heads = [
        "share",
        "worth",
        "paid",
        "discount",
        "insurance added",
        "auction",
        "health before",
        "after",
    ];
    table(&["after", "account", "by"], &heads, &rows)
}

fn deleveragings(house: &House, start: i64) -> String {
    if house.deleveragings.is_empty() {
        return "<p>None.</p>".to_owned();
    }
    let mut rows = String::new();
    for one in &house.deleveragings {
        let after = elapsed(one.time - start);
        let cells = [
            size(one.size),
            grouped(one.price, 2),
            usd(one.penalty),
            share(one.closed_percent),
            usd(one.net_asset_value),
        ];
        rows.push_str(&row(
            "",
            &[&after, &one.account, &one.market, one.by()],
            &cells,
        ));
    }
    let heads = [
        "taken",
        "mark",
        "penalty",
        "closed of that side",
        "equity before",
    ];
    let mut out = table(&["after", "account", "market", "by"], &heads, &rows);
    for strays in &house.strays {
        out += &format!(
            "<p class=\"soft\">{}: the pool took {} in lots that rounding left without a holder.</p>",
            escape(&strays.market),
            grouped(strays.size, 5)
        );
    }
    out
}

fn bankruptcies(house: &House, start: i64) -> String {
    if house.bankruptcies.is_empty() {
        return "<p>None.</p>".to_owned();
    }
    let mut rows = String::new();
    for one in &house.bankruptcies {
        let after = elapsed(one.time - start);
        let mut cells = vec![usd(one.net_asset_value), usd(one.deficit)];
        cells.extend(one.parts().map(|(_, paid)| usd(paid)));
        rows.push_str(&row("", &[&after, &one.account, &one.ledger], &cells));
    }
    let mut heads = vec!["equity", "lacked"];
    let parts = house.bankruptcies.first().map(|one| one.parts());
    heads.extend(parts.into_iter().flatten().map(|(who, _)| who));
    table(&["after", "account", "in"], &heads, &rows)
}
