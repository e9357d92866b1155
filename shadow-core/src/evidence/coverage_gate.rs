//! The gate on coverage.
//!
//! It is open if nearly all windows with traffic are covered, although many exchanges were missed in few of them.
//! Bias: only few windows may be left out, and no route of which nothing was compared is.

use core::fmt::Write as _;

use super::{
    coverage::CoverageWindows,
    figures::Figures,
    gate_config::GateConfig,
    ruling::{Reason, Ruling, percent, reason},
    stats::share,
};

/// Windows with traffic from which one can be an exception.
const ENOUGH: u64 = 20;

impl CoverageWindows {
    /// Whether so few windows have too little coverage that the others count, with exchanges that were not read and may
    /// all have been in these.
    fn is_burst(&self, needed: f64, unread: u64) -> bool {
        let covered = self.windows.saturating_sub(self.low);
        let others = share(self.others.successes, self.others.trials.saturating_add(unread));
        self.low > 0
            && self.windows >= ENOUGH
            && !self.unseen_route
            && share(covered, self.windows).is_some_and(|covered| covered >= needed)
            && others.is_some_and(|rate| rate >= needed)
    }

    /// Why a low coverage of all exchanges is not the run's fault.
    fn explained(&self) -> String {
        let seconds = self.low.saturating_mul(self.seconds);
        format!(
            "; but {} were missed in a burst of {seconds} s ({} s after the start), and {} of the other {} windows of \
             {} s have a verdict",
            self.missed,
            self.worst_at,
            percent(self.others.rate.unwrap_or_default()),
            self.windows.saturating_sub(self.low),
            self.seconds
        )
    }
}

/// The gate. Lost exchanges say nothing against the shadow system, so it never results in NO-GO. Of the number of
/// exchanges that were not read, the end of the interval with more of them counts.
pub(super) fn gate(config: &GateConfig, figures: &Figures) -> Reason {
    let Figures {
        coverage,
        unread,
        windows,
        ..
    } = figures;
    let (Some(rate), Some(low)) = (coverage.rate, coverage.low) else {
        let nothing = "nothing was seen that is to be compared".to_owned();
        return reason("coverage", Ruling::InsufficientEvidence, nothing);
    };
    let is_burst = low < config.coverage && windows.is_burst(config.coverage, unread.high);
    let mut text = format!(
        "{} of {} exchanges that were to be compared have a verdict: {}, needed is {}",
        coverage.successes,
        coverage.trials,
        percent(rate),
        percent(config.coverage),
    );
    if unread.high > 0 {
        // Writing to a String cannot fail.
        write!(
            text,
            "; {} of them were not read (95 % interval {} to {}): at worst {}",
            unread.exchanges,
            unread.low,
            unread.high,
            percent(low),
        )
        .unwrap_or_default();
    }
    if is_burst {
        text += &windows.explained();
    }
    let is = if low >= config.coverage || is_burst {
        Ruling::Go
    } else {
        Ruling::InsufficientEvidence
    };
    reason("coverage", is, text)
}
