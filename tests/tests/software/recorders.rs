//! Recorders of HAR files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent,
    laws::assert_laws,
    need,
    need::python,
    process::{Launch, wait_until},
    scene::Scene,
};

/// Requests of [`browsed`], and of [`proxied`].
const PAGES: [&str; 5] = ["1k.json", "page.html", "zip/page.html", "chunked/1k.json", "gone"];

/// The report of a replay of the archive against the server that answered.
fn replayed(scene: &Scene, archive: &Path) -> Report {
    let url = format!("http://{}", Scene::production());
    let mut replay = Launch::new(agent::binary(), scene.directory.path())
        .args([
            "replay", "--json", "--speed", "max", "--writes", "replay", "--shadow", &url,
        ])
        .args([archive.as_os_str()])
        .start(&scene.lab.client);
    replay.wait(Duration::from_mins(1));
    let report: Report =
        serde_json::from_str(&replay.stdout()).unwrap_or_else(|error| panic!("{error}: {}", replay.output()));
    assert_laws(&report);
    let funnel = &report.funnel;
    assert_eq!(
        (funnel.mismatched, funnel.shadow_errors),
        (0, 0),
        "{:#?}",
        report.groups
    );
    report
}

/// An archive of mitmdump between curl and production.
fn proxied(scene: &Scene) -> PathBuf {
    let archive = scene.directory.path().join("proxied.har");
    let mut proxy = Launch::new(python("mitmdump"), scene.directory.path())
        .args(["--listen-host", "127.0.0.1", "--listen-port", "3128"])
        .args(["--set", &format!("hardump={}", archive.display())])
        .args(["--set", &format!("confdir={}", scene.directory.path().display())])
        .start(&scene.lab.client);
    wait_until("the proxy listens", Duration::from_mins(1), || {
        scene
            .lab
            .client
            .run(|| std::net::TcpStream::connect("127.0.0.1:3128").is_ok())
    });
    let base = format!("http://{}", Scene::production());
    let get = PAGES.map(|page| format!("{base}/{page}"));
    let read = format!("{base}/read");
    let calls: [&[&str]; 3] = [&[], &["--compressed"], &["--data", "a=1&b=%C3%A9"]];
    for call in calls {
        let urls = if call.contains(&"--data") {
            std::slice::from_ref(&read)
        } else {
            &get[..]
        };
        let output = scene.lab.client.run(|| {
            Command::new("curl")
                .args(["-sS", "--max-time", "30", "--proxy", "http://127.0.0.1:3128"])
                .args(urls.iter().flat_map(|_| ["-o", "/dev/null"]))
                .args(call)
                .args(urls)
                .output()
                .expect("curl starts")
        });
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    proxy.signal(Signal::INT);
    proxy.wait(Duration::from_secs(30));
    archive
}

#[test]
fn an_archive_of_mitmproxy_is_replayed_and_nothing_differs() {
    need!(Root, Program("nginx"), Program("curl"), Python("mitmdump"));
    let scene = Scene::new();
    let report = replayed(&scene, &proxied(&scene));
    let funnel = &report.funnel;
    let all = 2 * PAGES.len() as u64 + 1;
    assert_eq!((funnel.exchanges, funnel.matched), (all, all), "{funnel:#?}");
}

#[test]
fn an_archive_of_playwright_is_replayed_and_nothing_differs() {
    need!(Root, Program("nginx"), Program("chromium"), Python("playwright"));
    let scene = Scene::new();
    let script = scene.directory.path().join("browse.py");
    fs::write(&script, include_str!("browse.py")).expect("a script");
    let archive = scene.directory.path().join("browsed.har");
    let mut browser = Launch::new(python("python3"), scene.directory.path())
        .args([script.as_os_str(), archive.as_os_str()])
        .args([&format!("http://{}", Scene::production())])
        .args(PAGES)
        .start(&scene.lab.client);
    let status = browser.wait(Duration::from_mins(3));
    assert!(status.success(), "{}", browser.output());
    let report = replayed(&scene, &archive);
    let funnel = &report.funnel;
    // A page, and a request and a form from its script, of each; what the browser asks for by itself comes on top.
    let asked = 3 * PAGES.len() as u64;
    assert!(funnel.matched >= asked, "{asked}: {funnel:#?}");
    assert_eq!(funnel.matched, funnel.replayed, "{funnel:#?}");
}
