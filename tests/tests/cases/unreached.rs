//! Errors that no transaction of the tests can reach.

/// Why the refusals of options are not reached.
const OPTIONS: &str = "a rule of options in keel-risk, tested there: no instruction lists, trades or \
     settles a series yet";

/// Errors without a test in `refusals.rs`, and why.
pub const UNREACHED: &[(&str, &str)] = &[
    ("SeriesStale", OPTIONS),
    ("SettlementPending", OPTIONS),
    ("SlotInUse", OPTIONS),
    ("LotUnfitForOptions", OPTIONS),
    ("ArrayTooWide", OPTIONS),
    ("StrikeOutOfRange", OPTIONS),
    ("ExpiryTooSoon", OPTIONS),
    ("SliceMalformed", OPTIONS),
    ("StrikesOutOfOrder", OPTIONS),
    ("VolatilityOutOfRange", OPTIONS),
    ("VolatilityTooFast", OPTIONS),
    ("ButterflyArbitrage", OPTIONS),
    ("PoolVegaCap", OPTIONS),
    ("PoolGammaCap", OPTIONS),
];
