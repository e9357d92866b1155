//! Each target's lane, made from its part of the configuration.

use std::{
    fs::File,
    io::{self, Read as _},
    sync::Arc,
};

use shadow_core::{
    compare::{Comparator, Rules},
    engine,
    evidence::{GateConfig, Ledger},
    limits::Limits,
    redact::Redactor,
    rewrite::{Marker, TokenSource},
};

use super::{keep::Keeper, start::MARK};
use crate::{
    cli::{Exit, Failure},
    config::{Config, also::Wanted, rewrite::Replace, target},
    pipeline::{LaneSettings, Mode, PairSettings, PipelineSettings, Replay, Samples},
    replay::{
        ReplaySettings, Target,
        credentials::{self, Held},
    },
};

pub(super) fn settings(
    config: &Config,
    keeper: &Keeper,
    wanted: Vec<(Wanted, Option<Target>)>,
) -> Result<(PipelineSettings, Vec<Arc<Held>>), Failure> {
    let replays = wanted.iter().any(|(_, target)| target.is_some());
    let key = random().map_err(|error| no_random(&error))?;
    let mut limits = Limits::from(&config.limits);
    if !replays {
        // Nobody looks into bodies that are only counted.
        limits.body = 0;
    }
    let engine = engine::Settings {
        limits,
        digest: replays,
    };
    // A replay to one target must not be replayed to another.
    let markers: Vec<Marker> = core::iter::once(Marker::default())
        .chain(wanted.iter().map(|(wanted, _)| wanted.shadow.marker().clone()))
        .collect();
    let mut tokens = Vec::new();
    let lanes: Result<Vec<_>, Failure> = wanted
        .into_iter()
        .map(|(wanted, target)| lane(config, keeper, key, &markers, &mut tokens, wanted, target))
        .collect();
    let settings = PipelineSettings {
        engine,
        idle_cpu: config.budget.idle_cpu.whole_percent(),
        nice: config.budget.nice,
        lanes: lanes?,
    };
    Ok((settings, tokens))
}

fn lane(
    config: &Config,
    keeper: &Keeper,
    key: [u8; 32],
    markers: &[Marker],
    tokens: &mut Vec<Arc<Held>>,
    wanted: Wanted,
    target: Option<Target>,
) -> Result<LaneSettings, Failure> {
    let Wanted {
        name,
        role,
        shadow,
        compare,
    } = wanted;
    let reversed = shadow.mode == target::Mode::Reversed;
    let redactor = Redactor::new(key, &config.redact);
    let samples = config.journal.enabled.then(|| Samples {
        sink: keeper.sink(),
        redactor: redactor.clone(),
        limits: config.journal.case(),
    });
    let ledger = Ledger::new(config.evidence, GateConfig::from(&config.gates), redactor);
    let mode = match target {
        None => Mode::Observe,
        Some(target) => {
            let mut source = |replace: &Replace| -> Arc<dyn TokenSource> {
                let held = credentials::source(replace);
                tokens.push(Arc::clone(&held));
                held
            };
            let (gate, rewrite) = shadow
                .gate(target.authority(), markers, key, &mut source)
                .map_err(|error| Failure::new(Exit::Config, format!("{name}.{error}")))?;
            Mode::Replay(Box::new(Replay {
                settings: ReplaySettings::from(&shadow),
                mark: Some(MARK),
                rewrite,
                gate,
                comparator: Comparator::new(Rules::from(&compare))
                    .map_err(|error| Failure::new(Exit::Config, error.to_string()))?,
                pairs: PairSettings {
                    twice: config.noise.twice.fraction(),
                    twins: config.noise.twins.0,
                },
                target,
            }))
        }
    };
    Ok(LaneSettings {
        name,
        role,
        ledger,
        samples,
        reversed,
        paused: false,
        mode,
    })
}

/// A key for the redactor, anew each start.
fn random() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}

fn no_random(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Unavailable,
        format!("cannot read /dev/urandom: {error}; secrets cannot be redacted without it"),
    )
}
