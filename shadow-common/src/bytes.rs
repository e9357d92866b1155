//! How packet bytes are read.
//!
//! The parser is generic over [`Load`], so the code that the verifier accepts in the kernel is the code that the host
//! tests and the capture-file reader run.

/// Bytes of one packet, addressed from its network header.
pub trait Load {
    /// The `N` bytes at `offset` after the start of the network header, or `None` when the packet ends before.
    fn load<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;

    /// The same number.
    ///
    /// In the kernel it comes back as one of which the verifier knows nothing: called where several ways through the
    /// code meet, it keeps the verifier from walking everything after them once for each.
    fn forget(&self, number: usize) -> usize {
        number
    }
}

/// A packet in memory: the bytes from the network header on.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a>(pub &'a [u8]);

impl Load for Packet<'_> {
    fn load<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let Self(bytes) = self;
        bytes.get(offset..)?.first_chunk::<N>().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_up_to_the_last_byte_and_not_behind_it() {
        let packet = Packet(&[1, 2, 3, 4]);
        assert_eq!(packet.load::<4>(0), Some([1, 2, 3, 4]));
        assert_eq!(packet.load::<2>(2), Some([3, 4]));
        assert_eq!(packet.load::<0>(4), Some([]));
        assert_eq!(packet.load::<2>(3), None);
        assert_eq!(packet.load::<1>(usize::MAX), None);
    }
}
