//! The address of the shadow system.

use std::{
    fmt,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{Uri, uri::Scheme};
use tokio::sync::oneshot;

use super::tls::{Tls, TlsError, TlsSettings};

/// How often a name is resolved again: the resolver of the system does not say how long its answer holds.
const AGAIN: Duration = Duration::from_secs(30);

/// Decides which new addresses may be used, and prepares for them.
type Admit = Arc<dyn Fn(&[SocketAddr]) -> Vec<SocketAddr> + Send + Sync>;

/// The address of the shadow system. Clones share what its name resolves to.
///
/// A replay never waits for a name server: [`Target::follow`] resolves the name again from time to time. New addresses
/// are used only if [`Target::admitting`] permits it, so that a shadow system never becomes a mirrored production
/// endpoint.
#[derive(Clone)]
pub struct Target {
    addresses: Arc<ArcSwap<Vec<SocketAddr>>>,
    authority: String,
    /// Host and port, if the host is a name.
    name: Option<(String, u16)>,
    tls: Option<Tls>,
    admit: Option<Admit>,
}

/// The reason why a shadow URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not a URL.
    #[error("{0:?} is no URL; write for example http://10.0.0.5:9090")]
    Syntax(String),
    /// Another scheme.
    #[error("{0:?}: the shadow system is reached by http or https; write http://host:port")]
    Scheme(String),
    /// A path, query or user name.
    #[error("{0:?}: requests keep their own path; write only http://host:port")]
    Extra(String),
    /// Settings of TLS that cannot be used.
    #[error("{0:?}: {1}")]
    Tls(String, TlsError),
    /// The name does not resolve.
    #[error("cannot resolve {0:?}; check the name, or write the address")]
    Resolve(String, #[source] std::io::Error),
    /// A name without addresses.
    #[error("{0:?} has no address; check the name, or write the address")]
    NoAddress(String),
}

impl Target {
    /// Reads `http://host[:port]` or `https://...`, resolves the name, and reads the files of `tls`. Blocks: call it at
    /// the start only.
    pub fn resolve(url: &str, tls: &TlsSettings) -> Result<Self, TargetError> {
        let syntax = || TargetError::Syntax(url.to_owned());
        let uri: Uri = url.parse().map_err(|_unread: http::uri::InvalidUri| syntax())?;
        let scheme = uri.scheme().ok_or_else(syntax)?;
        let is_tls = *scheme == Scheme::HTTPS;
        if !is_tls && *scheme != Scheme::HTTP {
            return Err(TargetError::Scheme(url.to_owned()));
        }
        let authority = uri.authority().ok_or_else(syntax)?;
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(TargetError::Extra(url.to_owned()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = is_tls.then(|| Tls::new(tls, host)).transpose();
        let tls = tls.map_err(|error| TargetError::Tls(url.to_owned(), error))?;
        let addresses: Vec<_> = (host, port)
            .to_socket_addrs()
            .map_err(|source| TargetError::Resolve(host.to_owned(), source))?
            .collect();
        if addresses.is_empty() {
            return Err(TargetError::NoAddress(host.to_owned()));
        }
        let is_name = host.parse::<IpAddr>().is_err();
        Ok(Self {
            addresses: Arc::new(ArcSwap::from_pointee(addresses)),
            authority: authority.as_str().to_owned(),
            name: is_name.then(|| (host.to_owned(), port)),
            tls,
            admit: None,
        })
    }

    /// A known address.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            addresses: Arc::new(ArcSwap::from_pointee(vec![address])),
            authority: address.to_string(),
            name: None,
            tls: None,
            admit: None,
        }
    }

    /// Sets which of the new addresses may be used. It is called before they are.
    pub fn admitting(&mut self, admit: impl Fn(&[SocketAddr]) -> Vec<SocketAddr> + Send + Sync + 'static) {
        self.admit = Some(Arc::new(admit));
    }

    /// Every address, in the order in which they are tried. Never empty.
    pub fn addresses(&self) -> Arc<Vec<SocketAddr>> {
        self.addresses.load_full()
    }

    /// Whether an address is still one of the shadow system.
    pub(super) fn has(&self, address: SocketAddr) -> bool {
        self.name.is_none() || self.addresses.load().contains(&address)
    }

    /// As in a `Host` field.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Resolves the name again from time to time, and calls `changed` when it has other addresses. Never ends.
    pub(super) async fn follow(&self, changed: impl Fn()) {
        let Some(name) = &self.name else {
            return std::future::pending().await;
        };
        let mut failing = false;
        loop {
            tokio::time::sleep(AGAIN).await;
            match lookup(name.clone()).await {
                Ok(found) if !found.is_empty() => {
                    failing = false;
                    if self.take(found) {
                        changed();
                    }
                }
                other => {
                    let why = other
                        .err()
                        .map_or_else(|| "no address".to_owned(), |error| error.to_string());
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(target = %self, why, "cannot resolve the name again; the known addresses are kept");
                    }
                }
            }
        }
    }

    /// Replaces the addresses by those that are permitted. Returns whether they changed.
    fn take(&self, mut found: Vec<SocketAddr>) -> bool {
        let known = self.addresses();
        if found.iter().all(|address| known.contains(address)) && found.len() == known.len() {
            return false;
        }
        if let Some(admit) = &self.admit {
            let new: Vec<SocketAddr> = found
                .iter()
                .filter(|address| !known.contains(address))
                .copied()
                .collect();
            let admitted = if new.is_empty() { Vec::new() } else { admit(&new) };
            found.retain(|address| known.contains(address) || admitted.contains(address));
        }
        if found.is_empty() {
            return false;
        }
        tracing::info!(target = %self, addresses = ?found, "the name of the shadow system has other addresses");
        self.addresses.store(Arc::new(found));
        true
    }
}

