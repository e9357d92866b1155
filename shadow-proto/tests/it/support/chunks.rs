//! The chunked transfer coding (RFC 9112 section 7.1), written in every form its grammar allows.

use super::rng::Rng;

/// A coded body and the trailer fields after it.
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Cuts `body` into chunks at random, with random extensions, digits and trailers.
pub(crate) fn encode(body: &[u8], rng: &mut Rng) -> Coded {
    let mut bytes = Vec::with_capacity(body.len() + 64);
    let mut rest = body;
    let largest = *[1, 7, 64, 1_000, 70_000].get(rng.below(5)).expect("one of five");
    // One-byte chunks of a large body would only take time.
    let largest = if body.len() > 2_000 {
        largest.max(500)
    } else {
        largest
    };
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(rng.between(1, largest.min(rest.len())));
        bytes.extend_from_slice(size(chunk.len(), rng).as_bytes());
        bytes.extend_from_slice(extension(rng));
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        rest = behind;
    }
    bytes.extend_from_slice(size(0, rng).as_bytes());
    bytes.extend_from_slice(extension(rng));
    bytes.extend_from_slice(b"\r\n");
    let mut trailers = Vec::new();
    if rng.chance(250) {
        for n in 0..rng.between(1, 3) {
            let (name, value) = (format!("X-tRAILER-{n}"), format!("value {}", rng.below(1_000)));
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            trailers.push((name.into_bytes(), value.into_bytes()));
        }
    }
    bytes.extend_from_slice(b"\r\n");
    Coded { bytes, trailers }
}

fn size(len: usize, rng: &mut Rng) -> String {
    let zeros = "0".repeat(if rng.chance(150) { rng.below(4) } else { 0 });
    if rng.chance(500) {
        format!("{zeros}{len:x}")
    } else {
        format!("{zeros}{len:X}")
    }
}

fn extension(rng: &mut Rng) -> &'static [u8] {
    const SHAPES: &[&[u8]] = &[
        b";name=value",
        b";flag",
        b";q=\"a b; c\"",
        b" ; spaced = out",
        b";a=1;b=2",
    ];
    if rng.chance(100) {
        SHAPES.get(rng.below(SHAPES.len())).expect("in range")
    } else {
        b""
    }
}
