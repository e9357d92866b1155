//! The state that outlives the agent: the last report, the kill state, and the agent's identity.
//!
//! Owns: the files in the state folder. `report.json` is replaced whole, so that a reader never sees half of one;
//! `killed` keeps a restart from mirroring again before somebody said `resume`; `rollout.json` keeps a rollout at its
//! phase; `agent.json` is locked while its agent lives and names its process, so that the kill switch finds the right
//! kernel program when that process hangs. Bias: after the start a failed write is counted, and never ends the agent.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use shadow_core::rollout::Saved;

use crate::{capture::control::process_start, clock::now_ms, trips::Trip, whole};

/// The state folder.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

/// Advice on how to make a folder writable again.
fn way_out(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "use sudo",
        io::ErrorKind::NotFound => "make it",
        io::ErrorKind::ReadOnlyFilesystem => "mount it for writing",
        _ => "free space",
    }
}

/// The reason why mirroring is stopped.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Killed {
    /// Who stopped it.
    pub who: String,
    /// The reason given.
    pub why: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// The rule that stopped it, if it was not a person.
    #[serde(default)]
    pub rule: Option<String>,
    /// When mirroring continues by itself, likewise; `None` if a person has to resume it.
    #[serde(default)]
    pub resume_at_ms: Option<u64>,
}

/// The identity of an agent's process.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owner {
    /// Its process id, in its own pid namespace.
    pub pid: u32,
    /// Its start time (clock ticks since boot): process ids are reused.
    pub started: u64,
}

/// Holds the state folder for one agent; the kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be made or written.
    #[error("cannot write {} in the state folder: {source}; {}, or choose another with --state-dir", path.display(), way_out(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}: {source}; run this as the agent's user, or name its folder with --state-dir", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// Another user could put files into it.
    #[error(
        "the state folder {} {what}, who could change what the agent does; {remedy}, or choose another with --state-dir",
        path.display()
    )]
    Shared {
        /// The folder.
        path: PathBuf,
        /// Its owner or mode.
        what: &'static str,
        /// How to make it the agent's own.
        remedy: &'static str,
    },
    /// Another agent uses it.
    #[error(
        "the state folder {} belongs to a running agent{}; stop it, or choose another with --state-dir",
        path.display(), pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The agent.
        pid: Option<u32>,
    },
}

impl Killed {
    /// Killed at the present time.
    pub fn now(who: &str, why: &str) -> Self {
        Self {
            who: who.to_owned(),
            why: why.to_owned(),
            at_ms: now_ms(),
            ..Self::default()
        }
    }
}

impl Owner {
    /// The calling process.
    pub fn this_process() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: process_start(pid).unwrap_or(0),
        }
    }
}

impl StateDir {
    /// A state folder, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the report is kept.
    pub fn report_path(&self) -> PathBuf {
        self.path.join("report.json")
    }

