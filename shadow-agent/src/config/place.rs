//! Addresses: production endpoints (`8080`, `10.0.0.1:8080`, `[::1]:8080`) and the shadow system's URL.

use core::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use crate::capture::targets::Target;

/// Text that is not a usable URL.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{given:?} is no shadow URL: {why}; write for example http://10.0.0.2:9090")]
pub struct UrlError {
    given: String,
    why: &'static str,
}

/// The address of the shadow system.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShadowUrl {
    uri: http::Uri,
    host: String,
    port: u16,
}

impl ShadowUrl {
    /// Host name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port; 80, or 443 of https, when the URL names none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The whole URL.
    pub const fn uri(&self) -> &http::Uri {
        &self.uri
    }
}

/// Whether an address means the node itself to an agent in the node's network, or a service that only nodes may reach:
/// loopback, link-local (where clouds serve credentials), unspecified, multicast and broadcast.
pub fn is_of_the_node(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.octets()[0] == 0
        }
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.is_unicast_link_local() || ip.is_multicast() || ip.is_unspecified()
        }
    }
}

impl FromStr for ShadowUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let wrong = |why| UrlError {
            given: text.to_owned(),
            why,
        };
        if !text.contains("://") {
            return Err(wrong("it has no scheme"));
        }
        let uri: http::Uri = text
            .parse()
            .map_err(|_unread: http::uri::InvalidUri| wrong("it does not follow RFC 3986"))?;
        let usual = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(wrong("the scheme is not http or https")),
        };
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
        // `Authority::port` is `None` both without a port and with one that is not a number below 65536.
        let bare = authority.as_str().len() == authority.host().len();
        let port = authority
            .port()
            .map(|port| port.as_u16())
            .or(bare.then_some(usual));
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
