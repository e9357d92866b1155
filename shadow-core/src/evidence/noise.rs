//! Whether a difference between the two systems also occurs between two answers of one system.
//!
//! There are two kinds of evidence.
//!
//! *Thirds*: for a mismatch, a third answer to the same request. If both systems behave alike (are exchangeable),
//! production's answer is as likely to be the odd one of the three as the shadow system's: the difference *stays*
//! (the system that is asked again repeats itself) as often as it *reverts* (it answers as the other one did). That
//! is a fair coin, whatever the rate of the noise and whichever mismatches are chosen (compare McNemar 1947). The
//! third answer is production's next answer to the same request, or the shadow system's second one
//! ([`ThirdSystem`](super::ThirdSystem)).
//!
//! *Rates*: the share of pairs of answers of one system that have the difference ([`Background`](super::Background)),
//! compared with the share of the exchanges that have it.
//!
//! Production has precedence: a random difference that only the shadow system shows is a fault. The order is:
//! production's thirds that stay, the control target and recurring requests, the shadow system's thirds, its rates.
//! A difference is noise if there is enough evidence for it, none against it, and it occurs in both directions: a value
//! that is `null` at random is `null` as often in production as in the shadow system.
//!
//! Bias: towards undecided, which proves nothing either way. All tests hold at any time ([`anytime`]).
//! Not detected: wrong values of the same shape (and, for numbers, as far apart) as the noise, no more often than the
//! noise.

use super::{
    anytime::{self, CERTAIN, DECIDED, UNFAIR},
    numbers::float,
    report::{Compared, Standing, Third},
    stats::{Proportion, rounded, share},
};

/// The sources of pairs, the most significant first.
pub(crate) const SOURCES: [&str; 3] = ["control", "recurring", "twice"];

/// Evidence against a fair coin above which nothing is called noise.
pub(crate) const SUSPICIOUS: f64 = 4.0;

/// As [`SUSPICIOUS`], where most thirds differ from both other answers: such a system is known to vary.
pub(crate) const SUSPICIOUS_IF_VARYING: f64 = 40.0;

/// Thirds from which a system is known to vary.
const VARYING: u64 = 16;

/// Minimum number of thirds that can prove noise.
pub(crate) const ENOUGH: u64 = 8;

/// Upper limit of the thirds that are said to be needed.
const MOST_NEEDED: u64 = 100;

/// Number of production's thirds from which they overrule those of the shadow system.
const OVERRULED: u64 = 20;

/// The shadow system answers what production answers later.
pub(crate) const FRESHER: &str = "fresher";

/// Evidence on one shift: each count with the total it is a part of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// Exchanges with it.
    pub(crate) observed: (u64, u64),
    /// Exchanges with the same shift in the opposite direction; `None` if it has no direction.
    pub(crate) reverse: Option<u64>,
    /// Pairs with it, in the order of [`SOURCES`].
    pub(crate) background: [(u64, u64); 3],
    /// Third answers, by the system that was asked.
    pub(crate) production: Third,
    pub(crate) shadow: Third,
    /// Evidence is being collected, so having none yet proves nothing.
    pub(crate) expected: bool,
    /// Further elements of the same name with the same shift. Among many, some look suspicious by chance.
    pub(crate) siblings: u64,
}

/// The standing of a shift, and the reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stood {
    pub(crate) standing: Standing,
    pub(crate) why: &'static str,
    pub(crate) held: Option<Compared>,
}

