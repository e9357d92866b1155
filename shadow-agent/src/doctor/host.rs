//! The kernel, the privileges and the namespaces.

use std::{fs, path::Path};

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::capture::{
    attach::Method,
    load::{LoadOptions, Program},
};

/// A file of the kernel's, if it can be read.
pub(super) fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The release of the running kernel, such as `6.1.0-18-amd64`.
pub(super) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|char: char| !char.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub(super) fn kernel(release: &str) -> Finding {
    const CHECK: &str = "kernel";
    match version(release) {
        None => Finding::warn(
            CHECK,
            format!("{release:?} is no release that is understood; Linux 5.10 is needed"),
        ),
        Some(found) if found < (5, 10) => Finding::fail(
            CHECK,
            format!("{release} is too old: the kernel program was never loaded on less than Linux 5.10"),
        ),
        Some(found) if found < (6, 6) => Finding::ok(
            CHECK,
            format!(
                "{release}: attaches by clsact. After kill -9 the program stays attached, copies nothing, and is \
                 removed by the next start"
            ),
        ),
        Some(_) => Finding::ok(
            CHECK,
            format!("{release}: attaches by TCX, gone with the agent; no BTF needed"),
        ),
    }
}

pub(super) fn capabilities(missing: &[&str]) -> Finding {
    const CHECK: &str = "capabilities";
    if missing.is_empty() {
        return Finding::ok(CHECK, "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are there");
    }
    Finding::fail(
        CHECK,
        format!(
            "{} missing: the kernel program cannot be loaded or attached; use sudo, or give the container these",
            missing.join(", ")
        ),
    )
}

/// The one reliable check: the verifier, seccomp, LSMs and lockdown can all refuse.
pub(super) fn program() -> Finding {
    const CHECK: &str = "kernel program";
    let options = LoadOptions {
        ring_bytes: 64 << 10,
        ..LoadOptions::default()
    };
    match Program::load(&options) {
        Ok(_gone_again) => Finding::ok(
            CHECK,
            format!(
                "loads; it would be attached by {}",
                Method::of_this_kernel().as_str()
            ),
        ),
        Err(error) => Finding::fail(CHECK, format!("does not load: {error}").replace('\n', "; ")),
    }
}

pub(super) fn jit(setting: Option<&str>) -> Finding {
    const CHECK: &str = "bpf jit";
    match setting.map(str::trim) {
        Some("0") => Finding::warn(
            CHECK,
            "off: each packet costs several times as much; sysctl net.core.bpf_jit_enable=1",
        ),
        Some(_) => Finding::ok(CHECK, "on"),
        None => Finding::ok(CHECK, "not reported by this kernel, or hidden in this container"),
    }
}

pub(super) fn memlock(release: &str) -> Finding {
    const CHECK: &str = "locked memory";
    if version(release).is_some_and(|found| found >= (5, 11)) {
        return Finding::ok(
            CHECK,
            "maps count against the memory of the control group, not against RLIMIT_MEMLOCK",
        );
    }
    match getrlimit(Resource::Memlock).maximum {
        None => Finding::ok(CHECK, "unlimited"),
        Some(most) => Finding::warn(
            CHECK,
            format!(
                "the hard limit is {most} bytes and this kernel counts maps against it: without CAP_SYS_RESOURCE a ring larger \
                 than that cannot be made; raise `ulimit -l`"
            ),
        ),
    }
}

pub(super) fn bpffs(mounts: Option<&str>) -> Finding {
    const CHECK: &str = "bpffs";
    let mounted =
        mounts.is_some_and(|mounts| mounts.lines().any(|line| line.split(' ').nth(2) == Some("bpf")));
    let there = if mounted { "mounted" } else { "not mounted" };
    Finding::ok(CHECK, format!("{there}; not needed, nothing is pinned"))
}

pub(super) fn lockdown(mode: Option<&str>) -> Finding {
    const CHECK: &str = "lockdown";
    match mode {
        Some(mode) if mode.contains("[confidentiality]") => Finding::warn(
            CHECK,
            "confidentiality: kernel programs may be restricted; the check \"kernel program\" says whether ours is",
        ),
        Some(_) => Finding::ok(CHECK, "not in the way"),
        None => Finding::ok(CHECK, "not reported by this kernel, or hidden in this container"),
    }
}

/// The privileges that the agent can give up once it runs.
pub(super) fn confinement(landlock: bool, status: Option<&str>) -> Finding {
    const CHECK: &str = "confinement";
    let seccomp = status.is_some_and(|status| status.lines().any(|line| line.starts_with("Seccomp:")));
    match (landlock, seccomp) {
        (true, true) => Finding::ok(CHECK, "capabilities, files (Landlock) and system calls (seccomp)"),
        (false, true) => Finding::warn(
            CHECK,
            "capabilities and system calls (seccomp); this kernel has no Landlock or it is off (Linux 5.13, `lsm=landlock`), so \
             a running agent may open files as its user may",
        ),
        (_, false) => Finding::warn(
            CHECK,
            "this kernel has no seccomp: set `agent.confine: false`, or the agent will not start",
        ),
    }
}

/// A container sees the interfaces of its own network namespace only.
pub(super) fn namespaces() -> Finding {
    const CHECK: &str = "namespaces";
    let contained = ["/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|path| Path::new(path).exists())
        || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let own = fs::read_link("/proc/self/ns/net").ok();
    let first = fs::read_link("/proc/1/ns/net").ok();
    match (own, first) {
        (Some(own), Some(first)) if own != first => Finding::warn(
            CHECK,
            "this is not the network namespace of process 1: only the interfaces listed here can be mirrored",
        ),
        _ if contained => Finding::warn(
            CHECK,
            "in a container: with a network of its own it sees only its own interfaces (host network shows the node's)",
        ),
        _ => Finding::ok(CHECK, "the network namespace of process 1"),
    }
}
