//! How replays are sent, with every bound of the replay side.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds and waits of the replay side. The queue and the connections cost at most what is written here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplaySettings {
    /// Replays in flight at once, and so connections to the shadow system.
    pub concurrency: usize,
    /// Exchanges that wait for a free place; past it the newest is dropped.
    pub queue: usize,
    /// The bytes those exchanges may hold together.
    pub queue_bytes: usize,
    /// An exchange that waited longer than this is not replayed any more: the answer would be of another time.
    #[serde(with = "shadow_core::time::duration")]
    pub max_wait: Duration,
    /// From the start of a connection attempt to its end.
    #[serde(with = "shadow_core::time::duration")]
    pub connect_timeout: Duration,
    /// From the first attempt to send to the last byte of the response.
    #[serde(with = "shadow_core::time::duration")]
    pub timeout: Duration,
    /// A connection that carried nothing for this long is closed. Below the 5 s after which common servers (Node.js,
    /// uvicorn) close it themselves: a request that crosses such a close on the wire is lost and never sent again.
    #[serde(with = "shadow_core::time::duration")]
    pub idle_timeout: Duration,
    /// A response body longer than this is abandoned. What is kept in memory is less: `limits.body`
    /// for each replay in flight.
    pub max_response: u64,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            queue: 1024,
            queue_bytes: 64 << 20,
            max_wait: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(4),
            max_response: 64 << 20,
        }
    }
}

/// A replay setting that cannot work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("replay.{name} must be {rule}, not {given}")]
pub struct ReplaySettingsError {
    /// The field.
    pub name: &'static str,
    /// What it must be.
    pub rule: &'static str,
    /// What was given.
    pub given: String,
}

impl ReplaySettings {
    /// Refuses settings under which nothing could be replayed.
    pub fn validate(&self) -> Result<(), ReplaySettingsError> {
        let Self {
            concurrency,
            queue,
            queue_bytes,
            max_wait,
            connect_timeout,
            timeout,
            idle_timeout: _,
            max_response,
        } = self;
        let counts = [
            ("concurrency", *concurrency, 1, 65_536, "1 to 65536"),
            ("queue", *queue, 1, 1 << 20, "1 to 1048576"),
            (
                "queue_bytes",
                *queue_bytes,
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
        for (name, given) in [
            ("max_wait", max_wait),
            ("connect_timeout", connect_timeout),
            ("timeout", timeout),
        ] {
            if *given < Duration::from_millis(1) {
                let (rule, given) = ("at least 1ms", format!("{given:?}"));
                return Err(ReplaySettingsError { name, rule, given });
            }
        }
        if *max_response == 0 {
            let (name, rule, given) = ("max_response", "at least 1", "0".to_owned());
            return Err(ReplaySettingsError { name, rule, given });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_survive_a_round_trip() {
        let settings = ReplaySettings::default();
        assert_eq!(settings.validate(), Ok(()));
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<ReplaySettings>(&text).unwrap(),
            settings,
            "{text}"
        );
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
        ];
        let names = cases.map(|settings| settings.validate().unwrap_err().name);
        assert_eq!(
            names,
            ["concurrency", "queue", "queue_bytes", "timeout", "max_response"]
        );
    }
}
