//! Host, path and query of the request to send.

use core::{fmt, str::FromStr};
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::gate::{RuleError, without_port};
use shadow_proto::request_target;

/// Handling of the Host field.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum HostPolicy {
    /// Unchanged: the shadow system sees the same name as production.
    #[default]
    Preserve,
    /// The authority of the shadow system.
    Shadow,
    /// The given value.
    Set(String),
    /// The client's name with this suffix, followed by its port. IP addresses are unchanged.
    Append(String),
}

/// Rules for the path.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PathRules {
    /// Prefix to remove, if it consists of whole segments.
    pub strip: Option<String>,
    /// Prefix to add to the rest.
    pub add: Option<String>,
}

/// Rules for the query.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueryRules {
    /// Parameters that get one value, at the end, replacing existing ones.
    pub set: BTreeMap<String, String>,
    /// Parameters that are removed.
    pub remove: Vec<String>,
}

impl FromStr for HostPolicy {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let wrong = |what: &str| RuleError::new("host", format!("{text:?} {what}"));
        let (kind, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let rest = rest.trim();
        let named = || {
            let host = rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
            if rest.is_empty() || !host {
                return Err(wrong("does not name a host"));
            }
            Ok(rest.to_owned())
        };
        match kind {
            "preserve" if rest.is_empty() => Ok(Self::Preserve),
            "shadow" if rest.is_empty() => Ok(Self::Shadow),
            "set" => named().map(Self::Set),
            "append" if rest.contains([':', '[', ']']) => Err(wrong("does not name a suffix")),
            "append" => named().map(Self::Append),
            _ => Err(wrong("is not one of: preserve, shadow, set NAME, append SUFFIX")),
        }
    }
}

impl fmt::Display for HostPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preserve => f.write_str("preserve"),
            Self::Shadow => f.write_str("shadow"),
            Self::Set(host) => write!(f, "set {host}"),
            Self::Append(suffix) => write!(f, "append {suffix}"),
        }
    }
}

impl HostPolicy {
    /// The Host value to send in place of the client's.
    pub(super) fn host(&self, captured: Bytes, authority: &Bytes) -> Bytes {
        match self {
            Self::Preserve => captured,
            Self::Shadow => authority.clone(),
            Self::Set(host) => Bytes::copy_from_slice(host.as_bytes()),
            Self::Append(suffix) => {
                let name = without_port(&captured);
                let port = captured.get(name.len()..).unwrap_or_default();
                let port = port.strip_prefix(b".").unwrap_or(port);
                let address = core::str::from_utf8(name)
                    .is_ok_and(|name| name.starts_with('[') || name.parse::<core::net::Ipv4Addr>().is_ok());
                if name.is_empty() || address {
                    return captured;
                }
                [name, suffix.as_bytes(), port].concat().into()
            }
        }
    }
}

/// Compiled rules for the target.
#[derive(Clone, Debug, Default)]
pub(super) struct Router {
    strip: Vec<u8>,
    add: Vec<u8>,
    dropped: Vec<String>,
    appended: Vec<u8>,
}

impl Router {
    pub(super) fn new(path: &PathRules, query: &QueryRules) -> Result<Self, RuleError> {
        let PathRules { strip, add } = path;
        let QueryRules { set, remove } = query;
        let mut appended = Vec::new();
        for (name, value) in set {
            if !appended.is_empty() {
                appended.push(b'&');
            }
            appended.extend_from_slice(request_target::encoded(name).as_bytes());
            appended.push(b'=');
            appended.extend_from_slice(request_target::encoded(value).as_bytes());
        }
        Ok(Self {
            strip: prefix("path.strip", strip.as_deref())?,
            add: prefix("path.add", add.as_deref())?,
            dropped: set.keys().chain(remove).cloned().collect(),
            appended,
        })
    }

    /// The target to send. Only origin form has a path to change.
    pub(super) fn route(&self, target: Bytes) -> Bytes {
        let Self {
            strip,
            add,
            dropped,
            appended,
        } = self;
        let same = strip.is_empty() && add.is_empty() && dropped.is_empty();
        if same || target.first() != Some(&b'/') {
            return target;
        }
        let (path, query) = request_target::split(&target);
        let bare = match path.strip_prefix(strip.as_slice()) {
            Some(rest) if rest.is_empty() || rest.first() == Some(&b'/') => rest,
            _ => path,
        };
        let mut made = add.clone();
        made.extend_from_slice(bare);
        if made.is_empty() {
            made.push(b'/');
        }
        if let Some(query) = query.filter(|_| dropped.is_empty()) {
            made.push(b'?');
            made.extend_from_slice(query);
        } else {
            self.query(query.unwrap_or_default(), &mut made);
        }
        debug_assert!(
            !appended.is_empty() || made.last() != Some(&b'&'),
            "a percent sign is followed by two digits"
        );
        made.into()
    }

    fn query(&self, query: &[u8], made: &mut Vec<u8>) {
        let kept = query.split(|byte| *byte == b'&').filter(|pair| {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            let name = request_target::form_decoded(name);
            !pair.is_empty()
                && !self
                    .dropped
                    .iter()
                    .any(|dropped| dropped.as_bytes() == name.as_ref())
        });
        let appended = Some(self.appended.as_slice()).filter(|pairs| !pairs.is_empty());
        for (place, pair) in kept.chain(appended).enumerate() {
            made.push(if place == 0 { b'?' } else { b'&' });
            made.extend_from_slice(pair);
        }
    }
}

fn prefix(key: &str, text: Option<&str>) -> Result<Vec<u8>, RuleError> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let path = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte));
    if !text.starts_with('/') || text.ends_with('/') || !path {
        return Err(RuleError::new(
            format!("rewrite.{key}"),
            format!(
                "{text:?} is no path prefix; write for example /v2, with a slash before it and none after it"
            ),
        ));
    }
    Ok(text.as_bytes().to_vec())
}
