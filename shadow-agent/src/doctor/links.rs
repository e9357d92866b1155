//! The interfaces: other attached programs, and places where a packet would be seen twice.

use std::{collections::BTreeMap, fs, path::Path};

use shadow_common::chunk::MAX_BYTES;

use super::Finding;
use crate::{
    capture::{
        attach::{self, Other},
        control::{ControlError, find_running},
        netlink::{self, Interface},
    },
    state::Owner,
};

const CHECK: &str = "interface";

/// Interfaces that are shown by name; a node with more of them has veths of pods.
const MOST: usize = 32;

/// Agents that run on this host.
pub(super) fn agents() -> Finding {
    const CHECK: &str = "agents";
    let own = Owner::this_process();
    // The program that was loaded by another check may still be about to be unloaded.
    let others = find_running().map(|mut found| {
        found.retain(|agent| (agent.pid, agent.started) != (own.pid, own.started));
        found
    });
    match others {
        Ok(found) if found.is_empty() => Finding::ok(CHECK, "none is running"),
        Ok(found) => {
            let names: Vec<String> = found
                .iter()
                .map(|agent| {
                    let state = match agent.control.is_armed() {
                        Ok(true) => "mirroring",
                        Ok(false) => "killed",
                        Err(_) => "its switch cannot be read",
                    };
                    format!("pid {} ({state})", agent.pid)
                })
                .collect();
            Finding::ok(
                CHECK,
                format!(
                    "{}; a second one cannot have the same interface",
                    names.join(", ")
                ),
            )
        }
        Err(ControlError::NotPermitted) => Finding::warn(
            CHECK,
            "cannot be looked for without CAP_SYS_ADMIN, so `shadow kill` cannot reach one that hangs; use sudo",
        ),
        Err(error) => Finding::warn(CHECK, error.to_string()),
    }
}

/// Every interface, and findings about their combination.
pub(super) fn interfaces() -> Vec<Finding> {
    let all = match netlink::interfaces() {
        Ok(all) => all,
        Err(error) => {
            return vec![Finding::fail(
                CHECK,
                format!("interfaces cannot be listed: {error}"),
            )];
        }
    };
    let mut findings: Vec<Finding> = all.iter().take(MOST).map(interface).collect();
    if let Some(more) = all.len().checked_sub(MOST).filter(|more| *more > 0) {
        findings.push(Finding::ok(CHECK, format!("and {more} more, not looked at")));
    }
    let masters = all
        .iter()
        .filter_map(|at| Some((at.name.clone(), master(&at.name)?)));
    findings.extend(twice(&masters.collect()));
    let sizes = netlink::Requests::new().and_then(|mut requests| requests.largest_packets());
    findings.extend(big(&sizes.unwrap_or_default()));
    findings
}

/// Interfaces that pass packets of which the kernel program copies only the beginning.
pub(super) fn big(sizes: &[(String, u32)]) -> Option<Finding> {
    // A packet also has headers, which are not copied.
    let over = |size: u32| usize::try_from(size).is_ok_and(|size| size > MAX_BYTES);
    let found: Vec<&(String, u32)> = sizes.iter().filter(|(_, size)| over(*size)).collect();
    let (name, _) = found.first()?;
    let shown: Vec<String> = found
        .iter()
        .take(4)
        .map(|(name, size)| format!("{name} ({size} bytes)"))
        .collect();
    let more = if found.len() > shown.len() {
        ", and more"
    } else {
        ""
    };
    Some(Finding::warn(
        "big_tcp",
        format!(
            "{}{more} may pass packets over 64 KiB (BIG TCP), of which 64 KiB are copied: longer answers are incomplete \
             (truncated). If `shadow report` says so: `ip link set {name} gso_max_size 65536 gro_max_size 65536 \
             gso_ipv4_max_size 65536 gro_ipv4_max_size 65536`",
            shown.join(", ")
        ),
    ))
}

/// Counters of connections that spoke another protocol than HTTP/1, the protocol, and what to do.
const PROTOCOLS: [(&str, &str); 4] = [
    (
        "flows_http2",
        "HTTP/2 (http2): capture where a proxy speaks HTTP/1.1",
    ),
    ("flows_tls", "TLS (tls): capture where it has ended"),
    ("flows_websocket", "WebSocket (websocket): nothing to compare"),
    ("flows_unknown", "another protocol (unknown): is the port right?"),
];

/// The protocols on the ports of the running agent.
pub fn protocols(engine: &BTreeMap<String, u64>) -> Finding {
    const CHECK: &str = "protocols";
    let found: Vec<String> = PROTOCOLS
        .iter()
        .filter_map(|(name, what)| {
            let count = engine.get(*name).filter(|count| **count > 0)?;
            Some(format!("{count} spoke {what}"))
        })
        .collect();
    let opened = engine.get("flows_opened").copied().unwrap_or_default();
    let opened = opened + engine.get("flows_midstream").copied().unwrap_or_default();
    if found.is_empty() {
        return Finding::ok(
            CHECK,
            format!("{opened} connections to the mirrored ports, none of another protocol than HTTP/1"),
        );
    }
    Finding::warn(
        CHECK,
        format!(
            "of {opened} connections to the mirrored ports {}",
            found.join("; ")
        ),
    )
}

fn interface(at: &Interface) -> Finding {
    match attach::others(at) {
        Ok(others) => describe(&at.name, state(&at.name).as_deref(), &others),
        Err(error) => Finding::warn(
            CHECK,
            format!("{}: what is attached cannot be listed: {error}", at.name),
        ),
    }
}

pub(super) fn describe(name: &str, state: Option<&str>, others: &[Other]) -> Finding {
    let state = state.unwrap_or("unknown");
    if others.is_empty() {
        return Finding::ok(CHECK, format!("{name} ({state}): nothing else is attached"));
    }
    let list = |ours: bool| {
        let programs = others.iter().filter(|other| other.ours == ours);
        let mut names: Vec<String> = programs
            .map(|other| format!("{} ({})", other.name, other.method.as_str()))
            .collect();
        names.dedup();
        names.join(", ")
    };
    let (own, foreign) = (list(true), list(false));
    if foreign.is_empty() {
        return Finding::ok(
            CHECK,
            format!("{name} ({state}): a Shadow agent is attached: {own}"),
        );
    }
    Finding::warn(
        CHECK,
        format!(
            "{name} ({state}): {foreign}. One that ends the chain or redirects before ours hides those packets from the capture; \
             mirror another interface on the way if `shadow status` sees no packets"
        ),
    )
}

/// Interfaces whose packets also pass another one: a port of a bridge or bond, and that bridge or bond.
pub(super) fn twice(masters: &BTreeMap<String, String>) -> Option<Finding> {
    if masters.is_empty() {
        return None;
    }
    let pairs: Vec<String> = masters
        .iter()
        .take(4)
        .map(|(port, master)| format!("{port} and {master}"))
        .collect();
    let more = if masters.len() > pairs.len() {
        ", and more"
    } else {
        ""
    };
    Some(Finding::warn(
        "duplicates",
        format!(
            "the same packet passes {}{more}: mirror one of the two. Both work, each request counts once, and each packet is \
             copied twice",
            pairs.join(", ")
        ),
    ))
}

fn master(name: &str) -> Option<String> {
    let link = fs::read_link(Path::new("/sys/class/net").join(name).join("master")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

fn state(name: &str) -> Option<String> {
    let state = fs::read_to_string(Path::new("/sys/class/net").join(name).join("operstate")).ok()?;
    Some(state.trim().to_owned())
}
