//! One number per connection: the same in both directions, on every node and in every version of the agent.
//!
//! It has no seed: two nodes that see the two ends of one connection must choose alike. It is no defence against a
//! peer that picks its port to be sampled or not.

use crate::flow::{Endpoint, FlowKey};

/// The hash of a connection.
#[inline(always)]
#[must_use]
pub fn flow(key: &FlowKey) -> u32 {
    pair(&key.low, &key.high)
}

/// The hash of the connection between two endpoints, whichever way round they are given.
///
/// Addition makes it symmetric without the comparison that a [`FlowKey`] needs; for unsampled packets that comparison
/// would be wasted work in the kernel.
#[inline(always)]
#[must_use]
pub fn pair(a: &Endpoint, b: &Endpoint) -> u32 {
    (mix(endpoint(a).wrapping_add(endpoint(b))) >> 32) as u32
}

#[inline(always)]
fn endpoint(end: &Endpoint) -> u64 {
    let Endpoint { addr, port } = *end;
    let [high, low] = words(addr);
    // A multilinear hash of the three words (odd constants: the fractions of pi, e and the golden ratio). The kernel
    // target has no 128-bit product, which rules the faster wyhash family out.
    let sum = high
        .wrapping_mul(0x243f_6a88_85a3_08d3)
        .wrapping_add(low.wrapping_mul(0xb7e1_5162_8aed_2a6b))
        .wrapping_add(u64::from(port).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mix(sum)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a 128-bit word")]
const fn words(addr: [u8; 16]) -> [u64; 2] {
    let addr = u128::from_be_bytes(addr);
    [(addr >> 64) as u64, addr as u64]
}

/// The finaliser of MurmurHash3 (public domain): every input bit flips every output bit with probability near 1/2.
#[inline(always)]
const fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        (any::<[u8; 16]>(), any::<u16>()).prop_map(|(addr, port)| Endpoint { addr, port })
    }

    proptest! {
        #[test]
        fn both_directions_hash_alike(a in endpoint(), b in endpoint()) {
            prop_assert_eq!(pair(&a, &b), pair(&b, &a));
            prop_assert_eq!(flow(&FlowKey::new(a, b)), pair(&a, &b));
        }
    }

    #[test]
    fn a_release_does_not_change_which_flows_are_sampled() {
        let client = Endpoint::v4([10, 0, 0, 1], 40_000);
        let server = Endpoint::v4([10, 0, 0, 2], 80);
        assert_eq!(pair(&client, &server), 0x352e_834b);
    }

    /// Consecutive client ports of one client are the usual case, and the worst one for a weak hash.
    #[test]
    fn consecutive_ports_spread_evenly() {
        let server = Endpoint::v4([10, 0, 0, 2], 80);
        let mut buckets = [0_u32; 64];
        for port in 1024..=u16::MAX {
            let hash = pair(&Endpoint::v4([10, 0, 0, 1], port), &server);
            buckets[(hash >> 26) as usize] += 1;
        }
        let mean = f64::from(u16::MAX - 1023) / 64.0;
        let chi2: f64 = buckets
            .iter()
            .map(|&n| (f64::from(n) - mean).powi(2) / mean)
            .sum();
        assert!(
            chi2 < 110.0,
            "chi-squared {chi2} over 63 degrees of freedom: {buckets:?}"
        );
    }
}
