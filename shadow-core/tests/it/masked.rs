//! A recording with its secrets masked: every segment once, every length unchanged, no new bytes, and complete
//! exchanges are still complete when it is read back.

use core::time::Duration;

use proptest::prelude::*;

use shadow_core::{
    mask::{Bounds, Hide, MASK, Mask},
    redact::{RedactConfig, Redactor},
};
use shadow_proto::{
    engine::Event,
    exchange::{Exchange, Incomplete},
};

use crate::support::{
    capture::Losses,
    cases,
    drive::{drive, lend, settings},
    h2::talk::{Shape, talk},
    scene, strategy,
    wire::{self, Captured, Plan},
};

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn what_is_whole_is_read_back_whole(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 5).boxed(),
            strategy::plan().boxed(),
            strategy::lossless().boxed(),
            1,
        ),
        all: bool,
    ) {
        // From one connection only: segments of others may be written before waiting ones, and time would have passed.
        let segments = scene::play(&lines).segments;
        let masked = masked(&segments, hide(all));
        let (before, after) = (complete(&segments, all), complete(&masked, all));
        let shown: Vec<String> = masked.iter().map(|segment| format!("{segment}\n")).collect();
        prop_assert_eq!(before, after, "{}", shown.concat());
    }

    #[test]
    fn nothing_is_added_and_no_length_changes(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 5).boxed(),
            strategy::plan().boxed(),
            strategy::lossy().boxed(),
            3,
        ),
        all: bool,
    ) {
        masked(&scene::play(&lines).segments, hide(all));
    }

    #[test]
    fn content_is_never_shown(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 4).boxed(),
            strategy::plan().boxed(),
            Just(Losses::none()),
            1,
        ),
    ) {
        let segments = scene::play(&lines).segments;
        for event in drive(&masked(&segments, Hide::All), &settings()) {
            let Event::Exchange(exchange) = event else { continue };
            let bodies = [Some(&exchange.request.body), exchange.response.as_ref().map(|response| &response.body)];
            for body in bodies.into_iter().flatten() {
                prop_assert!(body.kept.iter().all(|byte| *byte == MASK));
            }
        }
    }
}

/// Frames stay, so every exchange is found again; no field of it is.
#[test]
fn field_blocks_of_http2_are_masked_as_a_whole() {
    for seed in 0..20 {
        let (conversation, said) = talk(seed, 1, Shape::small(12));
        let segments = wire::send(&conversation, &Plan::plain(1_460), scene::ends(1), 1_000).segments;
        for hide in [Hide::All, Hide::Named] {
            let events = drive(&masked(&segments, hide), &settings());
            assert_eq!(events.len(), said.len(), "{events:?}");
            for event in &events {
                let Event::Exchange(exchange) = event else {
                    panic!("{event:?}")
                };
                assert_eq!(exchange.incomplete, Some(Incomplete::H2HeaderState));
                assert_eq!(exchange.request.headers.len(), 0);
            }
        }
    }
}

fn hide(all: bool) -> Hide {
    if all { Hide::All } else { Hide::Named }
}

/// The recorded segments, which are also checked.
fn masked(segments: &[Captured], hide: Hide) -> Vec<Captured> {
    let bounds = Bounds {
        // The time between segments is random; here every segment waits as long as it needs.
        wait: Duration::from_hours(10),
        limits: settings().limits,
        ..Bounds::default()
    };
    let redactor = Redactor::new([0; 32], &RedactConfig::default());
    let mut mask = Mask::new(hide, redactor, bounds);
    let mut written: Vec<Captured> = Vec::new();
    {
        let mut write = |segment: &shadow_proto::wire::Segment<'_>| {
            written.push(Captured {
                at: segment.at.as_nanos() / 1_000,
                from: usize::MAX,
                ends: [segment.src, segment.dst],
                directed: true,
                seq: segment.seq.0,
                ack: segment.ack.0,
                flags: segment.flags,
                payload: segment.payload.to_vec().into(),
                missing: segment.missing,
                barrier: false,
            });
        };
        for segment in segments {
            let at = shadow_proto::time::Timestamp::from_nanos(segment.at * 1_000);
            mask.take(&lend(segment, at), &mut write);
        }
        mask.flush(&mut write);
    }
    assert_eq!(written.len(), segments.len(), "every segment once");
    // The segments of a connection keep their order, so each is the first remaining one that matches.
    let mut left: Vec<Option<&Captured>> = segments.iter().map(Some).collect();
    for out in &mut written {
        let same = |given: &Captured| {
            let (src, dst) = (given.ends[given.from], given.ends[1 - given.from]);
            let len = |one: &Captured| one.payload.len() as u64 + u64::from(one.missing);
            (src, dst) == (out.ends[0], out.ends[1])
                && (given.at, given.seq, given.ack, given.flags) == (out.at, out.seq, out.ack, out.flags)
                && len(given) == len(out)
        };
        let place = left
            .iter()
            .position(|given| given.is_some_and(same))
            .expect("a segment that was given");
        let given = left[place].take().expect("one that is left");
        let kept = out.payload.iter().zip(&given.payload);
        assert!(
            kept.into_iter().all(|(out, given)| *out == MASK || out == given),
            "{given}"
        );
        (out.from, out.ends, out.directed) = (given.from, given.ends, given.directed);
    }
    written
}

/// The properties of complete exchanges that a masked recording preserves.
fn complete(segments: &[Captured], all: bool) -> Vec<String> {
    let exchanges = drive(segments, &settings())
        .into_iter()
        .filter_map(|event| match event {
            Event::Exchange(exchange) if exchange.is_complete() => Some(exchange),
            _ => None,
        });
    let mut facts: Vec<String> = exchanges.map(|exchange| fact(&exchange, all)).collect();
    // The order of connections may differ.
    facts.sort();
    facts
}

fn fact(exchange: &Exchange, all: bool) -> String {
    let Exchange {
        flow,
        index,
        place: _,
        request,
        response,
        timing,
        ..
    } = exchange;
    let response = response.as_ref().expect("a complete exchange has one");
    let (asked, answered) = (&request.body, &response.body);
    let bodies = (!all).then(|| (asked.blake3(), answered.blake3()));
    format!(
        "{flow:?} {index} {} {} {} {} {} {bodies:?} {timing:?}",
        request.target.len(),
        request.headers.len(),
        response.status,
        asked.len,
        answered.len,
    )
}
