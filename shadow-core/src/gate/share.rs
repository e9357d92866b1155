//! Percentage of exchanges by a stable key: a user's whole session is either in or out, on every node.
//!
//! Owns: the key, and its hash. The hash depends on nothing specific to a process, so every node decides alike, also
//! after a restart, and a raised percentage keeps the sessions chosen by the lower one. It is not the hash by which the
//! kernel samples connections, which would select the same connections again. An exchange without the key belongs to no
//! session: [`Absent`] decides on it.

use core::{fmt, str::FromStr};

use shadow_common::{flow::Endpoint, sample};

use super::matcher::{Facts, RuleError};
use shadow_proto::exchange::{Exchange, Flow};

/// Separates this hash from all other uses of BLAKE3.
const DOMAIN: &[u8] = b"shadow: a share of exchanges by a stable key";

/// The share of selected exchanges that is replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// From 0 to 1.
    pub fraction: f64,
    /// The key that decides.
    pub key: Key,
    /// The treatment of exchanges without that key.
    pub absent: Absent,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            fraction: 1.0,
            key: Key::Flow,
            absent: Absent::Skip,
        }
    }
}

/// Key by which a percentage is taken.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Key {
    /// The connection.
    #[default]
    Flow,
    /// The value of a request field.
    Header(String),
    /// The value of a cookie.
    Cookie(String),
    /// The value of a query parameter.
    Query(String),
    /// A segment of the path, from 1.
    Path(usize),
}

/// Treatment of an exchange without the key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Absent {
    /// It is not replayed.
    #[default]
    Skip,
    /// The connection decides.
    Flow,
}

/// The decision of a share on an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shared {
    In,
    Out,
    NoKey,
}

impl FromStr for Key {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let wrong = || {
            RuleError::new(
                "key",
                format!(
                    "{text:?} is no key; write flow, header NAME, cookie NAME, query NAME or path N (its Nth segment)"
                ),
            )
        };
        let (kind, name) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let name = name.trim();
        let one_word = || {
            let token = !name.is_empty() && !name.contains(char::is_whitespace);
            token.then(|| name.to_owned()).ok_or_else(wrong)
        };
        match kind {
            "flow" if name.is_empty() => Ok(Self::Flow),
            "header" => one_word().map(Self::Header),
            "cookie" => one_word().map(Self::Cookie),
            "query" => one_word().map(Self::Query),
            "path" => name
                .parse()
                .ok()
                .filter(|place| *place > 0)
                .map(Self::Path)
                .ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flow => f.write_str("flow"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Path(place) => write!(f, "path {place}"),
        }
    }
}

impl Share {
    pub(super) fn is_everything(&self) -> bool {
        self.fraction >= 1.0
    }

    pub(super) fn asks(&self, exchange: &Exchange, facts: &Facts<'_>) -> Shared {
        let hash = match self.key.hash(exchange, facts) {
            Some(hash) => hash,
            None if self.absent == Absent::Flow => flow(&exchange.flow),
            None => return Shared::NoKey,
        };
        if sample::selects(sample::threshold(self.fraction), hash) {
            Shared::In
        } else {
            Shared::Out
        }
    }
}

impl Key {
    fn hash(&self, exchange: &Exchange, facts: &Facts<'_>) -> Option<u32> {
        let request = facts.request();
        let value = match self {
            Self::Flow => return Some(flow(&exchange.flow)),
            Self::Header(name) => request.headers.get(name),
            Self::Cookie(name) => cookie(request.headers.get_all("cookie"), name.as_bytes()),
            Self::Query(name) => facts.parameters(name.as_bytes()).next(),
            Self::Path(place) => facts.path().split(|byte| *byte == b'/').nth(*place),
        };
        // An empty value identifies no one.
        let value = value.map(<[u8]>::trim_ascii).filter(|value| !value.is_empty())?;
        Some(hash(&[self.to_string().as_bytes(), value]))
    }
}

fn flow(Flow { client, server }: &Flow) -> u32 {
    let Endpoint { addr, port } = client;
    let (client_port, server_port) = (port.to_be_bytes(), server.port.to_be_bytes());
    hash(&[b"flow", addr, &client_port, &server.addr, &server_port])
}

fn hash(parts: &[&[u8]]) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(DOMAIN);
    for part in parts {
        // A zero byte after each part, so that different lists never have the same bytes.
        hasher.update(part).update(&[0]);
    }
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// The first cookie of this name (RFC 6265 section 5.4; names are case-sensitive).
pub(crate) fn cookie<'h>(mut fields: impl Iterator<Item = &'h [u8]>, name: &[u8]) -> Option<&'h [u8]> {
    fields.find_map(|field| {
        field.split(|byte| *byte == b';').find_map(|pair| {
            let pair = pair.trim_ascii();
            let rest = pair.strip_prefix(name)?;
            rest.strip_prefix(b"=")
        })
    })
}
