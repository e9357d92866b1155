//! A token that a command prints, for a time-to-live.
//!
//! The command has no shell, no input and no place for complaints; it is a process group of its own, killed whole when
//! its time is over. A new token is asked for when a fifth of the old one's life is left; one that cannot be renewed is
//! used to its end and no longer.

use std::{
    io::{ErrorKind, Read as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{self, Child, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{LONGEST, News, Source};

/// The shortest time between two failures.
const RETRY: Duration = Duration::from_secs(1);

/// The longest.
const RETRY_MOST: Duration = Duration::from_secs(30);

pub(super) struct Command {
    line: Vec<String>,
    ttl: Duration,
    timeout: Duration,
    due: Option<Instant>,
    /// When the token in force ends.
    ends: Option<Instant>,
    failures: u32,
}

impl Command {
    pub(super) fn new(line: Vec<String>, ttl: Duration, timeout: Duration) -> Self {
        Self {
            line,
            ttl,
            timeout,
            due: None,
            ends: None,
            failures: 0,
        }
    }

    fn run(&self) -> Result<Bytes, String> {
        let (program, arguments) = self.line.split_first().ok_or("there is no command")?;
        let child = process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut running = Running(child);
        // The token in force is not used past its end because its renewal hangs.
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

/// Whatever happens, nothing of it is left running.
struct Running(Child);

impl Running {
    fn output(&mut self, end: Instant) -> Result<Vec<u8>, String> {
        let Some(mut pipe) = self.0.stdout.take() else {
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

    /// Leaves it a zombie: until it is waited for, nothing else can have its number.
    fn succeeded(&self, end: Instant) -> Result<bool, String> {
        let pid = pid(&self.0).ok_or("it has no process")?;
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

impl Drop for Running {
    fn drop(&mut self) {
        // Also what the command itself started, before its number is free for others.
        if let Some(group) = pid(&self.0) {
            kill_process_group(group, Signal::KILL).unwrap_or_default();
        }
        if let Err(error) = self.0.wait() {
            tracing::debug!(%error, "a command for a token cannot be waited for");
        }
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
