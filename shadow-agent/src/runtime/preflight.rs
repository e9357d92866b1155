//! Checks that need the host: privileges, names, and that the shadow is not production.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use socket2::{Domain, Socket, Type};

use crate::{
    capture::{load, targets::Target as Production},
    config::{
        Agent, Config,
        place::{ShadowUrl, is_of_the_node},
    },
    control::peer,
    replay::{Target, TargetError, TlsSettings},
    runtime::{Cause, RuntimeError},
};

/// Refuses early, before anything is created, if loading the kernel program would be refused later.
pub(super) fn privileges() -> Result<(), RuntimeError> {
    let missing = load::missing_capabilities();
    if missing.is_empty() {
        return Ok(());
    }
    Err(RuntimeError::new(
        Cause::NoPermission,
        format!(
            "loading the kernel program needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (missing: {}); \
             run this with sudo",
            missing.join(", ")
        ),
    ))
}

/// Resolves the shadow system, and refuses one that is mirrored itself, or that is the node while a tenant names it.
pub(super) fn shadow(
    url: &ShadowUrl,
    tls: &TlsSettings,
    production: &[Production],
    by_tenant: bool,
) -> Result<Target, RuntimeError> {
    let target = Target::resolve(&url.to_string(), tls).map_err(|error| {
        let exit = match error {
            TargetError::Resolve(..) | TargetError::NoAddress(_) => Cause::Unavailable,
            TargetError::Syntax(_)
            | TargetError::Scheme(_)
            | TargetError::Extra(_)
            | TargetError::Tls(..) => Cause::Config,
        };
        let source =
            std::error::Error::source(&error).map_or_else(String::new, |source| format!(" ({source})"));
        RuntimeError::new(exit, format!("{error}{source}"))
    })?;
    for address in target.addresses().iter() {
        if let Some(why) = forbidden(*address, production, by_tenant) {
            return Err(RuntimeError::new(
                Cause::Config,
                format!("the shadow system {url} ({address}) {why}"),
            ));
        }
    }
    Ok(target)
}

/// Why nothing may be replayed to a shadow system at this address: it is mirrored itself, or it is the node while a
/// tenant names it.
pub(super) fn forbidden(address: SocketAddr, production: &[Production], by_tenant: bool) -> Option<String> {
    if by_tenant && is_of_the_node(address.ip()) {
        return Some("is the node itself, where no test may send".to_owned());
    }
    mirrored(address, production, is_own).map(|mirrored| {
        format!(
            "is itself the production endpoint {mirrored}: every replay would be answered by production and mirrored \
             again; give the address of the new system"
        )
    })
}

/// The production endpoint that a shadow address is, if any. A target that is only a port means the servers of this
/// host, so a remote shadow system may have the same port.
fn mirrored(shadow: SocketAddr, production: &[Production], is_own: fn(IpAddr) -> bool) -> Option<Production> {
    // Connecting to the unspecified address reaches this host.
    let ip = match shadow.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let shadow = SocketAddr::new(ip, shadow.port());
    production
        .iter()
        .copied()
        .find(|target| target.covers(shadow) && (target.addr.is_some() || is_own(ip)))
}

/// The group that may use the control socket.
pub(super) fn group(agent: &Agent) -> Result<Option<u32>, RuntimeError> {
    named_group("agent.group", agent.group.as_deref())
}

/// The group that may use the guard's socket, which understands nothing but a kill: that of the control socket, or that
/// of discovery, which passes on the kill switch of the cluster.
pub(super) fn guard_group(config: &Config) -> Result<Option<u32>, RuntimeError> {
    let pods = config.capture.kubernetes.as_ref();
    match group(&config.agent)? {
        None => named_group(
            "capture.kubernetes.group",
            pods.and_then(|pods| pods.group.as_deref()),
        ),
        group => Ok(group),
    }
}

/// The number of a group that is given under this key.
pub(super) fn named_group(key: &str, given: Option<&str>) -> Result<Option<u32>, RuntimeError> {
    let Some(given) = given else {
        return Ok(None);
    };
    peer::group(given).map(Some).ok_or_else(|| {
        RuntimeError::new(
            Cause::Config,
            format!("{key}: this host has no group {given:?}; create it with groupadd, or give its number"),
        )
    })
}

