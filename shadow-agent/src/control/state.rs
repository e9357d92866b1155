//! What outlives the agent: the last report, the kill state, and who the agent is.
//!
//! Owns: four files in the state folder. `report.json` is replaced whole, so that a reader never sees half of
//! one; `killed` keeps a restart from mirroring again before somebody said `resume`; `rollout.json` keeps a rollout at its phase; `agent.json` is locked while
//! its agent lives and names its process, so that the kill switch finds the right kernel program when that process
//! hangs. Bias: after the start a write that fails is the caller's to count; it never ends the agent.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use shadow_core::rollout::Saved;

use crate::{capture::control::process_start, clock::now_ms, trips::Trip};

/// The state folder.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

/// What makes a folder writable again.
fn way_out(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "use sudo",
        io::ErrorKind::NotFound => "make it",
        io::ErrorKind::ReadOnlyFilesystem => "mount it for writing",
        _ => "free space",
    }
}

/// Why mirroring is stopped.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Killed {
    /// Who said so.
    pub who: String,
    /// Why, as they put it.
    pub why: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// The rule that did it, when it was no person.
    #[serde(default)]
    pub rule: Option<String>,
    /// When mirroring goes on by itself, likewise; `None` when somebody has to say so.
    #[serde(default)]
    pub resume_at_ms: Option<u64>,
}

/// Which process an agent is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owner {
    /// Its process id, in its own pid namespace.
    pub pid: u32,
    /// Its start time (clock ticks since boot): process ids are used again.
    pub started: u64,
}

/// Holds the state folder for one agent; the kernel lets go of it when the process ends, however it ends.
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
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}: {source}; run this as the agent's user, or name its folder with --state-dir", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
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
    /// Now.
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the report is kept.
    pub fn report_path(&self) -> PathBuf {
        self.path.join("report.json")
    }

    /// Where the journal is, unless it has a path of its own.
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("journal.sqlite")
    }

    /// Makes the folder, claims it for this process, and shows that there is room in it.
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
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
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
        // Replacing the file would leave the lock on one that nobody sees.
        file.set_len(0)
            .and_then(|()| file.write_all(&text))
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        self.sweep();
        Ok(Lock { _file: file })
    }

    /// Removes what an agent left that was killed while it wrote.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                // What cannot be removed costs its few bytes.
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

    /// Keeps where the rollout is.
    pub fn save_rollout(&self, saved: &Saved) -> Result<(), StateError> {
        self.replace("rollout.json", saved)
    }

    /// Where the rollout was, if one was ever started.
    pub fn rollout(&self) -> Result<Option<Saved>, StateError> {
        self.load("rollout.json")
    }

    /// Keeps which targets are paused, and why.
    pub fn save_paused(&self, paused: &BTreeMap<String, Trip>) -> Result<(), StateError> {
        self.replace("paused.json", paused)
    }

    /// Which targets were paused.
    pub fn paused(&self) -> Result<BTreeMap<String, Trip>, StateError> {
        Ok(self.load("paused.json")?.unwrap_or_default())
    }

    /// Remembers a kill.
    pub fn kill(&self, killed: &Killed) -> Result<(), StateError> {
        self.replace("killed", killed)
    }

    /// Whether mirroring is stopped. A file that cannot be understood still means that it is.
    pub fn killed(&self) -> Result<Option<Killed>, StateError> {
        match self.load("killed") {
            Err(StateError::Read { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
                Ok(Some(Killed::default()))
            }
            other => other,
        }
    }

    /// Forgets a kill. True when there was one.
    pub fn resume(&self) -> Result<bool, StateError> {
        let path = self.path.join("killed");
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StateError::Write { path, source }),
        }
    }

    fn replace<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let path = self.path.join(name);
        let fresh = self.path.join(format!("{name}.{}.new", std::process::id()));
        let written = serde_json::to_vec_pretty(value)
            .map_err(io::Error::from)
            .and_then(|text| {
                let mut file = OpenOptions::new()
                    .create(true)
                    .write(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&fresh)?;
                file.write_all(&text)?;
                file.sync_data()
            })
            .and_then(|()| fs::rename(&fresh, &path));
        written.map_err(|source| {
            // What is left of it takes room that is missing already; that it cannot be removed changes nothing.
            drop(fs::remove_file(&fresh));
            StateError::Write { path, source }
        })
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.path.join(name);
        let text = match fs::read(&path) {
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
