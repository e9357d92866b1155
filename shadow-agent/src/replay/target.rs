//! The address of the shadow system.

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs as _},
};

use http::{Uri, uri::Scheme};

/// The address of the shadow system, resolved once at the start.
///
/// Names are not resolved again: the check that a shadow address is no mirrored production endpoint holds for the
/// addresses that were checked, and a replay must never wait for a name server.
#[derive(Clone, Eq, PartialEq)]
pub struct Target {
    addresses: Vec<SocketAddr>,
    authority: String,
}

/// The reason why a shadow URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not a URL.
    #[error("{0:?} is no URL; write for example http://10.0.0.5:9090")]
    Syntax(String),
    /// HTTPS, or another scheme.
    #[error("{0:?}: the shadow system is reached over plain HTTP only; write http://host:port")]
    Scheme(String),
    /// A path, query or user name.
    #[error("{0:?}: requests keep their own path; write only http://host:port")]
    Extra(String),
    /// The name does not resolve.
    #[error("cannot resolve {0:?}; check the name, or write the address")]
    Resolve(String, #[source] std::io::Error),
    /// A name without addresses.
    #[error("{0:?} has no address; check the name, or write the address")]
    NoAddress(String),
}

impl Target {
    /// Reads `http://host[:port]` and resolves the name. Blocks: call it at the start only.
    pub fn resolve(url: &str) -> Result<Self, TargetError> {
        let syntax = || TargetError::Syntax(url.to_owned());
        let uri: Uri = url.parse().map_err(|_unread: http::uri::InvalidUri| syntax())?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(match uri.scheme() {
                Some(_) => TargetError::Scheme(url.to_owned()),
                None => syntax(),
            });
        }
        let authority = uri.authority().ok_or_else(syntax)?;
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(TargetError::Extra(url.to_owned()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<_> = (host, authority.port_u16().unwrap_or(80))
            .to_socket_addrs()
            .map_err(|source| TargetError::Resolve(host.to_owned(), source))?
            .collect();
        if addresses.is_empty() {
            return Err(TargetError::NoAddress(host.to_owned()));
        }
        Ok(Self {
            addresses,
            authority: authority.as_str().to_owned(),
        })
    }

    /// A known address.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            addresses: vec![address],
            authority: address.to_string(),
        }
    }

    /// Every address, in the order in which they are tried. Never empty.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// As in a `Host` field.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {:?}", self.addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_a_port_are_read() {
        for (url, address, authority) in [
            ("http://127.0.0.1:9090", "127.0.0.1:9090", "127.0.0.1:9090"),
            ("http://127.0.0.1:9090/", "127.0.0.1:9090", "127.0.0.1:9090"),
            ("http://[::1]:9090", "[::1]:9090", "[::1]:9090"),
            ("http://10.1.2.3", "10.1.2.3:80", "10.1.2.3"),
        ] {
            let target = Target::resolve(url).unwrap();
            assert_eq!(target.addresses(), [address.parse().unwrap()], "{url}");
            assert_eq!(target.authority(), authority, "{url}");
        }
    }

    #[test]
    fn what_is_no_plain_http_address_is_refused_with_the_reason() {
        for (url, reason) in [
            ("127.0.0.1:9090", "is no URL"),
            ("https://127.0.0.1:9090", "plain HTTP only"),
            ("http://127.0.0.1:9090/v2", "requests keep their own path"),
            ("http://user:secret@127.0.0.1", "requests keep their own path"),
            ("http://", "is no URL"),
        ] {
            let message = Target::resolve(url).unwrap_err().to_string();
            assert!(message.contains(reason), "{url}: {message}");
        }
    }
}
