//! The agent of a test: an agent process for the `ShadowTest` in force, another one when that changes.
//!
//! Owns: the process `shadow run` below it, and two files beside the socket of discovery: `test.json`, in which
//! discovery says which test is in force, and `state.json`, from which discovery learns the state of the agent. Reads
//! no captured byte. Without a test the agent observes, and no pod is named to it. Bounds: one process; a file of 1
//! MiB; pauses between restarts. Bias: an agent is of one test and one shadow system, so that traffic that is captured
//! for one is never replayed to another. A file that cannot be read changes nothing.

mod agent;
mod state;

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::fs::OFlags;
use shadow_core::rollout::{Saved, Stage};
use shadow_proto::units::Rate;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::{agent::AgentProcess, state::Reported};
pub use self::{
    agent::die_with_parent,
    state::{NodeState, read_state},
};
use crate::{
    config::{Config, kubernetes::Kubernetes, shadow_test::TestOrder},
    control::{client::ClientError, proto::Order, status::Status},
    rollout,
    state::StateDir,
};

/// How often files and the process are looked at.
const TURN: Duration = Duration::from_millis(100);

/// How often the agent is asked for its status.
const ASK: Duration = Duration::from_secs(1);

/// The first and the longest pause before an agent that has ended is started again.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The longest file of discovery.
const LONGEST: u64 = 1 << 20;

/// The file in which discovery names the test in force.
pub fn order_file(kubernetes: &Kubernetes) -> PathBuf {
    kubernetes.socket.with_file_name("test.json")
}

/// The file with the state of the agent, for discovery.
pub fn state_file(kubernetes: &Kubernetes) -> PathBuf {
    kubernetes.socket.with_file_name("state.json")
}

/// The test that discovery names; `None` when there is none.
pub fn read_order(kubernetes: &Kubernetes) -> io::Result<Option<TestOrder>> {
    match order_text(kubernetes)? {
        Some(text) => Ok(Some(serde_json::from_slice(&text)?)),
        None => Ok(None),
    }
}

/// Another user writes the file: no link is followed, and nothing is waited for.
fn order_text(kubernetes: &Kubernetes) -> io::Result<Option<Vec<u8>>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(order_file(kubernetes));
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(text))
}

/// Runs agents, with the arguments of this process, until it is ended.
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let Some(kubernetes) = config.capture.kubernetes.clone() else {
        return Ok(ExitCode::SUCCESS);
    };
    let [ended, hung_up] = [Arc::default(), Arc::default()];
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&ended))?;
    }
    signal_hook::flag::register(SIGHUP, Arc::clone(&hung_up))?;
    let mut supervisor = Supervisor::new(config, kubernetes)?;
    while !ended.load(Relaxed) {
        if let Some(code) = supervisor.turn(&hung_up) {
            return Ok(code.into());
        }
        sleep(TURN);
    }
    let code = supervisor.agent.take().and_then(AgentProcess::end);
    Ok(code.unwrap_or(0).into())
}

struct Supervisor<'c> {
    config: &'c Config,
    kubernetes: Kubernetes,
    state: StateDir,
    /// The content of discovery's file, and the test in it.
    text: Option<Vec<u8>>,
    order: Option<TestOrder>,
    agent: Option<AgentProcess>,
    /// The agent has yet to read its configuration again.
    is_stale: bool,
    /// Not before this an agent is started, and how long the next pause is.
    not_before: Instant,
    pause: Duration,
    asked: Instant,
    reported: Reported,
}

impl<'c> Supervisor<'c> {
    fn new(config: &'c Config, kubernetes: Kubernetes) -> io::Result<Self> {
        let text = order_text(&kubernetes)?;
        Ok(Self {
            config,
            state: StateDir::new(&config.agent.state_dir),
            reported: Reported::new(state_file(&kubernetes)),
            order: text.as_deref().and_then(parsed),
            text,
            kubernetes,
            agent: None,
            is_stale: false,
            not_before: Instant::now(),
            pause: PAUSE,
            asked: Instant::now(),
        })
    }

    fn id(&self) -> String {
        self.order.as_ref().map(TestOrder::id).unwrap_or_default()
    }

