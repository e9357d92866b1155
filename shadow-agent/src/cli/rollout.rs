//! `shadow rollout`: raising the sample step by step, each step earned by evidence.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use shadow_core::rollout::Plan;

use super::{Exit, Failure, Place, ask, config};
use crate::{
    config::{Config, units::Rate},
    control::{
        client::{self, ClientError},
        proto::{Answer, Order},
    },
    report::figures::span,
    rollout::{self, RolloutStatus, status},
};

/// How long the agent may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do with the rollout.
#[derive(Args, Debug)]
#[command(
    after_help = "The phases stand in the configuration, section `rollout`. Every order may be given twice.\n\n\
                  Examples:\n  shadow rollout start --dry-run --config shadow.yaml\n  sudo shadow rollout start\n  \
                  sudo shadow rollout status --json"
)]
pub struct RolloutArgs {
    #[command(subcommand)]
    action: Action,
    /// As JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Begin with the first phase
    #[command(
        after_help = "Example:\n  sudo shadow rollout start\n  shadow rollout start --dry-run --config shadow.yaml"
    )]
    Start {
        /// Only show the phases and when each could begin at the earliest
        #[arg(long)]
        dry_run: bool,
        /// The configuration of a dry run; without it, that of the defaults
        #[arg(long, short, value_name = "FILE", requires = "dry_run")]
        config: Option<PathBuf>,
    },
    /// Show where it is, what it waits for, and what happened
    #[command(after_help = "Example:\n  sudo shadow rollout status")]
    Status,
    /// Stop the clock; the sample stays
    #[command(after_help = "Example:\n  sudo shadow rollout pause --why lunch")]
    Pause {
        /// Why, for the record
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
    },
    /// Go on after a pause or a failed gate; the phase starts over
    #[command(after_help = "Example:\n  sudo shadow rollout resume")]
    Resume,
    /// Go to the next phase without waiting for its evidence
    #[command(
        after_help = "Example:\n  sudo shadow rollout advance\n  sudo shadow rollout advance canary-10"
    )]
    Advance {
        /// The phase to go to [default: the next one]
        phase: Option<String>,
    },
    /// Give up: nothing is mirrored until `start`, or a sample by hand
    #[command(after_help = "Example:\n  sudo shadow rollout abort --why 'incident 4711'")]
    Abort {
        /// Why, for the record
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
    },
}

/// Moves the rollout, or shows where it is.
pub fn run(args: RolloutArgs) -> anyhow::Result<ExitCode> {
    let RolloutArgs { action, json, place } = args;
    let order = match action {
        Action::Start {
            dry_run: true,
            config,
        } => return dry_run(config.as_deref(), json),
        Action::Start { .. } => rollout::Order::Start,
        Action::Status => rollout::Order::Status,
        Action::Pause { why } => rollout::Order::Pause(why),
        Action::Resume => rollout::Order::Resume,
        Action::Abort { why } => rollout::Order::Abort(why),
        Action::Advance { phase: Some(phase) } => rollout::Order::Advance(phase),
        Action::Advance { phase: None } => rollout::Order::Advance(next(&place)?),
    };
    let status = order_it(&place, order)?;
    let text = if json {
        format!("{}\n", serde_json::to_string_pretty(&status)?)
    } else {
        status::page(&status)
    };
    ask::print(&text)?;
    Ok(Exit::Done.into())
}

/// Named in the order, so that giving it twice goes one phase further and not two.
fn next(place: &Place) -> Result<String, Failure> {
    let status = order_it(place, rollout::Order::Status)?;
    status.next.ok_or_else(|| {
        let stage = status.place.stage.as_str();
        Failure::new(
            Exit::Unavailable,
            format!(
                "there is no phase to advance to: the rollout is {stage}, {:?}",
                status.place.phase
            ),
        )
    })
}

fn order_it(place: &Place, order: rollout::Order) -> Result<RolloutStatus, Failure> {
    match client::ask(&place.socket, Order::Rollout(order), PATIENCE) {
        Ok(Answer::Rollout(status)) => Ok(*status),
        Ok(_) => Err(ask::failure(&ClientError::Foreign {
            path: place.socket.clone(),
            why: "it is no rollout status".to_owned(),
        })),
        Err(error) => Err(ask::failure(&error)),
    }
}

/// The plan alone: when each phase can begin at the earliest.
fn dry_run(file: Option<&std::path::Path>, json: bool) -> anyhow::Result<ExitCode> {
    let config = match file {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    let plan = config.rollout.plan(&config.gates);
    plan.validate()
        .map_err(|error| Failure::new(Exit::Config, format!("rollout: {error}")))?;
    let text = if json {
        format!("{}\n", serde_json::to_string_pretty(&earliest_json(&plan))?)
    } else {
        earliest(&plan)
    };
    ask::print(&text)?;
    Ok(Exit::Done.into())
}

fn earliest(plan: &Plan) -> String {
    let mut lines =
        vec!["At the earliest, when every phase compares enough and passes its gates at once:".to_owned()];
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

fn earliest_json(plan: &Plan) -> serde_json::Value {
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
    serde_json::json!({ "phases": phases, "complete_ms": millis(plan.shortest()) })
}
