//! A margin vector through the compiled program's `view_margin`, on raw accounts.

use anchor_lang::Discriminator;
use anchor_lang::prelude::Pubkey;
use anyhow::{Result, anyhow, ensure};
use bytemuck::{Zeroable, cast_slice_mut, from_bytes_mut};
use keel_risk::{Index48, Rule, Scenario, ScenarioPeak};
use keel_sdk::decode;
use keel_sdk::instruction::{GroupKeys, view_margin};
use keel_state::{
    AssetEntry, Balance, DISCRIMINATOR_BYTES, ExpiryEntry, InstrumentEntry, InstrumentTag,
    LAYOUT_VERSION, MarginAccount, MarginKind, MarginReport, POOL_CAPACITY, Position,
    RISK_BOOK_BYTES, RateEntry, RiskBook, Stored, StoredPeak, StoredScenario, margin_account_bytes,
};
use solana_account::Account;
use solana_signer::Signer;

use super::margin::{Asset, Found, Portfolio, Which};
use super::margin_native::group_terms;
use super::margin_parts::{Line, Parts};
use crate::vm::{Vm, keypair};

/// Long after every listing.
const NOW: i64 = 1_750_000_000;
/// Until the expiry that all instruments have.
const EXPIRY_S: i64 = 30 * 86_400;
/// 1, in ppm.
const ONE: u32 = 1_000_000;

/// The program, and the two accounts that it judges.
pub struct MarginVm {
    vm: Vm,
    keys: GroupKeys,
    margin: Pubkey,
}

impl MarginVm {
    pub fn new() -> Result<Self> {
        let [group, risk_book, quote_mint, margin] =
            [2, 3, 4, 5].map(|seed| keypair(seed).pubkey());
        Ok(Self {
            vm: Vm::new(NOW)?,
            keys: GroupKeys {
                group,
                risk_book,
                quote_mint,
            },
            margin,
        })
    }

    /// What the program reports.
    pub fn judge(&mut self, portfolio: Portfolio<'_>) -> Result<Found> {
        let (book, margin) = accounts(portfolio, self.keys.group)?;
        self.write(self.keys.risk_book, book);
        self.write(self.margin, margin);

        let mut lines = vec![Line::default(); portfolio.assets.len()];
        let first = self.report_from(0)?;
        let mut page = first;
        while page.lines_len > 0 {
            for line in &page.lines[..usize::from(page.lines_len)] {
                lines[usize::from(line.asset) - 1] = Line {
                    scan: line.maintenance_scan,
                    basis: line.basis,
                    floor: Some(line.floor),
                    unwind: line.unwind,
                    worst: line.maintenance_worst,
                };
            }
            page = self.report_from(page.first_asset + page.lines_len)?;
        }
        let parts = first.maintenance;
        Ok(Found {
            requirement: match portfolio.which {
                Which::Maintenance => first.maintenance_requirement,
                Which::Initial => first.initial_requirement,
            },
            parts: Parts {
                one_factor: parts.one_factor,
                systemic: parts.systemic,
                gross: parts.gross,
                basis: parts.basis,
                floor: Some(first.floor),
                unwind: parts.unwind,
                cushion: Some(first.cushion),
                rule: match first.maintenance_rule {
                    0 => Rule::OneFactor,
                    1 => Rule::Systemic,
                    _ => Rule::Gross,
                },
                lines,
            },
        })
    }

    /// The program's report with the assets from the `first`-th on.
    fn report_from(&self, first: u8) -> Result<MarginReport> {
        let view = view_margin(&self.keys, self.margin, first);
        let sent = self.vm.simulate(&[view], &[]);
        let sent = sent.map_err(|failure| anyhow!("cannot be run: {failure}"))?;
        let report = decode::margin_report(&sent.return_data);
        ensure!(
            report.version == LAYOUT_VERSION,
            "cannot be run: the program returned no report"
        );
        Ok(report)
    }

    fn write(&mut self, address: Pubkey, data: Vec<u8>) {
        let account = Account {
            lamports: self.vm.rent(data.len()),
            data,
            owner: keel::ID,
            executable: false,
            rent_epoch: u64::MAX,
        };
        self.vm.set_account(address, account);
    }
}

/// The bytes of the risk book and of the margin account.
fn accounts(portfolio: Portfolio<'_>, group: Pubkey) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut book_bytes = vec![0; RISK_BOOK_BYTES];
    let mut margin_bytes = vec![0; margin_account_bytes(POOL_CAPACITY)];
    let (fixed, positions) = margin_bytes.split_at_mut(MarginAccount::BYTES);
    let mut writer = Writer {
        book: start::<RiskBook>(&mut book_bytes[..RiskBook::BYTES]),
        margin: start::<MarginAccount>(fixed),
        positions: cast_slice_mut(positions),
        which: portfolio.which,
    };
    writer.head(group, portfolio.scenarios)?;
    for (index, asset) in portfolio.assets.iter().enumerate() {
        writer.asset(u8::try_from(index + 1)?, asset)?;
    }
    Ok((book_bytes, margin_bytes))
}

/// Writes an account's discriminator and gives the struct behind it.
fn start<T: Stored + Discriminator>(bytes: &mut [u8]) -> &mut T {
    let (discriminator, body) = bytes.split_at_mut(DISCRIMINATOR_BYTES);
    discriminator.copy_from_slice(T::DISCRIMINATOR);
    from_bytes_mut(body)
}

