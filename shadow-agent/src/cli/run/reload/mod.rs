//! The configuration, read again: all of it takes effect, or nothing.
//!
//! The file and the flags of the start are laid over each other once more and checked as at the start. Only when all of
//! it is right is anything changed; what needs a restart is named and stays as it was.

mod keys;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use shadow_core::evidence::GateConfig;

use self::keys::{covers, differences, reached};
use super::{agent::Running, args::RunArgs, orders::moment, progress::Level};
use crate::{
    config::Config,
    control::{kill_file::KillFile, reload::Reloaded},
};

/// What a reload starts from.
#[derive(Debug)]
pub(super) struct Reloader {
    flags: RunArgs,
    /// What the agent was started with, and confined to.
    started: Config,
    /// What is in force.
    config: Mutex<Config>,
    level: Level,
}

impl Reloader {
    pub(super) fn new(flags: RunArgs, config: Config, level: Level) -> Self {
        Self {
            flags,
            started: config.clone(),
            config: Mutex::new(config),
            level,
        }
    }

    /// The configuration file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.flags.config.as_deref()
    }

    /// The file whose existence kills.
    pub(super) fn kill_file(&self) -> Option<KillFile> {
        self.lock().agent.kill_file.as_ref().map(KillFile::new)
    }

    /// The file and the flags of the start, checked.
    fn wanted(&self) -> Result<Config, String> {
        let Some(file) = &self.flags.config else {
            return Err(
                "the agent was started without --config, so there is no file to read again".to_owned(),
            );
        };
        let mut wanted = Config::load(file).map_err(|error| error.to_string())?;
        self.flags.clone().apply(&mut wanted);
        let problems = wanted.problems();
        if problems.is_empty() {
            return Ok(wanted);
        }
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Err(format!("{}: {}", file.display(), lines.join("; ")))
    }

    fn lock(&self) -> MutexGuard<'_, Config> {
        // Replaced as a whole.
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Reads the configuration again. On an error everything is as it was.
    pub(super) fn read_again(&self, who: &str) -> Result<Reloaded, String> {
        let refused = |why: String| format!("nothing was changed: {why}");
        let wanted = self.reloader.wanted().map_err(refused)?;
        let before = self.reloader.lock().clone();
        let after = reached(&self.reloader.started, self.reloader.file(), &before, &wanted);
        let changed = differences(&before, &after);
        let restart = differences(&after, &wanted);
        let is_changed = |section: &str| changed.iter().any(|key| covers(section, key));
        // Everything that can fail comes before anything is changed.
        let others = self.others(&before, &after).map_err(refused)?;

        if is_changed("capture.sample") {
            let share = after.capture.sample.fraction();
            self.rollout
                .by_hand(self, share, who, moment())
                .map_err(refused)?;
        }
        if is_changed("gates") {
            self.set_gates(&GateConfig::from(&after.gates));
        }
        if is_changed("gates") || is_changed("rollout") {
            let plan = after.rollout.plan(&after.gates);
            self.rollout.replan(self, plan, moment()).map_err(refused)?;
        }
        if is_changed("budget") || is_changed("trips") {
            self.guard.set(&after);
            let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
            pipeline.set_idle_cpu(after.budget.idle_cpu.whole_percent());
        }
        self.follow(others);
        self.reloader.level.set(after.agent.log_level);
        *self.reloader.lock() = after;
        tracing::info!(
            who,
            changed = changed.join(", "),
            restart = restart.join(", "),
            "the configuration was read again"
        );
        self.keeper.tell("reload", who, &changed.join(", "));
        Ok(Reloaded { changed, restart })
    }
}
