//! Files that end early and files with wrong bytes.

use std::{
    fs,
    io::{Cursor, Read as _},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use crate::{
    captures::{self, name},
    random::Random,
    row::{Row, rows},
};

const ROUNDS: u64 = 20;

/// Damage is applied to the capture, not to its compression, where it would only be a checksum error.
fn unpacked(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("a readable capture");
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&*bytes)
            .read_to_end(&mut plain)
            .expect("whole gzip");
        return plain;
    }
    bytes
}

fn read(bytes: Vec<u8>) -> Option<Vec<Row>> {
    rows(Box::new(Cursor::new(bytes))).map(|(rows, _)| rows)
}

#[test]
fn a_file_that_ends_early_holds_nothing_that_the_whole_one_does_not() {
    for path in captures::all() {
        let bytes = unpacked(&path);
        let whole = read(bytes.clone()).expect("a whole capture");
        let mut random = Random::new(1);
        for _ in 0..ROUNDS {
            let cut = random.below(bytes.len());
            let Some(found) = read(bytes[..cut].to_vec()) else {
                continue;
            };
            for row in found.iter().filter(|row| row.complete) {
                assert!(
                    whole.contains(row),
                    "{} cut at {cut} invents {row:?}",
                    name(&path)
                );
            }
        }
    }
}

#[test]
fn no_wrong_bytes_can_break_it() {
    for path in captures::all() {
        let bytes = unpacked(&path);
        let mut random = Random::new(2);
        for _ in 0..ROUNDS {
            let mut bytes = bytes.clone();
            for _ in 0..=random.below(20) {
                let place = random.below(bytes.len());
                bytes[place] = random.next().to_le_bytes()[0];
            }
            // This also asserts that every counter adds up.
            read(bytes);
        }
    }
}

#[test]
fn a_damaged_file_says_where_and_is_used_up_to_there() {
    let path = captures::own()
        .into_iter()
        .find(|path| name(path) == "nginx-keep-alive.pcapng");
    let bytes = unpacked(&path.expect("an own capture"));
    let half = bytes.len() / 2;
    let (found, summary) = rows(Box::new(Cursor::new(bytes[..half].to_vec()))).expect("opens");
    let damage = summary.damage.expect("damage");
    assert!(
        damage.starts_with("damaged at byte ") && damage.contains("the file ends inside a record"),
        "{damage}"
    );
    assert!(
        found.iter().any(|row| row.complete),
        "what is before the damage is used"
    );
}
