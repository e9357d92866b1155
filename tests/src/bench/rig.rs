//! Rig of the measurements: the wire, two nginx on either side, and an agent that is started and stopped.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use tempfile::TempDir;

use super::cpu::{self, Group};
use crate::{
    agent::{self, Agent, Plan},
    netns::Lab,
    nginx::{self, Nginx},
    scene::Scene,
};

/// The machine is quiet enough when other processes take less than this share.
const QUIET: f64 = 0.05;

/// A run that other processes disturbed more than this is repeated.
const DISTURBED: f64 = 0.12;

/// Everything but the agent.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) production: Vec<Nginx>,
    pub(super) shadow: Vec<Nginx>,
    pub(super) lab: Lab,
    pub(super) directory: TempDir,
    group: Group,
}

impl Rig {
    /// Two single-process servers per side, equal to one server with two workers.
    pub(super) fn new() -> Result<Self> {
        // The servers join this process's group, so it is created first.
        let group = Group::join();
        let directory = tempfile::tempdir()?;
        let lab = Lab::new();
        for namespace in [&lab.client, &lab.server, &lab.shadow] {
            namespace.command(&[
                "sysctl",
                "-qw",
                "net.ipv4.ip_local_port_range=1024 65535",
                "net.ipv4.tcp_tw_reuse=1",
            ]);
        }
        let www: PathBuf = nginx::www(directory.path());
        let two = |namespace, name: &str, address| {
            (0..2)
                .map(|number| Nginx::start(namespace, &format!("{name}{number}"), &www, address))
                .collect()
        };
        Ok(Self {
            production: two(&lab.server, "production", Scene::production()),
            shadow: two(&lab.shadow, "shadow", Scene::shadow()),
            lab,
            directory,
            group,
        })
    }

    /// Address that the load is sent to.
    pub(super) fn url(file: &str) -> String {
        format!("http://{}/{file}", Scene::production())
    }

    /// An agent with these arguments, once it is ready.
    pub(super) fn agent(&self, args: &[&str]) -> Result<Agent> {
        self.agent_of(&agent::binary(), args)
    }

    /// The same with another build of the agent.
    pub(super) fn agent_of(&self, program: &Path, args: &[&str]) -> Result<Agent> {
        let home = tempfile::tempdir_in(self.directory.path())?.keep();
        Ok(Plan::new(&home)
            .program(program)
            .capture(Lab::LINK, 80)
            .args(args)
            .start(&self.lab.server))
    }

    /// CPU nanoseconds of a side so far.
    pub(super) fn cpu(servers: &[Nginx]) -> u64 {
        servers.iter().map(|server| cpu::of(server.process.pid())).sum()
    }

    /// CPU nanoseconds used by other processes so far, where the machine reports it.
    pub(super) fn foreign(&self) -> Option<u64> {
        self.group.foreign()
    }

    /// Waits until other processes leave the machine idle, for a minute at most.
    pub(super) fn wait_for_quiet(&self) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_mins(1) {
            let before = self.foreign();
            thread::sleep(Duration::from_millis(500));
            match share(before, self.foreign(), Duration::from_millis(500)) {
                Some(share) if share > QUIET => {}
                _ => return,
            }
        }
    }
}

/// The share of the machine that other processes took in a time span.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn share(before: Option<u64>, after: Option<u64>, span: Duration) -> Option<f64> {
    let cpus = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Some(after?.saturating_sub(before?) as f64 / (span.as_nanos() as f64 * cpus as f64))
}

/// A run that was not disturbed too much, or the third one.
pub(super) fn undisturbed<R>(
    mut once: impl FnMut() -> Result<R>,
    foreign: impl Fn(&R) -> Option<f64>,
) -> Result<R> {
    for _ in 0..2 {
        let run = once()?;
        if foreign(&run).is_none_or(|share| share < DISTURBED) {
            return Ok(run);
        }
    }
    once()
}
