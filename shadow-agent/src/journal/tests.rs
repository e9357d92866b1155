use std::{
    fs,
    time::{Duration, Instant},
};

use super::*;
use crate::clock::now_ms;

const CASES: u64 = 30_000;

/// Many more cases than can be written: each is written or counted as dropped, no caller waits, the file stays small.
#[test]
fn a_flood_of_cases_is_bounded_and_keeps_nobody_waiting() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal.sqlite");
    let retention = Retention {
        age: Duration::from_hours(1),
        size: 32 << 20,
    };
    let mut journal = Journal::open(&path, retention).expect("a new journal");
    let sink = journal.sink();
    let mut case = Case {
        at_ms: now_ms(),
        groups: vec!["aa".to_owned()],
        ..Case::default()
    };
    case.production.body.text = Some("word ".repeat(4_000));
    let mut slowest = Duration::ZERO;
    for number in 0..CASES {
        let entry = Entry::Case(Box::new(Case {
            id: format!("{number:016x}"),
            ..case.clone()
        }));
        let begun = Instant::now();
        sink.offer(entry);
        slowest = slowest.max(begun.elapsed());
    }
    // A busy machine may deschedule the thread; a sink that waited for the disk would take longer.
    assert!(slowest < Duration::from_millis(500), "an offer took {slowest:?}");
    journal.close();
    let state = journal.state();
    let dropped = state.dropped_busy + state.dropped_full + state.dropped_failed;
    assert_eq!(state.written + dropped, CASES, "each has one fate: {state:?}");
    assert!(state.written > 0 && state.dropped_busy > 0, "{state:?}");
    let size = fs::metadata(&path).expect("the file").len();
    assert!(size <= retention.size, "{size} bytes");
    let [cases, ..] = Reader::open(&path)
        .and_then(|reader| {
            reader.counts().map_err(|source| OpenError::Database {
                path: path.clone(),
                source,
            })
        })
        .expect("a journal");
    assert!(cases > 0 && cases <= state.written, "{cases} of {state:?}");
}

/// However many cases are only recorded, a difference offered meanwhile is written, and so is an event.
#[test]
fn a_flood_of_recorded_requests_leaves_room_for_differences() {
    const DIFFERENCES: usize = 200;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal.sqlite");
    let retention = Retention {
        age: Duration::from_hours(1),
        size: 64 << 20,
    };
    let mut journal = Journal::open(&path, retention).expect("a new journal");
    let sink = journal.sink();
    let mut recorded = Case {
        at_ms: now_ms(),
        groups: vec!["record_only".to_owned()],
        failure: Some("record_only".to_owned()),
        ..Case::default()
    };
    recorded.production.body.text = Some("word ".repeat(4_000));
    for number in 0..DIFFERENCES * 50 {
        sink.offer(Entry::Case(Box::new(Case {
            id: format!("{number:016x}"),
            ..recorded.clone()
        })));
        if number % 50 == 0 {
            sink.offer(Entry::Case(Box::new(Case {
                id: format!("d{number:015x}"),
                at_ms: now_ms(),
                groups: vec!["aa".to_owned()],
                ..Case::default()
            })));
        }
    }
    sink.offer(Entry::Event(Event::default()));
    journal.close();
    let state = journal.state();
    assert!(state.dropped_busy > 0, "this is no flood: {state:?}");
    let reader = Reader::open(&path).expect("a journal");
    let found = reader.list("aa", 9_999).expect("lists").len();
    assert_eq!(found, DIFFERENCES, "{state:?}");
}