impl Third {
    /// The sum of all three counts.
    pub(crate) fn all(&self) -> u64 {
        self.stays
            .saturating_add(self.reverts)
            .saturating_add(self.varies)
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            stays: self.stays.saturating_add(other.stays),
            reverts: self.reverts.saturating_add(other.reverts),
            varies: self.varies.saturating_add(other.varies),
        }
    }

    fn evidence(&self) -> f64 {
        anytime::unfair(self.stays, self.reverts)
    }

    /// Whether one of the two systems is the odd one more often than by chance.
    fn is_unfair(&self) -> bool {
        self.evidence() >= UNFAIR.ln()
    }

    /// Whether it may turn out to be unfair, as one of this many further ones.
    pub(crate) fn is_suspicious(&self, siblings: u64) -> bool {
        let is_varying = self.all() >= VARYING && self.varies >= self.all() / 2;
        let limit = if is_varying {
            SUSPICIOUS_IF_VARYING
        } else {
            SUSPICIOUS
        };
        let limit = (limit * float(siblings.saturating_add(1))).min(UNFAIR);
        self.evidence() >= limit.ln()
    }

    /// Whether the asked system is known to vary by itself as much as the two systems differ.
    pub(crate) fn is_noise(&self, siblings: u64) -> bool {
        let differ = self.reverts.saturating_add(self.varies);
        self.all() >= ENOUGH && differ >= self.all() / 3 && !self.is_suspicious(siblings)
    }

    /// Further thirds that would decide it, if all of them are of the kind that is most frequent so far.
    fn needed(&self) -> u64 {
        let stays = self.stays > self.reverts.saturating_add(self.varies);
        let decided = |more: u64| {
            let mut then = *self;
            let next = if stays { &mut then.stays } else { &mut then.varies };
            *next = next.saturating_add(more);
            then.is_unfair() || then.is_noise(0)
        };
        let enough = ENOUGH.saturating_sub(self.all());
        let (mut low, mut high) = (0, if decided(enough) { enough } else { MOST_NEEDED });
        while low < high {
            let middle = u64::midpoint(low, high);
            if decided(middle) {
                high = middle;
            } else {
                low = middle.saturating_add(1);
            }
        }
        low
    }
}

/// The standing of a shift, and the background that decided it.
pub(crate) fn stand(known: &Known) -> Stood {
    let Known {
        production,
        shadow,
        siblings,
        ..
    } = known;
    if production.is_unfair() && production.stays > production.reverts {
        return Stood::of(Standing::Regression, "production");
    }
    let overruled = production.all() >= OVERRULED && !production.is_suspicious(*siblings);
    let best = rates(known, overruled);
    // A second deployment of production is asked as late as the shadow system.
    if let Some((standing @ (Standing::Regression | Standing::Noise), held)) =
        best.as_ref().filter(|(_, held)| held.source == "control")
        && (*standing == Standing::Regression || production.is_unfair())
    {
        return Stood::held(*standing, "rate", held);
    }
    if production.is_unfair() {
        // Its later answers agree with the shadow system's earlier ones: the copied answer was the older one.
        return Stood::of(Standing::Undecided, FRESHER);
    }
    if shadow.is_unfair() && !(overruled && shadow.stays > shadow.reverts) {
        return Stood::of(Standing::Regression, "repeats");
    }
    if is_one_sided(known) {
        return match best {
            Some((_, held)) => Stood::held(Standing::Regression, "one_sided", &held),
            None => Stood::of(Standing::Regression, "one_sided"),
        };
    }
    let suspicious = production.is_suspicious(*siblings) && production.stays > production.reverts
        || shadow.is_suspicious(*siblings) && !overruled;
    match best {
        Some((Standing::Regression, held)) => Stood::held(Standing::Regression, "rate", &held),
        Some((Standing::Noise, held)) if !suspicious => Stood::held(Standing::Noise, "rate", &held),
        best => {
            // Production's own variation, or the shadow system's if nothing from production contradicts it.
            let noise = !suspicious && (production.is_noise(*siblings) || shadow.is_noise(*siblings));
            let standing = if noise {
                Standing::Noise
            } else if best.is_none() && shadow.all() == 0 && production.all() == 0 && !known.expected {
                Standing::Regression
            } else {
                Standing::Undecided
            };
            Stood {
                standing,
                why: match standing {
                    Standing::Noise => "repeats",
                    Standing::Regression => "unknown",
                    _ => "",
                },
                held: best.map(|(_, held)| held),
            }
        }
    }
}

impl Stood {
    pub(crate) fn of(standing: Standing, why: &'static str) -> Self {
        Self {
            standing,
            why,
            held: None,
        }
    }

    fn held(standing: Standing, why: &'static str, held: &Compared) -> Self {
        Self {
            standing,
            why,
            held: Some(held.clone()),
        }
    }
}

