//! The Internet checksum (RFC 1071).

/// A sum of 16-bit words that is being made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// With these bytes. A last one alone is the high half of a word, so only the last bytes may be an odd number.
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<2>();
        let mut sum = self.0;
        for word in words {
            sum += u64::from(u16::from_be_bytes(*word));
        }
        if let [last] = rest {
            sum += u64::from(*last) << 8;
        }
        Self(sum)
    }

    /// The checksum of what was added; zero when a right one was among it.
    pub fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap_or_default()
    }
}
