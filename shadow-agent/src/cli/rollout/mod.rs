//! `shadow rollout`: raises the sample step by step, each step based on evidence.

mod dry_run;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};

use super::{AgentLocation, Exit, Failure, ask, output};
use crate::{
    control::{
        client::{self, ClientError},
        proto::{Answer, Order},
    },
    rollout::{self, RolloutStatus, status},
};

/// How long the agent may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `shadow rollout`.
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
    place: AgentLocation,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Begin with the first phase
    #[command(
        after_help = "Examples:\n  sudo shadow rollout start\n  sudo shadow rollout start --dry-run --config shadow.yaml\n  \
                      shadow rollout start --dry-run --config shadow.yaml --journal copy.sqlite --json"
    )]
    Start {
        /// Start nothing; show what the plan would have done on what a journal has recorded
        #[arg(long)]
        dry_run: bool,
        /// The configuration of a dry run, with plan and targets; without it, that of the defaults
        #[arg(long, short, value_name = "FILE", requires = "dry_run")]
        config: Option<PathBuf>,
        /// The journal of a dry run; without it, that of the configuration
        #[arg(long, value_name = "FILE", requires = "dry_run")]
        journal: Option<PathBuf>,
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
    /// Give up: nothing is mirrored until `start`, or until the sample is set manually
    #[command(after_help = "Example:\n  sudo shadow rollout abort --why 'incident 4711'")]
    Abort {
        /// Why, for the record
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
    },
}

/// Changes the rollout, or shows its state.
pub fn run(args: RolloutArgs) -> anyhow::Result<ExitCode> {
    let RolloutArgs { action, json, place } = args;
    let order = match action {
        Action::Start {
            dry_run: true,
            config,
            journal,
        } => return dry_run::run(config.as_deref(), journal, &place, json),
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
    output::print(&text)?;
    Ok(Exit::Done.into())
}

/// The next phase. It is named in the order, so that sending the order twice advances one phase and not two.
fn next(place: &AgentLocation) -> Result<String, Failure> {
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

fn order_it(place: &AgentLocation, order: rollout::Order) -> Result<RolloutStatus, Failure> {
    match client::ask(&place.socket, Order::Rollout(order), PATIENCE) {
        Ok(Answer::Rollout(status)) => Ok(*status),
        Ok(_) => Err(ask::failure(&ClientError::Foreign {
            path: place.socket.clone(),
            why: "it is no rollout status".to_owned(),
        })),
        Err(error) => Err(ask::failure(&error)),
    }
}
