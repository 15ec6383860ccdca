//! When the cluster was last restarted: after it, prices are asked for anew (margin-spec 8.4).

use anchor_lang::prelude::*;
use solana_last_restart_slot::LastRestartSlot;

/// The slot of the cluster's last restart; 0 when it never was.
pub fn last_slot() -> Result<u64> {
    Ok(LastRestartSlot::get()?.last_restart_slot)
}
