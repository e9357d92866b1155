//! Which exchanges are meant to be replayed at all: include, exclude, and a percentage by a stable key.

use std::sync::Arc;

use super::{
    SkipPolicy,
    matcher::{Facts, Match, Matcher, RuleError, Sure},
    share::{Share, Shared},
};
use shadow_proto::exchange::Exchange;

/// Which exchanges are replayed, as an operator writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Only what one of these is about; empty is everything.
    pub include: Vec<Match>,
    /// Nothing that one of these is about, included or not.
    pub exclude: Vec<Match>,
    /// Of the rest, this share.
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
    share: Share,
}

impl Selector {
    /// Compiles the rules.
    pub fn new(selection: &Selection) -> Result<Self, RuleError> {
        let Selection {
            include,
            exclude,
            share,
        } = selection;
        if include.is_empty() && exclude.is_empty() && share.is_everything() {
            return Ok(Self::default());
        }
        let rules = Rules {
            include: matchers("include", include)?,
            exclude: matchers("exclude", exclude)?,
            share: share.clone(),
        };
        Ok(Self {
            rules: Some(Arc::new(rules)),
        })
    }

    /// Whether rules, and not only a percentage, hold something back.
    pub fn is_selective(&self) -> bool {
        self.rules
            .as_ref()
            .is_some_and(|rules| !rules.include.is_empty() || !rules.exclude.is_empty())
    }

    /// The share of the selected exchanges that is replayed.
    pub fn fraction(&self) -> f64 {
        self.rules.as_ref().map_or(1.0, |rules| rules.share.fraction)
    }

    pub(super) fn refuses(&self, exchange: &Exchange) -> Option<SkipPolicy> {
        let Rules {
            include,
            exclude,
            share,
        } = self.rules.as_deref()?;
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

/// Whether the connection carries something else from here on, or was asked to.
///
/// A request to upgrade that was declined could be sent without the offer (RFC 9110 section 7.8 makes Upgrade
/// hop-by-hop), but many servers answer it differently then (426, 400): a false difference.
pub(super) fn changes_protocol(exchange: &Exchange) -> bool {
    exchange.request.method.as_ref() == b"CONNECT"
        || exchange.request.headers.get("upgrade").is_some()
        || exchange
            .response
            .as_ref()
            .is_some_and(|response| response.status == 101)
}
