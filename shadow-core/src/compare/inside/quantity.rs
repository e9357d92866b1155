//! Comparison of numbers with a unit: `37ms`, `1.5 GiB`, `40%`. Another unit is a difference of its own, because the
//! number may be a random one.

use super::Texts;
use crate::compare::findings::shorten;

/// Units of time, size, share, length on a screen, and frequency.
const UNITS: [&str; 44] = [
    "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute",
    "minutes", "h", "hr", "hour", "hours", "d", "day", "days", "B", "bytes", "kB", "KB", "MB", "GB", "TB",
    "KiB", "MiB", "GiB", "TiB", "K", "M", "G", "%", "‰", "px", "em", "rem", "pt", "Hz", "kHz",
];

/// Compares two numbers with different units; false when one of the texts is no such number, or they have the same
/// unit.
pub(super) fn compare(texts: &mut Texts<'_, '_>) -> bool {
    let (Some((a, left)), Some((b, right))) = (split(texts.production), split(texts.shadow)) else {
        return false;
    };
    if left == right {
        return false;
    }
    texts.part("unit", Some(left.as_bytes()), Some(right.as_bytes()));
    if a != b {
        let [a, b] = [texts.production, texts.shadow].map(|text| shorten(text.as_bytes()));
        texts.findings.push(texts.category, texts.place, a, b);
    }
    true
}

/// The number and the unit of a text.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+')))?;
    let (number, unit) = text.split_at_checked(end)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let has_digit = number.bytes().any(|byte| byte.is_ascii_digit());
    (has_digit && UNITS.contains(&unit)).then_some((number, unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{
        Category,
        findings::{Findings, stated},
    };

    #[test]
    fn another_unit_is_a_difference_of_its_own() {
        for (a, b, expected) in [
            (
                "37ms",
                "4s",
                &["value $.x unit: ms | s", "value $.x: 37ms | 4s"][..],
            ),
            ("1.5 GiB", "1.5 GB", &["value $.x unit: GiB | GB"]),
            ("37ms", "41ms", &[]),
            ("3f", "9e", &[]),
            ("1m30s", "2m10s", &[]),
            ("ms", "s", &[]),
        ] {
            let mut findings = Findings::new(20);
            let done = compare(&mut Texts::new("$.x", [a, b], Category::Value, &mut findings));
            assert_eq!(stated(findings.finish()), expected, "{a} {b}");
            assert_eq!(done, !expected.is_empty(), "{a} {b}");
        }
    }
}
