//! The small enumerations that accounts store as one byte, and the addresses' seed words.

/// Seed words of the program's derived addresses (architecture 3).
pub mod seeds {
    pub const GROUP: &[u8] = b"group";
    pub const BANK: &[u8] = b"bank";
    pub const VAULT: &[u8] = b"vault";
    pub const MARKET: &[u8] = b"market";
    pub const MARGIN: &[u8] = b"margin";
    pub const POOL: &[u8] = b"pool";
    pub const LP_MINT: &[u8] = b"lp";
    pub const AUTHORITY: &[u8] = b"authority";
    pub const PROVIDE: &[u8] = b"provide";
    pub const REDEEM: &[u8] = b"redeem";
    pub const ESCROW: &[u8] = b"escrow";
}

/// Declares a `u8` tag with a checked way back from the stored byte.
macro_rules! tag {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_meta])* $variant = $value,)+ }

        impl $name {
            /// The tag that a stored byte names; `None` for a byte that names none.
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($value => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

tag! {
    /// Where a price comes from (margin-spec 2.2).
    SourceKind {
        /// No source configured.
        None = 0,
        /// A `PriceUpdateV2` account of a Pyth pull receiver.
        PythPull = 1,
        /// A price account of the legacy Pyth oracle program, pinned by address.
        PythLegacy = 2,
    }
}

tag! {
    /// What an instrument is.
    InstrumentTag {
        /// The slot is free.
        None = 0,
        /// A perpetual: its mark is the asset's price.
        Perp = 1,
        /// A dated future: its mark moves one for one with its expiry's forward.
        Future = 2,
        /// European options on their expiry's forward.
        Call = 3,
        Put = 4,
    }
}

tag! {
    /// Whose account it is.
    MarginKind {
        Trader = 1,
        /// A pool's book: capacity 128, never liquidated by `liquidate`.
        Pool = 2,
    }
}
