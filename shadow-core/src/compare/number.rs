//! Exact decimal numbers: no rounding, whatever the number of digits.

use core::hash::{Hash, Hasher};

use super::rules::Tolerance;

/// A JSON number as sign, significant digits and the power of ten of the last digit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    /// Leading zeros of `whole` followed by `fraction`.
    skip: usize,
    /// Digits after those, without trailing zeros. 0 for zero.
    digits: usize,
    /// `None` when the exponent exceeds 64 bits.
    power: Option<i64>,
    raw: &'a str,
}

impl<'a> Decimal<'a> {
    /// `raw` must be a number by the grammar of RFC 8259 section 6.
    pub(super) fn new(raw: &'a str) -> Self {
        let (negative, unsigned) = match raw.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, raw),
        };
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (whole, fraction) = (whole.as_bytes(), fraction.as_bytes());
        let all = || whole.iter().chain(fraction);
        let skip = all().take_while(|digit| **digit == b'0').count();
        let total = whole.len().saturating_add(fraction.len());
        let trailing = if skip == total {
            0
        } else {
            all().rev().take_while(|digit| **digit == b'0').count()
        };
        let shift = i64::try_from(trailing)
            .ok()
            .zip(i64::try_from(fraction.len()).ok())
            .map(|(trailing, fraction)| trailing.saturating_sub(fraction));
        let power = exponent
            .parse::<i64>()
            .ok()
            .zip(shift)
            .and_then(|(exponent, shift)| exponent.checked_add(shift));
        Self {
            negative,
            whole,
            fraction,
            skip,
            digits: total.saturating_sub(skip).saturating_sub(trailing),
            power,
            raw,
        }
    }

    fn is_zero(&self) -> bool {
        self.digits == 0
    }

    fn significant(&self) -> impl Iterator<Item = &'a u8> {
        self.whole
            .iter()
            .chain(self.fraction)
            .skip(self.skip)
            .take(self.digits)
    }
}

impl PartialEq for Decimal<'_> {
    /// Whether they are the same number; `-0` is `0`. Exponents over 64 bits are equal only as text.
    fn eq(&self, other: &Self) -> bool {
        if self.is_zero() || other.is_zero() {
            return self.is_zero() && other.is_zero();
        }
        match (self.power, other.power) {
            (Some(a), Some(b)) => {
                a == b
                    && self.negative == other.negative
                    && self.digits == other.digits
                    && self.significant().eq(other.significant())
            }
            (None, None) => self.raw == other.raw,
            _ => false,
        }
    }
}

impl Eq for Decimal<'_> {}

impl Hash for Decimal<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.is_zero() {
            return;
        }
        match self.power {
            Some(power) => {
                // All digits as one number: hashing each separately would cost more than reading them.
                let folded = self.significant().fold(0u64, |folded, digit| {
                    folded
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                        .wrapping_add(u64::from(*digit))
                });
                (self.negative, power, self.digits, folded).hash(state);
            }
            None => self.raw.hash(state),
        }
    }
}

/// Whether a text is a number by the grammar of RFC 8259 section 6.
pub(super) fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    digits(whole) && digits(fraction) && digits(exponent) && !leading_zero
}

/// Whether two numbers are close enough. Rounding to 64-bit floating point is acceptable here: tolerances are not that
/// small.
pub(super) fn within(tolerance: Tolerance, a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else {
        return false;
    };
    let distance = (a - b).abs();
    distance.is_finite()
        && (distance <= tolerance.absolute || distance <= tolerance.relative * a.abs().max(b.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_when_they_are_the_same_number() {
        let equal = [
            ("1", "1.0"),
            ("100", "1e2"),
            ("100", "1E+2"),
            ("0.001", "1e-3"),
            ("0", "-0"),
            ("0", "0.000e99999999999999999999"),
            ("120", "12.0e1"),
            ("0.10", "0.1"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890.0",
            ),
            ("1e400", "10e399"),
            ("1e00000000000000000000000000002", "100"),
        ];
        for (a, b) in equal {
            assert_eq!(Decimal::new(a), Decimal::new(b), "{a} {b}");
        }
        let different = [
            ("1", "2"),
            ("1", "-1"),
            ("1", "10"),
            ("1", "0"),
            ("9007199254740993", "9007199254740992"),
            ("0.1", "0.10000000000000000000000000001"),
            ("1e400", "1e401"),
            ("1e99999999999999999999", "1e99999999999999999998"),
            ("1e99999999999999999999", "1"),
            ("101", "11"),
            ("1.01", "1.1"),
        ];
        for (a, b) in different {
            assert_ne!(Decimal::new(a), Decimal::new(b), "{a} {b}");
        }
    }

    #[test]
    fn the_grammar_of_numbers() {
        for text in ["0", "-0", "10", "1.50", "1e9", "-1.0E-7", "1E+2"] {
            assert!(is_number(text), "{text}");
        }
        for text in [
            "", "-", "+1", "01", "1.", ".5", "1e", "1e+-2", "0x1", "NaN", "1 ", "1.2.3", "é",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }

    #[test]
    fn tolerance_is_absolute_or_relative() {
        let absolute = Tolerance {
            absolute: 0.01,
            relative: 0.0,
        };
        let relative = Tolerance {
            absolute: 0.0,
            relative: 0.01,
        };
        assert!(within(absolute, "1.00", "1.009"));
        assert!(!within(absolute, "1.00", "1.02"));
        assert!(within(relative, "1000", "1009"));
        assert!(!within(relative, "1000", "1011"));
        assert!(within(relative, "0", "-0"));
        assert!(!within(relative, "1e999", "2e999"), "not finite is never close");
    }
}
