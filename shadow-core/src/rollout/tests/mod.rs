use core::time::Duration;

use super::*;
use crate::evidence::{GateConfig, IntervalEvidence, Judgement, Proportion, Reason, Ruling};
use shadow_proto::time::Timestamp;

mod properties;

const MINUTE: Duration = Duration::from_mins(1);

fn phase(name: &str, sample: f64) -> Phase {
    Phase {
        name: name.to_owned(),
        sample,
        min_duration: MINUTE,
        min_compared: 100,
        gates: GateConfig::default(),
    }
}

fn plan(on_failure: OnFailure) -> Plan {
    Plan {
        phases: vec![
            phase("smoke", 0.01),
            phase("canary", 0.1),
            phase("half", 0.5),
            phase("full", 1.0),
        ],
        on_failure,
        fail_after: 20,
        attempts: 2,
    }
}

fn at(seconds: u64) -> Moment {
    Moment {
        at: Timestamp::from_nanos(seconds * 1_000_000_000),
        wall_ms: 1_000 * seconds,
    }
}

fn evidence(ruling: Ruling, compared: u64) -> IntervalEvidence {
    IntervalEvidence {
        compared,
        shadow_errors: Proportion::new(0, compared),
        judgement: Judgement {
            ruling,
            reasons: vec![Reason {
                gate: "match_rate".to_owned(),
                ruling,
                text: "as the test says".to_owned(),
            }],
            more_exchanges_needed: None,
            more_seconds_needed: None,
            settle: Vec::new(),
        },
        ..IntervalEvidence::default()
    }
}

fn go() -> IntervalEvidence {
    evidence(Ruling::Go, 100)
}

fn started(on_failure: OnFailure) -> Rollout {
    let mut rollout = Rollout::new(plan(on_failure));
    rollout.start("me", at(0)).expect("starts").expect("a step");
    rollout
}

fn name(rollout: &Rollout) -> &str {
    rollout.phase().map_or("", |phase| phase.name.as_str())
}

#[test]
fn each_phase_is_earned_by_time_and_by_evidence() {
    let mut rollout = started(OnFailure::Hold);
    assert_eq!(rollout.sample(), Some(0.01));
    for (seconds, evidence) in [
        (59, go()),
        (61, evidence(Ruling::Go, 99)),
        (61, evidence(Ruling::InsufficientEvidence, 1_000_000)),
    ] {
        assert_eq!(
            rollout.tick(at(seconds), &evidence),
            None,
            "{seconds} s: {evidence:?}"
        );
    }
    let step = rollout.tick(at(61), &go()).expect("passed");
    assert!(step.raises() && !step.kill, "{step:?}");
    let Transition {
        from,
        to,
        cause,
        why,
        evidence,
        ..
    } = step.transition;
    assert_eq!((from.phase.as_str(), to.phase.as_str()), ("smoke", "canary"));
    assert_eq!(
        (to.sample, cause, evidence),
        (Some(0.1), Cause::Passed, Some(go()))
    );
    assert!(why.contains("as the test says"), "{why}");
    // The time of the next phase starts now.
    assert_eq!(rollout.tick(at(119), &go()), None);
    for (seconds, sample) in [(121, 0.5), (181, 1.0), (241, 1.0)] {
        rollout.tick(at(seconds), &go()).expect("passed");
        assert_eq!(rollout.sample(), Some(sample));
    }
    assert_eq!(rollout.stage(), Stage::Complete);
    assert_eq!(rollout.tick(at(1_000), &evidence_no(1_000)), None, "it is over");
}

fn evidence_no(judged: u64) -> IntervalEvidence {
    evidence(Ruling::NoGo, judged)
}

