//! Resident memory of the agent: with many connections open at once, and during a long load.

use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::rig::Rig;
use crate::{process::status_bytes, scene::Scene};

/// Connections of one process: a usual hard limit of open files is 20,000.
const PER_PROCESS: u32 = 10_000;

/// Resident bytes, for each number of connections.
pub(super) fn measure(flows: &[u32]) -> Result<Value> {
    let mut figures = Map::new();
    for &count in flows {
        let rig = Rig::new()?;
        let mut agent = rig.agent(&["--observe"])?;
        let empty = agent.process.rss();
        let mut holders = Vec::new();
        for first in (0..count).step_by(PER_PROCESS as usize) {
            holders.push(Holder::start(&rig, (count - first).min(PER_PROCESS))?);
        }
        let report = agent.settled(u64::from(count));
        let full = agent.process.rss();
        figures.insert(format!("rss_empty_before_{count}_flows"), json!(empty));
        figures.insert(format!("rss_at_{count}_flows"), json!(full));
        eprintln!(
            "memory: {count} flows, {} exchanges, {} -> {} MiB",
            report.funnel.exchanges,
            empty >> 20,
            full >> 20
        );
        drop(holders);
        agent.stop();
    }
    Ok(Value::Object(figures))
}

/// Resident memory of a process at the start, in the middle and at the end of such a load; zeros without a process.
pub(super) fn during<T>(pid: Option<u32>, length: Duration, load: impl FnOnce() -> T) -> (T, [u64; 3]) {
    let rss = || pid.map_or(0, |pid| status_bytes(pid, "VmRSS:"));
    let start = rss();
    thread::scope(|scope| {
        let middle = scope.spawn(|| {
            thread::sleep(length / 2);
            rss()
        });
        let done = load();
        let end = rss();
        (done, [start, middle.join().unwrap_or(0), end])
    })
}

/// A client that opened its connections, made a request on each, and keeps them open.
struct Holder(Child);

impl Holder {
    fn start(rig: &Rig, connections: u32) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("shadow-bench-load");
        let child = rig.lab.client.run(|| {
            Command::new(&program)
                .args([&Scene::production().to_string(), "/1k.json"])
                .args(["--hold", &connections.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
        });
        let mut holder = Self(child.with_context(|| format!("cannot start {}", program.display()))?);
        let mut out = holder.0.stdout.take().context("the load has an output")?;
        // Prints one word when every connection is open.
        out.read_exact(&mut [0; 4])
            .context("the load could not open its connections")?;
        Ok(holder)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It also ends when its input is closed.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
