use std::{cell::RefCell, path::Path, time::Duration};

use shadow_core::{
    evidence::{Judgement, Proportion, Ruling},
    rollout::{OnFailure, Phase},
};
use shadow_proto::time::Timestamp;

use super::*;
use crate::journal::MemoryJournal;

/// An agent that follows orders and reports the test's figures.
struct Fake {
    sample: RefCell<f64>,
    armed: RefCell<bool>,
    since: RefCell<IntervalEvidence>,
    killed: RefCell<Vec<String>>,
}

impl Fake {
    fn new() -> Self {
        Self {
            sample: RefCell::new(1.0),
            armed: RefCell::new(true),
            since: RefCell::default(),
            killed: RefCell::default(),
        }
    }

    fn shows(&self, ruling: Ruling) {
        *self.since.borrow_mut() = IntervalEvidence {
            compared: 100,
            shadow_errors: Proportion::new(0, 100),
            judgement: Judgement {
                ruling,
                ..Judgement::default()
            },
            ..IntervalEvidence::default()
        };
    }

    #[track_caller]
    fn mirrors(&self, share: f64) {
        let now = *self.sample.borrow();
        assert!((now - share).abs() < 1e-12, "{now} is not {share}");
    }
}

impl Mirror for Fake {
    fn is_armed(&self) -> Option<bool> {
        Some(*self.armed.borrow())
    }

    fn sample(&self) -> Option<f64> {
        Some(*self.sample.borrow())
    }

    fn set_sample(&self, share: f64) -> Result<(), CommandError> {
        *self.sample.borrow_mut() = share;
        Ok(())
    }

    fn kill(&self, why: &str) {
        *self.armed.borrow_mut() = false;
        self.killed.borrow_mut().push(why.to_owned());
    }

    fn marks(&self) -> Vec<LedgerSnapshot> {
        // A new phase has no evidence yet.
        *self.since.borrow_mut() = IntervalEvidence::default();
        vec![LedgerSnapshot::default()]
    }

    fn since(&self, _marks: &[LedgerSnapshot], _gates: &GateConfig) -> IntervalEvidence {
        self.since.borrow().clone()
    }
}

fn plan(on_failure: OnFailure) -> Plan {
    let phase = |name: &str, sample: f64| Phase {
        name: name.to_owned(),
        sample,
        min_duration: Duration::from_secs(10),
        min_compared: 50,
        gates: GateConfig::default(),
    };
    Plan {
        phases: vec![phase("smoke", 0.01), phase("canary", 0.1), phase("full", 1.0)],
        on_failure,
        fail_after: 10,
        attempts: 3,
    }
}

fn at(seconds: u64) -> Moment {
    Moment {
        at: Timestamp::from_nanos(seconds * 1_000_000_000),
        wall_ms: 0,
    }
}

fn driver(folder: &Path, on_failure: OnFailure) -> (Driver, Arc<MemoryJournal>) {
    let kept = Arc::new(MemoryJournal::default());
    let sink: Arc<dyn Sink> = Arc::clone(&kept) as Arc<dyn Sink>;
    let driver = Driver::load(plan(on_failure), StateDir::new(folder), at(0));
    (driver.telling(sink), kept)
}

#[test]
fn the_sample_follows_the_phase_and_outlives_the_agent() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (first, kept) = driver(folder.path(), OnFailure::Hold);
    let fake = Fake::new();
    assert_eq!(first.sample(), None, "without a rollout it has no say");
    first.tick(&fake, at(1));
    fake.mirrors(1.0);
    let status = first.order(&fake, Order::Start, "me", at(1)).expect("starts");
    assert_eq!(
        (status.place.phase.as_str(), status.next.as_deref()),
        ("smoke", Some("canary"))
    );
    assert_eq!(status.waits_for.len(), 2, "{:#?}", status.waits_for);
    fake.mirrors(0.01);
    fake.shows(Ruling::Go);
    first.tick(&fake, at(10));
    fake.mirrors(0.01);
    first.tick(&fake, at(11));
    fake.mirrors(0.1);
    assert!(
        matches!(&kept.entries()[..], [Entry::Event(_), Entry::Event(event)]
        if event.kind == "rollout" && event.why.contains("running smoke -> running canary")
            && event.evidence["evidence"]["compared"] == 100),
        "{:#?}",
        kept.entries()
    );

    // A new agent, in the middle of the phase: the phase starts over at its sample.
    let (second, _) = driver(folder.path(), OnFailure::Hold);
    assert_eq!(second.sample(), Some(0.1));
    let place = second.place();
    assert_eq!((place.stage, place.phase.as_str()), (Stage::Running, "canary"));
    fake.shows(Ruling::Go);
    second.tick(&fake, at(9));
    fake.mirrors(0.1);
    second.tick(&fake, at(10));
    fake.mirrors(1.0);
}

