//! Duration of a kill: from the start of `shadow kill`, including its exec, to the last copied packet and to the last
//! request that reached the shadow system, at full load.
//!
//! The kernel program reads its switch for every packet, so the last packet is copied no later than the moment at which
//! the control map says off; the kernel's own counter is read afterwards, to show that it no longer changes. Requests
//! are those that `dumpcap` saw at the shadow system, with the kernel's timestamps.

use std::{
    path::PathBuf,
    process::Command,
    sync::mpsc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Signal, setpriority_process};
use serde_json::{Value, json};
use shadow_agent::capture::control::find_running;
use shadow_common::stat::Stat;

use super::{load, rig::Rig};
use crate::{
    agent::{Agent, binary},
    need::Need,
    process::{Launch, Process, wait_until},
};

const TRIALS: usize = 50;

/// Any request of a cancelled replay would have arrived by then.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// A kill that takes longer counts as failed.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) fn measure() -> Result<Value> {
    for program in ["dumpcap", "tshark"] {
        if !Need::Program(program).is_met() {
            bail!("{}", Need::Program(program));
        }
    }
    let rig = Rig::new()?;
    rig.wait_for_quiet();
    let mut agent = rig.agent(&["--shadow", "http://10.77.1.2:80", "--idle-cpu", "0%"])?;
    let requests = Requests::watch(&rig)?;
    let url = Rig::url("1k.json");
    let (trials, load) = thread::scope(|scope| {
        let load = scope.spawn(|| load::full_speed(&rig.lab.client, rig.directory.path(), &url, 64, 75));
        thread::sleep(Duration::from_millis(500));
        let mut trials = Vec::new();
        // For as many trials as fit into the load.
        let begun = Instant::now();
        while trials.len() < TRIALS && begun.elapsed() < Duration::from_secs(70) {
            trials.push(trial(&agent)?);
        }
        let load = load
            .join()
            .map_err(|_panic| anyhow::anyhow!("the load panicked"))??;
        anyhow::Ok((trials, load))
    })?;
    agent.stop();
    let requests = requests.end()?;
    let (kernel, command) = (
        millis(trials.iter().map(|it| it.kernel)),
        millis(trials.iter().map(|it| it.command)),
    );
    let under_way: Vec<_> = trials.iter().filter_map(|it| it.last_of(&requests)).collect();
    let replay = millis(under_way.iter().copied());
    Ok(json!({
        "goal": "last copied packet p99 <= 1 ms, last replay p99 <= 50 ms",
        "trials": trials.len(),
        "requests_per_second": load.rate,
        "replays": requests.len(),
        "trials_with_replays_under_way": under_way.len(),
        "last_copied_packet_p50_ms": kernel.0,
        "last_copied_packet_p99_ms": kernel.1,
        "last_replay_p50_ms": replay.0,
        "last_replay_p99_ms": replay.1,
        "command_p50_ms": command.0,
        "command_p99_ms": command.1,
        "copied_after_the_kill": trials.iter().map(|it| it.copied_after).sum::<u64>(),
    }))
}

/// Median and 99th percentile.
fn millis(times: impl Iterator<Item = Duration>) -> (f64, f64) {
    let mut times: Vec<_> = times.collect();
    times.sort();
    let at = |share: usize| {
        let index = (times.len() * share).div_ceil(100).saturating_sub(1);
        times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    (at(50), at(99))
}

struct Trial {
    /// Time of the call of the command, since the epoch.
    called: Duration,
    /// Time until the switch in the kernel said off.
    kernel: Duration,
    /// Time until the command had ended.
    command: Duration,
    /// Time at which the agent was resumed, since the epoch.
    resumed: Duration,
    copied_after: u64,
}

impl Trial {
    /// Time until the last of these requests that came before mirroring resumed. `None` when none came shortly before
    /// the call: there was nothing to stop.
    fn last_of(&self, requests: &[Duration]) -> Option<Duration> {
        let until = |end: Duration| &requests[..requests.partition_point(|at| *at < end)];
        until(self.called)
            .last()
            .filter(|at| self.called.saturating_sub(**at) < Duration::from_millis(100))?;
        let last = until(self.resumed).last()?;
        Some(last.saturating_sub(self.called))
    }
}

fn trial(agent: &Agent) -> Result<Trial> {
    let begun = agent.report().funnel.replayed;
    let resumed = Instant::now();
    while agent.report().funnel.replayed == begun && resumed.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(20));
    }
    let running = find_running()?;
    let control = &running.first().context("no agent runs")?.control;
    let (at_once_tx, at_once_rx) = mpsc::channel();
    let (called, kernel, command) = thread::scope(|scope| {
        let kernel = scope.spawn(move || {
            hurry()?;
            let call: Instant = at_once_rx.recv()?;
            while control.is_armed().unwrap_or(true) && call.elapsed() < LIMIT {
                thread::sleep(Duration::from_micros(50));
            }
            anyhow::Ok(call.elapsed())
        });
        let command = scope.spawn(move || {
            hurry()?;
            let mut kill = agent.command("nice");
            kill.args(["-n", "20"]).arg(binary()).arg("kill");
            let (called, call) = (since_epoch()?, Instant::now());
            at_once_tx.send(call)?;
            let output = kill.output()?;
            if !output.status.success() {
                bail!("{}", String::from_utf8_lossy(&output.stderr));
            }
            anyhow::Ok((called, call.elapsed()))
        });
        let (Ok(kernel), Ok(command)) = (kernel.join(), command.join()) else {
            bail!("a measuring thread panicked");
        };
        let (called, command) = command?;
        anyhow::Ok((called, kernel?, command))
    })?;
    let before = copied(agent);
    thread::sleep(AFTERWARDS);
    let copied_after = copied(agent) - before;
    let resumed = since_epoch()?;
    agent.must(&["resume"]);
    Ok(Trial {
        called,
        kernel,
        command,
        resumed,
        copied_after,
    })
}

/// The measuring process must not wait for the CPU. `nice` sets what is measured back to the normal priority.
fn hurry() -> Result<()> {
    setpriority_process(None, -20).context("cannot raise a priority")
}

fn since_epoch() -> Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}

fn copied(agent: &Agent) -> u64 {
    agent.report().funnel.kernel(Stat::Emitted)
}

/// Requests that arrive at the shadow system.
struct Requests {
    dumpcap: Process,
    file: PathBuf,
}

impl Requests {
    fn watch(rig: &Rig) -> Result<Self> {
        let file = rig.directory.path().join("requests.pcapng");
        let path = file.to_str().context("the path of a file")?;
        // Segments without payload are shorter. The kernel filters and takes the timestamps.
        let filter = "tcp dst port 80 and greater 100";
        let dumpcap = Launch::new("dumpcap", rig.directory.path())
            .args(["-q", "-i", "x0", "-s", "96", "-B", "32", "-f", filter, "-w", path])
            .start(&rig.lab.shadow);
        wait_until("dumpcap writes", Duration::from_secs(10), || file.exists());
        Ok(Self { dumpcap, file })
    }

    /// Time at which each request came, since the epoch, in order.
    fn end(mut self) -> Result<Vec<Duration>> {
        self.dumpcap.signal(Signal::INT);
        self.dumpcap.wait(Duration::from_secs(10));
        let output = Command::new("tshark")
            .args(["-T", "fields", "-e", "frame.time_epoch", "-r"])
            .arg(&self.file)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut times: Vec<_> = text
            .lines()
            .map(|line| anyhow::Ok(Duration::try_from_secs_f64(line.parse()?)?))
            .collect::<Result<_>>()?;
        times.sort();
        Ok(times)
    }
}
