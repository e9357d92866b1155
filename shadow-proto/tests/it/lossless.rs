//! Promise 3, first half: a complete capture is reported completely, in order and byte for byte, whatever the
//! segmentation, the order within a window, the duplicates and the overlaps.

use core::ops::Range;

use proptest::prelude::*;

use shadow_proto::{engine::Event, exchange::Timing, time::Timestamp};

use crate::support::{
    capture::Losses,
    cases, check,
    drive::{drive, settings},
    encode::{CLIENT, SERVER},
    scene::{self, Line, Scene},
    strategy,
    wire::{Captured, Plan},
};

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn one_connection_is_reported_as_it_was(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 6).boxed(),
            strategy::plan().boxed(),
            Just(Losses::none()),
            1,
        ),
        directed: bool,
        no_bare_acks: bool,
    ) {
        let lines = with(lines, directed, no_bare_acks);
        run(&lines);
    }

    #[test]
    fn a_capture_in_disorder_is_put_in_order(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 5).boxed(),
            strategy::plan().boxed(),
            strategy::lossless().boxed(),
            3,
        ),
        directed: bool,
        no_bare_acks: bool,
    ) {
        let lines = with(lines, directed, no_bare_acks);
        run(&lines);
    }

    #[test]
    fn small_exchanges_keep_their_order(
        lines in scene::lines(
            strategy::connection(strategy::small_exchange(), 30).boxed(),
            strategy::plan().boxed(),
            strategy::lossless().boxed(),
            2,
        ),
    ) {
        run(&lines);
    }

    #[test]
    fn a_handshake_that_is_captured_the_wrong_way_round_is_a_beginning(
        connection in strategy::connection(strategy::small_exchange(), 3),
        plan in strategy::plan(),
        directed: bool,
    ) {
        let plan = Plan { syn_data: false, ..plan };
        let losses = Losses { directed, ..Losses::none() };
        let mut scene = scene::play(&[Line { connections: vec![(connection, plan)], losses, start: 0 }]);
        scene.segments.swap(0, 1);
        let settings = settings();
        check::exactly(&scene, &drive(&scene.segments, &settings), &settings);
    }

    #[test]
    fn without_digests_the_lengths_are_still_true(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 3).boxed(),
            strategy::plan().boxed(),
            strategy::lossless().boxed(),
            1,
        ),
    ) {
        let scene = scene::play(&lines);
        let settings = shadow_proto::engine::Settings { digest: false, ..settings() };
        check::exactly(&scene, &drive(&scene.segments, &settings), &settings);
    }

    #[test]
    fn the_four_timestamps_are_those_of_the_first_and_last_bytes(
        connection in strategy::connection(strategy::exchange(), 4),
        plan in strategy::plan(),
    ) {
        // A retransmission may be the first to carry nothing new; here every byte crosses the wire once.
        let plan = Plan { retransmit: 0, probe: 0, ..plan };
        let line = Line { connections: vec![(connection, plan)], losses: Losses::none(), start: 0 };
        let scene = scene::play(&[line]);
        let events = drive(&scene.segments, &settings());
        check::exactly(&scene, &events, &settings());
        timestamps(&scene, &events);
    }
}

fn with(lines: Vec<Line>, directed: bool, no_bare_acks: bool) -> Vec<Line> {
    let set = |line: Line| Line {
        losses: Losses {
            directed,
            no_bare_acks,
            ..line.losses
        },
        ..line
    };
    lines.into_iter().map(set).collect()
}

fn run(lines: &[Line]) {
    let scene = scene::play(lines);
    let settings = settings();
    check::exactly(&scene, &drive(&scene.segments, &settings), &settings);
}

fn timestamps(scene: &Scene, events: &[Event]) {
    let line = &scene.lines[0];
    let [client, server] = line.origins[0];
    let when = |side: usize, origin: u32, range: &Range<usize>| {
        let stamp = |place: usize| {
            let seq = origin.wrapping_add(u32::try_from(place).expect("short"));
            let carries = |segment: &&Captured| segment.from == side && carries(segment, seq);
            let segment = scene
                .segments
                .iter()
                .find(carries)
                .expect("every byte was captured");
            Some(Timestamp::from_nanos(segment.at * 1_000))
        };
        (stamp(range.start), stamp(range.end - 1))
    };
    let reported = events.iter().filter_map(|event| match event {
        Event::Exchange(exchange) => Some(exchange),
        _ => None,
    });
    for (said, exchange) in line.conversations[0].said.iter().zip(reported) {
        let (request_first, request_last) = when(CLIENT, client, &said.request.bytes);
        let (response_first, response_last) = when(SERVER, server, &said.response.bytes);
        let expected = Timing {
            request_first,
            request_last,
            response_first,
            response_last,
        };
        assert_eq!(exchange.timing, expected, "exchange {}", said.uid);
    }
}

fn carries(segment: &Captured, seq: u32) -> bool {
    use shadow_proto::wire::Flags;

    let first = segment
        .seq
        .wrapping_add(u32::from(segment.flags.contains(Flags::SYN)));
    (seq.wrapping_sub(first) as usize) < segment.payload.len()
}
