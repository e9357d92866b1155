//! The kill switch: of an agent that hangs, and of the whole cluster.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    nodes::{Cluster, NODES, captured},
    work::{self, Traffic},
};

/// Milliseconds from the start of `kubectl` to the last replay. On a busy machine `kubectl` alone takes longer; the
/// time from its end is shown as well.
pub(super) const BOUND: u64 = 1_000;
const TRIALS: usize = 20;

const AWHILE: Duration = Duration::from_secs(2);

fn shop() -> Traffic {
    Traffic {
        kept: 100,
        ..work::shop()
    }
}

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `kubectl exec ... shadow kill` works while the agent is stopped.
pub(super) fn hung_agent(cluster: &Cluster) -> Result<String> {
    let pod = cluster.agent("node1")?;
    let hung = Hung::new(cluster, "node1")?;
    let before = now_ms();
    let said = cluster.in_agent(&pod, &["kill"]);
    let took = now_ms() - before;
    drop(hung);
    let said = said?;
    ensure!(said.contains("stopped in the kernel"), "{said}");
    let status = cluster.status("node1")?;
    ensure!(status["armed"] == false, "it mirrors again");
    resume(cluster)?;
    Ok(format!("stopped in the kernel, {took} ms with kubectl"))
}

/// The ConfigMap stops every node, and they stay stopped until they are resumed.
pub(super) fn everywhere(cluster: &Cluster) -> Result<String> {
    let (mut since_start, mut since_answer) = (Vec::new(), Vec::new());
    for _ in 0..TRIALS {
        let [start, answer] = one_kill(cluster)?;
        since_start.push(start);
        since_answer.push(answer);
        resume(cluster)?;
    }
    since_start.sort_unstable();
    since_answer.sort_unstable();
    let (median, most) = (since_start[TRIALS / 2], since_start[TRIALS - 1]);
    let answered = since_answer[TRIALS - 1];
    ensure!(
        most <= BOUND,
        "the last replay came {most} ms after the start of kubectl, {answered} ms after its end: {since_start:?}"
    );
    // A new agent does not mirror while the switch is on.
    patch(cluster, "\"cluster test\"")?;
    cluster.kubectl(&["-n", "shadow", "rollout", "restart", "ds/shadow"])?;
    cluster.rolled_out("shadow", "ds/shadow")?;
    let counted = cluster.for_time(&shop(), AWHILE)?;
    ensure!(
        counted.replays.is_empty(),
        "a new agent replayed {}",
        counted.replays.len()
    );
    let (code, text) = cluster.shadow(&["status"])?;
    ensure!(code == 0 && text.matches("KILLED").count() == 2, "{text}");
    resume(cluster)?;
    cluster.attached()?;
    cluster.for_time(&shop(), AWHILE)?.each_once()?;
    Ok(format!(
        "last replay after the start of kubectl: median {median} ms, at most {most} ms of {TRIALS}, at most {answered} ms \
         after its end; stays so over a restart"
    ))
}

/// The same while both agents are stopped, and once they go on again.
pub(super) fn while_agents_hang(cluster: &Cluster) -> Result<String> {
    let before = disarmed(cluster)?;
    let hung = [Hung::new(cluster, "node1")?, Hung::new(cluster, "node2")?];
    patch(cluster, "\"cluster test\"")?;
    cluster.wait(Duration::from_secs(1))?;
    let counted = cluster.during(&shop(), || {
        cluster.wait(AWHILE)?;
        drop(hung);
        Ok(())
    })?;
    ensure!(counted.answered.len() > 10, "production did not answer");
    ensure!(
        counted.replays.is_empty(),
        "{} were replayed",
        counted.replays.len()
    );
    for node in NODES {
        let killed = || Ok(cluster.status(node)?["armed"] == false);
        cluster.until("the agent is killed", Duration::from_secs(5), killed)?;
    }
    let packets = disarmed(cluster)? - before;
    let requests = counted.answered.len();
    ensure!(
        packets > 2 * requests as u64,
        "{packets} packets of {requests} requests were held back in the kernel"
    );
    resume(cluster)?;
    Ok(format!(
        "{requests} requests, 0 replays, {packets} packets held back in the kernel"
    ))
}

