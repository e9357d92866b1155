//! Coverage by protocol: a run that compares all of HTTP/1 and nothing of gRPC says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shadow_proto::{
    engine::Counters,
    exchange::{Exchange, Version},
};

use super::{
    report::{Joined, ProtocolCoverage},
    stats::Proportion,
};
use crate::{
    compare::Verdict,
    gate::{Skip, is_grpc},
};

/// Names in the order of the counts.
const NAMES: [&str; 3] = ["http1", "http2", "grpc"];

/// Counts of every protocol.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Protocols([Counts; 3]);

/// Exchanges of one protocol.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Counts {
    judged: u64,
    /// They were to be compared, and have no verdict.
    missed: u64,
    /// They were skipped on purpose.
    intended: u64,
}

impl Protocols {
    pub(super) fn skipped(&mut self, exchange: &Exchange, skip: Skip) {
        let counts = self.of(exchange);
        let counter = if skip.is_intended() {
            &mut counts.intended
        } else {
            &mut counts.missed
        };
        *counter = counter.saturating_add(1);
    }

    pub(super) fn judged(&mut self, exchange: &Exchange, verdict: &Verdict) {
        let counts = self.of(exchange);
        let counter = match verdict {
            Verdict::ShadowError(failure) if failure.is_ours() => &mut counts.missed,
            Verdict::Match | Verdict::Mismatch(_) | Verdict::ShadowError(_) => &mut counts.judged,
        };
        *counter = counter.saturating_add(1);
    }

    fn of(&mut self, exchange: &Exchange) -> &mut Counts {
        let Self([http1, http2, grpc]) = self;
        let request = &exchange.request;
        if is_grpc(request) {
            grpc
        } else if request.version == Version::Http2 {
            http2
        } else {
            http1
        }
    }

    /// Adds the counts of another ledger.
    pub(super) fn add(&mut self, other: &Self) {
        for (counts, other) in self.0.iter_mut().zip(&other.0) {
            counts.judged = counts.judged.saturating_add(other.judged);
            counts.missed = counts.missed.saturating_add(other.missed);
            counts.intended = counts.intended.saturating_add(other.intended);
        }
    }

    /// The protocols that occurred.
    pub(super) fn coverage(&self) -> BTreeMap<String, ProtocolCoverage> {
        let rows = NAMES.into_iter().zip(self.0).map(|(name, counts)| {
            let Counts {
                judged,
                missed,
                intended,
            } = counts;
            let meant = judged.saturating_add(missed);
            let row = ProtocolCoverage {
                exchanges: meant.saturating_add(intended),
                coverage: Proportion::new(judged, meant),
            };
            (name.to_owned(), row)
        });
        rows.filter(|(_, row)| row.exchanges > 0).collect()
    }
}

/// Connections that were open before the capture, by the engine's counters.
pub(super) fn joined(engine: &Counters) -> Joined {
    let all = engine.flows_midstream.saturating_add(engine.flows_opened);
    Joined {
        connections: Proportion::new(engine.flows_midstream, all),
        http2: Proportion::new(engine.h2_joined, engine.h2_connections),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compare::Failure, gate::SkipPolicy};
    use shadow_proto::{exchange::Incomplete, testing};

    #[test]
    fn each_protocol_has_a_coverage_of_its_own() {
        let mut protocols = Protocols::default();
        let http1 = testing::exchange("GET", "/");
        let mut http2 = http1.clone();
        http2.request.version = Version::Http2;
        let mut grpc = testing::exchange_with("POST", "/p.S/M", &[("content-type", "application/grpc")]);
        grpc.request.version = Version::Http2;
        for _ in 0..3 {
            protocols.judged(&http1, &Verdict::Match);
            protocols.judged(&grpc, &Verdict::ShadowError(Failure::Timeout));
        }
        protocols.judged(&grpc, &Verdict::ShadowError(Failure::Cancelled));
        protocols.skipped(&grpc, Skip::Incomplete(Incomplete::H2HeaderState));
        protocols.skipped(&grpc, Skip::Policy(SkipPolicy::GrpcWrite));
        protocols.skipped(&http2, Skip::Policy(SkipPolicy::Excluded));
        let rows: Vec<_> = protocols
            .coverage()
            .into_iter()
            .map(|(name, row)| (name, row.exchanges, row.coverage.successes, row.coverage.trials))
            .collect();
        let row = |name: &str, exchanges, judged, meant| (name.to_owned(), exchanges, judged, meant);
        assert_eq!(
            rows,
            [row("grpc", 6, 3, 5), row("http1", 3, 3, 3), row("http2", 1, 0, 0)]
        );
    }

    #[test]
    fn connections_that_were_open_before_are_a_share_of_all() {
        let mut engine = Counters::default();
        (engine.flows_midstream, engine.flows_opened) = (3, 9);
        (engine.h2_connections, engine.h2_joined) = (4, 1);
        let joined = joined(&engine);
        assert_eq!((joined.connections.successes, joined.connections.trials), (3, 12));
        assert_eq!((joined.http2.successes, joined.http2.trials), (1, 4));
    }
}
