//! Makes a [`Case`] from an exchange and its outcome.

use core::{
    fmt::Write as _,
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};

use shadow_common::flow::Endpoint;

use crate::{
    compare::{Discrepancy, Outcome, Verdict},
    evidence::SampleRequest,
    gate::SkipPolicy,
    redact::{Answers, Redactor},
    rewrite::ShadowRequest,
};
use shadow_proto::exchange::{Exchange, Headers, Request, Response};

use super::{Answered, Case, CaseLimits, CaseRequest, FORMAT, Field};

/// A replayed exchange whose verdict is known.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'j> {
    /// The exchange.
    pub exchange: &'j Exchange,
    /// The result from the shadow system.
    pub outcome: &'j Outcome,
    /// The verdict on that result.
    pub verdict: &'j Verdict,
    /// The name of the shadow target.
    pub target: &'j str,
    /// When it was judged, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
}

impl Case {
    /// Redacts and cuts. `None` for a match, or without a production answer: there is nothing to show.
    pub fn of(
        judged: Judged<'_>,
        wanted: SampleRequest,
        redactor: &Redactor,
        limits: CaseLimits,
    ) -> Option<Self> {
        let Judged {
            exchange,
            outcome,
            verdict,
            target,
            at_ms,
        } = judged;
        let (found, failure): (&[Discrepancy], _) = match verdict {
            Verdict::Match => return None,
            Verdict::Mismatch(found) => (found, None),
            Verdict::ShadowError(failure) => (&[], Some(failure.as_str().to_owned())),
        };
        let [_, redactor] = &redactor.of_call(&exchange.request.target);
        let maker = Maker { redactor, limits };
        let response = exchange.response.as_ref()?;
        let production = maker.production(exchange, response);
        let shadow = match outcome {
            Outcome::Response(answer) => Some(Answered {
                status: answer.status,
                headers: maker.fields(&answer.headers),
                body: redactor.body(&answer.headers, &answer.body, limits.body),
                first_byte_us: Some(micros(answer.first_byte)),
                total_us: Some(micros(answer.total)),
            }),
            Outcome::Failed(_) => None,
        };
        Some(Self {
            format: FORMAT,
            id: id(exchange, target, at_ms),
            at_ms,
            target: target.to_owned(),
            route: wanted.route,
            groups: wanted.groups,
            client: address(exchange.flow.client),
            server: address(exchange.flow.server),
            index: exchange.index,
            request: maker.request(&exchange.request),
            production,
            shadow,
            failure,
            discrepancies: match outcome {
                Outcome::Response(answer) => {
                    let sides = [
                        (&response.headers, &response.body),
                        (&answer.headers, &answer.body),
                    ];
                    let answers = Answers::new(sides);
                    found
                        .iter()
                        .map(|found| redactor.discrepancy_of(found, &answers))
                        .collect()
                }
                Outcome::Failed(_) => Vec::new(),
            },
        })
    }
}

impl Case {
    /// Whether this was made by [`Case::recorded`] and is not a difference.
    pub fn is_recorded(&self) -> bool {
        self.failure.as_deref() == Some(SkipPolicy::RecordOnly.as_str())
    }

    /// A request that was only recorded and not sent: `failure` says so, and there is no shadow answer.
    pub fn recorded(
        exchange: &Exchange,
        sent: &ShadowRequest,
        (target, at_ms): (&str, u64),
        redactor: &Redactor,
        limits: CaseLimits,
    ) -> Option<Self> {
        let [_, redactor] = &redactor.of_call(&sent.target);
        let maker = Maker { redactor, limits };
        let reason = SkipPolicy::RecordOnly.as_str();
        let request = Request {
            method: sent.method.clone(),
            target: sent.target.clone(),
            version: sent.version,
            headers: Headers::from_pairs(sent.headers.iter().map(|(name, value)| (name, value))),
            body: exchange.request.body.clone(),
            trailers: Headers::default(),
        };
        let path = sent.target.split(|byte| *byte == b'?').next().unwrap_or_default();
        Some(Self {
            format: FORMAT,
            id: id(exchange, target, at_ms),
            at_ms,
            target: target.to_owned(),
            route: redactor.target(&format!(
                "{} {}",
                String::from_utf8_lossy(&sent.method),
                String::from_utf8_lossy(path)
            )),
            groups: vec![reason.to_owned()],
            client: address(exchange.flow.client),
            server: address(exchange.flow.server),
            index: exchange.index,
            request: maker.request(&request),
            production: maker.production(exchange, exchange.response.as_ref()?),
            shadow: None,
            failure: Some(reason.to_owned()),
            discrepancies: Vec::new(),
        })
    }
}

struct Maker<'m> {
    redactor: &'m Redactor,
    limits: CaseLimits,
}

impl Maker<'_> {
    fn request(&self, request: &Request) -> CaseRequest {
        let [redactor, _] = self.redactor.of_call(&request.target);
        CaseRequest {
            // The peer chooses the method token.
            method: self.redactor.text(&String::from_utf8_lossy(&request.method)),
            target: self
                .redactor
                .whole_target(&String::from_utf8_lossy(&request.target)),
            version: request.version.as_str().to_owned(),
            headers: self.fields(&request.headers),
            body: redactor.body(&request.headers, &request.body, self.limits.body),
        }
    }

    fn production(&self, exchange: &Exchange, response: &Response) -> Answered {
        let timing = &exchange.timing;
        let since =
            |end: Option<shadow_proto::time::Timestamp>| Some(micros(end?.since(timing.request_last?)));
        Answered {
            status: response.status,
            headers: self.fields(&response.headers),
            body: self
                .redactor
                .body(&response.headers, &response.body, self.limits.body),
            first_byte_us: since(timing.response_first),
            total_us: since(timing.response_last),
        }
    }

    fn fields(&self, headers: &Headers) -> Vec<Field> {
        headers
            .iter()
            .take(self.limits.fields)
            .map(|(name, value)| {
                let (name, value) = self.redactor.header(name, value);
                Field { name, value }
            })
            .collect()
    }
}

/// Unique for each exchange of one run.
fn id(exchange: &Exchange, target: &str, at_ms: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [
        address(exchange.flow.client),
        address(exchange.flow.server),
        exchange.index.to_string(),
        target.to_owned(),
        at_ms.to_string(),
    ] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    let hash = hasher.finalize();
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(String::new(), |mut id, byte| {
            // Writing to a String does not fail.
            write!(id, "{byte:02x}").unwrap_or_default();
            id
        })
}

fn address(endpoint: Endpoint) -> String {
    SocketAddr::new(Ipv6Addr::from(endpoint.addr).to_canonical(), endpoint.port).to_string()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
