//! `shadow diffs`: lists differences, shows one case side by side, exports it, or accepts the difference.
//!
//! Groups come from the running agent; without one they are read from its kept report or its journal. Cases are always
//! read from the journal, also while an agent writes it.

mod accept;
mod export;
mod find;
mod ignore;
mod sort;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use shadow_core::evidence::report::{Group, Standing};

use super::{
    Exit, Failure,
    output::print,
    source::{self, Origin},
};
use crate::report::{causes, diffs};

pub use accept::AcceptArgs;
pub(in crate::cli) use accept::{run as accept, tell, written};
pub use export::ExportArgs;
pub use ignore::IgnoreArgs;
pub use sort::Sort;
pub(in crate::cli) use verify::against;

/// Arguments of `shadow diffs`.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  sudo shadow diffs\n  sudo shadow diffs --route 'GET /items' --category value\n  \
                  sudo shadow diffs show 1f9a03b2c4d5\n  sudo shadow diffs export 1f9a03b2c4d5 --format curl\n  \
                  sudo shadow diffs ignore 1f9a03b2c4d5 --config shadow.yaml"
)]
pub struct DiffsArgs {
    #[command(subcommand)]
    command: Option<DiffsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum DiffsCommand {
    /// Show one group or one case, both answers side by side
    Show(ShowArgs),
    /// Write one case for another tool
    Export(ExportArgs),
    /// Write the rule that accepts a difference
    Ignore(IgnoreArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// As JSON, every group with its samples
    #[arg(long)]
    json: bool,
    /// Only routes that contain this
    #[arg(long, value_name = "TEXT")]
    route: Option<String>,
    /// Only this category or failure: value, status, timeout, ...
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Also what is noise, or explained by a skipped write
    #[arg(long)]
    all: bool,
    /// The shadow target, when there are several
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// The order: by harm, by the number of exchanges, or by route
    #[arg(long, value_name = "ORDER", default_value = "harm")]
    sort: Sort,
    /// Groups to show
    #[arg(long, value_name = "N", default_value_t = 30)]
    limit: usize,
    #[command(flatten)]
    origin: Origin,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  sudo shadow diffs show 1f9a03b2c4d5\n  sudo shadow diffs show 1f9a --json | jq .case.request"
)]
struct ShowArgs {
    /// A cause, a group or a case, as `shadow report` and `shadow diffs` name them
    id: String,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    origin: Origin,
}

/// Runs the subcommand.
pub fn run(args: DiffsArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        None => list(&args.list),
        Some(DiffsCommand::Show(args)) => show(&args),
        Some(DiffsCommand::Export(args)) => export::run(&args),
        Some(DiffsCommand::Ignore(args)) => ignore::run(&args),
    }
}

fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let ListArgs {
        json,
        route,
        category,
        all,
        target,
        sort,
        limit,
        origin,
    } = args;
    let mut report = source::report(origin)?;
    sort.apply(&mut report);
    let report = match target {
        None => &report,
        Some(name) => std::iter::once(&report)
            .chain(&report.also)
            .find(|report| report.target == *name)
            .ok_or_else(|| {
                let known = std::iter::once(&report).chain(&report.also);
                let known: Vec<_> = known.map(|report| report.target.as_str()).collect();
                Failure::new(
                    Exit::Unavailable,
                    format!("there is no target {name:?}; there are {}", known.join(", ")),
                )
            })?,
    };
    let is_wanted = |group: &&Group| {
        route
            .as_ref()
            .is_none_or(|route| group.route.contains(route.as_str()))
            && category
                .as_ref()
                .is_none_or(|category| group.category == *category)
            && (*all || *json || matches!(group.standing, Standing::Regression | Standing::Undecided))
    };
    let groups: Vec<&Group> = report.groups.iter().filter(is_wanted).collect();
    if *json {
        print(&format!("{}\n", serde_json::to_string_pretty(&groups)?))?;
        return Ok(Exit::Done.into());
    }
    let shown = &groups[..groups.len().min(*limit)];
    let mut text = diffs::list(shown, report.groups_overflow);
    if shown.len() < groups.len() {
        let hidden = groups.len() - shown.len();
        writeln!(text, "and {hidden} more groups; --limit shows more, --json all").unwrap_or_default();
    }
    let excused = report
        .groups
        .iter()
        .filter(|group| matches!(group.standing, Standing::Noise | Standing::AfterSkippedWrite))
        .count();
    if !all && excused > 0 {
        writeln!(
            text,
            "{excused} groups are noise or explained by skipped writes; --all shows them too"
        )
        .unwrap_or_default();
    }
    print(&text)?;
    Ok(Exit::Done.into())
}

fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let ShowArgs { id, json, origin } = args;
    let found = find::by_id(id, origin)?;
    if *json {
        print(&format!("{}\n", serde_json::to_string_pretty(&found)?))?;
        return Ok(Exit::Done.into());
    }
    let mut text = String::new();
    if let Some(cause) = &found.cause {
        text.push_str(&causes::cause(cause));
        text.push('\n');
    }
    if let Some(group) = &found.group {
        text.push_str(&diffs::group(group));
        text.push('\n');
    }
    match &found.case {
        Some(case) => text.push_str(&diffs::case(case, width())),
        None => text.push_str("The journal holds no case of it (yet).\n"),
    }
    if found.cases.len() > 1 {
        writeln!(text, "\nMore cases: {}", found.cases[1..].join(" ")).unwrap_or_default();
    }
    print(&text)?;
    Ok(Exit::Done.into())
}

/// Columns of the terminal, or a wide default without one.
fn width() -> usize {
    const WIDE: usize = 160;
    if !io::stdout().is_terminal() {
        return WIDE;
    }
    rustix::termios::tcgetwinsize(io::stdout()).map_or(WIDE, |size| usize::from(size.ws_col).max(40))
}
