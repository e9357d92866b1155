//! Time as a value.

use core::{ops::Add, time::Duration};

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since an epoch of the source's choice.
///
/// Live capture uses the kernel's monotonic clock, a capture file its own wall clock. Only differences and order are
/// meaningful; the core never reads a clock.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From nanoseconds since the source's epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the source's epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero when `earlier` is later (captured clocks step back).
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates instead of wrapping.
    fn add(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Durations in configuration files: a number of seconds, or text with a unit (`200ms`, `5s`, `2m`, `1h`).
pub mod duration {
    use core::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Parses `200ms`, `5s`, `2m`, `1h`, `1d` or plain seconds (`2`, `0.5`).
    pub fn parse(text: &str) -> Result<Duration, String> {
        let text = text.trim();
        let split = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let wrong = || format!("{text:?} is no duration; write for example 200ms, 5s, 2m or 1h");
        let number: f64 = number
            .parse()
            .map_err(|_error: core::num::ParseFloatError| wrong())?;
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
            .map_err(|_error: core::time::TryFromFloatSecsError| wrong())
    }

    /// For `#[serde(with = "shadow_core::time::duration")]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Seconds(f64),
            Text(String),
        }
        match Given::deserialize(from)? {
            Given::Seconds(seconds) => parse(&seconds.to_string()).map_err(de::Error::custom),
            Given::Text(text) => parse(&text).map_err(de::Error::custom),
        }
    }

    /// For `#[serde(with = "shadow_core::time::duration")]`.
    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}ms", span.as_millis()))
    }
}
