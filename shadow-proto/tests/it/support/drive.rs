//! Feeds an engine as its real drivers do: time never passes a due timeout, and every event is taken.

use shadow_proto::{
    engine::{Engine, Event, Settings},
    limits::Limits,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Segment},
};

use super::{encode::CLIENT, wire::Captured};

/// Settings with a small body cap, so that both kept bytes and digests occur.
pub(crate) fn settings() -> Settings {
    Settings {
        limits: Limits {
            body: 8 << 10,
            ..Limits::default()
        },
        digest: true,
        fields: true,
    }
}

/// Feeds every segment to a new engine, ends the capture and returns every event.
pub(crate) fn drive(segments: &[Captured], settings: &Settings) -> Vec<Event> {
    drive_until(segments, 0, settings)
}

/// As [`drive`], with the capture ending at this time in microseconds.
pub(crate) fn drive_until(segments: &[Captured], until: u64, settings: &Settings) -> Vec<Event> {
    let mut engine = Engine::new(settings.clone());
    let mut events = Vec::new();
    feed(&mut engine, segments, &mut events);
    wait(&mut engine, Timestamp::from_nanos(until * 1_000), &mut events);
    engine.finish();
    events.extend(core::iter::from_fn(|| engine.poll()));
    events
}

/// Feeds more segments to an engine and takes the resulting events.
pub(crate) fn feed(engine: &mut Engine, segments: &[Captured], events: &mut Vec<Event>) {
    for segment in segments {
        let at = Timestamp::from_nanos(segment.at * 1_000);
        wait(engine, at, events);
        engine.push(&lend(segment, at));
        events.extend(core::iter::from_fn(|| engine.poll()));
    }
}

/// Lets time pass up to `until`: every timeout is handled when it is due.
pub(crate) fn wait(engine: &mut Engine, until: Timestamp, events: &mut Vec<Event>) {
    for _ in 0..1_000_000 {
        let Some(due) = engine.poll_timeout().filter(|due| *due <= until) else {
            return;
        };
        engine.handle_timeout(due);
        events.extend(core::iter::from_fn(|| engine.poll()));
    }
    panic!(
        "a timeout that was handled stays due: {:?}",
        engine.poll_timeout()
    );
}

pub(crate) fn lend(segment: &Captured, at: Timestamp) -> Segment<'_> {
    let direction = if segment.from == CLIENT {
        Direction::ToServer
    } else {
        Direction::ToClient
    };
    Segment {
        at,
        src: segment.ends[segment.from],
        dst: segment.ends[1 - segment.from],
        direction: segment.directed.then_some(direction),
        ifindex: 0,
        seq: SeqNum(segment.seq),
        ack: SeqNum(segment.ack),
        flags: segment.flags,
        payload: &segment.payload,
        missing: segment.missing,
        multipath: None,
    }
}
