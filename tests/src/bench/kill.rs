//! How long a kill takes: from the start of `shadow kill` to the last copied packet and to the last packet towards the
//! shadow system, at full load.
//!
//! The kernel program reads its switch for every packet, so the moment at which the control map says off is that of the
//! last copied packet; the kernel's own counter is looked at behind it, to show that it stands still.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use shadow_agent::capture::control::find_running;

use super::{load, rig::Rig};
use crate::agent::Agent;

const TRIALS: u32 = 50;

/// Nothing for this long is the end of it.
const SILENCE: Duration = Duration::from_millis(250);

/// A kill that takes longer is none.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) fn measure() -> Result<Value> {
    let rig = Rig::new()?;
    rig.wait_for_quiet();
    let mut agent = rig.agent(&["--shadow", "http://10.77.1.2:80", "--idle-cpu", "0%"])?;
    let url = Rig::url("1k.json");
    let trials = thread::scope(|scope| {
        let load = scope.spawn(|| load::full_speed(&rig.lab.client, rig.directory.path(), &url, 64, 40));
        thread::sleep(Duration::from_millis(500));
        let mut trials = Vec::new();
        // For as many trials as fit into the load.
        let begun = Instant::now();
        while trials.len() < TRIALS as usize && begun.elapsed() < Duration::from_secs(36) {
            trials.push(trial(&rig, &agent)?);
        }
        let load = load
            .join()
            .map_err(|_panic| anyhow::anyhow!("the load panicked"))??;
        anyhow::Ok((trials, load))
    });
    let (trials, load) = trials?;
    agent.stop();
    let times = |of: fn(&Trial) -> Duration| {
        let mut times: Vec<_> = trials.iter().map(of).collect();
        times.sort();
        let at = |share: usize| {
            let index = (times.len() * share).div_ceil(100).saturating_sub(1);
            times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        (at(50), at(99))
    };
    let (kernel, replay, command) = (
        times(|it| it.kernel),
        times(|it| it.replay),
        times(|it| it.command),
    );
    Ok(json!({
        "goal": "last copied packet p99 <= 1 ms, last replay p99 <= 50 ms",
        "trials": trials.len(),
        "requests_per_second": load.rate,
        "last_copied_packet_p50_ms": kernel.0,
        "last_copied_packet_p99_ms": kernel.1,
        "last_replay_p50_ms": replay.0,
        "last_replay_p99_ms": replay.1,
        "command_p50_ms": command.0,
        "command_p99_ms": command.1,
        "copied_after_the_kill": trials.iter().map(|it| it.copied_after).sum::<u64>(),
    }))
}

struct Trial {
    /// Until the switch in the kernel said off.
    kernel: Duration,
    /// Until the last packet to the shadow system.
    replay: Duration,
    /// Until the command had ended.
    command: Duration,
    copied_after: u64,
}

fn trial(rig: &Rig, agent: &Agent) -> Result<Trial> {
    thread::sleep(Duration::from_millis(150));
    let running = find_running()?;
    let control = &running.first().context("no agent runs")?.control;
    let call = Instant::now();
    let (kernel, replay, command) = thread::scope(|scope| {
        let kernel = scope.spawn(|| {
            while control.is_armed().unwrap_or(true) && call.elapsed() < LIMIT {
                std::hint::spin_loop();
            }
            call.elapsed()
        });
        let replay = scope.spawn(|| rig.lab.shadow.run(|| last_packet(call)));
        agent.must(&["kill"]);
        let command = call.elapsed();
        (kernel.join(), replay.join(), command)
    });
    let before = copied(agent);
    thread::sleep(Duration::from_millis(50));
    let copied_after = copied(agent) - before;
    agent.must(&["resume"]);
    let (Ok(kernel), Ok(replay)) = (kernel, replay) else {
        bail!("a watching thread panicked");
    };
    Ok(Trial {
        kernel,
        replay,
        command,
        copied_after,
    })
}

fn copied(agent: &Agent) -> u64 {
    agent.report().funnel.kernel["emitted"]
}

/// When the last packet came to the interfaces of the calling thread's namespace.
fn last_packet(call: Instant) -> Duration {
    let mut last = (received(), Instant::now());
    while last.1.elapsed() < SILENCE && call.elapsed() < LIMIT {
        let now = received();
        if now != last.0 {
            last = (now, Instant::now());
        }
        thread::sleep(Duration::from_micros(200));
    }
    last.1.duration_since(call)
}

/// Packets received by every interface but `lo`, as proc_net_dev(5) counts them.
fn received() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim() != "lo")
        .filter_map(|(_, numbers)| numbers.split_ascii_whitespace().nth(1)?.parse::<u64>().ok())
        .sum()
}
