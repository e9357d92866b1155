//! What each target may be sent, is sent, and is compared by, out of the configuration: at the start and at a reload.

use std::sync::Arc;

use shadow_core::{
    compare::{Comparator, Rules},
    gate::Gate,
    rewrite::{Marker, RewritePolicy, TokenSource},
};

use super::agent::Running;
use crate::{
    config::{Config, also::Wanted, rewrite::Replace},
    pipeline::LaneRules,
    replay::credentials::{self, Held},
};

/// The markers of all targets: a replay to one must not be replayed to another.
pub(super) fn markers<'w>(wanted: impl Iterator<Item = &'w Wanted>) -> Vec<Marker> {
    core::iter::once(Marker::default())
        .chain(wanted.map(|wanted| wanted.shadow.marker().clone()))
        .collect()
}

/// The rules of one target. The sources of its credentials are added to `tokens`.
pub(super) fn rules(
    wanted: &Wanted,
    authority: &str,
    markers: &[Marker],
    salt: [u8; 32],
    tokens: &mut Vec<Arc<Held>>,
) -> Result<(Gate, RewritePolicy, Comparator), String> {
    let mut source = |replace: &Replace| -> Arc<dyn TokenSource> {
        let held = credentials::source(replace);
        tokens.push(Arc::clone(&held));
        held
    };
    let (gate, rewrite) = wanted
        .shadow
        .gate(authority, markers, salt, &mut source)
        .map_err(|error| format!("{}.{error}", wanted.name))?;
    let comparator = Comparator::new(Rules::from(&wanted.compare)).map_err(|error| error.to_string())?;
    Ok((gate, rewrite, comparator))
}

impl Running {
    /// The rules of every lane by another configuration with the same targets; `None` for one that only observes.
    pub(super) fn other_rules(
        &self,
        config: &Config,
        tokens: &mut Vec<Arc<Held>>,
    ) -> Result<Vec<Option<LaneRules>>, String> {
        let wanted = config.wanted().map_err(|error| error.to_string())?;
        let markers = markers(wanted.iter());
        let lanes = wanted.iter().zip(&self.facts.authorities);
        lanes
            .map(|(wanted, authority)| {
                let Some(authority) = authority else {
                    return Ok(None);
                };
                let (gate, rewrite, comparator) =
                    rules(wanted, authority, &markers, self.facts.salt, tokens)?;
                Ok(Some(LaneRules {
                    gate,
                    rewrite,
                    comparator: Arc::new(comparator),
                }))
            })
            .collect()
    }
}
