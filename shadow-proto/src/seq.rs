//! TCP sequence numbers (RFC 9293 section 3.4): 32 bits that wrap.

use core::ops::Add;

/// A sequence or acknowledgement number.
///
/// It has no `Ord`: an order on a circle is not transitive. [`SeqNum::distance_from`] gives the distance between two
/// numbers, which is meaningful within 2^31, far more than any window.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// `self - other` as a signed distance: positive when `self` is after `other`.
    pub const fn distance_from(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// The number `bytes` later in the stream; truncation is intended for sequence numbers.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "arithmetic modulo 2^32")]
    pub const fn after(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes as u32))
    }

    /// The number `bytes` earlier in the stream.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "arithmetic modulo 2^32")]
    pub const fn before(self, bytes: u64) -> Self {
        Self(self.0.wrapping_sub(bytes as u32))
    }

    /// Whether `self` comes before `other` on the circle.
    pub const fn is_before(self, other: Self) -> bool {
        self.distance_from(other) < 0
    }
}

impl Add<u32> for SeqNum {
    type Output = Self;

    fn add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}
