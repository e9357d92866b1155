//! Counters of the stages after the capture, once for each target: every sample carries `target`.

use std::fmt;

use prometheus_client::{encoding::NoLabelSet, metrics::MetricType, registry::Unit};
use shadow_core::{compare::Failure, evidence::report::ReplayNote, gate::SkipPolicy};
use shadow_proto::exchange::Incomplete;

use super::metrics::{LATENCY_BOUNDS, Latency, Writer};
use crate::{
    control::status::{Lane, RouteChecked},
    replay::BreakerState,
};

/// A metric's name, its meaning, and how it is read.
type Read = (&'static str, &'static str, fn(&Lane) -> u64);

impl Writer<'_, '_> {
    pub(super) fn queues(&mut self, lanes: &[Lane]) -> fmt::Result {
        let gauges: [Read; 6] = [
            ("queue_exchanges", "Exchanges that wait for a replay", |lane| {
                lane.queue.waiting
            }),
            ("queue_room_exchanges", "Exchanges that may wait", |lane| {
                lane.queue.room
            }),
            (
                "queue_bytes",
                "Exchanges that wait or are being replayed",
                |lane| lane.queue.bytes,
            ),
            ("paused", "Whether a trip rule has paused the target", |lane| {
                u64::from(lane.paused.is_some())
            }),
            (
                "breaker_open",
                "Whether the target is left alone because it fails",
                |lane| u64::from(lane.breaker != BreakerState::Closed),
            ),
            ("replays_in_flight", "Replays under way", |lane| {
                lane.queue.in_flight
            }),
        ];
        for (name, help, read) in gauges {
            self.gauges(name, help, lanes.iter().map(|lane| (of(lane), read(lane))))?;
        }
        let counters: [Read; 3] = [
            (
                "breaker_openings",
                "Times that the target was left alone because it failed",
                |lane| lane.breaker_opened,
            ),
            (
                "second_requests",
                "Answered requests that were sent once more to learn what is noise",
                |lane| lane.second,
            ),
            ("retries", "Requests that were sent again", |lane| lane.retries),
        ];
        for (name, help, read) in counters {
            self.counters(name, help, lanes.iter().map(|lane| (of(lane), read(lane))))?;
        }
        Ok(())
    }

    pub(super) fn verdicts(&mut self, lanes: &[Lane]) -> fmt::Result {
        let exchanges = lanes.iter().map(|lane| (of(lane), lane.funnel.exchanges));
        self.counters("exchanges", "Exchanges that came out of the engine", exchanges)?;
        let reasons = || {
            let policies = SkipPolicy::ALL.iter().map(|reason| reason.as_str());
            policies.chain(Incomplete::ALL.iter().map(|reason| reason.as_str()))
        };
        let skipped = lanes.iter().flat_map(|lane| {
            let count = |name: &str| lane.funnel.skipped.get(name).copied().unwrap_or(0);
            reasons().map(move |name| (with(lane, "reason", name), count(name)))
        });
        self.counters(
            "skipped_exchanges",
            "Exchanges that were not replayed, by reason",
            skipped,
        )?;
        let verdicts = lanes.iter().flat_map(|lane| {
            [
                (with(lane, "verdict", "match"), lane.funnel.matched),
                (with(lane, "verdict", "mismatch"), lane.funnel.mismatched),
                (with(lane, "verdict", "shadow_error"), lane.funnel.shadow_errors),
            ]
        });
        self.counters("replays", "Replayed exchanges by verdict", verdicts)?;
        let failures = lanes.iter().flat_map(|lane| {
            Failure::ALL.iter().map(|failure| {
                let count = lane.funnel.failures.get(failure.as_str()).copied().unwrap_or(0);
                (with(lane, "failure", failure.as_str()), count)
            })
        });
        self.counters(
            "replay_failures",
            "Replays without an answer of the shadow system, by failure",
            failures,
        )?;
        let notes = lanes.iter().flat_map(|lane| {
            ReplayNote::ALL.iter().map(|note| {
                let count = lane.funnel.notes.get(note.as_str()).copied().unwrap_or(0);
                (with(lane, "note", note.as_str()), count)
            })
        });
        self.counters(
            "replay_notes",
            "Replays that were sent or read in another way than the traffic says, by note",
            notes,
        )?;
        self.values(lanes)?;
        self.standings(lanes)
    }

