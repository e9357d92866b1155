//! The interfaces: other attached programs, and places where a packet would be seen twice.

use std::{collections::BTreeMap, fs, path::Path};

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
    findings
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
