//! Writes the status of tests: this node's entry, the conditions that follow from the entries of all nodes, and events.
//!
//! A node writes its own entry only, as a field manager of its own. The conditions are computed by every node from the
//! same object, and written by the first whose time has come: the others then find them as they should be. So there is
//! no central component, and a node that is away changes nothing but its entry. Bounds: an entry at most once a second,
//! figures that change with every exchange once in [`SLOW`]; nothing is kept of a test that is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shadow_proto::request_target::encoded;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{
    api::{Api, ApiError},
    conditions::{entry, essence, news, summary, timestamp},
    in_force::Judged,
};
use crate::{
    config::{
        crd::{GROUP, KIND, VERSION},
        kubernetes::Kubernetes,
        test_status::{Condition, NodeStatus, TestStatus},
    },
    supervise::{self, NodeState},
};

/// How often the state of the agent is looked at.
const TURN: Duration = Duration::from_millis(500);

/// How soon a write is tried again.
const SOON: Duration = Duration::from_secs(1);

/// How often figures are written that change with every exchange.
const SLOW: Duration = Duration::from_secs(10);

/// Nodes wait for a part of this, each for another one, before they write conditions.
const SPREAD: u64 = 1_500;

/// The longest name of a field manager is 128 bytes.
const LONGEST_NODE: usize = 100;

/// Follows tests and the state of the agent.
pub(super) async fn tell(
    api: &Api,
    node: &str,
    kubernetes: &Kubernetes,
    mut judged: watch::Receiver<Arc<Vec<Judged>>>,
) {
    let mut teller = Teller::new(api, node);
    let file = supervise::state_file(kubernetes);
    let mut turn = interval(TURN);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turn.tick() => {}
            changed = judged.changed() => if changed.is_err() {
                return;
            },
        }
        let all = Arc::clone(&judged.borrow_and_update());
        let state = supervise::read_state(&file);
        teller.turn(&all, state.as_ref()).await;
    }
}

/// Something that is to be written, and not before when.
#[derive(Default)]
struct Due(BTreeMap<String, Instant>);

impl Due {
    /// Whether the time of `key` has come; it comes after `wait`, unless it was to come earlier.
    fn is_over(&mut self, key: &str, wait: Duration, now: Instant) -> bool {
        let due = self.0.entry(key.to_owned()).or_insert(now + wait);
        *due = (*due).min(now + wait);
        *due <= now
    }

    fn done(&mut self, key: &str) {
        self.0.remove(key);
    }
}

struct Teller<'a> {
    api: &'a Api,
    node: &'a str,
    /// How long this node waits before it writes conditions.
    share: Duration,
    entries: Due,
    conditions: Due,
    /// Entries were written then.
    written: BTreeMap<String, Instant>,
    /// The state that events were made of last.
    before: Option<NodeState>,
}

