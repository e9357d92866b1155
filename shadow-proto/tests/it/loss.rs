//! Promise 3, second half: whatever the capture loses, what is reported as complete is true.

use proptest::prelude::*;

use crate::support::{
    capture::Losses,
    cases, check,
    drive::{drive, settings},
    scene::{self, Line},
    strategy,
    wire::Plan,
};

/// No garbage bytes (see [`Plan::garbage`]); steps long enough that gaps are declared while the flow continues.
fn plan() -> BoxedStrategy<Plan> {
    (
        strategy::plan(),
        prop_oneof![Just(1_000_u64), Just(20_000), Just(80_000)],
    )
        .prop_map(|(plan, step_us)| Plan {
            garbage: false,
            step_us,
            ..plan
        })
        .boxed()
}

fn run(lines: &[Line]) {
    let scene = scene::play(lines);
    let settings = settings();
    check::truthfully(&scene, &drive(&scene.segments, &settings), &settings);
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn losses_never_make_a_wrong_exchange(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 8).boxed(),
            plan(),
            strategy::lossy().boxed(),
            3,
        ),
        directed: bool,
        no_bare_acks: bool,
    ) {
        let set = |line: Line| Line { losses: Losses { directed, no_bare_acks, ..line.losses }, ..line };
        run(&lines.into_iter().map(set).collect::<Vec<_>>());
    }

    #[test]
    fn losses_on_long_connections_never_make_a_wrong_pair(
        lines in scene::lines(
            strategy::connection(strategy::small_exchange(), 40).boxed(),
            plan(),
            strategy::lossy().boxed(),
            1,
        ),
    ) {
        run(&lines);
    }

    #[test]
    fn a_capture_that_begins_late_never_makes_a_wrong_pair(
        lines in scene::lines(
            strategy::connection(strategy::small_exchange(), 20).boxed(),
            plan(),
            (strategy::lossless(), 1_usize..30).prop_map(|(losses, skip)| Losses { skip, ..losses }).boxed(),
            1,
        ),
    ) {
        run(&lines);
    }

    #[test]
    fn one_direction_alone_never_completes(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 6).boxed(),
            plan(),
            strategy::lossless().boxed(),
            1,
        ),
        side in 0_usize..2,
    ) {
        let mut scene = scene::play(&lines);
        scene.segments.retain(|segment| segment.from == side);
        let tally = check::truthfully(&scene, &drive(&scene.segments, &settings()), &settings());
        prop_assert_eq!(tally.complete, 0);
    }

    /// The answer to a SYN with data shows no beginning: it may acknowledge the first bytes of a request.
    #[test]
    fn a_lost_syn_with_data_leaves_no_cut_request(
        connection in strategy::connection(strategy::small_exchange(), 4),
        plan in plan(),
    ) {
        let plan = Plan { syn_data: true, ..plan };
        let line = Line { connections: vec![(connection, plan)], losses: Losses { skip: 1, ..Losses::none() }, start: 0 };
        run(&[line]);
    }

    #[test]
    fn a_single_lost_segment_never_makes_a_wrong_exchange(
        lines in scene::lines(
            strategy::connection(strategy::small_exchange(), 12).boxed(),
            plan(),
            strategy::lossless().boxed(),
            1,
        ),
        place: prop::sample::Index,
    ) {
        let mut scene = scene::play(&lines);
        let lost = place.index(scene.segments.len());
        scene.segments.remove(lost);
        let settings = settings();
        check::truthfully(&scene, &drive(&scene.segments, &settings), &settings);
    }

    /// A second copy with different bytes is not what the receiver accepted. An observer of both must report it or
    /// keep the first copy; the copy that arrived first is the true one here.
    #[test]
    fn a_conflicting_copy_never_reaches_an_exchange(
        lines in scene::lines(
            strategy::connection(strategy::small_exchange(), 6).boxed(),
            plan(),
            Just(Losses::none()),
            1,
        ),
        every in 1_usize..8,
    ) {
        let mut scene = scene::play(&lines);
        let mut forged = Vec::new();
        for (n, segment) in scene.segments.drain(..).enumerate() {
            let mut copy = segment.clone();
            forged.push(segment);
            if n % every == 0 && !copy.payload.is_empty() {
                copy.payload = copy.payload.iter().map(|byte| byte ^ 1).collect::<Vec<_>>().into();
                forged.push(copy);
            }
        }
        scene.segments = forged;
        let settings = settings();
        check::truthfully(&scene, &drive(&scene.segments, &settings), &settings);
    }
}
