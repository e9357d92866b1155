//! Handling of requests that may change state.
//!
//! Owns: the distinction between reads and writes, and the operator's rules for writes, per route. Bias: a request is a
//! write unless it is certainly a read, and a write is skipped unless a rule certainly says otherwise.

use std::sync::Arc;

use bytes::Bytes;
use regex::bytes::RegexSet;
use serde::{Deserialize, Serialize};

use super::{
    SkipPolicy, graphql, grpc,
    matcher::{self, Facts, Match, Matcher, RuleError, Sure},
    methods,
};
use crate::{descriptors::Descriptors, fields};
use shadow_proto::exchange::Exchange;

/// Handling of requests that may change state.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Writes {
    /// They are skipped and counted.
    #[default]
    Skip,
    /// They are replayed: the operator asserts that the shadow system has its own state.
    Replay,
    /// They are replayed with a field that asks the shadow system not to change anything.
    DryRun,
    /// The rewritten request is kept and not sent.
    RecordOnly,
}

/// Rules for writes, as configured by an operator.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct WriteRules {
    /// Used if no route rule applies.
    pub default: Writes,
    /// Name and value of the field for [`Writes::DryRun`].
    pub header: Option<(String, String)>,
    /// The first rule that matches a write decides.
    pub routes: Vec<(Match, Writes)>,
    /// Paths (globs) that serve GraphQL: there a POST with a query is a read, and a GET with a mutation is a write.
    pub graphql: Vec<String>,
    /// Methods of gRPC (globs of `package.Service/Method`) that only read. Any other call is a write.
    pub grpc_safe: Vec<String>,
    /// Methods that only read are also those whose description says that they have no side effects.
    pub descriptors: Option<Descriptors>,
}

/// Compiled [`WriteRules`]. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct WritePolicy {
    rules: Arc<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    default: Writes,
    header: Option<(Bytes, Bytes)>,
    routes: Vec<(Matcher, Writes)>,
    graphql: Option<RegexSet>,
    grpc_safe: Option<RegexSet>,
    descriptors: Option<Descriptors>,
}

/// Action for one exchange, if it is a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Treatment {
    /// Sent unchanged.
    Send,
    /// Sent with the field that asks for a dry run.
    DryRun,
    /// Kept and not sent.
    Record,
    /// Neither sent nor kept.
    Skip(SkipPolicy),
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Read,
    Write,
    GraphqlWrite,
    GrpcWrite,
}

impl From<Writes> for WritePolicy {
    /// One rule for all writes. Without a field that asks for a dry run, [`Writes::DryRun`] acts as [`Writes::Skip`].
    fn from(default: Writes) -> Self {
        let rules = Rules {
            default: if default == Writes::DryRun {
                Writes::Skip
            } else {
                default
            },
            ..Rules::default()
        };
        Self {
            rules: Arc::new(rules),
        }
    }
}

impl WritePolicy {
    /// Compiles the rules.
    pub fn new(rules: &WriteRules) -> Result<Self, RuleError> {
        let WriteRules {
            default,
            header,
            routes,
            graphql,
            grpc_safe,
            descriptors,
        } = rules;
        let within = |error: RuleError| error.within("writes");
        let asks = routes.iter().map(|(_, writes)| writes).chain([default]);
        if header.is_none() && asks.into_iter().any(|writes| *writes == Writes::DryRun) {
            return Err(within(RuleError::new(
                "header",
                "a dry run needs a field that asks the shadow system for it, such as \"X-Dry-Run: 1\"",
            )));
        }
        let header = match header {
            Some((name, value)) => {
                Some(fields::field(name, value).map_err(|what| within(RuleError::new("header", what)))?)
            }
            None => None,
        };
        let routes = routes.iter().enumerate().map(|(place, (rule, writes))| {
            let at = format!("routes[{place}].match");
            let matcher = Matcher::new(rule).map_err(|error| within(error.within(&at)))?;
            Ok((matcher, *writes))
        });
        let rules = Rules {
            default: *default,
            header,
            routes: routes.collect::<Result<_, RuleError>>()?,
            graphql: matcher::globs("graphql", graphql, true).map_err(within)?,
            grpc_safe: matcher::globs("grpc.safe", &with_slash(grpc_safe), true).map_err(within)?,
            descriptors: descriptors.clone(),
        };
        Ok(Self {
            rules: Arc::new(rules),
        })
    }

