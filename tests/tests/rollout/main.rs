//! Safe activation: the sample is raised by evidence only, and every stop command takes effect.

mod control;
mod dry_run;
mod kill_ways;
mod phases;
mod reload;
mod watch;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::Value;
use shadow_tests::{agent::Agent, client::Connection, scene::Scene};

/// Writes the configuration file of a test.
fn config(scene: &Scene, text: &str) -> PathBuf {
    let path = scene.directory.path().join("shadow.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

/// An agent with this configuration.
fn start(scene: &Scene, text: &str) -> Agent {
    let path = config(scene, text);
    scene
        .agent()
        .args(&["--config", path.to_str().unwrap()])
        .start(&scene.lab.server)
}

/// Clients that come and go, each on a connection of its own, while `work` runs. They pause, so that an agent that is
/// built without optimisation keeps up: the latency of one that does not is its own, and not the shadow system's.
fn under_load<T>(scene: &Scene, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            scene.lab.client.run(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut connection = Connection::open(Scene::production()).unwrap();
                    for _ in 0..4 {
                        connection.get("/1k.json", "").unwrap();
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            });
        });
        // Also when `work` panics: the scope waits for its threads.
        let _over = Over(&over);
        work()
    })
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `shadow rollout WORDS --json`.
fn rollout(agent: &Agent, words: &[&str]) -> Value {
    let words = [&["rollout"], words, &["--json"]].concat();
    serde_json::from_str(&agent.must(&words)).unwrap()
}

fn place(status: &Value) -> (String, String) {
    let text = |key: &str| status["place"][key].as_str().unwrap_or_default().to_owned();
    (text("stage"), text("phase"))
}

/// Contents of the kernel program's map.
fn sample(agent: &Agent) -> f64 {
    agent.status()["sample"].as_f64().unwrap()
}
