//! CPU time by role, and how much of the machine others took meanwhile.

use std::{fs, path::PathBuf};

/// Nanoseconds on a CPU of every thread of a process.
pub(super) fn of(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// A cgroup for this process and all that it starts: counts their CPU time together, and gives them a large share, so
/// that other work on the machine does not decide the result. Only where cgroup v1 is mounted; elsewhere it does nothing.
#[derive(Debug)]
pub(super) struct Group {
    directories: Vec<PathBuf>,
}

const ROOT: &str = "/sys/fs/cgroup";

impl Group {
    /// Joins it.
    pub(super) fn join() -> Self {
        let name = format!("shadow-bench-{}", std::process::id());
        let mut directories = Vec::new();
        for controller in ["cpu", "cpuacct"] {
            let directory = PathBuf::from(ROOT).join(controller).join(&name);
            if fs::create_dir(&directory).is_err() {
                continue;
            }
            // Two million tasks' worth of the default share; refused by cpuacct, which has no shares.
            drop(fs::write(directory.join("cpu.shares"), "200000"));
            drop(fs::write(
                directory.join("cgroup.procs"),
                std::process::id().to_string(),
            ));
            directories.push(directory);
        }
        Self { directories }
    }

    /// Nanoseconds of CPU that everybody else has used so far.
    pub(super) fn foreign(&self) -> Option<u64> {
        let ours = self
            .directories
            .iter()
            .find_map(|directory| number(&directory.join("cpuacct.usage")))?;
        let all = number(&PathBuf::from(ROOT).join("cpuacct/cpuacct.usage"))?;
        Some(all.saturating_sub(ours))
    }
}

fn number(path: &std::path::Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in &self.directories {
            if let Some(parent) = directory.parent() {
                drop(fs::write(
                    parent.join("cgroup.procs"),
                    std::process::id().to_string(),
                ));
            }
            // Fails while a child still ends; an empty group costs nothing.
            drop(fs::remove_dir(directory));
        }
    }
}
