//! How the agent of a node fares, for the status of the test.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use shadow_core::evidence::Ruling;
use shadow_proto::units::Rate;

use crate::{
    config::test_status::{Degraded, DegradedReason, NodeStatus},
    control::status::{Inside, Status},
    replay::BreakerState,
    whole,
};

/// How long something has to be wrong before it is reported: a pod that has just started is not attached yet.
const SETTLE: Duration = Duration::from_secs(10);

/// The state of the agent of a node.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct NodeState {
    /// The test of the agent.
    pub test: String,
    /// The entry for the status of the test, without the name of the node.
    pub status: NodeStatus,
    /// The reason of a kill.
    pub killed: Option<String>,
    /// How often the agent did something by itself to stay harmless.
    pub trips: u64,
    /// The last of it.
    pub last_trip: String,
}

/// The state that was written last; `None` when there is none.
pub fn read_state(file: &Path) -> Option<NodeState> {
    serde_json::from_slice(&whole::read(file).ok()?).ok()
}

/// The state that was written last.
#[derive(Debug)]
pub(super) struct Reported {
    file: PathBuf,
    last: NodeState,
    /// Since when something is wrong that may pass.
    wrong_since: Option<Instant>,
}

impl Reported {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            last: NodeState::default(),
            wrong_since: None,
        }
    }

    /// The agent has ended with this exit code.
    pub(super) fn failed(&mut self, test: &str, code: u8) {
        let mut state = NodeState {
            test: test.to_owned(),
            ..NodeState::default()
        };
        let message = format!("the agent ended with exit code {code}; its log says why");
        state.status.degraded = Some(Degraded::new(DegradedReason::AgentNotRunning, message));
        self.write(state);
    }

    /// The agent has this status, or does not answer.
    pub(super) fn tell(&mut self, test: &str, status: Option<&Status>) {
        let now = Instant::now();
        let mut state = match status {
            Some(status) => of(test, status),
            None if self.last.test == test => self.last.clone(),
            None => NodeState {
                test: test.to_owned(),
                ..NodeState::default()
            },
        };
        if status.is_none() {
            let message = "the agent does not answer";
            state.status.degraded = Some(Degraded::new(DegradedReason::AgentNotRunning, message));
        }
        state.status.degraded = self.settled(state.status.degraded.take(), now);
        self.write(state);
    }

    /// The fault, if it cannot pass by itself or has been so for a while.
    fn settled(&mut self, degraded: Option<Degraded>, now: Instant) -> Option<Degraded> {
        let Some(degraded) = degraded else {
            self.wrong_since = None;
            return None;
        };
        let since = *self.wrong_since.get_or_insert(now);
        let is_certain = matches!(
            degraded.reason,
            DegradedReason::Killed | DegradedReason::ShadowFailing
        );
        (is_certain || now.duration_since(since) >= SETTLE).then_some(degraded)
    }

    fn write(&mut self, state: NodeState) {
        if state == self.last {
            return;
        }
        let written = serde_json::to_vec(&state)
            .map_err(io::Error::from)
            .and_then(|text| whole::publish(&self.file, &text));
        match written {
            Ok(()) => self.last = state,
            Err(error) => tracing::warn!(%error, "the state of the agent cannot be passed on"),
        }
    }
}

fn of(test: &str, status: &Status) -> NodeState {
    let is_attached = |pod: &&Inside| !pod.interfaces.is_empty();
    let coverage = status.lanes.first().map(|lane| &lane.coverage);
    let count = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
    let phase = &status.rollout.phase;
    NodeState {
        test: test.to_owned(),
        killed: status.killed.as_ref().map(|killed| killed.why.clone()),
        trips: status.trips_total,
        last_trip: status
            .trips
            .last()
            .map_or_else(String::new, |trip| trip.reason.clone()),
        status: NodeStatus {
            node: String::new(),
            pods: count(status.namespaces.len()),
            attached: count(status.namespaces.iter().filter(is_attached).count()),
            wanted: coverage.map_or(0, |coverage| coverage.trials),
            compared: coverage.map_or(0, |coverage| coverage.successes),
            verdict: verdict(status).as_str().to_owned(),
            phase: (!phase.is_empty()).then(|| format!("{phase} ({})", status.rollout.stage.as_str())),
            sample: Some(Rate::from_fraction(status.sample).to_string()),
            degraded: degraded(status),
        },
    }
}

