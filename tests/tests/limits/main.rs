//! Limits of a target, of the agent's cost, and automatic stops: on real traffic, counted at the shadow system.

mod budget;
mod limits;
mod storm;
mod trips;

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use shadow_tests::{
    agent::{Agent, Plan},
    client::Connection,
    netns::Lab,
    scene::{PORT, Scene},
    servers::{Behaviour, Server},
};

/// An agent with this configuration besides interface, port and state; the test machine is busy.
fn plan(scene: &Scene, text: &str) -> Plan {
    let path = scene.directory.path().join("shadow.yaml");
    std::fs::write(&path, text).unwrap();
    Plan::new(scene.directory.path()).capture(Lab::LINK, PORT).args(&[
        "--config",
        path.to_str().unwrap(),
        "--idle-cpu",
        "0%",
        "--twice",
        "0%",
    ])
}

/// A shadow system that answers as production does.
fn same(scene: &Scene, port: u16) -> Server {
    let body = std::fs::read(scene.www.join("1k.json")).unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"x\"\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = [head.into_bytes(), body].concat();
    Server::start(
        &scene.lab.shadow,
        Lab::shadow_system(port),
        Behaviour::Respond(answer),
    )
}

/// Visits production until stopped; returns the duration of each visit.
fn visits(scene: &Scene, over: &AtomicBool, pause: Duration) -> Vec<Duration> {
    scene.lab.client.run(|| {
        let mut took = Vec::new();
        let mut connection = Connection::open(Scene::production()).unwrap();
        while !over.load(Relaxed) {
            let start = Instant::now();
            // nginx closes a connection after a thousand requests.
            if connection.get("/1k.json", "").is_err() || took.len() % 500 == 499 {
                connection = Connection::open(Scene::production()).unwrap();
            }
            took.push(start.elapsed());
            thread::sleep(pause);
        }
        took
    })
}

/// Runs `work` while production is visited; returns its result and the duration of each visit.
fn visited<T>(scene: &Scene, pause: Duration, work: impl FnOnce() -> T) -> (T, Vec<Duration>) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let visitor = scope.spawn(|| visits(scene, &over, pause));
        let ended = Ended(&over);
        let done = work();
        drop(ended);
        (done, visitor.join().unwrap())
    })
}

/// Ends the visits even when the work panics.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The 99th percentile.
fn p99(took: &[Duration]) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * 99 / 100).min(sorted.len() - 1)]
}

/// One target in the status.
fn lane(agent: &Agent, name: &str) -> Value {
    let status = agent.status();
    let lanes = status["lanes"].as_array().unwrap().iter();
    let mut found = lanes.filter(|lane| lane["name"] == name).cloned();
    found
        .next_back()
        .unwrap_or_else(|| panic!("no target {name} in {status}"))
}
