//! Ring records and link-layer frames: every decoded segment is within the input, and the engine accepts it.

use shadow_proto::{
    engine::{Engine, Settings},
    limits::Limits,
    time::Timestamp,
    wire::{
        frame::{self, LinkType},
        record,
    },
};

/// Input: records or frames, each after its length in two bytes; the first byte selects which.
pub fn run(input: &[u8]) {
    let Some((kind, mut rest)) = input.split_first() else {
        return;
    };
    let mut engine = Engine::new(Settings {
        limits: Limits::default(),
        digest: true,
        fields: true,
    });
    let mut at = 0;
    while let Some((len, behind)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_le_bytes(*len)).min(behind.len());
        let (bytes, behind) = behind.split_at(len);
        rest = behind;
        at += 1_000_000;
        let segment = if *kind == 0 {
            record::decode(bytes).ok()
        } else {
            let link = LinkType::from_code(u16::from(*kind));
            let wire_len = len + usize::from(*kind) * 7;
            frame::decode(link, bytes, wire_len, Timestamp::from_nanos(at)).ok()
        };
        let Some(segment) = segment else { continue };
        assert!(segment.payload.len() <= bytes.len(), "{segment:?} of {len} bytes");
        engine.push(&segment);
        while engine.poll().is_some() {}
    }
    engine.finish();
    while engine.poll().is_some() {}
    assert_eq!(engine.usage().buffered, 0, "after the end");
}