fn verdict(status: &Status) -> Ruling {
    status
        .lanes
        .first()
        .map_or_else(Ruling::default, |lane| lane.ruling)
}

/// The worst that is wrong.
fn degraded(status: &Status) -> Option<Degraded> {
    if let Some(killed) = &status.killed {
        let message = format!("stopped by {}: {}", killed.who, killed.why);
        return Some(Degraded::new(DegradedReason::Killed, message));
    }
    let said = |pod: &Inside, why: &str| {
        let text = pod.text.as_deref().unwrap_or(why);
        format!("{}: {text}", pod.name)
    };
    let of_pods = |reason: DegradedReason, is: fn(&str) -> bool| {
        let found = status.namespaces.iter().find_map(|pod| {
            let why = pod.blind.as_deref().filter(|why| is(why))?;
            Some(said(pod, why))
        });
        found.map(|message| Degraded::new(reason, message))
    };
    let failing = status
        .lanes
        .iter()
        .find_map(|lane| match (&lane.paused, lane.breaker) {
            (Some(trip), _) => Some(trip.reason.clone()),
            (None, BreakerState::Closed) => None,
            (None, _) => Some("too many replays fail".to_owned()),
        });
    of_pods(DegradedReason::NotAttached, |why| why == "not_attached")
        .or_else(|| of_pods(DegradedReason::Blind, |why| why != "no_traffic"))
        .or_else(|| failing.map(|message| Degraded::new(DegradedReason::ShadowFailing, message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{control::status::Lane, state::Killed, trips::Trip};

    fn pod(name: &str, blind: Option<&str>) -> Inside {
        let is_attached = blind != Some("not_attached");
        Inside {
            name: name.to_owned(),
            interfaces: is_attached.then(|| "eth0".to_owned()).into_iter().collect(),
            blind: blind.map(str::to_owned),
            text: None,
        }
    }

    #[test]
    fn the_worst_that_is_wrong_is_named() {
        let mut status = Status {
            namespaces: vec![pod("shop/a", None), pod("shop/b", Some("no_traffic"))],
            lanes: vec![Lane::default()],
            ..Status::default()
        };
        let reason = |status: &Status| {
            of("u", status)
                .status
                .degraded
                .map(|one| (one.reason, one.message))
        };
        assert_eq!(reason(&status), None, "no traffic is no fault");
        status.lanes[0].breaker = BreakerState::Open;
        assert_eq!(reason(&status).expect("a fault").0, DegradedReason::ShadowFailing);
        status.lanes[0].paused = Some(Trip::now("shadow_errors", None, "9 of 10 failed"));
        assert_eq!(reason(&status).expect("a fault").1, "9 of 10 failed");
        status.namespaces.push(pod("shop/c", Some("tls")));
        assert_eq!(
            reason(&status).expect("a fault"),
            (DegradedReason::Blind, "shop/c: tls".to_owned())
        );
        status.namespaces.push(pod("shop/d", Some("not_attached")));
        assert_eq!(reason(&status).expect("a fault").0, DegradedReason::NotAttached);
        let entry = of("u", &status).status;
        assert_eq!((entry.pods, entry.attached), (4, 3));
        status.killed = Some(Killed::now("root", "incident"));
        let state = of("u", &status);
        assert_eq!(
            state.status.degraded.expect("a fault").reason,
            DegradedReason::Killed
        );
        assert_eq!(state.killed.as_deref(), Some("incident"));
    }

    #[test]
    fn what_may_pass_is_told_after_a_while_and_what_cannot_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut reported = Reported::new(folder.path().join("state.json"));
        let start = Instant::now();
        let blind = || {
            Some(Degraded::new(
                DegradedReason::NotAttached,
                "shop/a: there is none yet",
            ))
        };
        assert_eq!(reported.settled(blind(), start), None);
        assert_eq!(reported.settled(blind(), start + SETTLE), blind());
        assert_eq!(reported.settled(None, start + SETTLE), None);
        assert_eq!(reported.settled(blind(), start + SETTLE), None, "it begins anew");
        let killed = || Some(Degraded::new(DegradedReason::Killed, "x"));
        assert_eq!(reported.settled(killed(), start), killed());
        reported.failed("u", 69);
        let read = read_state(&folder.path().join("state.json")).expect("a state");
        assert_eq!(
            read.status.degraded.expect("a fault").reason,
            DegradedReason::AgentNotRunning
        );
    }
}
