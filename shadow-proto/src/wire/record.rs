//! From one ring record to one [`Segment`].
//!
//! A segment arrives as one or more chunks, each a record with the facts of the whole segment. A chunk is a segment
//! of its own: SYN belongs to the first, FIN to the last, RST to each (its data is not part of the stream), and bytes
//! that were not copied are missing after the last. Options that may be of Multipath TCP are a record before the chunks.

use shadow_common::{
    chunk::{CHUNK, MAX_BYTES},
    record::RecordHeader,
};

use super::{Direction, Flags, Segment, multipath};
use crate::{seq::SeqNum, time::Timestamp};

/// A record that the kernel program cannot have written: the two sides have different versions.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// Shorter than the header.
    #[error("a ring record of {0} bytes has no whole header")]
    Short(usize),
    /// The chunk's length differs from the header.
    #[error("a ring record says {said} bytes of payload and has {has}")]
    Length {
        /// The length in the header.
        said: u32,
        /// The actual length.
        has: usize,
    },
    /// The chunk is not a part of the segment that the header describes.
    #[error("a chunk of {len} bytes at {offset} is no part of a segment of {segment} bytes")]
    Outside {
        /// Where the chunk starts.
        offset: u32,
        /// Its length.
        len: u32,
        /// The segment's payload length.
        segment: u32,
    },
}

/// Reads a record.
pub fn decode(bytes: &[u8]) -> Result<Segment<'_>, RecordError> {
    let (header, payload) = RecordHeader::decode(bytes).ok_or(RecordError::Short(bytes.len()))?;
    let RecordHeader {
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
    } = header;
    let (options, payload) = payload.split_at(if options > 0 { payload.len() } else { 0 });
    if usize::try_from(chunk_len) != Ok(payload.len()) || payload.len() > CHUNK {
        return Err(RecordError::Length {
            said: chunk_len,
            has: payload.len(),
        });
    }
    let behind = chunk_offset
        .checked_add(chunk_len)
        .and_then(|end| payload_len.checked_sub(end))
        .ok_or(RecordError::Outside {
            offset: chunk_offset,
            len: chunk_len,
            segment: payload_len,
        })?;
    // At most MAX_BYTES of one segment are copied, in whole chunks: the last chunk ends there or with the payload.
    let first = chunk_offset == 0;
    let last = behind == 0 || usize::try_from(payload_len - behind).is_ok_and(|end| end >= MAX_BYTES);
    let mut flags = Flags(flags);
    let mut seq = SeqNum(seq) + chunk_offset;
    if !first && flags.contains(Flags::SYN) {
        // The SYN precedes the payload and takes a sequence number (RFC 9293 section 3.4).
        flags = flags.without(Flags::SYN);
        seq = seq + 1;
    }
    if !last {
        flags = flags.without(Flags::FIN);
    }
    Ok(Segment {
        at: Timestamp::from_nanos(at),
        src,
        dst,
        direction: Some(if to_server {
            Direction::ToServer
        } else {
            Direction::ToClient
        }),
        ifindex,
        seq,
        ack: SeqNum(ack),
        flags,
        payload,
        missing: if last { behind } else { 0 },
        multipath: multipath::find(options, flags.contains(Flags::SYN)),
    })
}

#[cfg(test)]
mod tests {
    use shadow_common::flow::Endpoint;

    use super::{multipath::Multipath, *};

    const ALL: u8 = 0x1f;

    fn header() -> RecordHeader {
        RecordHeader {
            at: 7,
            src: Endpoint::v4([10, 0, 0, 1], 40_000),
            dst: Endpoint::v4([10, 0, 0, 2], 80),
            seq: u32::MAX,
            ack: 9,
            flags: ALL,
            to_server: true,
            ifindex: 3,
            payload_len: 0,
            chunk_offset: 0,
            chunk_len: 0,
            options: 0,
        }
    }

    fn record(payload_len: u32, offset: u32, chunk: usize) -> Vec<u8> {
        let header = RecordHeader {
            payload_len,
            chunk_offset: offset,
            chunk_len: u32::try_from(chunk).unwrap(),
            ..header()
        };
        let mut out = header.encode().to_vec();
        out.extend((0..chunk).map(|i| (offset as usize + i).to_le_bytes()[0]));
        out
    }

