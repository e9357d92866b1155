//! `shadow rollout start --dry-run`: the plan applied to a recorded journal. Needs no agent and starts nothing.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use shadow_core::rollout::Plan;

use shadow_proto::units::Rate;

use crate::{
    cli::{
        AgentLocation, Exit, Failure, config, output,
        source::{unopened, unreadable},
    },
    config::{Config, target::Mode},
    figures::span,
    journal::{OpenError, Reader},
    pipeline::Role,
    rollout::simulate::{self, Recording, Simulated},
    state::StateDir,
};

/// Events that are read: as many as a journal keeps.
const EVENTS: u32 = 10_000;

/// Simulates the plan of a configuration. Shows only the plan if there is no journal yet and none was named.
pub(super) fn run(
    file: Option<&Path>,
    journal: Option<PathBuf>,
    place: &AgentLocation,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let config = if let Some(file) = file {
        config::load(file)?
    } else {
        let mut config = Config::default();
        config.agent.state_dir.clone_from(&place.state_dir);
        config
    };
    let plan = config.rollout.plan(&config.gates);
    plan.validate()
        .map_err(|error| Failure::new(Exit::Config, format!("rollout: {error}")))?;
    let is_named = journal.is_some();
    let path = journal.unwrap_or_else(|| config.journal.path(&StateDir::new(&config.agent.state_dir)));
    let text = match Reader::open(&path) {
        Ok(journal) => {
            let simulated = simulated(&config, &plan, &journal)?;
            if json {
                format!("{}\n", serde_json::to_string_pretty(&simulated)?)
            } else {
                simulate::page(&simulated)
            }
        }
        Err(error @ OpenError::Absent(_)) if !is_named => {
            if json {
                let plan = earliest_json(&plan, &error.to_string());
                format!("{}\n", serde_json::to_string_pretty(&plan)?)
            } else {
                earliest(&plan, &error.to_string())
            }
        }
        Err(error) => return Err(unopened(&error).into()),
    };
    output::print(&text)?;
    Ok(Exit::Done.into())
}

fn simulated(config: &Config, plan: &Plan, journal: &Reader) -> Result<Simulated, Failure> {
    let failed = |error: rusqlite::Error| unreadable(journal, &error);
    let wanted = config
        .wanted()
        .map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let known = journal.targets().map_err(failed)?;
    let shadows = wanted.into_iter().filter(|wanted| wanted.role == Role::Shadow);
    let (targets, absent): (Vec<String>, Vec<String>) = shadows
        .map(|wanted| wanted.name)
        .partition(|name| known.contains(name));
    let mut windows = Vec::new();
    for target in &targets {
        windows.extend(journal.windows(target, 0).map_err(failed)?);
    }
    let recording = Recording {
        targets,
        reversed: config.shadow.mode == Mode::Reversed,
        windows,
        events: journal.events(0, EVENTS).map_err(failed)?,
    };
    let path = journal.path().display().to_string();
    let passed_over = recording.windows.len();
    let mut simulated = simulate::simulate(plan, recording, &path)
        .ok_or_else(|| nothing(&path, &known, &absent, passed_over))?;
    if !absent.is_empty() {
        simulated.notes.push(format!(
            "the configuration also has {}, of which the journal knows nothing: that evidence was not asked for",
            absent.join(", ")
        ));
    }
    Ok(simulated)
}

/// The failure when there is nothing to simulate on, with the reason and advice.
fn nothing(path: &str, known: &[String], absent: &[String], passed_over: usize) -> Failure {
    let why = if passed_over > 0 {
        format!(
            "its {passed_over} windows were written by an older version, without what coverage and errors are counted from"
        )
    } else if known.is_empty() {
        "it holds no windows: nothing was mirrored while it was kept".to_owned()
    } else {
        format!(
            "it holds windows of {}, and none of {}; name the configuration they are from with --config",
            known.join(", "),
            absent.join(", ")
        )
    };
    Failure::new(
        Exit::Data,
        format!(
            "no rollout can be simulated on {path}: {why}. Mirror some traffic first (`shadow run`, sampled as low as you \
             like, for at least ten seconds), or name another journal with --journal"
        ),
    )
}

/// The plan alone: the earliest start of each phase.
fn earliest(plan: &Plan, why: &str) -> String {
    let mut lines = vec![
        format!("Nothing is started, and nothing was simulated: {why}"),
        "At the earliest, when every phase compares enough and passes its gates at once:".to_owned(),
    ];
    lines.extend(plan.earliest().map(|(at, phase)| {
        format!(
            "  after {:<12} {:<16} {:>6} of connections",
            span(at),
            phase.name,
            Rate::from_fraction(phase.sample).to_string()
        )
    }));
    lines.push(format!("  after {:<12} complete\n", span(plan.shortest())));
    lines.join("\n")
}

fn earliest_json(plan: &Plan, why: &str) -> serde_json::Value {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let phases: Vec<_> = plan
        .earliest()
        .map(|(at, phase)| {
            serde_json::json!({
                "phase": phase.name,
                "sample": phase.sample,
                "earliest_ms": millis(at),
                "min_compared": phase.min_compared,
            })
        })
        .collect();
    serde_json::json!({
        "not_simulated": why,
        "phases": phases,
        "complete_ms": millis(plan.shortest()),
    })
}
