//! Errors that no test of `refusals` expects, and why.

/// Why the refusals of options are not reached.
const OPTIONS: &str = "a rule of options in keel-risk, tested there: no instruction lists, trades or \
     settles a series yet";

pub const NOT_REACHED: &[(&str, &str)] = &[
    (
        "SizeBeyondEnd",
        "needs a leg of which 1/128 lifts the account past the whole buffer, penalty paid: the \
         standard group's ranges are too narrow for that",
    ),
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
