//! The processes of an agent's pod, and that each has the privileges of its own work only.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::nodes::{Cluster, NODES};

/// Where a container has its token, if it has one.
const TOKEN: &str = "root/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Bits of the capabilities (`linux/capability.h`).
const NET_ADMIN: u64 = 1 << 12;
const SYS_PTRACE: u64 = 1 << 19;
const SYS_ADMIN: u64 = 1 << 21;
const BPF: u64 = 1 << 39;

/// The commands that the agent's processes run as.
const ROLES: [&str; 4] = ["run", "guard", "attach", "discover"];

/// A process of the pod.
#[derive(Debug)]
struct Process {
    /// One of [`ROLES`].
    role: String,
    capabilities: u64,
    user: String,
    has_token: bool,
}

/// The agent captures, the guard kills, the attach process enters namespaces, discovery asks the API server: none can
/// do the work of another.
pub(super) fn separate(cluster: &Cluster) -> Result<String> {
    let mut seen = 0;
    for node in NODES {
        let processes = processes(&cluster.agent(node)?.uid)?;
        let of = |role: &str| {
            let mut found = processes.iter().filter(|process| process.role == role);
            found
                .next()
                .with_context(|| format!("no process `{role}`: {processes:?}"))
        };
        let (agent, guard, attach, discovery) = (of("run")?, of("guard")?, of("attach")?, of("discover")?);
        let may = |process: &Process, what: u64| process.capabilities & what != 0;
        ensure!(
            discovery.has_token && discovery.capabilities == 0,
            "{discovery:?}"
        );
        ensure!(discovery.user != "0", "{discovery:?}");
        for process in [agent, guard, attach] {
            ensure!(!process.has_token, "{process:?}");
        }
        ensure!(may(attach, SYS_ADMIN) && may(attach, SYS_PTRACE), "{attach:?}");
        for process in [agent, guard] {
            ensure!(!may(process, SYS_ADMIN | SYS_PTRACE), "{process:?}");
        }
        ensure!(may(guard, NET_ADMIN) && may(guard, BPF), "{guard:?}");
        ensure!(!may(agent, NET_ADMIN), "{agent:?}");
        seen += processes.len();
    }
    Ok(format!(
        "{seen} processes in 2 pods; the token and each capability are where they belong"
    ))
}

/// The processes of `shadow` in the cgroups of a pod.
fn processes(uid: &str) -> Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let folder = entry?.path();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let cmdline = read("cmdline");
        let words: Vec<&str> = cmdline.split('\0').collect();
        let (true, [_, role, ..]) = (read("cgroup").contains(uid), &*words) else {
            continue;
        };
        // The pod has another process, of the runtime.
        if !ROLES.contains(role) {
            continue;
        }
        let status = read("status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next())
                .map(str::to_owned)
        };
        let capabilities = field("CapEff:").context("no capabilities")?;
        found.push(Process {
            role: (*role).to_owned(),
            capabilities: u64::from_str_radix(&capabilities, 16)?,
            user: field("Uid:").context("no user")?,
            has_token: folder.join(TOKEN).exists(),
        });
    }
    Ok(found)
}