/// A node that does not answer is named, and decides the exit code.
pub(super) fn silent_node(cluster: &Cluster) -> Result<String> {
    let hung = Hung::new(cluster, "node2")?;
    let (code, text) = cluster.shadow(&["--timeout", "3s", "status"])?;
    let report = cluster.shadow(&["--timeout", "3s", "report"]);
    drop(hung);
    let (verdict, report) = report?;
    ensure!(verdict == 1 || verdict == 2, "a verdict without node2: {verdict}");
    ensure!(
        report.contains("no evidence of the node node2") && report.contains("Evidence of node1"),
        "{report}"
    );
    ensure!(code == 69, "exit code {code}: {text}");
    ensure!(
        text.lines()
            .any(|line| line.starts_with("node2") && line.contains("NO ANSWER")),
        "{text}"
    );
    ensure!(
        text.lines()
            .any(|line| line.starts_with("node1") && line.contains("mirrors")),
        "{text}"
    );
    Ok("node2 is named as missing in status (exit code 69) and report".to_owned())
}

/// Packets that the kernel programs of both nodes held back because of a kill.
fn disarmed(cluster: &Cluster) -> Result<u64> {
    let mut all = 0;
    for node in NODES {
        let count = &cluster.status(node)?["funnel"]["kernel"]["disarmed"];
        all += count.as_u64().context("no count of packets")?;
    }
    Ok(all)
}

/// Milliseconds from the start of `kubectl`, and from its end, to the last replay at the shadow system.
fn one_kill(cluster: &Cluster) -> Result<[u64; 2]> {
    let (mut start, mut end) = (0, 0);
    let counted = cluster.during(&shop(), || {
        cluster.wait(AWHILE)?;
        start = now_ms();
        patch(cluster, "\"cluster test\"")?;
        end = now_ms();
        cluster.wait(AWHILE)
    })?;
    ensure!(counted.replays.len() > 10, "nothing was replayed before the kill");
    ensure!(
        counted.replays.len() < counted.answered.len(),
        "the kill stopped nothing"
    );
    counted.at_most_once()?;
    let last = last_replay(cluster)?;
    Ok([start, end].map(|moment| last.saturating_sub(moment)))
}

/// When the shadow system got the last replay.
pub(super) fn last_replay(cluster: &Cluster) -> Result<u64> {
    let mut last = 0;
    for pod in cluster.of("shop-next")? {
        let said = cluster.ask(&pod, "")?;
        last = last.max(said["last_replay_ms"].as_u64().context("no time")?);
    }
    Ok(last)
}

/// Sets the switch as plain kubectl does; `null` removes the key.
fn patch(cluster: &Cluster, why: &str) -> Result<()> {
    let patch = format!("{{\"data\": {{\"kill\": {why}}}}}");
    let words = [
        "-n",
        "shadow",
        "patch",
        "configmap",
        "shadow-switch",
        "--type",
        "merge",
        "-p",
        &patch,
    ];
    cluster.kubectl(&words).map(drop)
}

fn resume(cluster: &Cluster) -> Result<()> {
    let (code, text) = cluster.shadow(&["resume", "--all"])?;
    ensure!(code == 0, "{text}");
    Ok(())
}

/// An agent that hangs: its process is stopped, and continues when this is dropped.
struct Hung {
    process: String,
}

impl Hung {
    fn new(cluster: &Cluster, node: &str) -> Result<Self> {
        let status: Value = cluster.status(node)?;
        let process = status["pid"].as_u64().context("no process")?.to_string();
        signal("STOP", &process)?;
        Ok(Self { process })
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        if let Err(error) = signal("CONT", &self.process) {
            println!("{error:#}");
        }
    }
}

fn signal(name: &str, process: &str) -> Result<()> {
    captured(Command::new("kill").args(["-s", name, process])).map(drop)
}
