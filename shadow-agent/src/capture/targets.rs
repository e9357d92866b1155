//! The endpoints that are mirrored, and how they are written to the kernel program's maps.
//!
//! A target is a port on any address, or one exact endpoint. The shadow systems' endpoints are excluded: a replay must
//! never be captured as production traffic, even if its port is a target.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use aya::maps::{Array, HashMap, Map, MapData};
use shadow_common::{
    config::{self, ENDPOINT_EXCLUDED, ENDPOINT_TARGET, EndpointKey, PORT_ANY, PORT_LISTED},
    flow::Endpoint,
};

use super::control::ControlError;

/// Exact endpoints that the kernel program can hold.
pub const MAX_ENDPOINTS: usize = 4096;

/// A production endpoint: a port, or an address and a port.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// `None` means any address.
    pub addr: Option<IpAddr>,
    /// TCP port.
    pub port: u16,
}

impl Target {
    /// Whether traffic to this endpoint is mirrored by this target.
    pub fn covers(&self, end: SocketAddr) -> bool {
        self.port == end.port()
            && self
                .addr
                .is_none_or(|addr| addr.to_canonical() == end.ip().to_canonical())
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

/// Text that is not an endpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no target: write a port (8080) or an address with a port (10.0.0.1:8080, [::1]:8080)")]
pub struct TargetError(String);

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError(text.to_owned());
        let (addr, port) = match text.parse::<SocketAddr>() {
            Ok(end) => (Some(end.ip()), end.port()),
            Err(_) => (None, text.parse().ok().ok_or_else(wrong)?),
        };
        // A server uses the unspecified address to say that it listens on all of them.
        let addr = addr.filter(|addr| !addr.is_unspecified());
        if port == 0 {
            return Err(wrong());
        }
        Ok(Self { addr, port })
    }
}

/// The kernel program's endpoint of a socket address.
pub fn endpoint(end: SocketAddr) -> Endpoint {
    let addr: Ipv6Addr = match end.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    Endpoint::v6(addr.octets(), end.port())
}

/// The intended content of the maps.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Plan {
    ports: BTreeMap<u16, u8>,
    endpoints: BTreeMap<EndpointKey, u8>,
}

impl Plan {
    fn new(targets: &[Target], excluded: &[SocketAddr]) -> Self {
        let mut plan = Self::default();
        for &Target { addr, port } in targets {
            let bits = plan.ports.entry(port).or_default();
            match addr {
                None => *bits |= PORT_ANY,
                Some(addr) => {
                    *bits |= PORT_LISTED;
                    let key = config::endpoint_key(&endpoint(SocketAddr::new(addr, port)));
                    plan.endpoints.insert(key, ENDPOINT_TARGET);
                }
            }
        }
        plan.exclude(excluded);
        plan
    }

    fn exclude(&mut self, ends: &[SocketAddr]) {
        for &end in ends {
            // On a port that is not a target nothing is captured anyway, and its packets stay cheap.
            if let Some(bits) = self.ports.get_mut(&end.port()) {
                *bits |= PORT_LISTED;
                self.endpoints
                    .insert(config::endpoint_key(&endpoint(end)), ENDPOINT_EXCLUDED);
            }
        }
    }
}

struct Maps {
    ports: Array<MapData, u8>,
    endpoints: HashMap<MapData, EndpointKey, u8>,
    /// The current content of the maps.
    now: Plan,
    /// Every endpoint to be excluded, also on ports that are no targets yet.
    excluded: BTreeSet<SocketAddr>,
}

/// The port and endpoint maps of the kernel program.
#[derive(Clone)]
pub struct Targets {
    maps: Arc<Mutex<Maps>>,
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Targets").finish_non_exhaustive()
    }
}

impl Targets {
    pub(crate) fn new(ports: Map, endpoints: Map) -> Result<Self, ControlError> {
        let maps = Maps {
            ports: Array::try_from(ports).map_err(ControlError::map("use the port map"))?,
            endpoints: HashMap::try_from(endpoints).map_err(ControlError::map("use the endpoint map"))?,
            now: Plan::default(),
            excluded: BTreeSet::new(),
        };
        Ok(Self {
            maps: Arc::new(Mutex::new(maps)),
        })
    }

