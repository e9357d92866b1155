//! A disk that fills while the agent runs, and later has free space again.

use std::{fs, io::Write as _, path::Path, process::Command, time::Duration};

use serde_json::Value;
use shadow_tests::{
    agent::{Agent, PATIENCE},
    laws::assert_laws,
    need,
    process::wait_until,
};

use crate::stage::{Stage, response};

/// A small disk, unmounted also on panic.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path) -> Self {
        fs::create_dir(at).expect("a directory");
        let path = at.to_str().expect("a path of text");
        run("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs", path]);
        Self(at)
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("fill")).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn clear(&self) {
        fs::remove_file(self.0.join("fill")).expect("the file");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.0.to_str().expect("a path of text")]);
    }
}

fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status().expect("it starts");
    assert!(status.success(), "{program} {args:?} ended with {status}");
}

/// Waits for a state of the journal while new differences arrive.
fn until(what: &str, stage: &Stage, agent: &Agent, names: &str, done: impl Fn(&Value) -> bool) -> Value {
    let mut number = 0;
    let mut journal = Value::Null;
    wait_until(what, PATIENCE, || {
        number += 1;
        let name: String = names.repeat(number);
        stage.get(&[format!("/route{name}")]);
        std::thread::sleep(Duration::from_millis(300));
        journal = agent.status()["journal"].clone();
        done(&journal)
    });
    journal
}

#[test]
fn a_full_disk_costs_the_journal_only_and_only_while_it_is_full() {
    need!(Root);
    let answer = |price: u32| {
        let text = format!("{{\"price\":{price},\"text\":\"{}\"}}", "words ".repeat(4_000));
        response("Content-Type: application/json\r\n", &text)
    };
    let stage = Stage::new(&answer(1), &answer(2));
    let place = stage.file("disk");
    let disk = Disk::mount(&place);
    let kept = place.join("state");
    let plan = stage.plan().args(&[
        "--state-dir",
        kept.to_str().expect("text"),
        "--metrics",
        "127.0.0.1:9464",
    ]);
    let mut agent = stage.start(plan);
    until("it is written", &stage, &agent, "a", |journal| {
        journal["written"].as_u64() > Some(0) && journal["failing"].is_null()
    });

    disk.fill();
    let full = until("the full disk is noticed", &stage, &agent, "b", |journal| {
        journal["dropped_full"].as_u64() > Some(2)
    });
    assert!(
        full["failing"]
            .as_str()
            .is_some_and(|why| why.starts_with("the disk is full")),
        "{full}"
    );
    let warnings = agent.status()["warnings"].to_string();
    assert!(
        warnings.contains("the journal") && warnings.contains("the disk is full"),
        "{warnings}"
    );
    let metrics = stage.lab.server.run(|| {
        let mut connection =
            shadow_tests::client::Connection::open(([127, 0, 0, 1], 9464).into()).expect("metrics");
        connection.get("/metrics", "").expect("metrics").body
    });
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(metrics.contains("\nshadow_journal_failing 1\n"), "{metrics}");

    disk.clear();
    let room = until("there is room again", &stage, &agent, "c", |journal| {
        journal["failing"].is_null() && journal["written"].as_u64() > full["written"].as_u64()
    });
    assert!(room["dropped_full"].as_u64() > Some(2), "{room}");
    let log = agent.process.stderr();
    let shown = log.matches("is not written until there is room").count();
    assert_eq!(shown, 1, "it is reported once: {log}");
    assert!(log.contains("the journal is written again"), "{log}");
    // The default state directory of the harness is another one.
    agent.process.signal(rustix::process::Signal::TERM);
    let status = agent.process.wait(PATIENCE);
    assert!(status.success(), "{status}: {log}");
    let report = fs::read(kept.join("report.json")).expect("the last report");
    assert_laws(&serde_json::from_slice(&report).expect("a report"));
    let reader = shadow_agent::journal::Reader::open(&kept.join("journal.sqlite")).expect("a journal");
    assert!(reader.counts().expect("counts")[0] > 0);
    drop(disk);
}
