//! Loads the kernel program.
//!
//! The compiled objects are part of this binary (`shadow-ebpf/*.bpf.o`, built by `cargo xtask ebpf`). Nothing is
//! attached and nothing is copied until [`Links`](super::links::Links) attach and the heartbeat beats.

use std::{process, time::Duration};

use aya::{
    EbpfError, EbpfLoader, VerifierLogLevel,
    maps::MapError,
    programs::{ProgramError, SchedClassifier},
    util::KernelVersion,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_common::config::{
    CONTROL_MAP, ENDPOINTS_MAP, MUTED_MAP, PORTS_MAP, REQUESTS_ANYWHERE, REQUESTS_EGRESS, REQUESTS_INGRESS,
    RING_MAP, STATS_MAP, Slot,
};

use super::{
    attach::{Attacher, Hook, Method, Role},
    control::{self, Control, ControlError, Mute, reason},
    heartbeat,
    ring::LiveSource,
    stats::StatsReader,
    targets::Targets,
};

static MIRROR: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shadow-ebpf/shadow.bpf.o"
));

static EXPLAIN: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shadow-ebpf/explain.bpf.o"
));

/// The oldest kernel on which the program was tested.
const OLDEST: (u8, u8) = (5, 10);

/// Options for loading the program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoadOptions {
    /// Bytes of the ring buffer, rounded up to a power of two. They are allocated at once.
    pub ring_bytes: u32,
    /// Socket mark of this agent's own connections, which are never captured; 0 for none.
    pub mark: u32,
    /// The bits of the mark that are compared.
    pub mark_mask: u32,
    /// The hook at which requests are copied.
    pub requests: Requests,
    /// Connections that can be muted at once.
    pub muted_flows: u32,
    /// The program stops copying when the agent has given no sign of life for this long.
    pub heartbeat: Duration,
    /// How to attach; `None` is the best method that this kernel supports.
    pub method: Option<Method>,
    /// Which of the two programs.
    pub role: Role,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            ring_bytes: 32 << 20,
            mark: 0,
            mark_mask: u32::MAX,
            requests: Requests::Any,
            muted_flows: 1 << 16,
            heartbeat: heartbeat::DEADLINE,
            method: None,
            role: Role::Mirror,
        }
    }
}

/// The hook of an interface at which requests are copied. Answers are copied at the other one.
///
/// On the host's end of a container's link, requests to the container go out and its answers come in. With
/// [`Requests::Egress`] a connection between two containers is copied at the link of its server only, on whatever node
/// the client is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Requests {
    /// Requests and answers at both hooks.
    #[default]
    Any,
    /// Where they come in.
    Ingress,
    /// Where they go out.
    Egress,
}

impl Requests {
    const fn word(self) -> u64 {
        match self {
            Self::Any => REQUESTS_ANYWHERE,
            Self::Ingress => REQUESTS_INGRESS,
            Self::Egress => REQUESTS_EGRESS,
        }
    }
}

/// Smallest and largest ring.
const RING_RANGE: std::ops::RangeInclusive<u32> = (64 << 10)..=(1 << 30);

/// The reason why the kernel program is not loaded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// Missing privileges.
    #[error(
        "loading the kernel program needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (missing: {missing}): \
         run this with sudo"
    )]
    NotPermitted {
        /// The capabilities that this process lacks.
        missing: String,
    },
    /// No ring buffers and no CAP_BPF.
    #[error("this kernel is {found}; live capture needs Linux {}.{} or newer", OLDEST.0, OLDEST.1)]
    TooOld {
        /// The running kernel.
        found: String,
    },
    /// An invalid ring size.
    #[error("a ring buffer of {given} bytes cannot work: choose {} to {}", RING_RANGE.start(), RING_RANGE.end())]
    RingSize {
        /// The requested size.
        given: u32,
    },
    /// A map could not be created.
    #[error("cannot make the kernel map {map}: {reason}")]
    Map {
        /// The map.
        map: String,
        /// The kernel's error.
        reason: String,
    },
    /// The kernel's verifier refused the program.
    #[error("this kernel ({kernel}) refuses the kernel program, please report this: {log}")]
    Verifier {
        /// The running kernel.
        kernel: String,
        /// The end of the verifier's explanation.
        log: String,
    },
    /// The object in this binary cannot be used.
    #[error("the kernel program in this binary is damaged: {0}")]
    Object(String),
    /// The maps cannot be used.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// The loaded kernel program, in parts owned by different threads.
#[derive(Debug)]
pub struct Program {
    /// Attaches it to interfaces.
    pub attacher: Attacher,
    /// Switches it on and off.
    pub control: Control,
    /// Mutes connections.
    pub mute: Mute,
    /// Sets the endpoints to mirror.
    pub targets: Targets,
    /// Reads its counters.
    pub stats: StatsReader,
    /// Reads captured segments.
    pub source: LiveSource,
}

