use std::{fs, os::unix::fs::PermissionsExt as _};

use shadow_core::{case::Case, evidence::report::Report};
use tempfile::TempDir;

use super::*;
use crate::{
    clock::now_ms,
    journal::{Buckets, Event, Gated},
};

const LARGE: Retention = Retention {
    age: Duration::from_hours(24),
    size: 64 << 20,
};

fn case(number: u64, at_ms: u64, bytes: usize) -> Entry {
    let mut case = Case {
        id: format!("{number:016x}"),
        at_ms,
        route: "GET /x".to_owned(),
        groups: vec!["aa".to_owned(), "bb".to_owned()],
        ..Case::default()
    };
    case.production.body.text = Some("x".repeat(bytes));
    Entry::Case(Box::new(case))
}

fn window(at_ms: u64) -> Window {
    Window {
        at_ms,
        span_ms: 10_000,
        target: "shadow".to_owned(),
        route: "GET /x".to_owned(),
        matched: 7,
        mismatched: 3,
        noise: 1,
        explained: 1,
        skipped: 2,
        errors: 1,
        production: Buckets::of([(1_000, 10)]),
        shadow: Buckets::of([(2_000, 10)]),
        gated: Some(Gated {
            undecided: 2,
            sample: 0.05,
            missed: 2,
            failed: 1,
            production_5xx: 4,
            shadow_5xx: 3,
        }),
    }
}

fn new() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal.sqlite");
    (directory, path)
}

#[test]
fn what_is_written_is_read_also_while_it_is_being_written() {
    let (_directory, path) = new();
    let mut store = Store::open(&path, LARGE).expect("a new journal");
    let now = now_ms();
    let event = Event {
        at_ms: now,
        kind: "kill".to_owned(),
        who: "ann".to_owned(),
        why: "a drill".to_owned(),
        evidence: serde_json::json!({"errors": 12}),
    };
    let report = Report {
        started_ms: now,
        ended_ms: now + 1,
        ..Report::default()
    };
    let entries = [
        case(1, now, 10),
        case(1, now, 20),
        case(2, now + 1, 10),
        Entry::Windows(vec![window(now)]),
        Entry::Event(event.clone()),
        Entry::Report(Box::new(report.clone())),
    ];
    store.write(&entries).expect("there is room");

    let reader = Reader::open(&path).expect("it is a journal");
    assert_eq!(reader.counts().expect("counts"), [2, 1, 1]);
    let first = reader.case("0000000000000001").expect("reads").expect("is there");
    assert_eq!(
        first.production.body.text.as_deref(),
        Some("xxxxxxxxxx"),
        "the first one stays"
    );
    assert!(reader.case("00").expect("reads").is_none());
    let of_group = reader.cases_of("bb", 9).expect("reads");
    let ids: Vec<_> = of_group.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids, ["0000000000000002", "0000000000000001"], "newest first");
    assert_eq!(reader.windows("shadow", now).expect("reads"), [window(now)]);
    assert_eq!(reader.windows("shadow", now + 1).expect("reads"), []);
    assert_eq!(reader.targets().expect("reads"), ["shadow"]);
    assert_eq!(reader.events(0, 9).expect("reads"), [event]);
    assert_eq!(reader.report().expect("reads"), Some(report));
    for entry in fs::read_dir(path.parent().expect("a directory")).expect("lists") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("its mode").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{entry:?}");
    }

    drop(reader);
    store.close().expect("closes");
    let mut store = Store::open(&path, LARGE).expect("it opens again");
    store.write(&[case(3, now, 1)]).expect("there is room");
    assert_eq!(
        Reader::open(&path).expect("opens").counts().expect("counts"),
        [3, 1, 1]
    );
}

