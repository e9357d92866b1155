//! The control map: settings that change while the kernel program runs.
//!
//! One word per kind of writer, written whole, so a command line tool and the agent never overwrite each other's
//! changes. A change is effective for the next packet.
//!
//! [`find_running`] reaches the control map of any agent on this host without its cooperation, so that the kill switch
//! works when the agent hangs (docs/adr/0001).

use std::{
    fmt, fs, io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use aya::maps::{Array, HashMap, Map, MapData, MapError, loaded_maps};
use shadow_common::{
    config::{self, MUTED, MuteKey, Slot},
    flow::FlowKey,
    sample,
};
use shadow_proto::time::Timestamp;

use super::{hook::Role, mapped::Mapped};

/// A map of the kernel program cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ControlError {
    /// Reading or writing failed.
    #[error("cannot {what}: {reason}")]
    Map {
        /// The attempted operation.
        what: &'static str,
        /// The kernel's error.
        reason: String,
    },
    /// Looking for other processes' maps is reserved for administrators.
    #[error(
        "looking for a running agent's kernel program needs CAP_SYS_ADMIN: run this with sudo. \
         An agent that hangs stops copying by itself at its heartbeat deadline"
    )]
    NotPermitted,
}

impl ControlError {
    pub(crate) fn map(what: &'static str) -> impl FnOnce(MapError) -> Self {
        move |error| Self::Map {
            what,
            reason: reason(&error),
        }
    }
}

/// The text of an error and of its causes: aya's messages leave the system call's error to `source`.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// Bytes of one slot in memory, and of all.
const WORD: usize = size_of::<u64>();
const SLOTS: usize = WORD * Slot::COUNT as usize;

/// A handle on the control map of a loaded kernel program.
#[derive(Clone)]
pub struct Control {
    slots: Arc<Mutex<Array<MapData, u64>>>,
    /// The same map for reading: `BPF_F_MMAPABLE`, which maps of older agents do not have.
    words: Option<Arc<Mapped>>,
    map: Arc<OwnedFd>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("mapped", &self.words.is_some())
            .finish_non_exhaustive()
    }
}

impl Control {
    pub(crate) fn new(map: Map) -> Result<Self, ControlError> {
        let what = "use the control map";
        let failed = |reason: String| ControlError::Map { what, reason };
        let Map::Array(data) = &map else {
            return Err(failed("it is of another kind".to_owned()));
        };
        let copy = data.fd().as_fd().try_clone_to_owned();
        let copy = copy.map_err(|error| failed(error.to_string()))?;
        let words = Mapped::of(data.fd(), SLOTS).ok().map(Arc::new);
        let slots = Array::try_from(map).map_err(ControlError::map(what))?;
        Ok(Self {
            slots: Arc::new(Mutex::new(slots)),
            words,
            map: Arc::new(copy),
        })
    }

    /// From a descriptor of the map that another process has passed on.
    pub(crate) fn from_fd(map: OwnedFd) -> Result<Self, ControlError> {
        let what = "use the control map";
        let map = MapData::from_fd(map).and_then(Map::from_map_data);
        Self::new(map.map_err(ControlError::map(what))?)
    }

    /// A descriptor of the map, to pass on to another process.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.map.try_clone()
    }

    /// Resumes copying packets.
    pub fn arm(&self) -> Result<(), ControlError> {
        self.set(Slot::Armed, 1, "switch mirroring on")
    }

    /// The kill switch: from the next packet on nothing is copied.
    pub fn disarm(&self) -> Result<(), ControlError> {
        self.set(Slot::Armed, 0, "switch mirroring off")
    }

    /// Whether packets are copied.
    pub fn is_armed(&self) -> Result<bool, ControlError> {
        Ok(self.get(Slot::Armed, "read the kill switch")? != 0)
    }

    /// Copies this share of connections, `0.0..=1.0`.
    pub fn set_sample(&self, ratio: f64) -> Result<(), ControlError> {
        self.set(Slot::Threshold, sample::threshold(ratio), "set the sample")
    }

    /// The share of connections that is copied.
    pub fn sample(&self) -> Result<f64, ControlError> {
        Ok(sample::ratio(self.get(Slot::Threshold, "read the sample")?))
    }

    /// Lets the kernel program copy until `deadline` (monotonic clock).
    pub fn renew_heartbeat(&self, deadline: Timestamp) -> Result<(), ControlError> {
        self.set(Slot::Deadline, deadline.as_nanos(), "renew the heartbeat")
    }

    /// The time until which the kernel program copies (monotonic clock).
    pub fn deadline(&self) -> Result<Timestamp, ControlError> {
        Ok(Timestamp::from_nanos(
            self.get(Slot::Deadline, "read the heartbeat")?,
        ))
    }

    pub(crate) fn get(&self, slot: Slot, what: &'static str) -> Result<u64, ControlError> {
        if let Some(words) = &self.words {
            return Ok(words.word(WORD * slot.index() as usize));
        }
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(&slot.index(), 0).map_err(ControlError::map(what))
    }

    pub(crate) fn set(&self, slot: Slot, value: u64, what: &'static str) -> Result<(), ControlError> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.set(slot.index(), value, 0).map_err(ControlError::map(what))
    }
}

