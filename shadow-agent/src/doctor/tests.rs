use shadow_proto::engine::Counters;

use super::*;
use crate::capture::attach::{Hook, Method, Other};

#[test]
fn kernels_are_told_apart() {
    for (release, level, says) in [
        ("5.4.0-150-generic", Level::Fail, "too old"),
        ("5.10.0-28-amd64", Level::Ok, "clsact"),
        ("6.1.0-18-amd64", Level::Ok, "clsact"),
        ("6.6.1", Level::Ok, "TCX"),
        ("6.18.5+", Level::Ok, "TCX"),
        ("custom", Level::Warn, "5.10"),
    ] {
        let found = host::kernel(release);
        assert_eq!(found.level, level, "{release}: {found:?}");
        assert!(found.text.contains(says), "{release}: {found:?}");
    }
}

#[test]
fn what_is_missing_fails_with_a_remedy() {
    assert_eq!(host::capabilities(&[]).level, Level::Ok);
    let found = host::capabilities(&["CAP_BPF"]);
    assert_eq!(found.level, Level::Fail);
    assert!(
        found.text.contains("CAP_BPF missing") && found.text.contains("sudo"),
        "{found:?}"
    );
}

#[test]
fn settings_are_read_as_the_kernel_writes_them() {
    assert_eq!(host::jit(Some("0\n")).level, Level::Warn);
    assert_eq!(host::jit(Some("1\n")).level, Level::Ok);
    assert_eq!(host::jit(None).level, Level::Ok);
    assert_eq!(host::memlock("6.1.0").level, Level::Ok);
    assert_eq!(
        host::lockdown(Some("none integrity [confidentiality]\n")).level,
        Level::Warn
    );
    assert_eq!(
        host::lockdown(Some("[none] integrity confidentiality\n")).level,
        Level::Ok
    );
    let mounts = "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n";
    assert!(host::bpffs(Some(mounts)).text.starts_with("mounted"));
    assert!(
        host::bpffs(Some("proc /proc proc rw 0 0\n"))
            .text
            .starts_with("not mounted")
    );
}

#[test]
fn what_the_agent_can_give_up_is_told() {
    let status = "Name:\tshadow\nSeccomp:\t0\n";
    assert_eq!(host::confinement(true, Some(status)).level, Level::Ok);
    let without = host::confinement(false, Some(status));
    assert_eq!(without.level, Level::Warn);
    assert!(without.text.contains("no Landlock"), "{}", without.text);
    assert!(
        host::confinement(true, Some("Name:\tshadow\n"))
            .text
            .contains("confine: false")
    );
}

fn other(name: &str, ours: bool) -> Other {
    Other {
        hook: Hook::Ingress,
        method: Method::Tcx,
        id: Some(1),
        name: name.to_owned(),
        ours: Some(ours),
    }
}

#[test]
fn programs_of_others_are_a_warning_and_ours_are_not() {
    let none = links::describe("eth0", Some("up"), &[], false);
    assert_eq!(
        (none.level, none.text.as_str()),
        (Level::Ok, "eth0 (up): nothing else is attached")
    );
    let ours = links::describe("eth0", Some("up"), &[other("shadow_ingress", true)], true);
    assert_eq!(ours.level, Level::Ok);
    let foreign = [other("cil_from_netdev", false), other("shadow_ingress", true)];
    let foreign = links::describe("eth0", None, &foreign, true);
    assert_eq!(foreign.level, Level::Warn);
    assert!(foreign.text.contains("cil_from_netdev (tcx)"), "{foreign:?}");
    assert!(
        foreign.text.contains("before ours: cil_from_netdev"),
        "{foreign:?}"
    );
    let unnamed = Other {
        ours: None,
        ..other("program 12", false)
    };
    for (locked, says) in [(true, "a Shadow agent is attached"), (false, "no Shadow agent")] {
        let found = links::describe("eth0", None, core::slice::from_ref(&unnamed), locked);
        assert_eq!(found.level, Level::Warn);
        assert!(
            found.text.contains("program 12") && found.text.contains(says),
            "{found:?}"
        );
    }
}

#[test]
fn a_port_and_its_bridge_are_a_duplicate() {
    assert_eq!(links::twice(&std::collections::BTreeMap::new()), None);
    let masters = [("veth1".to_owned(), "br0".to_owned())];
    let found = links::twice(&masters.into()).expect("a duplicate");
    assert!(
        found.text.contains("veth1 and br0: mirror the ports"),
        "{found:?}"
    );
}

#[test]
fn an_examination_tells_its_worst_and_every_finding_is_one_line() {
    let Examination { worst, findings, .. } = examine();
    assert!(findings.len() >= 10, "{findings:#?}");
    assert!(
        findings.iter().any(|finding| finding.level == worst),
        "{findings:#?}"
    );
    for finding in &findings {
        assert!(
            !finding.text.is_empty() && !finding.text.contains('\n'),
            "{finding:?}"
        );
    }
}

#[test]
fn packets_over_what_is_copied_are_a_warning() {
    let sizes = |list: &[(&str, u32)]| -> Vec<(String, u32)> {
        list.iter()
            .map(|(name, size)| ((*name).to_owned(), *size))
            .collect()
    };
    assert_eq!(links::big(&sizes(&[("lo", 65_536), ("eth0", 0)])), None);
    let found = links::big(&sizes(&[("lo", 65_536), ("eth0", 185_000), ("eth1", 524_280)])).unwrap();
    assert_eq!(found.level, Level::Warn);
    for part in [
        "eth0 (185000 bytes), eth1 (524280 bytes) may",
        "ip link set eth0 gso_max_size 65536",
    ] {
        assert!(found.text.contains(part), "{found:?}");
    }
    assert!(!found.text.contains("lo ("), "{found:?}");
}

#[test]
fn protocols_on_the_port_are_named() {
    let mut engine = Counters::default();
    engine.flows_opened = 7;
    let found = links::protocols(&engine);
    assert_eq!(found.level, Level::Ok);
    assert!(found.text.starts_with("7 connections"), "{found:?}");
    assert!(
        found.text.contains("none of another protocol than HTTP"),
        "{found:?}"
    );
    engine.h2_connections = 4;
    let found = links::protocols(&engine);
    assert_eq!(found.level, Level::Ok, "HTTP/2 is read");
    assert!(found.text.contains("4 of them HTTP/2"), "{found:?}");
    (engine.flows_midstream, engine.h2_connections) = (2, 0);
    (engine.flows_tls, engine.flows_http2) = (3, 1);
    let found = links::protocols(&engine);
    assert_eq!(found.level, Level::Warn);
    for part in [
        "of 9 connections",
        "1 spoke HTTP/2 that could not be read (http2)",
        "3 spoke TLS (tls)",
    ] {
        assert!(found.text.contains(part), "{found:?}");
    }
    assert!(!found.text.contains("WebSocket"), "{found:?}");
}
