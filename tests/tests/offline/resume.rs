//! A replay that ends before its file does, and the next one, which resumes it.

use std::{fs, path::PathBuf, time::Duration};

use rustix::process::Signal;
use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::{self, PATIENCE},
    laws::assert_laws,
    need,
    netns::Lab,
    process::{Launch, Process, wait_until},
    recording::Recording,
    scene::Scene,
    servers::{Behaviour, Server},
};
use tempfile::TempDir;

const ALL: usize = 60;
const CONTENT: &[u8] = b"{\"ok\":true}";

/// A recording of three seconds, and the system that answered it.
struct Stage {
    shadow: Server,
    lab: Lab,
    directory: TempDir,
    file: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let lab = Lab::new();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("paced.pcapng");
        let recording = Recording {
            exchanges: ALL,
            content: CONTENT,
            gap: Duration::from_millis(50),
            connections: 3,
            http2: false,
        };
        recording.write(&file).expect("a recording");
        // No request may be sent twice except by mistake.
        let config = directory.path().join("replay.yaml");
        fs::write(config, "noise: {twice: 0%}\n").expect("a configuration");
        Self {
            shadow: Server::start(&lab.shadow, Scene::shadow(), Behaviour::Answer(CONTENT.to_vec())),
            lab,
            directory,
            file,
        }
    }

    fn replay(&self, speed: &str) -> Process {
        let url = format!("http://{}", Scene::shadow());
        Launch::new(agent::binary(), self.directory.path())
            .args(["replay", "--json", "--shadow", &url, "--speed", speed, "--resume"])
            .args([
                self.position(),
                self.file.clone(),
                "--config".into(),
                self.directory.path().join("replay.yaml"),
            ])
            .start(&self.lab.server)
    }

    fn position(&self) -> PathBuf {
        self.directory.path().join("position.json")
    }

    fn done(&self) -> u64 {
        let text = fs::read(self.position()).expect("a position");
        let position: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        position["done"].as_u64().expect("a number")
    }

    /// Targets that the shadow system was asked for, in order.
    fn asked(&self) -> Vec<String> {
        self.shadow
            .received()
            .into_iter()
            .map(|request| request.start)
            .collect()
    }

    fn waits_for(&self, requests: usize) {
        wait_until("so many are replayed", PATIENCE, || {
            self.asked().len() >= requests
        });
    }
}

fn every() -> Vec<String> {
    (0..ALL).map(|number| format!("GET /n/{number}")).collect()
}

fn report(process: &Process) -> Report {
    serde_json::from_str(&process.stdout()).unwrap_or_else(|error| panic!("{error}: {}", process.output()))
}

#[test]
fn ctrl_c_ends_with_a_report_and_the_next_run_repeats_nothing() {
    need!(Root);
    let stage = Stage::new();
    let mut first = stage.replay("1x");
    stage.waits_for(10);
    first.signal(Signal::INT);
    let code = first.wait(PATIENCE).code();
    assert_eq!(code, Some(2), "too little was compared: {}", first.output());
    let done = report(&first);
    assert_laws(&done);
    let before = stage.asked().len();
    assert!((10..ALL).contains(&before), "in the middle, not after {before}");
    assert_eq!(
        (done.funnel.exchanges, done.funnel.matched),
        (before as u64, before as u64),
        "{:#?}",
        done.funnel
    );
    assert_eq!(stage.done(), before as u64);

    let mut second = stage.replay("max");
    second.wait(PATIENCE);
    let rest = report(&second);
    assert_laws(&rest);
    assert_eq!(rest.funnel.matched, (ALL - before) as u64, "{:#?}", rest.funnel);
    let (mut asked, mut every) = (stage.asked(), every());
    assert_eq!(asked[..before], every[..before]);
    // At full speed several requests are in flight at once.
    asked.sort();
    every.sort();
    assert_eq!(asked, every, "each once");

    let mut third = stage.replay("max");
    assert_eq!(third.wait(PATIENCE).code(), Some(64), "{}", third.output());
    assert!(third.stderr().contains("was finished"), "{}", third.output());
}

#[test]
fn after_a_kill_nothing_is_left_out_and_little_is_repeated() {
    need!(Root);
    let stage = Stage::new();
    let mut first = stage.replay("1x");
    // The position is written every second, which is every twenty exchanges.
    stage.waits_for(35);
    first.signal(Signal::KILL);
    first.wait(PATIENCE);
    let (before, done) = (stage.asked().len(), stage.done());
    assert!(before < ALL, "it was killed too late to tell anything");
    assert!(done > 0 && done <= before as u64, "{done} of {before}");

    let mut second = stage.replay("max");
    second.wait(PATIENCE);
    let rest = report(&second);
    assert_laws(&rest);
    assert_eq!(rest.funnel.matched, ALL as u64 - done, "{:#?}", rest.funnel);
    let mut asked = stage.asked();
    assert_eq!(asked.len() as u64, before as u64 + ALL as u64 - done);
    let mut every = every();
    asked.sort();
    asked.dedup();
    every.sort();
    assert_eq!(asked, every, "nothing is left out");
}
