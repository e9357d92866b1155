//! `shadow discover`: the pods of this node, for the agent beside it.

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use clap::Args;

use super::{Exit, Failure, config};
use crate::discover;

const EXAMPLES: &str = "\
Examples:
  shadow discover --config /etc/shadow/shadow.yaml
  shadow discover --config shadow.yaml --node node1 --api http://127.0.0.1:8001

In a pod the token and the authority of its service account are used. The chart (presets.pods) starts it beside the
agent.";

/// Arguments of `shadow discover`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiscoverArgs {
    /// Configuration file, of which capture.kubernetes is used
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// Name of this node
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node: String,
    /// The API server; in a pod its own cluster's
    #[arg(long, value_name = "URL")]
    api: Option<http::Uri>,
}

/// Runs until it is ended.
pub(super) fn run(args: &DiscoverArgs) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.config)?;
    tracing_subscriber::fmt()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_max_level(config.agent.log_level.filter())
        .init();
    let Some(kubernetes) = &config.capture.kubernetes else {
        let what = format!(
            "{}: there is no capture.kubernetes that says which pods",
            args.config.display()
        );
        return Err(Failure::new(Exit::Config, what).into());
    };
    discover::run(&config, kubernetes, &args.node, args.api.as_ref())
}
