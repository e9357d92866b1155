//! The agent's resource use, as reported by the kernel.
//!
//! The files are opened at the start and read from their beginning each time: proc(5) generates their text anew. A
//! missing file (PSI before Linux 4.20, or switched off) is not limited.

use std::{fs::File, os::unix::fs::FileExt as _, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use super::Reading;

/// Reads once a second.
#[derive(Debug)]
pub struct Probe {
    status: Option<File>,
    cpu: Option<File>,
    memory: Option<File>,
    before: Option<Before>,
}

#[derive(Clone, Copy, Debug)]
struct Before {
    at: Duration,
    used: Duration,
    lost: u64,
    copied: u64,
}

impl Probe {
    /// Opens the files that exist.
    pub fn new() -> Self {
        let open = |path: &str| File::open(path).ok();
        Self {
            status: open("/proc/self/status"),
            cpu: open("/proc/pressure/cpu"),
            memory: open("/proc/pressure/memory"),
            before: None,
        }
    }

    /// Usage since the last call; `None` on the first. `lost` and `copied` are the kernel program's counters, `waiting`
    /// the largest share of the ring that waited to be read.
    pub fn read(&mut self, (lost, copied): (u64, u64), waiting: f64) -> Option<Reading> {
        let now = Before {
            at: clock(ClockId::Monotonic),
            used: clock(ClockId::ProcessCPUTime),
            lost,
            copied,
        };
        let before = self.before.replace(now)?;
        let passed = now.at.saturating_sub(before.at).as_secs_f64().max(1e-3);
        Some(Reading {
            cores: now.used.saturating_sub(before.used).as_secs_f64() / passed,
            memory: text(self.status.as_ref())
                .and_then(|text| resident(&text))
                .unwrap_or(0),
            lost: lost.saturating_sub(before.lost),
            copied: copied.saturating_sub(before.copied),
            waiting,
            cpu_pressure: text(self.cpu.as_ref()).and_then(|text| pressure(&text, "some")),
            memory_pressure: text(self.memory.as_ref()).and_then(|text| pressure(&text, "full")),
        })
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

fn clock(id: ClockId) -> Duration {
    let now = clock_gettime(id);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn text(file: Option<&File>) -> Option<String> {
    let mut text = [0; 4096];
    let len = file?.read_at(&mut text, 0).ok()?;
    Some(String::from_utf8_lossy(text.get(..len)?).into_owned())
}

/// `VmRSS` in proc_pid_status(5), in bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The share of the last ten seconds in a line of a pressure file (Documentation/accounting/psi.rst).
fn pressure(psi: &str, which: &str) -> Option<f64> {
    let line = psi.lines().find_map(|line| line.strip_prefix(which))?;
    let percent: f64 = line.split_once("avg10=")?.1.split(' ').next()?.parse().ok()?;
    Some(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_understood() {
        let psi = "some avg10=12.50 avg60=1.00 avg300=0.10 total=1\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=2\n";
        assert_eq!(
            (pressure(psi, "some"), pressure(psi, "full")),
            (Some(0.125), Some(0.03))
        );
        assert_eq!(pressure("some avg10=x", "some"), None);
        assert_eq!(resident("Name:\tshadow\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(resident("Name:\tshadow\n"), None);
    }

    #[test]
    fn this_process_uses_what_it_uses() {
        let mut probe = Probe::new();
        assert_eq!(probe.read((10, 100), 0.0), None);
        let held = vec![1u8; 64 << 20];
        let begin = std::time::Instant::now();
        let mut work = 0usize;
        while begin.elapsed() < Duration::from_millis(200) {
            work = work.wrapping_add(usize::from(held[work % held.len()]));
        }
        let reading = probe.read((15, 300), 0.25).expect("a second look");
        assert!(reading.cores > 0.02 && reading.cores < 64.0, "{reading:?}");
        assert!(reading.memory > 64 << 20, "{reading:?}, {work}");
        assert_eq!((reading.lost, reading.copied), (5, 200));
    }
}
