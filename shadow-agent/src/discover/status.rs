//! Writes the status of tests: this node's entry, the conditions that follow from the entries of all nodes, and events.
//!
//! A node writes its own entry only, as a field manager of its own. The conditions are computed by every node from the
//! same object, and written by the first whose time has come: the others then find them as they should be. So there is
//! no central component, and a node that is away changes nothing but its entry. Bounds: an entry at most once a second,
//! figures that change with every exchange once in [`SLOW`].

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};
use shadow_core::evidence::Ruling;
use shadow_proto::request_target::encoded;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{
    api::{Api, ApiError},
    in_force::{Judged, Standing},
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

fn timestamp() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// This node's entry. A node without pods of the test, and without anything to say on it, has none.
fn entry(node: &str, test: &Judged, state: Option<&NodeState>) -> Option<NodeStatus> {
    let status = match (&test.standing, state) {
        (Standing::InForce(_), Some(state)) => &state.status,
        _ => return None,
    };
    let has_news = status.pods > 0 || status.wanted > 0 || status.degraded.is_some();
    has_news.then(|| NodeStatus {
        node: node.to_owned(),
        ..status.clone()
    })
}

/// An entry without figures that change with every exchange.
fn essence(entry: &NodeStatus) -> NodeStatus {
    NodeStatus {
        wanted: 0,
        compared: 0,
        sample: None,
        ..entry.clone()
    }
}

/// What has happened since: reason, type and message of events.
fn news(before: Option<&NodeState>, now: &NodeState) -> Vec<(&'static str, &'static str, String)> {
    let Some(before) = before.filter(|before| before.test == now.test) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let (was, is) = (&before.status, &now.status);
    if was.verdict != is.verdict && !was.verdict.is_empty() && !is.verdict.is_empty() {
        let kind = if is.verdict == Ruling::NoGo.as_str() {
            "Warning"
        } else {
            "Normal"
        };
        found.push(("Verdict", kind, format!("{}, before {}", is.verdict, was.verdict)));
    }
    if was.phase != is.phase
        && let Some(phase) = &is.phase
    {
        found.push(("Phase", "Normal", phase.clone()));
    }
    match (&before.killed, &now.killed) {
        (None, Some(why)) => found.push(("Killed", "Warning", format!("mirroring is stopped: {why}"))),
        (Some(_), None) => found.push(("Resumed", "Normal", "mirroring goes on".to_owned())),
        _ => {}
    }
    if now.trips > before.trips {
        found.push(("Tripped", "Warning", now.last_trip.clone()));
    }
    found
}

/// What follows from the entries of all nodes, and from the standing of the test.
fn summary(test: &Judged) -> TestStatus {
    let nodes = &test.status.nodes;
    let sum = |of: fn(&NodeStatus) -> u64| nodes.iter().map(of).fold(0, u64::saturating_add);
    let (pods, attached) = (sum(|node| node.pods), sum(|node| node.attached));
    let (wanted, compared) = (sum(|node| node.wanted), sum(|node| node.compared));
    let conditions = [capturing(test, pods, attached), degraded(test), verdict(test)];
    TestStatus {
        nodes: Vec::new(),
        conditions: conditions
            .map(|made| dated(made, &test.status.conditions, test.generation))
            .to_vec(),
        pods: format!("{attached}/{pods}"),
        coverage: match wanted {
            0 => String::new(),
            #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
            _ => format!("{:.1}%", compared as f64 * 100.0 / wanted as f64),
        },
        compared,
    }
}

fn made(kind: &str, status: &str, reason: &str, message: String) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        ..Condition::default()
    }
}

/// The condition, with the time of its last change.
fn dated(made: Condition, before: &[Condition], generation: u64) -> Condition {
    let former = before.iter().find(|one| one.kind == made.kind);
    let since = former.filter(|one| one.status == made.status && !one.last_transition_time.is_empty());
    Condition {
        last_transition_time: since.map_or_else(timestamp, |one| one.last_transition_time.clone()),
        observed_generation: generation,
        ..made
    }
}