/// Resolves a name on a thread of its own: the system's resolver may take long, and the end of a run does not wait for
/// it.
async fn lookup(name: (String, u16)) -> std::io::Result<Vec<SocketAddr>> {
    let (tell, answered) = oneshot::channel();
    thread::Builder::new()
        .name("shadow-resolve".to_owned())
        .spawn(move || {
            let (host, port) = name;
            let found = (&*host, port).to_socket_addrs().map(Iterator::collect);
            // Nobody waits for it at the end of a run.
            drop(tell.send(found));
        })?;
    answered
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {:?}", self.addresses())
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
            let target = Target::resolve(url, &TlsSettings::default()).unwrap();
            assert_eq!(*target.addresses(), [address.parse().unwrap()], "{url}");
            assert_eq!(target.authority(), authority, "{url}");
        }
    }

    #[test]
    fn what_is_no_plain_http_address_is_refused_with_the_reason() {
        for (url, reason) in [
            ("127.0.0.1:9090", "is no URL"),
            ("ftp://127.0.0.1:9090", "by http or https"),
            ("http://127.0.0.1:9090/v2", "requests keep their own path"),
            ("http://user:secret@127.0.0.1", "requests keep their own path"),
            ("http://", "is no URL"),
        ] {
            let message = Target::resolve(url, &TlsSettings::default())
                .unwrap_err()
                .to_string();
            assert!(message.contains(reason), "{url}: {message}");
        }
    }

    fn ends(ports: &[u16]) -> Vec<SocketAddr> {
        ports
            .iter()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], *port)))
            .collect()
    }

    #[test]
    fn new_addresses_are_used_if_they_are_permitted() {
        let mut target = Target::resolve("http://localhost:1", &TlsSettings::default()).unwrap();
        target.addresses.store(Arc::new(ends(&[1, 2])));
        let shared = target.clone();
        assert!(!target.take(ends(&[2, 1])), "another order is no change");
        target.admitting(|new| {
            assert_eq!(new, ends(&[3, 4]), "only new ones are asked about");
            ends(&[4])
        });
        assert!(target.take(ends(&[1, 3, 4])));
        assert_eq!(*shared.addresses(), ends(&[1, 4]));
        assert!(shared.has(ends(&[4])[0]) && !shared.has(ends(&[2])[0]));
        target.admitting(|_| Vec::new());
        assert!(
            !target.take(ends(&[9])),
            "without any that is permitted the known ones stay"
        );
        assert_eq!(*target.addresses(), ends(&[1, 4]));
        assert!(target.take(ends(&[1])), "one that is gone is not used any more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_resolved_again() {
        let target = Target::resolve("http://localhost:1", &TlsSettings::default()).unwrap();
        let real = target.addresses();
        target.addresses.store(Arc::new(ends(&[7])));
        let (tell, answered) = oneshot::channel();
        let tell = std::cell::Cell::new(Some(tell));
        let changed = || {
            if let Some(tell) = tell.take() {
                tell.send(()).unwrap();
            }
        };
        tokio::select! {
            () = target.follow(changed) => {}
            answered = answered => answered.unwrap(),
        }
        assert_eq!(target.addresses(), real);
    }
}
