//! Runs `kubectl`: one command within a time, and the same command in the pods of all nodes.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{AT_ONCE, Place, failure};
use crate::cli::{Exit, Failure};

/// The longest output that is read.
const MOST: u64 = 256 << 20;

/// How often the end of a command is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// How a command ended.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) code: u8,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// The agent of a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Agent {
    pub(super) node: String,
    pod: String,
    /// Why it cannot be asked.
    not_ready: Option<String>,
}

/// A node, and what came of asking it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) node: String,
    pub(super) output: Result<Output, String>,
}

impl Answer {
    /// The exit code of the command on the node; of one that was not reached, that something is missing.
    pub(super) fn code(&self) -> u8 {
        let missing = Exit::Unavailable as u8;
        self.output.as_ref().map_or(missing, |output| output.code)
    }
}

/// `kubectl`, and where the agents are.
#[derive(Debug)]
pub(super) struct Kubectl<'a> {
    place: &'a Place,
}

#[derive(Debug, Deserialize)]
struct List<T> {
    items: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    #[serde(default, rename = "deletionTimestamp")]
    deleted: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Pod {
    metadata: Metadata,
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Debug, Deserialize)]
struct PodSpec {
    #[serde(default, rename = "nodeName")]
    node: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Set {
    #[serde(default)]
    status: SetStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SetStatus {
    desired_number_scheduled: usize,
}

#[derive(Debug, Deserialize)]
struct Node {
    metadata: Metadata,
}

impl<'a> Kubectl<'a> {
    pub(super) const fn new(place: &'a Place) -> Self {
        Self { place }
    }

    /// The ConfigMap that is the kill switch.
    pub(super) fn switch(&self) -> &str {
        &self.place.switch
    }

    fn command(&self, words: &[&str]) -> Command {
        let Place {
            namespace,
            context,
            kubeconfig,
            ..
        } = self.place;
        let mut command = Command::new("kubectl");
        command.args(["--namespace", namespace]);
        if let Some(context) = context {
            command.args(["--context", context]);
        }
        if let Some(file) = kubeconfig {
            command.arg("--kubeconfig").arg(file);
        }
        command.args(words);
        command
    }

    /// Runs `kubectl` with these words.
    pub(super) fn run(&self, words: &[&str]) -> Result<Output, String> {
        run(self.command(words), self.place.timeout())
    }

    fn get<T: DeserializeOwned>(&self, words: &[&str]) -> Result<Vec<T>, String> {
        let words: Vec<&str> = ["get", "-o", "json"].iter().chain(words).copied().collect();
        let output = self.run(&words)?;
        if output.code != 0 {
            return Err(output.stderr.trim().to_owned());
        }
        let list: List<T> = serde_json::from_str(&output.stdout).map_err(|error| error.to_string())?;
        Ok(list.items)
    }

    /// The agents that are asked, by node. A node whose pod is missing is among them, with the reason.
    pub(super) fn agents(&self) -> Result<Vec<Agent>, Failure> {
        let selector = &*self.place.selector;
        let found = |error: String| failure(format!("the agents are not known: {error}"));
        let pods: Vec<Pod> = self.get(&["pods", "-l", selector]).map_err(found)?;
        let sets: Vec<Set> = self.get(&["daemonsets", "-l", selector]).unwrap_or_default();
        let mut agents = agents_of(pods);
        let wanted: usize = sets.iter().map(|set| set.status.desired_number_scheduled).sum();
        if wanted > agents.len() {
            let nodes: Vec<Node> = self.get(&["nodes"]).unwrap_or_default();
            agents.extend(without_pod(&agents, wanted, nodes));
        }
        let named = &self.place.node;
        if !named.is_empty() {
            for name in named {
                if !agents.iter().any(|agent| agent.node == *name) {
                    return Err(failure(format!("there is no agent on the node {name}")));
                }
            }
            agents.retain(|agent| named.contains(&agent.node));
        }
        if agents.is_empty() {
            let what = format!(
                "no pods with {selector} in the namespace {}; name them with -n and -l",
                self.place.namespace
            );
            return Err(failure(what));
        }
        Ok(agents)
    }

    /// Runs `shadow` with these words on each node at once.
    pub(super) fn each(&self, agents: &[Agent], words: &[&str]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for some in agents.chunks(AT_ONCE) {
            thread::scope(|scope| {
                let asked: Vec<_> = some
                    .iter()
                    .map(|agent| (agent, scope.spawn(|| self.ask(agent, words))))
                    .collect();
                answers.extend(asked.into_iter().map(|(agent, asked)| Answer {
                    node: agent.node.clone(),
                    output: asked.join().unwrap_or_else(|_panic| Err("it failed".to_owned())),
                }));
            });
        }
        answers
    }

    fn ask(&self, agent: &Agent, words: &[&str]) -> Result<Output, String> {
        if let Some(why) = &agent.not_ready {
            return Err(why.clone());
        }
        let exec = ["exec", &agent.pod, "-c", "shadow", "--", "/shadow"];
        let words: Vec<&str> = exec.iter().chain(words).copied().collect();
        self.run(&words)
    }
}

/// One agent per node: that which runs, where a pod is being replaced by another.
fn agents_of(pods: Vec<Pod>) -> Vec<Agent> {
    let mut agents: Vec<Agent> = pods
        .into_iter()
        .filter(|pod| !pod.spec.node.is_empty())
        .map(|pod| {
            let PodStatus { phase, reason } = pod.status;
            let not_ready = match (phase.as_str(), &pod.metadata.deleted) {
                ("Running", None) => None,
                ("Running", Some(_)) => Some("its pod is being deleted".to_owned()),
                _ => Some(format!("its pod is {phase} {reason}").trim_end().to_owned()),
            };
            Agent {
                node: pod.spec.node,
                pod: pod.metadata.name,
                not_ready,
            }
        })
        .collect();
    agents.sort_by(|a, b| (&a.node, a.not_ready.is_some()).cmp(&(&b.node, b.not_ready.is_some())));
    agents.dedup_by(|later, first| later.node == first.node);
    agents
}

/// Agents that the DaemonSet wants and that have no pod.
fn without_pod(agents: &[Agent], wanted: usize, nodes: Vec<Node>) -> Vec<Agent> {
    let have: BTreeSet<&str> = agents.iter().map(|agent| &*agent.node).collect();
    let missing = |node: String| Agent {
        node,
        pod: String::new(),
        not_ready: Some("it has no pod".to_owned()),
    };
    let mut names: Vec<String> = nodes.into_iter().map(|node| node.metadata.name).collect();
    names.retain(|name| !have.contains(&**name));
    let count = wanted - agents.len();
    if names.len() == count {
        return names.into_iter().map(missing).collect();
    }
    // The DaemonSet does not say which nodes it means.
    vec![missing(format!("{count} of {}", names.join(", ")))]
}

/// Runs a command that is ended when it takes too long.
fn run(mut command: Command, patience: Duration) -> Result<Output, String> {
    let started = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no kubectl on the path".to_owned(),
        _ => format!("kubectl cannot be started: {error}"),
    })?;
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let code = ended(&mut child, Instant::now() + patience)
        .ok_or_else(|| format!("it did not answer within {} s", patience.as_secs_f32()))?;
    let text = |from: &mpsc::Receiver<String>| from.recv().unwrap_or_default();
    Ok(Output {
        code,
        stdout: text(&stdout),
        stderr: text(&stderr),
    })
}

