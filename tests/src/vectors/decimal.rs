//! Decimals as vector files print them, compared without rounding.

/// 10^18: the unit that a [`Decimal`] is kept in.
const UNIT: i128 = 1_000_000_000_000_000_000;
/// Digits behind the point that are kept.
const PLACES: i32 = 18;

/// A decimal number: 18 digits behind the point, cut towards zero, and whether there was more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    scaled: i128,
    more: bool,
}

/// A number as written: digits, and where the point stands.
#[derive(Clone, Debug)]
pub struct Digits {
    negative: bool,
    /// 0 to 9 each, the first not 0.
    digits: Vec<u8>,
    /// The number is `digits * 10^exponent`.
    exponent: i32,
}

impl Digits {
    /// `None` for what is no decimal number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let magnitude = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
        let written = || whole.bytes().chain(fraction.bytes());
        if written().count() == 0 || !written().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let digits = written().map(|digit| digit - b'0');
        Some(Self {
            negative,
            digits: digits.skip_while(|digit| *digit == 0).collect(),
            exponent: exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?,
        })
    }

    /// Whether the number is above zero.
    pub fn is_positive(&self) -> bool {
        !self.negative && !self.digits.is_empty()
    }

    /// The power of ten above the number: the least `e` with `|number| < 10^e`.
    pub fn power(&self) -> i32 {
        let length = i32::try_from(self.digits.len()).unwrap_or(i32::MAX);
        self.exponent.saturating_add(length)
    }

    /// `|number| * 10^places`, cut to a whole number, and whether there was more; `None` above 128
    /// bits.
    fn shifted(&self, places: i32) -> Option<(u128, bool)> {
        let spare = self.exponent.checked_add(places)?;
        let count = i32::try_from(self.digits.len()).ok()?;
        let kept = usize::try_from(count.checked_add(spare.min(0))?.max(0)).ok()?;
        let mut number = 0u128;
        for digit in &self.digits[..kept] {
            number = number.checked_mul(10)?.checked_add(u128::from(*digit))?;
        }
        if number != 0 && spare > 0 {
            let power = 10u128.checked_pow(u32::try_from(spare).ok()?)?;
            number = number.checked_mul(power)?;
        }
        Some((number, self.digits[kept..].iter().any(|digit| *digit != 0)))
    }

    /// `|number| * 10^places`, rounded to the nearest; `None` above 64 bits.
    pub fn rounded(&self, places: i32) -> Option<u64> {
        let (tenths, _) = self.shifted(places.checked_add(1)?)?;
        u64::try_from((tenths + 5) / 10).ok()
    }
}

impl Decimal {
    /// Reads `12`, `-0.5`, `1.5e-7`; `None` for what is no decimal number or exceeds 10^19.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = Digits::parse(text)?;
        let (scaled, more) = digits.shifted(PLACES)?;
        let scaled = i128::try_from(scaled).ok()?;
        (scaled < 10 * UNIT * UNIT).then_some(Self {
            scaled: if digits.negative { -scaled } else { scaled },
            more,
        })
    }

    /// A whole number of 64 bits.
    pub fn whole(number: i64) -> Self {
        Self {
            scaled: i128::from(number) * UNIT,
            more: false,
        }
    }

    /// The number, when it is whole and has at most 64 bits.
    pub fn to_whole(self) -> Option<i64> {
        if self.more || self.scaled % UNIT != 0 {
            return None;
        }
        i64::try_from(self.scaled / UNIT).ok()
    }

    /// `self <= number`.
    pub fn is_at_most(self, number: i64) -> bool {
        let scaled = i128::from(number) * UNIT;
        self.scaled < scaled || (self.scaled == scaled && !(self.more && self.scaled >= 0))
    }

    /// `number <= self + above`; `above` is taken without its digits beyond the eighteenth.
    pub fn reaches(self, above: Self, number: i64) -> bool {
        let least = i128::from(number) * UNIT - above.scaled;
        least < self.scaled || (least == self.scaled && !(self.more && self.scaled < 0))
    }

    /// Whether `number` lies within `distance` of it.
    pub fn is_near(self, number: i64, distance: Self) -> bool {
        self.short_of(number).scaled.abs() <= distance.scaled
    }

    /// The nearest binary float, about.
    pub fn to_float(self) -> f64 {
        self.scaled as f64 / UNIT as f64
    }

    /// `number - self`.
    pub fn short_of(self, number: i64) -> Self {
        Self {
            scaled: i128::from(number) * UNIT - self.scaled,
            more: self.more,
        }
    }

    /// The greater of two; digits that were cut do not count.
    pub fn greater(self, other: Self) -> Self {
        if other.scaled > self.scaled {
            other
        } else {
            self
        }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.scaled < 0 { "-" } else { "" };
        let magnitude = self.scaled.unsigned_abs();
        let unit = UNIT.unsigned_abs();
        let text = format!("{sign}{}.{:018}", magnitude / unit, magnitude % unit);
        out.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn every_way_to_write_a_number_is_read() {
        for text in [
            "1500",
            "1500.0",
            "1.5e3",
            "+15E2",
            "001500.000",
            "150000e-2",
        ] {
            assert_eq!(read(text).to_whole(), Some(1_500), "{text}");
        }
        assert_eq!(read("-0.5").to_string(), "-0.5");
        assert_eq!(read("1.8e-7020"), read("0.0000000000000000000001"));
        assert_eq!(read("0e999"), read("0"));
        assert_eq!(read("9223372036854775807").to_whole(), Some(i64::MAX));
        for text in [
            "",
            ".",
            "-",
            "1.2.3",
            "0x1",
            "1e",
            "ten",
            "1e40",
            "nan",
            "1e-3000000000",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn digits_are_scaled_by_powers_of_ten() {
        let digits = |text| Digits::parse(text).unwrap();
        assert_eq!(digits("0044.1533860477930098").power(), 2);
        assert_eq!(digits("44.1533860477930098").rounded(3), Some(44_153));
        assert_eq!(digits("2.5e-9").rounded(9), Some(3));
        assert_eq!(digits("0.00749").power(), -2);
        assert_eq!(digits("123").rounded(-2), Some(1));
        assert_eq!(digits("9e30").rounded(0), None);
        assert!(!digits("0.000").is_positive() && !digits("-1").is_positive());
    }

    #[test]
    fn comparisons_are_exact_to_the_last_digit() {
        let exact = read("100.0000000000000000000001");
        assert!(!exact.is_at_most(100));
        assert!(exact.is_at_most(101));
        assert!(read("100.000").is_at_most(100));
        assert!(read("-100.0000000000000000000001").is_at_most(-100));
        assert!(read("99.999999").reaches(read("24.000001"), 124));
        assert!(!read("99.999998").reaches(read("24"), 124));
        assert_eq!(
            read("61644140.029690").short_of(61_644_141).to_string(),
            "0.97031"
        );
    }
}
