use std::{path::Path, time::Duration};

use super::*;

fn refused(text: &str) -> String {
    Config::parse(Path::new("shadow.yaml"), text)
        .expect_err(text)
        .to_string()
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_place() {
    let table = [
        (
            "capture:\n  interfaces: [lo]\n  ringsize: 64MiB\n",
            "shadow.yaml:3:3: unknown key `ringsize` in `capture`; did you mean `ring_size`?",
        ),
        (
            "shdow:\n  url: http://a:1\n",
            "shadow.yaml:1:1: unknown key `shdow` at the top level; did you mean `shadow`?",
        ),
        (
            "noise:\n  twins: 2s\n",
            "shadow.yaml:2:3: unknown key `twins` in `noise`: it is called `recurring` now",
        ),
        (
            "interfaces: [lo]\n",
            "shadow.yaml:1:1: unknown key `interfaces` at the top level; it belongs in `capture`",
        ),
        (
            "compare:\n  wavelength: 3\n",
            "shadow.yaml:2:3: unknown key `wavelength` in `compare`; known are headers, header_presence, status, same_status, errors, error_type, ignore, mask, places, tolerance, numbers, numbers_as_strings, structure, text, redirects, arrays, nulls, added, proto_descriptors, routes, discrepancies, decoded",
        ),
        (
            "capture:\n  targets: [8080]\n\n  sample: 5\n",
            "shadow.yaml:4:11: capture.sample: \"5\" is no rate between 0% and 100%; write for example 5% or 0.5%",
        ),
        (
            "capture:\n  ring_size: big\n",
            "shadow.yaml:2:14: capture.ring_size: \"big\" is no size; write for example 512KiB, 64MiB or 1GiB",
        ),
        (
            "shadow:\n  url: http://a:1\n  timeout: soon\n",
            "shadow.yaml:3:12: shadow.timeout: \"soon\" is no duration; write for example 200ms, 5s, 2m or 1h",
        ),
        (
            "shadow:\n  url: a:1\n",
            "shadow.yaml:2:8: shadow.url: \"a:1\" is no shadow URL: it has no scheme; write for example http://10.0.0.2:9090",
        ),
        (
            "capture:\n  targets:\n    - 8080\n    - 10.0.0.1\n",
            "shadow.yaml:4:7: capture.targets[1]: \"10.0.0.1\" is no target: write a port (8080) or an address with a port \
             (10.0.0.1:8080, [::1]:8080)",
        ),
        (
            "redact:\n  paths:\n    - $.patient.\n",
            "shadow.yaml:3:7: redact.paths[0]: \"$.patient.\" is no path that can be used, at column 11: expected a name; \
             write other names as ['name']",
        ),
        (
            "shadow:\n  writes: maybe\n",
            "shadow.yaml:2:11: shadow.writes: unknown variant `maybe`, expected one of `skip`, `replay`, `dry_run`, `record_only`",
        ),
    ];
    for (text, line) in table {
        assert_eq!(refused(text), line, "{text}");
    }
}

#[test]
fn broken_yaml_names_a_line() {
    let error = refused("capture:\n  interfaces: [lo\nshadow: {}\n");
    assert!(
        error.starts_with("shadow.yaml:3:7: did not find expected ',' or ']'"),
        "{error}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let missing = folder.path().join("none.yaml");
    let error = Config::load(&missing).expect_err("no such file").to_string();
    assert!(
        error.starts_with(&format!("cannot read the configuration {}: ", missing.display())),
        "{error}"
    );
    assert!(error.contains("--config"), "{error}");

    let huge = folder.path().join("huge.yaml");
    std::fs::write(&huge, vec![b'#'; 2 << 20]).expect("write");
    let error = Config::load(&huge).expect_err("too large").to_string();
    assert!(error.contains("larger than 1 MiB"), "{error}");
}

#[test]
fn descriptors_are_read_once_for_all_targets() {
    let set = "../shadow-core/tests/descriptors/shop.pb";
    let read = |path: &str| {
        let text = format!(
            "compare: {{proto_descriptors: {path}}}\nalso: [{{name: b, url: 'http://b:1', compare: {{added: allow}}}}]\n"
        );
        let mut config = Config::parse(Path::new("x"), &text).expect("a configuration");
        config.read_descriptors().map(|()| config)
    };
    let config = read(set).expect("a set");
    let wanted = config.wanted().expect("targets");
    assert_eq!(wanted.len(), 2);
    for wanted in wanted {
        let known = wanted.compare.proto_descriptors;
        assert!(known.is_some_and(|known| known.is_read()), "{}", wanted.name);
    }
    for (path, printed) in [
        (
            "/none.pb",
            "compare.proto_descriptors (--proto-descriptors): /none.pb cannot be read: ",
        ),
        ("Cargo.toml", "Cargo.toml is no usable set of descriptors: "),
    ] {
        let error = read(path).expect_err(path).to_string();
        assert!(error.contains(printed), "{error}");
    }
    let own = "also: [{name: b, url: 'http://b:1', compare: {proto_descriptors: a.pb}}]\n";
    let error = Config::parse(Path::new("x"), own).expect_err(own).to_string();
    assert!(error.contains("proto_descriptors is for all targets"), "{error}");
}

fn good() -> Config {
    Config::parse(Path::new("example"), example::EXAMPLE).expect("the example parses")
}

#[test]
fn the_example_shows_the_defaults_and_every_key() {
    let mut shown = good();
    assert_eq!(shown.problems(), []);
    // The three values that are marked (example).
    shown.capture.interfaces.clear();
    shown.capture.targets.clear();
    shown.shadow.url = None;
    assert_eq!(shown, Config::default());

    let serde_json::Value::Object(sections) = serde_json::to_value(Config::default()).expect("serialises")
    else {
        panic!("a configuration is a mapping");
    };
    for (section, keys) in sections {
        if keys.is_array() {
            assert!(
                example::EXAMPLE.contains(&format!("\n{section}: ")),
                "{section} is not in the example"
            );
            continue;
        }
        for key in keys.as_object().expect("a section is a mapping").keys() {
            assert!(
                example::EXAMPLE.contains(&format!("\n  {key}:")),
                "{section}.{key} is not in the example"
            );
        }
    }
}

#[test]
fn a_configuration_survives_writing_and_reading() {
    let config = good();
    let text = serde_yaml_ng::to_string(&config).expect("serialises");
    assert_eq!(Config::parse(Path::new("again"), &text).expect(&text), config);
}

type Change = fn(&mut Config);

const CANNOT_WORK: [(Change, &str); 18] = [
    (
        |c| c.capture.interfaces.clear(),
        "capture.interfaces (--interface): no interface is named; name at least one",
    ),
    (
        |c| c.capture.interfaces = vec!["a/b".into()],
        "capture.interfaces (--interface): \"a/b\" cannot be the name",
    ),
    (
        |c| c.capture.interfaces = vec!["an-interface-too-long".into()],
        "capture.interfaces (--interface): \"an-interface-too-long\" is longer than",
    ),
    (
        |c| c.capture.interfaces = vec!["veth[".into()],
        "capture.interfaces (--interface): \"veth[\" is no pattern",
    ),
    (
        |c| c.capture.targets.clear(),
        "capture.targets (--port, --target): no production endpoint is named; name at least one",
    ),
    (
        |c| c.capture.ring_size = Size::bytes(3 << 20),
        "capture.ring_size (--ring-size): 3MiB is no power of two from 64KiB to 1GiB; give",
    ),
    (
        |c| c.capture.heartbeat = Span(Duration::ZERO),
        "capture.heartbeat: 0ns is not between 1s and 60s; give for example 5s",
    ),
    (
        |c| c.shadow.url = None,
        "shadow.url (--shadow): no shadow system is named; name it",
    ),
    (
        |c| c.shadow.observe = true,
        "shadow.url (--shadow) and shadow.observe (--observe): exclude each other",
    ),
    (
        |c| {
            c.shadow.url = None;
            c.shadow.observe = true;
            c.shadow.writes = writes::WriteMode::Replay.into();
        },
        "shadow.writes (--writes) and shadow.observe (--observe): writes cannot",
    ),
    (
        |c| c.shadow.timeout = Span(Duration::ZERO),
        "shadow.timeout (--timeout): 0ns is not between 1ms and 600s; give for example 5s",
    ),
    (
        |c| c.shadow.concurrency = 0,
        "shadow.concurrency (--concurrency): 0 is out of range; it must be 1 to 65536",
    ),
    (
        |c| c.shadow.queue = 0,
        "shadow.queue (--queue): 0 is out of range; it must be 1 to 1048576",
    ),
    (
        |c| c.agent.duration = Some(Span(Duration::ZERO)),
        "agent.duration (--duration): is zero",
    ),
    (
        |c| c.compare.same_status = vec![vec![200]],
        "compare.same_status[0]: one status code is the same as no other; write [200, 204]",
    ),
    (
        |c| c.gates.match_rate = 1.0,
        "gates.match_rate: 1 is not at least 0 and below 1; `shadow config example`",
    ),
    (
        |c| c.evidence.groups = 0,
        "evidence.groups: 0 leaves nothing to report; give at least 1",
    ),
    (
        |c| c.limits.fields = 1,
        "limits.fields: 1 is too small to complete anything; give at least 16",
    ),
];

#[test]
fn each_combination_that_cannot_work_is_one_line() {
    for (change, line) in CANNOT_WORK {
        let mut config = good();
        change(&mut config);
        let problems: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 1, "{line}: {problems:#?}");
        assert!(problems[0].starts_with(line), "{}\nis not\n{line}", problems[0]);
        assert!(!problems[0].contains('\n'), "{}", problems[0]);
    }
}

#[test]
fn targets_are_a_port_or_an_endpoint() {
    for (text, shown) in [
        ("8080", "8080"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
    ] {
        assert_eq!(text.parse::<Target>().expect(text).to_string(), shown);
    }
    for text in [
        "",
        "0",
        "65536",
        "10.0.0.1",
        "10.0.0.1:0",
        "localhost:80",
        "::1:80:",
    ] {
        text.parse::<Target>().expect_err(text);
    }
}

#[test]
fn shadow_urls_say_what_is_wrong_with_them() {
    for (text, host, port) in [
        ("http://a", "a", 80),
        ("http://127.0.0.1:9090/", "127.0.0.1", 9090),
        ("http://[::1]:81", "::1", 81),
        ("https://a", "a", 443),
        ("https://a:80", "a", 80),
    ] {
        let url: ShadowUrl = text.parse().expect(text);
        assert_eq!((url.host(), url.port()), (host, port), "{text}");
    }
    for (text, why) in [
        ("127.0.0.1:9090", "no scheme"),
        ("ftp://a", "scheme is not http or https"),
        ("http://", "RFC 3986"),
        ("http://a:0", "port is not"),
        ("http://a:70000", "port"),
        ("http://a:", "port is not"),
        ("http://u:p@a", "user and password"),
        ("http://a/base", "keep their own path"),
        ("http://a b", "RFC 3986"),
    ] {
        let error = text.parse::<ShadowUrl>().expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

const TWO: &str = "\
shadow:
  url: http://a:1
  timeout: 3s
  concurrency: 8
also:
  - name: next
    url: http://b:1
    timeout: 1s
    compare: {arrays: multiset}
  - name: twin
    role: control
    url: http://c:1
";

#[test]
fn further_targets_inherit_what_they_do_not_say() {
    let config = Config::parse(Path::new("two"), TWO).expect(TWO);
    let wanted = config.wanted().expect("targets");
    let seen: Vec<_> = wanted
        .iter()
        .map(|target| {
            (
                target.name.as_str(),
                target.role.as_str(),
                target.shadow.timeout.0,
                target.shadow.concurrency,
            )
        })
        .collect();
    let secs = Duration::from_secs;
    assert_eq!(
        seen,
        [
            ("shadow", "shadow", secs(3), 8),
            ("next", "shadow", secs(1), 8),
            ("twin", "control", secs(3), 8),
        ]
    );
    assert_ne!(wanted[0].compare, wanted[1].compare);
    assert_eq!(wanted[0].compare, wanted[2].compare);
    let text = serde_yaml_ng::to_string(&config).expect("serialises");
    assert_eq!(Config::parse(Path::new("again"), &text).expect(&text), config);
}

#[test]
fn what_is_wrong_in_a_further_target_is_said_with_its_place() {
    for (item, line) in [
        (
            "{name: next, tmeout: 1s}",
            "shadow.yaml:4:18: unknown key `tmeout` in `also[0]`; did you mean `timeout`?",
        ),
        (
            "{name: next, timeout: soon}",
            "shadow.yaml:4:27: also[0].timeout: \"soon\" is no duration; write for example 200ms, 5s, 2m or 1h",
        ),
        (
            "{name: next, role: boss}",
            "shadow.yaml:4:24: also[0].role: unknown variant `boss`, expected `shadow` or `control`",
        ),
    ] {
        let text = format!("shadow:\n  url: http://a:1\nalso:\n  - {item}\n");
        assert_eq!(refused(&text), line, "{text}");
    }
}

#[test]
fn further_targets_that_cannot_work_are_named() {
    for (item, at) in [
        ("{name: next}", "also[0].url: is missing"),
        (
            "{name: Next, url: http://b:1}",
            "also[0].name: \"Next\" is no name",
        ),
        (
            "{name: shadow, url: http://b:1}",
            "also[0].name: \"shadow\" is the name of another",
        ),
        ("{name: next, url: http://a:1}", "also[0].url: is that of another"),
        (
            "{name: next, url: http://b:1, concurrency: 0}",
            "also[0].concurrency: 0 is out of range",
        ),
    ] {
        let text = format!(
            "capture: {{interfaces: [lo], targets: [80]}}\nshadow:\n  url: http://a:1\nalso:\n  - {item}\n"
        );
        let config = Config::parse(Path::new("also"), &text).expect(&text);
        let said: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        assert!(matches!(&*said, [one] if one.starts_with(at)), "{at}: {said:?}");
    }
}
