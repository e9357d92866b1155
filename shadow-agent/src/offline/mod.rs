//! Recorded traffic: files in, exchanges out at the time of their replay.
//!
//! files --[`open()`]--> readers --> [`Feed`](crate::pipeline::Feed) with pace and position --> pipeline. Owns: the formats
//! (captures, [`har`], [`gor`], bundles), the order (by the time of the request's first byte, over all files), the pace
//! ([`pace`]) and the position for a later run ([`resume`]). Bounds: [`AHEAD`] of recorded time is read ahead, at most
//! [`HELD`] exchanges and [`HELD_BYTES`]; what passes these is sent in the order in which it was complete. Drops: nothing;
//! an exchange that cannot be replayed is a counted skip of the pipeline.

mod capture;
mod feed;
mod gor;
mod har;
mod open;
mod pace;
mod resume;
#[cfg(test)]
mod tests;

use core::time::Duration;

use shadow_proto::{exchange::Exchange, time::Timestamp};

use crate::{capture::SourceError, pipeline::CaptureCounters};

pub use feed::{Files, Told};
pub use open::{OpenFailure, Opened, open, open_reader, size};
pub use pace::{Pace, Speed};
pub use resume::{Position, ResumeError};

/// Recorded time that is read ahead: answers that take longer are replayed late.
const AHEAD: Duration = Duration::from_secs(10);
/// Exchanges that are held for their turn.
const HELD: usize = 16_384;
/// Bytes of them.
const HELD_BYTES: usize = 128 << 20;

/// Gives exchanges, roughly in the order of time.
pub(crate) trait Reader: Send + std::fmt::Debug {
    /// Reads on, and gives what became complete to `sink`. Returns how far the time has come, or `None` at the end.
    fn read(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> Result<Option<Timestamp>, SourceError>;

    /// Adds what was read so far.
    fn count(&self, into: &mut CaptureCounters);
}
