//! Parts of a file that other threads can read.

use core::mem;

use shadow_common::flow::Endpoint;
use shadow_proto::{
    seq::SeqNum,
    time::Timestamp,
    wire::{Flags, Segment, multipath::Multipath},
};

use super::{
    Damage, PcapFile,
    ahead::{Ahead, Reading},
};

/// The segments of one part of a file, and the buffer that they lie in. Reused, it costs no allocation.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Payloads that are not contiguous in the file: reassembled fragments.
    joined: Vec<u8>,
    keys: Vec<Key>,
    /// One for each key.
    entries: Vec<Entry>,
}

/// The connection and time of a segment of a [`Batch`]. Separate from the rest of it, so that skipping many is cheap.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// When it was captured.
    pub at: Timestamp,
    /// A number that all segments of its connection share.
    pub flow: u32,
}

/// The rest of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    src: Endpoint,
    dst: Endpoint,
    seq: SeqNum,
    ack: SeqNum,
    flags: Flags,
    missing: u32,
    multipath: Option<Multipath>,
    /// Of the payload: the buffer that holds it, and the range.
    joined: bool,
    start: usize,
    len: usize,
}

impl Batch {
    /// Of each segment, in the order of the file.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The segment of one of the keys, by its index; `None` after the last.
    pub fn segment(&self, index: usize) -> Option<Segment<'_>> {
        let at = self.keys.get(index)?.at;
        let &Entry {
            src,
            dst,
            seq,
            ack,
            flags,
            missing,
            multipath,
            joined,
            start,
            len,
        } = self.entries.get(index)?;
        let bytes = if joined { &self.joined } else { &self.bytes };
        Some(Segment {
            at,
            src,
            dst,
            direction: None,
            ifindex: 0,
            seq,
            ack,
            flags,
            payload: bytes.get(start..start + len).unwrap_or_default(),
            missing,
            multipath,
        })
    }
}

impl Entry {
    /// A segment whose payload is in `frame`, which begins at `start`; any other payload is appended to `joined`.
    fn new(segment: &Segment<'_>, frame: &[u8], start: usize, joined: &mut Vec<u8>) -> Self {
        let &Segment {
            at: _,
            src,
            dst,
            direction: _,
            ifindex: _,
            seq,
            ack,
            flags,
            payload,
            missing,
            multipath,
        } = segment;
        let within = payload.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
        let apart = within.saturating_add(payload.len()) > frame.len();
        let start = if apart { joined.len() } else { start + within };
        if apart {
            joined.extend_from_slice(payload);
        }
        Self {
            src,
            dst,
            seq,
            ack,
            flags,
            missing,
            multipath,
            joined: apart,
            start,
            len: payload.len(),
        }
    }
}

/// A number shared by the segments of a connection, in both directions, and the same in every run. Not unique.
pub fn flow_number(segment: &Segment<'_>) -> u32 {
    /// 2^64 divided by the golden ratio: close values are spread far apart.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let end = |end: &Endpoint| {
        let [high, low] = [end.addr.first_chunk(), end.addr.last_chunk()]
            .map(|half| u64::from_be_bytes(half.copied().unwrap_or_default()));
        // The low half of an IPv4 address ends with it; the port is combined with the constant part before it.
        (high ^ low.rotate_left(16) ^ u64::from(end.port)).wrapping_mul(SPREAD)
    };
    let both = end(&segment.src).wrapping_add(end(&segment.dst));
    u32::try_from(both >> 32).unwrap_or_default()
}

/// A file that is read batch by batch, while another thread reads ahead.
#[derive(Debug)]
pub struct Batches<'f> {
    file: &'f mut PcapFile,
    /// Read with the last batch, for the next, and its payload if it lies in no buffer.
    carried: Option<(Key, Entry, Vec<u8>)>,
}

impl PcapFile {
    /// The rest of the file in batches, with the number that may be kept at a time; and the reader, for another thread
    /// to run. `None` if this was called before.
    pub fn batches(&mut self, kept: usize) -> Option<(Batches<'_>, Reading)> {
        // One more is being read, and one filled meanwhile.
        let reading = self.input.read_ahead(kept + 2)?;
        let batches = Batches {
            file: self,
            carried: None,
        };
        Some((batches, reading))
    }
}

impl Drop for Batches<'_> {
    /// The reading thread ends, too.
    fn drop(&mut self) {
        drop(self.file.input.close());
    }
}

impl Batches<'_> {
    /// Fills `batch` with the next segments; `false` when there are none. Damage is reported after everything before
    /// it.
    pub fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, Damage> {
        batch.keys.clear();
        batch.entries.clear();
        batch.joined.clear();
        let spare = mem::take(&mut batch.bytes);
        let carried = self.carried.take();
        if let Some(ahead) = self.file.input.ahead() {
            ahead.recycle(spare);
            if carried.is_some() {
                ahead.pin();
            }
        }
        if let Some((key, entry, apart)) = carried {
            batch.keys.push(key);
            batch.entries.push(entry);
            batch.joined.extend(apart);
        }
        loop {
            let found = self.next_entry(&mut batch.joined);
            let ahead = self.file.input.ahead();
            if let Some(full) = ahead.and_then(Ahead::take_full) {
                // The segment found lies in the next buffer already.
                if let Ok(Some((key, mut entry))) = found {
                    let apart = if entry.joined {
                        batch.joined.split_off(mem::take(&mut entry.start))
                    } else {
                        Vec::new()
                    };
                    self.carried = Some((key, entry, apart));
                }
                batch.bytes = full;
                return Ok(true);
            }
            match found {
                Ok(Some((key, entry))) => {
                    if let Some(ahead) = self.file.input.ahead() {
                        ahead.pin();
                    }
                    batch.keys.push(key);
                    batch.entries.push(entry);
                }
                Err(damage) if batch.entries.is_empty() => return Err(damage),
                Ok(None) | Err(_) => {
                    batch.bytes = self.file.input.close();
                    return Ok(!batch.entries.is_empty());
                }
            }
        }
    }

    /// The next segment, in the buffer of the file or in `joined`; `None` at its end.
    fn next_entry(&mut self, joined: &mut Vec<u8>) -> Result<Option<(Key, Entry)>, Damage> {
        while let Some((frame, decoded)) = self.file.next_decoded()? {
            if let Ok(segment) = decoded {
                let key = Key {
                    at: segment.at,
                    flow: flow_number(&segment),
                };
                let entry = Entry::new(&segment, frame.data, frame.start, joined);
                return Ok(Some((key, entry)));
            }
        }
        Ok(None)
    }
}
