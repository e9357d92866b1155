//! A passive observer's view of the wire: late, twice, in pieces, or not at all.
//!
//! Loss here is loss of the *capture*: both ends had the bytes and acknowledged them.

use super::{rng::Rng, wire::Captured};

/// Changes between the wire and the engine.
#[derive(Clone, Debug)]
pub(crate) struct Losses {
    pub(crate) seed: u64,
    /// How many positions a segment may be overtaken by.
    pub(crate) window: usize,
    /// Per mille of segments that are captured twice.
    pub(crate) duplicate: u16,
    /// Segments are handed over in pieces of this size, as the ring does.
    pub(crate) chunk: Option<usize>,
    /// Timestamps follow the order of capture; otherwise they step back where segments were reordered.
    pub(crate) restamp: bool,
    /// The source knows which end is the server.
    pub(crate) directed: bool,
    /// Acknowledgements without data are not captured (they never are live).
    pub(crate) no_bare_acks: bool,
    /// Per mille of pieces that are lost.
    pub(crate) lose: u16,
    /// Per mille of pieces that lose their tail and say so.
    pub(crate) truncate: u16,
    /// How many segments had passed when the capture began.
    pub(crate) skip: usize,
}

impl Losses {
    /// No changes.
    pub(crate) fn none() -> Self {
        Self {
            seed: 1,
            window: 0,
            duplicate: 0,
            chunk: None,
            restamp: true,
            directed: true,
            no_bare_acks: false,
            lose: 0,
            truncate: 0,
            skip: 0,
        }
    }
}

/// Applies `losses` to the segments of one endpoint pair, in the order of the wire.
pub(crate) fn capture(wire: Vec<Captured>, losses: &Losses) -> Vec<Captured> {
    let mut rng = Rng::new(losses.seed);
    let mut seen: Vec<Captured> = wire.into_iter().skip(losses.skip).collect();
    for segment in &mut seen {
        segment.directed = losses.directed;
    }
    if losses.no_bare_acks {
        // A segment that follows a silence still follows it.
        let mut silence = false;
        seen.retain_mut(|segment| {
            silence |= segment.barrier;
            let bare = segment.is_bare();
            if !bare {
                segment.barrier = core::mem::take(&mut silence);
            }
            !bare
        });
    }
    let seen = duplicate(seen, losses.duplicate, &mut rng);
    let mut seen = reorder(seen, losses.window, &mut rng);
    if losses.restamp {
        let mut stamps: Vec<u64> = seen.iter().map(|segment| segment.at).collect();
        stamps.sort_unstable();
        for (segment, at) in seen.iter_mut().zip(stamps) {
            segment.at = at;
        }
    }
    let total: usize = seen.iter().map(|segment| segment.payload.len()).sum();
    let mut pieces: Vec<Captured> = match losses.chunk.map(|size| size.max(total / 2_000)) {
        Some(size) => seen
            .into_iter()
            .flat_map(|segment| split(segment, size))
            .collect(),
        None => seen,
    };
    pieces.retain(|_| !rng.chance(losses.lose));
    for piece in &mut pieces {
        if !piece.payload.is_empty() && rng.chance(losses.truncate) {
            let kept = rng.below(piece.payload.len());
            piece.missing += u32::try_from(piece.payload.len() - kept).expect("a segment is short");
            piece.payload.truncate(kept);
        }
    }
    pieces
}

fn duplicate(wire: Vec<Captured>, per_mille: u16, rng: &mut Rng) -> Vec<Captured> {
    let mut out = Vec::with_capacity(wire.len());
    for segment in wire {
        if rng.chance(per_mille) {
            out.push(segment.clone());
        }
        out.push(segment);
    }
    out
}

/// Delays every segment by up to `window` positions, but never across a silence and never into a handshake: a SYN is
/// answered only after it has passed the hook that captures it.
fn reorder(wire: Vec<Captured>, window: usize, rng: &mut Rng) -> Vec<Captured> {
    use shadow_proto::wire::Flags;

    if window == 0 {
        return wire;
    }
    let mut out = Vec::with_capacity(wire.len());
    let mut run: Vec<(usize, Captured)> = Vec::new();
    for (place, segment) in wire.into_iter().enumerate() {
        let fixed = segment.barrier || segment.flags.contains(Flags::SYN);
        if fixed {
            settle(&mut run, &mut out);
            out.push(segment);
        } else {
            run.push((place + rng.below(window + 1), segment));
        }
    }
    settle(&mut run, &mut out);
    out
}

fn settle(run: &mut Vec<(usize, Captured)>, out: &mut Vec<Captured>) {
    run.sort_by_key(|(place, _)| *place);
    out.extend(run.drain(..).map(|(_, segment)| segment));
}

/// The pieces of one segment. The SYN belongs to the first byte and the FIN to the last.
pub(crate) fn split(segment: Captured, size: usize) -> Vec<Captured> {
    use shadow_proto::wire::Flags;

    if segment.payload.len() <= size {
        return vec![segment];
    }
    let syn = segment.flags.contains(Flags::SYN);
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < segment.payload.len() {
        let end = segment.payload.len().min(start + size);
        let first = start == 0;
        let last = end == segment.payload.len();
        let mut flags = segment.flags.0;
        if !first {
            flags &= !Flags::SYN.0;
        }
        if !last {
            flags &= !(Flags::FIN.0 | Flags::RST.0);
        }
        // A SYN takes one sequence number before the payload.
        let shift = u32::try_from(start).expect("a segment is short") + u32::from(syn && !first);
        pieces.push(Captured {
            seq: segment.seq.wrapping_add(shift),
            flags: Flags(flags),
            payload: segment.payload.slice(start..end),
            missing: if last { segment.missing } else { 0 },
            ..segment.clone()
        });
        start = end;
    }
    pieces
}
