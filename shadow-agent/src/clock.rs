//! The wall clock. Every other module takes the time as an argument or from here.

use std::time::{SystemTime, UNIX_EPOCH};

use shadow_core::rollout::Moment;
use shadow_proto::time::Timestamp;

use crate::capture::heartbeat;

/// The time of day.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The same in milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn now_ms() -> u64 {
    wall().as_nanos() / 1_000_000
}

/// The present moment on both clocks: the monotonic one of the capture and the wall clock.
pub(crate) fn moment() -> Moment {
    Moment {
        at: heartbeat::now(),
        wall_ms: now_ms(),
    }
}
