//! The modes, and their names in status and report.

use serde_json::json;
use shadow_tests::{laws::assert_laws, need};

use crate::stage::{Stage, bare};

#[test]
fn full_replays_everything_and_reversed_names_the_roles() {
    need!(Root);
    let stage = Stage::new("mode: reversed");
    let requests: Vec<String> = (0..20).map(|page| bare("GET", &format!("/{page}"), "")).collect();
    stage.send(&requests);
    let report = stage.agent.settled(20);
    assert_laws(&report);
    assert_eq!(stage.reached().len(), 20);
    assert!(report.scope.reversed, "{:?}", report.scope);
    assert_eq!(report.scope.modes, ["reversed"]);
    let text = String::from_utf8_lossy(&stage.agent.ask(&["report"]).stdout).into_owned();
    assert!(
        text.contains("mode    reversed: production is the new system, and the shadow is the old one"),
        "{text}"
    );
    assert!(
        text.contains("new system on the wire, old system at the client socket"),
        "{text}"
    );
    assert!(
        text.contains("in the new system") && !text.contains("in production"),
        "the ruling calls them so, too: {text}"
    );
    let status = stage.agent.must(&["status"]);
    assert!(status.contains("the old system"), "{status}");
}

#[test]
fn a_share_of_connections_is_sampled_and_the_mode_says_so() {
    need!(Root);
    let stage = Stage::with("", &["--sample", "40%"], |_| ());
    let requests: Vec<String> = (0..100)
        .map(|page| bare("GET", &format!("/{page}"), ""))
        .collect();
    stage.send(&requests);
    let report = stage
        .agent
        .settled_when("some are seen", |report| report.funnel.exchanges > 0);
    assert_laws(&report);
    let reached = stage.reached().len();
    assert!((10..80).contains(&reached), "40 of 100: {reached}");
    assert_eq!(report.funnel.replayed, reached as u64, "{:#?}", report.funnel);
    let status = stage.agent.status();
    assert_eq!(status["modes"], json!(["sampled"]));
    let full = stage.agent.ask(&["sample", "100%"]);
    assert!(full.status.success(), "{full:?}");
    assert_eq!(
        stage.agent.status()["modes"],
        json!(["full"]),
        "what was changed live counts"
    );
}
