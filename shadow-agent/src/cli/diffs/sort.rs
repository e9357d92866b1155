//! The order of causes and groups.

use clap::ValueEnum;
use shadow_core::evidence::report::{Report, Standing};

/// The order of causes and groups.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Sort {
    /// Failures and statuses, types, missing, values, order, header fields, added; then the most frequent
    #[default]
    Harm,
    /// The most frequent first
    Exchanges,
    /// By route
    Route,
}

impl Sort {
    /// Sorts a report, which is by harm as it comes. What counts is before what is excused.
    pub(in crate::cli) fn apply(self, report: &mut Report) {
        let counts = |standing: Standing| standing.is_excused();
        match self {
            Self::Harm => {}
            Self::Exchanges => {
                report
                    .causes
                    .sort_by_key(|cause| std::cmp::Reverse(cause.exchanges));
                report
                    .groups
                    .sort_by_key(|group| (counts(group.standing), std::cmp::Reverse(group.exchanges)));
            }
            Self::Route => {
                let first = |cause: &shadow_core::evidence::report::Cause| {
                    cause.routes.first().map(|route| route.route.clone())
                };
                report.causes.sort_by_key(first);
                report
                    .groups
                    .sort_by_key(|group| (counts(group.standing), group.route.clone()));
            }
        }
        for also in &mut report.also {
            self.apply(also);
        }
    }
}
