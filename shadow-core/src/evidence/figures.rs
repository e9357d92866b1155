//! The figures that the gates evaluate.

use core::time::Duration;

use super::{coverage::CoverageWindows, latency::Quantiles, stats::Proportion, unread::Unread};

/// The figures that the gates evaluate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) matches: Proportion,
    /// Answers that are neither right nor known to be wrong.
    pub(crate) undecided: u64,
    /// Mean burst size of mismatches, and of errors.
    pub(crate) burst: f64,
    pub(crate) error_burst: f64,
    pub(crate) coverage: Proportion,
    pub(crate) windows: CoverageWindows,
    /// Exchanges among them that were not read.
    pub(crate) unread: Unread,
    pub(crate) production: Quantiles,
    pub(crate) shadow: Quantiles,
    /// Errors and requests.
    pub(crate) production_errors: (u64, u64),
    pub(crate) shadow_errors: (u64, u64),
    /// Routes whose median alone exceeds the allowed ratio.
    pub(crate) slow_routes: usize,
    /// How long it took to collect them.
    pub(crate) elapsed: Duration,
    /// Production is the new system and the shadow is the old one.
    pub(crate) reversed: bool,
    /// Latencies are shown and not judged.
    pub(crate) untimed: bool,
}
