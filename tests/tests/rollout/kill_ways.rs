use std::time::{Duration, Instant};

use rustix::process::Signal;
use shadow_tests::{agent::Agent, laws::assert_laws, need, process::wait_until, scene::Scene};

use super::{config, start};

fn killed(agent: &Agent) -> bool {
    agent.status()["armed"] == false
}

fn refuses(agent: &Agent, words: &[&str]) -> String {
    let output = agent.ask(words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{words:?} was done: {said}");
    said
}

#[test]
fn a_file_kills_and_taking_it_away_does_not_resume() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let file = scene.directory.path().join("run/kill");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let text = format!("agent: {{kill_file: {}}}\n", file.display());
    let mut agent = start(&scene, &text);
    assert!(!killed(&agent));
    // Whole at once: a file without its reason kills, too.
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, "incident 4711\n").unwrap();
    std::fs::rename(&fresh, &file).unwrap();
    let begun = Instant::now();
    wait_until("the file kills", Duration::from_secs(2), || killed(&agent));
    // One check every 50 ms, plus the time of a query on a busy machine.
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let status = agent.status();
    assert_eq!(status["killed"]["why"], "incident 4711", "{status:#}");
    let who = status["killed"]["who"].as_str().unwrap();
    assert!(who.contains("run/kill (root (uid 0))"), "{who}");
    let said = refuses(&agent, &["resume"]);
    assert!(said.contains("remove it first"), "{said}");
    assert!(killed(&agent));
    std::fs::remove_file(&file).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(killed(&agent), "taking the file away is no order");
    // Also across a restart.
    agent.stop();
    let mut again = start(&scene, &text);
    assert!(killed(&again));
    again.must(&["resume"]);
    assert!(!killed(&again));
    assert_laws(&again.stop());
    // An agent that starts while the file exists starts killed.
    std::fs::write(&file, "").unwrap();
    let mut third = start(&scene, &text);
    assert!(killed(&third));
    third.stop();
}

#[test]
fn a_signal_kills_and_another_one_does_nothing() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, "");
    agent.process.signal(Signal::USR2);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!killed(&agent));
    agent.process.signal(Signal::USR1);
    wait_until("the signal kills", Duration::from_secs(2), || killed(&agent));
    let status = agent.status();
    let who = format!("SIGUSR1 from root (uid 0), pid {}", std::process::id());
    assert_eq!(status["killed"]["who"], who, "{status:#}");
    assert!(status["killed"]["at_ms"].as_u64().unwrap() > 1_600_000_000_000);
    agent.stop();
    let _same = config(&scene, "");
    let mut again = start(&scene, "");
    assert!(killed(&again), "a restart is no resume");
    again.stop();
}

#[test]
fn who_killed_and_why_is_kept() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, "");
    for _ in 0..2 {
        agent.must(&["kill", "--why", "drill"]);
    }
    let status = agent.status();
    assert_eq!(status["killed"]["why"], "drill", "{status:#}");
    assert!(
        status["killed"]["who"].as_str().unwrap().contains("uid 0"),
        "{status:#}"
    );
    let page = agent.must(&["status"]);
    assert!(page.starts_with("KILLED") && page.contains("drill"), "{page}");
    for _ in 0..2 {
        agent.must(&["resume"]);
    }
    assert!(!killed(&agent));
    agent.stop();
}