fn capturing(test: &Judged, pods: u64, attached: u64) -> Condition {
    let (status, reason, message) = match &test.standing {
        Standing::Wrong(degraded) => ("False", "NotInForce", degraded.message.clone()),
        Standing::InForce(spec) if spec.suspend => ("False", "Suspended", "spec.suspend is true".to_owned()),
        Standing::InForce(_) => {
            let nodes = test.status.nodes.iter().filter(|node| node.attached > 0).count();
            let message = format!("{attached} of {pods} pods on {nodes} nodes");
            match (pods, attached) {
                (0, _) => ("False", "NoPods", "no pod is chosen".to_owned()),
                (_, 0) => ("False", "NotAttached", message),
                _ => ("True", "Attached", message),
            }
        }
    };
    made("Capturing", status, reason, message)
}

fn degraded(test: &Judged) -> Condition {
    let of_nodes = || {
        let mut nodes = test.status.nodes.iter();
        nodes.find_map(|node| {
            let degraded = node.degraded.as_ref()?;
            Some((degraded.reason, format!("{}: {}", node.node, degraded.message)))
        })
    };
    let found = match &test.standing {
        Standing::Wrong(degraded) => Some((degraded.reason, degraded.message.clone())),
        Standing::InForce(_) => of_nodes(),
    };
    match found {
        Some((reason, message)) => made("Degraded", "True", reason.as_str(), message),
        None => made("Degraded", "False", "AsExpected", String::new()),
    }
}

