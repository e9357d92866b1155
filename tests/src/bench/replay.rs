//! `shadow replay`: its speed at `--speed max` compared with wrk, and how close it is to its plan at `--speed 1x`.
//!
//! At full speed both send to the same nginx, over loopback, with the same number of connections; wrk reads no capture
//! and compares nothing, so it is the upper limit, not a competitor. The pace is measured at the receiver: from the
//! planned time of the request to the moment at which a thread of the server has read its head, minus the same for the
//! request that came soonest after its planned time. The figure includes what the network and the server's scheduling
//! add, so it is an upper bound of the agent's own error.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use shadow_core::evidence::report::Report;
use tempfile::TempDir;

use super::{cpu, figures::median, load};
use crate::{
    agent,
    netns::Netns,
    nginx::{self, Nginx},
    recording::Recording,
    servers::{Behaviour, Received, Server},
};

const PORT: u16 = 80;
const CONNECTIONS: u16 = 64;

/// Exchanges recorded for each second that the run is to last: about its actual speed.
const A_SECOND: usize = 20_000;

/// An empty namespace, and a folder.
struct Stage {
    host: Netns,
    directory: TempDir,
}

impl Stage {
    fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        // Requests are sent once, so that the figure counts exactly the requests of the recording.
        fs::write(directory.path().join("once.yaml"), "noise: {twice: 0%}\n")?;
        Ok(Self {
            host: Netns::new(),
            directory,
        })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn record(&self, exchanges: usize, content: &[u8], gap: Duration) -> Result<PathBuf> {
        let file = self.path().join("made.pcapng");
        let recording = Recording {
            exchanges,
            content,
            gap,
            connections: CONNECTIONS,
            http2: false,
        };
        recording.write(&file)?;
        Ok(file)
    }

    /// Replays to the local port.
    fn replay(&self, file: &Path, speed: &str) -> Result<(Report, Spent)> {
        let url = format!("http://127.0.0.1:{PORT}");
        let mut command = Command::new(agent::binary());
        command
            .args(["replay", "--json", "--speed", speed, "--shadow", &url, "--config"])
            .arg(self.path().join("once.yaml"))
            .arg(file);
        let (spent, said) = self.run(command)?;
        let report = serde_json::from_str(&said).with_context(|| format!("shadow replay said {said:?}"))?;
        Ok((report, spent))
    }

    /// Runs a program in the namespace to its end; returns its cost and its output.
    fn run(&self, mut command: Command) -> Result<(Spent, String)> {
        let out = self.path().join("said.txt");
        command
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(Stdio::null());
        let begun = Instant::now();
        let child = self.host.run(|| command.spawn());
        let mut child = child.with_context(|| format!("cannot start {command:?}"))?;
        let cpu = cpu_until_its_end(&mut child)?;
        let wall = begun.elapsed();
        Ok((Spent { cpu, wall }, fs::read_to_string(&out)?))
    }
}

/// CPU time and duration of a run.
#[derive(Clone, Copy, Debug)]
struct Spent {
    cpu: Duration,
    wall: Duration,
}

/// CPU time of a child with all its threads, including those that ended. These are gone from `/proc/PID/task`, so this
/// reads the figure of the whole process while it is a zombie.
fn cpu_until_its_end(child: &mut Child) -> Result<Duration> {
    let pid = child.id();
    while !cpu::is_zombie(pid) {
        thread::sleep(Duration::from_millis(1));
    }
    let cpu = cpu::whole(pid).context("the child's CPU time")?;
    // Any verdict of a replay: 0 to 2.
    let status = child.wait()?;
    match status.code() {
        Some(0..=2) => Ok(cpu),
        _ => bail!("a child ended with {status}"),
    }
}