struct Writer<'a> {
    book: &'a mut RiskBook,
    margin: &'a mut MarginAccount,
    positions: &'a mut [Position],
    which: Which,
}

impl Writer<'_> {
    /// Everything but assets: the group's terms, the scenarios, the quote and its bank.
    fn head(&mut self, group: Pubkey, scenarios: &[Scenario]) -> Result<()> {
        let terms = group_terms(scenarios);
        self.book.version = LAYOUT_VERSION;
        self.book.group = group;
        self.book.gross_min = terms.gross_min.0;
        self.book.upnl_weight = terms.upnl_weight.0;
        self.book.upnl_cap = terms.upnl_cap.0;
        self.book.peak_up = stored_peak(terms.extremes.up);
        self.book.peak_down = stored_peak(terms.extremes.down);
        self.book.scenarios_len = u8::try_from(scenarios.len())?;
        for (slot, scenario) in self.book.scenarios.iter_mut().zip(scenarios) {
            *slot = stored(*scenario);
        }
        self.book.assets[0] = AssetEntry {
            lot_price: 1,
            native_price: 1,
            ..priced()
        };
        self.book.assets_len = 1;
        self.book.rates[0] = bank(0);
        self.book.rates_len = 1;
        self.book.expiries[0] = ExpiryEntry {
            expiry: NOW + EXPIRY_S,
            listed: 1,
            ..Zeroable::zeroed()
        };
        self.book.expiries_len = 1;

        self.margin.version = LAYOUT_VERSION;
        self.margin.kind = MarginKind::Pool as u8;
        self.margin.capacity = u16::try_from(POOL_CAPACITY)?;
        self.margin.group = group;
        Ok(())
    }

    fn asset(&mut self, index: u8, asset: &Asset) -> Result<()> {
        let lot_price = asset.mantissa(asset.lot_value);
        self.book.assets[usize::from(index)] = AssetEntry {
            lot_shift: asset.shift(),
            lot_price,
            native_price: 1,
            range: asset.range,
            init_factor: asset.init_factor,
            init_factor_effective: asset.init_factor,
            basis_rate: asset.basis_rate,
            short_option_min: asset.short_option_min,
            unwind_rate: asset.unwind_rate,
            concentration_cap: asset.concentration_cap,
            systematic: asset.systematic,
            depth: asset.depth,
            ..priced()
        };
        self.book.assets_len = index + 1;

        if let Some(worth) = asset.spot {
            let slot = self.book.rates_len;
            self.book.rates[usize::from(slot)] = bank(index);
            self.book.rates_len = slot + 1;
            self.margin.balances[usize::from(slot)] = Balance {
                used: 1,
                bank: slot,
                shares: worth.of(self.which),
                ..Zeroable::zeroed()
            };
        }
        // Published at this price and at this moment, so that marks and arrays stand as they are.
        let published = InstrumentEntry {
            asset: index,
            mark_updated: NOW,
            made_price: lot_price,
            made_range: asset.range,
            ..Zeroable::zeroed()
        };
        for worth in &asset.linear {
            let entry = InstrumentEntry {
                kind: InstrumentTag::Future as u8,
                mark: asset.mantissa(1),
                ..published
            };
            self.hold(entry, worth.of(self.which));
        }
        for option in &asset.options {
            let mark = asset.mantissa(option.mark);
            let mut entry = InstrumentEntry {
                // A put, and a strike whose bounds hold any mark.
                kind: InstrumentTag::Put as u8,
                strike: lot_price.max(mark),
                mark,
                ..published
            };
            let places = entry.array.iter_mut();
            for (place, gain) in places.zip(&option.array) {
                *place = *gain;
            }
            self.hold(entry, option.size);
        }
        Ok(())
    }

    fn hold(&mut self, entry: InstrumentEntry, size: i64) {
        let slot = self.book.instruments_len;
        self.book.instruments[usize::from(slot)] = entry;
        self.book.instruments_len = slot + 1;
        self.positions[usize::from(slot)] = Position {
            used: 1,
            instrument: slot,
            size,
            keep: 1 << 40,
            ..Zeroable::zeroed()
        };
        self.margin.positions_end = u16::from(slot) + 1;
    }
}

/// An asset that was listed long ago and is priced now.
fn priced() -> AssetEntry {
    AssetEntry {
        listed: 1,
        priced: 1,
        publish_time: NOW,
        max_age_margin_s: u32::MAX,
        max_age_liquidation_s: u32::MAX,
        max_age_withdrawal_s: u32::MAX,
        ..Zeroable::zeroed()
    }
}

/// A bank of an asset with every weight 1 and no interest.
fn bank(asset: u8) -> RateEntry {
    RateEntry {
        asset,
        listed: 1,
        deposit_index: Index48::ONE.0,
        borrow_index: Index48::ONE.0,
        maint_asset_weight: ONE,
        init_asset_weight: ONE,
        maint_liab_weight: ONE,
        init_liab_weight: ONE,
        updated: NOW,
        ..Zeroable::zeroed()
    }
}

fn stored(scenario: Scenario) -> StoredScenario {
    StoredScenario {
        k_num: scenario.k_num,
        k_den: scenario.k_den,
        v: scenario.v,
        padding0: 0,
        w: scenario.w.0,
    }
}

fn stored_peak(peak: ScenarioPeak) -> StoredPeak {
    StoredPeak {
        scenario: stored(peak.scenario),
        number: peak.number,
        reach: peak.reach,
        padding0: [0; 6],
    }
}
