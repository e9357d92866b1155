//! `cargo xtask bench`: the agent's cost to production and its own capacity, in figures.
//!
//! Client - veth - nginx and agent - veth - shadow nginx, all on the CPUs of this machine. Every run with an agent is
//! paired with one without, in alternating order; the results are medians of the ratios of each pair. Nothing here
//! passes or fails: a busy machine must not turn a measurement into an error, so the goals are printed next to the
//! figures.

mod against;
mod calls;
mod core;
mod cpu;
mod faults;
pub mod figures;
mod inspect;
mod kernel;
mod kill;
mod load;
mod memory;
mod modes;
mod replay;
mod rig;
pub mod steady;
mod storm;

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::need::Need;
use rig::Rig;

pub use load::Seen;

/// Options of a measurement.
#[derive(Clone, Debug)]
pub struct Options {
    /// Pairs of runs per mode.
    pub rounds: usize,
    /// Seconds per run.
    pub seconds: u32,
    /// Size of the capture that `inspect` reads.
    pub megabytes: usize,
    /// Another build of the agent: the modes compare it with this one instead of with no agent.
    pub against: Option<PathBuf>,
    /// Only figures whose name contains one of these.
    pub only: Vec<String>,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }
}

/// Measures, and returns everything as JSON. Progress goes to standard error.
pub fn run(options: &Options) -> Result<Value> {
    for need in [
        Need::Root,
        Need::Program("nginx"),
        Need::Program("wrk"),
        Need::Program("setpriv"),
    ] {
        if !need.is_met() {
            bail!("{need}");
        }
    }
    let mut results = serde_json::Map::new();
    for mode in modes::MODES.iter().filter(|mode| options.wants(mode.name)) {
        let rig = Rig::new()?;
        let figures = match &options.against {
            Some(other) => against::measure(&rig, mode, options, other)?,
            None => modes::measure(&rig, mode, options)?,
        };
        results.insert(mode.name.to_owned(), figures);
    }
    if options.against.is_none() {
        others(options, &mut results)?;
    }
    if results.is_empty() {
        bail!("no figure is called {}", options.only.join(" or "));
    }
    let machine = json!({
        "cpus": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    });
    Ok(
        json!({ "machine": machine, "rounds": options.rounds, "seconds": options.seconds, "figures": results }),
    )
}

/// The figures that are no mode of load.
fn others(options: &Options, results: &mut serde_json::Map<String, Value>) -> Result<()> {
    if options.wants("faults") {
        results.extend(faults::measure(options)?);
    }
    if options.wants("calls") {
        results.insert("calls".to_owned(), calls::measure(options)?);
    }
    if options.wants("kernel") {
        results.insert("kernel".to_owned(), kernel::measure()?);
    }
    if options.wants("kill") {
        results.insert("kill".to_owned(), kill::measure()?);
    }
    if options.wants("core") {
        results.insert("core".to_owned(), core::measure()?);
    }
    if options.wants("compare") {
        results.insert("compare".to_owned(), core::comparisons()?);
    }
    if options.wants("inspect") {
        results.insert("inspect".to_owned(), inspect::measure(options.megabytes)?);
    }
    if options.wants("replay_max") {
        let figures = replay::full_speed(options.rounds, options.seconds)?;
        results.insert("replay_max".to_owned(), figures);
    }
    if options.wants("pacing") {
        results.insert("pacing".to_owned(), replay::pacing(options.seconds)?);
    }
    if options.wants("storm") {
        results.insert("storm".to_owned(), storm::measure()?);
    }
    if options.wants("memory") {
        results.insert("memory".to_owned(), memory::measure(&[1_000, 20_000])?);
    }
    Ok(())
}
