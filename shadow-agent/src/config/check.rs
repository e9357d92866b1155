//! Checks across values: missing and conflicting settings, each reported as one line.
//!
//! Pure: reads only the [`Config`]. Everything that depends on the host (interfaces, privileges, addresses) is checked
//! when the agent starts, and by `shadow doctor`.

use core::time::Duration;

use shadow_core::{
    compare::{Comparator, Rules},
    evidence::{GateConfig, GateConfigError, LedgerLimits},
};

use crate::replay::ReplaySettings;

use super::{
    Capture, Config, Shadow, budget,
    extra_targets::{FIRST, is_name},
    problem::Problem,
};
use shadow_proto::units::Size;

/// The longest name an interface can have (`IFNAMSIZ` less the final zero).
const MAX_INTERFACE_NAME: usize = 15;
const RING: (Size, Size) = (Size::bytes(64 << 10), Size::mib(1024));
const HEARTBEAT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// The first target and those of `also`. Each costs a queue and a ledger.
const MOST_TARGETS: usize = 8;
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_mins(10));

impl Config {
    /// All faults, in the order of the file. Empty if the agent can start with this configuration.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        capture(&self.capture, &mut found);
        tests(self, &mut found);
        if !self.awaits_test() {
            shadow(&self.shadow, &mut found);
        }
        also(self, &mut found);
        compare(&self.compare, &mut found);
        gates(&self.gates, &mut found);
        evidence(self.evidence, &mut found);
        budget::problems(&self.budget, &mut found);
        self.trips.problems(&mut found);
        found.extend(self.rollout.problem(&self.gates));
        found.extend(self.journal.problems());
        found.extend(self.record.problems());
        found.extend(self.agent.problems());
        let kubernetes = self.capture.kubernetes.as_ref();
        if self.agent.kill_file.is_none() && kubernetes.is_some_and(|one| one.kill_switch.is_some()) {
            found.push(problem(
                "capture.kubernetes.kill_switch",
                "has no effect without agent.kill_file",
                "name a file that `shadow discover` may write",
            ));
        }
        if self.agent.take_over && kubernetes.is_some() {
            found.push(problem(
                "agent.take_over (--take-over)",
                "excludes capture.kubernetes: pods are attached to only once discovery has named them",
                "leave it out; the new agent starts when the old one has ended",
            ));
        }
        if let Err(error) = self.limits.validate() {
            found.push(problem(
                format!("limits.{}", error.name),
                format!("{} is too small to complete anything", error.given),
                format!("give at least {}", error.least),
            ));
        }
        found
    }
}

/// Checks that nothing else says what is mirrored, and where to, and that a tenant is given nothing of the cluster's.
fn tests(config: &Config, found: &mut Vec<Problem>) {
    if config.tests().is_none() {
        return;
    }
    let mut excluded = |at: &str, is_set: bool| {
        if is_set {
            found.push(problem(
                at,
                "excludes capture.kubernetes.tests, in which tenants say what is mirrored and where to",
                "leave one of them out",
            ));
        }
    };
    let Capture {
        interfaces,
        namespaces,
        targets,
        ..
    } = &config.capture;
    excluded("capture.interfaces", !interfaces.is_empty());
    excluded("capture.namespaces", !namespaces.is_empty());
    excluded("capture.targets", !targets.is_empty());
    excluded("also", !config.also.is_empty());
    excluded("shadow.url", config.awaits_test() && config.shadow.url.is_some());
    excluded("shadow.observe", config.awaits_test() && config.shadow.observe);
    // A tenant would be sent the tokens of whoever runs the agents.
    excluded(
        "shadow.credentials",
        !config.shadow.credentials.replace.is_empty(),
    );
}

