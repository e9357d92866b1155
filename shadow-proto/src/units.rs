//! Rates, sizes and durations in readable notation: `5%`, `64MiB`, `2s`.
//!
//! One notation for flags and for the file. A field of a plain type is read and written in it with
//! [`As`]. Bias: an ambiguous value (`--sample 5`) is refused with an example instead of guessed.

use core::{fmt, marker::PhantomData, str::FromStr, time::Duration};
use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A share from 0 % to 100 %.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// A number of bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Size(u64);

/// A duration.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span(pub Duration);

/// Text that is not a value of its unit; the message shows a valid one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{given:?} is no {kind}; write for example {example}")]
pub struct UnitError {
    given: String,
    kind: &'static str,
    example: &'static str,
}

impl Rate {
    /// The whole: 100 %.
    pub const FULL: Self = Self(1.0);

    /// From a fraction between 0 and 1, clamped.
    pub fn from_fraction(fraction: f64) -> Self {
        Self(if fraction.is_nan() {
            0.0
        } else {
            fraction.clamp(0.0, 1.0)
        })
    }

    /// From whole percent, at most 100.
    pub fn from_percent(percent: u8) -> Self {
        Self::from_fraction(f64::from(percent) / 100.0)
    }

    /// In whole percent, rounded.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    pub fn whole_percent(self) -> u8 {
        (self.0 * 100.0).round() as u8
    }

    /// As a fraction between 0 and 1.
    pub const fn fraction(self) -> f64 {
        self.0
    }
}

impl Size {
    /// From whole mebibytes.
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// From bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// In bytes, limited to the address space.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl From<usize> for Size {
    fn from(bytes: usize) -> Self {
        Self(bytes as u64)
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl From<Size> for usize {
    fn from(size: Size) -> Self {
        size.as_usize()
    }
}

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        size.0
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl From<f64> for Rate {
    fn from(fraction: f64) -> Self {
        Self::from_fraction(fraction)
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError {
            given: text.to_owned(),
            kind: "rate between 0% and 100%",
            example: "5% or 0.5%",
        };
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end();
        // Shifted before it is parsed: 99.9 / 100.0 is not the number 0.999.
        let fraction: f64 = format!("{number}e-2")
            .parse()
            .map_err(|_unread: core::num::ParseFloatError| wrong())?;
        if (0.0..=1.0).contains(&fraction) {
            Ok(Self(fraction))
        } else {
            Err(wrong())
        }
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.parse::<bytesize::ByteSize>()
            .map(|size| Self(size.as_u64()))
            .map_err(|_unread: String| UnitError {
                given: text.to_owned(),
                kind: "size",
                example: "512KiB, 64MiB or 1GiB",
            })
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError {
            given: text.to_owned(),
            kind: "duration",
            example: "200ms, 5s, 2m or 1h",
        };
        let text = text.trim();
        let split = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: f64 = number
            .parse()
            .map_err(|_unread: core::num::ParseFloatError| wrong())?;
        let scale = match unit.trim() {
            "us" => 1e-6,
            "ms" => 1e-3,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        Duration::try_from_secs_f64(number * scale)
            .map(Self)
            .map_err(|_unread: core::time::TryFromFloatSecsError| wrong())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four decimal places keep `0.01%` exact and hide the error of the binary fraction.
        let text = format!("{:.4}", self.0 * 100.0);
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Display for Size {
    /// Exact: a unit is used only if it divides the number, so that the output parses to the same value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = [(30, "GiB"), (20, "MiB"), (10, "KiB")]
            .into_iter()
            .find(|(shift, _)| self.0 != 0 && self.0.trailing_zeros() >= *shift);
        match unit {
            Some((shift, name)) => write!(f, "{}{name}", self.0 >> shift),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl fmt::Display for Span {
    /// Exact to the microsecond, in the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let unit = [
            (3_600_000_000, "h"),
            (60_000_000, "m"),
            (1_000_000, "s"),
            (1_000, "ms"),
        ]
        .into_iter()
        .find(|(scale, _)| micros != 0 && micros.is_multiple_of(*scale));
        match unit {
            Some((scale, name)) => write!(f, "{}{name}", micros / scale),
            None if micros == 0 => f.write_str("0s"),
            None => write!(f, "{micros}us"),
        }
    }
}

/// Parses inside the visitor, not after it: only there does the YAML reader still know line and column.
struct Written<T> {
    kind: &'static str,
    unit: PhantomData<T>,
}

impl<T: FromStr<Err = UnitError>> de::Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        // A bare number is bytes or seconds; for a rate the parser's error shows the notation.
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
}

macro_rules! written {
    ($($unit:ident, $kind:literal;)+) => { $(
        impl<'de> Deserialize<'de> for $unit {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Written { kind: $kind, unit: PhantomData })
            }
        }

        impl Serialize for $unit {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl JsonSchema for $unit {
            fn schema_name() -> Cow<'static, str> {
                stringify!($unit).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": ["string", "number"], "description": $kind})
            }
        }
    )+ };
}

written! {
    Rate, "a rate such as 5%";
    Size, "a size such as 64MiB";
    Span, "a duration such as 2s";
}

/// A plain value that the file holds in the notation of a unit, for `#[serde(with = "As::<Size>")]`.
#[derive(Clone, Copy, Debug)]
pub struct As<U>(PhantomData<U>);

impl<'de, U: Deserialize<'de>> As<U> {
    /// Reads the unit.
    pub fn deserialize<T: From<U>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        U::deserialize(from).map(T::from)
    }
}

impl<U: Serialize> As<U> {
    /// Writes the unit.
    pub fn serialize<T: Copy + Into<U>, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        (*value).into().serialize(to)
    }
}

