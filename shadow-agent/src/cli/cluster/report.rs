//! One verdict from the evidence of all nodes.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use shadow_core::evidence::Ruling;

use super::kubectl::{Answer, Kubectl};
use crate::{
    cli::{Exit, merge, output, page},
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

/// Shows the report on the evidence of all nodes. It is no GO while evidence of a node is missing, or is only what an
/// agent that does not answer had kept.
pub(super) fn run(kubectl: &Kubectl<'_>, args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let agents = kubectl.agents()?;
    let answers = kubectl.each(&agents, &["report", "--evidence", "-"]);
    let folder = tempfile::tempdir()?;
    let (mut files, mut names, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_old = false;
    for (number, answer) in answers.iter().enumerate() {
        match evidence(answer) {
            Ok(evidence) => {
                // The agent may have ended, or hang: then this is what it kept.
                if let Ok(output) = &answer.output
                    && !output.stderr.trim().is_empty()
                {
                    is_old = true;
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
        output::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else if let Some(file) = &args.html {
        let why = "Merged evidence has no journal, so there is no history.";
        page::alone(&report, why, file)?;
    } else {
        let nodes = format!("Evidence of {}\n\n", names.join(", "));
        output::print(&(nodes + &text::report(&report)))?;
    }
    let is_all = missing.is_empty() && !is_old;
    Ok(ending(report.judgement.ruling, is_all).into())
}

/// How the command ends; `is_all`: every node has sent its evidence.
fn ending(ruling: Ruling, is_all: bool) -> Exit {
    match ruling {
        Ruling::NoGo => Exit::NoGo,
        Ruling::Go if is_all => Exit::Done,
        Ruling::Go | Ruling::InsufficientEvidence => Exit::Insufficient,
    }
}

fn evidence(answer: &Answer) -> Result<&str, String> {
    let output = answer.output.as_ref().map_err(Clone::clone)?;
    if output.code != 0 {
        return Err(shown::line(&output.stderr));
    }
    Ok(&output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_go_without_the_evidence_of_every_node() {
        assert_eq!(ending(Ruling::Go, true), Exit::Done);
        assert_eq!(ending(Ruling::Go, false), Exit::Insufficient);
        assert_eq!(ending(Ruling::NoGo, false), Exit::NoGo);
        assert_eq!(ending(Ruling::InsufficientEvidence, true), Exit::Insufficient);
    }
}
