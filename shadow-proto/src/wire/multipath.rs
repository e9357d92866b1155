//! Multipath TCP (RFC 8684): detection of streams that are spread over several TCP connections.

use sha2::{Digest as _, Sha256};

/// The option kind.
const KIND: u8 = 30;

const MP_CAPABLE: u8 = 0;
const MP_JOIN: u8 = 1;
const DSS: u8 = 2;

/// Versions of MP_CAPABLE: that of RFC 8684, and one that only recordings of Shadow have ([`option`]).
const VERSION: u8 = 1;
const RECORDED: u8 = 15;

/// The option of a segment that shows whether other connections have parts of the same stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Multipath {
    /// MP_CAPABLE: the connection is the first of a stream. It carries all data of a direction while the difference
    /// between data sequence numbers and its own is the one given here.
    First {
        /// The difference for what the sender of the segment sends.
        own: u32,
        /// The difference for the other direction, where the segment shows it.
        peer: Option<u32>,
    },
    /// MP_JOIN on a SYN: the connection carries parts of the stream of another one.
    Join,
    /// The mapping of a Data Sequence Signal: the difference between data sequence numbers and those of this
    /// connection.
    Mapped(u32),
}

/// Finds the option among the options of a TCP header. Bounds: at most 40 bytes.
pub fn find(mut options: &[u8], syn: bool) -> Option<Multipath> {
    loop {
        options = match options {
            [] | [0, ..] => return None,
            [1, rest @ ..] => rest,
            [kind, len, ..] => {
                let (option, rest) = options.split_at_checked(usize::from(*len).max(2))?;
                if *kind == KIND
                    && let Some(found) = read(option, syn)
                {
                    return Some(found);
                }
                rest
            }
            [_] => return None,
        };
    }
}

fn read(option: &[u8], syn: bool) -> Option<Multipath> {
    let [_, _, subtype, rest @ ..] = option else {
        return None;
    };
    match subtype >> 4 {
        MP_CAPABLE => keys(subtype & 0x0f, rest),
        MP_JOIN if syn => Some(Multipath::Join),
        DSS => mapping(rest),
        _ => None,
    }
}

/// RFC 8684 section 3.1: flags, the sender's key, and the receiver's.
fn keys(version: u8, rest: &[u8]) -> Option<Multipath> {
    let (_flags, rest) = rest.split_first()?;
    let (own, rest) = rest.split_first_chunk::<8>()?;
    let first = match version {
        VERSION => first_of_key,
        RECORDED => lower,
        _ => return None,
    };
    Some(Multipath::First {
        own: first(*own),
        peer: rest.first_chunk().copied().map(first),
    })
}

/// The lower half of the initial data sequence number, which is derived from the key. The first byte has the next one,
/// and number 1 on the connection.
fn first_of_key(key: [u8; 8]) -> u32 {
    Sha256::digest(key).last_chunk().copied().map_or(0, lower)
}

