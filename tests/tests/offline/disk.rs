//! A disk that fills during a recording: recording ends with a message, mirroring continues, and the file is complete
//! up to its last block.

use std::{fs, path::Path, process::Command};

use shadow_tests::{
    agent,
    agent::PATIENCE,
    laws::assert_laws,
    need,
    netns::Lab,
    process::{Launch, wait_until},
    scene::Scene,
    traffic,
};

use super::tshark;

/// A few rounds of traffic exceed this.
const SIZE: &str = "size=3m";

/// A small disk, unmounted also on panic.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path) -> Self {
        fs::create_dir(at).expect("a directory");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(at)
            .status()
            .expect("mount starts");
        assert!(status.success(), "{status}");
        Self(at)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("--lazy").arg(self.0).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}

/// The numbers of "recorded 5 of 9 segments, ..., 4 dropped".
fn shown(text: &str) -> [u64; 3] {
    let (_, line) = text
        .rsplit_once("recorded ")
        .unwrap_or_else(|| panic!("nothing is said about the recording: {text}"));
    let line = line.lines().next().unwrap_or_default();
    let number = |part: &str| -> u64 {
        let digits = part.trim().split(' ').next().unwrap_or_default();
        digits.parse().unwrap_or_else(|_| panic!("{line}"))
    };
    let (written, rest) = line.split_once(" of ").expect("how many");
    let dropped = line.split(", ").find(|part| part.ends_with(" dropped"));
    [number(written), number(rest), dropped.map_or(0, number)]
}

#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    need!(Root, Program("nginx"), Program("tshark"));
    let scene = Scene::new();
    let place = scene.directory.path().join("disk");
    let disk = Disk::mount(&place);
    let file = place.join("traffic.pcapng");
    let config = scene.directory.path().join("record.yaml");
    let text = format!("record: {{file: {}, redact: none}}\n", file.display());
    fs::write(&config, text).expect("a configuration");
    let mut agent = scene
        .observer()
        .args(&["--config", &config.to_string_lossy()])
        .start(&scene.lab.server);
    let mut answered = 0;
    wait_until("the full disk is noticed", PATIENCE, || {
        answered += scene
            .lab
            .client
            .run(|| traffic::varied(&[Scene::production()], 1));
        agent.process.stderr().contains("recording has ended")
    });
    let log = agent.process.stderr();
    assert!(log.contains("No space left on device"), "{log}");
    // Mirroring continues.
    answered += scene
        .lab
        .client
        .run(|| traffic::varied(&[Scene::production()], 2));
    let report = agent.settled(answered);
    assert_eq!(report.funnel.exchanges, answered, "{:#?}", report.funnel);
    assert_laws(&agent.stop());
    let log = agent.process.stderr();
    assert_eq!(
        log.matches("recording has ended").count(),
        1,
        "it is reported once: {log}"
    );
    let [written, segments, dropped] = shown(&log);
    assert_eq!(written + dropped, segments, "{log}");
    assert!(written > 0 && dropped > 0, "{log}");
    assert!(log.contains("ended early: No space left on device"), "{log}");

    whole(&place, written);
    drop(disk);
}

#[test]
fn a_full_disk_ends_a_recording_alone_with_an_error() {
    need!(Root, Program("nginx"), Program("tshark"));
    let scene = Scene::new();
    let place = scene.directory.path().join("disk");
    let disk = Disk::mount(&place);
    let file = place.join("traffic.pcapng");
    let start = || {
        Launch::new(agent::binary(), scene.directory.path())
            .args([
                "record",
                "--interface",
                Lab::LINK,
                "--port",
                "80",
                "--redact",
                "none",
                "-o",
            ])
            .args([&file])
            .start(&scene.lab.server)
    };
    let mut record = start();
    wait_until("it records", PATIENCE, || record.stderr().contains("mirroring"));
    wait_until("the full disk ends it", PATIENCE, || {
        scene
            .lab
            .client
            .run(|| traffic::varied(&[Scene::production()], 1));
        !record.is_running()
    });
    let said = record.output();
    assert_eq!(record.wait(PATIENCE).code(), Some(73), "{said}");
    assert!(
        said.contains("shadow: the recording ended early: No space left on device"),
        "{said}"
    );
    let [written, segments, dropped] = shown(&record.stdout());
    assert_eq!(written + dropped, segments, "{said}");
    assert!(written > 0 && dropped > 0, "{said}");
    whole(&place, written);

    // Without space for the beginning of a file it is refused, and leaves no file.
    fs::remove_file(&file).expect("the recording");
    let filled = fs::write(place.join("zeros"), vec![0; 8 << 20]);
    assert!(filled.is_err(), "the disk is full");
    let mut record = start();
    assert_eq!(record.wait(PATIENCE).code(), Some(73), "{}", record.output());
    assert!(record.stderr().contains("cannot create"), "{}", record.output());
    assert!(!file.exists() && !place.join("traffic.pcapng.part").exists());
    drop(disk);
}

/// Under its final name, and complete: both readers find as many packets as were counted.
fn whole(place: &Path, written: u64) {
    let file = place.join("traffic.pcapng");
    assert!(!place.join("traffic.pcapng.part").exists());
    let output = Command::new(agent::binary())
        .args(["inspect", "--json"])
        .arg(&file)
        .output();
    let output = output.expect("inspect runs");
    let lines = String::from_utf8_lossy(&output.stdout);
    let last: serde_json::Value =
        serde_json::from_str(lines.lines().last().expect("a summary")).expect("JSON");
    assert!(last["summary"]["damage"].is_null(), "{last}");
    assert!(last["summary"]["complete"].as_u64() > Some(0), "{last}");
    assert_eq!(last["summary"]["packets"], written, "{last}");
    assert_eq!(tshark(&file, "frame") as u64, written);
}
