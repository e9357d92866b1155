//! Where things are: production endpoints (`8080`, `10.0.0.1:8080`, `[::1]:8080`) and the shadow system's URL.

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A server endpoint whose traffic is mirrored.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Target {
    /// Its address; any when `None`.
    pub addr: Option<IpAddr>,
    /// Its TCP port.
    pub port: u16,
}

/// Text that names no endpoint or no usable URL.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlaceError {
    /// No target.
    #[error("{0:?} is no target; write a port (8080) or ADDR:PORT (10.0.0.1:8080, [::1]:8080)")]
    Target(String),
    /// No URL of a shadow system.
    #[error("{given:?} is no shadow URL: {why}; write for example http://10.0.0.2:9090")]
    Url {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// The address of the shadow system.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShadowUrl {
    uri: http::Uri,
    host: String,
    port: u16,
}

impl Target {
    /// Whether traffic to `endpoint` is mirrored, comparing IPv4-mapped addresses as IPv4.
    pub fn covers(&self, endpoint: SocketAddr) -> bool {
        self.port == endpoint.port()
            && self
                .addr
                .is_none_or(|addr| addr.to_canonical() == endpoint.ip().to_canonical())
    }
}

impl FromStr for Target {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let text = text.trim();
        let target = text.parse::<u16>().map_or_else(
            |_: core::num::ParseIntError| {
                text.parse::<SocketAddr>().ok().map(|endpoint| Self {
                    addr: Some(endpoint.ip().to_canonical()),
                    port: endpoint.port(),
                })
            },
            |port| Some(Self { addr: None, port }),
        );
        target
            .filter(|target| target.port != 0 && target.addr.is_none_or(|addr| !addr.is_unspecified()))
            .ok_or_else(|| PlaceError::Target(text.to_owned()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            Some(addr) => SocketAddr::new(addr, self.port).fmt(f),
            None => self.port.fmt(f),
        }
    }
}

impl ShadowUrl {
    /// Host name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, 80 when the URL names none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The whole URL.
    pub const fn uri(&self) -> &http::Uri {
        &self.uri
    }
}

impl FromStr for ShadowUrl {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = |why| PlaceError::Url {
            given: text.to_owned(),
            why,
        };
        if !text.contains("://") {
            return Err(wrong("it has no scheme"));
        }
        let uri: http::Uri = text
            .parse()
            .map_err(|_unread: http::uri::InvalidUri| wrong("it does not follow RFC 3986"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("https is not supported, the replay speaks plain HTTP/1.1")),
            _ => return Err(wrong("the scheme is not http")),
        }
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("user and password do not belong in it"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(wrong("requests keep their own path, so it cannot have one"));
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        // `Authority::port` is `None` both without a port and with one that is no number below 65536.
        let bare = authority.as_str().len() == authority.host().len();
        let port = authority.port().map(|port| port.as_u16()).or(bare.then_some(80));
        let port = port
            .filter(|port| *port != 0)
            .ok_or_else(|| wrong("the port is not 1 to 65535"))?;
        Ok(Self { uri, host, port })
    }
}

impl fmt::Display for ShadowUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri.to_string().trim_end_matches('/'))
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for ShadowUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

struct TargetVisitor;

impl de::Visitor<'_> for TargetVisitor {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port or ADDR:PORT")
    }

    fn visit_u64<E: de::Error>(self, port: u64) -> Result<Target, E> {
        self.visit_str(&port.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Target, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TargetVisitor)
    }
}

struct UrlVisitor;

impl de::Visitor<'_> for UrlVisitor {
    type Value = ShadowUrl;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL such as http://10.0.0.2:9090")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ShadowUrl, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for ShadowUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(UrlVisitor)
    }
}