    /// The field that asks for a dry run.
    pub(crate) fn header(&self) -> Option<&(Bytes, Bytes)> {
        self.rules.header.as_ref()
    }

    /// Whether all queued requests are sent unchanged.
    pub(crate) fn is_plain(&self) -> bool {
        let special = |writes: Writes| matches!(writes, Writes::DryRun | Writes::RecordOnly);
        !special(self.rules.default) && !self.rules.routes.iter().any(|(_, writes)| special(*writes))
    }

    /// Whether the request of this exchange only reads, so that it may be sent more than once.
    pub fn is_read(&self, exchange: &Exchange) -> bool {
        self.kind(exchange) == Kind::Read
    }

    pub(crate) fn treat(&self, exchange: &Exchange) -> Treatment {
        let kind = self.kind(exchange);
        let reason = match kind {
            Kind::Read => return Treatment::Send,
            Kind::Write => SkipPolicy::Write,
            Kind::GraphqlWrite => SkipPolicy::GraphqlWrite,
            Kind::GrpcWrite => SkipPolicy::GrpcWrite,
        };
        match self.wanted(exchange) {
            Writes::Skip => Treatment::Skip(reason),
            Writes::Replay => Treatment::Send,
            Writes::DryRun => Treatment::DryRun,
            Writes::RecordOnly => Treatment::Record,
        }
    }

    fn kind(&self, exchange: &Exchange) -> Kind {
        let request = &exchange.request;
        let Rules {
            graphql,
            grpc_safe,
            descriptors,
            ..
        } = &*self.rules;
        if grpc::is_call(request) && !methods::is_safe(&request.method) {
            // gRPC's paths have no query and are not normalised: the bytes are the name of the method.
            let listed = |set: &RegexSet| !request.target.contains(&b'?') && set.is_match(&request.target);
            let described =
                |known: &Descriptors| known.method_at(&request.target).is_some_and(|it| it.only_reads);
            let is_post = |method: &[u8]| method == b"POST";
            let only_reads = is_post(&request.method)
                && methods::overrides(request, is_post)
                && (grpc_safe.as_ref().is_some_and(listed) || descriptors.as_ref().is_some_and(described));
            return if only_reads { Kind::Read } else { Kind::GrpcWrite };
        }
        if let Some(paths) = graphql {
            let facts = Facts::new(exchange);
            let (raw, path) = facts.paths();
            match (paths.is_match(raw), paths.is_match(path)) {
                (true, true) if graphql::is_query(&facts) => return Kind::Read,
                (false, false) => {}
                // In one of the two readings it may be served as GraphQL.
                _ if request.method.as_ref() != b"OPTIONS" => return Kind::GraphqlWrite,
                _ => {}
            }
        }
        if methods::is_write(request) {
            Kind::Write
        } else {
            Kind::Read
        }
    }

    fn wanted(&self, exchange: &Exchange) -> Writes {
        let Rules { default, routes, .. } = &*self.rules;
        if routes.is_empty() {
            return *default;
        }
        let facts = Facts::new(exchange);
        let first = routes.iter().find(|(rule, writes)| {
            let sure = match writes {
                Writes::Skip | Writes::RecordOnly => Sure::Possibly,
                Writes::Replay | Writes::DryRun => Sure::Certainly,
            };
            rule.holds(&facts, sure)
        });
        first.map_or(*default, |(_, writes)| *writes)
    }
}

/// Globs of paths from globs of methods, which may be written with and without a slash.
fn with_slash(methods: &[String]) -> Vec<String> {
    methods
        .iter()
        .map(|method| format!("/{}", method.trim_start_matches('/')))
        .collect()
}