/// Requests per second, and per second of CPU time, of `shadow replay` and of wrk.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn full_speed(rounds: usize, seconds: u32) -> Result<Value> {
    let stage = Stage::new()?;
    let www = nginx::www(stage.path());
    let local = ([127, 0, 0, 1], PORT).into();
    let _servers: Vec<_> = (0..2)
        .map(|number| Nginx::start(&stage.host, &format!("shadow{number}"), &www, local))
        .collect();
    let file = stage.record(
        A_SECOND * seconds as usize,
        nginx::NUMBERED.as_bytes(),
        Duration::from_micros(50),
    )?;
    let mut replays = Vec::new();
    let mut ceilings = Vec::new();
    let (mut replayed, mut matched) = (0, 0);
    for _ in 0..rounds {
        let (report, spent) = stage.replay(&file, "max")?;
        (replayed, matched) = (report.funnel.replayed, report.funnel.matched);
        let each = |span: Duration| replayed as f64 / span.as_secs_f64();
        replays.push((each(spent.wall), each(spent.cpu)));
        let url = format!("http://127.0.0.1:{PORT}/n/1");
        let script = load::script(stage.path())?;
        let mut wrk = Command::new("wrk");
        wrk.args(["-t2", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")])
            .args(["-s", &script, &url]);
        let (spent, said) = stage.run(wrk)?;
        let seen = load::last_line(&said)?;
        ceilings.push((seen.rate, seen.requests as f64 / spent.cpu.as_secs_f64()));
        eprintln!(
            "replay: {:.0} requests/s, wrk {:.0}",
            replays.last().map_or(0.0, |replay| replay.0),
            seen.rate
        );
    }
    let middle = |runs: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| median(runs.iter().map(of));
    let (replay, ceiling) = (middle(&replays, |run| run.0), middle(&ceilings, |run| run.0));
    Ok(json!({
        "goal": "a third of wrk, which compares nothing",
        "replayed": replayed,
        "matched": matched,
        "replay_requests_per_second": replay,
        "replay_requests_per_second_and_core": middle(&replays, |run| run.1),
        "wrk_requests_per_second": ceiling,
        "wrk_requests_per_second_and_core": middle(&ceilings, |run| run.1),
        "of_wrk": replay / ceiling,
    }))
}

/// How late requests are at the receiver, in microseconds, for several rates of the recording.
pub(super) fn pacing(seconds: u32) -> Result<Value> {
    let mut figures = serde_json::Map::new();
    for rate in [100, 1_000, 4_000] {
        let stage = Stage::new()?;
        let gap = Duration::from_secs(1) / rate;
        let file = stage.record((rate * seconds) as usize, b"{\"ok\":true}", gap)?;
        let address = ([127, 0, 0, 1], PORT).into();
        let server = Server::start(&stage.host, address, Behaviour::Answer(b"{\"ok\":true}".to_vec()));
        stage.replay(&file, "1x")?;
        let late = lateness(&server.received(), gap);
        if late.len() != (rate * seconds) as usize {
            bail!("{} of {} requests came", late.len(), rate * seconds);
        }
        for (name, share) in [("p50", 50), ("p99", 99), ("max", 100)] {
            let index = (late.len() * share).div_ceil(100).saturating_sub(1);
            let micros = late.get(index).map_or(f64::NAN, |late| late.as_secs_f64() * 1e6);
            figures.insert(format!("late_{name}_us_at_{rate}_per_second"), json!(micros));
        }
        eprintln!("pacing: {rate} requests/s, {} received", late.len());
    }
    figures.insert("goal".to_owned(), json!("p99 <= 1 ms at the receiver"));
    Ok(Value::Object(figures))
}

/// Sorted; the request that came soonest after its planned time counts as on time.
fn lateness(received: &[Received], gap: Duration) -> Vec<Duration> {
    let Some(begun) = received.iter().map(|request| request.at).min() else {
        return Vec::new();
    };
    // The start of the run by its plan is not known here: all requests are late by the same additional span.
    let more = gap * u32::try_from(received.len()).unwrap_or(u32::MAX);
    let behind = |request: &Received| {
        let number: u32 = request.start.strip_prefix("GET /n/")?.parse().ok()?;
        (request.at.duration_since(begun) + more).checked_sub(gap * number)
    };
    let mut late: Vec<Duration> = received.iter().filter_map(behind).collect();
    late.sort_unstable();
    let soonest = late.first().copied().unwrap_or_default();
    late.iter().map(|late| late.saturating_sub(soonest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_against_the_plan_and_not_against_the_neighbour() {
        let begun = Instant::now();
        let request = |number: u64, late_ms: u64| Received {
            at: begun + Duration::from_millis(10 * number + late_ms),
            start: format!("GET /n/{number}"),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let received = [request(0, 3), request(2, 4), request(1, 2), request(3, 9)];
        let late = lateness(&received, Duration::from_millis(10));
        assert_eq!(late, [0, 1, 2, 7].map(Duration::from_millis));
    }
}
