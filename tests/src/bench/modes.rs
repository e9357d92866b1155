//! Load with and without an agent, in pairs.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use shadow_common::stat::Stat;
use shadow_core::evidence::report::Report;

use super::{
    Options, cpu,
    figures::{median, per},
    load::{self, Seen},
    memory,
    rig::{Rig, share, undisturbed},
};
use crate::{laws, netns::Lab, scene::Scene, shop::rpc};

/// Load on production.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    FullSpeed,
    /// Requests a second.
    Steady(u32),
    /// Calls of gRPC a second.
    Calls(u32),
}

/// One mode of measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode<'m> {
    pub(super) name: &'m str,
    pub(super) load: Load,
    pub(super) args: &'m [&'m str],
    /// The goal, in words.
    pub(super) goal: &'m str,
}

const SHADOW: &str = "http://10.77.1.2:80";

pub(super) const MODES: [Mode<'static>; 4] = [
    Mode {
        name: "observe_full_speed",
        load: Load::FullSpeed,
        args: &["--observe"],
        goal: "throughput >= 0.85, coverage >= 99.9 %, ring loss 0",
    },
    Mode {
        name: "replay_full_speed",
        load: Load::FullSpeed,
        args: &["--shadow", SHADOW],
        goal: "throughput >= 0.80",
    },
    Mode {
        name: "replay_steady_4000",
        load: Load::Steady(4_000),
        // Other processes on this machine must not decide whether a replay yields to production.
        args: &[
            "--shadow",
            SHADOW,
            "--idle-cpu",
            "0%",
            "--cores",
            "0",
            "--twice",
            "0%",
        ],
        goal: "compared 100 %, agent <= 40 us a request, p99 <= 1.3",
    },
    Mode {
        name: "sample_1_percent",
        load: Load::FullSpeed,
        args: &["--shadow", SHADOW, "--sample", "1%"],
        goal: "throughput >= 0.97",
    },
];

/// Port of the servers of gRPC.
pub(super) const CALLS_PORT: u16 = 81;

/// At full speed.
const CONNECTIONS: u32 = 64;

/// One run.
#[derive(Clone, Debug, Serialize)]
struct Run {
    load: Seen,
    /// Microseconds of CPU per request, by role.
    cpu_us: BTreeMap<&'static str, f64>,
    /// Share of the machine that other processes took.
    foreign: Option<f64>,
    agent: Option<AgentRun>,
}

#[derive(Clone, Debug, Serialize)]
struct AgentRun {
    exchanges: u64,
    replayed: u64,
    matched: u64,
    skipped: BTreeMap<String, u64>,
    ring_full: u64,
    /// At the start, in the middle and at the end of the load.
    rss: [u64; 3],
    peak_rss: u64,
    broken_laws: Vec<String>,
}

/// Measures a mode: rounds of pairs.
pub(super) fn measure(rig: &Rig, mode: &Mode<'_>, options: &Options) -> Result<Value> {
    let mut pairs = Vec::new();
    for round in 0..options.rounds {
        let (without, with) = if round % 2 == 0 {
            let without = run(rig, mode, options, false)?;
            (without, run(rig, mode, options, true)?)
        } else {
            let with = run(rig, mode, options, true)?;
            (run(rig, mode, options, false)?, with)
        };
        eprintln!(
            "{}: {:.0} -> {:.0} requests/s, p99 {:.0} -> {:.0} us",
            mode.name, without.load.rate, with.load.rate, without.load.p99, with.load.p99
        );
        pairs.push((without, with));
    }
    Ok(summary(mode, &pairs))
}

fn run(rig: &Rig, mode: &Mode<'_>, options: &Options, with_agent: bool) -> Result<Run> {
    undisturbed(|| once(rig, mode, options, with_agent), |run| run.foreign)
}