#[test]
fn a_failed_gate_holds_steps_back_or_kills() {
    for (on_failure, stage, phase, kill) in [
        (OnFailure::Hold, Stage::Held, "canary", false),
        (OnFailure::Kill, Stage::Held, "canary", true),
        (OnFailure::StepBack, Stage::Running, "smoke", false),
    ] {
        let mut rollout = started(on_failure);
        rollout.tick(at(60), &go()).expect("passed");
        // A single difference is no proof.
        assert_eq!(rollout.tick(at(61), &evidence_no(19)), None);
        let step = rollout.tick(at(61), &evidence_no(20)).expect("failed");
        assert_eq!(
            (rollout.stage(), name(&rollout), step.kill, step.raises()),
            (stage, phase, kill, false),
            "{on_failure:?}"
        );
        assert_eq!(step.transition.cause, Cause::Failed);
    }
}

#[test]
fn stepping_back_again_and_again_ends_with_a_person() {
    let mut rollout = started(OnFailure::StepBack);
    rollout.tick(at(60), &go()).expect("passed");
    rollout.tick(at(61), &evidence_no(20)).expect("failed");
    rollout.tick(at(121), &go()).expect("passed again");
    let step = rollout.tick(at(122), &evidence_no(20)).expect("failed again");
    assert_eq!(
        (rollout.stage(), name(&rollout)),
        (Stage::Held, "smoke"),
        "{step:?}"
    );
    assert_eq!(rollout.tick(at(9_999), &go()), None, "it waits");
    rollout
        .resume("me", at(10_000))
        .expect("resumes")
        .expect("a step");
    // The first phase has none to step back to.
    rollout.tick(at(10_001), &evidence_no(20)).expect("failed");
    assert_eq!((rollout.stage(), rollout.sample()), (Stage::Aborted, Some(0.0)));
}

#[test]
fn every_order_may_be_given_twice() {
    let mut rollout = started(OnFailure::Hold);
    let now = at(5);
    assert_eq!(rollout.start("me", now), Ok(None));
    assert!(rollout.pause("me", "lunch", now).expect("pauses").is_some());
    assert_eq!(rollout.pause("me", "lunch", now), Ok(None));
    assert_eq!(rollout.sample(), Some(0.01), "a pause keeps the sample");
    assert_eq!(rollout.tick(at(1_000), &go()), None, "a pause stops the clock");
    assert!(rollout.resume("me", at(1_000)).expect("resumes").is_some());
    assert_eq!(rollout.resume("me", at(1_000)), Ok(None));
    assert_eq!(rollout.tick(at(1_059), &go()), None, "the phase started over");
    assert!(
        rollout
            .advance("canary", "me", go(), now)
            .expect("advances")
            .is_some()
    );
    assert_eq!(rollout.advance("canary", "me", go(), now), Ok(None));
    assert_eq!(
        rollout.advance("smoke", "me", go(), now),
        Ok(None),
        "already past"
    );
    assert!(matches!(
        rollout.advance("full", "me", go(), now),
        Err(Refused::Skips { .. })
    ));
    assert!(matches!(
        rollout.advance("fast", "me", go(), now),
        Err(Refused::Unknown { .. })
    ));
    assert!(rollout.abort("me", "", now).is_some());
    assert_eq!(
        (rollout.abort("me", "", now), rollout.sample()),
        (None, Some(0.0))
    );
    assert_eq!(rollout.resume("me", now), Err(Refused::Over(Stage::Aborted)));
    assert!(rollout.start("me", now).expect("starts").is_some());
    assert_eq!(name(&rollout), "smoke");
}

#[test]
fn a_sample_by_hand_lowers_and_never_raises() {
    let mut rollout = started(OnFailure::Hold);
    rollout.advance("canary", "me", go(), at(1)).expect("advances");
    assert!(matches!(
        rollout.by_hand(0.2, "me", at(2)),
        Err(Refused::Above { most, .. }) if (most - 0.1).abs() < 1e-9
    ));
    rollout
        .by_hand(0.02, "me", at(2))
        .expect("lowers")
        .expect("a step");
    assert_eq!((rollout.stage(), rollout.sample()), (Stage::Paused, Some(0.02)));
    let saved = rollout.saved().clone();
    let restored = Rollout::restore(plan(OnFailure::Hold), saved, at(0));
    assert_eq!((restored.stage(), restored.sample()), (Stage::Paused, Some(0.02)));
    rollout.resume("me", at(3)).expect("resumes");
    assert_eq!(rollout.sample(), Some(0.1));
    rollout.abort("me", "", at(4));
    rollout
        .by_hand(1.0, "me", at(5))
        .expect("it is over")
        .expect("a step");
    assert_eq!((rollout.stage(), rollout.sample()), (Stage::Idle, None));
}