fn capture(capture: &Capture, found: &mut Vec<Problem>) {
    const INTERFACES: &str = "capture.interfaces (--interface)";
    let is_inside = !capture.namespaces.is_empty() || capture.kubernetes.is_some();
    if capture.interfaces.is_empty() && !is_inside {
        found.push(problem(
            INTERFACES,
            "no interface is named",
            "name at least one, for example --interface eth0 or --interface 'veth*'",
        ));
    }
    interfaces(INTERFACES, &capture.interfaces, found);
    interfaces(
        "capture.namespace_interfaces",
        &capture.namespace_interfaces,
        found,
    );
    if capture.namespace_interfaces.is_empty() && is_inside {
        found.push(problem(
            "capture.namespace_interfaces",
            "no interface is named, so nothing of the namespaces would be seen",
            "name eth0, or lo for what a sidecar passes on",
        ));
    }
    if let Some(kubernetes) = &capture.kubernetes {
        kubernetes.problems(found);
    }
    endpoints(capture, found);
}

/// Checks names and globs of interfaces.
fn interfaces(at: &str, names: &[String], found: &mut Vec<Problem>) {
    for name in names {
        let glob = name.contains(['*', '?', '[', '{']);
        if name.is_empty() || name.contains(|c: char| c == '/' || c.is_whitespace()) {
            found.push(problem(
                at,
                format!("{name:?} cannot be the name of an interface"),
                "`ip -br link` lists the names",
            ));
        } else if !glob && name.len() > MAX_INTERFACE_NAME {
            found.push(problem(
                at,
                format!("{name:?} is longer than the {MAX_INTERFACE_NAME} bytes an interface name can have"),
                "`ip -br link` lists the names",
            ));
        } else if let Err(error) = globset::Glob::new(name) {
            found.push(problem(
                at,
                format!("{name:?} is no pattern: {}", error.kind()),
                "write for example 'veth*' or 'eth[0-3]'",
            ));
        }
    }
}

fn endpoints(capture: &Capture, found: &mut Vec<Problem>) {
    if capture.targets.is_empty() && capture.kubernetes.is_none() {
        found.push(problem(
            "capture.targets (--port, --target)",
            "no production endpoint is named",
            "name at least one, for example --port 8080 or --target 10.0.0.1:8080",
        ));
    }
    let ring = capture.ring_size;
    if !ring.as_u64().is_power_of_two() || ring < RING.0 || ring > RING.1 {
        found.push(problem(
            "capture.ring_size (--ring-size)",
            format!("{ring} is no power of two from {} to {}", RING.0, RING.1),
            "give for example 64MiB",
        ));
    }
    between("capture.heartbeat", capture.heartbeat.0, HEARTBEAT, "5s", found);
}

fn shadow(shadow: &Shadow, found: &mut Vec<Problem>) {
    match (&shadow.url, shadow.observe) {
        (None, false) => found.push(problem(
            "shadow.url (--shadow)",
            "no shadow system is named",
            "name it, for example --shadow http://10.0.0.2:9090, or use --observe to count and describe only",
        )),
        (Some(_), true) => found.push(problem(
            "shadow.url (--shadow) and shadow.observe (--observe)",
            "exclude each other: observing sends nothing",
            "leave one of them out",
        )),
        (Some(_), false) | (None, true) => {}
    }
    if shadow.observe && shadow.writes.sends() {
        found.push(problem(
            "shadow.writes (--writes) and shadow.observe (--observe)",
            "writes cannot be replayed while only observing",
            "leave one of them out",
        ));
    }
    bounds(shadow, FIRST, found);
}

/// Checks that apply to every target.
fn bounds(shadow: &Shadow, section: &str, found: &mut Vec<Problem>) {
    let flag = |name: &str| match name {
        "timeout" | "concurrency" | "queue" if section == FIRST => format!(" (--{name})"),
        _ => String::new(),
    };
    let at = |name: &str| format!("{section}.{name}{}", flag(name));
    between(&at("timeout"), shadow.timeout.0, TIMEOUT, "5s", found);
    match ReplaySettings::from(shadow).validate() {
        Err(error) if error.name != "timeout" => found.push(problem(
            at(error.name),
            format!("{} is out of range", error.given),
            format!("it must be {}", error.rule),
        )),
        // A wrong timeout was reported above, with its upper bound.
        Ok(()) | Err(_) => {}
    }
    found.extend(shadow.rule_problems(section));
}

