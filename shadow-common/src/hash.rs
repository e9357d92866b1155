//! One number per connection: the same in both directions, on every interface and node, and in every version of the
//! agent.
//!
//! It is of the client's endpoint alone. The server's address changes where a node translates it (a virtual address of
//! a service, DNAT), and a connection must be chosen with both addresses or with neither: otherwise a host that sees
//! both would mirror up to twice the share that was asked for.
//!
//! It has no seed: two nodes that see the two ends of one connection must choose alike. It is no defence against a
//! peer that picks its port to be sampled or not.

use crate::flow::Endpoint;

/// The hash of the connections of a client's endpoint.
#[inline(always)]
#[must_use]
pub fn client(end: &Endpoint) -> u32 {
    (mix(endpoint(end)) >> 32) as u32
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
        fn another_port_or_address_is_another_number(a in endpoint(), b in endpoint()) {
            prop_assert_eq!(client(&a) == client(&b), a == b);
        }
    }

    #[test]
    fn a_release_does_not_change_which_flows_are_sampled() {
        assert_eq!(client(&Endpoint::v4([10, 0, 0, 1], 40_000)), 0x482d_dedf);
    }

    /// Consecutive client ports of one client are the usual case, and the worst one for a weak hash.
    #[test]
    fn consecutive_ports_spread_evenly() {
        let mut buckets = [0_u32; 64];
        for port in 1024..=u16::MAX {
            let hash = client(&Endpoint::v4([10, 0, 0, 1], port));
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
