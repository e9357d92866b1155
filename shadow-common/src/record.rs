//! A record of the ring: a fixed header and the bytes of one chunk.
//!
//! The header is nine words, little-endian, put together and taken apart field by field, so that neither side needs
//! unsafe code or agrees on padding. Every chunk carries the whole header: records of several CPUs interleave, and a
//! lost chunk must not take its neighbours with it.

use crate::flow::Endpoint;

/// Words of an encoded [`RecordHeader`].
pub const WORDS: usize = 9;

/// Bytes of an encoded [`RecordHeader`].
pub const HEADER: usize = WORDS * 8;

/// The facts about a segment, and which part of its payload follows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RecordHeader {
    /// When the kernel program saw it: nanoseconds of the monotonic clock.
    pub at: u64,
    /// The sender.
    pub src: Endpoint,
    /// The receiver.
    pub dst: Endpoint,
    /// Sequence number of the segment (not of this chunk).
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP control bits.
    pub flags: u8,
    /// The receiver is a target: the segment goes to the server.
    pub to_server: bool,
    /// Interface index, or the label of the attachment ([`crate::config::LABELLED`]).
    pub ifindex: u32,
    /// Payload bytes of the whole segment.
    pub payload_len: u32,
    /// Payload bytes before this chunk.
    pub chunk_offset: u32,
    /// Payload bytes in this chunk.
    pub chunk_len: u32,
    /// Bytes of TCP options that follow instead of a chunk; at most 40. Where the reader needs options, they come
    /// before the first chunk of their segment.
    pub options: u8,
}

impl RecordHeader {
    /// The encoded form, for a little-endian kernel to store as it is.
    #[inline(always)]
    #[must_use]
    pub fn words(&self) -> [u64; WORDS] {
        let [src_high, src_low] = addr(self.src.addr);
        let [dst_high, dst_low] = addr(self.dst.addr);
        let rest = u32::from_le_bytes([self.flags, u8::from(self.to_server), self.options, 0]);
        [
            self.at,
            src_high,
            src_low,
            dst_high,
            dst_low,
            pair(self.seq, self.ack),
            pair(self.payload_len, self.chunk_offset),
            pair(self.chunk_len, self.ifindex),
            pair(u32::from(self.src.port) | u32::from(self.dst.port) << 16, rest),
        ]
    }

    /// Changes which chunk an encoded header describes: all that differs between the records of one segment.
    #[inline(always)]
    pub fn set_chunk(words: &mut [u64; WORDS], offset: u32, len: u32) {
        let [.., lengths, chunk, _] = words;
        *lengths = *lengths & 0xffff_ffff | u64::from(offset) << 32;
        *chunk = *chunk & !0xffff_ffff | u64::from(len);
    }

    /// The encoded form as bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        for (place, word) in out.chunks_exact_mut(8).zip(self.words()) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Reads the encoded form; the rest of the slice is the chunk. `None` when the slice is too short.
    #[inline]
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (mut rest, chunk) = bytes.split_at_checked(HEADER)?;
        let at = u64::from_le_bytes(take(&mut rest)?);
        let src_addr = take(&mut rest)?;
        let dst_addr = take(&mut rest)?;
        let seq = u32::from_le_bytes(take(&mut rest)?);
        let ack = u32::from_le_bytes(take(&mut rest)?);
        let payload_len = u32::from_le_bytes(take(&mut rest)?);
        let chunk_offset = u32::from_le_bytes(take(&mut rest)?);
        let chunk_len = u32::from_le_bytes(take(&mut rest)?);
        let ifindex = u32::from_le_bytes(take(&mut rest)?);
        let src_port = u16::from_le_bytes(take(&mut rest)?);
        let dst_port = u16::from_le_bytes(take(&mut rest)?);
        let [flags, to_server, options, _] = take::<4>(&mut rest)?;
        let header = Self {
            at,
            src: Endpoint {
                addr: src_addr,
                port: src_port,
            },
            dst: Endpoint {
                addr: dst_addr,
                port: dst_port,
            },
            seq,
            ack,
            flags,
            to_server: to_server != 0,
            ifindex,
            payload_len,
            chunk_offset,
            chunk_len,
            options,
        };
        Some((header, chunk))
    }
}

/// Address bytes as two words whose little-endian form is the address.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a 128-bit word")]
pub(crate) const fn addr(bytes: [u8; 16]) -> [u64; 2] {
    let word = u128::from_le_bytes(bytes);
    [word as u64, (word >> 64) as u64]
}

#[inline(always)]
pub(crate) const fn pair(first: u32, second: u32) -> u64 {
    first as u64 | (second as u64) << 32
}

#[inline]
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (front, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*front)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> impl Strategy<Value = RecordHeader> {
        let end = || (any::<[u8; 16]>(), any::<u16>()).prop_map(|(addr, port)| Endpoint { addr, port });
        (
            (
                any::<u64>(),
                end(),
                end(),
                any::<u32>(),
                any::<u32>(),
                any::<u8>(),
                any::<u8>(),
            ),
            (
                any::<bool>(),
                any::<u32>(),
                any::<u32>(),
                any::<u32>(),
                any::<u32>(),
            ),
        )
            .prop_map(
                |(
                    (at, src, dst, seq, ack, flags, options),
                    (to_server, ifindex, payload_len, chunk_offset, chunk_len),
                )| {
                    RecordHeader {
                        at,
                        src,
                        dst,
                        seq,
                        ack,
                        flags,
                        to_server,
                        ifindex,
                        payload_len,
                        chunk_offset,
                        chunk_len,
                        options,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(header in header(), chunk in any::<Vec<u8>>()) {
            let mut record = header.encode().to_vec();
            record.extend_from_slice(&chunk);
            prop_assert_eq!(RecordHeader::decode(&record), Some((header, &*chunk)));
        }

        #[test]
        fn the_chunk_can_be_changed_in_place(header in header(), chunk_offset in any::<u32>(), chunk_len in any::<u32>()) {
            let mut words = header.words();
            RecordHeader::set_chunk(&mut words, chunk_offset, chunk_len);
            prop_assert_eq!(words, RecordHeader { chunk_offset, chunk_len, ..header }.words());
        }

        #[test]
        fn short_records_are_refused(record in proptest::collection::vec(any::<u8>(), 0..HEADER)) {
            prop_assert_eq!(RecordHeader::decode(&record), None);
        }
    }

    #[test]
    fn the_layout_is_pinned() {
        let header = RecordHeader {
            at: 0x0102_0304_0506_0708,
            src: Endpoint::v4([10, 0, 0, 1], 0x1112),
            dst: Endpoint::v4([10, 0, 0, 2], 0x2122),
            seq: 0x3132_3334,
            ack: 0x4142_4344,
            flags: 0x18,
            to_server: true,
            ifindex: 7,
            payload_len: 0x5152,
            chunk_offset: 0x1000,
            chunk_len: 0x0fff,
            options: 0x28,
        };
        #[rustfmt::skip]
        let expected = [
            8, 7, 6, 5, 4, 3, 2, 1,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2,
            0x34, 0x33, 0x32, 0x31,
            0x44, 0x43, 0x42, 0x41,
            0x52, 0x51, 0, 0,
            0, 0x10, 0, 0,
            0xff, 0x0f, 0, 0,
            7, 0, 0, 0,
            0x12, 0x11,
            0x22, 0x21,
            0x18, 1, 0x28, 0,
        ];
        assert_eq!(header.encode(), expected);
    }
}
