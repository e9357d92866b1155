//! `kubectl shadow`, also `shadow cluster`: the agents of every node of a cluster, through `kubectl`.
//!
//! It uses the caller's `kubectl` with the caller's context and rights, and asks each node in its own pod. No part of
//! it runs in the cluster. Bounds: [`AT_ONCE`] nodes are asked at a time, each within `--timeout`. Bias: a node that
//! does not answer is named, and is never taken for one that is well.

mod kubectl;
mod orders;
mod report;
mod table;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use shadow_proto::units::{Rate, Span};

use self::kubectl::Kubectl;
use super::Failure;

/// Nodes that are asked at once.
const AT_ONCE: usize = 32;

/// The name under which `kubectl` finds this program.
pub(super) const PLUGIN: &str = "kubectl-shadow";

const EXAMPLES: &str = "\
Installed as `kubectl-shadow` on the path (a link to `shadow`), these are commands of kubectl.

Examples:
  kubectl shadow status
  kubectl shadow kill --all --why 'incident 4711'
  kubectl shadow resume --all
  kubectl shadow sample 5%
  kubectl shadow report
  kubectl shadow diffs --node node1 -- show 1

The exit code is the worst of all nodes; 69 when one did not answer. `report` ends as `shadow report` does, and is no GO
while evidence of a node is missing, or is what an agent that does not answer had kept.";

/// Arguments of `shadow cluster`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ClusterArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: ClusterCommand,
}

/// Which agents are meant.
#[derive(Args, Debug)]
struct Place {
    /// Namespace of the agents
    #[arg(long, short, global = true, default_value = "shadow")]
    namespace: String,
    /// Label selector of their pods
    #[arg(
        long,
        short = 'l',
        global = true,
        default_value = "app.kubernetes.io/name=shadow"
    )]
    selector: String,
    /// The ConfigMap that is the cluster's kill switch
    #[arg(long, global = true, value_name = "NAME", default_value = "shadow-switch")]
    switch: String,
    /// Only this node; may be repeated
    #[arg(long, global = true, value_name = "NAME")]
    node: Vec<String>,
    /// Context of kubectl
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// Configuration of kubectl
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// How long a node may take to answer
    #[arg(long, global = true, value_name = "TIME", default_value = "10s")]
    timeout: Span,
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// One line per node: whether it mirrors, and what it has seen
    #[command(after_help = "Example:\n  shadow cluster status")]
    Status,
    /// Stop mirroring on every node, also on those that start later
    #[command(
        after_help = "Examples:\n  shadow cluster kill --all --why 'incident 4711'\n  shadow cluster kill --node node1"
    )]
    Kill {
        /// Why, for whoever looks at the status
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
        #[command(flatten)]
        extent: Extent,
    },
    /// Mirror again after a kill
    #[command(after_help = "Example:\n  shadow cluster resume --all")]
    Resume(Extent),
    /// Change the share of connections that are mirrored
    #[command(after_help = "Example:\n  shadow cluster sample 5%")]
    Sample {
        /// Share of connections, such as 5%
        rate: Rate,
    },
    /// One verdict from the evidence of all nodes
    #[command(after_help = "Examples:\n  shadow cluster report\n  shadow cluster report --html report.html")]
    Report(report::ReportArgs),
    /// Say on each node whether the agent works there
    #[command(after_help = "Example:\n  shadow cluster doctor")]
    Doctor,
    /// Run `shadow diffs` on each node
    #[command(
        after_help = "Examples:\n  shadow cluster diffs\n  shadow cluster diffs --node node1 -- show 1"
    )]
    Diffs {
        /// Arguments of `shadow diffs`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// Every node, or those of `--node`: one of them is to be said.
#[derive(Args, Debug)]
struct Extent {
    /// Every node
    #[arg(long, required_unless_present = "node", conflicts_with = "node")]
    all: bool,
}

/// Runs a command for the whole cluster.
pub(super) fn run(args: &ClusterArgs) -> anyhow::Result<ExitCode> {
    let kubectl = Kubectl::new(&args.place);
    match &args.command {
        ClusterCommand::Status => table::status(&kubectl),
        ClusterCommand::Kill { why, extent } => orders::kill(&kubectl, why, extent.all),
        ClusterCommand::Resume(extent) => orders::resume(&kubectl, extent.all),
        ClusterCommand::Sample { rate } => orders::each(&kubectl, &["sample", &rate.to_string()]),
        ClusterCommand::Report(report) => report::run(&kubectl, report),
        ClusterCommand::Doctor => orders::each(&kubectl, &["doctor"]),
        ClusterCommand::Diffs { words } => {
            let words = words.iter().map(String::as_str);
            let words: Vec<&str> = std::iter::once("diffs").chain(words).collect();
            orders::each(&kubectl, &words)
        }
    }
}

impl Place {
    fn timeout(&self) -> Duration {
        self.timeout.0
    }
}

/// The worst of all exit codes.
fn worst(codes: impl Iterator<Item = u8>) -> ExitCode {
    codes.max().unwrap_or_default().into()
}

fn failure(what: impl Into<String>) -> Failure {
    Failure::new(super::Exit::Unavailable, what)
}
