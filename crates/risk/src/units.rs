//! Quantities as types: adding lots to atoms does not compile (margin-spec 1.1 to 1.3).

macro_rules! quantity {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);
    };
}

quantity! {
    /// Quote atoms, 1e-6 of the settlement token (1.1).
    Atoms(i64)
}
quantity! {
    /// Derivative size in lots of the asset, + is long (1.1).
    Lots(i64)
}
quantity! {
    /// Token amount in native units of its mint (1.1).
    Native(i64)
}
quantity! {
    /// Shares of a bank: + is a deposit, - is a borrow (4.1).
    Shares(i64)
}
quantity! {
    /// Millionths: ratios, weights, ranges (1.2).
    Ppm(u32)
}
quantity! {
    /// A fraction with 40 fractional bits (1.2).
    Frac40(u64)
}
quantity! {
    /// A bank index, tokens per share, with 48 fractional bits (1.2).
    Index48(u64)
}

quantity! {
    /// Cumulative carry of one side of a market: atoms per lot with 48 fractional bits (1.2, 7.2).
    ///
    /// Aligned to 8 on every machine, like the stored bytes: SBPF has no wider alignment.
    #[repr(C, packed(8))]
    Carry48(i128)
}
quantity! {
    /// Part of an atom that rounding kept from an account: atoms with 48 fractional bits.
    Dust48(u64)
}
quantity! {
    /// Growth per second as a fraction of what grows, 64 fractional bits (7.1).
    PerSecond64(u64)
}
quantity! {
    /// Lots of the asset that move alike, 30 fractional bits (6.2).
    Delta30(i32)
}

impl Delta30 {
    /// One lot: what a perp or a future moves like.
    pub const ONE: Self = Self(1 << 30);
}

impl Ppm {
    /// 1,000,000 ppm.
    pub const ONE: Self = Self(1_000_000);
}

impl Frac40 {
    /// One, with 40 fractional bits.
    pub const ONE: Self = Self(1 << 40);
}

impl Frac40 {
    /// The fraction in millionths, ceil; saturates.
    #[must_use]
    pub fn to_ppm_ceil(self) -> Ppm {
        let ppm = crate::num::umul_shift_ceil(self.0, 1_000_000, 40);
        Ppm(u32::try_from(ppm).unwrap_or(u32::MAX))
    }

    /// The fraction in thousandths, ceil; saturates from 65 on.
    #[must_use]
    pub fn to_thousandths_ceil(self) -> u16 {
        // Below 2^47 times 1,000, which is below 2^57.
        let scaled = self.0.min(1 << 47) * 1_000;
        u16::try_from(scaled.div_ceil(1 << 40)).unwrap_or(u16::MAX)
    }
}

impl Index48 {
    /// One token per share: where every bank starts.
    pub const ONE: Self = Self(1 << 48);
}

/// A dyadic price: atoms per lot, or per native token unit, `mantissa / 2^shift` (1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Price {
    mantissa: u64,
    shift: u8,
}

impl Price {
    /// One above the greatest mantissa.
    pub const MANTISSA_END: u64 = 1 << 48;
    /// The greatest shift.
    pub const MAX_SHIFT: u8 = 62;
    /// One atom per unit: the price of the quote.
    pub const ONE: Self = Self {
        mantissa: 1,
        shift: 0,
    };

    /// A price, or `None` unless `1 <= mantissa < 2^48` and `shift <= 62`.
    #[must_use]
    pub const fn new(mantissa: u64, shift: u8) -> Option<Self> {
        if mantissa == 0 || mantissa >= Self::MANTISSA_END || shift > Self::MAX_SHIFT {
            return None;
        }
        Some(Self { mantissa, shift })
    }

    /// A price as stored: bits beyond 48 of the mantissa and beyond 6 of the shift are dropped. What
    /// [`Price::new`] made comes back as it was; an asset that was never priced is worth nothing.
    #[inline]
    #[must_use]
    pub const fn from_stored(mantissa: u64, shift: u8) -> Self {
        Self {
            mantissa: mantissa & (Self::MANTISSA_END - 1),
            shift: shift & 63,
        }
    }

    /// Atoms per unit times `2^shift`.
    #[must_use]
    pub const fn mantissa(self) -> u64 {
        self.mantissa
    }

    /// Binary places of the mantissa.
    #[must_use]
    pub const fn shift(self) -> u8 {
        self.shift
    }
}

impl Lots {
    /// The same number of lots on the other side; saturates.
    #[must_use]
    pub const fn opposite(self) -> Self {
        Self(self.0.saturating_neg())
    }
}
