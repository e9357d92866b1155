//! The configuration, read again: all of it takes effect, or nothing.
//!
//! The file and the flags of the start are laid over each other once more and checked as at the start. Only when all of
//! it is right is anything changed; what needs a restart is named and stays as it was.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use shadow_core::evidence::GateConfig;

use super::{agent::Running, args::RunArgs, orders::moment, progress::Level};
use crate::{
    config::Config,
    control::{kill_file::KillFile, reload::Reloaded},
};

/// Keys and sections that change live; everything else waits for a restart.
const LIVE: [&str; 10] = [
    "shadow.select",
    "shadow.writes",
    "shadow.host",
    "shadow.rewrite",
    "compare",
    "capture.sample",
    "gates",
    "rollout",
    "agent.kill_file",
    "agent.log_level",
];

/// Those of them that the rules of the lanes are made of.
const RULES: [&str; 5] = [
    "shadow.select",
    "shadow.writes",
    "shadow.host",
    "shadow.rewrite",
    "compare",
];

/// What a reload starts from.
#[derive(Debug)]
pub(super) struct Reloader {
    flags: RunArgs,
    /// What is in force.
    config: Mutex<Config>,
    level: Level,
}

impl Reloader {
    pub(super) fn new(flags: RunArgs, config: Config, level: Level) -> Self {
        Self {
            flags,
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
        let (changed, restart): (Vec<String>, Vec<String>) = differences(&before, &wanted)
            .into_iter()
            .partition(|key| is_live(key));
        let is_changed = |section: &str| changed.iter().any(|key| covers(section, key));
        let after = in_force(before, wanted);

        // Everything that can fail comes before anything is changed.
        let mut tokens = Vec::new();
        let rules = if RULES.iter().any(|section| is_changed(section)) {
            Some(self.other_rules(&after, &mut tokens).map_err(refused)?)
        } else {
            None
        };

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
        if let Some(rules) = rules {
            let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
            for (lane, rules) in pipeline.lanes().zip(rules) {
                if let Some(rules) = rules {
                    lane.set_rules(rules);
                }
            }
            drop(pipeline);
            *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
        }
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

/// What is in force after a reload: the live keys of the one, the rest of the other.
fn in_force(before: Config, wanted: Config) -> Config {
    let mut config = before;
    config.capture.sample = wanted.capture.sample;
    config.shadow.select = wanted.shadow.select;
    config.shadow.writes = wanted.shadow.writes;
    config.shadow.host = wanted.shadow.host;
    config.shadow.rewrite = wanted.shadow.rewrite;
    config.compare = wanted.compare;
    config.gates = wanted.gates;
    config.rollout = wanted.rollout;
    config.agent.kill_file = wanted.agent.kill_file;
    config.agent.log_level = wanted.agent.log_level;
    config
}

fn is_live(key: &str) -> bool {
    LIVE.iter().any(|live| covers(live, key))
}

/// Whether a key is that section or stands in it.
fn covers(section: &str, key: &str) -> bool {
    key.strip_prefix(section)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The keys whose values differ, in the order of the file.
fn differences(before: &Config, after: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if let (Ok(before), Ok(after)) = (serde_json::to_value(before), serde_json::to_value(after)) {
        compare(String::new(), &before, &after, &mut found);
    }
    found
}

fn compare(path: String, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let keys = before
                .keys()
                .chain(after.keys().filter(|key| !before.contains_key(*key)));
            for key in keys {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let value =
                    |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                compare(path, &value(before), &value(after), found);
            }
        }
        (before, after) if before != after => found.push(path),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogLevel;

    #[test]
    fn the_keys_that_differ_are_named() {
        let before = Config::default();
        assert_eq!(differences(&before, &before), [""; 0]);
        let mut after = before.clone();
        after.capture.sample = "5%".parse().expect("rate");
        after.capture.interfaces = vec!["lo".to_owned()];
        after.rollout.phases.clear();
        after.gates.latency_ratio = 3.0;
        let mut found = differences(&before, &after);
        found.sort();
        assert_eq!(
            found,
            [
                "capture.interfaces",
                "capture.sample",
                "gates.latency_ratio",
                "rollout.phases"
            ]
        );
        assert_eq!(found.iter().filter(|key| is_live(key)).count(), 3);
    }

    #[test]
    fn what_is_live_is_in_force_and_nothing_else() {
        let before = Config::default();
        let mut wanted = before.clone();
        wanted.capture.sample = "5%".parse().expect("rate");
        wanted.agent.kill_file = None;
        wanted.agent.log_level = LogLevel::Debug;
        wanted.rollout.attempts = 9;
        wanted.gates.latency_samples = 7;
        wanted.compare.discrepancies = 7;
        let text = "shadow: {select: {percent: 50%}, writes: replay, host: shadow, rewrite: {headers: {remove: [x-a]}}}";
        let other = Config::parse(Path::new("x"), text).expect(text);
        wanted.shadow = other.shadow;
        wanted.capture.interfaces = vec!["lo".to_owned()];
        let left = differences(&in_force(before.clone(), wanted.clone()), &wanted);
        assert_eq!(left, ["capture.interfaces"]);
        let live = differences(&before, &wanted)
            .into_iter()
            .filter(|key| is_live(key))
            .count();
        assert_eq!(live, LIVE.len(), "one of each");
        assert_eq!(LIVE.len(), 10, "a key that is live must be in this test");
    }
}
