//! The dead-man switch, on the agent's side.
//!
//! The kernel program copies nothing after a deadline. The capture loop renews it each round: if the loop hangs or the
//! agent is stopped, copying stops by itself.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use shadow_proto::time::Timestamp;

use super::control::{Control, ControlError};

/// Default time for which the kernel program copies without a sign of life.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The longest time between two renewals, and their number within one deadline: a loop that is late once or twice
/// must not stop the capture.
const PERIOD: Duration = Duration::from_secs(1);
const RENEWALS: u32 = 4;

/// The clock of captured segments and of the deadline (`CLOCK_MONOTONIC`, in the kernel `bpf_ktime_get_ns`).
pub fn now() -> Timestamp {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Renews the deadline.
#[derive(Debug)]
pub struct Heartbeat {
    control: Control,
    deadline: Duration,
    due: Timestamp,
}

impl Heartbeat {
    /// A heartbeat that is due at once.
    pub fn new(control: Control, deadline: Duration) -> Self {
        Self {
            control,
            deadline,
            due: Timestamp::default(),
        }
    }

    /// Renews the deadline when a part of it has passed; otherwise costs one comparison. Call it each round.
    pub fn beat(&mut self, now: Timestamp) -> Result<(), ControlError> {
        if now < self.due {
            return Ok(());
        }
        self.control.renew_heartbeat(now + self.deadline)?;
        self.due = now + PERIOD.min(self.deadline / RENEWALS);
        Ok(())
    }
}