    /// Values of the shadow system in place of production's.
    fn values(&mut self, lanes: &[Lane]) -> fmt::Result {
        let learning = || lanes.iter().filter_map(|lane| Some((lane, lane.values?)));
        let events = learning().flat_map(|(lane, values)| {
            let all: Vec<_> = values.counters.iter().collect();
            all.into_iter()
                .map(|(event, count)| (with(lane, "event", event), count))
        });
        self.counters("values", "Learned values, by what was done with them", events)?;
        let entries = learning().map(|(lane, values)| (of(lane), values.entries));
        self.gauges("value_pairs", "Pairs of values that are remembered", entries)?;
        let bytes = learning().map(|(lane, values)| (of(lane), values.bytes));
        self.gauges("value_pairs_bytes", "Bytes of these pairs", bytes)
    }

    /// The share of noise among the mismatches, and the number of pairs that show it.
    fn standings(&mut self, lanes: &[Lane]) -> fmt::Result {
        self.excused(lanes)?;
        // If nothing was compared: no sample rather than a zero that looks like an outage.
        let rates = lanes
            .iter()
            .filter_map(|lane| Some((of(lane), lane.match_rate.rate?)));
        self.gauges(
            "match_ratio",
            "Answers that are as they should be, of those that can be judged",
            rates,
        )?;
        self.checked(lanes)
    }

    /// How much is verified, and how many planted faults would have been found.
    fn checked(&mut self, lanes: &[Lane]) -> fmt::Result {
        self.gauges(
            "verified_ratio",
            "Share of the values of a route's answers that are compared exactly, by rule or by format",
            by_route(lanes, |route| route.verified),
        )?;
        self.gauges(
            "route_detection_power_ratio",
            "Share of the faults planted into copies of a route's answers that would have been found",
            by_route(lanes, |route| route.caught?.rate),
        )?;
        let power = || lanes.iter().map(|lane| (of(lane), lane.power));
        self.gauges(
            "detection_power_ratio",
            "Share of the faults planted into copies of answers that would have been found",
            power().filter_map(|(labels, power)| Some((labels, power.rate?))),
        )?;
        self.gauges(
            "detection_power_low_ratio",
            "Lower end of the 95 % interval of that share",
            power().filter_map(|(labels, power)| Some((labels, power.low?))),
        )?;
        self.gauges(
            "planted_faults",
            "Planted faults in the sample that these shares are of",
            power().map(|(labels, power)| (labels, whole(power.trials))),
        )
    }

    /// Mismatches that are excused, and on which evidence.
    fn excused(&mut self, lanes: &[Lane]) -> fmt::Result {
        let pairs = lanes.iter().flat_map(|lane| {
            let sources = [
                ("control", lane.background.control),
                ("recurring", lane.background.recurring),
                ("twice", lane.background.twice),
            ];
            sources.map(|(source, pairs)| (with(lane, "source", source), pairs.compared))
        });
        self.counters(
            "background_pairs",
            "Pairs of answers of the same system that were compared, by source",
            pairs,
        )?;
        let standings = lanes.iter().flat_map(|lane| {
            [
                (with(lane, "standing", "regression"), lane.funnel.regressions),
                (with(lane, "standing", "undecided"), lane.funnel.undecided),
                (with(lane, "standing", "noise"), lane.funnel.noise),
                (
                    with(lane, "standing", "after_skipped_write"),
                    lane.funnel.after_skipped_write,
                ),
            ]
        });
        // Not counters: later evidence changes earlier counts.
        self.gauges(
            "mismatches",
            "Mismatches by what they are taken for now",
            standings.map(|(labels, count)| (labels, whole(count))),
        )
    }

    pub(super) fn latencies(&mut self, latencies: &[Latency]) -> fmt::Result {
        let help = "From the last request byte on: production on the wire, shadow at the client socket";
        let mut family =
            self.0
                .encode_descriptor("latency", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for Latency {
            target,
            system,
            span,
            sum,
            counts,
        } in latencies
        {
            let bounds = LATENCY_BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
            family
                .encode_family(&[("target", target.as_str()), ("system", *system), ("span", *span)])?
                .encode_histogram::<NoLabelSet>(*sum, counts.iter().sum(), &buckets, None)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
fn whole(count: u64) -> f64 {
    count as f64
}

/// A figure of every route that has it.
fn by_route(
    lanes: &[Lane],
    figure: fn(&RouteChecked) -> Option<f64>,
) -> impl Iterator<Item = ([(&str, &str); 2], f64)> {
    lanes.iter().flat_map(move |lane| {
        let figured = lane.routes.iter();
        figured.filter_map(move |route| Some((with(lane, "route", &route.route), figure(route)?)))
    })
}

fn of(lane: &Lane) -> [(&str, &str); 1] {
    [("target", &lane.name)]
}

fn with<'a>(lane: &'a Lane, label: &'a str, value: &'a str) -> [(&'a str, &'a str); 2] {
    [("target", &lane.name), (label, value)]
}
