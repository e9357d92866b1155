//! A rate limit without accumulated credit.
//!
//! The generic cell rate algorithm (ITU-T I.371): one number, the time at which the account will be even again. Taking
//! units moves it forward; a caller that finds it too far ahead waits or is refused. Because it is never earlier than
//! the clock, an idle hour or an outage gives no credit: in any span of `t` seconds at most `rate * t` units and one
//! [`BURST`] of them are taken.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use tokio::time::Instant;

/// The burst that may be taken at once: the units of this long, and always one.
pub(crate) const BURST: Duration = Duration::from_millis(100);

/// A rate that is never exceeded. Any thread may take.
#[derive(Debug)]
pub(crate) struct Pace {
    origin: Instant,
    /// Nanoseconds of one unit.
    cost: f64,
    /// How far the account may be ahead of the clock.
    ahead: u64,
    /// When the account is even, in nanoseconds since `origin`.
    even: AtomicU64,
}

impl Pace {
    /// `rate` units a second; those of `burst` may be taken at once.
    pub(crate) fn new(rate: f64, burst: Duration) -> Self {
        let cost = 1e9 / rate.max(f64::MIN_POSITIVE);
        let burst = whole(burst.as_secs_f64() * 1e9);
        Self {
            origin: Instant::now(),
            cost,
            // One unit is always free when the account is even, so a burst is that one and those ahead of it.
            ahead: burst.saturating_sub(whole(cost)),
            even: AtomicU64::new(0),
        }
    }

    /// Another rate. As many units are free as before, and those that were taken ahead are still owed: a change gives
    /// nothing for free, however often it is made.
    pub(crate) fn changed(&self, rate: f64, burst: Duration) -> Self {
        let other = Self::new(rate, burst);
        #[expect(clippy::cast_precision_loss, reason = "an account of seconds")]
        let (taken, held, room) = (
            self.even.load(SeqCst).saturating_sub(self.now()) as f64,
            self.ahead as f64 + self.cost,
            other.ahead as f64 + other.cost,
        );
        let free = (held - taken) / self.cost * other.cost;
        other.even.store(whole(room - free.min(room)), SeqCst);
        other
    }

    /// Takes `units` when they are free within `patience`, and returns how long to wait for them.
    pub(crate) fn reserve(&self, units: u64, patience: Duration) -> Option<Duration> {
        let now = self.now();
        let patience = whole(patience.as_secs_f64() * 1e9);
        let mut even = self.even.load(SeqCst);
        loop {
            let from = even.max(now);
            let wait = from.saturating_sub(self.ahead).saturating_sub(now);
            if wait > patience {
                return None;
            }
            let next = from.saturating_add(self.of(units));
            match self.even.compare_exchange(even, next, SeqCst, SeqCst) {
                Ok(_) => return Some(Duration::from_nanos(wait)),
                Err(other) => even = other,
            }
        }
    }

    /// Takes `units` that are free now.
    pub(crate) fn take(&self, units: u64) -> bool {
        self.reserve(units, Duration::ZERO).is_some()
    }

    /// Takes `units` whether they are free or not: later ones wait for them.
    pub(crate) fn charge(&self, units: u64) {
        // With unlimited patience it never refuses.
        self.reserve(units, Duration::MAX);
    }

    fn of(&self, units: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "bytes of one exchange stay far below 2^52"
        )]
        let units = units as f64;
        whole(units * self.cost)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Rounded, and limited to the range.
fn whole(nanos: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cast to the nearest integer there is"
    )]
    let whole = nanos.round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The times of all takes of a caller that takes as fast as possible, in milliseconds.
    async fn taken(pace: &Pace, span: Duration) -> Vec<u128> {
        let begin = Instant::now();
        let mut taken = Vec::new();
        while begin.elapsed() < span {
            if pace.take(1) {
                taken.push(begin.elapsed().as_millis());
            } else {
                advance(MS).await;
            }
        }
        taken
    }

    fn most_within(taken: &[u128], window: u128) -> usize {
        let count = |from: &u128| {
            taken
                .iter()
                .filter(|at| (*from..from + window).contains(at))
                .count()
        };
        taken.iter().map(count).max().unwrap_or(0)
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_from_the_start_in_every_window() {
        let taken = taken(&Pace::new(100.0, BURST), Duration::from_secs(5)).await;
        assert!((500..=510).contains(&taken.len()), "{}", taken.len());
        assert_eq!(most_within(&taken, 1), 10, "one burst");
        assert!(most_within(&taken, 1000) <= 110, "{}", most_within(&taken, 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_without_any_gives_no_credit() {
        let pace = Pace::new(100.0, BURST);
        advance(Duration::from_hours(1)).await;
        let taken = taken(&pace, Duration::from_secs(2)).await;
        assert!(most_within(&taken, 1000) <= 110, "{}", most_within(&taken, 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn less_than_one_a_second_is_one_now_and_then() {
        let taken = taken(&Pace::new(0.5, BURST), Duration::from_secs(9)).await;
        assert_eq!(taken, [0, 2000, 4000, 6000, 8000]);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_come_one_after_the_other() {
        let pace = Pace::new(10.0, Duration::ZERO);
        let second = Duration::from_secs(1);
        let waits: Vec<_> = (0..12).map_while(|_| pace.reserve(1, second)).collect();
        assert_eq!(waits.len(), 11, "what would wait longer goes without: {waits:?}");
        assert!(
            waits.windows(2).all(|two| two[1] == two[0] + 100 * MS),
            "{waits:?}"
        );
        sleep(second).await;
        assert_eq!(pace.reserve(1, second), Some(100 * MS));
    }

    #[tokio::test(start_paused = true)]
    async fn another_rate_gives_nothing_for_free() {
        let mut pace = Pace::new(10.0, Duration::from_secs(1));
        let first = (0..100).filter(|_| pace.take(1)).count();
        assert_eq!(first, 10);
        for _ in 0..100 {
            pace = pace.changed(10.0, Duration::from_secs(1));
            assert!(!pace.take(1), "however often it is changed");
        }
        let faster = pace.changed(100.0, Duration::from_secs(1));
        assert!(!faster.take(1));
        advance(500 * MS).await;
        assert_eq!((0..1000).filter(|_| faster.take(1)).count(), 50);
        let slower = pace.changed(1.0, Duration::ZERO);
        assert!(slower.take(1), "five were free again");
        // Debt is kept in units.
        slower.charge(9);
        let wait = slower
            .changed(10.0, Duration::ZERO)
            .reserve(1, Duration::from_mins(1));
        assert_eq!(wait, Some(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_one_is_paid_for_afterwards() {
        let pace = Pace::new(1000.0, BURST);
        assert!(pace.take(5000), "one is always let through");
        assert_eq!(pace.reserve(1, 10 * MS), None);
        advance(Duration::from_secs(5)).await;
        assert!(pace.take(1));
        pace.charge(1000);
        assert!(!pace.take(1));
    }
}
