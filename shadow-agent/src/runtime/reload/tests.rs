use std::path::Path;

use super::keys::{covers, differences, in_force, reached};
use crate::config::{Config, Shadow};

fn parsed(text: &str) -> Config {
    Config::parse(Path::new("x"), text).expect(text)
}

/// Changed keys that are in force, and those that wait, when the file changes from one to the other.
fn reloaded(before: &str, wanted: &str) -> (Vec<String>, Vec<String>) {
    let (before, wanted) = (parsed(before), parsed(wanted));
    let after = in_force(&before, &wanted);
    (differences(&before, &after), differences(&after, &wanted))
}

/// Keys that may change while the agent runs, each with a value other than its default.
const LIVE: [(&str, &str); 53] = [
    ("shadow.protocol", "h1"),
    ("capture.sample", "5%"),
    ("shadow.select.percent", "50%"),
    ("shadow.writes.default", "replay"),
    ("shadow.host", "shadow"),
    ("shadow.rewrite.headers.remove", "[x-a]"),
    ("shadow.rewrite.conditional", "keep"),
    ("shadow.credentials.default", "strip"),
    ("shadow.credentials.replace", "[{cookie: a, file: /b}]"),
    ("shadow.timeout", "3s"),
    ("shadow.concurrency", "3"),
    ("shadow.requests_per_second", "3"),
    ("shadow.bytes_per_second", "1MiB"),
    ("shadow.queue", "3"),
    ("shadow.queue_bytes", "1MiB"),
    ("shadow.max_wait", "3s"),
    ("shadow.connect_timeout", "3s"),
    ("shadow.idle_timeout", "3s"),
    ("shadow.first_byte_timeout", "3s"),
    ("shadow.max_response", "1MiB"),
    ("shadow.retries", "1"),
    ("shadow.breaker.errors", "10%"),
    ("shadow.breaker.minimum", "3"),
    ("shadow.breaker.window", "3s"),
    ("shadow.breaker.open", "3s"),
    ("shadow.breaker.probes", "1"),
    ("compare.ignore", "['$.a']"),
    ("compare.discrepancies", "7"),
    ("gates.latency_samples", "7"),
    ("gates.latency_p99", "3.0"),
    ("rollout.attempts", "9"),
    ("rollout.fail_after", "9"),
    ("budget.cores", "0.5"),
    ("budget.memory", "512MiB"),
    ("budget.ring_loss", "2%"),
    ("budget.ring_used", "2%"),
    ("budget.cpu_pressure", "2%"),
    ("budget.memory_pressure", "2%"),
    ("budget.floor", "2%"),
    ("budget.calm", "3s"),
    ("budget.idle_cpu", "2%"),
    ("trips.shadow_errors", "{above: 5%}"),
    ("trips.mismatches", "{above: 5%}"),
    ("trips.ring_loss", "{above: 5%}"),
    ("trips.budget", "null"),
    ("trips.budget.within", "3s"),
    ("agent.kill_file", "/k"),
    ("agent.log_level", "debug"),
    ("also.next.timeout", "2s"),
    ("also.next.requests_per_second", "2"),
    ("also.next.credentials", "strip"),
    ("also.next.breaker", "{probes: 1}"),
    ("also.next.compare", "{discrepancies: 9}"),
];

/// Keys that wait for a restart.
const FIXED: [(&str, &str); 31] = [
    ("capture.interfaces", "[lo]"),
    ("capture.namespaces", "[a]"),
    ("capture.namespace_interfaces", "[lo]"),
    ("capture.kubernetes", "{selector: a=b}"),
    ("capture.targets", "[80]"),
    ("capture.ring_size", "64MiB"),
    ("capture.heartbeat", "3s"),
    ("shadow.url", "http://10.0.0.1:80"),
    ("shadow.tls.ca_file", "/ca.pem"),
    ("shadow.tls.server_name", "a"),
    ("shadow.observe", "true"),
    ("shadow.mode", "reversed"),
    ("shadow.values.learn", "true"),
    ("compare.proto_descriptors", "/a.pb"),
    ("also.next.url", "http://10.0.0.9:80"),
    ("also.next.role", "control"),
    ("also.next.mode", "reversed"),
    ("also.next.tls", "{server_name: a}"),
    ("noise.twice", "1%"),
    ("redact.names", "[a]"),
    ("evidence.routes", "7"),
    ("journal.enabled", "false"),
    ("record.file", "/r"),
    ("budget.nice", "7"),
    ("agent.metrics", "127.0.0.1:9"),
    ("agent.socket", "/s"),
    ("agent.state_dir", "/s"),
    ("agent.confine", "false"),
    ("agent.log_format", "json"),
    ("limits.flows", "7"),
    ("limits.body", "1MiB"),
];