impl<'a> Teller<'a> {
    fn new(api: &'a Api, node: &'a str) -> Self {
        let hash = blake3::hash(node.as_bytes());
        let part = u64::from(u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]));
        Self {
            api,
            node,
            share: Duration::from_millis(part % SPREAD),
            entries: Due::default(),
            conditions: Due::default(),
            written: BTreeMap::new(),
            before: None,
        }
    }

    async fn turn(&mut self, all: &[Judged], state: Option<&NodeState>) {
        let now = Instant::now();
        self.forget_others(all);
        for test in all {
            // The test of an agent is its UID and the address of the shadow system.
            let state = state.filter(|state| state.test.split(' ').next() == Some(&test.uid));
            if let Some(state) = state {
                self.tell_events(test, state).await;
            }
            self.tell_entry(test, state, now).await;
            self.tell_conditions(test, now).await;
        }
    }

    /// Tenants may create and delete any number of tests.
    fn forget_others(&mut self, all: &[Judged]) {
        let there: BTreeSet<&str> = all.iter().map(|test| test.uid.as_str()).collect();
        self.written.retain(|uid, _| there.contains(uid.as_str()));
        for due in [&mut self.entries, &mut self.conditions] {
            due.0.retain(|uid, _| there.contains(uid.as_str()));
        }
    }

    async fn tell_entry(&mut self, test: &Judged, state: Option<&NodeState>, now: Instant) {
        let has = test.status.nodes.iter().find(|entry| entry.node == self.node);
        let wants = entry(self.node, test, state);
        if has == wants.as_ref() {
            return self.entries.done(&test.uid);
        }
        let urgent = has.map(essence) != wants.as_ref().map(essence);
        let wait = if urgent { Duration::ZERO } else { SLOW };
        let is_soon = self
            .written
            .get(&test.uid)
            .is_some_and(|at| now.duration_since(*at) < SOON);
        if is_soon || !self.entries.is_over(&test.uid, wait, now) {
            return;
        }
        self.entries.done(&test.uid);
        self.written.insert(test.uid.clone(), now);
        let nodes: Vec<NodeStatus> = wants.into_iter().collect();
        let manager = if self.node.len() > LONGEST_NODE {
            blake3::hash(self.node.as_bytes()).to_hex().to_string()
        } else {
            self.node.to_owned()
        };
        self.apply(test, &format!("shadow-{manager}"), json!({"nodes": nodes}))
            .await;
    }

    async fn tell_conditions(&mut self, test: &Judged, now: Instant) {
        let wants = summary(test);
        let has = &test.status;
        let is_same = (&has.conditions, &has.pods, &has.coverage, has.compared)
            == (&wants.conditions, &wants.pods, &wants.coverage, wants.compared);
        if is_same {
            return self.conditions.done(&test.uid);
        }
        let kinds = |status: &TestStatus| {
            let of = |one: &Condition| (one.kind.clone(), one.status.clone(), one.reason.clone());
            status.conditions.iter().map(of).collect::<Vec<_>>()
        };
        let wait = if kinds(has) == kinds(&wants) {
            SLOW
        } else {
            Duration::ZERO
        };
        if !self.conditions.is_over(&test.uid, wait + self.share, now) {
            return;
        }
        self.conditions.done(&test.uid);
        let TestStatus {
            nodes: _,
            conditions,
            pods,
            coverage,
            compared,
        } = wants;
        let fields =
            json!({"conditions": conditions, "pods": pods, "coverage": coverage, "compared": compared});
        self.apply(test, "shadow", fields).await;
    }

    async fn apply(&self, test: &Judged, manager: &str, status: Value) {
        let path = format!(
            "{}/status?fieldManager={}&force=true",
            test.path(),
            encoded(manager)
        );
        let fields = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": KIND,
            "metadata": {"name": test.name, "namespace": test.namespace},
            "status": status,
        });
        if let Err(error) = self.api.apply(&path, &fields).await {
            tracing::warn!(%error, test = test.full_name(), "the status of a test cannot be written");
        }
    }

    async fn tell_events(&mut self, test: &Judged, state: &NodeState) {
        let before = self.before.replace(state.clone());
        for (reason, kind, message) in news(before.as_ref(), state) {
            let message = format!("{}: {message}", self.node);
            if let Err(error) = self.event(test, reason, kind, &message).await {
                tracing::warn!(%error, reason, "an event cannot be written");
            }
        }
    }

    async fn event(&self, test: &Judged, reason: &str, kind: &str, message: &str) -> Result<(), ApiError> {
        let at = timestamp();
        let path = format!("/api/v1/namespaces/{}/events", encoded(&test.namespace));
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": format!("{}-", test.name), "namespace": test.namespace},
            "involvedObject": {"apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND, "name": test.name,
                "namespace": test.namespace, "uid": test.uid},
            "reason": reason,
            "message": message,
            "type": kind,
            "source": {"component": "shadow", "host": self.node},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        });
        self.api.create(&path, &event).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_wait_unless_something_urgent_comes() {
        let mut due = Due::default();
        let start = Instant::now();
        assert!(!due.is_over("u", SLOW, start));
        assert!(due.is_over("u", SLOW, start + SLOW));
        assert!(due.is_over("u", Duration::ZERO, start), "it came between");
    }
}
