//! Finds requests that a capture holds twice: before a proxy and after it.
//!
//! A request that a proxy forwards begins after the original request and is answered before it. Bounds: [`RECENT`]
//! requests and [`PAIRS`] pairs of servers are remembered.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    net::SocketAddr,
};

use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::select::socket;

const RECENT: usize = 4_096;
const PAIRS: usize = 64;
/// Bytes of a body that are used to distinguish requests.
const LOOKED_AT: usize = 1_024;
/// From this number of shared requests on, two servers do not share them by chance.
const NO_CHANCE: u64 = 3;

/// Recent requests.
#[derive(Debug, Default)]
pub(super) struct Hops {
    recent: HashMap<u64, Seen>,
    order: VecDeque<u64>,
    /// For the outer and the inner server: the matches, and those with the inner client on the outer server's host.
    pairs: BTreeMap<(SocketAddr, SocketAddr), (u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    client: SocketAddr,
    server: SocketAddr,
    begun: Timestamp,
    ended: Timestamp,
    status: u16,
}

impl Hops {
    pub(super) fn see(&mut self, exchange: &Exchange) {
        let (Some(begun), Some(ended), Some(response)) = (
            exchange.timing.request_first,
            exchange.timing.response_last,
            &exchange.response,
        ) else {
            return;
        };
        let request = &exchange.request;
        let mut hasher = DefaultHasher::new();
        let body = request.body.kept.get(..LOOKED_AT).unwrap_or(&request.body.kept);
        (&request.method, &request.target, request.body.len, body).hash(&mut hasher);
        let key = hasher.finish();
        let seen = Seen {
            client: socket(exchange.flow.client),
            server: socket(exchange.flow.server),
            begun,
            ended,
            status: response.status,
        };
        let Some(before) = self.recent.insert(key, seen) else {
            self.order.push_back(key);
            if self.order.len() > RECENT
                && let Some(oldest) = self.order.pop_front()
            {
                self.recent.remove(&oldest);
            }
            return;
        };
        let holds = |outer: &Seen, inner: &Seen| outer.begun <= inner.begun && inner.ended <= outer.ended;
        let (outer, inner) = if holds(&seen, &before) {
            (seen, before)
        } else {
            (before, seen)
        };
        if seen.server == before.server || seen.status != before.status || !holds(&outer, &inner) {
            return;
        }
        let pair = (outer.server, inner.server);
        if self.pairs.len() < PAIRS || self.pairs.contains_key(&pair) {
            let (count, related) = self.pairs.entry(pair).or_default();
            *count += 1;
            *related += u64::from(inner.client.ip() == outer.server.ip() || inner.client.ip().is_loopback());
        }
    }

    /// Warnings for the operator.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let is_listed = |(_, (count, related)): &(&(SocketAddr, SocketAddr), &(u64, u64))| {
            *related > 0 || *count >= NO_CHANCE
        };
        self.pairs.iter().filter(is_listed).map(|((outer, inner), (count, _))| {
            format!(
                "the same request appears on two hops, {outer} and {inner} ({count} times): each is replayed twice; choose a hop \
                 with --port or --target"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use shadow_common::flow::Endpoint;
    use shadow_proto::exchange::{Body, Flow, Headers, Place, Request, Response, Timing, Version};

    use super::*;

    /// `GET target` at `server`, from `begun` to `ended`.
    fn exchange(target: &'static str, client: u8, server: u8, port: u16, begun: u64, ended: u64) -> Exchange {
        let at = |nanos| Some(Timestamp::from_nanos(nanos));
        Exchange {
            flow: Flow {
                client: Endpoint::v4([10, 0, 0, client], 40_000),
                server: Endpoint::v4([10, 0, 0, server], port),
            },
            index: 0,
            place: Place::default(),
            request: Request {
                method: "GET".into(),
                target: target.into(),
                version: Version::Http11,
                headers: Headers::default(),
                body: Body::default(),
                trailers: Headers::default(),
            },
            response: Some(Response {
                status: 200,
                version: Version::Http11,
                reason: "OK".into(),
                headers: Headers::default(),
                body: Body::default(),
                trailers: Headers::default(),
            }),
            timing: Timing {
                request_first: at(begun),
                request_last: at(begun),
                response_first: at(ended),
                response_last: at(ended),
            },
            incomplete: None,
        }
    }

    fn warned(exchanges: &[Exchange]) -> Vec<String> {
        let mut hops = Hops::default();
        for exchange in exchanges {
            hops.see(exchange);
        }
        hops.warnings().collect()
    }

    #[test]
    fn a_request_that_a_proxy_passed_on_is_told_with_both_hops() {
        let warnings = warned(&[
            exchange("/a", 2, 3, 8080, 20, 30),
            exchange("/a", 1, 2, 80, 10, 40),
        ]);
        assert!(
            matches!(&*warnings, [one] if one.contains("10.0.0.2:80 and 10.0.0.3:8080 (1 times)")),
            "{warnings:?}"
        );
    }

    #[test]
    fn equal_requests_to_one_server_or_one_after_the_other_are_none() {
        assert_eq!(
            warned(&[exchange("/a", 1, 2, 80, 20, 30), exchange("/a", 1, 2, 80, 10, 40)]),
            [""; 0]
        );
        assert_eq!(
            warned(&[exchange("/a", 2, 3, 80, 10, 20), exchange("/a", 1, 2, 80, 30, 40)]),
            [""; 0]
        );
        // Two servers; by chance one answer lies within the time of the other.
        assert_eq!(
            warned(&[exchange("/a", 8, 3, 80, 20, 30), exchange("/a", 9, 2, 80, 10, 40)]),
            [""; 0]
        );
    }

    #[test]
    fn a_hop_is_chosen_by_the_port_or_the_address_of_its_server() {
        use crate::offline::Selection;
        let front = exchange("/a", 1, 2, 80, 10, 40);
        let back = exchange("/a", 2, 3, 8080, 20, 30);
        let wants = |ports: &[u16], targets: &[&str]| {
            let select = Selection {
                ports: ports.to_vec(),
                targets: targets.iter().map(|target| target.parse().unwrap()).collect(),
                interface: None,
            };
            [&front, &back].map(|exchange| select.wants_exchange(exchange))
        };
        assert_eq!(wants(&[], &[]), [true, true]);
        assert_eq!(wants(&[8080], &[]), [false, true]);
        assert_eq!(wants(&[], &["10.0.0.2"]), [true, false]);
        assert_eq!(wants(&[80], &["10.0.0.2:80", "10.0.0.3"]), [true, false]);
        assert_eq!(wants(&[], &["[::ffff:10.0.0.3]:8080"]), [false, true]);
        assert!("shop".parse::<crate::offline::Target>().is_err());
    }
}
