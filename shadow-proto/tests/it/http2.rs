//! HTTP/2 against an independent encoder: every representation, any cut into segments, reordering, loss, and a start at
//! any place. **No wrong field and no wrong pair.**

use shadow_proto::engine::Settings;

use crate::{
    bulk::ROWS,
    support::{
        capture::{self, Losses},
        drive::{drive, settings},
        h2::{
            check::{self, Tally},
            talk::{PlannedExchange, Shape, talk},
        },
        rng::Rng,
        scene,
        wire::{self, Captured, Plan},
    },
};

/// The captured part of one conversation.
fn play(
    seed: u64,
    uid: u32,
    shape: Shape,
    plan: &Plan,
    losses: &Losses,
) -> (Vec<Captured>, Vec<PlannedExchange>) {
    let (conversation, said) = talk(seed, uid, shape);
    let ends = scene::ends(usize::try_from(seed % 200).expect("small"));
    let recording = wire::send(&conversation, plan, ends, 1_000);
    (capture::capture(recording.segments, losses), said)
}

fn plan(seed: u64) -> Plan {
    let mut rng = Rng::new(seed);
    Plan {
        seed,
        isn: [u32::MAX - 3_000, 77],
        largest: [1, 7, 100, 300, 536, 1_460, 1_460, 65_483][rng.below(8)],
        lazy_acks: rng.chance(300),
        bare_acks: rng.chance(500),
        fin_data: rng.chance(500),
        retransmit: if rng.chance(300) { 50 } else { 0 },
        probe: 0,
        ..Plan::plain(1)
    }
}

#[test]
fn every_representation_in_any_segments_is_read_exactly() {
    let settings = settings();
    for seed in 0..80 {
        let plan = plan(seed);
        let shape = Shape {
            reset: 100,
            concurrent: 1 + usize::try_from(seed % 9).expect("small"),
            body: if plan.largest > 100 { 20_000 } else { 600 },
            ..Shape::small(12)
        };
        let (segments, said) = play(seed, 1, shape, &plan, &Losses::none());
        let events = drive(&segments, &settings);
        check::exactly(&said, &events, &settings);
    }
}

#[test]
fn reordered_and_doubled_segments_change_nothing() {
    let settings = settings();
    for seed in 0..80 {
        let losses = Losses {
            seed,
            window: 8,
            duplicate: 50,
            directed: seed % 3 > 0,
            no_bare_acks: seed % 2 > 0,
            ..Losses::none()
        };
        let (segments, said) = play(seed, 1, Shape::small(12), &plan(seed), &losses);
        let events = drive(&segments, &settings);
        check::exactly(&said, &events, &settings);
    }
}

/// The share of exchanges that complete, in per mille, when the capture begins after each of the segments.
fn joined(shape: Shape, seeds: u64, largest: usize, stride: usize, settings: &Settings) -> Tally {
    let mut all = Tally::default();
    for seed in 0..seeds {
        let (conversation, said) = talk(seed, 1, shape);
        let plan = Plan {
            seed,
            lazy_acks: false,
            ..Plan::plain(largest)
        };
        let segments = wire::send(&conversation, &plan, scene::ends(1), 1_000).segments;
        for skip in (0..segments.len()).step_by(stride) {
            let events = drive(&segments[skip..], settings);
            all.add(check::truthfully(&said, &events, settings));
        }
    }
    all
}

#[test]
fn a_capture_that_begins_anywhere_reports_nothing_wrong() {
    let settings = settings();
    let shape = |literal_only| Shape {
        literal_only,
        patient: true,
        ..Shape::small(16)
    };
    // One byte in a segment: a frame may be looked for at every byte.
    joined(Shape::small(4), 2, 1, 7, &settings);
    joined(Shape::small(8), 2, 9, 2, &settings);
    let usual = joined(shape(false), 6, 1_460, 1, &settings);
    let literal = joined(shape(true), 6, 1_460, 1, &settings);
    println!("joined: {usual:?}\nnever refers to its table: {literal:?}");
    assert!(literal.complete * 4 > literal.said, "{literal:?}");
    assert!(usual.complete < literal.complete, "{usual:?} {literal:?}");
    assert!(usual.incomplete.contains_key("h2_header_state"), "{usual:?}");
}

#[test]
fn a_lost_segment_anywhere_makes_nothing_wrong() {
    let settings = settings();
    let mut all = Tally::default();
    for (seed, largest) in [(1, 40), (2, 100), (3, 300), (4, 1_460), (5, 1_460), (6, 1_460)] {
        let shape = Shape {
            patient: seed % 2 == 0,
            ..Shape::small(16)
        };
        let (conversation, said) = talk(seed, 1, shape);
        let plan = Plan {
            seed,
            ..Plan::plain(largest)
        };
        let segments = wire::send(&conversation, &plan, scene::ends(1), 1_000).segments;
        for lost in 0..segments.len() {
            let mut captured = segments.clone();
            captured.remove(lost);
            let events = drive(&captured, &settings);
            all.add(check::truthfully(&said, &events, &settings));
        }
    }
    println!("one lost: {all:?}");
    assert!(all.complete * 10 > all.said * 4, "{all:?}");
}

/// At least so many exchanges with these losses, half of them joined somewhere when `join` is set.
fn row(seed: u64, exchanges: usize, (lose, window, duplicate): (u16, usize, u16)) -> Tally {
    let settings = settings();
    let mut tally = Tally::default();
    let mut rng = Rng::new(seed);
    while tally.said < exchanges {
        let number = rng.next();
        let shape = Shape {
            concurrent: rng.between(1, 12),
            reset: 20,
            literal_only: rng.chance(250),
            patient: rng.chance(400),
            ..Shape::small(20)
        };
        let losses = Losses {
            seed: number,
            window,
            duplicate,
            directed: rng.chance(700),
            no_bare_acks: rng.chance(500),
            lose,
            truncate: if lose > 0 { 2 } else { 0 },
            skip: if lose > 0 && rng.chance(300) {
                rng.below(40)
            } else {
                0
            },
            ..Losses::none()
        };
        let (segments, said) = play(number, 1, shape, &plan(number), &losses);
        let events = drive(&segments, &settings);
        tally.add(if lose == 0 {
            check::exactly(&said, &events, &settings)
        } else {
            check::truthfully(&said, &events, &settings)
        });
    }
    tally
}

#[test]
fn nothing_is_wrong_in_any_row() {
    let mut complete = Vec::new();
    for (place, facts) in (0..).zip(ROWS) {
        let tally = row(100 + place, 600, *facts);
        println!("{facts:?}: {tally:?}");
        complete.push(tally.complete * 1_000 / tally.said);
    }
    assert!(complete[2] > 400 && complete[3] > 300, "{complete:?}");
}

/// `cargo xtask simulate`: the same table for HTTP/2. Streams that an end resets are incomplete without any loss.
#[test]
#[ignore = "a minute or more with optimisation; the build server runs it"]
fn a_long_run() {
    crate::bulk::long_run(|seed, each, facts| {
        let tally = row(seed, each, facts);
        [
            tally.said,
            tally.complete,
            tally.incomplete.values().sum(),
            tally.orphans,
        ]
    });
}