const NEXT: &str = "also: [{name: next, url: 'http://10.0.0.3:80'}]\n";

/// A file with that key.
fn file(key: &str, value: &str) -> String {
    if let Some(key) = key.strip_prefix("also.next.") {
        let others = NEXT.trim_end().trim_end_matches("}]");
        let others = if key == "url" {
            "also: [{name: next"
        } else {
            others
        };
        return format!("{others}, {key}: {value}}}]\n");
    }
    let keys = key.split('.').rev();
    keys.fold(value.to_owned(), |value, key| format!("{{{key}: {value}}}")) + "\n"
}

#[test]
fn each_key_is_in_force_or_waits_for_a_restart_by_its_name() {
    for (keys, is_live) in [(&LIVE[..], true), (&FIXED[..], false)] {
        for (key, value) in keys {
            let before = if key.starts_with("also") { NEXT } else { "{}" };
            let (changed, restart) = reloaded(before, &file(key, value));
            let (named, other) = if is_live {
                (changed, restart)
            } else {
                (restart, changed)
            };
            assert!(other.is_empty(), "{key}: {named:?} {other:?}");
            let named: Vec<_> = named
                .iter()
                .filter(|named| covers(named, key) || covers(key, named))
                .collect();
            assert_eq!(named.len(), 1, "{key}: {named:?}");
        }
    }
}

#[test]
fn every_key_of_a_target_but_which_one_it_is_may_change() {
    let keys = serde_json::to_value(Shadow::default()).expect("is JSON");
    for key in keys.as_object().expect("is a section").keys() {
        let named = |key: &&str, list: &[(&str, &str)]| list.iter().any(|(known, _)| covers(key, known));
        let full = format!("shadow.{key}");
        assert_ne!(
            named(&&*full, &LIVE),
            named(&&*full, &FIXED),
            "{full} is in neither list, or in both"
        );
        assert_eq!(Shadow::FIXED.contains(&&**key), named(&&*full, &FIXED), "{full}");
    }
}

#[test]
fn targets_that_come_go_or_change_places_wait() {
    let two = "also: [{name: a, url: 'http://10.0.0.3:80'}, {name: b, url: 'http://10.0.0.4:80'}]";
    let turned = "also: [{name: b, url: 'http://10.0.0.4:80'}, {name: a, url: 'http://10.0.0.3:80'}]";
    for (before, wanted) in [(NEXT, "{}"), ("{}", NEXT), (NEXT, two), (two, turned)] {
        assert_eq!(reloaded(before, wanted), (vec![], vec!["also".to_owned()]));
    }
    // After its removal a key has the value of `shadow` again.
    let slow = file("also.next.timeout", "9s");
    assert_eq!(
        reloaded(&slow, NEXT),
        (vec!["also.next.timeout".to_owned()], vec![])
    );
    // Inherited values apply to the targets at once.
    let after = in_force(&parsed(NEXT), &parsed(&format!("{NEXT}shadow: {{timeout: 9s}}")));
    let targets = after.wanted().expect("two targets");
    assert_eq!(targets[1].shadow.timeout.0.as_secs(), 9);
}

#[test]
fn files_that_were_given_up_wait_for_a_restart() {
    let reach = |before: &str, wanted: &str| {
        let (before, wanted) = (parsed(before), parsed(wanted));
        let after = reached(&before, None, &before, &wanted);
        (differences(&before, &after), differences(&after, &wanted))
    };
    let tokens = |file: &str| {
        format!("shadow: {{timeout: 9s, credentials: {{replace: [{{cookie: a, file: {file}}}]}}}}")
    };
    let (timeout, replace) = (
        "shadow.timeout".to_owned(),
        "shadow.credentials.replace".to_owned(),
    );
    assert_eq!(
        reach("{}", &tokens("/etc/t/a")),
        (vec![timeout], vec![replace.clone()])
    );
    // In addition to the one that it reads already.
    assert_eq!(
        reach(&tokens("/etc/t/a"), &tokens("/etc/t/b")),
        (vec![replace.clone()], vec![])
    );
    assert_eq!(
        reach(
            "agent: {kill_file: /run/a/kill}",
            "agent: {kill_file: /run/b/kill}"
        ),
        (vec![], vec!["agent.kill_file".to_owned()])
    );
    let free = |file: &str| {
        format!(
            "{}, agent: {{confine: false}}}}",
            &tokens(file).replacen("shadow", "{shadow", 1)
        )
    };
    assert_eq!(reach(&free("/a/b"), &free("/c/d")), (vec![replace], vec![]));
}
