//! The entry of a node, the conditions of a test, and events, as they follow from the state of agents. Pure but for the
//! time of a change.

use std::time::SystemTime;

use shadow_core::evidence::Ruling;

use super::in_force::{Judged, Standing};
use crate::{
    config::test_status::{Condition, NodeStatus, TestStatus},
    supervise::NodeState,
};

pub(super) fn timestamp() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// This node's entry. A node without pods of the test, and without anything to say on it, has none.
pub(super) fn entry(node: &str, test: &Judged, state: Option<&NodeState>) -> Option<NodeStatus> {
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
pub(super) fn essence(entry: &NodeStatus) -> NodeStatus {
    NodeStatus {
        wanted: 0,
        compared: 0,
        sample: None,
        ..entry.clone()
    }
}

/// Events for the difference: reason, type and message of each.
pub(super) fn news(before: Option<&NodeState>, now: &NodeState) -> Vec<(&'static str, &'static str, String)> {
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
        (Some(_), None) => found.push(("Resumed", "Normal", "mirroring continues".to_owned())),
        _ => {}
    }
    if now.trips > before.trips {
        found.push(("Tripped", "Warning", now.last_trip.clone()));
    }
    found
}

/// The conditions and sums, from the entries of all nodes and the standing of the test.
pub(super) fn summary(test: &Judged) -> TestStatus {
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
    fn an_entry_is_of_a_node_with_something_to_say() {
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
    }
}
