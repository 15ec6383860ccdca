//! Errors that no transaction of the tests can reach.

/// Plans that no instruction calls yet.
const NO_INSTRUCTION: &str =
    "no instruction plans it yet; the risk engine's own tests refuse by it";

/// Why the refusals of options are not reached.
const OPTIONS: &str = "a rule of options in keel-risk, tested there: no instruction lists, trades or \
     settles a series yet";

/// Errors without a test in `refusals.rs`, and why.
pub const UNREACHED: &[(&str, &str)] = &[
    (
        "SizeBeyondEnd",
        "needs a leg of which 1/128 lifts the account past the whole buffer, penalty paid: the standard \
         group's ranges are too narrow for that",
    ),
    ("TooLittleOpposite", NO_INSTRUCTION),
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
