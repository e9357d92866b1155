//! Keeps the kernel program on interfaces in other network namespaces: of containers and pods.
//!
//! Owns: the attachments, their labels, and a small thread that follows the namespaces. The attach process
//! ([`crate::attach`]) enters them, no thread of the agent does. Bounds: [`MOST`] namespaces, one order at a time.
//! Drops: a namespace that cannot be attached to has a reason in the status, and is tried again every [`TURN`]. Bias: a
//! namespace is known by the kernel's number for it and never by its name, a path, an address or the index of an
//! interface: those are used again at once.

mod discovered;
mod keeper;
mod maps;
pub mod pods;
mod traffic;
pub(crate) mod wire;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt, io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use rustix::event::Timespec;

pub(crate) use self::discovered::Discovery;
pub use self::maps::InsideMaps;
pub use self::traffic::{Blind, Traffic};
pub use self::wire::{Namespace, Reason};
use self::{keeper::Keeper, pods::Pod};
use super::{
    heartbeat,
    hook::Method,
    stop::{Stop, Waited},
};

/// How often namespaces are looked at again.
const TURN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000_000,
};

/// Namespaces at once: labels must not be used again too soon.
const MOST: usize = (shadow_common::config::MOST_LABELS - 24) as usize;

/// A namespace as a person writes it: a path, the name of one of `ip netns`, or `pid:N`.
impl FromStr for Namespace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(pid) = text.strip_prefix("pid:") {
            return match pid.parse() {
                Ok(pid) if pid > 0 => Ok(Self::Process(pid)),
                _ => Err("after pid: comes the number of a process"),
            };
        }
        match text {
            "" | "." | ".." => Err("it is no name"),
            path if path.starts_with('/') => Ok(Self::Path(PathBuf::from(path))),
            path if path.contains('/') => Err("a path must be absolute"),
            name => Ok(Self::Path(PathBuf::from("/run/netns").join(name))),
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Process(pid) => write!(f, "pid:{pid}"),
            Self::Pod(uid) => write!(f, "pod:{uid}"),
        }
    }
}

/// A namespace to be mirrored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WantedNamespace {
    /// Its name in status and metrics.
    pub name: String,
    /// The namespace.
    pub namespace: Namespace,
    /// The interfaces in it, by name or glob.
    pub interfaces: Vec<String>,
}

/// A namespace and the state of its attachment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// The interfaces with the kernel program on them.
    pub interfaces: Vec<String>,
    /// Why nothing, or not everything, is seen of it.
    pub blind: Option<Blind>,
    /// Details of that, for people.
    pub text: Option<String>,
}

#[derive(Debug)]
struct NamespaceState {
    wanted: WantedNamespace,
    attached: Option<Inside>,
    failure: Option<(Reason, String)>,
}

/// An attachment.
#[derive(Debug)]
struct Inside {
    label: u32,
    identity: u64,
    interfaces: Vec<String>,
    /// Closing them detaches. None with filters.
    links: Vec<OwnedFd>,
}

#[derive(Debug)]
struct State {
    places: BTreeMap<Namespace, NamespaceState>,
    /// Attachments that are not wanted any more.
    leaving: Vec<(WantedNamespace, Inside)>,
    maps: InsideMaps,
}

/// The state, and what is heard of it, for every thread.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    traffic: Arc<Traffic>,
    /// Whether discovery is there.
    discovered: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The namespaces with the program in them. Dropping it detaches everything.
#[derive(Debug)]
pub struct Namespaces {
    shared: Arc<Shared>,
    stop: Stop,
    /// Until [`Namespaces::watch`], and after the thread has ended.
    keeper: Option<Keeper>,
    thread: Option<JoinHandle<Keeper>>,
}

