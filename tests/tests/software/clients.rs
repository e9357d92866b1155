//! Clients.

use std::{fs, process::Command};

use shadow_tests::{
    laws::assert_laws,
    need,
    scene::{PORT, Scene},
};

#[test]
fn every_request_of_javas_client_offers_http2_and_is_compared_all_the_same() {
    need!(Root, Program("nginx"), Program("javac"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = scene
        .agent()
        .args(&["--writes", "replay"])
        .start(&scene.lab.server);
    let source = scene.directory.path().join("Client.java");
    fs::write(&source, include_str!("Client.java")).expect("a program");
    let output = scene.lab.client.run(|| {
        Command::new("java")
            .arg(&source)
            .arg(format!("http://{}", Scene::production()))
            .arg("/1k.json,/200k.json,/chunked/1k.json,/zip/page.html,/gone,/empty")
            .output()
            .expect("java starts")
    });
    let said = String::from_utf8_lossy(&output.stdout);
    let answered = said
        .trim()
        .strip_prefix("answered ")
        .and_then(|count| count.parse().ok());
    let answered: u64 =
        answered.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    agent.settled(answered);
    let report = agent.stop();
    assert_laws(&report);
    let funnel = &report.funnel;
    assert_eq!(
        (funnel.exchanges, funnel.matched, funnel.skipped.len()),
        (answered, answered, 0),
        "port {PORT}: {funnel:#?} {:#?}",
        report.groups
    );
}
