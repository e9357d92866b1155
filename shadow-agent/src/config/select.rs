//! `select`: the exchanges that are replayed to a target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::gate::{Absent, Key, Match, Selection, Share};

use super::text::{Named, OneOrMore, Words};
use shadow_proto::units::{Rate, Size};

/// The exchanges that are replayed.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Select {
    /// Only exchanges that match one of these rules; empty means all.
    pub include: Vec<Rule>,
    /// No exchange that matches one of these rules.
    pub exclude: Vec<Rule>,
    /// Globs of the User-Agent of health probes.
    pub probes: OneOrMore,
    /// The share of the remaining exchanges.
    pub percent: Rate,
    /// The key by which the share is taken.
    pub key: Words<Key>,
    /// The treatment of an exchange without that key.
    pub absent: WithoutKey,
}

/// A rule. Every key that is given must match; of a list, one entry.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Methods.
    pub method: OneOrMore,
    /// Globs of the path.
    pub path: OneOrMore,
    /// Regular expressions found in the path.
    pub path_regex: OneOrMore,
    /// Globs of the host without port.
    pub host: OneOrMore,
    /// Globs of the values of request fields.
    pub header: Named,
    /// Globs of the values of query parameters.
    pub query: Named,
    /// Globs of the request's media type.
    pub content_type: OneOrMore,
    /// The least size of the request's content.
    pub body_min: Option<Size>,
    /// The largest size of the request's content.
    pub body_max: Option<Size>,
    /// The status of production's answer.
    pub status: OneOrMore,
}

/// The treatment of an exchange without the key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutKey {
    /// It is not replayed.
    #[default]
    Skip,
    /// The connection decides.
    Flow,
}

/// Health probes of Kubernetes, of Google's and of Amazon's load balancers.
const PROBES: [&str; 3] = ["kube-probe/*", "GoogleHC/*", "ELB-HealthChecker/*"];

impl Default for Select {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            probes: OneOrMore(PROBES.map(str::to_owned).to_vec()),
            percent: Rate::FULL,
            key: Words(Key::Flow),
            absent: WithoutKey::Skip,
        }
    }
}

impl From<&Rule> for Match {
    fn from(rule: &Rule) -> Self {
        // Destructured, so that a key without effect fails to compile.
        let Rule {
            method,
            path,
            path_regex,
            host,
            header,
            query,
            content_type,
            body_min,
            body_max,
            status,
        } = rule.clone();
        Self {
            method: method.0,
            path: path.0,
            path_regex: path_regex.0,
            host: host.0,
            header: header.0,
            query: query.0,
            content_type: content_type.0,
            body_min: body_min.map(Size::as_u64),
            body_max: body_max.map(Size::as_u64),
            status: status.0,
        }
    }
}

impl From<&Select> for Selection {
    fn from(select: &Select) -> Self {
        let Select {
            include,
            exclude,
            probes,
            percent,
            key,
            absent,
        } = select;
        Self {
            include: include.iter().map(Match::from).collect(),
            exclude: exclude.iter().map(Match::from).collect(),
            probes: probes.0.clone(),
            share: Share {
                fraction: percent.fraction(),
                key: key.0.clone(),
                absent: match absent {
                    WithoutKey::Skip => Absent::Skip,
                    WithoutKey::Flow => Absent::Flow,
                },
            },
        }
    }
}
