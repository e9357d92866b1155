use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use shadow_tests::{
    agent::Agent,
    laws::assert_laws,
    need,
    process::wait_until,
    scene::Scene,
    servers::{Behaviour, Server},
};

use super::{place, rollout, sample, start, under_load};

/// Short phases that a few exchanges pass.
fn phases(on_failure: &str) -> String {
    format!(
        "rollout:\n  on_failure: {on_failure}\n  fail_after: 20\n  phases:\n    \
         - {{name: smoke, sample: 20%, min_duration: 1s, min_compared: 20, match_rate: 70%, latency_ratio: 1000, coverage: 10%}}\n    \
         - {{name: half, sample: 50%, min_duration: 1s, min_compared: 20, match_rate: 70%, latency_ratio: 1000, coverage: 10%}}\n    \
         - {{name: full, sample: 100%, min_duration: 1s, min_compared: 20, match_rate: 70%, latency_ratio: 1000, coverage: 10%}}\n"
    )
}

const LONG: Duration = Duration::from_mins(3);

fn history(status: &Value) -> Vec<(String, f64)> {
    let steps = status["history"].as_array().unwrap().iter();
    steps
        .map(|step| {
            let sample = step["to"]["sample"].as_f64().unwrap_or(-1.0);
            (step["cause"].as_str().unwrap().to_owned(), sample)
        })
        .collect()
}

fn reached(agent: &Agent, stage: &str, phase: &str) {
    wait_until(&format!("{stage} {phase}"), LONG, || {
        let status = rollout(agent, &["status"]);
        let now = place(&status);
        // Meanwhile the kernel never has a higher sample than the phase specifies.
        let most = status["place"]["sample"].as_f64().unwrap_or(1.0);
        let copied = sample(agent);
        let later = rollout(agent, &["status"]);
        assert!(
            place(&later) != now || copied <= most + 1e-6,
            "{copied} of connections are copied in {now:?}, which allows {most}"
        );
        now == (stage.to_owned(), phase.to_owned())
    });
}

#[test]
fn equal_answers_carry_it_to_the_end_and_the_kernel_follows() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, &phases("hold"));
    assert_eq!(place(&rollout(&agent, &["status"])).0, "idle");
    // Without any traffic no phase is passed, however long it lasts.
    rollout(&agent, &["start"]);
    assert!((sample(&agent) - 0.2).abs() < 1e-6, "{}", sample(&agent));
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(
        place(&rollout(&agent, &["start"])),
        ("running".to_owned(), "smoke".to_owned())
    );
    under_load(&scene, || reached(&agent, "complete", "full"));
    assert!((sample(&agent) - 1.0).abs() < 1e-6, "{}", sample(&agent));
    let status = rollout(&agent, &["status"]);
    let steps = history(&status);
    let expected = [("order", 0.2), ("passed", 0.5), ("passed", 1.0), ("passed", 1.0)];
    assert_eq!(steps, expected.map(|(cause, sample)| (cause.to_owned(), sample)));
    for step in status["history"].as_array().unwrap().iter().skip(1) {
        let evidence = &step["evidence"];
        assert!(evidence["compared"].as_u64().unwrap() >= 20, "{step:#}");
        assert_eq!(evidence["judgement"]["ruling"], "go", "{step:#}");
    }
    assert_laws(&agent.stop());
}

