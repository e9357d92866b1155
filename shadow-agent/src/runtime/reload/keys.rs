//! Keys that may change while the agent runs, and those that have changed.
//!
//! Bias: a key that is not named here waits for a restart, and so does a file that this process has given up.

use std::path::Path;

use serde_json::Value;
use shadow_core::compare::Rules;

use crate::{
    budget::BudgetSettings,
    config::{Config, Shadow, extra_targets::ExtraTarget},
    privs::Needs,
};

/// The configuration in force after a reload, in an agent that was confined to its needs at the start.
pub(in crate::runtime) fn reached(
    started: &Config,
    file: Option<&Path>,
    before: &Config,
    wanted: &Config,
) -> Config {
    let after = in_force(before, wanted);
    let needs = |config: &Config| Needs::of(config, file);
    if !started.agent.confine || needs(started).cover(&needs(&after)) {
        return after;
    }
    // Files that this process has given up: an unreadable token or kill file.
    let mut wanted = wanted.clone();
    wanted.agent.kill_file.clone_from(&before.agent.kill_file);
    wanted.shadow.credentials = before.shadow.credentials.clone();
    wanted.also.clone_from(&before.also);
    in_force(before, &wanted)
}

/// Takes the keys that may change while the agent runs from `wanted`, the others from `before`.
pub(super) fn in_force(before: &Config, wanted: &Config) -> Config {
    let wanted = wanted.clone();
    let mut config = before.clone();
    config.capture.sample = wanted.capture.sample;
    config.shadow = Shadow {
        url: config.shadow.url,
        tls: config.shadow.tls,
        observe: config.shadow.observe,
        mode: config.shadow.mode,
        values: config.shadow.values,
        ..wanted.shadow
    };
    let names = |also: &[ExtraTarget]| -> Vec<String> { also.iter().map(|also| also.name.clone()).collect() };
    if names(&config.also) == names(&wanted.also) {
        let both = config.also.iter().zip(&wanted.also);
        config.also = both.map(|(before, wanted)| before.with_live(wanted)).collect();
    }
    // The file of descriptors was read before the agent gave up its files.
    let proto_descriptors = config.compare.proto_descriptors;
    config.compare = Rules {
        proto_descriptors,
        ..wanted.compare
    };
    config.gates = wanted.gates;
    config.rollout = wanted.rollout;
    config.budget = BudgetSettings {
        nice: config.budget.nice,
        ..wanted.budget
    };
    config.trips = wanted.trips;
    config.agent.kill_file = wanted.agent.kill_file;
    config.agent.log_level = wanted.agent.log_level;
    config
}

/// Whether a key is that section or lies in it.
pub(in crate::runtime) fn covers(section: &str, key: &str) -> bool {
    key.strip_prefix(section)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The keys whose values differ, in the order of the file.
pub(in crate::runtime) fn differences(before: &Config, after: &Config) -> Vec<String> {
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
        (Value::Array(before), Value::Array(after))
            if before.iter().all(|item| name(item).is_some())
                && before.iter().map(name).eq(after.iter().map(name)) =>
        {
            for (before, after) in before.iter().zip(after) {
                let path = format!("{path}.{}", name(before).unwrap_or_default());
                compare(path, before, after, found);
            }
        }
        (before, after) if before != after => found.push(path),
        _ => {}
    }
}

/// The name of an item of a list, such as a target or a phase.
fn name(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}