fn also(config: &Config, found: &mut Vec<Problem>) {
    if config.also.is_empty() {
        return;
    }
    if config.shadow.url.is_none() {
        found.push(problem(
            "also",
            "there is no first target that it could be beside",
            "name it as shadow.url (--shadow)",
        ));
    }
    if config.also.len() >= MOST_TARGETS {
        found.push(problem(
            "also",
            format!("{} targets are more than {MOST_TARGETS}", config.also.len() + 1),
            "run another agent for the rest",
        ));
    }
    let wanted = match config.wanted() {
        Ok(wanted) => wanted,
        Err(error) => {
            return found.push(problem(
                "also",
                error.to_string(),
                "write it as the key of `shadow`",
            ));
        }
    };
    for (index, (also, target)) in config.also.iter().zip(wanted.iter().skip(1)).enumerate() {
        let at = format!("also[{index}]");
        if !is_name(&also.name) {
            found.push(problem(
                format!("{at}.name"),
                format!("{:?} is no name", also.name),
                "give up to 32 lower case letters, digits, - and _",
            ));
        }
        let before = || wanted.iter().take(index + 1);
        if before().any(|other| other.name == also.name) {
            found.push(problem(
                format!("{at}.name"),
                format!("{:?} is the name of another target", also.name),
                "give each its own",
            ));
        }
        if !also.has_url() {
            found.push(problem(
                format!("{at}.url"),
                "is missing",
                "give for example http://10.0.0.3:9090",
            ));
        } else if before().any(|other| other.shadow.url == target.shadow.url) {
            found.push(problem(
                format!("{at}.url"),
                "is that of another target, which would get every request twice",
                "give each its own",
            ));
        }
        bounds(&target.shadow, &at, found);
        compare(&target.compare, found);
    }
}

/// The core's own message, which names the key, split into place and fault.
fn compare(rules: &Rules, found: &mut Vec<Problem>) {
    if let Err(error) = Comparator::new(rules.clone()) {
        let text = error.to_string();
        let (at, what) = text.split_once(": ").unwrap_or(("compare", &text));
        found.push(problem(
            at,
            what,
            "`shadow config example` shows how it is written",
        ));
    }
}

fn gates(gates: &GateConfig, found: &mut Vec<Problem>) {
    if let Err(GateConfigError { name, wanted, given }) = gates.validate() {
        found.push(problem(
            format!("gates.{name}"),
            format!("{given} is not {wanted}"),
            "`shadow config example` shows how it is written",
        ));
    }
}

fn evidence(caps: LedgerLimits, found: &mut Vec<Problem>) {
    let LedgerLimits {
        routes,
        names,
        groups,
        samples: _,
        sets,
        writes: _,
    } = caps;
    let caps = [
        ("evidence.routes", routes),
        ("evidence.names", names),
        ("evidence.groups", groups),
        ("evidence.sets", sets),
    ];
    for (at, given) in caps {
        if given == 0 {
            found.push(problem(at, "0 leaves nothing to report", "give at least 1"));
        }
    }
}

fn between(
    at: &str,
    given: Duration,
    (least, most): (Duration, Duration),
    example: &str,
    found: &mut Vec<Problem>,
) {
    if given < least || given > most {
        found.push(problem(
            at,
            format!("{given:?} is not between {least:?} and {most:?}"),
            format!("give for example {example}"),
        ));
    }
}

fn problem(at: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Problem {
    Problem {
        at: at.into(),
        what: what.into(),
        fix: fix.into(),
    }
}