#[test]
fn what_is_too_old_or_too_much_goes_oldest_first() {
    let (_directory, path) = new();
    let small = Retention {
        size: 32 << 20,
        ..LARGE
    };
    let mut store = Store::open(&path, small).expect("a new journal");
    let now = now_ms();
    store
        .write(&[case(0, 5, 10), Entry::Windows(vec![window(5), window(now)])])
        .expect("there is room");
    store.retain().expect("works");
    let counts = || Reader::open(&path).expect("opens").counts().expect("counts");
    assert_eq!(counts(), [0, 1, 0], "too old");

    // Four times the capacity, in transactions as large as the writer's, with rare retention.
    for number in 1..=600 {
        let batch = [
            case(number, now + number, 64 << 10),
            case(number + 5_000, now + number, 64 << 10),
        ];
        store.write(&batch).expect("room is made");
        if number % 100 == 0 {
            store.retain().expect("works");
            let used = fs::metadata(&path).expect("the file").len();
            assert!(used <= small.size, "{used} bytes");
        }
    }
    let reader = Reader::open(&path).expect("opens");
    let [cases, windows, _] = reader.counts().expect("counts");
    assert!(cases > 100 && windows == 1, "{cases} cases, {windows} windows");
    assert!(
        reader.case("0000000000000258").expect("reads").is_some(),
        "the newest stays"
    );
    assert!(
        reader.case("0000000000000001").expect("reads").is_none(),
        "the oldest goes"
    );
    let listed = reader.list("aa", 5_000).expect("reads").len() as u64;
    assert_eq!(listed, cases, "groups name no case that is gone");
}

fn recorded(number: u64, at_ms: u64, bytes: usize) -> Entry {
    let Entry::Case(mut case) = case(number, at_ms, bytes) else {
        panic!("a case");
    };
    case.groups = vec!["record_only".to_owned()];
    case.failure = Some("record_only".to_owned());
    Entry::Case(case)
}

#[test]
fn a_flood_of_one_kind_of_case_never_evicts_the_other() {
    type Make = fn(u64, u64, usize) -> Entry;
    for (kept, flood, group) in [
        (case as Make, recorded as Make, "bb"),
        (recorded, case, "record_only"),
    ] {
        let (_directory, path) = new();
        let small = Retention {
            size: 32 << 20,
            ..LARGE
        };
        let mut store = Store::open(&path, small).expect("a new journal");
        let now = now_ms();
        // Older than every case of the flood, and within their own part.
        for number in 0..40 {
            store
                .write(&[kept(number, now, 64 << 10)])
                .expect("there is room");
        }
        for number in 1_000..2_000 {
            store
                .write(&[flood(number, now + number, 64 << 10)])
                .expect("room is made");
            if number % 100 == 0 {
                store.retain().expect("works");
            }
        }
        let reader = Reader::open(&path).expect("opens");
        assert_eq!(reader.list(group, 99).expect("lists").len(), 40, "{group}");
        let [cases, ..] = reader.counts().expect("counts");
        assert!((200..1_040).contains(&cases), "{cases} with {group}");
        let size = fs::metadata(&path).expect("the file").len();
        assert!(size <= small.size, "{size} bytes");
    }
}

#[test]
fn a_file_that_is_none_is_refused_and_left_as_it_is() {
    let (directory, path) = new();
    let now = now_ms();
    let mut store = Store::open(&path, LARGE).expect("a new journal");
    for number in 0..50 {
        store.write(&[case(number, now, 8_000)]).expect("there is room");
    }
    store.close().expect("closes");
    let good = fs::read(&path).expect("the file");
    let damaged = |from: usize, to: usize| {
        let mut bytes = good.clone();
        bytes[from..to].fill(0xa5);
        bytes
    };
    let foreign = directory.path().join("foreign");
    Connection::open(&foreign)
        .and_then(|database| database.execute_batch("CREATE TABLE t (a)"))
        .expect("another database");
    let newer = directory.path().join("newer");
    fs::write(&newer, &good).expect("a copy");
    Connection::open(&newer)
        .and_then(|database| database.pragma_update(None, "user_version", 99))
        .expect("another version");
    for (what, bytes, said) in [
        ("text", b"just a note\n".to_vec(), "is not a journal"),
        ("zeros", vec![0; 8192], "is damaged"),
        ("half", good[..good.len() / 2].to_vec(), "is damaged"),
        ("pages", damaged(4096, good.len() / 2), "is damaged"),
        ("header", damaged(16, 100), "is damaged"),
        ("foreign", fs::read(&foreign).expect("reads"), "another program"),
        ("newer", fs::read(&newer).expect("reads"), "version 99"),
    ] {
        fs::write(&path, &bytes).expect("writes");
        let error = Store::open(&path, LARGE).expect_err(what).to_string();
        assert!(
            error.contains(said) && error.contains("left as it is"),
            "{what}: {error}"
        );
        assert!(error.contains(path.to_str().expect("text")), "{what}: {error}");
        assert!(
            fs::read(&path).expect("still there") == bytes,
            "{what} was changed"
        );
        // A reader reads no page that it does not need.
        let unread = Reader::open(&path).and_then(|reader| {
            let failed = |source| OpenError::Database {
                path: path.clone(),
                source,
            };
            reader.cases_of("aa", 99).map_err(failed)
        });
        assert!(unread.is_err(), "{what} cannot be read either");
    }
    fs::remove_file(&path).expect("removes");
    fs::create_dir(&path).expect("a directory");
    let error = Store::open(&path, LARGE).expect_err("a directory").to_string();
    assert!(error.contains("no file"), "{error}");
    let absent = Reader::open(&directory.path().join("none")).expect_err("nothing there");
    assert!(matches!(absent, OpenError::Absent(_)), "{absent}");
    assert!(!directory.path().join("none").exists(), "looking makes no file");
}

