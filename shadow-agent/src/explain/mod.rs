//! One flow, live, for `shadow explain`: the fate of each packet, and what the engine and the gates make of it.
//!
//! Owns: the account of what was seen (`story`), its lines (`line`), and the question whether an interface is too busy
//! (`busy`). Bounds: 4,096 directions with relative sequence numbers. Drops: nothing; packets that the kernel program
//! did not log are counted. No payload is shown, and targets are redacted.

mod busy;
mod line;
mod story;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    str::FromStr,
};

use crate::capture::{packet_log::FollowedEndpoint, targets::endpoint};

pub(crate) use busy::{BUSY, busy, rates};
pub(crate) use line::{Beside, Line, Start};
pub(crate) use story::Story;

/// The flow that is explained: every connection of an address, or of an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flow {
    ip: IpAddr,
    port: Option<u16>,
}

impl Flow {
    /// Every connection of the address from which this network namespace sends.
    pub(crate) fn own() -> io::Result<Self> {
        // Nothing is sent: a connected socket only looks up the route (addresses of RFC 5737 and RFC 3849).
        let source = |any: &str, far: &str| -> io::Result<IpAddr> {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect((far, 9))?;
            Ok(socket.local_addr()?.ip())
        };
        let ip = source("0.0.0.0", "192.0.2.1").or_else(|_| source("::", "2001:db8::1"))?;
        Ok(Self { ip, port: None })
    }

    /// As the kernel program knows it.
    pub(crate) fn asked(&self) -> FollowedEndpoint {
        let end = endpoint(SocketAddr::new(self.ip, self.port.unwrap_or(0)));
        FollowedEndpoint {
            addr: end.addr,
            port: self.port,
        }
    }
}

impl std::fmt::Display for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}

impl FromStr for Flow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(end) = text.parse::<SocketAddr>() {
            return Ok(Self {
                ip: end.ip(),
                port: Some(end.port()),
            });
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let ip = bare.unwrap_or(text).parse::<IpAddr>();
        let ip = ip.map_err(|_no_address| {
            format!("{text:?} is no address; write for example 10.0.0.1, 10.0.0.1:8080 or [::1]:8080")
        })?;
        Ok(Self { ip, port: None })
    }
}
