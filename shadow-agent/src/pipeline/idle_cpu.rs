//! Replays give way to production while the node has no idle CPU.
//!
//! Owns: how many replays may begin in a second. Replays cost the node CPU twice, here and in a shadow system beside
//! it; on a fully loaded node they would take it from production. Drops: replays over the allowance, as `node_busy`.
//! Bias: too little mirroring rather than too much; [`FLOOR`] is always allowed, so that a loaded node is still sampled
//! and recovery is noticed.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Replays a second that are always allowed.
const FLOOR: f64 = 500.0;

/// How often the node's load is read. The kernel counts in ticks of 10 ms, so a shorter period shows little.
const LOOK: Duration = Duration::from_millis(200);

/// An allowance above this is unlimited.
const UNLIMITED: f64 = 1e6;

/// Decides whether one more replay may begin now.
#[derive(Debug)]
pub(super) struct IdleCpuGate {
    /// Per cent of the node's CPU time that is kept idle; 0 never gives way. It may change at any time.
    idle_percent: Arc<AtomicU8>,
    /// `/proc/stat`; `None` if it does not exist.
    stat: Option<File>,
    allowance: Allowance,
    before: Option<Times>,
    looked: Instant,
}

/// CPU time of the whole node since it was started, in ticks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Times {
    idle: u64,
    all: u64,
}

/// A rate that falls by halves while the node is full and doubles while it is not.
#[derive(Debug)]
struct Allowance {
    /// The share of CPU time that should stay idle.
    reserve: f64,
    /// Replays a second; `None` while nothing limits them.
    rate: Option<f64>,
    /// Replays that may begin at once.
    tokens: f64,
    refilled: Instant,
    /// Begun since the last look.
    begun: u32,
}

impl IdleCpuGate {
    /// Keeps `idle_percent` of the node's CPU time idle.
    pub(super) fn new(idle_percent: Arc<AtomicU8>) -> Self {
        let now = Instant::now();
        let allowance = Allowance::new(f64::from(idle_percent.load(Relaxed)) / 100.0, now);
        Self {
            idle_percent,
            stat: File::open("/proc/stat").ok(),
            allowance,
            before: None,
            looked: now,
        }
    }

    /// Whether a replay may begin.
    pub(super) fn admits(&mut self) -> bool {
        let reserve = f64::from(self.idle_percent.load(Relaxed)) / 100.0;
        if self.stat.is_none() || reserve <= 0.0 {
            // An earlier measurement is of no use when limiting starts again.
            (self.before, self.allowance.rate) = (None, None);
            return true;
        }
        self.allowance.reserve = reserve;
        let now = Instant::now();
        self.look(now);
        self.allowance.take(now)
    }

    fn look(&mut self, now: Instant) {
        let span = now.saturating_duration_since(self.looked);
        if span < LOOK {
            return;
        }
        self.looked = now;
        let times = self.stat.as_ref().and_then(read);
        if let (Some(before), Some(times)) = (self.before, times) {
            self.allowance.adjust(times.idle_since(before), span);
        }
        self.before = times;
    }
}

/// The first line of `/proc/stat` (proc_stat(5)); waiting for a disk is idle, time stolen by the host is not.
fn read(stat: &File) -> Option<Times> {
    let mut line = [0; 256];
    let len = stat.read_at(&mut line, 0).ok()?;
    parse(line.get(..len)?)
}

fn parse(stat: &[u8]) -> Option<Times> {
    let line = stat.split(|byte| *byte == b'\n').next()?;
    let line = str::from_utf8(line).ok()?.strip_prefix("cpu ")?;
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some(Times {
        idle,
        all: ticks.iter().sum(),
    })
}

impl Times {
    /// The share of CPU time since `before` that was idle; all of it when no tick passed.
    #[expect(clippy::cast_precision_loss, reason = "ticks of a fraction of a second")]
    fn idle_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all);
        if all == 0 {
            return 1.0;
        }
        self.idle.saturating_sub(before.idle) as f64 / all as f64
    }
}

