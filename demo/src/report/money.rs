//! Numbers as people read them.

/// `1,234,567` with `-` in front if negative.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    if value < 0.0 && !zero {
        format!("-{out}")
    } else {
        out
    }
}

/// Whole dollars: `$12,345`, `-$12,345`.
pub fn usd(value: f64) -> String {
    let text = grouped(value, 0);
    match text.strip_prefix('-') {
        Some(rest) => format!("-${rest}"),
        None => format!("${text}"),
    }
}

/// Dollars with a sign: `+$12,345`.
pub fn signed_usd(value: f64) -> String {
    let text = usd(value);
    if text.starts_with('-') || text == "$0" {
        text
    } else {
        format!("+{text}")
    }
}

/// Dollars and cents: `$12.34`, `-$12.34`.
pub fn cents(value: f64) -> String {
    let text = grouped(value, 2);
    match text.strip_prefix('-') {
        Some(rest) => format!("-${rest}"),
        None => format!("${text}"),
    }
}

/// Per cent with three decimals: `0.123%`.
pub fn share(percent: f64) -> String {
    format!("{}%", grouped(percent, 3))
}

/// A fraction in per cent with a sign: `-12.3%`.
pub fn percent(fraction: f64) -> String {
    let text = format!("{:+.1}%", fraction * 100.0);
    if text == "-0.0%" || text == "+0.0%" {
        "0.0%".to_owned()
    } else {
        text
    }
}

/// For axes: `120k`, `1.5M`, `800`.
pub fn short(value: f64) -> String {
    let trimmed = |v: f64, unit: &str| {
        let text = format!("{v:.1}");
        format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match value.abs() {
        a if a >= 1e6 => trimmed(value / 1e6, "M"),
        a if a >= 1e3 => trimmed(value / 1e3, "k"),
        a if a >= 10.0 || a == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

/// Since the start: `4 h 33 m`, `2 d 4 h`.
pub fn elapsed(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours:02} h")
    } else {
        format!("{hours} h {minutes:02} m")
    }
}

/// A size in its asset with what digits it needs.
pub fn size(value: f64) -> String {
    let decimals = match value.abs() {
        a if a >= 100.0 => 1,
        a if a >= 1.0 => 2,
        _ => 4,
    };
    let text = grouped(value, decimals);
    if value > 0.0 {
        format!("+{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_and_signed() {
        assert_eq!(usd(1_234_567.4), "$1,234,567");
        assert_eq!(usd(-999.6), "-$1,000");
        assert_eq!(usd(-0.2), "$0");
        assert_eq!(signed_usd(15.0), "+$15");
        assert_eq!(signed_usd(0.0), "$0");
        assert_eq!(grouped(0.1234, 2), "0.12");
        assert_eq!(percent(-0.1234), "-12.3%");
        assert_eq!(percent(-0.0001), "0.0%");
    }

    #[test]
    fn axes_and_sizes_are_short() {
        assert_eq!(short(120_000.0), "120k");
        assert_eq!(short(-1_500_000.0), "-1.5M");
        assert_eq!(short(0.0), "0");
        assert_eq!(elapsed(16_380), "4 h 33 m");
        assert_eq!(elapsed(187_200), "2 d 04 h");
        assert_eq!(size(-0.51234), "-0.5123");
        assert_eq!(size(1_234.56), "+1,234.6");
    }
}
