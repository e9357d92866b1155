use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use shadow_common::flow::Endpoint;
use shadow_core::redact::RedactConfig;
use shadow_proto::{
    engine::{self, Engine},
    limits::Limits,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

use super::*;
use crate::capture::pcap::{Next, PcapFile};

#[derive(Debug)]
struct Names;

impl Interfaces for Names {
    fn name(&self, index: u32) -> Option<String> {
        (index == 2).then(|| "eth0".to_owned())
    }
}

#[derive(Debug)]
struct Lost(u64);

impl Losses for Lost {
    fn lost(&self) -> u64 {
        self.0
    }
}

fn settings(file: &Path) -> Settings {
    Settings {
        file: file.to_owned(),
        max_size: 1 << 30,
        files: 1,
        every: None,
        zstd: false,
        buffer: 64 << 20,
        redact: Redact::None,
        redactor: Redactor::new([0; 32], &RedactConfig::default()),
        interfaces: Arc::new(Names),
        losses: Arc::new(Lost(0)),
    }
}

fn segment(payload: &[u8], seq: u32) -> Segment<'_> {
    Segment {
        at: Timestamp::from_nanos(1),
        src: Endpoint::v4([10, 0, 0, 1], 40_000),
        dst: Endpoint::v4([10, 0, 0, 2], 80),
        direction: Some(Direction::ToServer),
        ifindex: 2,
        seq: SeqNum(seq),
        ack: SeqNum(1),
        flags: Flags::ACK,
        payload,
        missing: 0,
        multipath: None,
    }
}

/// Records `count` segments of a thousand bytes.
fn record(settings: Settings, count: u32) -> Recording {
    let (recorder, mut tap) = Recorder::start(settings).expect("a recorder");
    let counters = recorder.counters();
    let payload = [b'x'; 1000];
    for number in 0..count {
        tap.take(&segment(&payload, number * 1000));
    }
    drop(tap);
    drop(recorder);
    counters.now()
}

fn payload_bytes(path: &Path) -> usize {
    let mut file = PcapFile::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = 0;
    loop {
        match file.next_segment().expect("no damage") {
            Next::Segment(segment) => bytes += segment.payload.len(),
            Next::Skipped(skip) => panic!("{skip}"),
            Next::End => return bytes,
        }
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_offered_is_written_and_nobody_else_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let recording = record(settings(&path), 100);
    let Recording {
        segments,
        written,
        dropped,
        ended,
        ..
    } = recording;
    assert_eq!((segments, written, dropped, ended), (100, 100, 0, false));
    assert_eq!(files(folder.path()), ["a.pcapng"]);
    assert_eq!(payload_bytes(&path), 100_000);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    fs::write(&path, "mine").unwrap();
    let error = Recorder::start(settings(&path))
        .expect_err("it is there")
        .to_string();
    assert!(error.contains("a.pcapng is there already"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn files_follow_each_other_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let recording = record(
        Settings {
            max_size: 100_000,
            files: 3,
            ..settings(&path)
        },
        1000,
    );
    assert_eq!((recording.written, recording.dropped), (1000, 0));
    assert!(recording.files > 5, "{recording:?}");
    assert_eq!(recording.removed, recording.files - 3);
    let left = files(folder.path());
    assert_eq!(left.len(), 3, "{left:?}");
    let newest = format!("a-{:04}.pcapng", recording.files);
    assert_eq!(left.last(), Some(&newest));
}

#[test]
fn one_file_ends_when_it_is_full_and_the_rest_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let recording = record(
        Settings {
            max_size: 100_000,
            ..settings(&path)
        },
        1000,
    );
    assert!(recording.ended);
    assert!((90..110).contains(&recording.written), "{recording:?}");
    assert_eq!(recording.segments, recording.written + recording.dropped);
    assert_eq!(payload_bytes(&path) as u64, recording.written * 1000);
}

#[test]
fn compressed_files_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng.zst");
    record(
        Settings {
            zstd: true,
            ..settings(&path)
        },
        5000,
    );
    let size = fs::metadata(&path).unwrap().len();
    assert!(size < 1_000_000, "{size} bytes are hardly compressed");
    assert_eq!(payload_bytes(&path), 5_000_000);
}

#[test]
fn a_link_in_the_place_of_the_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    std::os::unix::fs::symlink("/dev/full", folder.path().join("a.pcapng.part")).unwrap();
    let error = Recorder::start(settings(&path))
        .expect_err("a link is there")
        .to_string();
    assert!(error.contains("a.pcapng.part is there already"), "{error}");
}

#[test]
fn a_buffer_that_is_full_drops_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let (recorder, mut tap) = Recorder::start(Settings {
        buffer: 0,
        redact: Redact::All,
        ..settings(&path)
    })
    .expect("a recorder");
    let counters = recorder.counters();
    let payload = vec![b'x'; 60_000];
    for number in 0..5000 {
        tap.take(&segment(&payload, number * 60_000));
    }
    drop(tap);
    drop(recorder);
    let Recording {
        segments,
        written,
        dropped,
        ..
    } = counters.now();
    assert_eq!(segments, 5000);
    assert_eq!(segments, written + dropped);
}