fn once(rig: &Rig, mode: &Mode<'_>, options: &Options, with_agent: bool) -> Result<Run> {
    rig.wait_for_quiet();
    let mut agent = with_agent.then(|| rig.agent(mode.args)).transpose()?;
    let agent_cpu =
        |agent: &Option<crate::agent::Agent>| agent.as_ref().map_or(0, |agent| cpu::of(agent.process.pid()));
    let before = (
        Rig::cpu(&rig.production),
        Rig::cpu(&rig.shadow),
        agent_cpu(&agent),
        rig.foreign(),
    );
    let start = Instant::now();
    let pid = agent.as_ref().map(|agent| agent.process.pid());
    let (seen, rss) = memory::during(pid, Duration::from_secs(options.seconds.into()), || {
        load(rig, mode.load, options.seconds)
    });
    let seen = seen?;
    let foreign = share(before.3, rig.foreign(), start.elapsed());
    let report = agent
        .as_ref()
        .map(|agent| agent.settled_when("the rest is done", |_| true));
    let cpu_us = BTreeMap::from([
        (
            "production",
            per(Rig::cpu(&rig.production) - before.0, seen.requests),
        ),
        ("shadow", per(Rig::cpu(&rig.shadow) - before.1, seen.requests)),
        ("agent", per(agent_cpu(&agent) - before.2, seen.requests)),
    ]);
    let peak_rss = agent.as_ref().map_or(0, |agent| agent.process.peak_rss());
    if let Some(agent) = &mut agent {
        agent.stop();
    }
    Ok(Run {
        load: seen,
        cpu_us,
        foreign,
        agent: report.map(|report| agent_run(report, rss, peak_rss)),
    })
}

pub(super) fn load(rig: &Rig, load: Load, seconds: u32) -> Result<Seen> {
    match load {
        Load::FullSpeed => load::full_speed(
            &rig.lab.client,
            rig.directory.path(),
            &Rig::url("1k.json"),
            CONNECTIONS,
            seconds,
        ),
        Load::Steady(rate) => {
            load::constant_rate(&rig.lab.client, Scene::production(), "/1k.json", rate, seconds)
        }
        Load::Calls(rate) => {
            let server = Lab::production(CALLS_PORT);
            load::constant_rate(&rig.lab.client, server, rpc::GET, rate, seconds)
        }
    }
}

fn agent_run(report: Report, rss: [u64; 3], peak_rss: u64) -> AgentRun {
    let broken_laws = laws::broken(&report);
    let funnel = report.funnel;
    AgentRun {
        exchanges: funnel.exchanges,
        replayed: funnel.replayed,
        matched: funnel.matched,
        ring_full: funnel.kernel(Stat::RingFull),
        skipped: funnel
            .skipped
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect(),
        rss,
        peak_rss,
        broken_laws,
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn summary(mode: &Mode<'_>, pairs: &[(Run, Run)]) -> Value {
    let ratio = |figure: fn(&Run) -> f64| {
        median(
            pairs
                .iter()
                .map(|(without, with)| figure(with) / figure(without).max(1e-9)),
        )
    };
    let of_agent = |figure: fn(&AgentRun) -> u64| {
        median(pairs.iter().filter_map(|(_, with)| {
            let agent = with.agent.as_ref()?;
            Some(figure(agent) as f64 / with.load.requests.max(1) as f64)
        }))
    };
    let agents = || pairs.iter().filter_map(|(_, with)| with.agent.as_ref());
    let [start, middle, end] =
        [0, 1, 2].map(|place| median(agents().filter_map(|agent| Some(*agent.rss.get(place)? as f64))));
    let mut figures = json!({
        "goal": mode.goal,
        "throughput_ratio": ratio(|run| run.load.rate),
        "p50_ratio": ratio(|run| run.load.p50),
        "p99_ratio": ratio(|run| run.load.p99),
        "requests_per_second_without": median(pairs.iter().map(|(without, _)| without.load.rate)),
        "p99_us_without": median(pairs.iter().map(|(without, _)| without.load.p99)),
        "p99_us_with": median(pairs.iter().map(|(_, with)| with.load.p99)),
        "seen_of_requests": of_agent(|agent| agent.exchanges),
        "compared_of_requests": of_agent(|agent| agent.replayed),
        "ring_full": agents().map(|agent| agent.ring_full).max(),
        "broken_laws": agents().map(|agent| agent.broken_laws.len()).max(),
        "agent_us_per_request": median(pairs.iter().filter_map(|(_, with)| with.cpu_us.get("agent").copied())),
        "agent_rss_at_start": start,
        "agent_rss_in_the_middle": middle,
        "agent_rss_at_the_end": end,
        "agent_peak_rss": agents().map(|agent| agent.peak_rss).max(),
        "foreign_share": median(pairs.iter().filter_map(|(_, with)| with.foreign)),
        "runs": pairs.iter().map(|(without, with)| json!({ "without": without, "with": with })).collect::<Vec<_>>(),
    });
    if let (Load::FullSpeed, Some(figures)) = (mode.load, figures.as_object_mut()) {
        // At saturation a closed loop measures its own queue, not the latency that a client would see.
        figures.retain(|name, _| !name.starts_with("p50") && !name.starts_with("p99"));
    }
    figures
}
