//! Replay settings, with every bound of the replay side.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_proto::exchange::Version;

use super::BreakerSettings;

/// The version of HTTP that is spoken to the shadow system.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// That of the captured request: HTTP/2 for one that was read as HTTP/2, else HTTP/1.1.
    #[default]
    Same,
    /// HTTP/1.1.
    H1,
    /// HTTP/2: by prior knowledge, or by ALPN where the shadow system is reached over TLS.
    H2,
}

impl Protocol {
    /// Whether a request that came in this version is sent over HTTP/2.
    pub(super) fn is_h2(self, version: Version) -> bool {
        match self {
            Self::Same => version == Version::Http2,
            Self::H1 => false,
            Self::H2 => true,
        }
    }
}

/// Bounds and waits of the replay side. The queue and the connections use at most these amounts.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplaySettings {
    /// The version of HTTP.
    pub protocol: Protocol,
    /// Replays in flight at once, and so connections to the shadow system.
    pub concurrency: usize,
    /// Requests a second, at most; those of a tenth of a second may go at once.
    pub requests_per_second: Option<f64>,
    /// Bytes a second, of requests and answers together.
    pub bytes_per_second: Option<u64>,
    /// Exchanges that wait for a free place; above this number the newest is dropped.
    pub queue: usize,
    /// The bytes those exchanges may hold together.
    pub queue_bytes: usize,
    /// An exchange that waited longer than this is not replayed any more: the answer would be of another time.
    pub max_wait: Duration,
    /// From the start of a connection attempt to its end.
    pub connect_timeout: Duration,
    /// From the first attempt to send to the first byte of the response.
    pub first_byte_timeout: Option<Duration>,
    /// From the first attempt to send to the last byte of the response.
    pub timeout: Duration,
    /// A connection that carried nothing for this long is closed. Below the 5 s after which common servers (Node.js,
    /// uvicorn) close it themselves: a request that crosses such a close on the wire is lost and never sent again.
    pub idle_timeout: Duration,
    /// A response body longer than this is abandoned. Less is kept in memory: `limits.body` for each replay in flight.
    pub max_response: u64,
    /// How often an idempotent request is sent again whose connection failed before a byte of a response came.
    pub retries: u32,
    /// The circuit breaker of the target.
    pub breaker: BreakerSettings,
}

/// The settings in force: they may change while replays run, and apply from the next one on.
#[derive(Clone, Debug, Default)]
pub struct LiveSettings(Arc<ArcSwap<ReplaySettings>>);

impl From<ReplaySettings> for LiveSettings {
    fn from(settings: ReplaySettings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }
}

impl LiveSettings {
    /// The current settings.
    pub fn get(&self) -> Arc<ReplaySettings> {
        self.0.load_full()
    }

    /// Replaces the settings, for everything that shares them.
    pub fn set(&self, settings: ReplaySettings) {
        self.0.store(Arc::new(settings));
    }
}

/// More would be a different load than production's.
const MOST_RETRIES: u32 = 3;

impl Default for ReplaySettings {
    fn default() -> Self {
        Self {
            protocol: Protocol::Same,
            concurrency: 64,
            queue: 1024,
            queue_bytes: 64 << 20,
            max_wait: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(4),
            max_response: 64 << 20,
            requests_per_second: None,
            bytes_per_second: None,
            first_byte_timeout: None,
            retries: 0,
            breaker: BreakerSettings::default(),
        }
    }
}

/// An invalid replay setting.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("replay.{name} must be {rule}, not {given}")]
pub struct ReplaySettingsError {
    /// The field.
    pub name: &'static str,
    /// The rule for its value.
    pub rule: &'static str,
    /// The given value.
    pub given: String,
}

impl ReplaySettings {
    /// Refuses settings under which nothing could be replayed.
    pub fn validate(&self) -> Result<(), ReplaySettingsError> {
        let Self {
            protocol: _,
            concurrency,
            queue,
            queue_bytes,
            max_wait,
            connect_timeout,
            timeout,
            idle_timeout: _,
            max_response,
            requests_per_second,
            bytes_per_second,
            first_byte_timeout,
            retries,
            breaker,
        } = self;
        let wrong = |name, rule, given: String| Err(ReplaySettingsError { name, rule, given });
        counts(*concurrency, *queue, *queue_bytes)?;
        for (name, given) in [
            ("max_wait", max_wait),
            ("connect_timeout", connect_timeout),
            ("timeout", timeout),
            (
                "first_byte_timeout",
                first_byte_timeout.as_ref().unwrap_or(timeout),
            ),
        ] {
            if *given < Duration::from_millis(1) {
                return wrong(name, "at least 1ms", format!("{given:?}"));
            }
        }
        if *max_response == 0 {
            return wrong("max_response", "at least 1", "0".to_owned());
        }
        if let Some(rate) = requests_per_second
            && !(0.001..=1e6).contains(rate)
        {
            return wrong("requests_per_second", "0.001 to 1000000", rate.to_string());
        }
        if let Some(rate) = bytes_per_second
            && *rate < 1024
        {
            return wrong("bytes_per_second", "at least 1 KiB", rate.to_string());
        }
        if *retries > MOST_RETRIES {
            return wrong("retries", "0 to 3", retries.to_string());
        }
        breaker.validate()
    }
}

/// Checks settings that are whole numbers.
fn counts(concurrency: usize, queue: usize, queue_bytes: usize) -> Result<(), ReplaySettingsError> {
    let counts = [
        ("concurrency", concurrency, 1, 65_536, "1 to 65536"),
        ("queue", queue, 1, 1 << 20, "1 to 1048576"),
        (
            "queue_bytes",
            queue_bytes,
            64 << 10,
            usize::MAX,
            "at least 64 KiB",
        ),
    ];
    for (name, given, least, most, rule) in counts {
        if !(least..=most).contains(&given) {
            let given = given.to_string();
            return Err(ReplaySettingsError { name, rule, given });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let settings = ReplaySettings::default();
        assert_eq!(settings.validate(), Ok(()));
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let base = ReplaySettings::default;
        let cases = [
            ReplaySettings {
                concurrency: 0,
                ..base()
            },
            ReplaySettings { queue: 0, ..base() },
            ReplaySettings {
                queue_bytes: 1,
                ..base()
            },
            ReplaySettings {
                timeout: Duration::ZERO,
                ..base()
            },
            ReplaySettings {
                max_response: 0,
                ..base()
            },
            ReplaySettings {
                requests_per_second: Some(0.0),
                ..base()
            },
            ReplaySettings {
                bytes_per_second: Some(1),
                ..base()
            },
            ReplaySettings {
                first_byte_timeout: Some(Duration::ZERO),
                ..base()
            },
            ReplaySettings { retries: 4, ..base() },
            ReplaySettings {
                breaker: BreakerSettings {
                    errors: 1.5,
                    ..BreakerSettings::default()
                },
                ..base()
            },
        ];
        let names = cases.map(|settings| settings.validate().unwrap_err().name);
        assert_eq!(
            names,
            [
                "concurrency",
                "queue",
                "queue_bytes",
                "timeout",
                "max_response",
                "requests_per_second",
                "bytes_per_second",
                "first_byte_timeout",
                "retries",
                "breaker.errors",
            ]
        );
    }
}
