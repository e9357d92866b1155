//! `shadow values`: which values of the two systems correspond.

use std::{process::ExitCode, time::Duration};

use clap::Args;

use super::{
    Exit, Failure,
    output::print,
    source::{self, Origin},
};
use crate::{
    control::{client, proto::Order},
    report::values,
};

/// How long the agent may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `shadow values`.
#[derive(Args, Debug)]
#[command(
    after_help = "Values are learned where writes are replayed (docs/src/configuration.md, Values). They are shown as keyed \
                  hashes, the same as in reports.\n\n\
                  Examples:\n  sudo shadow values\n  sudo shadow values --json | jq .[].counters\n  sudo shadow values --clear"
)]
pub struct ValuesArgs {
    /// Forget them: requests with values of production's are sent as they are until their partners are learned again
    #[arg(long, conflicts_with = "json")]
    clear: bool,
    /// As JSON, one element for each target
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    origin: Origin,
}

/// Lists the learned values of the running agent, or of the last report; or forgets them.
pub fn run(args: &ValuesArgs) -> anyhow::Result<ExitCode> {
    let ValuesArgs { clear, json, origin } = args;
    if *clear {
        let asked = client::ask(&origin.place().socket, Order::ForgetValues, PATIENCE);
        asked.map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
        return Ok(Exit::Done.into());
    }
    let report = source::report(origin)?;
    let text = if *json {
        let all: Vec<_> = values::targets(&report).map(|(_, known)| known).collect();
        format!("{}\n", serde_json::to_string_pretty(&all)?)
    } else {
        values::list(&report)
    };
    print(&text)?;
    Ok(Exit::Done.into())
}