#[test]
fn a_regression_holds_steps_back_or_kills() {
    need!(Root, Program("nginx"));
    for (policy, stage, sampled, armed) in [
        ("hold", "held", 0.2, true),
        ("step_back", "aborted", 0.0, true),
        ("kill", "held", 0.2, false),
    ] {
        let scene = Scene::new();
        let _shadow = Server::start(
            &scene.lab.shadow,
            Scene::shadow(),
            Behaviour::Answer(b"{\"other\":1}".to_vec()),
        );
        let mut agent = start(&scene, &phases(policy));
        rollout(&agent, &["start"]);
        under_load(&scene, || reached(&agent, stage, "smoke"));
        let status = agent.status();
        assert_eq!(status["armed"], armed, "{policy}");
        assert!(
            (sample(&agent) - sampled).abs() < 1e-6,
            "{policy}: {}",
            sample(&agent)
        );
        if !armed {
            assert_eq!(status["killed"]["who"], "rollout", "{status:#}");
        }
        let shown = rollout(&agent, &["status"]);
        assert_eq!(
            shown["history"][1]["evidence"]["judgement"]["ruling"], "no_go",
            "{shown:#}"
        );
        agent.stop();
    }
}

#[test]
fn a_restart_in_the_middle_of_a_phase_goes_on_in_it() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let text = phases("hold").replace(
        "name: half, sample: 50%, min_duration: 1s",
        "name: half, sample: 50%, min_duration: 1h",
    );
    let mut agent = start(&scene, &text);
    rollout(&agent, &["start"]);
    under_load(&scene, || reached(&agent, "running", "half"));
    agent.process.signal(Signal::KILL);
    agent.process.wait(Duration::from_secs(5));
    let mut again = start(&scene, &text);
    let status = rollout(&again, &["status"]);
    assert_eq!(place(&status), ("running".to_owned(), "half".to_owned()));
    assert!((sample(&again) - 0.5).abs() < 1e-6, "{}", sample(&again));
    assert_eq!(status["evidence"]["compared"], 0, "its evidence starts over");
    // The plan now asks for more in that phase: it pauses where it asks for no more than was mirrored.
    again.stop();
    let mut other = start(
        &scene,
        &text.replace("name: half, sample: 50%", "name: half, sample: 60%"),
    );
    assert_eq!(
        place(&rollout(&other, &["status"])),
        ("paused".to_owned(), "smoke".to_owned())
    );
    assert!((sample(&other) - 0.2).abs() < 1e-6, "{}", sample(&other));
    other.stop();
}

#[test]
fn people_pause_resume_advance_and_abort() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, &phases("hold"));
    assert!(
        !agent.ask(&["rollout", "pause"]).status.success(),
        "there is none"
    );
    rollout(&agent, &["start"]);
    rollout(&agent, &["pause", "--why", "lunch"]);
    under_load(&scene, || std::thread::sleep(Duration::from_secs(2)));
    let paused = rollout(&agent, &["pause"]);
    assert_eq!(
        place(&paused),
        ("paused".to_owned(), "smoke".to_owned()),
        "a pause stops the clock"
    );
    assert_eq!(paused["history"][1]["why"], "lunch");
    assert!(
        paused["history"][1]["who"]
            .as_str()
            .unwrap()
            .starts_with("root (uid 0), pid "),
        "{paused:#}"
    );
    // A sample above that of the phase is refused, also when set manually; a lower one is accepted.
    let refused = agent.ask(&["sample", "80%"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("at most 0.2"),
        "{said}"
    );
    agent.must(&["sample", "10%"]);
    assert!((sample(&agent) - 0.1).abs() < 1e-6, "{}", sample(&agent));
    // A repeated command has no further effect.
    for _ in 0..2 {
        rollout(&agent, &["advance", "half"]);
    }
    assert_eq!(
        place(&rollout(&agent, &["status"])),
        ("running".to_owned(), "half".to_owned())
    );
    assert!((sample(&agent) - 0.5).abs() < 1e-6, "{}", sample(&agent));
    for _ in 0..2 {
        rollout(&agent, &["abort", "--why", "incident"]);
    }
    assert!(sample(&agent).abs() < 1e-6, "{}", sample(&agent));
    agent.stop();
    // A restart does not resume mirroring either.
    let mut again = start(&scene, &phases("hold"));
    assert!(sample(&again).abs() < 1e-6, "{}", sample(&again));
    assert!(again.must(&["rollout", "status"]).contains("rollout     aborted"));
    again.stop();
}
