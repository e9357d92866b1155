//! Selects the exchanges that are shown. All are counted.

use std::{
    net::{AddrParseError, IpAddr, SocketAddr},
    num::ParseIntError,
    str::FromStr,
};

use globset::GlobMatcher;
use shadow_common::flow::Endpoint;
use shadow_proto::engine::Event;

/// A filter; every criterion that is given must match.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any of these methods; empty for all. Methods are case-sensitive (RFC 9110 section 9.1).
    pub methods: Vec<String>,
    /// Any of these status codes; empty for all.
    pub statuses: Vec<StatusRange>,
    /// The path: the target up to its query.
    pub path: Option<GlobMatcher>,
    /// The connection, by one or both of its ends.
    pub flow: Option<Ends>,
}

/// One end of a connection (`10.0.0.1:40000`), or both (`10.0.0.1:40000-10.0.0.2:80`), in either order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ends {
    one: Endpoint,
    other: Option<Endpoint>,
}

impl Ends {
    /// Whether a connection has these ends.
    pub fn matches(&self, src: Endpoint, dst: Endpoint) -> bool {
        match self.other {
            None => self.one == src || self.one == dst,
            Some(other) => (self.one, other) == (src, dst) || (self.one, other) == (dst, src),
        }
    }
}

impl FromStr for Ends {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = |part: &str| -> Result<Endpoint, String> {
            let socket: SocketAddr = part.trim().parse().map_err(|AddrParseError { .. }| {
                format!("{part:?} is no end of a connection; write for example 10.0.0.1:40000-10.0.0.2:80")
            })?;
            Ok(match socket.ip() {
                IpAddr::V4(address) => Endpoint::v4(address.octets(), socket.port()),
                IpAddr::V6(address) => Endpoint::v6(address.octets(), socket.port()),
            })
        };
        // The table's notation is accepted too.
        let (one, other) = match text.split_once("->").or_else(|| text.split_once('-')) {
            Some((one, other)) => (one, Some(other)),
            None => (text, None),
        };
        Ok(Self {
            one: end(one)?,
            other: other.map(end).transpose()?,
        })
    }
}

/// A status code (`404`) or a class (`5xx`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl FromStr for StatusRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no status code; write for example 404 or 5xx");
        let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
        let number: u16 = class
            .unwrap_or(text)
            .parse()
            .map_err(|ParseIntError { .. }| wrong())?;
        match (class, number) {
            (Some(_), 1..=9) => Ok(Self {
                first: number * 100,
                last: number * 100 + 99,
            }),
            (None, 100..=999) => Ok(Self {
                first: number,
                last: number,
            }),
            _ => Err(wrong()),
        }
    }
}

impl Filter {
    /// Whether to show an event. A response without a request passes only if no method and no path is required.
    pub(super) fn passes(&self, event: &Event) -> bool {
        let (flow, request, status) = match event {
            Event::Exchange(exchange) => (
                exchange.flow,
                Some(&exchange.request),
                exchange.response.as_ref().map(|response| response.status),
            ),
            Event::Orphan(orphan) => (orphan.flow, None, Some(orphan.response.status)),
            Event::Abandoned(..) => return true,
        };
        self.flow
            .is_none_or(|ends| ends.matches(flow.client, flow.server))
            && self.statuses_pass(status)
            && self.methods_pass(request.map(|request| &*request.method))
            && self.path_passes(request.map(|request| &*request.target))
    }

    fn statuses_pass(&self, status: Option<u16>) -> bool {
        let within = |code: u16| {
            self.statuses
                .iter()
                .any(|range| (range.first..=range.last).contains(&code))
        };
        self.statuses.is_empty() || status.is_some_and(within)
    }

    fn methods_pass(&self, method: Option<&[u8]>) -> bool {
        let among = |sent: &[u8]| self.methods.iter().any(|method| method.as_bytes() == sent);
        self.methods.is_empty() || method.is_some_and(among)
    }

    fn path_passes(&self, target: Option<&[u8]>) -> bool {
        let Some(glob) = &self.path else { return true };
        target.is_some_and(|target| {
            let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
            glob.is_match(&*String::from_utf8_lossy(path))
        })
    }
}