    /// One look at everything; the exit code, when it is over.
    fn turn(&mut self, hung_up: &AtomicBool) -> Option<u8> {
        self.is_stale |= self.look_at_order() || hung_up.swap(false, Relaxed);
        let id = self.id();
        let is_another = self.agent.as_ref().is_some_and(|agent| agent.test != id);
        if is_another && let Some(agent) = self.agent.take() {
            tracing::info!(test = self.name(), "another test is in force");
            agent.end();
            self.pause = PAUSE;
            self.not_before = Instant::now();
        } else if self.is_stale {
            self.reload();
        }
        if let Some(code) = self.agent.as_mut().and_then(AgentProcess::has_ended) {
            self.agent = None;
            // The fault is no matter of a test: whoever runs this process decides.
            if self.order.is_none() || code == 0 {
                return Some(code);
            }
            tracing::warn!(code, pause = ?self.pause, "the agent has ended, and is started again");
            self.reported.failed(&id, code);
            self.not_before = Instant::now() + self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        if self.agent.is_none() && Instant::now() >= self.not_before {
            self.start(&id);
        }
        if self.asked.elapsed() >= ASK {
            self.asked = Instant::now();
            self.ask(&id);
        }
        None
    }

    fn name(&self) -> &str {
        self.order.as_ref().map_or("none", |order| &order.name)
    }

    /// Reads discovery's file; whether the same test says something else.
    fn look_at_order(&mut self) -> bool {
        let text = match order_text(&self.kubernetes) {
            Ok(text) if text != self.text => text,
            Ok(_) => return false,
            Err(error) => {
                tracing::debug!(%error, "the test in force cannot be read; it stays as it was");
                return false;
            }
        };
        self.text.clone_from(&text);
        let order = match text.as_deref() {
            None => None,
            Some(text) => match parsed(text) {
                None => return false,
                order => order,
            },
        };
        let before = self.id();
        self.order = order;
        self.id() == before
    }

    fn start(&mut self, id: &str) {
        // The rollout of another test, and targets that it paused, do not apply.
        if !self.state.is_of_test(id) {
            let kept = self
                .state
                .save_rollout(&Saved::default())
                .and_then(|()| self.state.save_paused(&BTreeMap::new()))
                .and_then(|()| self.state.set_test(id));
            if let Err(error) = kept {
                tracing::error!(%error, "the state folder cannot be written");
            }
        }
        match AgentProcess::start(id) {
            Ok(agent) => {
                tracing::info!(test = self.name(), "the agent is started");
                self.agent = Some(agent);
            }
            Err(error) => {
                tracing::error!(%error, "the agent cannot be started");
                self.not_before = Instant::now() + self.pause;
            }
        }
    }

    /// Lets the agent read its configuration again; starts another one where that is not enough.
    fn reload(&mut self) {
        self.is_stale = false;
        if self.agent.is_none() {
            // It reads it at its start.
            return;
        }
        match agent::reload(&self.config.agent.socket) {
            Ok(restart) if restart.is_empty() => {}
            Ok(restart) => {
                tracing::info!(
                    keys = restart.join(", "),
                    "the agent is started again for these keys"
                );
                if let Some(agent) = self.agent.take() {
                    agent.end();
                }
            }
            // It has just been started.
            Err(ClientError::Absent(_)) => self.is_stale = true,
            Err(error) => tracing::warn!(%error, "the agent has not taken the change"),
        }
    }

    fn ask(&mut self, id: &str) {
        if self.agent.is_none() {
            return;
        }
        let status = agent::status(&self.config.agent.socket);
        if let Some(status) = &status {
            // It has lived for a while.
            if status.uptime_ms > 30_000 {
                self.pause = PAUSE;
            }
            self.lead_rollout(status);
        }
        self.reported.tell(id, status.as_ref());
    }

    /// Begins the rollout of a test with phases, and gives up that of one without.
    fn lead_rollout(&self, status: &Status) {
        let Some(order) = &self.order else {
            return;
        };
        let stage = status.rollout.stage;
        let orders = match (order.spec.phases.is_empty(), stage) {
            (false, Stage::Idle) => vec![Order::Rollout(rollout::Order::Start)],
            (true, Stage::Running | Stage::Paused | Stage::Held | Stage::Complete) => {
                let mut config = self.config.clone();
                config.apply_test(Some(order));
                let sample = Rate::from_fraction(config.capture.sample.fraction());
                let why = "the test has no phases any more".to_owned();
                vec![Order::Rollout(rollout::Order::Abort(why)), Order::Sample(sample)]
            }
            _ => Vec::new(),
        };
        for order in orders {
            if let Err(error) = agent::ask(&self.config.agent.socket, order) {
                tracing::warn!(%error, "the rollout cannot be changed");
            }
        }
    }
}

fn parsed(text: &[u8]) -> Option<TestOrder> {
    serde_json::from_slice(text)
        .inspect_err(|error| tracing::error!(%error, "the test in force cannot be read"))
        .ok()
}