fn lower([.., a, b, c, d]: [u8; 8]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// An option with the same meaning, for a recording; `payload` is the length of the segment's payload. Keys are secret
/// and were not kept, so the numbers that were derived from them are in their place, under a version of its own.
pub fn option(multipath: Multipath, payload: usize) -> Vec<u8> {
    match multipath {
        Multipath::First { own, peer } => {
            let numbers = [Some(own), peer].into_iter().flatten();
            let numbers: Vec<u8> = numbers
                .flat_map(|number| u64::from(number).to_be_bytes())
                .collect();
            let head = [
                KIND,
                if peer.is_some() { 20 } else { 12 },
                MP_CAPABLE << 4 | RECORDED,
                1,
            ];
            [&head[..], &numbers].concat()
        }
        Multipath::Join => [&[KIND, 12, MP_JOIN << 4, 0][..], &[0; 8]].concat(),
        Multipath::Mapped(ahead) => {
            let len = u16::try_from(payload.max(1)).unwrap_or(u16::MAX);
            let head = [1, 1, KIND, 14, DSS << 4, 0x04];
            let numbers = [ahead.wrapping_add(1).to_be_bytes(), 1_u32.to_be_bytes()].concat();
            [&head[..], &numbers, &len.to_be_bytes()].concat()
        }
    }
}

/// RFC 8684 section 3.3: flags, a data acknowledgement, then the mapping, each number of 4 or 8 bytes.
fn mapping(rest: &[u8]) -> Option<Multipath> {
    let (&flags, mut rest) = rest.split_first()?;
    let has = |bit: u8| flags & bit != 0;
    if !has(0x04) {
        return None;
    }
    if has(0x01) {
        rest = rest.get(if has(0x02) { 8 } else { 4 }..)?;
    }
    if has(0x08) {
        // The upper half of the data sequence number changes only every 4 GiB.
        rest = rest.get(4..)?;
    }
    let (data, rest) = rest.split_first_chunk::<4>()?;
    let (own, rest) = rest.split_first_chunk::<4>()?;
    let len = u16::from_be_bytes(*rest.first_chunk::<2>()?);
    let (data, own) = (u32::from_be_bytes(*data), u32::from_be_bytes(*own));
    // Length 0 is the end of Multipath TCP on this connection; a mapping at 0 is an end of data without payload.
    (len > 0 && own > 0).then(|| Multipath::Mapped(data.wrapping_sub(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_mappings_are_found_among_other_options() {
        let join = [2, 4, 5, 0xb4, 1, 30, 12, 0x10, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(find(&join, true), Some(Multipath::Join));
        assert_eq!(find(&join, false), None);
        let short = [1, 1, 30, 14, 0x20, 0x04, 0, 0, 1, 0, 0, 0, 0, 1, 0, 10];
        assert_eq!(find(&short, false), Some(Multipath::Mapped(255)));
        let long = [
            30, 26, 0x20, 0x0f, 9, 9, 9, 9, 9, 9, 9, 9, 7, 7, 7, 7, 0, 0, 1, 0, 0, 0, 0, 1, 0, 10,
        ];
        assert_eq!(find(&long, false), Some(Multipath::Mapped(255)));
        let only_ack = [30, 8, 0x20, 0x01, 0, 0, 0, 9];
        assert_eq!(find(&only_ack, false), None);
    }

    #[test]
    fn the_first_numbers_follow_from_the_keys() {
        // The keys of one connection of Linux 6.18, whose mappings gave these differences.
        let client = 0x0736_790f_f777_6930_u64.to_be_bytes();
        let server = 0xc25a_bb19_1ef4_3a2a_u64.to_be_bytes();
        let (own, peer) = (0x4509_1ec7, 0x0f00_10bb);
        let asks = [30, 4, 0x01, 0x01];
        assert_eq!(find(&asks, true), None, "a SYN has no key");
        let answers = [&[30, 12, 0x01, 0x01][..], &server].concat();
        let expected = Multipath::First {
            own: peer,
            peer: None,
        };
        assert_eq!(find(&answers, true), Some(expected));
        let both = Some(Multipath::First {
            own,
            peer: Some(peer),
        });
        let third = [&[30, 20, 0x01, 0x01][..], &client, &server].concat();
        assert_eq!(find(&third, false), both);
        let with_data = [&[30, 22, 0x01, 0x01][..], &client, &server, &[0, 40]].concat();
        assert_eq!(find(&with_data, false), both);
        // Version 0 derives them in another way.
        let old = [&[30, 12, 0x00, 0x01][..], &server].concat();
        assert_eq!(find(&old, true), None);
    }

    #[test]
    fn what_a_recording_has_means_the_same() {
        let numbers = [0, 7, u32::MAX];
        let peers = [None, Some(0), Some(u32::MAX)];
        let first = numbers
            .into_iter()
            .flat_map(|own| peers.map(|peer| Multipath::First { own, peer }));
        let mapped = numbers.map(Multipath::Mapped);
        for multipath in first.chain(mapped).chain([Multipath::Join]) {
            for payload in [0, 1, 70_000] {
                let option = option(multipath, payload);
                assert!(option.len() <= 40 && option.len().is_multiple_of(4), "{option:?}");
                assert_eq!(find(&option, true), Some(multipath), "{option:?}");
            }
        }
    }

    #[test]
    fn options_that_end_early_are_passed_over() {
        for options in [
            &[30, 4][..],
            &[30, 0, 0x20, 0x04],
            &[30, 4, 0x20, 0x04],
            &[30, 11, 1, 1, 1, 2, 3, 4, 5, 6, 7],
            &[8],
            &[8, 200, 1, 1],
            &[0, 30],
            &[],
        ] {
            assert_eq!(find(options, true), None);
        }
        assert_eq!(find(&[0xff; 20], true), None);
    }
}
