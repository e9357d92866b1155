//! One direction of a connection as a list of operations, compared with a map of single bytes.

use bytes::Bytes;

use shadow_proto::{
    seq::SeqNum,
    stream::{Assembler, Stored},
    time::Timestamp,
};

const LEN: usize = 1024;

/// State of a byte: unknown, lost, or its value.
type Known = Option<Option<u8>>;

/// Four bytes for each operation: which, how far ahead, how much, and which bytes.
pub fn run(input: &[u8]) {
    let Some((isn, operations)) = input.split_first_chunk::<4>() else {
        return;
    };
    let isn = u32::from_le_bytes(*isn);
    let mut assembler = Assembler::new(SeqNum(isn));
    let mut model: Vec<Known> = vec![None; LEN];
    let mut next = 0;
    for operation in operations.as_chunks::<4>().0 {
        apply(&mut assembler, &mut model, &mut next, *operation);
        assert_eq!(assembler.next(), next as u64);
        let bytes = model[next..]
            .iter()
            .filter(|known| matches!(known, Some(Some(_))))
            .count();
        assert!(
            assembler.buffered() >= bytes,
            "{} for {bytes} bytes",
            assembler.buffered()
        );
        assert_eq!(assembler.is_empty(), model[next..].iter().all(Option::is_none));
        assert_eq!(
            assembler.front().is_some(),
            model.get(next).is_some_and(Option::is_some)
        );
    }
}

fn apply(
    assembler: &mut Assembler,
    model: &mut [Known],
    next: &mut usize,
    [what, ahead, len, byte]: [u8; 4],
) {
    let start = (*next + usize::from(ahead)).min(LEN);
    let end = (start + usize::from(len)).min(LEN);
    match what % 8 {
        kind @ 0..=3 => {
            let lost = kind == 3;
            let bytes = if lost {
                Vec::new()
            } else {
                vec![byte % 4; end - start]
            };
            let stored = Stored {
                at: Timestamp::from_nanos(1),
                ack: None,
                starts_segment: true,
                conflict: false,
                bytes: Bytes::from(bytes),
                lost: if lost { (end - start) as u64 } else { 0 },
            };
            let inserted = assembler.insert(start as u64, &stored);
            let mut new = 0;
            let mut conflict = false;
            for known in &mut model[start..end] {
                let byte = (!lost).then_some(byte % 4);
                match known {
                    None => {
                        *known = Some(byte);
                        new += 1;
                    }
                    Some(Some(old)) if byte.is_some_and(|byte| byte != *old) => conflict = true,
                    Some(_) => {}
                }
            }
            assert_eq!((inserted.stored, inserted.conflict), (new, conflict));
        }
        4 => {
            let Some((offset, taken)) = assembler.take() else {
                return;
            };
            assert_eq!(offset, *next as u64);
            let len = taken.bytes.len() + usize::try_from(taken.lost).expect("short");
            for (number, known) in model[*next..*next + len].iter().enumerate() {
                assert_eq!(
                    *known,
                    Some(taken.bytes.get(number).copied()),
                    "byte {number} behind {offset}"
                );
            }
            *next += len;
        }
        5 => {
            if let Some(hole) = assembler.hole() {
                let to = (*next + usize::try_from(hole.len).expect("short")).min(LEN);
                assembler.advance((to - *next) as u64);
                *next = to;
            }
        }
        6 => assembler.acknowledge(start as u64),
        _ => assembler.end_at(start as u64),
    }
}
