//! A mismatch exported to one file: replayed against the system with the fault, and against one without it.

use std::{path::Path, time::Duration};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::{self, PATIENCE},
    laws::assert_laws,
    need,
    netns::Lab,
    process::{Launch, wait_until},
    scene::Scene,
    servers::{Behaviour, Server},
};

use crate::stage::{Stage, response};

fn answer(price: u32, at: &str, mail: &str) -> String {
    let text = format!("{{\"price\":{price},\"at\":\"{at}\",\"mail\":\"{mail}\"}}");
    response("Content-Type: application/json\r\n", &text)
}

/// Exit code and output of `shadow replay`.
fn replayed(stage: &Stage, bundle: &Path, port: u16) -> (Option<i32>, Report) {
    let url = format!("http://{}", Lab::shadow_system(port));
    let mut replay = Launch::new(agent::binary(), stage.directory.path())
        .args(["replay", "--json", "--shadow", &url])
        .args([bundle])
        .start(&stage.lab.server);
    let code = replay.wait(Duration::from_secs(20)).code();
    let report: Report =
        serde_json::from_str(&replay.stdout()).unwrap_or_else(|error| panic!("{error}: {}", replay.output()));
    assert_laws(&report);
    assert_eq!(report.funnel.replayed, 1, "{}", replay.output());
    (code, report)
}

/// Places of the differences.
fn places(report: &Report) -> Vec<&str> {
    report.groups.iter().map(|group| group.place.as_str()).collect()
}

#[test]
fn a_bundle_reproduces_the_mismatch_and_only_the_mismatch() {
    need!(Root);
    let short = "a@b.example";
    let stage = Stage::new(&answer(100, "08:00", short), &answer(101, "08:01", short));
    let config = stage.file("rules.yaml");
    std::fs::write(&config, "compare: {ignore: [$.at]}\n").expect("a configuration");
    let mut agent = stage.start(stage.plan().args(&["--config", &config.to_string_lossy()]));
    stage.get(&["/item?page=2".to_owned()]);
    let live = agent.settled(1);
    assert_eq!(places(&live), ["$.price"]);
    let (id, bundle) = (live.groups[0].id.clone(), stage.file("mismatch.json"));
    let file = bundle.to_string_lossy();
    wait_until("the case is in the journal", PATIENCE, || {
        let words = ["diffs", "export", &id, "--bundle", "-o", &*file];
        agent.ask(&words).status.success()
    });
    agent.stop();
    let text = std::fs::read_to_string(&bundle).expect("the bundle");
    assert!(!text.contains(short), "an address of somebody's is in it");

    // The system with the fault, later: the rules in the bundle still hold.
    let (code, report) = replayed(&stage, &bundle, Scene::shadow().port());
    assert_eq!(code, Some(1), "{:#?}", report.funnel);
    assert_eq!(places(&report), ["$.price"]);
    assert_eq!(report.groups[0].route, live.groups[0].route);

    // Repaired: at another time, and with data that the bundle does not contain.
    let repaired = |port, mail| {
        let answer = answer(100, "09:30", mail).into_bytes();
        let address = Lab::shadow_system(port);
        Server::start(&stage.lab.shadow, address, Behaviour::Respond(answer))
    };
    let same = repaired(8081, short);
    let (code, report) = replayed(&stage, &bundle, 8081);
    assert_eq!(code, Some(0), "{:#?}", report.groups);
    let asked = same.received();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].start, "GET /item?page=2");

    // A missing secret is seen, though its value is not known.
    let _without = repaired(8082, "");
    let (code, report) = replayed(&stage, &bundle, 8082);
    assert_eq!(code, Some(1), "{:#?}", report.funnel);
    assert_eq!(places(&report), ["$.mail"]);
    // A system that does not answer proves nothing in either direction.
    let (code, report) = replayed(&stage, &bundle, 8083);
    assert_eq!(code, Some(2), "{:#?}", report.funnel);
    assert_eq!(report.funnel.shadow_errors, 1, "{:#?}", report.funnel.failures);
}
