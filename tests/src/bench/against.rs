//! This build and another one under the same load, in interleaved pairs.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Options, cpu,
    figures::{median, per},
    load::Seen,
    memory,
    modes::{self, Mode},
    rig::{Rig, share, undisturbed},
};
use crate::agent;

/// The time that an agent has for what it still holds when the load ends. It counts.
const REST: Duration = Duration::from_secs(2);

/// One run of one build.
#[derive(Clone, Debug, Serialize)]
struct Run {
    load: Seen,
    agent_us_per_request: f64,
    /// At the end of the load.
    rss: u64,
    /// Of the requests that were sent, the share that was compared.
    compared: f64,
    /// Share of the machine that other processes took.
    foreign: Option<f64>,
}

/// Measures a mode with both builds.
pub(super) fn measure(rig: &Rig, mode: &Mode<'_>, options: &Options, other: &Path) -> Result<Value> {
    let this = agent::binary();
    let mut pairs = Vec::new();
    for round in 0..options.rounds {
        let (new, old) = if round % 2 == 0 {
            let new = run(rig, mode, options, &this)?;
            (new, run(rig, mode, options, other)?)
        } else {
            let old = run(rig, mode, options, other)?;
            (run(rig, mode, options, &this)?, old)
        };
        eprintln!(
            "{}: agent {:.1} us a request, the other {:.1}; {:.0} and {:.0} requests/s",
            mode.name, new.agent_us_per_request, old.agent_us_per_request, new.load.rate, old.load.rate
        );
        pairs.push((new, old));
    }
    Ok(summary(&pairs))
}

fn run(rig: &Rig, mode: &Mode<'_>, options: &Options, program: &Path) -> Result<Run> {
    undisturbed(|| once(rig, mode, options, program), |run| run.foreign)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn once(rig: &Rig, mode: &Mode<'_>, options: &Options, program: &Path) -> Result<Run> {
    rig.wait_for_quiet();
    let mut agent = rig.agent_of(program, mode.args)?;
    let pid = agent.process.pid();
    let before = (cpu::of(pid), rig.foreign());
    let start = Instant::now();
    let (seen, [.., rss]) = memory::during(Some(pid), Duration::from_secs(options.seconds.into()), || {
        modes::load(rig, mode.load, options.seconds)
    });
    let seen = seen?;
    let foreign = share(before.1, rig.foreign(), start.elapsed());
    thread::sleep(REST);
    let spent = cpu::of(pid).saturating_sub(before.0);
    // As JSON: the type of the report is that of this build.
    let report: Value =
        serde_json::from_slice(&agent.ask(&["report", "--json"]).stdout).unwrap_or(Value::Null);
    let compared = report["funnel"]["replayed"].as_u64().unwrap_or(0);
    agent.end();
    Ok(Run {
        agent_us_per_request: per(spent, seen.requests),
        compared: compared as f64 / seen.requests.max(1) as f64,
        load: seen,
        rss,
        foreign,
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn summary(pairs: &[(Run, Run)]) -> Value {
    let ratio =
        |figure: fn(&Run) -> f64| median(pairs.iter().map(|(new, old)| figure(new) / figure(old).max(1e-9)));
    let new = |figure: fn(&Run) -> f64| median(pairs.iter().map(|(new, _)| figure(new)));
    let old = |figure: fn(&Run) -> f64| median(pairs.iter().map(|(_, old)| figure(old)));
    json!({
        "agent_us_ratio": ratio(|run| run.agent_us_per_request),
        "agent_us": new(|run| run.agent_us_per_request),
        "agent_us_other": old(|run| run.agent_us_per_request),
        "throughput_ratio": ratio(|run| run.load.rate),
        "p99_ratio": ratio(|run| run.load.p99),
        "rss_ratio": ratio(|run| run.rss as f64),
        "rss": new(|run| run.rss as f64),
        "compared": new(|run| run.compared),
        "compared_other": old(|run| run.compared),
        "runs": pairs.iter().map(|(new, old)| json!({ "this": new, "other": old })).collect::<Vec<_>>(),
    })
}
