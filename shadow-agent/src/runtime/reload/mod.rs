//! Reload of the configuration: all of it takes effect, or nothing.
//!
//! The file and the flags of the start are merged once more and checked as at the start. Anything is changed only when
//! all of it is valid; keys that need a restart are named and stay as they were.

mod keys;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

pub(super) use self::keys::{covers, differences, reached};
use crate::{
    config::{Config, LogLevel},
    control::kill_file::KillFile,
};

/// Reads the file and applies the flags of the start to it.
pub(crate) type Load = Box<dyn Fn(&Path) -> Result<Config, String> + Send + Sync>;

/// Sets the least severe log line that is written.
pub(crate) type SetLogLevel = Box<dyn Fn(LogLevel) + Send + Sync>;

/// The configuration in force, and how to read it again.
pub(crate) struct Reloader {
    /// None when the agent was started with flags only.
    file: Option<PathBuf>,
    load: Load,
    set_log_level: SetLogLevel,
    /// The configuration that the agent was started with, and confined to.
    pub(super) started: Config,
    /// The configuration in force.
    config: Mutex<Config>,
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Reloader {
    pub(crate) fn new(config: Config, file: Option<PathBuf>, load: Load, set_log_level: SetLogLevel) -> Self {
        Self {
            file,
            load,
            set_log_level,
            started: config.clone(),
            config: Mutex::new(config),
        }
    }

    /// The configuration file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The configuration in force.
    pub(super) fn in_force(&self) -> Config {
        self.lock().clone()
    }

    /// Records another configuration as the one in force, once it is.
    pub(super) fn set_in_force(&self, config: Config) {
        (self.set_log_level)(config.agent.log_level);
        *self.lock() = config;
    }

    /// The file whose existence kills.
    pub(super) fn kill_file(&self) -> Option<KillFile> {
        self.lock().agent.kill_file.as_ref().map(KillFile::new)
    }

    /// The file and the flags of the start, checked.
    pub(super) fn read(&self) -> Result<Config, String> {
        let Some(file) = &self.file else {
            return Err(
                "the agent was started without --config, so there is no file to read again".to_owned(),
            );
        };
        let config = (self.load)(file)?;
        let problems = config.problems();
        if problems.is_empty() {
            return Ok(config);
        }
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Err(format!("{}: {}", file.display(), lines.join("; ")))
    }

    fn lock(&self) -> MutexGuard<'_, Config> {
        // Replaced as a whole.
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