    /// Mirrors exactly these targets, and never the excluded endpoints (the shadow systems).
    pub fn set(&self, targets: &[Target], excluded: &[SocketAddr]) -> Result<(), ControlError> {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        maps.excluded = excluded.iter().copied().collect();
        maps.set(Plan::new(targets, excluded))
    }

    /// Mirrors exactly these targets from now on. What was excluded stays so.
    pub fn retarget(&self, targets: &[Target]) -> Result<(), ControlError> {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        let excluded: Vec<SocketAddr> = maps.excluded.iter().copied().collect();
        maps.set(Plan::new(targets, &excluded))
    }

    /// Also excludes these endpoints. Those that were excluded before stay so.
    pub fn exclude(&self, ends: &[SocketAddr]) -> Result<(), ControlError> {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        maps.excluded.extend(ends);
        let mut plan = maps.now.clone();
        plan.exclude(ends);
        maps.set(plan)
    }
}

impl Maps {
    fn set(&mut self, plan: Plan) -> Result<(), ControlError> {
        if plan.endpoints.len() > MAX_ENDPOINTS {
            return Err(ControlError::Map {
                what: "set the targets",
                reason: format!(
                    "{} exact endpoints, the kernel program holds {MAX_ENDPOINTS}",
                    plan.endpoints.len()
                ),
            });
        }
        let Self {
            ports,
            endpoints,
            now,
            ..
        } = self;
        // Endpoints before ports: no packet may meet a target port whose shadow system is not excluded yet.
        for (key, value) in &plan.endpoints {
            endpoints
                .insert(key, value, 0)
                .map_err(ControlError::map("set an endpoint"))?;
        }
        for (&port, &bits) in &plan.ports {
            ports
                .set(u32::from(port), bits, 0)
                .map_err(ControlError::map("set a port"))?;
        }
        for &port in now.ports.keys().filter(|port| !plan.ports.contains_key(port)) {
            ports
                .set(u32::from(port), 0, 0)
                .map_err(ControlError::map("remove a port"))?;
        }
        for key in now
            .endpoints
            .keys()
            .filter(|key| !plan.endpoints.contains_key(*key))
        {
            endpoints
                .remove(key)
                .map_err(ControlError::map("remove an endpoint"))?;
        }
        *now = plan;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    fn end(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn targets_are_read_and_shown_alike() {
        for text in ["8080", "10.0.0.1:8080", "[::1]:80"] {
            assert_eq!(target(text).to_string(), text);
        }
        assert_eq!(target("0.0.0.0:80"), target("80"));
        assert_eq!(target("[::]:80"), target("80"));
        for text in [
            "",
            "0",
            "65536",
            "10.0.0.1",
            "::1",
            "localhost:80",
            "80/tcp",
            "10.0.0.1:0",
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.to_string().contains("8080"), "{error}");
        }
    }

    #[test]
    fn a_target_covers_its_endpoint_in_either_notation() {
        assert!(target("80").covers(end("10.0.0.1:80")));
        assert!(!target("80").covers(end("10.0.0.1:81")));
        assert!(target("10.0.0.1:80").covers(end("[::ffff:10.0.0.1]:80")));
        assert!(!target("10.0.0.1:80").covers(end("10.0.0.2:80")));
    }

    #[test]
    fn only_listed_ports_cost_a_lookup() {
        let shadow = end("10.0.0.9:80");
        let elsewhere = end("10.0.0.9:9090");
        let plan = Plan::new(
            &[target("80"), target("443"), target("10.0.0.1:8080")],
            &[shadow, elsewhere],
        );
        let ports = [(80, PORT_ANY | PORT_LISTED), (443, PORT_ANY), (8080, PORT_LISTED)];
        assert_eq!(plan.ports, BTreeMap::from(ports));
        let key = |text| config::endpoint_key(&endpoint(end(text)));
        let endpoints = [
            (key("10.0.0.9:80"), ENDPOINT_EXCLUDED),
            (key("10.0.0.1:8080"), ENDPOINT_TARGET),
        ];
        assert_eq!(plan.endpoints, BTreeMap::from(endpoints));
        // A name of a shadow system that has another address later is the same as one that had it at the start.
        let mut later = Plan::new(&[target("80"), target("443"), target("10.0.0.1:8080")], &[]);
        later.exclude(&[elsewhere]);
        later.exclude(&[shadow]);
        assert_eq!(later, plan);
    }
}
