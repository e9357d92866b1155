//! `shadow diffs export`: writes one case for another tool.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use serde_json::Value;
use shadow_core::case::Case;

use super::find;
use crate::{
    cli::{
        Exit, Failure,
        output::{self, STDOUT},
        source::{self, Origin},
    },
    clock::now_ms,
    export::{Bundle, To, curl, har, httpie},
};

/// Events that are searched for the rules in force.
const EVENTS: u32 = 10_000;

/// Arguments of `shadow diffs export`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  sudo shadow diffs export 1f9a03b2c4d5 --format curl --url http://10.0.0.2:9090\n  \
                  sudo shadow diffs export 1f9a03b2c4d5 --bundle -o mismatch.json"
)]
pub struct ExportArgs {
    /// A group (its newest case) or a case
    id: String,
    /// curl, httpie: a command line; har: an HTTP Archive; json: the case as it is kept
    #[arg(long, value_enum, default_value_t = Format::Json, conflicts_with = "bundle")]
    format: Format,
    /// One file with the exchange, the rules in force and packets; `shadow replay` runs it again
    #[arg(long)]
    bundle: bool,
    /// For curl and httpie: where to send it, such as the shadow system; without it the command asks for $SHADOW_URL
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// For curl and httpie: send it to the server that was captured, which is production
    #[arg(long, value_enum, value_name = "WHERE", conflicts_with = "url")]
    to: Option<Destination>,
    /// Write to a file, mode 0600, instead of standard output (which is -)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    origin: Origin,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Destination {
    /// The server that was captured
    Production,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Curl,
    Httpie,
    Har,
    Json,
}

/// Writes one case.
pub(super) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let ExportArgs {
        id,
        format,
        bundle,
        url,
        to,
        output: file,
        origin,
    } = args;
    let found = find::by_id(id, origin)?;
    let Some(case) = found.case else {
        return Err(Failure::new(
            Exit::Unavailable,
            format!(
                "the journal holds no case of group {id} (yet); `shadow diffs show {id}` shows what is known"
            ),
        )
        .into());
    };
    let text = if *bundle {
        let rules = rules(&case, origin)?;
        let groups = source::report(origin).map(|report| {
            let all = std::iter::once(&report).chain(&report.also);
            let all = all.flat_map(|report| &report.groups);
            all.filter(|group| case.groups.contains(&group.id))
                .cloned()
                .collect()
        });
        let bundle = Bundle::new(case, groups.unwrap_or_default(), rules, now_ms())?;
        format!("{}\n", serde_json::to_string_pretty(&bundle)?)
    } else {
        match format {
            Format::Curl => curl::command(&case, destination(url.as_deref(), *to)),
            Format::Httpie => httpie::command(&case, destination(url.as_deref(), *to))
                .map_err(|why| Failure::new(Exit::Usage, why))?,
            Format::Har => format!("{}\n", serde_json::to_string_pretty(&har::archive(&case))?),
            Format::Json => format!("{}\n", serde_json::to_string_pretty(&case)?),
        }
    };
    output::write(file.as_deref().unwrap_or(Path::new(STDOUT)), &text)?;
    Ok(Exit::Done.into())
}

/// An address given by the user always wins. The address of production is never guessed.
fn destination(url: Option<&str>, to: Option<Destination>) -> To<'_> {
    match (url, to) {
        (Some(url), _) => To::Url(url),
        (None, Some(Destination::Production)) => To::Production,
        (None, None) => To::Unsaid,
    }
}

/// The rules that were in force when the case was judged. The agent records them when it starts.
fn rules(case: &Case, origin: &Origin) -> Result<Value, Failure> {
    let journal = source::journal(origin)?;
    let events = journal
        .events(0, EVENTS)
        .map_err(|error| source::unreadable(&journal, &error))?;
    let last = events
        .into_iter()
        .filter(|event| event.at_ms <= case.at_ms)
        .filter_map(|mut event| {
            event
                .evidence
                .get_mut("compare")?
                .get_mut(&case.target)
                .map(Value::take)
        })
        .next_back();
    Ok(last.unwrap_or_default())
}
