//! CPU time by role, and the share of the machine that other processes took meanwhile.

use std::{fs, path::PathBuf, time::Duration};

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

/// User and system time of a whole process, ended threads included, in ticks of 10 ms (proc_pid_stat(5)).
pub(super) fn whole(pid: u32) -> Option<Duration> {
    let fields = stat(pid)?;
    // utime and stime are the 14th and 15th field, and the state, which comes first here, the 3rd.
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

/// Whether the process has ended but has not been waited for yet.
pub(super) fn is_zombie(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| fields.first().is_none_or(|state| state == "Z"))
}

/// The fields after the name. The name may contain anything.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// A cgroup for this process and all its children. It counts their CPU time together and gives them a large share, so
/// that other work on the machine does not affect the result. Does nothing unless cgroup v1 is mounted.
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
            // Two million times the default share; refused by cpuacct, which has no shares.
            drop(fs::write(directory.join("cpu.shares"), "200000"));
            drop(fs::write(
                directory.join("cgroup.procs"),
                std::process::id().to_string(),
            ));
            directories.push(directory);
        }
        Self { directories }
    }

    /// Nanoseconds of CPU that all other processes have used so far.
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
            // Fails while a child is still ending; an empty group costs nothing.
            drop(fs::remove_dir(directory));
        }
    }
}
