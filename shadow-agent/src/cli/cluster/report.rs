//! One verdict from the evidence of all nodes.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use shadow_core::evidence::Ruling;

use super::kubectl::{Answer, Kubectl};
use crate::{
    cli::{Exit, ask, merge, page},
    report::text,
    shown,
};

/// Arguments of `kubectl shadow report`.
#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// As JSON, with every route and group
    #[arg(long)]
    json: bool,
    /// As one self-contained page; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
}

/// Shows the report on the evidence of all nodes. It is no GO while evidence of a node is missing.
pub(super) fn run(kubectl: &Kubectl<'_>, args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let agents = kubectl.agents()?;
    let answers = kubectl.each(&agents, &["report", "--evidence", "-"]);
    let folder = tempfile::tempdir()?;
    let (mut files, mut names, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (number, answer) in answers.iter().enumerate() {
        match evidence(answer) {
            Ok(evidence) => {
                // The agent may have ended, or hang: then this is what it kept.
                if let Ok(output) = &answer.output
                    && !output.stderr.trim().is_empty()
                {
                    shown::complain(&format!("{}: {}", answer.node, shown::line(&output.stderr)));
                }
                let file = folder.path().join(format!("{number}.evidence"));
                fs::write(&file, evidence)?;
                files.push(file);
                names.push(&*answer.node);
            }
            Err(why) => missing.push(format!("{}: {why}", answer.node)),
        }
    }
    for one in &missing {
        shown::complain(&format!("no evidence of the node {one}"));
    }
    if files.is_empty() {
        return Ok(Exit::Unknown.into());
    }
    let report = merge::report(&files)?;
    if args.json {
        ask::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else if let Some(file) = &args.html {
        let why = "Merged evidence has no journal, so there is no history.";
        page::alone(&report, why, file)?;
    } else {
        let nodes = format!("Evidence of {}\n\n", names.join(", "));
        ask::print(&(nodes + &text::report(&report)))?;
    }
    Ok(match report.judgement.ruling {
        Ruling::NoGo => Exit::NoGo,
        Ruling::Go if missing.is_empty() => Exit::Done,
        Ruling::Go | Ruling::InsufficientEvidence => Exit::Insufficient,
    }
    .into())
}

fn evidence(answer: &Answer) -> Result<&str, String> {
    let output = answer.output.as_ref().map_err(Clone::clone)?;
    if output.code != 0 {
        return Err(shown::line(&output.stderr));
    }
    Ok(&output.stdout)
}
