//! The formats of access logs, by name and by the first lines of a file.

use core::{fmt, str::FromStr};

use super::{combined, json, line::Line, pattern::Pattern, proxies};

/// Lines of the beginning that are tried.
const TRIED: usize = 64;

/// The format of an access log.
#[derive(Clone, Debug)]
pub enum LogFormat {
    /// nginx's and Apache's, with or without referer, user agent and virtual host.
    Combined,
    /// One object a line, with usual names.
    Json,
    /// Caddy's objects.
    Caddy,
    /// Envoy's default format in text or JSON, also Istio's.
    Envoy,
    /// Traefik's, in text or JSON.
    Traefik,
    /// AWS's application load balancer.
    Alb,
    /// HAProxy's `option httplog`.
    Haproxy,
    /// Described by the user.
    Regex(RegexFormat),
}

/// A regular expression with named groups.
#[derive(Clone, Debug)]
pub struct RegexFormat(Pattern);

/// The formats with a name. The more special ones are first: they win where a more general one fits as well.
const NAMED: [(&str, LogFormat); 7] = [
    ("caddy", LogFormat::Caddy),
    ("traefik", LogFormat::Traefik),
    ("envoy", LogFormat::Envoy),
    ("alb", LogFormat::Alb),
    ("haproxy", LogFormat::Haproxy),
    ("json", LogFormat::Json),
    ("combined", LogFormat::Combined),
];

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(pattern) = text.strip_prefix("regex:") {
            return Pattern::new(pattern).map(|pattern| Self::Regex(RegexFormat(pattern)));
        }
        let text = if text == "common" { "combined" } else { text };
        let found = NAMED.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, format)| format).ok_or_else(|| {
            let names = NAMED.map(|(name, _)| name).join(", ");
            format!("{text:?} is no format of an access log; there are {names} and regex:EXPRESSION")
        })
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Regex(RegexFormat(pattern)) = self {
            return write!(f, "regex:{}", pattern.as_str());
        }
        let is_same = |other: &Self| core::mem::discriminant(self) == core::mem::discriminant(other);
        let name = NAMED.iter().find(|(_, format)| is_same(format));
        f.write_str(name.map_or("regex", |(name, _)| name))
    }
}

impl LogFormat {
    /// Detects the format by the first lines, of which the last may be cut off: the one in which most can be read, and
    /// at least half.
    pub(in crate::offline) fn detect(start: &[u8]) -> Option<Self> {
        let start = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
        let end = memchr::memrchr(b'\n', start).map_or(start.len(), |end| end + 1);
        let lines: Vec<&[u8]> = start
            .get(..end)?
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .take(TRIED)
            .collect();
        let mut best = None;
        let mut most = 0;
        for (_, format) in NAMED {
            let read = lines.iter().filter(|line| format.parse(line).is_some()).count();
            if read > most && 2 * read >= lines.len() {
                (best, most) = (Some(format), read);
            }
        }
        best
    }

    /// Parses a line; `None` if it is not in this format.
    pub(super) fn parse(&self, line: &[u8]) -> Option<Line> {
        let is_json = line.starts_with(b"{");
        match self {
            Self::Combined => combined::parse(line),
            Self::Json => json::parse(line, &json::OTHERS),
            Self::Caddy => json::parse(line, &json::CADDY),
            Self::Envoy if is_json => json::parse(line, &json::ENVOY),
            Self::Envoy => proxies::envoy(line),
            Self::Traefik if is_json => json::parse(line, &json::TRAEFIK),
            Self::Traefik => combined::traefik(line),
            Self::Alb => proxies::alb(line),
            Self::Haproxy => proxies::haproxy(line),
            Self::Regex(RegexFormat(pattern)) => pattern.parse(line),
        }
    }

    /// Whether the bytes that a server writes may include the framing of chunks, as those of nginx do.
    pub(super) fn counts_chunks(&self) -> bool {
        matches!(self, Self::Combined | Self::Json | Self::Regex(_))
    }

    /// Whether the bytes that a server writes include the head, so that they say nothing about the content alone.
    pub(super) fn counts_heads(&self) -> bool {
        matches!(self, Self::Alb | Self::Haproxy)
    }
}
