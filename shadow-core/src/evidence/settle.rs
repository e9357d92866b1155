//! Obstacles to a ruling, by route: what is undecided, and what is excused too often.

use super::{
    gate_config::GateConfig,
    ruling::{Judgement, Ruling, percent, reason},
    stats,
};

/// Routes of which skipped writes explain more than allowed, the one with the most comparisons first. `routes` are all
/// routes with the numbers of mismatches that skipped writes explain and of comparisons.
pub fn too_excused<'r>(
    config: &GateConfig,
    routes: impl Iterator<Item = (&'r str, u64, u64)> + Clone,
) -> Vec<(&'r str, u64, u64)> {
    let all = routes
        .clone()
        .fold(0u64, |sum, (.., compared)| sum.saturating_add(compared));
    let mut found: Vec<_> = routes
        .filter(|(_, explained, compared)| {
            let counts = compared.saturating_mul(100) >= all;
            counts && stats::share(*explained, *compared).is_some_and(|share| share > config.excused)
        })
        .collect();
    found.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(b.0)));
    found
}

impl Judgement {
    /// Adds the gate on what skipped writes explain. `routes` are those where it is too much, each with its number of
    /// mismatches and of comparisons.
    #[must_use]
    pub fn excused(self, config: &GateConfig, routes: &[(&str, u64, u64)]) -> Self {
        let reason = match routes {
            [] => reason(
                "excused",
                Ruling::Go,
                format!(
                    "skipped writes explain at most {} of each route with 1 % of the traffic",
                    percent(config.excused)
                ),
            ),
            [(route, explained, compared), further @ ..] => {
                let further = match further.len() {
                    0 => String::new(),
                    further => format!("; and so on {further} more routes"),
                };
                reason(
                    "excused",
                    Ruling::InsufficientEvidence,
                    format!(
                        "{route} is not verified: skipped writes explain {explained} of its {compared} comparisons, \
                         allowed is {}{further}; replay the writes, or raise gates.excused",
                        percent(config.excused)
                    ),
                )
            }
        };
        self.and(reason)
    }
}