/// Stops the copying of connections that user space has no use for. Bounded: the map evicts the entry that has been
/// longest without a packet.
#[derive(Clone)]
pub struct Mute {
    flows: Arc<Mutex<HashMap<MapData, MuteKey, u8>>>,
    control: Control,
}

impl fmt::Debug for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mute").finish_non_exhaustive()
    }
}

impl Mute {
    pub(crate) fn new(map: Map, control: Control) -> Result<Self, ControlError> {
        let flows = HashMap::try_from(map).map_err(ControlError::map("use the mute map"))?;
        Ok(Self {
            flows: Arc::new(Mutex::new(flows)),
            control,
        })
    }

    /// Stops copying this connection until a SYN starts another one on the same endpoints.
    pub fn mute(&self, flow: &FlowKey) -> Result<(), ControlError> {
        let Self { flows, control } = self;
        flows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(config::mute_key(flow), MUTED, 0)
            .map_err(ControlError::map("mute a connection"))?;
        control.set(Slot::MutedAny, 1, "mute a connection")
    }
}

/// The kernel program of an agent on this host, found without the agent's cooperation.
#[derive(Clone, Debug)]
pub struct RunningAgent {
    /// The control map's id (`bpftool map show id ...`).
    pub map_id: u32,
    /// The agent's process id, in its own pid namespace.
    pub pid: u32,
    /// Its start time (clock ticks since boot).
    pub started: u64,
    /// Its control map.
    pub control: Control,
}

impl RunningAgent {
    /// Whether that process is still alive, as far as this pid namespace shows.
    ///
    /// A dead agent's program can still be attached on kernels without TCX; it copies nothing after its deadline.
    pub fn is_alive(&self) -> bool {
        process_start(self.pid).is_ok_and(|started| started == self.started)
    }
}

/// The kernel program of every agent on this host, in the order in which they were loaded.
pub fn find_running() -> Result<Vec<RunningAgent>, ControlError> {
    find_loaded(Role::Mirror)
}

/// Every loaded kernel program with this role.
pub(super) fn find_loaded(role: Role) -> Result<Vec<RunningAgent>, ControlError> {
    let mut found = Vec::new();
    for info in loaded_maps() {
        let info = match info {
            Ok(info) => info,
            Err(error) if is_gone(&error) => continue,
            Err(error) if is_denied(&error) => return Err(ControlError::NotPermitted),
            Err(error) => return Err(ControlError::map("list the kernel's maps")(error)),
        };
        if info.name() != config::CONTROL_MAP.as_bytes() {
            continue;
        }
        let Ok(map) = MapData::from_id(info.id()) else {
            // It has been unloaded meanwhile.
            continue;
        };
        let Ok(control) = Map::from_map_data(map)
            .map_err(ControlError::map("use the control map"))
            .and_then(Control::new)
        else {
            // Another program's map with our name.
            continue;
        };
        if control.get(Slot::Layout, "read the control map") != Ok(role.layout()) {
            continue;
        }
        let pid = control.get(Slot::OwnerPid, "read the agent's process id")?;
        found.push(RunningAgent {
            map_id: info.id(),
            pid: u32::try_from(pid).unwrap_or(0),
            started: control.get(Slot::OwnerStart, "read the agent's start time")?,
            control,
        });
    }
    Ok(found)
}

fn errno(error: &MapError) -> Option<i32> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        next = error.source();
    }
    None
}

fn is_gone(error: &MapError) -> bool {
    errno(error) == Some(libc::ENOENT)
}

fn is_denied(error: &MapError) -> bool {
    matches!(errno(error), Some(libc::EPERM | libc::EACCES))
}

/// Field 22 of `/proc/PID/stat`: the name before it may contain anything but ends with the last `)`.
pub(crate) fn process_start(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    stat.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19)?.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no start time in /proc/PID/stat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_pid() {
        let own = process_start(std::process::id()).unwrap();
        let parent = process_start(std::os::unix::process::parent_id()).unwrap();
        assert!(own >= parent, "started at {own}, the parent at {parent}");
        assert!(process_start(u32::MAX).is_err());
    }
}