    /// The path of the journal, unless it is configured.
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("journal.sqlite")
    }

    /// Makes the folder, claims it for this process, and checks that it has free space.
    pub fn claim(&self, owner: Owner) -> Result<Lock, StateError> {
        let path = self.path.join("agent.json");
        let failed = |source| StateError::Write {
            path: path.clone(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(failed)?;
        self.check()?;
        let mut file = whole::open_or_make(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StateError::InUse {
                    path: self.path.clone(),
                    pid: self.owner().map(|owner| owner.pid),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let text = serde_json::to_vec(&owner)
            .map_err(io::Error::from)
            .map_err(failed)?;
        // Replacing the file would leave the lock on an unlinked file.
        file.set_len(0)
            .and_then(|()| file.write_all(&text))
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        self.sweep();
        self.retire_evidence();
        Ok(Lock { _file: file })
    }

    /// Refuses a folder that another user owns or can write: files there can kill, resume and raise the share.
    fn check(&self) -> Result<(), StateError> {
        let shared = |what, remedy| StateError::Shared {
            path: self.path.clone(),
            what,
            remedy,
        };
        let facts = fs::metadata(&self.path).map_err(|source| StateError::Read {
            path: self.path.clone(),
            source,
        })?;
        let me = rustix::process::geteuid().as_raw();
        if facts.uid() != me && facts.uid() != 0 {
            return Err(shared(
                "belongs to another user",
                "give it to the agent's user (chown)",
            ));
        }
        let (open, sticky) = (facts.mode() & 0o022 != 0, facts.mode() & 0o1000 != 0);
        if open && sticky {
            // As with a container's tmpfs. Nobody can replace the agent's files there, and those of others are refused.
            let folder = self.path.display();
            tracing::warn!(%folder, "other users can put files into the state folder: chmod go-w");
        } else if open {
            return Err(shared(
                "can be written by other users",
                "take that away (chmod go-w)",
            ));
        }
        Ok(())
    }

    /// Removes temporary files of an agent that was killed while it wrote.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_unfinished = path
                .extension()
                .is_some_and(|extension| extension == whole::UNFINISHED);
            if is_unfinished || is_dead(&path) {
                // A file that cannot be removed costs only its few bytes.
                drop(fs::remove_file(path));
            }
        }
    }

    /// The process that claimed the folder last.
    pub fn owner(&self) -> Option<Owner> {
        self.load("agent.json").ok().flatten()
    }

    /// Keeps a report.
    pub fn save_report<T: Serialize>(&self, report: &T) -> Result<(), StateError> {
        self.replace("report.json", report)
    }

    /// The report that was kept last, if any.
    pub fn report<T: DeserializeOwned>(&self) -> Result<Option<T>, StateError> {
        self.load("report.json")
    }

    /// Renames the report of an agent that ended abruptly, so that it outlives the next agent's first one. `None` when
    /// there is none.
    pub fn set_aside(&self) -> Result<Option<PathBuf>, StateError> {
        let path = self.path.join("report-ended.json");
        match fs::rename(self.report_path(), &path) {
            Ok(()) => Ok(Some(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Write { path, source }),
        }
    }

    /// Saves the place of the rollout.
    pub fn save_rollout(&self, saved: &Saved) -> Result<(), StateError> {
        self.replace("rollout.json", saved)
    }

    /// The place of the rollout, if one was ever started.
    pub fn rollout(&self) -> Result<Option<Saved>, StateError> {
        self.load("rollout.json")
    }

    /// Whether what is kept here is that of a test.
    pub fn is_of_test(&self, test: &str) -> bool {
        let kept: Option<String> = self.load("test.json").ok().flatten();
        kept.unwrap_or_default() == test
    }

    /// Says which test the rest belongs to.
    pub fn set_test(&self, test: &str) -> Result<(), StateError> {
        self.replace("test.json", &test)
    }

    /// Saves which targets are paused, and the reasons.
    pub fn save_paused(&self, paused: &BTreeMap<String, Trip>) -> Result<(), StateError> {
        self.replace("paused.json", paused)
    }

    /// Which targets were paused.
    pub fn paused(&self) -> Result<BTreeMap<String, Trip>, StateError> {
        Ok(self.load("paused.json")?.unwrap_or_default())
    }

    /// Saves a kill.
    pub fn kill(&self, killed: &Killed) -> Result<(), StateError> {
        self.replace("killed", killed)
    }

    /// Whether mirroring is stopped. An unreadable file still means that it is.
    pub fn killed(&self) -> Result<Option<Killed>, StateError> {
        match self.load("killed") {
            Err(StateError::Read { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
                Ok(Some(Killed::default()))
            }
            other => other,
        }
    }

    /// Removes a kill. True when there was one.
    pub fn resume(&self) -> Result<bool, StateError> {
        let path = self.path.join("killed");
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StateError::Write { path, source }),
        }
    }

    pub(super) fn replace<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let path = self.path.join(name);
        serde_json::to_vec_pretty(value)
            .map_err(io::Error::from)
            .and_then(|text| whole::place(&path, &text))
            .map_err(|source| StateError::Write { path, source })
    }

    pub(super) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.path.join(name);
        let text = match whole::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Read { path, source }),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| StateError::Read {
                path,
                source: io::Error::new(io::ErrorKind::InvalidData, error),
            })
    }
}

/// Whether a file is the socket of an agent that has ended.
fn is_dead(path: &Path) -> bool {
    let refused =
        || UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    path.extension().is_some_and(|extension| extension == "sock") && refused()
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
