//! The wall clock. Every other module takes the time as an argument or from here.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time of day, in milliseconds since 1970-01-01T00:00:00Z.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
