//! Compares the assembler with a map of single bytes, which is slow but obviously correct. The idea is smoltcp's
//! (`storage/assembler.rs`, `test_random`), here with bytes instead of ranges, and with shrinking.

use core::ops::Range;

use proptest::{prelude::*, sample::Index};

use shadow_proto::{
    seq::SeqNum,
    stream::{Assembler, Hole, Inserted, Stored},
    time::Timestamp,
};

use crate::support::cases;

const LEN: usize = 200;

/// State of one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Known {
    #[default]
    Nothing,
    Lost,
    Byte(u8),
}

/// One byte of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    known: Known,
    conflict: bool,
}

impl Cell {
    fn is_known(self) -> bool {
        self.known != Known::Nothing
    }
}

/// The reference map.
#[derive(Debug)]
struct Model {
    cells: Vec<Cell>,
    next: usize,
    acked: usize,
    end: Option<usize>,
}

impl Model {
    fn insert(&mut self, offset: usize, bytes: &[Known]) -> Inserted {
        let mut result = Inserted::default();
        for (cell, new) in self.cells[offset..].iter_mut().zip(bytes) {
            match (cell.known, *new) {
                (Known::Nothing, new) => {
                    cell.known = new;
                    result.stored += 1;
                }
                (Known::Byte(old), Known::Byte(new)) if old != new => {
                    cell.conflict = true;
                    result.conflict = true;
                }
                _ => {}
            }
        }
        result
    }

