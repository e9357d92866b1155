//! Selects the hop of a capture that is replayed.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use shadow_common::flow::Endpoint;
use shadow_proto::{exchange::Exchange, wire::Segment};

/// An address, or an address and a port, of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    address: IpAddr,
    port: Option<u16>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self {
                address: socket.ip().to_canonical(),
                port: Some(socket.port()),
            });
        }
        let address: IpAddr = text.trim_matches(['[', ']']).parse().map_err(|_error| {
            format!("{text:?} is no address; write for example 10.0.0.1, 10.0.0.1:8080 or [fd00::1]:8080")
        })?;
        Ok(Self {
            address: address.to_canonical(),
            port: None,
        })
    }
}

/// The selected part of captures; everything if all are empty.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Ports of servers.
    pub ports: Vec<u16>,
    /// Addresses of servers.
    pub targets: Vec<Target>,
    /// The interface on which a frame was captured.
    pub interface: Option<String>,
}

impl Selection {
    /// Whether one end of a segment is a selected server.
    pub(super) fn wants(&self, segment: &Segment<'_>) -> bool {
        self.is(segment.src) || self.is(segment.dst)
    }

    /// Whether its server is selected.
    pub(super) fn wants_exchange(&self, exchange: &Exchange) -> bool {
        self.is(exchange.flow.server)
    }

    fn is(&self, end: Endpoint) -> bool {
        let Self { ports, targets, .. } = self;
        let socket = socket(end);
        let is_target = |target: &Target| {
            target.address == socket.ip() && target.port.is_none_or(|port| port == socket.port())
        };
        (ports.is_empty() || ports.contains(&end.port))
            && (targets.is_empty() || targets.iter().any(is_target))
    }
}

/// An end of a connection; IPv4 addresses are not in mapped form.
pub(super) fn socket(end: Endpoint) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(end.addr)).to_canonical(), end.port)
}
