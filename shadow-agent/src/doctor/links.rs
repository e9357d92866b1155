//! The interfaces: other attached programs, and places where a packet would be seen twice.

use std::{collections::BTreeMap, fs, path::Path};

use shadow_common::chunk::MAX_BYTES;
use shadow_proto::engine::Counters;

use super::Finding;
use crate::{
    capture::{
        attach::{self, Hook, Other},
        control::{ControlError, find_running},
        guard,
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
            "cannot be looked for without CAP_SYS_ADMIN; `shadow kill` reaches one that hangs through its guard process",
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
    let locked = guard::locked(&fs::read_to_string("/proc/net/unix").unwrap_or_default());
    let finding = |at: &Interface| interface(at, locked.contains(&at.index));
    let mut findings: Vec<Finding> = all.iter().take(MOST).map(finding).collect();
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

/// Counters of connections that could not be read, the protocol, and what to do.
fn unread(engine: &Counters) -> [(u64, &'static str); 4] {
    [
        (
            engine.flows_http2,
            "HTTP/2 that could not be read (http2): the client's preface was not seen, or the server refused it",
        ),
        (engine.flows_tls, "TLS (tls): capture where it has ended"),
        (
            engine.flows_websocket,
            "WebSocket (websocket): nothing to compare",
        ),
        (
            engine.flows_unknown,
            "another protocol (unknown): is the port right?",
        ),
    ]
}

/// The protocols on the ports of the running agent.
pub fn protocols(engine: &Counters) -> Finding {
    const CHECK: &str = "protocols";
    let found: Vec<String> = unread(engine)
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} spoke {what}"))
        .collect();
    let opened = engine.flows_opened.saturating_add(engine.flows_midstream);
    let http2 = match engine.h2_connections {
        0 => String::new(),
        number => format!("{number} of them HTTP/2, "),
    };
    if found.is_empty() {
        return Finding::ok(
            CHECK,
            format!("{opened} connections to the mirrored ports, {http2}none of another protocol than HTTP"),
        );
    }
    Finding::warn(
        CHECK,
        format!(
            "of {opened} connections to the mirrored ports {http2}{}",
            found.join("; ")
        ),
    )
}

fn interface(at: &Interface, locked: bool) -> Finding {
    match attach::others(at) {
        Ok(others) => describe(&at.name, state(&at.name).as_deref(), &others, locked),
        Err(error) => Finding::warn(
            CHECK,
            format!(
                "{}: cannot tell what is attached, and in which order: {error}; that needs CAP_NET_ADMIN",
                at.name
            ),
        ),
    }
}

/// `locked` is whether an agent holds the lock of the interface.
pub(super) fn describe(name: &str, state: Option<&str>, others: &[Other], locked: bool) -> Finding {
    let state = state.unwrap_or("unknown");
    if others.iter().any(|other| other.ours.is_none()) {
        let names: Vec<&str> = others.iter().map(|other| other.name.as_str()).collect();
        let agent = if locked {
            "a Shadow agent is attached, and it is not known which of these is its own"
        } else {
            "no Shadow agent of this version is attached"
        };
        return Finding::warn(
            CHECK,
            format!(
                "{name} ({state}): {} (tcx), without names, which need CAP_SYS_ADMIN; {agent}. `shadow status` says what \
                 runs before the capture",
                names.join(", ")
            ),
        );
    }
    if others.is_empty() {
        return Finding::ok(CHECK, format!("{name} ({state}): nothing else is attached"));
    }
    let list = |ours: bool| {
        let programs = others.iter().filter(|other| other.ours == Some(ours));
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
            "{name} ({state}): {foreign}{}. One that ends the chain or redirects before ours hides those packets from the capture; \
             mirror another interface on the way if `shadow status` sees no packets",
            before(others)
        ),
    )
}

/// The programs that run before ours.
fn before(others: &[Other]) -> String {
    let mut names = Vec::new();
    for hook in [Hook::Ingress, Hook::Egress] {
        let at: Vec<&Other> = others.iter().filter(|other| other.hook == hook).collect();
        if at.iter().any(|other| other.ours == Some(true)) {
            let first = at.iter().take_while(|other| other.ours != Some(true));
            names.extend(first.map(|other| other.name.as_str()));
        }
    }
    if names.is_empty() {
        String::new()
    } else {
        format!("; before ours: {}", names.join(", "))
    }
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
            "the same packet passes {}{more}: mirror the ports and not the bridge, which does not see what its own ports \
             exchange. With both each request counts once, and each packet is copied twice",
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
