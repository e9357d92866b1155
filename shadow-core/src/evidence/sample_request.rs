//! Actions for the caller on an exchange that was just judged.

use super::group::{Added, hex};

/// Groups that want the exchange just judged as a sample.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SampleRequest {
    /// Method and path template. Empty if no group wants it.
    pub route: String,
    /// Ids of all groups it belongs to. Empty if no group wants it.
    pub groups: Vec<String>,
    /// Of these, ids of groups that do not have enough samples yet.
    pub samples: Vec<String>,
    /// Whether the leaves of production's answer are to be counted.
    pub leaves: bool,
}

impl SampleRequest {
    /// The groups of a route that want an exchange with these differences.
    pub(super) fn of(route: &str, added: &[Added]) -> Self {
        if !added.iter().any(|added| added.sample) {
            return Self::default();
        }
        let names = |which: fn(&Added) -> bool| {
            let mut names: Vec<_> = added
                .iter()
                .filter(|added| which(added))
                .filter_map(|added| added.group)
                .map(|group| hex(&group))
                .collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        Self {
            route: route.to_owned(),
            groups: names(|_| true),
            samples: names(|added| added.sample),
            leaves: false,
        }
    }

    /// Whether no group wants it, which is the usual case.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}
