//! The status of every node, one line each.

use std::{fmt::Write as _, process::ExitCode};

use shadow_proto::units::Rate;

use super::{
    kubectl::{Answer, Kubectl},
    worst,
};
use crate::{cli::output, control::status::Status, shown};

/// Shows a line for each node, and what does not work there.
pub(super) fn status(kubectl: &Kubectl<'_>) -> anyhow::Result<ExitCode> {
    let agents = kubectl.agents()?;
    let answers = kubectl.each(&agents, &["status", "--json"]);
    output::print(&table(&answers))?;
    Ok(worst(answers.iter().map(Answer::code)))
}

/// The status in an answer, or the reason why there is none.
fn read(answer: &Answer) -> Result<Status, String> {
    let output = answer.output.as_ref().map_err(Clone::clone)?;
    if output.code != 0 {
        return Err(shown::line(&output.stderr));
    }
    serde_json::from_str(&output.stdout).map_err(|error| format!("its status cannot be read: {error}"))
}

fn table(answers: &[Answer]) -> String {
    let widest = answers.iter().map(|answer| answer.node.len()).max();
    let width = widest.unwrap_or_default().max(4);
    let mut out = format!(
        "{:width$}  {:9} {:>7} {:>7} {:>10} {:>10}\n",
        "NODE", "STATE", "SAMPLE", "PODS", "EXCHANGES", "REPLAYED"
    );
    let mut notes = String::new();
    for answer in answers {
        let node = &answer.node;
        // Writing to a String cannot fail.
        match read(answer) {
            Ok(status) => {
                line(&mut out, node, width, &status).unwrap_or_default();
                remarks(&mut notes, node, &status).unwrap_or_default();
            }
            Err(why) => writeln!(out, "{node:width$}  NO ANSWER: {why}").unwrap_or_default(),
        }
    }
    out + &notes
}

fn line(out: &mut String, node: &str, width: usize, status: &Status) -> std::fmt::Result {
    let state = if status.armed { "mirrors" } else { "KILLED" };
    let attached = status
        .namespaces
        .iter()
        .filter(|one| !one.interfaces.is_empty())
        .count();
    let pods = format!("{attached}/{}", status.namespaces.len());
    let sample = Rate::from_fraction(status.sample).to_string();
    writeln!(
        out,
        "{node:width$}  {state:9} {sample:>7} {pods:>7} {:>10} {:>10}",
        status.funnel.exchanges, status.funnel.replayed
    )
}

fn remarks(out: &mut String, node: &str, status: &Status) -> std::fmt::Result {
    if let Some(killed) = &status.killed {
        writeln!(out, "{node}: killed by {}: {}", killed.who, killed.why)?;
    }
    for pod in &status.namespaces {
        if let Some(blind) = pod.blind.as_ref().filter(|blind| *blind != "no_traffic") {
            let text = pod.text.as_deref().unwrap_or_default();
            writeln!(out, "{node}: {} {blind} {text}", pod.name)?;
        }
    }
    for warning in &status.warnings {
        writeln!(out, "{node}: WARNING {warning}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::cluster::kubectl::Output, control::status::Inside, state::Killed};

    #[test]
    fn every_node_has_a_line_also_one_that_does_not_answer() {
        let mut status = Status {
            sample: 0.05,
            killed: Some(Killed::now("root", "incident")),
            warnings: vec!["something".to_owned()],
            ..Status::default()
        };
        let inside = |name: &str, interfaces: &[&str], blind: &str| Inside {
            name: name.to_owned(),
            interfaces: interfaces.iter().map(|&one| one.to_owned()).collect(),
            blind: Some(blind.to_owned()),
            text: None,
        };
        status.namespaces = vec![
            inside("shop/a", &["eth0"], "no_traffic"),
            inside("shop/b", &[], "not_attached"),
        ];
        status.funnel.exchanges = 12;
        let output = |code, stdout: String| {
            Ok(Output {
                code,
                stdout,
                stderr: "no agent answers\n".to_owned(),
            })
        };
        let answers = [
            ("node1", output(0, serde_json::to_string(&status).expect("JSON"))),
            ("node2", output(69, String::new())),
            ("node3", Err("its pod is Pending".to_owned())),
        ]
        .map(|(node, output)| Answer {
            node: node.to_owned(),
            output,
        });
        let text = table(&answers);
        for part in [
            "node1  KILLED         5%     1/2         12          0",
            "node2  NO ANSWER: no agent answers",
            "node3  NO ANSWER: its pod is Pending",
            "node1: killed by root: incident",
            "node1: shop/b not_attached",
            "node1: WARNING something",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("no_traffic"), "{text}");
        assert_eq!(answers.iter().map(Answer::code).max(), Some(69));
    }
}
