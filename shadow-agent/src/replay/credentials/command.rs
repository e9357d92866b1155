//! A token printed by a command, valid for a time-to-live.
//!
//! The command has no shell, no input, no error output, and of the agent's environment only `PATH` and the variables
//! that the configuration names. It runs in a separate process group, killed as a whole when its time is over or the
//! agent ends; when the agent is killed, the kernel kills the command. A new token is requested when a fifth of the old
//! one's life is left; one that cannot be renewed is used to its end and no longer.

use std::{
    env,
    io::{self, ErrorKind, Read as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{self, Child, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getppid, kill_process_group, set_parent_process_death_signal, waitid,
};

use super::settings::Replace;
use super::{LONGEST, News, Source};

/// The shortest time between two failures.
const RETRY: Duration = Duration::from_secs(1);

/// The longest.
const RETRY_MOST: Duration = Duration::from_secs(30);

/// The process group of a running command, for the code that ends the agent.
#[derive(Debug, Default)]
pub(super) struct Group(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    leader: Option<Pid>,
    ended: bool,
}

impl Group {
    /// Kills the running command, with everything in its group, and prevents further ones.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.kill();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn kill(&self) {
        // The leader is not waited for while it is stored here, so its process id is not reused. The group is empty
        // when all of it has ended.
        if let Some(group) = self.leader {
            kill_process_group(group, Signal::KILL).unwrap_or_default();
        }
    }
}

pub(super) struct Command {
    line: Vec<String>,
    /// Variables that are passed on besides `PATH`.
    environment: Vec<String>,
    ttl: Duration,
    timeout: Duration,
    group: Arc<Group>,
    due: Option<Instant>,
    /// When the current token ends.
    ends: Option<Instant>,
    failures: u32,
}

impl Command {
    pub(super) fn new(replace: &Replace, group: Arc<Group>) -> Self {
        Self {
            line: replace.command.clone(),
            environment: replace.environment.clone(),
            ttl: replace.ttl.0,
            timeout: replace.timeout.0,
            group,
            due: None,
            ends: None,
            failures: 0,
        }
    }

    fn start(&self) -> Result<Running<'_>, String> {
        let (program, arguments) = self.line.split_first().ok_or("there is no command")?;
        let passed = self.environment.iter().map(String::as_str).chain(["PATH"]);
        let mut command = process::Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(passed.filter_map(|name| Some((name, env::var_os(name)?))))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let agent = process::id();
        // SAFETY: between fork and exec only prctl(2) and getppid(2) are called, and nothing is allocated.
        unsafe { command.pre_exec(move || end_with(agent)) };
        let mut state = self.group.lock();
        if state.ended {
            return Err("the agent ends".to_owned());
        }
        let child = command.spawn().map_err(|error| error.to_string())?;
        state.leader = pid(&child);
        drop(state);
        Ok(Running {
            child,
            group: &self.group,
        })
    }

    fn run(&self) -> Result<Bytes, String> {
        let mut running = self.start()?;
        // The current token is not used past its end because its renewal hangs.
        let now = Instant::now();
        let patience = now + self.timeout;
        let end = self
            .ends
            .filter(|end| *end > now)
            .map_or(patience, |end| end.min(patience));
        let text = running.output(end)?;
        if !running.succeeded(end)? {
            return Err("it ended with an error".to_owned());
        }
        Ok(Bytes::copy_from_slice(text.trim_ascii()))
    }
}

/// Lets the kernel kill this process when the agent's thread that started it ends, however it ends.
fn end_with(agent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before.
    if getppid().and_then(|parent| u32::try_from(parent.as_raw_nonzero().get()).ok()) == Some(agent) {
        Ok(())
    } else {
        Err(ErrorKind::BrokenPipe.into())
    }
}

/// Ensures that no process of its group is left running.
struct Running<'a> {
    child: Child,
    group: &'a Group,
}

impl Running<'_> {
    fn output(&mut self, end: Instant) -> Result<Vec<u8>, String> {
        let Some(mut pipe) = self.child.stdout.take() else {
            return Err("it has no output".to_owned());
        };
        rustix::io::ioctl_fionbio(pipe.as_fd(), true).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        let mut block = [0; 4096];
        loop {
            match pipe.read(&mut block) {
                Ok(0) => return Ok(text),
                Ok(count) => text.extend_from_slice(block.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
            if text.len() as u64 > LONGEST {
                return Err(format!("it printed more than {LONGEST} bytes"));
            }
            if Instant::now() >= end {
                return Err("it took longer than its time-out".to_owned());
            }
        }
    }

    /// Leaves it a zombie: until it is waited for, its process id is not reused.
    fn succeeded(&self, end: Instant) -> Result<bool, String> {
        let pid = pid(&self.child).ok_or("it has no process")?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(pid), options) {
                Ok(Some(status)) => return Ok(status.exit_status() == Some(0)),
                Ok(None) if Instant::now() >= end => {
                    return Err("it took longer than its time-out".to_owned());
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.group.lock();
        state.kill();
        if let Err(error) = self.child.wait() {
            tracing::debug!(%error, "a command for a token cannot be waited for");
        }
        state.leader = None;
    }
}

impl Source for Command {
    fn turn(&mut self) -> News {
        let now = Instant::now();
        let over = self.ends.is_some_and(|end| now >= end);
        if self.due.is_some_and(|due| now < due) {
            if over {
                self.ends = None;
                return News::None("the last token ran out".to_owned());
            }
            return News::Same;
        }
        match self.run() {
            Ok(token) => {
                self.failures = 0;
                self.ends = Some(now + self.ttl);
                self.due = Some(now + self.ttl.mul_f64(0.8));
                News::Token(token)
            }
            Err(why) => {
                let wait = RETRY.saturating_mul(1 << self.failures.min(5)).min(RETRY_MOST);
                self.failures = self.failures.saturating_add(1);
                self.due = Some(Instant::now() + wait);
                if self.ends.is_some_and(|end| Instant::now() < end) {
                    News::Late(why)
                } else {
                    self.ends = None;
                    News::None(why)
                }
            }
        }
    }
}