impl Namespaces {
    /// Attaches in each namespace that is there. Later ones wait for [`Namespaces::watch`]. `process` is dropped at the
    /// end, after the connection to it.
    pub fn attach(
        maps: InsideMaps,
        method: Method,
        helper: (UnixStream, Box<dyn std::any::Any + Send + Sync>),
        wanted: Vec<WantedNamespace>,
    ) -> io::Result<Self> {
        let traffic = maps.traffic();
        let place = |wanted: WantedNamespace| {
            let place = NamespaceState {
                wanted: wanted.clone(),
                attached: None,
                failure: None,
            };
            (wanted.namespace, place)
        };
        let places = wanted.into_iter().map(place).collect();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                places,
                leaving: Vec::new(),
                maps,
            }),
            traffic,
            discovered: AtomicBool::new(false),
        });
        let mut keeper = Keeper::new(Arc::clone(&shared), method, helper)?;
        keeper.turn();
        Ok(Self {
            shared,
            stop: Stop::new()?,
            keeper: Some(keeper),
            thread: None,
        })
    }

    /// Follows namespaces as they come and go.
    pub fn watch(&mut self) -> io::Result<()> {
        let Some(mut keeper) = self.keeper.take() else {
            return Ok(());
        };
        let stop = self.stop.clone();
        let run = move || {
            loop {
                match stop.wait(None, Some(&TURN)) {
                    Ok(Waited::Late) => keeper.turn(),
                    Ok(Waited::Stopped | Waited::Ready) => return keeper,
                    Err(error) => {
                        tracing::error!(%error, "network namespaces are not followed any more");
                        return keeper;
                    }
                }
            }
        };
        self.thread = Some(
            std::thread::Builder::new()
                .name("namespaces".to_owned())
                .spawn(run)?,
        );
        Ok(())
    }

    /// For discovery.
    pub(crate) fn follow(&self) -> Follow {
        Follow(Arc::clone(&self.shared))
    }

    /// Whether discovery is connected.
    pub(crate) fn is_discovered(&self) -> bool {
        self.shared.discovered.load(Relaxed)
    }

    /// Every namespace that is wanted, in the order of their names.
    pub fn seen(&self) -> Vec<Seen> {
        let now = heartbeat::now();
        let state = self.shared.lock();
        let of = |place: &NamespaceState| {
            let heard = |inside: &Inside| {
                let heard = state.maps.heard(inside.label);
                traffic::judge(heard, self.shared.traffic.of(inside.label), now)
            };
            let (blind, text) = match (&place.attached, &place.failure) {
                (Some(inside), _) => (heard(inside), None),
                (None, Some((reason, text))) => (Some(Blind::NotAttached(*reason)), Some(text.clone())),
                (None, None) => (Some(Blind::NotAttached(Reason::NoNamespace)), None),
            };
            Seen {
                name: place.wanted.name.clone(),
                interfaces: place
                    .attached
                    .as_ref()
                    .map_or_else(Vec::new, |inside| inside.interfaces.clone()),
                blind,
                text,
            }
        };
        let mut seen: Vec<Seen> = state.places.values().map(of).collect();
        seen.sort_by(|a, b| a.name.cmp(&b.name));
        seen
    }
}

/// Says which pods are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Follow(Arc<Shared>);

impl Follow {
    fn connected(&self, is: bool) {
        self.0.discovered.store(is, Relaxed);
    }

    /// Exactly these pods are wanted from now on. Other namespaces stay.
    fn want(&self, pods: &[Pod], interfaces: &[String]) {
        let mut state = self.0.lock();
        let uids: BTreeSet<&str> = pods.iter().map(|pod| &*pod.uid).collect();
        let State { places, leaving, .. } = &mut *state;
        let gone: Vec<Namespace> = places
            .keys()
            .filter(|key| matches!(key, Namespace::Pod(uid) if !uids.contains(&**uid)))
            .cloned()
            .collect();
        for key in gone {
            let place = places.remove(&key);
            leaving.extend(place.and_then(|place| Some((place.wanted, place.attached?))));
        }
        for pod in pods {
            let wanted = pod.wanted(interfaces);
            let room = places.len() < MOST;
            let failure = pod.host_network.then(|| {
                let text = "it has the network of the node: name the node's interfaces in capture.interfaces";
                (Reason::HostNetwork, text.to_owned())
            });
            match places.entry(wanted.namespace.clone()) {
                Entry::Vacant(place) if room => {
                    place.insert(NamespaceState {
                        wanted,
                        attached: None,
                        failure,
                    });
                }
                Entry::Vacant(_) => tracing::warn!(
                    pod = wanted.name,
                    "more pods than {MOST}: this one is not mirrored"
                ),
                Entry::Occupied(_) => {}
            }
        }
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.stop.stop();
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        if let Some(mut keeper) = self.keeper.take().or(ended) {
            keeper.detach_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_read_as_people_write_them() {
        for (text, namespace, shown) in [
            (
                "shop",
                Namespace::Path("/run/netns/shop".into()),
                "/run/netns/shop",
            ),
            ("/x/y", Namespace::Path("/x/y".into()), "/x/y"),
            ("pid:7", Namespace::Process(7), "pid:7"),
        ] {
            assert_eq!(text.parse(), Ok(namespace.clone()));
            assert_eq!(namespace.to_string(), shown);
        }
        for wrong in ["", "..", "a/b", "../x", "pid:", "pid:x", "pid:0", "pid:-1"] {
            assert!(wrong.parse::<Namespace>().is_err(), "{wrong}");
        }
    }
}