/// NO-GO when one node says so, GO when all do. Evidence that is too little on each node may suffice together:
/// `kubectl shadow report` merges it.
fn verdict(test: &Judged) -> Condition {
    let says = |ruling: Ruling| {
        let nodes = test
            .status
            .nodes
            .iter()
            .filter(move |node| node.verdict == ruling.as_str());
        nodes.map(|node| &*node.node).collect::<Vec<_>>().join(", ")
    };
    let of = test
        .status
        .nodes
        .iter()
        .filter(|node| node.pods > 0 || node.wanted > 0);
    let is_go = |node: &NodeStatus| node.verdict == Ruling::Go.as_str();
    let (all, go) = of.fold((0, 0), |(all, go), node| (all + 1, go + usize::from(is_go(node))));
    let no_go = says(Ruling::NoGo);
    if !no_go.is_empty() {
        return made("Verdict", "False", "NoGo", format!("NO-GO on {no_go}"));
    }
    if all > 0 && go == all {
        return made("Verdict", "True", "Go", format!("GO on {}", says(Ruling::Go)));
    }
    let message = format!("GO on {go} of {all} nodes; `kubectl shadow report` merges the evidence of all");
    made("Verdict", "Unknown", "InsufficientEvidence", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        shadow_test::TestSpec,
        test_status::{Degraded, DegradedReason},
    };

    fn node(name: &str, pods: u64, attached: u64, verdict: Ruling) -> NodeStatus {
        NodeStatus {
            node: name.to_owned(),
            pods,
            attached,
            wanted: 100,
            compared: 90,
            verdict: verdict.as_str().to_owned(),
            ..NodeStatus::default()
        }
    }

    fn test(nodes: Vec<NodeStatus>) -> Judged {
        Judged {
            namespace: "shop".to_owned(),
            name: "next".to_owned(),
            uid: "u".to_owned(),
            generation: 4,
            standing: Standing::InForce(Box::default()),
            status: TestStatus {
                nodes,
                ..TestStatus::default()
            },
        }
    }

    /// Status and reason of each condition.
    fn said(test: &Judged) -> Vec<String> {
        let conditions = summary(test).conditions.into_iter();
        let of = |one: Condition| format!("{}={} {}", one.kind, one.status, one.reason);
        conditions.map(of).collect()
    }

    #[test]
    fn conditions_follow_from_the_entries_of_all_nodes() {
        let [a, b] = ["node1", "node2"].map(|name| node(name, 2, 2, Ruling::Go));
        let both = test(vec![a.clone(), b]);
        assert_eq!(
            said(&both),
            [
                "Capturing=True Attached",
                "Degraded=False AsExpected",
                "Verdict=True Go"
            ]
        );
        let made = summary(&both);
        assert_eq!(
            (&*made.pods, &*made.coverage, made.compared),
            ("4/4", "90.0%", 180)
        );
        assert_eq!(made.conditions[0].observed_generation, 4);
        let failed = node("node2", 2, 1, Ruling::NoGo);
        let one = test(vec![a.clone(), failed]);
        assert_eq!(said(&one)[2], "Verdict=False NoGo");
        assert!(summary(&one).conditions[2].message.contains("node2"));
        let open = test(vec![a, node("node2", 2, 0, Ruling::InsufficientEvidence)]);
        assert_eq!(said(&open)[2], "Verdict=Unknown InsufficientEvidence");
        assert_eq!(said(&test(Vec::new()))[0], "Capturing=False NoPods");
        let mut dark = test(vec![node("node1", 2, 0, Ruling::Go)]);
        dark.status.nodes[0].degraded = Some(Degraded::new(DegradedReason::NotAttached, "shop/a"));
        assert_eq!(
            said(&dark)[..2],
            ["Capturing=False NotAttached", "Degraded=True NotAttached"]
        );
    }

    #[test]
    fn a_test_that_is_not_in_force_or_suspended_captures_nothing_and_says_why() {
        let mut other = test(Vec::new());
        other.standing = Standing::Wrong(Degraded::new(DegradedReason::Conflict, "shop/a is older"));
        assert_eq!(
            said(&other)[..2],
            ["Capturing=False NotInForce", "Degraded=True Conflict"]
        );
        let spec = TestSpec {
            suspend: true,
            ..TestSpec::default()
        };
        other.standing = Standing::InForce(Box::new(spec));
        assert_eq!(said(&other)[0], "Capturing=False Suspended");
    }

    #[test]
    fn a_condition_keeps_the_time_of_its_last_change() {
        let mut both = test(vec![node("node1", 1, 1, Ruling::Go)]);
        both.status.conditions = summary(&both).conditions;
        both.status.conditions[0].last_transition_time = "2020-01-01T00:00:00Z".to_owned();
        assert_eq!(summary(&both).conditions, both.status.conditions);
        both.status.nodes[0].attached = 0;
        assert_ne!(
            summary(&both).conditions[0].last_transition_time,
            "2020-01-01T00:00:00Z"
        );
    }

    #[test]
    fn events_are_of_changes() {
        let mut before = NodeState {
            test: "u x".to_owned(),
            status: node("", 1, 1, Ruling::InsufficientEvidence),
            ..NodeState::default()
        };
        assert!(news(None, &before).is_empty() && news(Some(&before), &before).is_empty());
        let now = NodeState {
            killed: Some("incident".to_owned()),
            trips: 1,
            last_trip: "the budget".to_owned(),
            status: NodeStatus {
                phase: Some("smoke (running)".to_owned()),
                ..node("", 1, 1, Ruling::NoGo)
            },
            ..before.clone()
        };
        let reasons: Vec<&str> = news(Some(&before), &now).into_iter().map(|one| one.0).collect();
        assert_eq!(reasons, ["Verdict", "Phase", "Killed", "Tripped"]);
        before.test = "another".to_owned();
        assert!(news(Some(&before), &now).is_empty(), "of another test");
    }

    #[test]
    fn an_entry_is_of_a_node_with_something_to_say_and_figures_wait() {
        let test = test(Vec::new());
        let mut state = NodeState {
            status: node("", 0, 0, Ruling::InsufficientEvidence),
            ..NodeState::default()
        };
        state.status.wanted = 0;
        assert_eq!(entry("node1", &test, Some(&state)), None);
        state.status.pods = 1;
        let one = entry("node1", &test, Some(&state)).expect("an entry");
        assert_eq!(one.node, "node1");
        let more = NodeStatus {
            compared: 91,
            ..one.clone()
        };
        assert_eq!(essence(&one), essence(&more));
        let mut due = Due::default();
        let start = Instant::now();
        assert!(!due.is_over("u", SLOW, start));
        assert!(due.is_over("u", SLOW, start + SLOW));
        assert!(
            due.is_over("u", Duration::ZERO, start),
            "something urgent came between"
        );
    }
}
