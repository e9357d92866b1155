//! Multipath TCP (RFC 8684): detection of streams that are spread over several TCP connections.

use crate::seq::SeqNum;

/// The option of a segment that shows other connections with parts of the same stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Multipath {
    /// MP_JOIN on a SYN: the connection carries parts of the stream of another one.
    Join,
    /// The mapping of a Data Sequence Signal: the difference between data sequence numbers and those of this
    /// connection. It is constant while this connection alone carries the data.
    Mapped(u32),
}

/// Finds the option in a TCP header that includes its fixed part. Bounds: at most 40 bytes of options.
pub fn find(header: &[u8], syn: bool) -> Option<Multipath> {
    /// The option kind of Multipath TCP.
    const KIND: u8 = 30;
    let size = usize::from(header.get(12)? >> 4) * 4;
    let mut options = header.get(20..size)?;
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
    const MP_JOIN: u8 = 1;
    const DSS: u8 = 2;
    let [_, _, subtype, rest @ ..] = option else {
        return None;
    };
    match subtype >> 4 {
        MP_JOIN if syn => Some(Multipath::Join),
        DSS => mapping(rest),
        _ => None,
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
    (len > 0 && own > 0).then(|| Multipath::Mapped(SeqNum(data).0.wrapping_sub(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(options: &[u8]) -> Vec<u8> {
        let mut header = vec![0; 20];
        header.extend_from_slice(options);
        while !header.len().is_multiple_of(4) {
            header.push(0);
        }
        header[12] = u8::try_from(header.len() / 4).unwrap() << 4;
        header
    }

    #[test]
    fn joins_and_mappings_are_found_among_other_options() {
        let join = [2, 4, 5, 0xb4, 1, 30, 12, 0x10, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(find(&header(&join), true), Some(Multipath::Join));
        assert_eq!(find(&header(&join), false), None);
        let capable = [30, 12, 0x01, 1, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(find(&header(&capable), true), None);
        let short = [1, 1, 30, 14, 0x20, 0x04, 0, 0, 1, 0, 0, 0, 0, 1, 0, 10];
        assert_eq!(find(&header(&short), false), Some(Multipath::Mapped(255)));
        let long = [
            30, 26, 0x20, 0x0f, 9, 9, 9, 9, 9, 9, 9, 9, 7, 7, 7, 7, 0, 0, 1, 0, 0, 0, 0, 1, 0, 10,
        ];
        assert_eq!(find(&header(&long), false), Some(Multipath::Mapped(255)));
        let only_ack = [30, 8, 0x20, 0x01, 0, 0, 0, 9];
        assert_eq!(find(&header(&only_ack), false), None);
    }

    #[test]
    fn options_that_end_early_are_passed_over() {
        for options in [
            &[30, 4][..],
            &[30, 0, 0x20, 0x04],
            &[30, 4, 0x20, 0x04],
            &[8],
            &[8, 200, 1, 1],
            &[0, 30],
        ] {
            assert_eq!(find(&header(options), true), None);
        }
        assert_eq!(find(&[0; 19], true), None);
        assert_eq!(find(&[0xff; 20], true), None);
    }
}
