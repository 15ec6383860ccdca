//! Accounts as a client fetches them, judged with the program's own engine.

use keel_risk::{Assessment, Legs};
use keel_sdk::{Pubkey, Snapshot};
use keel_state::{MarginReport, MarginView, Workspace};
use keel_tests::World;

/// Atoms of the quote in a dollar.
pub const ATOMS: f64 = 1e6;

pub fn usd(atoms: i64) -> f64 {
    atoms as f64 / ATOMS
}

/// The risk book's bytes and the clock of one moment.
pub struct Chain<'a> {
    world: &'a World,
    book: Vec<u8>,
    now: i64,
}

/// One margin account at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub margin: Pubkey,
    pub assessment: Assessment,
    /// Whether it has an open position.
    pub open: bool,
}

impl Found {
    pub fn health(&self) -> i64 {
        self.assessment.maintenance.health().0
    }

    /// Net asset value, atoms.
    pub fn worth(&self) -> i64 {
        self.assessment.net_asset_value.0
    }
}

impl<'a> Chain<'a> {
    pub fn of(world: &'a World) -> Self {
        Self {
            world,
            book: world.book_data(),
            now: world.vm.now(),
        }
    }

    pub fn data(&self, address: &Pubkey) -> Vec<u8> {
        self.world.data(address)
    }

    pub fn snapshot(&self) -> anyhow::Result<Snapshot<'_>> {
        Ok(Snapshot::new(&self.book, self.now)?)
    }

    pub fn find(&self, margin: Pubkey) -> anyhow::Result<Found> {
        let data = self.world.data(&margin);
        let snapshot = self.snapshot()?;
        let view = snapshot.margin(&data)?;
        Ok(Found {
            margin,
            assessment: snapshot.assess(&view),
            open: is_open(&view),
        })
    }

    /// What `view_margin` should return of the account.
    pub fn report(&self, margin: Pubkey) -> anyhow::Result<MarginReport> {
        let data = self.world.data(&margin);
        let snapshot = self.snapshot()?;
        let view = snapshot.margin(&data)?;
        let mut report: MarginReport = bytemuck::Zeroable::zeroed();
        let mut workspace = Workspace::for_account(&view);
        report.write(&snapshot.view(), &view, 0, &mut workspace.scratch());
        Ok(report)
    }
}

fn is_open(view: &MarginView<'_>) -> bool {
    (0..view.position_slots())
        .filter_map(|slot| view.position(slot))
        .any(|position| position.size.0 != 0)
}