#[test]
fn windows_of_the_first_version_are_kept_and_say_that_they_know_less() {
    let (_directory, path) = new();
    schema::create(&path).expect("a file");
    let database = schema::open(&path, &schema::MIGRATIONS[..1]).expect("as the first version made it");
    let now = i64::try_from(now_ms()).expect("fits");
    database
        .execute(
            "INSERT INTO windows VALUES (?, 10000, 'shadow', '', 7, 3, 1, 1, 2, 1, '[]', '[]')",
            [now],
        )
        .expect("written");
    drop(database);
    assert!(matches!(Reader::open(&path), Err(OpenError::Older { .. })));
    let mut store = Store::open(&path, LARGE).expect("it is brought up to date");
    let newer = Window {
        route: String::new(),
        ..window(now_ms())
    };
    store
        .write(&[Entry::Windows(vec![newer.clone()])])
        .expect("there is room");
    let kept = Reader::open(&path)
        .expect("it is a journal")
        .windows("shadow", 0)
        .expect("reads");
    assert_eq!((kept[0].matched, kept[0].gated), (7, None), "{kept:?}");
    assert_eq!(kept[1], newer);
}

#[test]
fn an_older_file_is_brought_up_to_date() {
    let (_directory, path) = new();
    let mut store = Store::open(&path, LARGE).expect("a new journal");
    store.write(&[case(1, now_ms(), 10)]).expect("there is room");
    store.close().expect("closes");
    let more: Vec<&str> = [schema::MIGRATIONS, &["CREATE TABLE later (a INTEGER) STRICT"]].concat();
    let database = schema::open(&path, &more).expect("is updated");
    let version: isize = database
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .expect("a version");
    assert_eq!(version, more.len().cast_signed());
    let cases: i64 = database
        .query_row(
            "SELECT count(*) FROM cases, (SELECT count(*) FROM later)",
            (),
            |row| row.get(0),
        )
        .expect("both tables are there");
    assert_eq!(cases, 1, "nothing was lost");
    drop(database);
    assert!(
        matches!(Store::open(&path, LARGE), Err(OpenError::Newer { .. })),
        "and the older program leaves it alone"
    );
}

#[test]
fn a_file_of_the_first_version_knows_which_of_its_cases_were_only_recorded() {
    let (_directory, path) = new();
    schema::create(&path).expect("a new file");
    let database = schema::open(&path, &schema::MIGRATIONS[..1]).expect("of the first version");
    database
        .execute_batch(
            "INSERT INTO cases VALUES ('a', 1, 't', 'GET /', '{}'), ('b', 2, 't', 'POST /', '{\"a\":1}');
             INSERT INTO case_groups VALUES ('ff', 1, 'a'), ('record_only', 2, 'b');",
        )
        .expect("is written");
    drop(database);
    let store = Store::open(&path, LARGE).expect("is updated");
    let kinds: Vec<(String, bool, i64)> = store
        .database
        .prepare("SELECT id, recorded, bytes FROM cases ORDER BY id")
        .and_then(|mut rows| {
            rows.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })
        .expect("reads");
    assert_eq!(kinds, [("a".to_owned(), false, 0), ("b".to_owned(), true, 7)]);
}
