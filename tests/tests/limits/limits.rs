//! Rate, breaker, and several targets side by side.

use std::{thread, time::Duration};

use shadow_tests::{
    laws::assert_laws,
    need,
    netns::Lab,
    process::wait_until,
    scene::Scene,
    servers::{Behaviour, Received, Server},
};

use super::{lane, p99, plan, same, visited};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The largest number of requests within any `window`.
fn most_within(received: &[Received], window: Duration) -> usize {
    let mut most = 0;
    let mut from = 0;
    for to in 0..received.len() {
        while received[to].at - received[from].at >= window {
            from += 1;
        }
        most = most.max(to - from + 1);
    }
    most
}

#[test]
fn the_rate_holds_at_the_start_and_after_an_outage() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let text = format!(
        "shadow:\n  url: http://{}\n  requests_per_second: 50\n  breaker: {{errors: 0%}}\n",
        Scene::shadow()
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    let (received, took) = visited(&scene, MS, || {
        let before = same(&scene, 80);
        thread::sleep(2 * SECOND);
        let mut received = before.received();
        drop(before);
        thread::sleep(3 * SECOND);
        let after = same(&scene, 80);
        thread::sleep(2 * SECOND);
        received.extend(after.received());
        received
    });
    // Requests on their way to the socket may bunch by some milliseconds on a busy machine.
    let most = most_within(&received, SECOND);
    println!(
        "{} visits, {} replays, at most {most} in a second",
        took.len(),
        received.len()
    );
    assert!(took.len() > 1000, "{} visits are no load", took.len());
    assert!(most <= 61, "{most} in a second");
    assert!(received.len() >= 120, "{} in four seconds", received.len());
    let report = agent.stop();
    assert_laws(&report);
    assert!(report.funnel.skipped["rate_limited"] > 0, "{:#?}", report.funnel);
}

#[test]
fn a_dead_shadow_is_left_alone_and_production_does_not_notice() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let ((), without) = visited(&scene, Duration::ZERO, || thread::sleep(2 * SECOND));
    let text = format!(
        "shadow:\n  url: http://{}\n  breaker: {{open: 30s}}\n",
        Scene::shadow()
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    let ((), with) = visited(&scene, Duration::ZERO, || {
        wait_until("the breaker opens", Duration::from_secs(10), || {
            lane(&agent, "shadow")["breaker"] == "open"
        });
        thread::sleep(2 * SECOND);
    });
    println!(
        "p99 without {:?} ({} visits in 2 s), with {:?} ({} visits in 2 s and more)",
        p99(&without),
        without.len(),
        p99(&with),
        with.len()
    );
    // A client that waited for the shadow system would take seconds; the test machine is busy.
    assert!(
        p99(&with) < p99(&without) * 5 + 20 * MS,
        "{:?} after {:?}",
        p99(&with),
        p99(&without)
    );
    assert!(
        with.len() > without.len() / 2,
        "{} visits after {}",
        with.len(),
        without.len()
    );
    let status = agent.status();
    assert_eq!(status["trips"][0]["rule"], "breaker", "{status}");
    let report = agent.stop();
    assert_laws(&report);
    let funnel = &report.funnel;
    assert_eq!(funnel.failures["connect"], funnel.replayed, "{funnel:#?}");
    assert!(funnel.replayed < 200, "left alone after 50: {funnel:#?}");
    assert!(funnel.skipped["breaker_open"] > 100, "{funnel:#?}");
}

#[test]
fn a_shadow_that_takes_ten_seconds_slows_no_other() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _first = same(&scene, 80);
    let _slow = Server::start(
        &scene.lab.shadow,
        Lab::shadow_system(81),
        Behaviour::Slow(Duration::from_secs(10)),
    );
    let text = format!(
        "shadow:\n  url: http://{}\nalso:\n  - name: slow\n    url: http://{}\n",
        Lab::shadow_system(80),
        Lab::shadow_system(81)
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    let (rss, took) = visited(&scene, 2 * MS, || {
        thread::sleep(SECOND);
        let before = agent.process.rss();
        thread::sleep(3 * SECOND);
        (before, agent.process.rss())
    });
    let visits = took.len() as u64;
    wait_until("the first target has everything", Duration::from_secs(3), || {
        lane(&agent, "shadow")["funnel"]["matched"].as_u64() == Some(visits)
    });
    let slow = lane(&agent, "slow");
    assert_eq!(slow["funnel"]["matched"], 0, "{slow}");
    println!(
        "{visits} visits, p99 {:?}, resident {} KiB, then {} KiB",
        p99(&took),
        rss.0 >> 10,
        rss.1 >> 10
    );
    assert!(rss.1 < rss.0 + (48 << 20), "{} bytes, then {}", rss.0, rss.1);
    let report = agent.stop();
    assert_laws(&report);
    assert_eq!(
        (report.target.as_str(), report.funnel.matched),
        ("shadow", visits)
    );
    assert_eq!(report.also[0].target, "slow");
    assert_eq!(
        report.also[0].funnel.exchanges, visits,
        "{:#?}",
        report.also[0].funnel
    );
}

#[test]
fn a_share_is_sent_twice_and_a_control_target_tells_the_background() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = same(&scene, 80);
    let _control = same(&scene, 81);
    let text = format!(
        "shadow:\n  url: http://{}\nalso:\n  - name: twin\n    role: control\n    url: http://{}\n",
        Lab::shadow_system(80),
        Lab::shadow_system(81)
    );
    let path = scene.directory.path().join("noise.yaml");
    std::fs::write(&path, text).unwrap();
    let mut agent = shadow_tests::agent::Plan::new(scene.directory.path())
        .capture(Lab::LINK, 80)
        .args(&[
            "--config",
            path.to_str().unwrap(),
            "--idle-cpu",
            "0%",
            "--twice",
            "20%",
        ])
        .start(&scene.lab.server);
    let ((), took) = visited(&scene, 5 * MS, || thread::sleep(2 * SECOND));
    let visits = took.len() as u64;
    let report = agent.settled(visits);
    assert_laws(&report);
    let background = &report.background;
    let (twice, recurring, control) = (background.twice, background.recurring, background.control);
    println!("{visits} visits: twice {twice:?}, recurring {recurring:?}, control {control:?}");
    assert!(
        twice.compared > visits / 10 && twice.compared < visits / 3,
        "{twice:?} of {visits}"
    );
    assert_eq!(shadow.received().len() as u64, visits + twice.compared);
    assert_eq!(control.compared, visits);
    assert!(recurring.compared > 10, "{recurring:?}");
    assert_eq!(twice.differed + recurring.differed + control.differed, 0);
    assert_laws(&agent.stop());
}