impl Program {
    /// Loads the program: armed, with the whole sample, no targets, and silent until the first heartbeat.
    pub fn load(options: &LoadOptions) -> Result<Self, LoadError> {
        let LoadOptions {
            ring_bytes,
            mark,
            mark_mask,
            requests,
            muted_flows,
            heartbeat,
            method,
            role,
        } = *options;
        let ring = ring_bytes
            .checked_next_power_of_two()
            .filter(|ring| RING_RANGE.contains(ring))
            .ok_or(LoadError::RingSize { given: ring_bytes })?;
        check_kernel()?;
        raise_memlock();
        let mut ebpf = EbpfLoader::new()
            .verifier_log_level(VerifierLogLevel::DEBUG)
            .map_max_entries(RING_MAP, ring)
            .map_max_entries(MUTED_MAP, muted_flows.max(1))
            .load(object(role))
            .map_err(explain)?;
        let mut map = |name: &'static str| {
            ebpf.take_map(name)
                .ok_or_else(|| LoadError::Object(format!("it has no map {name}")))
        };
        let control = Control::new(map(CONTROL_MAP)?)?;
        let parts = Parts {
            mute: Mute::new(map(MUTED_MAP)?, control.clone())?,
            targets: Targets::new(map(PORTS_MAP)?, map(ENDPOINTS_MAP)?)?,
            stats: StatsReader::new(map(STATS_MAP)?)?,
            source: LiveSource::new(map(RING_MAP)?, ring, control.clone(), heartbeat)?,
        };
        control.set(Slot::MarkMask, mark_mask.into(), PREPARE)?;
        control.set(Slot::Requests, requests.word(), PREPARE)?;
        prepare(&control, ring, mark, role)?;
        let mut attacher = Attacher::new(ebpf, method.unwrap_or_else(Method::of_this_kernel), role);
        for hook in [Hook::Ingress, Hook::Egress] {
            attacher
                .program(hook)
                .and_then(SchedClassifier::load)
                .map_err(|error| explain(error.into()))?;
        }
        let Parts {
            mute,
            targets,
            stats,
            source,
        } = parts;
        Ok(Self {
            attacher,
            control,
            mute,
            targets,
            stats,
            source,
        })
    }
}

struct Parts {
    mute: Mute,
    targets: Targets,
    stats: StatsReader,
    source: LiveSource,
}

fn object(role: Role) -> &'static [u8] {
    match role {
        Role::Mirror => MIRROR,
        Role::Explain => EXPLAIN,
    }
}

const PREPARE: &str = "prepare the control map";

/// Writes the owner of the program and the settings that do not change.
fn prepare(control: &Control, ring: u32, mark: u32, role: Role) -> Result<(), ControlError> {
    let pid = process::id();
    // Without /proc the agent is found by its pid alone.
    let started = control::process_start(pid).unwrap_or(0);
    let what = PREPARE;
    control.set(Slot::Wake, u64::from(ring / 8), what)?;
    control.set(Slot::Mark, u64::from(mark), what)?;
    control.set(Slot::OwnerPid, u64::from(pid), what)?;
    control.set(Slot::OwnerStart, started, what)?;
    control.set_sample(1.0)?;
    control.arm()?;
    control.set(Slot::Layout, role.layout(), what)
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "unknown".to_owned(), |release| release.trim().to_owned())
}

fn check_kernel() -> Result<(), LoadError> {
    let oldest = KernelVersion::new(OLDEST.0, OLDEST.1, 0);
    match KernelVersion::current() {
        Ok(version) if version < oldest => Err(LoadError::TooOld { found: kernel() }),
        _ => Ok(()),
    }
}

/// Before Linux 5.11 maps count against RLIMIT_MEMLOCK, whose default is smaller than any useful ring. Later kernels do
/// not look at it, so a refusal matters only where a map cannot be made, and that error says so.
fn raise_memlock() {
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if let Err(error) = setrlimit(Resource::Memlock, unlimited) {
        tracing::debug!(%error, "cannot raise RLIMIT_MEMLOCK, which matters before Linux 5.11 only");
    }
}

/// Turns an error of aya's into an explanation for the operator.
fn explain(error: EbpfError) -> LoadError {
    if errno(&error).is_some_and(|code| matches!(code, libc::EPERM | libc::EACCES)) {
        let missing = missing_capabilities();
        if !missing.is_empty() {
            return LoadError::NotPermitted {
                missing: missing.join(", "),
            };
        }
    }
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error }) => LoadError::Map {
            map: name,
            reason: match io_error.raw_os_error() {
                Some(libc::EPERM) => {
                    "memory for maps is limited on this kernel; raise it with `ulimit -l unlimited`".into()
                }
                Some(libc::ENOMEM) => "not enough memory; choose a smaller ring".into(),
                _ => io_error.to_string(),
            },
        },
        EbpfError::ProgramError(ProgramError::LoadError {
            io_error,
            verifier_log,
        }) => {
            let log = verifier_log.to_string();
            let start = log.len().saturating_sub(2000);
            let tail = log.get(log.ceil_char_boundary(start)..).unwrap_or_default();
            LoadError::Verifier {
                kernel: kernel(),
                log: format!("{io_error}: {tail}"),
            }
        }
        other => LoadError::Object(reason(&other)),
    }
}

fn errno(error: &EbpfError) -> Option<i32> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.raw_os_error();
        }
        next = error.source();
    }
    None
}

/// The needed capabilities that this process lacks (capability numbers: `linux/capability.h`).
pub fn missing_capabilities() -> Vec<&'static str> {
    let effective = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
            u64::from_str_radix(line.trim(), 16).ok()
        })
        .unwrap_or(u64::MAX);
    let has = |bit: u32| effective >> bit & 1 == 1;
    let administrator = has(21);
    [
        ("CAP_BPF", 39, true),
        ("CAP_NET_ADMIN", 12, false),
        ("CAP_PERFMON", 38, true),
    ]
    .into_iter()
    .filter(|&(_, bit, implied)| !(has(bit) || implied && administrator))
    .map(|(name, ..)| name)
    .collect()
}
