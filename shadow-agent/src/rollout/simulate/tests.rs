use shadow_core::{
    evidence::{GateConfig, Ruling},
    rollout::{Cause, OnFailure, Phase, Stage},
};

use super::*;
use crate::journal::Buckets;

const FROM: u64 = 1_700_000_000_000;
const SPAN: u64 = 10_000;

fn phase(name: &str, sample: f64, seconds: u64) -> Phase {
    Phase {
        name: name.to_owned(),
        sample,
        min_duration: std::time::Duration::from_secs(seconds),
        min_compared: 100,
        gates: GateConfig {
            match_rate: 0.9,
            ..GateConfig::default()
        },
    }
}

fn plan(on_failure: OnFailure) -> Plan {
    Plan {
        phases: vec![
            phase("smoke", 0.01, 30),
            phase("half", 0.5, 60),
            phase("full", 1.0, 60),
        ],
        on_failure,
        fail_after: 50,
        attempts: 2,
    }
}

/// The window of that number, with 1,000 exchanges and the given number of mismatches.
fn window(number: u64, mismatched: u64) -> Window {
    Window {
        at_ms: FROM + number * SPAN,
        span_ms: SPAN,
        target: "shadow".to_owned(),
        matched: 1_000 - mismatched,
        mismatched,
        production: Buckets::of([(1_000, 1_000)]),
        shadow: Buckets::of([(1_100, 1_000)]),
        gated: Some(Gated {
            sample: 1.0,
            ..Gated::default()
        }),
        ..Window::default()
    }
}

fn recording(windows: impl IntoIterator<Item = Window>) -> Recording {
    Recording {
        targets: vec!["shadow".to_owned()],
        reversed: false,
        windows: windows.into_iter().collect(),
        events: Vec::new(),
    }
}

fn event(at_ms: u64, kind: &str) -> Event {
    Event {
        at_ms,
        kind: kind.to_owned(),
        who: "ann".to_owned(),
        ..Event::default()
    }
}

/// Each transition: seconds from the beginning, the cause, the new stage and phase.
fn steps(simulated: &Simulated) -> Vec<(u64, Cause, Stage, &str)> {
    let steps = simulated.timeline.iter();
    steps
        .map(|step| {
            let to = &step.to;
            (
                (step.at_ms - FROM) / 1000,
                step.cause,
                to.stage,
                to.phase.as_str(),
            )
        })
        .collect()
}

fn on(policy: OnFailure, recording: Recording) -> Simulated {
    simulate(&plan(policy), recording, "j.sqlite").expect("there are windows")
}

