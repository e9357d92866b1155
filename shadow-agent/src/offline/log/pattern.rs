//! A format that the user describes by a regular expression with named groups.

use core::fmt;
use std::sync::Arc;

use regex::bytes::{Captures, Regex, RegexBuilder};
use shadow_proto::exchange::Version;

use super::line::{Line, RequestLine, address, duration, known, number, status, time, unescaped};

/// Limit of the compiled expression in bytes.
const SIZE: usize = 4 << 20;
const GROUPS: [&str; 15] = [
    "time",
    "client",
    "host",
    "request",
    "method",
    "target",
    "status",
    "bytes",
    "duration",
    "duration_ms",
    "duration_us",
    "first_byte",
    "location",
    "referer",
    "user_agent",
];

/// A checked expression.
#[derive(Clone)]
pub(super) struct Pattern(Arc<Regex>);

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Pattern {
    /// Compiles it. It needs a status and a request.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text)
            .unicode(false)
            .size_limit(SIZE)
            .build()
            .map_err(|error| error.to_string())?;
        let names: Vec<&str> = regex.capture_names().flatten().collect();
        if let Some(unknown) = names.iter().find(|name| !GROUPS.contains(name)) {
            return Err(format!(
                "no group is named {unknown:?}; there are {}",
                GROUPS.join(", ")
            ));
        }
        let has = |name: &str| names.contains(&name);
        if !has("status") || !(has("request") || has("method") && has("target")) {
            return Err(
                "it needs the groups (?P<status>...), and (?P<request>...) or (?P<method>...) and \
                        (?P<target>...)"
                    .to_owned(),
            );
        }
        Ok(Self(Arc::new(regex)))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Parses a line; `None` if it does not match.
    pub(super) fn parse(&self, text: &[u8]) -> Option<Line> {
        let found = self.0.captures(text)?;
        let get = |name: &str| known(found.name(name)?.as_bytes());
        let span = |name: &str, unit: f64| duration(get(name)?, Some(unit));
        let mut line = Line {
            client: get("client").and_then(address),
            at: get("time").and_then(time),
            request: request(&found),
            host: get("host").map(unescaped),
            status: get("status").and_then(status),
            bytes: get("bytes").and_then(number),
            first: span("first_byte", 1.0),
            whole: span("duration", 1.0)
                .or_else(|| span("duration_ms", 1e-3))
                .or_else(|| span("duration_us", 1e-6)),
            location: get("location").map(unescaped),
            is_cut: get("status") == Some(b"499"),
            ..Line::default()
        };
        for (field, name) in [("Referer", "referer"), ("User-Agent", "user_agent")] {
            line.field(field, &unescaped(get(name).unwrap_or_default()));
        }
        Some(line)
    }
}

fn request(found: &Captures<'_>) -> Option<RequestLine> {
    let get = |name: &str| Some(unescaped(found.name(name)?.as_bytes()));
    match (get("request"), get("method"), get("target")) {
        (Some(request), ..) => RequestLine::parse(&request),
        (None, Some(method), Some(target)) => RequestLine::new(&method, &target, Version::Http11),
        _ => None,
    }
}
