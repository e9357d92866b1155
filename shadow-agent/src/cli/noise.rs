//! `shadow noise`: differences that a system also has with itself, and rules for them.

use std::process::ExitCode;

use clap::Args;

use super::{
    Exit, Place,
    ask::{find_report, print},
};
use crate::report::noise::Noise;

/// Arguments of `shadow noise`.
#[derive(Args, Debug)]
#[command(
    after_help = "A difference is noise when two answers of one system show it as often (docs/src/concepts.md says how that \
                  is decided and what cannot be seen).\n\n\
                  Examples:\n  sudo shadow noise\n  sudo shadow noise --json | jq -r .rules"
)]
pub struct NoiseArgs {
    /// As JSON, with every group and the rules as one text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Shows the noise in the report of the running agent, or else of the last one.
pub fn noise(args: &NoiseArgs) -> anyhow::Result<ExitCode> {
    let NoiseArgs { json, place } = args;
    let report = find_report(place)?;
    let noise = Noise::of(&report);
    let text = if *json {
        format!("{}\n", serde_json::to_string_pretty(&noise)?)
    } else {
        noise.text()
    };
    print(&text)?;
    Ok(Exit::Done.into())
}