    fn hole(&self) -> Option<Hole> {
        let known = (self.next..self.cells.len()).find(|n| self.cells[*n].is_known());
        let acked = self.acked.min(self.end.unwrap_or(usize::MAX));
        let to = match known {
            Some(known) => known,
            None if acked > self.next => acked,
            None => self.end.unwrap_or(self.next),
        };
        let len = to.checked_sub(self.next).filter(|len| *len > 0)? as u64;
        Some(Hole {
            len,
            acked: acked > self.next,
        })
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Bytes at some distance from the next one: the true ones, or different ones from the given position on.
    Insert {
        ahead: usize,
        len: usize,
        forged: Option<Index>,
    },
    Lost {
        ahead: usize,
        len: usize,
    },
    /// Take a range, and put some of it back.
    Take {
        put_back: Option<Index>,
    },
    /// Advance over bytes that were never stored.
    BreakerPermit {
        len: usize,
    },
    SkipHole,
    Acknowledge {
        ahead: usize,
    },
    End {
        ahead: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let forged = || prop::option::weighted(0.2, any::<Index>());
    prop_oneof![
        8 => (0_usize..40, 1_usize..20, forged()).prop_map(|(ahead, len, forged)| Step::Insert { ahead, len, forged }),
        1 => (0_usize..40, 1_usize..20).prop_map(|(ahead, len)| Step::Lost { ahead, len }),
        4 => prop::option::weighted(0.3, any::<Index>()).prop_map(|put_back| Step::Take { put_back }),
        1 => (1_usize..10).prop_map(|len| Step::BreakerPermit { len }),
        2 => Just(Step::SkipHole),
        1 => (0_usize..50).prop_map(|ahead| Step::Acknowledge { ahead }),
        1 => (0_usize..50).prop_map(|ahead| Step::End { ahead }),
    ]
}

fn truth(place: usize) -> u8 {
    u8::try_from(place % 251).expect("below 251")
}

fn stored(bytes: Vec<u8>, lost: u64) -> Stored {
    Stored {
        at: Timestamp::from_nanos(1),
        ack: None,
        starts_segment: true,
        conflict: false,
        bytes: bytes.into(),
        lost,
    }
}

fn place(model: &Model, ahead: usize, len: usize) -> Range<usize> {
    let start = (model.next + ahead).min(LEN);
    start..(start + len).min(LEN)
}

fn apply(assembler: &mut Assembler, model: &mut Model, step: &Step) {
    match step {
        Step::Insert { ahead, len, forged } => {
            let range = place(model, *ahead, *len);
            let mut bytes: Vec<u8> = range.clone().map(truth).collect();
            if let Some(index) = forged.filter(|_| !bytes.is_empty()) {
                bytes[index.index(range.len())] ^= 0x80;
            }
            let cells: Vec<_> = bytes.iter().copied().map(Known::Byte).collect();
            let inserted = assembler.insert(range.start as u64, &stored(bytes, 0));
            assert_eq!(inserted, model.insert(range.start, &cells), "{step:?}");
        }
        Step::Lost { ahead, len } => {
            let range = place(model, *ahead, *len);
            let inserted = assembler.insert(range.start as u64, &stored(Vec::new(), range.len() as u64));
            assert_eq!(
                inserted,
                model.insert(range.start, &vec![Known::Lost; range.len()]),
                "{step:?}"
            );
        }
        Step::Take { put_back } => take(assembler, model, *put_back),
        Step::BreakerPermit { len } => {
            let range = place(model, 0, *len);
            // Bytes may bypass the store only while nothing is stored.
            if assembler.is_empty() {
                assembler.advance(range.len() as u64);
                model.next = range.end;
            }
        }
        Step::SkipHole => {
            if let Some(hole) = assembler.hole() {
                assembler.advance(hole.len);
                model.next += usize::try_from(hole.len).expect("short");
            }
        }
        Step::Acknowledge { ahead } => {
            model.acked = model.acked.max(place(model, *ahead, 0).start);
            assembler.acknowledge(model.acked as u64);
        }
        Step::End { ahead } => {
            let end = place(model, *ahead, 0).start;
            assembler.end_at(end as u64);
            model.end.get_or_insert(end);
        }
    }
}

fn take(assembler: &mut Assembler, model: &mut Model, put_back: Option<Index>) {
    let waiting = model.cells.get(model.next).is_some_and(|cell| cell.is_known());
    assert_eq!(assembler.front().is_some(), waiting);
    let Some((offset, taken)) = assembler.take() else {
        assert!(!waiting, "the next byte is known and not handed on");
        return;
    };
    assert!(waiting, "bytes that are not known are handed on");
    assert_eq!(offset, model.next as u64);
    let len = taken.bytes.len() + usize::try_from(taken.lost).expect("short");
    assert_ne!(len, 0, "a step that goes nowhere");
    let cells = &mut model.cells[model.next..model.next + len];
    for (n, cell) in cells.iter().enumerate() {
        let known = taken.bytes.get(n).map_or(Known::Lost, |byte| Known::Byte(*byte));
        assert_eq!(cell.known, known, "byte {n} behind {offset}");
        assert!(taken.conflict || !cell.conflict, "a conflict is hidden");
    }
    let kept = put_back.map_or(len, |index| index.index(len + 1));
    cells[..kept].iter_mut().for_each(|cell| *cell = Cell::default());
    model.next += kept;
    if kept < len {
        assembler.put_back(taken.part(kept as u64, (len - kept) as u64));
    }
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn it_agrees_with_a_map_of_single_bytes(isn in any::<u32>(), steps in prop::collection::vec(step(), 1..60)) {
        // Every start is near the wrap or far from it.
        let isn = if isn % 2 == 0 { isn } else { u32::MAX - isn % 100 };
        let mut assembler = Assembler::new(SeqNum(isn));
        let mut model = Model { cells: vec![Cell::default(); LEN], next: 0, acked: 0, end: None };
        for step in &steps {
            apply(&mut assembler, &mut model, step);
            assert_eq!(assembler.next(), model.next as u64);
            assert_eq!(assembler.hole(), model.hole(), "after {step:?}");
            assert_eq!(assembler.is_ended(), model.end.is_some_and(|end| model.next >= end));
            let known = model.cells[model.next..].iter().filter(|cell| cell.is_known()).count();
            assert_eq!(assembler.is_empty(), known == 0);
            let bytes = model.cells[model.next..].iter().filter(|cell| matches!(cell.known, Known::Byte(_))).count();
            assert!(assembler.buffered() >= bytes, "{} for {bytes} bytes", assembler.buffered());
            assert!(known > 0 || assembler.buffered() == 0, "{} for nothing", assembler.buffered());
            let next = u32::try_from(model.next).expect("short");
            assert_eq!(assembler.distance(SeqNum(isn.wrapping_add(next))), 0);
            assert_eq!(assembler.offset(SeqNum(isn.wrapping_add(next + 7))), Some(model.next as u64 + 7));
            assert_eq!(assembler.offset(SeqNum(isn.wrapping_sub(1))), None, "before the stream");
        }
    }
}
