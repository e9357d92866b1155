//! Whether an interface is too busy for another program on each of its packets.

use std::{collections::BTreeMap, fs, io, thread, time::Duration};

use crate::capture::links::Pattern;

/// Packets a second above which `--force` is needed.
pub(crate) const BUSY: u64 = 50_000;

/// How long packets are counted.
const SPAN: Duration = Duration::from_millis(500);

/// Packets that each interface of this network namespace passes in a second, now.
pub(crate) fn rates() -> io::Result<BTreeMap<String, u64>> {
    let count = || Ok::<_, io::Error>(packets(&fs::read_to_string("/proc/self/net/dev")?));
    let before = count()?;
    thread::sleep(SPAN);
    let after = count()?;
    Ok(since(&before, &after, SPAN))
}

/// The busiest of the interfaces, if it is over [`BUSY`], with its rate.
pub(crate) fn busy<'r>(rates: &'r BTreeMap<String, u64>, patterns: &[Pattern]) -> Option<(&'r str, u64)> {
    let wanted = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
    let all = rates.iter().filter(|(name, _)| wanted(name));
    let (name, rate) = all.max_by_key(|(_, rate)| **rate)?;
    (*rate > BUSY).then_some((name.as_str(), *rate))
}

fn since(
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
    span: Duration,
) -> BTreeMap<String, u64> {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = |(name, now): (&String, &u64)| {
        let more = now.saturating_sub(before.get(name).copied().unwrap_or(*now));
        (name.clone(), more.saturating_mul(1_000) / millis)
    };
    after.iter().map(rate).collect()
}

/// Packets received and sent by each interface, from `/proc/net/dev` (proc(5)).
fn packets(table: &str) -> BTreeMap<String, u64> {
    let row = |line: &str| {
        let (name, counts) = line.split_once(':')?;
        let counts: Vec<u64> = counts
            .split_ascii_whitespace()
            .map(|count| count.parse().unwrap_or(0))
            .collect();
        Some((name.trim().to_owned(), counts.get(1)? + counts.get(9)?))
    };
    table.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
  eth0: 99000     900    0    0    0     0          0         0    55000     100    0    0    0     0       0          0
";

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).expect("a pattern")
    }

    #[test]
    fn packets_of_both_directions_count() {
        let before = packets(TABLE);
        assert_eq!(before["lo"], 20);
        assert_eq!(before["eth0"], 1_000);
        let after = packets(&TABLE.replace("     900 ", "   30901 "));
        let rates = since(&before, &after, Duration::from_millis(500));
        assert_eq!((rates["lo"], rates["eth0"]), (0, 60_002));
        assert_eq!(busy(&rates, &[pattern("eth*")]), Some(("eth0", 60_002)));
        assert_eq!(busy(&rates, &[pattern("lo")]), None);
        // A new interface has no rate yet.
        assert_eq!(since(&BTreeMap::new(), &after, SPAN)["eth0"], 0);
    }

    #[test]
    fn this_kernel_counts_packets() {
        assert!(rates().expect("/proc/self/net/dev").contains_key("lo"));
    }
}