/// Whether an address is this host's. The kernel answers from its routing table: a socket to one of its own
/// addresses has that address on both ends. Nothing is sent.
fn is_own(ip: IpAddr) -> bool {
    if ip.is_loopback() {
        return true;
    }
    // Any port: UDP "connects" without a packet. Not bound first, which a confined agent may not.
    let end = SocketAddr::new(ip, 9);
    Socket::new(Domain::for_address(end), Type::DGRAM, None)
        .and_then(|socket| {
            socket.connect(&end.into())?;
            socket.local_addr()
        })
        .is_ok_and(|local| local.as_socket().is_some_and(|local| local.ip() == ip))
}

/// Listens for requests for metrics.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, RuntimeError> {
    TcpListener::bind(address).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => "another program listens there, choose another port with --metrics",
            io::ErrorKind::AddrNotAvailable => "this host has no such address, `ip -br address` lists them",
            _ => "choose another with --metrics",
        };
        RuntimeError::new(
            Cause::CannotCreate,
            format!("cannot serve metrics on {address}: {error}; {remedy}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(shadow: &str, production: &[&str]) -> Option<String> {
        let production: Vec<Production> = production
            .iter()
            .map(|text| text.parse().expect("target"))
            .collect();
        let own = |ip: IpAddr| ip.is_loopback() || ip == IpAddr::from([10, 0, 0, 1]);
        mirrored(shadow.parse().expect("address"), &production, own).map(|target| target.to_string())
    }

    #[test]
    fn a_shadow_that_is_production_is_found() {
        for (shadow, production, found) in [
            ("127.0.0.1:8080", &["8080"][..], Some("8080")),
            ("127.0.0.1:9090", &["8080"], None),
            ("[::1]:8080", &["81", "8080"], Some("8080")),
            ("0.0.0.0:8080", &["8080"], Some("8080")),
            ("10.0.0.1:8080", &["8080"], Some("8080")),
            // The rewrite on another host may listen on the same port.
            ("10.0.0.2:8080", &["8080"], None),
            ("10.0.0.2:8080", &["10.0.0.2:8080"], Some("10.0.0.2:8080")),
            (
                "[::ffff:10.0.0.2]:8080",
                &["10.0.0.2:8080"],
                Some("10.0.0.2:8080"),
            ),
            ("0.0.0.0:8080", &["127.0.0.1:8080"], Some("127.0.0.1:8080")),
            ("10.0.0.3:8080", &["10.0.0.2:8080"], None),
        ] {
            assert_eq!(
                refused(shadow, production).as_deref(),
                found,
                "{shadow} with {production:?}"
            );
        }
    }

    #[test]
    fn names_are_resolved_before_they_are_compared() {
        let url: ShadowUrl = "http://localhost:8080".parse().expect("URL");
        let production = ["8080".parse().expect("target")];
        let failure =
            shadow(&url, &TlsSettings::default(), &production, false).expect_err("localhost is this host");
        assert_eq!(failure.cause, Cause::Config);
        assert!(
            failure
                .what
                .contains("every replay would be answered by production"),
            "{failure}"
        );
        let other: ShadowUrl = "http://localhost:8081".parse().expect("URL");
        shadow(&other, &TlsSettings::default(), &production, false).expect("another port");
        let failure = shadow(&other, &TlsSettings::default(), &production, true).expect_err("it is the node");
        assert!(failure.what.contains("the node itself"), "{failure}");
    }

    #[test]
    fn a_name_without_an_address_is_unavailable() {
        // RFC 6761: never resolves.
        let url: ShadowUrl = "http://shadow.invalid:8080".parse().expect("URL");
        let failure = shadow(&url, &TlsSettings::default(), &[], false).expect_err("no such name");
        assert_eq!(failure.cause, Cause::Unavailable);
        assert!(failure.what.contains("shadow.invalid"), "{failure}");
    }

    #[test]
    fn this_host_knows_its_addresses() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        assert!(is_own(Ipv6Addr::LOCALHOST.into()));
        // TEST-NET-1 (RFC 5737).
        assert!(!is_own(Ipv4Addr::new(192, 0, 2, 1).into()));
    }
}
