//! Only mismatches, each of a different kind, five thousand per second: what the agent then holds and keeps.

use shadow_common::stat::Stat;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{cpu, figures::per, load, memory, rig::Rig};
use crate::{agent::ALL_ONCE, laws, netns::Lab, scene::Scene, servers::Server, storm};

const RATE: u32 = 5_000;
const SECONDS: u32 = 10;
const PORT: u16 = 81;

pub(super) fn measure() -> Result<Value> {
    let rig = Rig::new()?;
    let address = Lab::shadow_system(PORT);
    let _server = Server::start(&rig.lab.shadow, address, storm::behaviour());
    let url = format!("http://{address}");
    rig.wait_for_quiet();
    let mut agent = rig.agent(&[&["--shadow", &url], ALL_ONCE.as_slice()].concat())?;
    let pid = agent.process.pid();
    let before = cpu::of(pid);
    let length = Duration::from_secs(SECONDS.into());
    let (seen, [start, middle, end]) = memory::during(Some(pid), length, || {
        load::constant_rate(&rig.lab.client, Scene::production(), storm::TARGET, RATE, SECONDS)
    });
    let seen = seen?;
    let report = agent.settled_when("the rest is done", |_| true);
    let used = cpu::of(pid) - before;
    let status = agent.status();
    let journal = &status["journal"];
    let peak = agent.process.peak_rss();
    agent.stop();
    let funnel = &report.funnel;
    Ok(json!({
        "goal": "judged 5000/s, memory flat and under budget.memory (1 GiB), groups <= 1024, journal <= 256 MiB, broken laws 0",
        "requests": seen.requests,
        "exchanges": funnel.exchanges,
        "mismatched": funnel.mismatched,
        "mismatched_per_second": funnel.mismatched / u64::from(SECONDS),
        "not_replayed": funnel.skipped_total,
        "ring_full": funnel.kernel(Stat::RingFull),
        "broken_laws": laws::broken(&report).len(),
        "groups": report.groups.len(),
        "report_bytes": serde_json::to_vec(&report)?.len(),
        "agent_us_per_exchange": per(used, funnel.exchanges),
        "agent_rss_at_start": start,
        "agent_rss_in_the_middle": middle,
        "agent_rss_at_the_end": end,
        "agent_peak_rss": peak,
        "journal_bytes": journal["bytes"],
        "journal_written": journal["written"],
        "journal_dropped": journal["dropped_busy"],
        "p99_us_of_production": seen.p99,
    }))
}