#[test]
fn a_restart_starts_the_phase_over() {
    let mut rollout = started(OnFailure::Hold);
    rollout.tick(at(60), &go()).expect("passed");
    let saved = rollout.saved().clone();
    let text = serde_json::to_string(&saved).expect("writes");
    assert_eq!(serde_json::from_str::<Saved>(&text).expect("reads"), saved);
    // After a reboot the monotonic clock starts again, whatever the wall clock says.
    let mut restored = Rollout::restore(plan(OnFailure::Hold), saved, at(3));
    assert_eq!(
        (restored.stage(), name(&restored), restored.sample()),
        (Stage::Running, "canary", Some(0.1))
    );
    assert_eq!(restored.tick(at(62), &go()), None);
    assert!(restored.tick(at(63), &go()).is_some());
    let history = &restored.saved().history;
    assert!(
        history.iter().any(|step| step.cause == Cause::Restart),
        "{history:#?}"
    );
}

#[test]
fn another_plan_never_raises_the_sample() {
    let mut rollout = started(OnFailure::Hold);
    rollout.tick(at(60), &go()).expect("passed");
    let saved = rollout.saved().clone();
    // The same phase has a larger sample, or is gone, or no phase has such a small sample.
    for (phases, at_phase, sample) in [
        (vec![phase("smoke", 0.05), phase("canary", 0.2)], "smoke", 0.05),
        (vec![phase("a", 0.02), phase("b", 0.1), phase("c", 0.3)], "b", 0.1),
        (vec![phase("x", 0.5)], "x", 0.1),
    ] {
        let plan = Plan {
            phases,
            ..plan(OnFailure::Hold)
        };
        let restored = Rollout::restore(plan.clone(), saved.clone(), at(0));
        rollout.replan(plan, at(99)).expect("a step");
        for other in [&restored, &rollout] {
            assert_eq!(
                (other.stage(), name(other), other.sample()),
                (Stage::Paused, at_phase, Some(sample))
            );
        }
        rollout = Rollout::restore(self::plan(OnFailure::Hold), saved.clone(), at(60));
    }
}

#[test]
fn a_kill_pauses_it() {
    let mut rollout = started(OnFailure::Hold);
    assert!(rollout.killed(at(1)).is_some());
    assert_eq!((rollout.killed(at(1)), rollout.stage()), (None, Stage::Paused));
    assert_eq!(rollout.tick(at(1_000), &go()), None);
}

#[test]
fn plans_that_prove_nothing_are_refused() {
    let good = plan(OnFailure::Hold);
    assert_eq!(good.validate(), Ok(()));
    let wrong = |change: fn(&mut Plan)| {
        let mut plan = good.clone();
        change(&mut plan);
        plan.validate().expect_err("refused").to_string()
    };
    for (error, part) in [
        (wrong(|plan| plan.phases.clear()), "0 phases"),
        (
            wrong(|plan| plan.phases[1].name = "smoke".to_owned()),
            "earlier one",
        ),
        (wrong(|plan| plan.phases[1].name.clear()), "no name"),
        (wrong(|plan| plan.phases[1].sample = 0.01), "not above 0.01"),
        (wrong(|plan| plan.phases[3].sample = 1.5), "at most 1"),
        (wrong(|plan| plan.phases[0].sample = f64::NAN), "NaN"),
        (wrong(|plan| plan.phases[2].min_compared = 0), "proves nothing"),
        (wrong(|plan| plan.phases[2].gates.match_rate = 1.0), "match_rate"),
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(good.shortest(), 4 * MINUTE);
    assert_eq!(
        good.earliest().map(|(at, _)| at).collect::<Vec<_>>(),
        [0, 1, 2, 3].map(|n| n * MINUTE)
    );
}