    #[test]
    fn a_small_segment_keeps_every_fact() {
        let bytes = record(5, 0, 5);
        let segment = decode(&bytes).unwrap();
        assert_eq!(segment.at, Timestamp::from_nanos(7));
        assert_eq!((segment.src, segment.dst), (header().src, header().dst));
        assert_eq!(segment.direction, Some(Direction::ToServer));
        assert_eq!((segment.seq, segment.ack), (SeqNum(u32::MAX), SeqNum(9)));
        assert_eq!(segment.flags, Flags(ALL));
        assert_eq!((segment.payload, segment.missing), (&[0, 1, 2, 3, 4][..], 0));
    }

    #[test]
    fn chunks_share_the_segments_sequence_space_and_flags() {
        let chunks = [
            record(9000, 0, 4096),
            record(9000, 4096, 4096),
            record(9000, 8192, 808),
        ];
        let got: Vec<_> = chunks.iter().map(|bytes| decode(bytes).unwrap()).collect();
        let seqs: Vec<_> = got.iter().map(|s| s.seq).collect();
        // The SYN is u32::MAX, so the payload starts at 0.
        assert_eq!(seqs, [SeqNum(u32::MAX), SeqNum(4096), SeqNum(8192)]);
        let rst_psh_ack = Flags(0x1c);
        assert_eq!(got[0].flags, rst_psh_ack.union(Flags::SYN));
        assert_eq!(got[1].flags, rst_psh_ack);
        assert_eq!(got[2].flags, rst_psh_ack.union(Flags::FIN));
        assert!(got.iter().all(|s| s.missing == 0));
    }

    #[test]
    fn what_was_not_copied_is_missing_behind_the_last_chunk() {
        let len = u32::try_from(MAX_BYTES).unwrap() + 1000;
        let offset = u32::try_from(MAX_BYTES - CHUNK).unwrap();
        let bytes = record(len, offset, CHUNK);
        let last = decode(&bytes).unwrap();
        assert_eq!(last.missing, 1000);
        assert!(last.flags.contains(Flags::FIN));
        let bytes = record(len, offset - 4096, CHUNK);
        let before = decode(&bytes).unwrap();
        assert_eq!(before.missing, 0);
        assert!(!before.flags.contains(Flags::FIN));
    }

    #[test]
    fn a_segment_without_payload_is_one_record() {
        let bytes = record(0, 0, 0);
        let segment = decode(&bytes).unwrap();
        assert_eq!((segment.flags, segment.payload.len()), (Flags(ALL), 0));
    }

    #[test]
    fn options_of_multipath_tcp_come_before_the_payload() {
        const DSS: [u8; 16] = [1, 1, 30, 14, 0x20, 0x04, 0, 0, 1, 0, 0, 0, 0, 1, 0, 10];
        let with = |flags, payload_len, options: &[u8]| {
            let header = RecordHeader {
                flags,
                payload_len,
                options: u8::try_from(options.len()).unwrap(),
                ..header()
            };
            [&header.encode(), options].concat()
        };
        let bytes = with(0x11, 9000, &DSS);
        let segment = decode(&bytes).unwrap();
        assert_eq!(segment.multipath, Some(Multipath::Mapped(255)));
        assert_eq!((segment.payload, segment.missing), (&[][..], 0));
        assert_eq!(segment.flags, Flags(0x10), "the FIN belongs to the last chunk");
        let bytes = with(0x02, 0, &[30, 12, 0x10, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
        let segment = decode(&bytes).unwrap();
        assert_eq!(segment.multipath, Some(Multipath::Join));
        assert_eq!((segment.flags, segment.payload.len()), (Flags::SYN, 0));
    }

    #[test]
    fn records_that_contradict_themselves_are_refused() {
        assert_eq!(decode(&[0; 71]).unwrap_err(), RecordError::Short(71));
        let mut long = record(10, 0, 5);
        long.push(0);
        assert_eq!(
            decode(&long).unwrap_err(),
            RecordError::Length { said: 5, has: 6 }
        );
        let outside = |payload_len, offset, len| decode(&record(payload_len, offset, len)).unwrap_err();
        assert_eq!(
            outside(10, 6, 5),
            RecordError::Outside {
                offset: 6,
                len: 5,
                segment: 10
            }
        );
        assert!(matches!(outside(10, u32::MAX, 5), RecordError::Outside { .. }));
        assert!(matches!(outside(9000, 0, 4097), RecordError::Length { .. }));
    }
}
