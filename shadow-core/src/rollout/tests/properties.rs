use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Event {
    Tick(Ruling, u64, u64),
    Start,
    Pause,
    Resume,
    Advance(usize),
    Abort,
    Killed,
    ByHand(f64),
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let ruling = prop_oneof![
        Just(Ruling::Go),
        Just(Ruling::NoGo),
        Just(Ruling::InsufficientEvidence)
    ];
    prop_oneof![
        6 => (ruling, 0..200u64, 0..200u64).prop_map(|(ruling, compared, wait)| Event::Tick(ruling, compared, wait)),
        1 => Just(Event::Start),
        1 => Just(Event::Pause),
        2 => Just(Event::Resume),
        1 => (0..4usize).prop_map(Event::Advance),
        1 => Just(Event::Abort),
        1 => Just(Event::Killed),
        1 => (0.0..1.0f64).prop_map(Event::ByHand),
        1 => Just(Event::Restart),
    ]
}

proptest! {
    /// For any sequence of events: no sample rises without a person or the complete evidence of its own phase, none
    /// exceeds its phase's, and an abort always takes effect.
    #[test]
    fn nothing_rises_unearned(
        policy in 0..3usize,
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let policy = [OnFailure::Hold, OnFailure::StepBack, OnFailure::Kill][policy];
        let plan = plan(policy);
        let mut rollout = Rollout::new(plan.clone());
        let mut seconds = 0;
        for event in events {
            let before = rollout.clone();
            let mut may_rise = false;
            let step = match &event {
                Event::Tick(ruling, compared, wait) => {
                    seconds += wait;
                    may_rise = before.stage() == Stage::Running
                        && *ruling == Ruling::Go
                        && *compared >= 100
                        && at(seconds).at.since(before.entered()) >= MINUTE;
                    rollout.tick(at(seconds), &evidence(*ruling, *compared))
                }
                // Orders of people; only these may raise the sample.
                Event::Start | Event::Resume | Event::Advance(_) | Event::ByHand(_) => {
                    may_rise = true;
                    match &event {
                        Event::Start => rollout.start("me", at(seconds)),
                        Event::Resume => rollout.resume("me", at(seconds)),
                        Event::Advance(to) => {
                            let to = plan.phases[*to].name.clone();
                            rollout.advance(&to, "me", go(), at(seconds))
                        }
                        Event::ByHand(sample) => rollout.by_hand(*sample, "me", at(seconds)),
                        _ => Ok(None),
                    }
                    .unwrap_or(None)
                }
                Event::Pause => rollout.pause("me", "", at(seconds)).unwrap_or(None),
                Event::Abort => {
                    let step = rollout.abort("me", "", at(seconds));
                    prop_assert_eq!((rollout.stage(), rollout.sample()), (Stage::Aborted, Some(0.0)));
                    step
                }
                Event::Killed => rollout.killed(at(seconds)),
                Event::Restart => {
                    rollout = Rollout::restore(plan.clone(), rollout.saved().clone(), at(seconds));
                    None
                }
            };
            if let (Some(before), Some(after)) = (before.sample(), rollout.sample()) {
                prop_assert!(may_rise || after <= before, "{event:?}: {before} -> {after}");
            }
            if let Some(step) = &step {
                let raised = match (before.sample(), rollout.sample()) {
                    (Some(before), Some(after)) => after > before,
                    (None, Some(after)) => after > 0.0,
                    (_, None) => true,
                };
                prop_assert_eq!(step.raises(), raised);
                prop_assert_eq!(&rollout.saved().place, &rollout.place());
            } else if !matches!(event, Event::Restart) {
                prop_assert_eq!(&before, &rollout, "no step, no change: {:?}", event);
            }
            let phase = rollout.phase().map_or(0.0, |phase| phase.sample);
            prop_assert!(rollout.sample().is_none_or(|sample| sample <= phase));
            prop_assert!(rollout.saved().history.len() <= HISTORY);
        }
    }
}
