//! The output is the same, byte for byte, whatever the number of threads that read a file.

use std::{fs, io::Cursor, path::Path, time::Duration};

use shadow_agent::{
    capture::pcap::{Next, PcapFile, write::Writer},
    inspect::{Filter, Format, Pace, inspect},
};
use shadow_proto::wire::Flags;
use shadow_tests::recording::Recording;

use crate::{
    captures::{self, name},
    random::Random,
};

const FORMATS: [Format; 4] = [
    Format::Json,
    Format::Har,
    Format::Table { colour: true },
    Format::Summary,
];
const PACES: [Pace; 4] = [Pace::Live, Pace::Threads(2), Pace::Threads(3), Pace::Threads(16)];

fn shown(file: &[u8], format: Format, filter: &Filter, pace: Pace) -> Option<String> {
    let mut file = PcapFile::from_reader(Box::new(Cursor::new(file.to_vec()))).ok()?;
    let mut out = Vec::new();
    inspect(&mut file, format, filter, pace, &mut out).expect("written to memory");
    Some(String::from_utf8(out).expect("text"))
}

/// Output of one thread, in every format, after comparison with that of several threads.
fn agreed(file: &[u8], what: &str) -> Vec<String> {
    let errors = Filter {
        statuses: vec!["4xx".parse().expect("a range")],
        ..Filter::default()
    };
    let mut all = Vec::new();
    for format in FORMATS {
        for filter in [&Filter::default(), &errors] {
            let alone = shown(file, format, filter, Pace::Threads(1));
            for pace in PACES {
                let other = shown(file, format, filter, pace);
                assert!(
                    alone == other,
                    "{what}, {format:?}, {pace:?}: another output than of one thread"
                );
            }
            all.extend(alone);
        }
    }
    all
}

#[test]
fn every_capture_reads_the_same() {
    for path in captures::all() {
        let file = fs::read(&path).expect("a capture");
        agreed(&file, &name(&path));
    }
}

/// Many batches of many connections. Every tenth segment is lost, and a few segments end the connection or come late,
/// so that time causes as many events as segments do.
fn torn(directory: &Path) -> Vec<u8> {
    let whole = directory.join("whole.pcapng");
    Recording {
        exchanges: 3_000,
        content: &[b'x'; 1_800],
        gap: Duration::from_millis(40),
        connections: 90,
        http2: false,
    }
    .write(&whole)
    .expect("a recording");
    let mut file = PcapFile::open(&whole).expect("a capture");
    let mut random = Random::new(5);
    let mut torn = Writer::new(Vec::new(), "torn").expect("written to memory");
    while let Next::Segment(segment) = file.next_segment().expect("no damage") {
        if random.chance(10) {
            continue;
        }
        let mut segment = segment;
        if random.chance(1) {
            segment.flags = segment.flags.union(Flags::RST);
        }
        torn.segment(0, segment.at, &segment, None)
            .expect("written to memory");
    }
    torn.finish().expect("written to memory")
}

#[test]
fn many_connections_with_losses_read_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = torn(directory.path());
    let all = agreed(&file, "torn");
    for reason in ["response_gap", "no_response", "midstream", "capture_end"] {
        assert!(all[0].contains(reason), "{reason} did not happen");
    }
    // Several batches, and a part that ends inside a record.
    assert!(file.len() > 3 << 20, "{} bytes", file.len());
    let all = agreed(&file[..file.len() - 1_001], "cut off");
    assert!(all[0].contains("damaged at byte"), "the damage is reported");
}

#[test]
fn a_record_longer_than_a_batch_and_what_is_no_packet() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = torn(directory.path());
    // A skipped block of 600 KiB, from time to time between two blocks.
    let mut stuffed = Vec::new();
    let (mut at, mut count) = (0, 0);
    while let Some(length) = file.get(at + 4..at + 8) {
        let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
        stuffed.extend_from_slice(&file[at..at + length]);
        at += length;
        count += 1;
        if count % 2_000 == 0 {
            let block = 600_u32 << 10;
            stuffed.extend_from_slice(&0x0bad_u32.to_le_bytes());
            stuffed.extend_from_slice(&block.to_le_bytes());
            stuffed.resize(stuffed.len() + block as usize - 12, 0);
            stuffed.extend_from_slice(&block.to_le_bytes());
        }
    }
    assert!(count > 6_000, "{count} blocks");
    let (plain, stuffed) = (agreed(&file, "torn"), agreed(&stuffed, "stuffed"));
    let lines = |text: &str| text.lines().filter(|line| line.contains("\"flow\"")).count();
    assert_eq!(lines(&plain[0]), lines(&stuffed[0]));
}