impl Allowance {
    fn new(reserve: f64, now: Instant) -> Self {
        Self {
            reserve,
            rate: None,
            tokens: 0.0,
            refilled: now,
            begun: 0,
        }
    }

    /// Adjusts the rate to the share of the last `span` that was idle.
    fn adjust(&mut self, idle: f64, span: Duration) {
        let begun = f64::from(self.begun) / span.as_secs_f64();
        self.begun = 0;
        if idle < self.reserve {
            let now = self.rate.map_or(begun, |rate| rate.min(begun));
            self.rate = Some((now / 2.0).max(FLOOR));
        } else if idle >= 2.0 * self.reserve {
            self.rate = self.rate.map(|rate| rate * 2.0).filter(|rate| *rate < UNLIMITED);
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.refilled);
        self.refilled = now;
        if let Some(rate) = self.rate {
            let most = rate * LOOK.as_secs_f64();
            self.tokens = rate.mul_add(since.as_secs_f64(), self.tokens).min(most);
            if self.tokens < 1.0 {
                return false;
            }
            self.tokens -= 1.0;
        }
        self.begun = self.begun.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `offered` replays a second begin during `looks` looks, each with this share of idle time.
    fn begun(allowance: &mut Allowance, now: &mut Instant, offered: u32, idle: f64, looks: u32) -> u32 {
        let mut begun = 0;
        for _ in 0..looks {
            for _ in 0..offered / 5 {
                *now += LOOK / (offered / 5);
                begun += u32::from(allowance.take(*now));
            }
            allowance.adjust(idle, LOOK);
        }
        begun
    }

    #[test]
    fn a_node_with_idle_time_is_not_limited() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(0.05, now);
        assert_eq!(begun(&mut allowance, &mut now, 50_000, 0.2, 10), 100_000);
    }

    #[test]
    fn a_full_node_falls_to_the_floor_and_comes_back() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(0.05, now);
        begun(&mut allowance, &mut now, 50_000, 0.0, 10);
        let full = begun(&mut allowance, &mut now, 50_000, 0.0, 5);
        assert!((450..=600).contains(&full), "{full} in a second on a full node");
        begun(&mut allowance, &mut now, 50_000, 0.5, 12);
        assert_eq!(begun(&mut allowance, &mut now, 50_000, 0.5, 5), 50_000);
    }

    #[test]
    fn few_replays_are_never_refused() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(0.05, now);
        begun(&mut allowance, &mut now, 50_000, 0.0, 10);
        now += Duration::from_secs(1);
        assert_eq!(begun(&mut allowance, &mut now, 400, 0.0, 10), 800);
    }

    #[test]
    fn what_is_kept_idle_can_change() {
        let percent = Arc::new(AtomicU8::new(0));
        let mut courtesy = IdleCpuGate::new(Arc::clone(&percent));
        courtesy.allowance.rate = Some(0.0);
        assert!(courtesy.admits(), "it never gives way");
        percent.store(50, Relaxed);
        assert!(courtesy.admits(), "and what was learnt before is forgotten");
        assert!((courtesy.allowance.reserve - 0.5).abs() < 1e-9);
        courtesy.allowance.rate = Some(0.0);
        assert!(!courtesy.admits(), "now it does");
    }

    #[test]
    fn the_node_says_how_idle_it_was() {
        let times = |text: &str| parse(text.as_bytes());
        let before = times("cpu  10 0 10 80 20 0 0 0 0 0\ncpu0 1 2\n");
        assert_eq!(before, Some(Times { idle: 100, all: 120 }));
        let after = times("cpu  100 0 10 80 30 0 0 0 0 0\n").unwrap();
        assert!((after.idle_since(before.unwrap()) - 0.1).abs() < 1e-9);
        assert_eq!(times("intr 5\n"), None);
        assert!(File::open("/proc/stat").is_ok_and(|stat| read(&stat).is_some()));
    }
}
