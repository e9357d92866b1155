//! Selection of the exchanges to replay: include, exclude, and a percentage by a stable key.

use std::sync::Arc;

use regex::bytes::RegexSet;

use super::{
    SkipPolicy,
    matcher::{Facts, Match, Matcher, RuleError, Sure, globs},
    share::{Share, Shared},
};
use shadow_proto::exchange::{Exchange, Request};

/// Selection rules, as configured by an operator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Only exchanges that match one of these; empty for all.
    pub include: Vec<Match>,
    /// No exchange that matches one of these, included or not.
    pub exclude: Vec<Match>,
    /// Globs of the User-Agent of health probes.
    pub probes: Vec<String>,
    /// The share that is replayed of the rest.
    pub share: Share,
}

/// A compiled [`Selection`]. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    rules: Option<Arc<Rules>>,
}

#[derive(Debug)]
struct Rules {
    include: Vec<Matcher>,
    exclude: Vec<Matcher>,
    probes: Option<RegexSet>,
    share: Share,
}

impl Selector {
    /// Compiles the rules.
    pub fn new(selection: &Selection) -> Result<Self, RuleError> {
        let Selection {
            include,
            exclude,
            probes,
            share,
        } = selection;
        if include.is_empty() && exclude.is_empty() && probes.is_empty() && share.is_everything() {
            return Ok(Self::default());
        }
        let rules = Rules {
            include: matchers("include", include)?,
            exclude: matchers("exclude", exclude)?,
            probes: globs("select.probes", probes, false)?,
            share: share.clone(),
        };
        Ok(Self {
            rules: Some(Arc::new(rules)),
        })
    }

    /// Whether rules, and not only a percentage, exclude anything.
    pub fn is_selective(&self) -> bool {
        self.rules
            .as_ref()
            .is_some_and(|rules| !rules.include.is_empty() || !rules.exclude.is_empty())
    }

    /// The share of selected exchanges that is replayed.
    pub fn fraction(&self) -> f64 {
        self.rules.as_ref().map_or(1.0, |rules| rules.share.fraction)
    }

    /// Whether a load balancer or an orchestrator asked whether the server is alive.
    pub(super) fn is_probe(&self, request: &Request) -> bool {
        let probes = self.rules.as_ref().and_then(|rules| rules.probes.as_ref());
        probes.is_some_and(|probes| {
            let agents = request.headers.get_all("user-agent");
            agents.into_iter().any(|agent| probes.is_match(agent))
        })
    }

    pub(super) fn refuses(&self, exchange: &Exchange) -> Option<SkipPolicy> {
        let Rules {
            include,
            exclude,
            probes: _,
            share,
        } = self.rules.as_deref()?;
        if include.is_empty() && exclude.is_empty() && share.is_everything() {
            return None;
        }
        let facts = Facts::new(exchange);
        if exclude.iter().any(|rule| rule.holds(&facts, Sure::Possibly)) {
            return Some(SkipPolicy::Excluded);
        }
        if !include.is_empty() && !include.iter().any(|rule| rule.holds(&facts, Sure::Certainly)) {
            return Some(SkipPolicy::NotIncluded);
        }
        if share.is_everything() {
            return None;
        }
        match share.asks(exchange, &facts) {
            Shared::In => None,
            Shared::Out => Some(SkipPolicy::OutOfShare),
            Shared::NoKey => Some(SkipPolicy::NoKey),
        }
    }
}

fn matchers(key: &str, rules: &[Match]) -> Result<Vec<Matcher>, RuleError> {
    rules
        .iter()
        .enumerate()
        .map(|(place, rule)| {
            Matcher::new(rule).map_err(|error| error.within(&format!("select.{key}[{place}]")))
        })
        .collect()
}

/// Whether the connection carries another protocol from here on. An offer of another protocol that was declined has no
/// effect: the request is an ordinary one (RFC 9110 section 7.8).
pub(super) fn changes_protocol(exchange: &Exchange) -> bool {
    let switched = |status| status == 101;
    exchange.request.method.as_ref() == b"CONNECT"
        || exchange
            .response
            .as_ref()
            .is_some_and(|response| switched(response.status))
}