/// How many more repeated requests would settle an undecided shift.
pub(crate) fn needed(known: &Known) -> u64 {
    known.shadow.needed().max(1)
}

/// The first source that decides, or the one with the most pairs. Recurring requests are those that are sent often,
/// which may be those that never vary: their rate can show noise, but only their thirds a fault. The shadow system's
/// second answer comes so soon after its first that a changing value looks stable. Production overrules it where
/// production is known to vary.
fn rates(known: &Known, overruled: bool) -> Option<(Standing, Compared)> {
    let mut best: Option<(Standing, Compared)> = None;
    for (source, pairs) in SOURCES.into_iter().zip(known.background) {
        let Some((standing, compared)) = against(known.observed, pairs, source) else {
            continue;
        };
        if standing == Standing::Regression && (source == "recurring" || overruled && source == "twice") {
            continue;
        }
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
    best
}

fn against(observed: (u64, u64), pairs: (u64, u64), source: &str) -> Option<(Standing, Compared)> {
    let observed = (observed.0.min(observed.1), observed.1);
    let (low, high) = anytime::difference(observed, pairs)?;
    let rate = share(observed.0, observed.1)?;
    let known = anytime::sequence(pairs.0, pairs.1, DECIDED)?;
    let standing = if low > 0.0 {
        Standing::Regression
    } else if pairs.0 > 0 && known.0 >= rate / 2.0 {
        Standing::Noise
    } else {
        Standing::Undecided
    };
    let compared = Compared {
        source: source.to_owned(),
        pairs: Proportion::new(pairs.0, pairs.1),
        low: rounded(low),
        high: rounded(high),
    };
    Some((standing, compared))
}

/// Whether `observed` is not known to be more frequent than the background.
pub(crate) fn is_within(observed: (u64, u64), pairs: (u64, u64)) -> bool {
    let known = |part: (u64, u64)| anytime::sequence(part.0, part.1, CERTAIN);
    known(observed)
        .zip(known(pairs))
        .is_some_and(|((low, _), (_, high))| low <= high)
}

fn is_one_sided(known: &Known) -> bool {
    let there = known.observed.0;
    known
        .reverse
        .is_some_and(|reverse| there > reverse && anytime::unfair(there, reverse) >= UNFAIR.ln())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Noise, Regression, Undecided};

    fn standing(observed: (u64, u64), reverse: Option<u64>, background: [(u64, u64); 3]) -> Standing {
        let known = Known {
            observed,
            reverse,
            background,
            ..Known::default()
        };
        stand(&known).standing
    }

    const NONE: (u64, u64) = (0, 0);

    #[test]
    fn what_a_system_does_by_itself_is_noise_and_nothing_else_is() {
        for (observed, twice, expected) in [
            ((1000, 1000), (50, 50), Noise),
            ((1000, 1000), (8, 8), Noise),
            // A few pairs prove nothing yet.
            ((1000, 1000), (4, 4), Undecided),
            ((1000, 1000), (0, 50), Regression),
            ((1000, 1000), (0, 4), Regression),
            ((1000, 1000), (10, 50), Regression),
            ((200, 10_000), (0, 5_000), Regression),
            ((200, 10_000), (100, 5_000), Noise),
            ((200, 10_000), (0, 20), Undecided),
            ((200, 10_000), (4, 200), Undecided),
            ((3, 10_000), (6, 2_000), Noise),
            ((3, 10_000), (0, 2_000), Undecided),
        ] {
            assert_eq!(
                standing(observed, None, [NONE, NONE, twice]),
                expected,
                "{observed:?} against {twice:?}"
            );
        }
        assert_eq!(standing((5, 10), None, [NONE; 3]), Regression, "nothing is known");
        let expected = Known {
            observed: (5, 10),
            expected: true,
            ..Known::default()
        };
        assert_eq!(stand(&expected).standing, Undecided, "nothing is known yet");
    }

    #[test]
    fn noise_goes_both_ways() {
        let pairs = [NONE, NONE, (100, 5_000)];
        assert_eq!(standing((200, 10_000), Some(190), pairs), Noise);
        assert_eq!(
            standing((200, 10_000), Some(0), pairs),
            Regression,
            "the rewrite alone does it, also from one answer to the next"
        );
        assert_eq!(standing((2, 10_000), Some(0), pairs), Noise, "too few to tell");
    }

    #[test]
    fn production_itself_is_believed_first() {
        let flaky = (50, 50);
        assert_eq!(
            standing((1000, 1000), None, [(0, 60), NONE, flaky]),
            Regression,
            "production never does it"
        );
        assert_eq!(standing((1000, 1000), None, [(9, 9), (0, 60), NONE]), Noise);
        assert_eq!(
            standing((500, 1000), None, [NONE, (0, 60), flaky]),
            Noise,
            "recurring ones may be of other requests of the route"
        );
        // Too little is known about production.
        assert_eq!(standing((1000, 1000), None, [NONE, (1, 1), flaky]), Noise);
    }

    fn third(stays: u64, reverts: u64, varies: u64) -> Third {
        Third {
            stays,
            reverts,
            varies,
        }
    }

    #[test]
    fn a_third_answer_decides_what_is_rare() {
        for (shadow, expected) in [
            (third(20, 0, 0), Regression),
            (third(3, 0, 0), Undecided),
            // It varies, and by chance it stays a few times.
            (third(4, 0, 40), Noise),
            (third(11, 2, 105), Noise),
            // It varies, but one element in it never does.
            (third(8, 0, 40), Undecided),
            (third(20, 0, 400), Regression),
            (third(0, 0, 8), Noise),
            (third(4, 5, 0), Noise),
            (third(5, 4, 3), Noise),
            // Only the shadow system does it, occasionally.
            (third(0, 20, 0), Regression),
            (third(0, 5, 3), Undecided),
        ] {
            let known = Known {
                observed: (20, 10_000),
                background: [NONE, NONE, (0, 100)],
                shadow,
                expected: true,
                ..Known::default()
            };
            assert_eq!(stand(&known).standing, expected, "{shadow:?}");
        }
    }

    #[test]
    fn among_many_elements_some_look_suspicious() {
        let known = Known {
            observed: (20, 10_000),
            shadow: third(9, 1, 5),
            expected: true,
            ..Known::default()
        };
        assert_eq!(stand(&known).standing, Undecided);
        let one_of_many = Known {
            siblings: 199,
            ..known
        };
        assert_eq!(stand(&one_of_many).standing, Noise);
        let wrong = Known {
            shadow: third(20, 0, 2),
            ..one_of_many
        };
        assert_eq!(stand(&wrong).standing, Regression, "the same evidence as for one");
    }

    #[test]
    fn where_production_never_varies_the_shadow_system_may_not() {
        let known = Known {
            observed: (500, 500),
            background: [NONE, NONE, (25, 25)],
            shadow: third(0, 0, 25),
            ..Known::default()
        };
        assert_eq!(stand(&known).standing, Noise, "as far as the shadow system tells");
        let stood = stand(&Known {
            production: third(20, 0, 0),
            ..known
        });
        assert_eq!((stood.standing, stood.why), (Regression, "production"));
        let moving = stand(&Known {
            production: third(3, 2, 20),
            shadow: third(30, 0, 0),
            background: [NONE; 3],
            ..known
        });
        assert_eq!(moving.standing, Noise, "production itself moves on");
    }

    #[test]
    fn a_shadow_system_that_is_only_fresher_is_no_regression() {
        let known = Known {
            observed: (300, 1000),
            reverse: Some(0),
            production: third(1, 30, 2),
            shadow: third(40, 0, 0),
            expected: true,
            ..Known::default()
        };
        let stood = stand(&known);
        assert_eq!((stood.standing, stood.why), (Undecided, FRESHER));
        let control = stand(&Known {
            background: [(0, 300), NONE, NONE],
            ..known
        });
        assert_eq!(
            control.standing, Regression,
            "a second deployment is never fresher"
        );
    }

    #[test]
    fn what_would_settle_it_is_said() {
        let known = |shadow| Known {
            shadow,
            ..Known::default()
        };
        assert_eq!(needed(&known(third(0, 0, 0))), 8);
        assert_eq!(needed(&known(third(3, 0, 0))), 17);
        assert_eq!(needed(&known(third(0, 0, 5))), 3);
    }
}