#[test]
fn phases_are_earned_in_recorded_time_by_what_they_would_have_mirrored() {
    let simulated = on(
        OnFailure::Hold,
        recording((0..60).map(|number| window(number, 0))),
    );
    // At 1 % a window is 10 exchanges: 100 of them take 100 s, although 30 s would do.
    assert_eq!(
        steps(&simulated),
        [
            (0, Cause::Order, Stage::Running, "smoke"),
            (100, Cause::Passed, Stage::Running, "half"),
            (160, Cause::Passed, Stage::Running, "full"),
            (220, Cause::Passed, Stage::Complete, "full"),
        ]
    );
    let passed = simulated.timeline.iter().skip(1);
    let compared: Vec<u64> = passed
        .map(|step| step.evidence.as_ref().expect("what it rested on").compared)
        .collect();
    assert_eq!(compared, [100, 3_000, 6_000], "each phase's own, thinned");
    assert_eq!(simulated.end.place.stage, Stage::Complete);
    assert!(
        simulated.notes[0].contains("recorded was 100% of connections"),
        "{:?}",
        simulated.notes
    );
    let text = page(&simulated);
    for part in [
        "2023-11-14T22:13:20Z to 2023-11-14T22:23:20Z (10m), 60 windows of shadow",
        "2023-11-14T22:13:20Z  running smoke at 1%: started",
        "2023-11-14T22:15:00Z  running half at 50%: smoke has passed",
        "    after 1m 40s, 100 compared, GO",
        "    match_rate: 100 of 100 answers",
        "    coverage: 100 of 100",
        "complete full at 100%: full has passed, the last phase",
        "At the end it would be complete in full",
        "What a recording does not tell",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let json = serde_json::to_string(&simulated).expect("is JSON");
    let again: Simulated = serde_json::from_str(&json).expect("reads back");
    assert_eq!(again, simulated);
}

#[test]
fn a_failed_gate_does_what_the_policy_says() {
    // Differences begin when half of the connections are mirrored.
    let windows = || recording((0..60).map(|number| window(number, if number < 10 { 0 } else { 300 })));
    let last = |simulated: &Simulated| {
        steps(simulated)
            .pop()
            .map(|step| (step.0, step.1, step.2))
            .expect("one")
    };
    for policy in [OnFailure::Hold, OnFailure::Kill] {
        let simulated = on(policy, windows());
        assert_eq!(last(&simulated), (110, Cause::Failed, Stage::Held), "{policy:?}");
        let failed = simulated.timeline.last().expect("one");
        let evidence = failed.evidence.as_ref().expect("what it rested on");
        assert_eq!(evidence.judgement.ruling, Ruling::NoGo);
        assert_eq!(
            (evidence.match_rate.successes, evidence.match_rate.trials),
            (350, 500)
        );
        let text = page(&simulated);
        let what = if policy == OnFailure::Kill {
            "killed"
        } else {
            "held"
        };
        assert!(text.contains(&format!("half has failed: {what}")), "{text}");
        assert!(
            text.contains("    match_rate: 350 of 500") && !text.contains("    coverage: 500"),
            "{text}"
        );
        assert!(text.contains("was not looked at"), "{text}");
    }
    // Back to the first phase, and from there to no mirroring.
    let simulated = on(OnFailure::StepBack, windows());
    assert_eq!(
        steps(&simulated)[2..],
        [
            (110, Cause::Failed, Stage::Running, "smoke"),
            (160, Cause::Failed, Stage::Aborted, "smoke")
        ]
    );
}

#[test]
fn noise_and_explained_mismatches_fail_no_gate_and_losses_hold_it_up() {
    let excused = |number| Window {
        noise: 200,
        explained: 100,
        ..window(number, 300)
    };
    assert_eq!(
        on(OnFailure::Hold, recording((0..60).map(excused)))
            .end
            .place
            .stage,
        Stage::Complete
    );
    let mut lossy: Vec<Window> = (0..60).map(|number| window(number, 0)).collect();
    for window in &mut lossy {
        window.skipped = 500;
        window.gated = Some(Gated {
            sample: 1.0,
            missed: 500,
            ..Gated::default()
        });
    }
    let simulated = on(OnFailure::Hold, recording(lossy));
    assert_eq!(
        (simulated.end.place.stage, &*simulated.end.place.phase),
        (Stage::Running, "smoke")
    );
    assert!(
        simulated
            .end
            .waits_for
            .iter()
            .any(|what| what.contains("gate coverage: 600 of 900")),
        "{:?}",
        simulated.end.waits_for
    );
    // Exchanges skipped on purpose are no loss.
    let meant = |number| Window {
        skipped: 5_000,
        ..window(number, 0)
    };
    assert_eq!(
        on(OnFailure::Hold, recording((0..60).map(meant))).end.place.stage,
        Stage::Complete
    );
}

#[test]
fn undecided_mismatches_are_not_wrong_and_not_right() {
    let undecided = |number| Window {
        gated: Some(Gated {
            sample: 1.0,
            undecided: 200,
            ..Gated::default()
        }),
        ..window(number, 200)
    };
    let simulated = on(OnFailure::Kill, recording((0..60).map(undecided)));
    assert_eq!(
        (simulated.end.place.stage, &*simulated.end.place.phase),
        (Stage::Running, "smoke"),
        "it neither fails nor passes: {:?}",
        simulated.end.waits_for
    );
}

#[test]
fn a_route_that_skipped_writes_explain_holds_a_dry_run_up() {
    let windows = (0..60).flat_map(|number| {
        let all = Window {
            explained: 100,
            ..window(number, 100)
        };
        // A tenth of the traffic, half of it explained.
        let carts = Window {
            route: "GET /carts/{id}".to_owned(),
            matched: 50,
            mismatched: 50,
            explained: 50,
            ..window(number, 0)
        };
        [all, carts]
    });
    let simulated = on(OnFailure::Hold, recording(windows));
    assert_eq!(&*simulated.end.place.phase, "smoke");
    let waits = &simulated.end.waits_for;
    assert!(
        waits
            .iter()
            .any(|what| what.contains("gate excused: GET /carts/{id} is not verified")),
        "{waits:?}"
    );
    assert_eq!(simulated.windows, 60, "those of all routes");
}

#[test]
fn what_was_recorded_with_less_is_never_multiplied() {
    let tenth = |number| Window {
        gated: Some(Gated {
            sample: 0.1,
            ..Gated::default()
        }),
        ..window(number, 0)
    };
    let simulated = on(OnFailure::Hold, recording((0..60).map(tenth)));
    let full = simulated
        .timeline
        .last()
        .expect("one")
        .evidence
        .as_ref()
        .expect("some");
    assert_eq!(full.compared, 6_000, "as recorded");
    let smoke = simulated.timeline[1].evidence.as_ref().expect("some");
    assert_eq!(
        (smoke.compared, simulated.timeline[1].at_ms),
        (300, FROM + 30_000)
    );
    let said = simulated
        .notes
        .iter()
        .any(|note| note.contains("would have come by its evidence sooner"));
    assert!(said, "{:?}", simulated.notes);
}

#[test]
fn restarts_and_kills_are_part_of_what_was_recorded() {
    let mut recorded = recording((0..60).map(|number| window(number, 0)));
    recorded.events = vec![
        event(FROM - 1, "start"),
        event(FROM + 115_000, "start"),
        event(FROM + 195_000, "kill"),
        event(FROM + 245_000, "resume"),
        event(FROM + 246_000, "sample"),
    ];
    let simulated = on(OnFailure::Hold, recorded);
    assert_eq!(
        steps(&simulated)[1..],
        [
            (100, Cause::Passed, Stage::Running, "half"),
            (115, Cause::Restart, Stage::Running, "half"),
            (180, Cause::Passed, Stage::Running, "full"),
            (195, Cause::Killed, Stage::Paused, "full"),
            (245, Cause::Order, Stage::Running, "full"),
            (310, Cause::Passed, Stage::Complete, "full"),
        ]
    );
    assert_eq!(simulated.timeline[5].who, "ann");
    let evidence = simulated.timeline[3].evidence.as_ref().expect("some");
    assert_eq!(evidence.compared, 3_500, "without what was before the restart");
}

#[test]
fn time_passes_where_nothing_is_recorded() {
    // 110 exchanges of the first phase, then none for ten minutes, and then some again.
    let mut windows: Vec<Window> = (0..2).map(|number| window(number, 0)).collect();
    for window in &mut windows {
        window.matched = 11_000 / 2;
    }
    windows.push(window(60, 0));
    let simulated = on(OnFailure::Hold, recording(windows));
    assert_eq!(
        steps(&simulated)[1..],
        [
            (30, Cause::Passed, Stage::Running, "half"),
            (610, Cause::Passed, Stage::Running, "full")
        ]
    );
}

#[test]
fn of_several_targets_the_weakest_decides() {
    let both = |number| {
        let next = Window {
            target: "next".to_owned(),
            ..window(number, 300)
        };
        [next, window(number, 0)]
    };
    let mut recorded = recording((0..60).flat_map(both));
    recorded.targets.push("next".to_owned());
    let simulated = on(OnFailure::Hold, recorded.clone());
    assert_eq!(simulated.end.place.stage, Stage::Held);
    // A target that is not considered adds nothing.
    recorded.targets.pop();
    let simulated = on(OnFailure::Hold, recorded);
    assert_eq!(
        (simulated.end.place.stage, simulated.passed_over),
        (Stage::Complete, 0)
    );
}

#[test]
fn without_windows_that_tell_enough_there_is_nothing_to_simulate() {
    let old = Window {
        gated: None,
        ..window(0, 0)
    };
    for windows in [vec![], vec![old.clone()]] {
        assert_eq!(simulate(&plan(OnFailure::Hold), recording(windows), "j"), None);
    }
    let simulated = on(OnFailure::Hold, recording([old, window(1, 0)]));
    assert_eq!((simulated.windows, simulated.passed_over), (1, 1));
    assert!(
        simulated
            .notes
            .iter()
            .any(|note| note.contains("1 windows were passed over"))
    );
}
