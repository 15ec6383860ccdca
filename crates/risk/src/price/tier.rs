//! How good a price is (margin-spec 2.6).

use crate::units::Ppm;

/// How good an asset's price is, best first (2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Ok,
    Wide,
    Diverged,
    Stale,
    /// Never priced, or halted.
    #[default]
    Invalid,
}

/// The tier of a price, worst first (2.6). A publish time of zero or less means never priced;
/// `diverged` says that its sources disagree or that a jump waits (2.2, 2.5).
#[must_use]
pub fn tier(
    publish_time: i64,
    conf: Ppm,
    diverged: bool,
    wide_conf: Ppm,
    max_age_margin_s: u32,
    now: i64,
) -> Tier {
    if publish_time <= 0 {
        Tier::Invalid
    } else if age_s(publish_time, now) > max_age_margin_s {
        Tier::Stale
    } else if diverged {
        Tier::Diverged
    } else if conf > wide_conf {
        Tier::Wide
    } else {
        Tier::Ok
    }
}

/// Seconds since `publish_time`, zero when it lies ahead (2.1); saturates.
#[must_use]
pub fn age_s(publish_time: i64, now: i64) -> u32 {
    let age = now.saturating_sub(publish_time).max(0);
    u32::try_from(age).unwrap_or(u32::MAX)
}