#[test]
fn a_set_is_not_begun_where_a_former_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let set = || Settings {
        files: 3,
        ..settings(&path)
    };
    for other in ["a-7.pcapng", "b-0001.pcapng", "a-0001.txt", "a.pcapng"] {
        fs::write(folder.path().join(other), "mine").unwrap();
    }
    // Only the newest of the old set are left: the new numbers would reach them in the middle of the recording.
    let former = folder.path().join("a-0004.pcapng");
    fs::write(&former, "mine").unwrap();
    let error = Recorder::start(set()).expect_err("it is there").to_string();
    assert!(
        error.contains("a-0004.pcapng of a former recording is there"),
        "{error}"
    );
    fs::rename(&former, folder.path().join("a-0004.pcapng.part")).unwrap();
    assert!(Recorder::start(set()).is_err());
    fs::remove_file(folder.path().join("a-0004.pcapng.part")).unwrap();
    assert_eq!(record(set(), 10).written, 10);
}

#[test]
fn what_is_discarded_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, tap) = Recorder::start(settings(&folder.path().join("a.pcapng"))).expect("a recorder");
    recorder.discard();
    drop(tap);
    assert_eq!(files(folder.path()), [""; 0]);
}

/// A conversation out of order: heads in pieces, copies, and pieces that change places.
fn conversation() -> Vec<Segment<'static>> {
    const ASK: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: s3cret\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ns3cret";
    const NOT_MODIFIED: &[u8] = b"HTTP/1.1 304 Not Modified\r\nX: s3cret\r\n\r\n";
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short");
    let mut segments = Vec::new();
    let mut now = 0;
    let mut push = |to_server: bool, (seq, ack): (u32, u32), flags: Flags, payload: &'static [u8]| {
        now += 1_000_000;
        let one = segment(payload, seq);
        segments.push(Segment {
            at: Timestamp::from_nanos(now),
            src: if to_server { one.src } else { one.dst },
            dst: if to_server { one.dst } else { one.src },
            direction: Some(if to_server {
                Direction::ToServer
            } else {
                Direction::ToClient
            }),
            ack: SeqNum(ack),
            flags,
            ..one
        });
    };
    push(true, (100, 0), Flags::SYN, b"");
    push(false, (900, 101), Flags::SYN.union(Flags::ACK), b"");
    let (mut client, mut server) = (101, 901);
    for number in 0..6 {
        push(true, (client + 9, server), Flags::ACK, &ASK[9..]);
        push(true, (client, server), Flags::ACK, &ASK[..9]);
        client += len(ASK);
        let answer = if number == 1 { NOT_MODIFIED } else { ANSWER };
        push(false, (server, client), Flags::ACK, &answer[..20]);
        push(false, (server, client), Flags::ACK, &answer[..20]);
        push(false, (server + 20, client), Flags::ACK, &answer[20..]);
        server += len(answer);
    }
    push(true, (client, server), Flags::FIN.union(Flags::ACK), b"");
    push(false, (server, client + 1), Flags::FIN.union(Flags::ACK), b"");
    segments
}

/// Descriptions of the complete exchanges.
fn complete<'s>(segments: impl Iterator<Item = Segment<'s>>) -> Vec<String> {
    let mut engine = Engine::new(engine::Settings {
        limits: Limits::default(),
        digest: true,
        fields: true,
    });
    let mut said = Vec::new();
    segments.for_each(|segment| engine.push(&segment));
    engine.finish();
    while let Some(event) = engine.poll() {
        if let engine::Event::Exchange(exchange) = event
            && exchange.is_complete()
        {
            let response = exchange.response.expect("it is complete");
            let fields: Vec<_> = exchange
                .request
                .headers
                .iter()
                .chain(response.headers.iter())
                .collect();
            said.push(format!(
                "{} {} {fields:?} {:?}",
                exchange.index, response.status, response.body.kept
            ));
        }
    }
    said
}

fn recorded(redact: Redact) -> (Vec<String>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let (recorder, mut tap) = Recorder::start(Settings {
        redact,
        ..settings(&path)
    })
    .expect("a recorder");
    for segment in &conversation() {
        tap.take(segment);
    }
    drop(tap);
    drop(recorder);
    let mut file = PcapFile::open(&path).unwrap();
    let mut segments: Vec<(Segment<'static>, Vec<u8>)> = Vec::new();
    while let Next::Segment(segment) = file.next_segment().expect("no damage") {
        let payload = segment.payload.to_vec();
        segments.push((
            Segment {
                payload: &[],
                ..segment
            },
            payload,
        ));
    }
    let lent = segments
        .iter()
        .map(|(facts, payload)| Segment { payload, ..*facts });
    (complete(lent), fs::read(&path).unwrap())
}

#[test]
fn an_unmasked_recording_is_read_back_unchanged_and_a_masked_one_has_no_secret() {
    let before = complete(conversation().into_iter());
    assert_eq!(before.len(), 6, "{before:?}");
    let has_secret = |file: &[u8]| file.windows(6).any(|bytes| bytes == b"s3cret");
    let (after, file) = recorded(Redact::None);
    assert_eq!(after, before);
    assert!(has_secret(&file), "the search finds what is there");
    let (after, file) = recorded(Redact::All);
    assert_eq!(after.len(), before.len(), "{after:?}");
    assert!(!has_secret(&file));
}

#[test]
fn a_replay_is_told_that_the_content_is_masked() {
    let settings = engine::Settings {
        limits: Limits::default(),
        digest: true,
        fields: true,
    };
    for (redact, is_masked) in [
        (Redact::All, true),
        (Redact::Headers, false),
        (Redact::None, false),
    ] {
        let (_, file) = recorded(redact);
        let read = Box::new(io::Cursor::new(file));
        let shown = Arc::default();
        let opened = crate::offline::open_reader("a.pcapng".as_ref(), read, &settings, &shown);
        assert_eq!(opened.unwrap().masked.is_some(), is_masked, "{redact:?}");
    }
}
