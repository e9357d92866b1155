//! Recorded traffic: reads files and yields exchanges at the time of their replay.
//!
//! files --[`open()`]--> readers --> [`Feed`](crate::pipeline::Feed) with pace and position --> pipeline. Owns: the
//! formats (captures, [`har`], [`gor`], [`log`], bundles), the order (by the time of the request's first byte, over all
//! files), the pace ([`pace`]) and the position for a later run ([`resume`]). Bounds: [`AHEAD`] of recorded time is
//! read ahead, at most [`HELD`] exchanges and [`HELD_BYTES`]; exchanges above these are sent in the order of
//! completion. Drops: nothing; an exchange that cannot be replayed is a counted skip of the pipeline.

mod capture;
mod feed;
mod gor;
mod har;
mod hops;
mod log;
mod notes;
mod open;
mod pace;
mod resume;
mod select;
#[cfg(test)]
mod tests;
mod when;

use core::time::Duration;

use shadow_proto::{exchange::Exchange, time::Timestamp};

use crate::{capture::SourceError, pipeline::CaptureCounters};

pub use feed::{FeedState, Files};
pub use log::{LogFormat, LogSettings, RegexFormat};
pub use notes::Notes;
pub use open::{OpenFailure, Opened, open, open_reader, size};
pub use pace::{Pace, Speed};
pub use resume::{Position, ResumeError};
pub use select::{Selection, Target};

/// Recorded time that is read ahead: exchanges with slower answers are replayed late.
const AHEAD: Duration = Duration::from_secs(10);
/// Exchanges held until they are due.
const HELD: usize = 16_384;
/// Limit of their bytes.
const HELD_BYTES: usize = 128 << 20;

/// Yields exchanges, roughly in the order of time.
pub(crate) trait Reader: Send + std::fmt::Debug {
    /// Reads more, and passes completed exchanges to `sink`. Returns the time that was reached, or `None` at the end.
    fn read(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> Result<Option<Timestamp>, SourceError>;

    /// Adds the counts so far.
    fn count(&self, into: &mut CaptureCounters);
}
