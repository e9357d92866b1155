//! The rules of each target, from the configuration: the gate, the request as sent, the replay settings and the
//! comparison; at the start and at a reload.

use std::sync::{Arc, PoisonError};

use shadow_core::{
    compare::Comparator,
    gate::Gate,
    rewrite::{Conditional, Marker, RewritePolicy, TokenSource},
};

use super::agent::Running;
use crate::{
    config::{Config, Shadow, extra_targets::ResolvedTarget},
    pipeline::LaneRules,
    replay::credentials::Replace,
    replay::{
        ReplaySettings,
        credentials::{self, Held},
    },
};

/// The markers of all targets: a replay to one must not be replayed to another.
pub(super) fn markers<'w>(wanted: impl Iterator<Item = &'w ResolvedTarget>) -> Vec<Marker> {
    core::iter::once(Marker::default())
        .chain(wanted.map(|wanted| wanted.shadow.marker().clone()))
        .collect()
}

/// The token sources of all targets. An existing source is shared: it has its token.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The former sources.
    former: Vec<Arc<Held>>,
    /// The requested sources.
    pub(super) held: Vec<Arc<Held>>,
}

impl Tokens {
    fn source(&mut self, replace: &Replace) -> Arc<Held> {
        if let Some(held) = self.held.iter().find(|held| held.is_of(replace)) {
            return Arc::clone(held);
        }
        let known = self.former.iter().find(|held| held.is_of(replace));
        let held = known.map_or_else(|| credentials::source(replace), Arc::clone);
        self.held.push(Arc::clone(&held));
        held
    }
}

/// The rules of one target.
pub(super) fn rules(
    wanted: &ResolvedTarget,
    authority: &str,
    markers: &[Marker],
    salt: [u8; 32],
    tokens: &mut Tokens,
) -> Result<(Gate, RewritePolicy, Comparator), String> {
    let mut source = |replace: &Replace| -> Arc<dyn TokenSource> { tokens.source(replace) };
    let (gate, rewrite) = wanted
        .shadow
        .gate(
            authority,
            markers,
            salt,
            wanted.compare.proto_descriptors.as_ref(),
            &mut source,
        )
        .map_err(|error| format!("{}.{error}", wanted.name))?;
    let mut comparator = Comparator::new(wanted.compare.clone()).map_err(|error| error.to_string())?;
    comparator.kept_validators(wanted.shadow.rewrite.conditional == Conditional::Keep);
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    comparator.shadow_port(port);
    Ok((gate, rewrite, comparator))
}

/// Changes of the lanes that are not yet in force.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Of each lane, unless unchanged.
    settings: Vec<Option<ReplaySettings>>,
    /// Of all lanes, unless all are unchanged.
    rules: Option<(Vec<Option<LaneRules>>, Tokens)>,
}

impl Running {
    /// The changes of the lanes under another configuration with the same targets.
    pub(super) fn others(&self, before: &Config, after: &Config) -> Result<Others, String> {
        let read = |config: &Config| config.wanted().map_err(|error| error.to_string());
        let (before, after) = (read(before)?, read(after)?);
        let both = || before.iter().zip(&after);
        let settings = both().map(|(before, after)| {
            let [before, after] = [before, after].map(|wanted| ReplaySettings::from(&wanted.shadow));
            (before != after).then_some(after)
        });
        let settings = settings.collect();
        if both().all(|(before, after)| made_of(before) == made_of(after)) {
            return Ok(Others {
                settings,
                rules: None,
            });
        }
        let mut tokens = Tokens {
            former: self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            held: Vec::new(),
        };
        let markers = markers(after.iter());
        let lanes = after.iter().zip(&self.facts.authorities);
        let rules: Result<Vec<_>, String> = lanes
            .map(|(wanted, authority)| {
                let Some(authority) = authority else {
                    return Ok(None);
                };
                let (gate, rewrite, comparator) =
                    rules(wanted, authority, &markers, self.facts.salt, &mut tokens)?;
                Ok(Some(LaneRules {
                    gate,
                    rewrite,
                    comparator: Arc::new(comparator),
                }))
            })
            .collect();
        Ok(Others {
            settings,
            rules: Some((rules?, tokens)),
        })
    }

    /// Puts them in force.
    pub(super) fn follow(&self, others: Others) {
        let Others { settings, rules } = others;
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        for (lane, settings) in pipeline.lanes().zip(settings) {
            if let Some(settings) = settings {
                lane.set_settings(settings);
            }
        }
        let Some((rules, tokens)) = rules else { return };
        for (lane, rules) in pipeline.lanes().zip(rules) {
            if let Some(rules) = rules {
                lane.set_rules(rules);
            }
        }
        drop(pipeline);
        for held in &tokens.held {
            held.start();
        }
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens.held;
    }
}

/// The sections that determine the rules of a lane.
fn made_of(wanted: &ResolvedTarget) -> impl PartialEq {
    let Shadow {
        select,
        writes,
        host,
        rewrite,
        credentials,
        ..
    } = wanted.shadow.clone();
    (select, writes, host, rewrite, credentials, wanted.compare.clone())
}
