//! A plan simulated on a journal written by real runs.

use std::{path::Path, process::Command, thread, time::Duration};

use serde_json::Value;
use shadow_tests::{
    agent::{Agent, binary},
    client::Connection,
    need,
    scene::Scene,
    servers::{Behaviour, Server},
};

use super::{config, start};

/// Exchanges of one run.
const VISITS: u64 = 60;

/// One run at half the sample can meet the gates of smoke; after that the shadow system must not get worse.
const PLAN: &str = "rollout:\n  on_failure: hold\n  fail_after: 20\n  phases:\n    \
     - {name: smoke, sample: 50%, min_duration: 1s, min_compared: 20, match_rate: 70%, latency_ratio: 1000, coverage: 50%}\n    \
     - {name: full, sample: 100%, min_duration: 1s, min_compared: 20, match_rate: 70%, latency_ratio: 1000, coverage: 50%}\n";

/// One run of the agent, which ends: its counts are one window of the journal.
fn run(scene: &Scene) -> Agent {
    let mut agent = start(scene, PLAN);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..VISITS {
            connection.get("/1k.json", "").unwrap();
            thread::sleep(Duration::from_millis(20));
        }
    });
    agent.settled(VISITS);
    agent.stop();
    agent
}

/// `shadow rollout start --dry-run` without any agent: exit code, standard output and standard error.
fn dry_run(scene: &Scene, journal: Option<&Path>, json: bool) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary());
    command.args(["rollout", "start", "--dry-run", "--config"]);
    command.arg(scene.directory.path().join("shadow.yaml"));
    command.args(
        journal
            .iter()
            .flat_map(|path| ["--journal".as_ref(), path.as_os_str()]),
    );
    command.args(json.then_some("--json"));
    let output = command.output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_plan_goes_through_what_real_runs_have_recorded() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = scene.identical_shadow();
    let journal = run(&scene).state().join("journal.sqlite");
    run(&scene);
    let (code, text, said) = dry_run(&scene, Some(&journal), true);
    assert_eq!(code, Some(0), "{said}");
    let simulated: Value = serde_json::from_str(&text).unwrap();
    let timeline = simulated["timeline"].as_array().unwrap();
    let steps: Vec<_> = timeline
        .iter()
        .map(|step| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (
                text(&step["cause"]),
                text(&step["to"]["stage"]),
                text(&step["to"]["phase"]),
            )
        })
        .collect();
    let steps: Vec<_> = steps.iter().map(|(a, b, c)| (&**a, &**b, &**c)).collect();
    assert_eq!(
        steps,
        [
            ("order", "running", "smoke"),
            ("passed", "running", "full"),
            ("restart", "running", "full"),
            ("passed", "complete", "full"),
        ],
        "{simulated:#}"
    );
    // Half of what was recorded at 100 %, and then all of it.
    let compared = |step: usize| timeline[step]["evidence"]["compared"].as_u64();
    assert_eq!(
        (compared(1), compared(3)),
        (Some(VISITS / 2), Some(VISITS)),
        "{simulated:#}"
    );
    assert_eq!(simulated["end"]["place"]["stage"], "complete");
    assert_eq!(simulated["sample_low"], 1.0);

    drop(shadow);
    fails_once_it_differs(&scene, &journal);
}

/// The shadow system begins to differ: with a further run the plan ends in a failed gate.
fn fails_once_it_differs(scene: &Scene, journal: &Path) {
    let _other = Server::start(
        &scene.lab.shadow,
        Scene::shadow(),
        Behaviour::Answer(b"{\"other\":1}".to_vec()),
    );
    let config_text = PLAN.replace(
        "min_compared: 20, match_rate: 70%",
        "min_compared: 90, match_rate: 70%",
    );
    run(scene);
    config(scene, &config_text);
    let (code, text, said) = dry_run(scene, Some(journal), false);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "Nothing is started",
        "3 windows of shadow",
        "running smoke at 50%: started",
        "held smoke at 50%: smoke has failed: held",
        "match_rate: 0 of 30 answers are as they should be",
        "recorded was 100% of connections",
        "each start of the agent begins the phase anew",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn a_journal_without_traffic_says_what_to_do() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, PLAN);
    agent.stop();
    let journal = agent.state().join("journal.sqlite");
    let (code, _, said) = dry_run(&scene, Some(&journal), false);
    assert_eq!(code, Some(65), "{said}");
    for part in ["it holds no windows", "Mirror some traffic first", "--journal"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    // A journal that was named must exist; where none was named, the plan is printed with a note that it was not
    // simulated.
    let (code, _, said) = dry_run(&scene, Some(Path::new("/nowhere/j.sqlite")), false);
    assert_eq!(code, Some(66), "{said}");
    let state = scene.directory.path().join("never");
    config(
        &scene,
        &format!("{PLAN}agent: {{state_dir: {}}}\n", state.display()),
    );
    let (code, text, _) = dry_run(&scene, None, false);
    assert_eq!(code, Some(0));
    assert!(
        text.contains("nothing was simulated: there is no journal at") && text.contains("smoke"),
        "{text}"
    );
}