#[test]
fn nothing_goes_above_the_phase_whoever_sets_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (driver, _) = driver(folder.path(), OnFailure::Hold);
    let fake = Fake::new();
    driver.order(&fake, Order::Start, "me", at(0)).expect("starts");
    // Bypassing the agent, in the kernel's map.
    fake.set_sample(0.9).expect("set");
    driver.tick(&fake, at(1));
    fake.mirrors(0.01);
    let refused = driver.by_hand(&fake, 0.5, "me", at(1)).expect_err("too much");
    let text = refused.to_string();
    assert!(
        matches!(refused, CommandError::Refused(_)) && text.contains("at most 0.01"),
        "{text}"
    );
    fake.mirrors(0.01);
    driver.by_hand(&fake, 0.001, "me", at(1)).expect("lowers");
    fake.mirrors(0.001);
    assert_eq!(driver.place().stage, Stage::Paused);
    // Neither may a pause raise a sample that was lowered bypassing the agent.
    driver.order(&fake, Order::Resume, "me", at(2)).expect("resumes");
    fake.mirrors(0.01);
    fake.set_sample(0.002).expect("set");
    driver
        .order(&fake, Order::Pause(String::new()), "me", at(3))
        .expect("pauses");
    fake.mirrors(0.002);
    driver
        .order(&fake, Order::Abort(String::new()), "me", at(4))
        .expect("aborts");
    fake.mirrors(0.0);
    driver.by_hand(&fake, 1.0, "me", at(5)).expect("it is over");
    fake.mirrors(1.0);
}

#[test]
fn a_failed_gate_kills_and_the_rollout_waits() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (driver, _) = driver(folder.path(), OnFailure::Kill);
    let fake = Fake::new();
    driver.order(&fake, Order::Start, "me", at(0)).expect("starts");
    fake.shows(Ruling::NoGo);
    driver.tick(&fake, at(1));
    assert_eq!(fake.killed.borrow().len(), 1);
    driver.tick(&fake, at(2));
    assert_eq!(
        (driver.place().stage, fake.killed.borrow().len()),
        (Stage::Held, 1)
    );
}

#[test]
fn a_kill_by_others_pauses_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (driver, _) = driver(folder.path(), OnFailure::Hold);
    let fake = Fake::new();
    driver.order(&fake, Order::Start, "me", at(0)).expect("starts");
    fake.kill("drill");
    fake.shows(Ruling::Go);
    driver.tick(&fake, at(100));
    assert_eq!(driver.place().stage, Stage::Paused);
    fake.mirrors(0.01);
}

/// Makes every write of the state file fail: a folder has its path.
fn full(folder: &Path) -> std::path::PathBuf {
    let place = folder.join("rollout.json");
    std::fs::remove_file(&place).expect("it was kept");
    std::fs::create_dir(&place).expect("a folder");
    place
}

#[test]
fn what_cannot_be_written_down_does_not_advance_and_still_goes_down() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (driver, _) = driver(folder.path(), OnFailure::Hold);
    let fake = Fake::new();
    driver.order(&fake, Order::Start, "me", at(0)).expect("starts");
    let place = full(folder.path());
    fake.shows(Ruling::Go);
    driver.tick(&fake, at(10));
    fake.mirrors(0.01);
    assert_eq!(driver.place().phase, "smoke");
    let warning = driver.warning().expect("a warning");
    assert!(
        warning.contains("cannot be kept") && warning.contains("rollout.json"),
        "{warning}"
    );
    // A failed write removes the unfinished file.
    assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 1);
    driver
        .order(&fake, Order::Abort("incident".to_owned()), "me", at(11))
        .expect("aborts");
    fake.mirrors(0.0);
    let warning = driver.warning().expect("a warning");
    assert!(warning.contains("a restart would go on"), "{warning}");
    // It can be written again: the next tick does so.
    std::fs::remove_dir(place).expect("removes");
    driver.tick(&fake, at(12));
    assert_eq!(driver.warning(), None);
    let saved = StateDir::new(folder.path())
        .rollout()
        .expect("readable")
        .expect("kept");
    assert_eq!(saved.place.stage, Stage::Aborted);
}

#[test]
fn a_state_that_cannot_be_understood_is_a_paused_first_phase() {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::write(folder.path().join("rollout.json"), "{\"place\":").expect("write");
    let (driver, _) = driver(folder.path(), OnFailure::Hold);
    let place = driver.place();
    assert_eq!((place.stage, place.sample), (Stage::Paused, Some(0.01)));
    assert!(driver.warning().expect("a warning").contains("rollout.json"));
}

#[test]
fn the_page_says_where_it_is_and_what_is_missing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (driver, _) = driver(folder.path(), OnFailure::Hold);
    let fake = Fake::new();
    let idle = status::page(&driver.order(&fake, Order::Status, "me", at(0)).expect("a status"));
    assert!(idle.starts_with("rollout     idle\n"), "{idle}");
    let status = driver.order(&fake, Order::Start, "uid 0", at(4)).expect("starts");
    let page = status::page(&status);
    for part in [
        "rollout     running, 1% of connections",
        "> smoke                1%  at least 10s, 50 compared, match rate above 99.9 %",
        "  canary              10%",
        "waits for 10s of 10s",
        "waits for 50 of 50 compared exchanges",
        "running smoke at 1% by uid 0: started",
    ] {
        assert!(page.contains(part), "{part:?} is not in\n{page}");
    }
    let text = serde_json::to_string(&status).expect("writes");
    assert_eq!(
        serde_json::from_str::<RolloutStatus>(&text).expect("reads"),
        status
    );
}
