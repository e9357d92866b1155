//! Rules pause one target or kill, survive a restart, and end as they say.

use std::{thread, time::Duration};

use shadow_tests::{
    laws::assert_laws,
    need,
    netns::Lab,
    process::wait_until,
    scene::Scene,
    servers::{Behaviour, Server},
};

use super::{lane, plan, same, visited};

const MS: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_target_that_answers_wrongly_is_paused_until_somebody_resumes_it() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _first = same(&scene, 80);
    let other = Behaviour::Answer(b"something else".to_vec());
    let wrong = Server::start(&scene.lab.shadow, Lab::shadow_system(81), other);
    let text = format!(
        "shadow:\n  url: http://{}\nalso:\n  - name: wrong\n    url: http://{}\n\
         trips: {{mismatches: {{above: 50%, minimum: 20, within: 10s}}}}\n",
        Lab::shadow_system(80),
        Lab::shadow_system(81)
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    let paused = |agent: &shadow_tests::agent::Agent| !lane(agent, "wrong")["paused"].is_null();
    visited(&scene, 5 * MS, || {
        wait_until("the target is paused", PATIENCE, || paused(&agent));
        let asked = wrong.received().len();
        let matched = lane(&agent, "shadow")["funnel"]["matched"].as_u64();
        thread::sleep(Duration::from_millis(1500));
        assert!(wrong.received().len() <= asked + 1, "{asked} and more");
        assert!(
            lane(&agent, "shadow")["funnel"]["matched"].as_u64() > matched,
            "the other goes on"
        );
    });
    assert_eq!(lane(&agent, "wrong")["paused"]["rule"], "mismatches");
    let report = agent.stop();
    assert_laws(&report);
    assert!(
        report.also[0].funnel.skipped["paused"] > 0,
        "{:#?}",
        report.also[0].funnel
    );

    let mut again = plan(&scene, &text).start(&scene.lab.server);
    let asked = wrong.received().len();
    assert!(paused(&again), "a restart changes nothing");
    visited(&scene, 20 * MS, || thread::sleep(Duration::from_millis(500)));
    assert_eq!(wrong.received().len(), asked);
    again.must(&["resume"]);
    assert!(!paused(&again));
    visited(&scene, 50 * MS, || {
        wait_until("it is asked again", PATIENCE, || wrong.received().len() > asked);
    });
    assert_laws(&again.stop());
}

#[test]
fn a_kill_by_a_rule_says_which_and_ends_by_itself() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let text = format!(
        "shadow:\n  url: http://{}\n  breaker: {{errors: 0%}}\n\
         trips: {{shadow_errors: {{above: 50%, minimum: 20, within: 5s, then: kill, resume: 3s}}}}\n",
        Scene::shadow()
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    visited(&scene, 5 * MS, || {
        wait_until("mirroring is stopped", PATIENCE, || {
            agent.status()["armed"] == false
        });
    });
    let killed = &agent.status()["killed"];
    assert_eq!(killed["rule"], "shadow_errors", "{killed}");
    assert!(
        killed["why"].as_str().unwrap().contains("replays failed"),
        "{killed}"
    );
    // The rule's kill survives a restart, and so does its end.
    agent.stop();
    let mut again = plan(&scene, &text).start(&scene.lab.server);
    wait_until("mirroring goes on", PATIENCE, || again.status()["armed"] == true);

    // A person's kill does not end by itself.
    visited(&scene, 5 * MS, || {
        wait_until("mirroring is stopped again", PATIENCE, || {
            again.status()["armed"] == false
        });
    });
    again.must(&["kill", "--why", "by hand"]);
    thread::sleep(Duration::from_secs(5));
    let status = again.status();
    assert_eq!(
        (&status["armed"], &status["killed"]["rule"]),
        (&false.into(), &serde_json::Value::Null),
        "{status}"
    );
    again.stop();
}