impl<U: JsonSchema> JsonSchema for As<U> {
    fn inline_schema() -> bool {
        U::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        U::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        U::json_schema(generator)
    }
}

/// The same for a value that may be null.
#[derive(Clone, Copy, Debug)]
pub struct AsOption<U>(PhantomData<U>);

impl<'de, U: Deserialize<'de>> AsOption<U> {
    /// Reads the unit or null.
    pub fn deserialize<T: From<U>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        Ok(Option::<U>::deserialize(from)?.map(T::from))
    }
}

impl<U: Serialize> AsOption<U> {
    /// Writes the unit or null.
    pub fn serialize<T: Copy + Into<U>, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        value.map(T::into).serialize(to)
    }
}

impl<U: JsonSchema> JsonSchema for AsOption<U> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<U>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<U>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_parses_to_the_same_value() {
        for text in ["0%", "0.01%", "5%", "12.5%", "100%"] {
            assert_eq!(text.parse::<Rate>().expect(text).to_string(), text);
        }
        for text in ["0B", "1B", "1500B", "64KiB", "64MiB", "1536MiB", "2GiB"] {
            assert_eq!(text.parse::<Size>().expect(text).to_string(), text);
        }
        for text in ["0s", "250us", "200ms", "1500ms", "2s", "90s", "2m", "1h"] {
            assert_eq!(text.parse::<Span>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_could_mean_two_things_is_refused_with_an_example() {
        for text in ["5", "0.05", "", "%", "-1%", "101%", "NaN%", "five%"] {
            let error = text.parse::<Rate>().expect_err(text).to_string();
            assert!(error.ends_with("write for example 5% or 0.5%"), "{text}: {error}");
        }
        for text in ["", "many", "64 apples", "-1"] {
            let error = text.parse::<Size>().expect_err(text).to_string();
            assert!(
                error.contains("is no size; write for example 512KiB"),
                "{text}: {error}"
            );
        }
        for text in ["", "soon", "5 parsecs", "-1s"] {
            let error = text.parse::<Span>().expect_err(text).to_string();
            assert!(
                error.contains("is no duration; write for example 200ms"),
                "{text}: {error}"
            );
        }
    }
}
