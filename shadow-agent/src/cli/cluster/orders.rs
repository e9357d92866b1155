//! Orders to every node: each one's answer is shown, and the worst decides.

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    kubectl::{Agent, Answer, Kubectl},
    worst,
};
use crate::{
    cli::{Exit, exit, output},
    shown::complain,
};

/// How often a node is asked again that still sees the cluster's kill switch.
const AGAIN: Duration = Duration::from_millis(200);

/// Runs `shadow` with these words on each node, and shows what it says.
pub(super) fn each(kubectl: &Kubectl<'_>, words: &[&str]) -> anyhow::Result<ExitCode> {
    let agents = kubectl.agents()?;
    show(&kubectl.each(&agents, words))
}

/// Stops every node by the cluster's switch, and by the order to each; or only those that are named.
pub(super) fn kill(kubectl: &Kubectl<'_>, why: &str, all: bool) -> anyhow::Result<ExitCode> {
    let words = ["kill", "--why", why];
    if !all {
        return each(kubectl, &words);
    }
    let (switched, answers) = thread::scope(|scope| {
        // At the same time: neither waits for the other.
        let switched = scope.spawn(|| switch(kubectl, Some(why)));
        let answers = kubectl.agents().map(|agents| kubectl.each(&agents, &words));
        let failed = |_panic| Err("it failed".to_owned());
        (switched.join().unwrap_or_else(failed), answers)
    });
    let switched = said("on: nodes that start later stay stopped too", switched)?;
    match answers {
        Ok(answers) => Ok(at_least(show(&answers)?, &answers, switched)),
        // The switch reaches nodes that cannot be asked.
        Err(error) => Ok(exit::tell(&error.into()).into()),
    }
}

/// Takes a kill back: the cluster's switch first, because a node does not resume while it is on.
pub(super) fn resume(kubectl: &Kubectl<'_>, all: bool) -> anyhow::Result<ExitCode> {
    let switched = if all {
        said("off", switch(kubectl, None))?
    } else {
        Exit::Done
    };
    let mut waiting = kubectl.agents()?;
    let mut answers = Vec::new();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut asked = kubectl.each(&waiting, &["resume"]);
        let last = Instant::now() >= until;
        let again: Vec<String> = asked
            .iter()
            .filter(|answer| all && !last && still_switched(answer))
            .map(|answer| answer.node.clone())
            .collect();
        asked.retain(|answer| !again.contains(&answer.node));
        answers.append(&mut asked);
        if again.is_empty() {
            break;
        }
        waiting.retain(|agent: &Agent| again.contains(&agent.node));
        thread::sleep(AGAIN);
    }
    answers.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(at_least(show(&answers)?, &answers, switched))
}

/// Whether a node refused because it has not seen yet that the switch is off.
fn still_switched(answer: &Answer) -> bool {
    let refused = |text: &str| text.contains("still stopped:");
    let output = answer.output.as_ref();
    output.is_ok_and(|output| output.code != 0 && (refused(&output.stderr) || refused(&output.stdout)))
}

/// Sets the key of the cluster's switch, or removes it.
fn switch(kubectl: &Kubectl<'_>, why: Option<&str>) -> Result<(), String> {
    let patch = json!({"data": {"kill": why}}).to_string();
    let words = ["patch", "configmap", kubectl.switch(), "--type", "merge", "-p"];
    let words: Vec<&str> = words.iter().copied().chain([&*patch]).collect();
    let output = kubectl.run(&words)?;
    if output.code == 0 {
        return Ok(());
    }
    Err(output.stderr.trim().to_owned())
}

/// Says what came of the cluster's switch.
fn said(done: &str, switched: Result<(), String>) -> anyhow::Result<Exit> {
    match switched {
        Ok(()) => {
            output::print(&format!("the cluster's kill switch is {done}\n"))?;
            Ok(Exit::Done)
        }
        // The chart without presets.pods has none.
        Err(error) if error.contains("NotFound") => {
            complain(
                "there is no ConfigMap for the cluster's kill switch (--switch); only the nodes below are asked",
            );
            Ok(Exit::Done)
        }
        Err(error) => {
            complain(&format!("the cluster's kill switch was not changed: {error}"));
            Ok(Exit::Unavailable)
        }
    }
}

/// Shows the answer of each node.
fn show(answers: &[Answer]) -> anyhow::Result<ExitCode> {
    for answer in answers {
        let text = match &answer.output {
            Ok(output) => format!("{}{}", output.stdout, output.stderr),
            Err(why) => format!("NO ANSWER: {why}\n"),
        };
        output::print(&format!("== {}\n{text}", answer.node))?;
    }
    Ok(worst(answers.iter().map(Answer::code)))
}

/// The worst of the nodes and of something else.
fn at_least(shown: ExitCode, answers: &[Answer], other: Exit) -> ExitCode {
    if other == Exit::Done {
        return shown;
    }
    worst(answers.iter().map(Answer::code).chain([other as u8]))
}
