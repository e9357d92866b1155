//! Each target's lane, made from its part of the configuration.

use std::{fs::File, io::Read as _, sync::Arc};

use shadow_core::{evidence::Ledger, redact::Redactor, rewrite::Marker};
use shadow_proto::engine;

use super::{
    history::HistoryWriter,
    rules::{self, Tokens},
};
use crate::{
    config::{Config, extra_targets::ResolvedTarget, target},
    pipeline::{LaneSettings, Mode, PairSettings, PipelineSettings, Replay, Samples},
    replay::{ReplaySettings, Target, credentials::Held},
    runtime::{Cause, RuntimeError},
};

pub(super) fn settings(
    config: &Config,
    keeper: &HistoryWriter,
    wanted: Vec<(ResolvedTarget, Option<Target>)>,
    key: [u8; 32],
) -> Result<(PipelineSettings, Vec<Arc<Held>>), RuntimeError> {
    let replays = wanted.iter().any(|(_, target)| target.is_some());
    let mut limits = config.limits.clone();
    if !replays {
        // Bodies that are only counted need not be kept.
        limits.body = 0;
    }
    let engine = engine::Settings {
        limits,
        digest: replays,
        fields: true,
    };
    let markers = rules::markers(wanted.iter().map(|(wanted, _)| wanted));
    let mut tokens = Tokens::default();
    let lanes: Result<Vec<_>, RuntimeError> = wanted
        .into_iter()
        .map(|(wanted, target)| lane(config, keeper, key, &markers, &mut tokens, wanted, target))
        .collect();
    let settings = PipelineSettings {
        engine,
        idle_cpu: config.budget.idle_cpu.whole_percent(),
        nice: Some(config.budget.nice),
        unfinished: Arc::default(),
        ownership: Arc::default(),
        lanes: lanes?,
    };
    Ok((settings, tokens.held))
}

fn lane(
    config: &Config,
    keeper: &HistoryWriter,
    key: [u8; 32],
    markers: &[Marker],
    tokens: &mut Tokens,
    wanted: ResolvedTarget,
    target: Option<Target>,
) -> Result<LaneSettings, RuntimeError> {
    let reversed = wanted.shadow.mode == target::Mode::Reversed;
    let redactor = Redactor::new(key, &config.redact).knowing(config.compare.proto_descriptors.clone());
    let samples = config.journal.enabled.then(|| Samples {
        sink: keeper.sink(),
        redactor: redactor.clone(),
        limits: config.journal.case(),
    });
    let gates = config.gates.clone();
    let ledger = Ledger::new(config.evidence, gates, redactor).reversed(reversed);
    let mode = match target {
        None => Mode::Observe,
        Some(target) => {
            let (gate, rewrite, comparator) = rules::rules(&wanted, target.authority(), markers, key, tokens)
                .map_err(|why| RuntimeError::new(Cause::Config, why))?;
            Mode::Replay(Box::new(Replay {
                settings: ReplaySettings::from(&wanted.shadow),
                mark: Some(config.capture.mark.0.value),
                rewrite,
                gate,
                comparator,
                pairs: PairSettings {
                    twice: config.noise.twice.fraction(),
                    recurring: config.noise.recurring.0,
                    copies: false,
                },
                values: wanted.shadow.value_settings(),
                target,
            }))
        }
    };
    Ok(LaneSettings {
        name: wanted.name,
        role: wanted.role,
        ledger,
        samples,
        reversed,
        paused: false,
        mode,
    })
}

/// A key for the redactor, new at each start.
pub(super) fn random() -> Result<[u8; 32], RuntimeError> {
    let mut key = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut key))
        .map_err(|error| {
            RuntimeError::new(
                Cause::Unavailable,
                format!("cannot read /dev/urandom: {error}; secrets cannot be redacted without it"),
            )
        })?;
    Ok(key)
}
