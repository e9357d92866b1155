//! Promise 3, never a wrong pair: a shadow system that is the same nginx as production must show no differences,
//! however much of the traffic the capture lost.
//!
//! Any response paired with another request, any foreign byte in a body, or any partial message taken for a complete
//! one shows here as a mismatch.

use shadow_core::evidence::report::Report;
use shadow_tests::{
    laws::assert_laws,
    need,
    netns::Lab,
    scene::{PORT, Scene},
    traffic,
};

/// Runs the traffic with `loss` in the capture; returns the last report and how many requests were answered.
fn mirrored(loss: &str, rounds: u32) -> (Report, u64) {
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = scene
        .agent()
        .args(&["--writes", "replay"])
        .forgetting(loss)
        .start(&scene.lab.server);
    let servers = [Scene::production(), Lab::production_v6(PORT)];
    let answered = scene.lab.client.run(|| traffic::varied(&servers, rounds));
    let report = if loss == "0%" {
        agent.settled(answered)
    } else {
        // Permanent losses are declared when the agent ends.
        agent.settled_when("some exchanges are seen", |report| report.funnel.exchanges > 0)
    };
    assert_laws(&report);
    let last = agent.stop();
    assert_laws(&last);
    println!("{loss}: {answered} answered, {:#?}", last.funnel);
    assert_eq!(last.funnel.mismatched, 0, "{:#?}", last.groups);
    assert_eq!(last.funnel.shadow_errors, 0, "{:#?}", last.funnel.failures);
    assert!(last.funnel.exchanges <= answered, "{:#?}", last.funnel);
    (last, answered)
}

#[test]
fn without_loss_everything_is_compared_and_equal() {
    need!(Root, Program("nginx"));
    let (report, answered) = mirrored("0%", 3);
    assert_eq!(report.funnel.exchanges, answered, "{:#?}", report.funnel);
    assert_eq!(report.funnel.matched, answered, "{:#?}", report.funnel);
    assert_eq!(
        report.coverage.successes, report.coverage.trials,
        "{:#?}",
        report.coverage
    );
}

#[test]
fn with_1_percent_of_the_capture_lost_nothing_differs() {
    need!(Root, Program("nginx"));
    let (report, answered) = mirrored("1%:1", 5);
    assert!(report.funnel.matched > answered / 4, "{:#?}", report.funnel);
    assert!(
        report.funnel.matched < answered,
        "nothing was lost: {:#?}",
        report.funnel
    );
}

#[test]
fn with_10_percent_of_the_capture_lost_nothing_differs() {
    need!(Root, Program("nginx"));
    let (report, answered) = mirrored("10%:2", 5);
    assert!(report.funnel.matched > 0, "{:#?}", report.funnel);
    assert!(
        report.funnel.matched < answered,
        "nothing was lost: {:#?}",
        report.funnel
    );
}

#[test]
fn with_half_of_the_capture_lost_nothing_differs() {
    need!(Root, Program("nginx"));
    let (report, answered) = mirrored("50%:3", 8);
    assert!(report.funnel.exchanges > 0, "{:#?}", report.funnel);
    assert!(report.funnel.matched < answered / 2, "{:#?}", report.funnel);
}
