//! The two ends of a TCP connection.

/// One end of a connection: an address and a port.
///
/// IPv4 addresses are stored IPv4-mapped (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), so one shape serves both
/// families. The derived order compares address bytes, then the port.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(C)]
pub struct Endpoint {
    /// Address bytes in network order.
    pub addr: [u8; 16],
    /// TCP port in host order.
    pub port: u16,
}

impl Endpoint {
    /// An IPv4 endpoint, stored mapped.
    #[must_use]
    pub const fn v4(addr: [u8; 4], port: u16) -> Self {
        let [a, b, c, d] = addr;
        Self {
            addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d],
            port,
        }
    }

    /// An IPv6 endpoint.
    #[must_use]
    pub const fn v6(addr: [u8; 16], port: u16) -> Self {
        Self { addr, port }
    }
}

/// A connection named the same from both directions: the smaller endpoint first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(C)]
pub struct FlowKey {
    /// The smaller endpoint.
    pub low: Endpoint,
    /// The larger endpoint.
    pub high: Endpoint,
}

impl FlowKey {
    /// The key of the connection between two endpoints, whichever way round they are given.
    #[inline]
    #[must_use]
    pub fn new(a: Endpoint, b: Endpoint) -> Self {
        // The derived order, as numbers: the kernel target compares arrays byte by byte.
        let order = |end: &Endpoint| (u128::from_be_bytes(end.addr), end.port);
        if order(&a) <= order(&b) {
            Self { low: a, high: b }
        } else {
            Self { low: b, high: a }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        (any::<[u8; 16]>(), 0..3_u16).prop_map(|(addr, port)| Endpoint { addr, port })
    }

    proptest! {
        #[test]
        fn the_low_end_is_the_smaller_one(a in endpoint(), b in endpoint(), same in any::<bool>()) {
            let b = if same { Endpoint { addr: a.addr, ..b } } else { b };
            let key = FlowKey::new(a, b);
            prop_assert_eq!((key.low, key.high), (a.min(b), a.max(b)));
        }
    }

    #[test]
    fn the_key_does_not_depend_on_the_direction() {
        let a = Endpoint::v4([10, 0, 0, 1], 40_000);
        let b = Endpoint::v4([10, 0, 0, 2], 80);
        assert_eq!(FlowKey::new(a, b), FlowKey::new(b, a));
        assert_ne!(
            FlowKey::new(a, b),
            FlowKey::new(a, Endpoint::v4([10, 0, 0, 2], 81))
        );
    }
}
