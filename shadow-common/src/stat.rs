//! Counters of the kernel program: one reason per packet.
//!
//! The law: [`Stat::Seen`] is the sum of every stat of [`Stat::fates`]. The others ([`Stat::Truncated`],
//! [`Stat::Chunks`]) describe what was emitted and are no fates.

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One counter of the kernel program.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Stat {
            $($(#[$doc])* $name,)*
        }

        impl Stat {
            /// Every counter, in the order of the counter array.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Its name in metrics and reports.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

stats! {
    /// Packets the program looked at.
    Seen = "seen",
    /// Nothing was copied because the kill switch is on.
    Disarmed = "disarmed",
    /// No TCP over IP, or neither end is a target.
    NotTargeted = "not_targeted",
    /// A fragment of a larger IP packet, of any destination: only the first one has ports.
    Fragment = "fragment",
    /// Length fields that contradict each other, or more IPv6 extension headers than are followed.
    Malformed = "malformed",
    /// Sent by the agent itself, or to or from a shadow system.
    Own = "own",
    /// A request or an answer at the hook where the configuration does not take it.
    OtherHook = "other_hook",
    /// The agent's heartbeat is older than its deadline.
    Expired = "expired",
    /// The connection is not in the sample.
    Unsampled = "unsampled",
    /// User space said that it has no use for this connection.
    Muted = "muted",
    /// No payload, no SYN, FIN or RST: nothing that reassembly needs.
    NoPayload = "no_payload",
    /// Copied whole into the ring.
    Emitted = "emitted",
    /// Not copied, or not to its end, because the ring was full.
    RingFull = "ring_full",
    /// Not copied, or not to its end, because the packet has fewer bytes than its headers say.
    LoadFailed = "load_failed",
    /// Emitted without its tail: more payload than [`crate::chunk::MAX_BYTES`].
    Truncated = "truncated",
    /// Records written.
    Chunks = "chunks",
}

impl Stat {
    /// Its place in the counter array.
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Every way a packet can end, each packet in exactly one.
    pub fn fates() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|stat| !matches!(stat, Self::Seen | Self::Truncated | Self::Chunks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_array_order_is_the_order_of_all() {
        for (index, stat) in Stat::ALL.into_iter().enumerate() {
            assert_eq!(stat.index(), index, "{}", stat.as_str());
        }
        assert_eq!(Stat::fates().count(), Stat::COUNT - 3);
    }
}
