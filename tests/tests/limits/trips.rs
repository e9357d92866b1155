//! Rules pause one target or kill, survive a restart, and end as specified.

use std::{thread, time::Duration};

use shadow_common::stat::Stat;
use shadow_tests::{
    client::Connection,
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
    wait_until("mirroring continues", PATIENCE, || {
        again.status()["armed"] == true
    });

    // A manual kill does not end by itself.
    visited(&scene, 5 * MS, || {
        wait_until("mirroring is stopped again", PATIENCE, || {
            again.status()["armed"] == false
        });
    });
    again.must(&["kill", "--why", "by hand"]);
    thread::sleep(Duration::from_secs(5));
    let status = again.status();
    let resumed = |status: &serde_json::Value| {
        let trips = status["trips"].as_array().unwrap().iter();
        let resumed = trips.filter(|trip| trip["reason"] == "mirroring continues");
        resumed.count()
    };
    assert_eq!(resumed(&status), 1, "the first time only: {status}");
    assert_eq!(
        (&status["armed"], &status["killed"]["rule"]),
        (&false.into(), &serde_json::Value::Null),
        "{status}"
    );
    again.stop();
}

#[test]
fn a_ring_that_overflows_kills_and_goes_on_by_itself() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = same(&scene, 80);
    // Smaller than one answer needs before the reader polls again; the budget must not act first.
    let text = format!(
        "capture: {{ring_size: 64KiB}}\nshadow:\n  url: http://{}\nbudget: {{ring_loss: 0%, ring_used: 0%, cores: 0}}\n\
         trips: {{ring_loss: {{above: 10%, minimum: 20, within: 5s, resume: 2s}}, budget: null}}\n",
        Scene::shadow()
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        wait_until("mirroring is stopped", PATIENCE, || {
            connection.get("/1m.bin", "").unwrap();
            agent.status()["armed"] == false
        });
    });
    let status = agent.status();
    let killed = &status["killed"];
    assert_eq!(killed["rule"], "ring_loss", "{status}");
    let why = killed["why"].as_str().unwrap();
    assert!(
        why.contains("packets were lost because the ring was full") && why.ends_with("limit 10.0 %"),
        "{why}"
    );
    assert!(status["ring"]["full"].as_u64().unwrap() > 0, "{status}");
    wait_until("mirroring goes on by itself", PATIENCE, || {
        agent.status()["armed"] == true
    });
    // The earlier loss is over: small answers fit, and no rule trips again.
    let seen = agent.report().funnel.exchanges;
    visited(&scene, 20 * MS, || thread::sleep(Duration::from_secs(2)));
    assert_eq!(agent.status()["armed"], true, "{:#}", agent.status()["trips"]);
    let report = agent.settled_when("it mirrors again", |report| report.funnel.exchanges > seen);
    assert!(report.funnel.kernel(Stat::RingFull) > 0, "{:#?}", report.funnel);
    assert_laws(&agent.stop());
}

#[test]
fn a_budget_that_cannot_be_kept_kills_until_somebody_resumes() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = same(&scene, 80);
    // A hundredth of a core is too little for any traffic; half of it is the minimum.
    let text = format!(
        "shadow:\n  url: http://{}\nbudget: {{cores: 0.01, floor: 50%}}\n\
         trips: {{budget: {{within: 1s, resume: manual}}}}\n",
        Scene::shadow()
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    visited(&scene, Duration::ZERO, || {
        wait_until("mirroring is stopped", 2 * PATIENCE, || {
            agent.status()["armed"] == false
        });
    });
    let status = agent.status();
    let killed = &status["killed"];
    assert_eq!(killed["rule"], "budget", "{status}");
    let why = killed["why"].as_str().unwrap();
    assert!(why.contains("with the lowest sample"), "{why}");
    assert!(killed["resume_at_ms"].is_null(), "{killed}");
    let first = &status["trips"][0];
    assert_eq!(first["rule"], "budget", "lowered first: {status}");
    assert!(
        first["reason"].as_str().unwrap().contains("lowered to 50.0 %"),
        "{first}"
    );
    // It persists, also across a restart, though the cause is gone.
    thread::sleep(Duration::from_secs(3));
    assert_eq!(agent.status()["armed"], false);
    assert_laws(&agent.stop());
    let mut again = plan(&scene, &text).start(&scene.lab.server);
    assert_eq!(again.status()["killed"]["rule"], "budget", "{}", again.status());
    again.must(&["resume"]);
    assert_eq!(again.status()["armed"], true);
    assert_laws(&again.stop());
}