fn ended(child: &mut Child, until: Instant) -> Option<u8> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                let internal = Exit::Internal as u8;
                let code = status.code().map(u8::try_from);
                return Some(code.and_then(Result::ok).unwrap_or(internal));
            }
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            Ok(None) | Err(_) => {
                // It may have ended just now.
                drop(child.kill());
                drop(child.wait());
                return None;
            }
        }
    }
}

/// Reads in the background, so that a full pipe does not stop the command.
fn read(from: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = from.map(|from| from.take(MOST).read_to_end(&mut bytes));
        if matches!(read, Some(Ok(_))) {
            // The reader may have given up.
            drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods(all: serde_json::Value) -> Vec<Agent> {
        agents_of(serde_json::from_value(all).expect("pods"))
    }

    fn pod(name: &str, node: &str, phase: &str, deleted: Option<&str>) -> serde_json::Value {
        json!({
            "metadata": {"name": name, "deletionTimestamp": deleted},
            "spec": {"nodeName": node},
            "status": {"phase": phase},
        })
    }

    #[test]
    fn each_node_is_asked_once_and_in_the_pod_that_runs() {
        let found = pods(json!([
            pod("c", "node2", "Running", None),
            pod("old", "node1", "Running", Some("2026-01-01T00:00:00Z")),
            pod("a", "node1", "Running", None),
            pod("b", "node3", "Pending", None),
            pod("unscheduled", "", "Pending", None),
        ]));
        let seen: Vec<_> = found
            .iter()
            .map(|agent| (&*agent.node, &*agent.pod, agent.not_ready.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [
                ("node1", "a", None),
                ("node2", "c", None),
                ("node3", "b", Some("its pod is Pending")),
            ]
        );
    }

    #[test]
    fn nodes_without_a_pod_are_named() {
        let nodes = |names: &[&str]| {
            let nodes = names.iter().map(|name| json!({"metadata": {"name": name}}));
            serde_json::from_value(nodes.collect()).expect("nodes")
        };
        let agents = pods(json!([pod("a", "node1", "Running", None)]));
        let missing = without_pod(&agents, 2, nodes(&["node1", "node2"]));
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].node, "node2");
        assert!(missing[0].not_ready.is_some());
        let unknown = without_pod(&agents, 2, nodes(&["node1", "node2", "node3"]));
        assert_eq!(unknown[0].node, "1 of node2, node3");
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let mut sleep = Command::new("sleep");
        sleep.arg("60");
        let start = Instant::now();
        run(sleep, Duration::from_millis(100)).expect_err("too long");
        assert!(start.elapsed() < Duration::from_secs(30));
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let output = run(shell, Duration::from_secs(30)).expect("an output");
        assert_eq!(
            (output.code, &*output.stdout, &*output.stderr),
            (3, "out\n", "err\n")
        );
    }
}
