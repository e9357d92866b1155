//! Capture files, complete, damaged and compressed: the reader terminates, and counts every frame that it saw.

use std::io::Cursor;

use shadow_agent::capture::pcap::{Next, PcapFile};

/// Input: a file.
pub fn run(input: &[u8]) {
    let Ok(mut file) = PcapFile::from_reader(Box::new(Cursor::new(input.to_vec()))) else {
        return;
    };
    let (mut segments, mut skipped) = (0, 0);
    loop {
        match file.next_segment() {
            Ok(Next::Segment(_)) => segments += 1,
            Ok(Next::Skipped(_)) => skipped += 1,
            Ok(Next::End) => break,
            Err(damage) => {
                assert_eq!(file.next_segment().err(), Some(damage), "damage stays");
                break;
            }
        }
        // A compressed file expands.
        if segments + skipped > 200_000 {
            return;
        }
    }
    let counts = file.counts();
    assert_eq!(
        (counts.segments, counts.packets),
        (segments, segments + skipped),
        "{counts:?}"
    );
}
