//! Whether a difference between the two systems is one that a system has with itself.
//!
//! Three sources tell how often a system differs from itself ([`Background`](super::Background)). Production's own
//! differences say most, so the control target is asked first, then twins, and the shadow system's own last: it may be
//! the fault of the rewrite that it answers differently every time.
//!
//! What is observed is a share of the route's compared exchanges; for a shift between values of one shape also of those
//! in which the place did not differ in shape only, whichever fits better. It is noise when all of this holds:
//! - Newcombe's interval for (observed - background) includes zero or less, at 99.9 %: hundreds of shifts are looked
//!   at again and again, and of a hundred at 95 % five would be called faults by chance.
//! - The pairs are enough: the lower bound (95 %) of the background alone is at least half of what is observed. Without
//!   this few pairs, whose interval is wide, would excuse everything.
//! - It goes both ways: a value that is `null` by chance is so in production as often as in the shadow system. Of the
//!   exchanges with `uuid -> null` or `null -> uuid`, the share of the former is not above one half (Wilson, 99.9 %;
//!   this is McNemar's test). Without this a rewrite that fails now and then would excuse itself, as it also differs
//!   from itself then.
//!
//! Bias: towards a regression. What is undecided counts as one.
//! Not seen: wrong values of the same shape (and, for numbers, as far apart) as the noise, no more often than the noise.

use super::{
    report::{Compared, Standing},
    stats::{self, Proportion, rounded, share},
};

/// The two-sided 99.9 % quantile of the normal distribution.
const Z: f64 = 3.290_526_731_491_89;

/// The sources by how much they say.
pub(crate) const SOURCES: [&str; 3] = ["control", "twins", "twice"];

/// What is known of one shift: each count with the number it is a part of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Exchanges with it.
    pub(crate) observed: (u64, u64),
    /// Exchanges with the same the other way round; `None` when it has no direction.
    pub(crate) reverse: Option<u64>,
    /// Pairs with it, in the order of [`SOURCES`].
    pub(crate) background: [(u64, u64); 3],
}

/// What it is taken for, and the background that decided.
pub(crate) fn stand(known: &Known) -> (Standing, Option<Compared>) {
    let mut best: Option<(Standing, Compared)> = None;
    for (source, pairs) in SOURCES.into_iter().zip(known.background) {
        let Some((standing, compared)) = against(known.observed, pairs, source) else {
            continue;
        };
        let decided = standing != Standing::Undecided;
        let more = best
            .as_ref()
            .is_none_or(|(_, best)| best.pairs.trials < compared.pairs.trials);
        if decided || more {
            best = Some((standing, compared));
        }
        if decided {
            break;
        }
    }
    match best {
        None => (Standing::Regression, None),
        Some((Standing::Noise, compared)) if is_one_sided(known) => (Standing::Regression, Some(compared)),
        Some((standing, compared)) => (standing, Some(compared)),
    }
}

fn against(observed: (u64, u64), pairs: (u64, u64), source: &str) -> Option<(Standing, Compared)> {
    let observed = (observed.0.min(observed.1), observed.1);
    let (low, high) = stats::newcombe_at(Z, observed, pairs)?;
    let rate = share(observed.0, observed.1)?;
    let background = Proportion::new(pairs.0, pairs.1);
    let standing = if low > 0.0 {
        Standing::Regression
    } else if background.low.is_some_and(|low| low >= rate / 2.0) && pairs.0 > 0 {
        Standing::Noise
    } else {
        Standing::Undecided
    };
    let compared = Compared {
        source: source.to_owned(),
        pairs: background,
        low: rounded(low),
        high: rounded(high),
    };
    Some((standing, compared))
}

fn is_one_sided(known: &Known) -> bool {
    known.reverse.is_some_and(|reverse| {
        let there = known.observed.0;
        stats::wilson_at(Z, there, there.saturating_add(reverse)).is_some_and(|(low, _)| low > 0.5)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(observed: (u64, u64), reverse: Option<u64>, background: [(u64, u64); 3]) -> Standing {
        stand(&Known {
            observed,
            reverse,
            background,
        })
        .0
    }

    const NONE: (u64, u64) = (0, 0);

    #[test]
    fn what_a_system_does_by_itself_is_noise_and_nothing_else_is() {
        use Standing::{Noise, Regression, Undecided};
        for (observed, twice, expected) in [
            ((1000, 1000), (50, 50), Noise),
            ((1000, 1000), (4, 4), Noise),
            // One pair proves nothing yet.
            ((1000, 1000), (1, 1), Undecided),
            ((1000, 1000), (0, 50), Regression),
            ((1000, 1000), (10, 50), Regression),
            ((200, 10_000), (0, 5_000), Regression),
            ((200, 10_000), (100, 5_000), Noise),
            ((200, 10_000), (0, 20), Undecided),
            ((200, 10_000), (4, 200), Undecided),
            ((3, 10_000), (4, 2_000), Noise),
            ((3, 10_000), (0, 2_000), Undecided),
        ] {
            assert_eq!(
                standing(observed, None, [NONE, NONE, twice]),
                expected,
                "{observed:?} against {twice:?}"
            );
        }
        assert_eq!(standing((5, 10), None, [NONE; 3]), Regression, "nothing is known");
    }

    #[test]
    fn noise_goes_both_ways() {
        let pairs = [NONE, NONE, (100, 5_000)];
        assert_eq!(standing((200, 10_000), Some(190), pairs), Standing::Noise);
        assert_eq!(
            standing((200, 10_000), Some(0), pairs),
            Standing::Regression,
            "the rewrite alone does it, also from one answer to the next"
        );
        assert_eq!(
            standing((2, 10_000), Some(0), pairs),
            Standing::Noise,
            "too few to tell"
        );
    }

    #[test]
    fn production_itself_is_believed_first() {
        let flaky = (50, 50);
        assert_eq!(
            standing((1000, 1000), None, [NONE, (0, 60), flaky]),
            Standing::Regression,
            "production never does it"
        );
        assert_eq!(
            standing((1000, 1000), None, [(9, 9), (0, 60), NONE]),
            Standing::Noise
        );
        // Too little is known of production.
        assert_eq!(
            standing((1000, 1000), None, [NONE, (1, 1), flaky]),
            Standing::Noise
        );
    }
}
