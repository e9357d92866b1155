//! Attaches the kernel program to an interface, and detaches it.
//!
//! Bounds: one ingress and one egress attachment for each interface (loopback: ingress only, a packet passes it twice).
//! Nothing is pinned: with TCX (Linux 6.6) the attachment ends with this process, however it ends. The older clsact
//! filter survives a `kill -9`; it copies nothing after the heartbeat deadline, and the next start removes it.

use std::{collections::BTreeSet, fmt};

use aya::{
    Ebpf,
    programs::{
        ProgramError, ProgramInfo, SchedClassifier, TcAttachType, loaded_programs,
        tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle},
    },
    util::KernelVersion,
};
use shadow_common::config::{EGRESS_PROGRAM, INGRESS_PROGRAM};

use super::{
    control::{self, reason},
    netlink::{self, Interface, Requests},
    tcx::{self, TcxLink},
};

/// Priority of our clsact filter: before most others, whose verdict could end the chain.
const PRIORITY: u16 = 5;
/// Handle of our clsact filter.
const HANDLE: TcHandle = TcHandle::new(0x5348, 0x4457);

/// How the program is attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// A TCX link, from Linux 6.6 on.
    Tcx,
    /// A filter of a clsact qdisc.
    Clsact,
}

impl Method {
    /// The best method that this kernel supports.
    pub fn of_this_kernel() -> Self {
        match KernelVersion::current() {
            Ok(version) if version >= KernelVersion::new(6, 6, 0) => Self::Tcx,
            _ => Self::Clsact,
        }
    }

    /// Its name in status and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

/// One of the two places where an interface runs programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// Packets that come in.
    Ingress,
    /// Packets that go out.
    Egress,
}

impl Hook {
    /// The hooks to attach to.
    pub const fn of(interface: &Interface) -> &'static [Self] {
        if interface.loopback {
            &[Self::Ingress]
        } else {
            &[Self::Ingress, Self::Egress]
        }
    }

    const fn kind(self) -> TcAttachType {
        match self {
            Self::Ingress => TcAttachType::Ingress,
            Self::Egress => TcAttachType::Egress,
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Ingress => INGRESS_PROGRAM,
            Self::Egress => EGRESS_PROGRAM,
        }
    }
}

/// Why an interface is not mirrored.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttachError {
    /// Two agents would mirror every request twice.
    #[error(
        "another Shadow agent{} is already attached to interface {interface}: stop it, or choose another interface",
        owner.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    SecondAgent {
        /// The interface.
        interface: String,
        /// The other agent, where it is known.
        owner: Option<u32>,
    },
    /// The kernel refused.
    #[error("cannot attach to interface {interface} ({}): {reason}", method.as_str())]
    Refused {
        /// The interface.
        interface: String,
        /// How it was tried.
        method: Method,
        /// The kernel's error.
        reason: String,
    },
}

/// Another program on an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Other {
    /// The hook it is attached to.
    pub hook: Hook,
    /// How it is attached.
    pub method: Method,
    /// Its program id.
    pub id: Option<u32>,
    /// Its name.
    pub name: String,
    /// Whether it is a program of Shadow.
    pub ours: bool,
}

/// The kernel program on one interface. Dropping it detaches the program.
pub struct Attachment {
    /// The interface.
    pub interface: Interface,
    /// The method.
    pub method: Method,
    links: Vec<Link>,
}

/// The kernel program at one hook. Dropping it detaches the program.
#[expect(dead_code, reason = "held to be dropped")]
enum Link {
    Tcx(TcxLink),
    Clsact(SchedClassifierLink),
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("interface", &self.interface)
            .field("method", &self.method)
            .field("hooks", &self.links.len())
            .finish()
    }
}

/// Attaches the loaded kernel program to interfaces.
pub struct Attacher {
    ebpf: Ebpf,
    method: Method,
}

impl fmt::Debug for Attacher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attacher")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Attacher {
    pub(crate) fn new(ebpf: Ebpf, method: Method) -> Self {
        Self { ebpf, method }
    }

    /// How it attaches.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The loaded program for a hook, for `BPF_PROG_TEST_RUN` and its info.
    pub fn program(&mut self, hook: Hook) -> Result<&mut SchedClassifier, ProgramError> {
        self.ebpf
            .program_mut(hook.program())
            .ok_or(ProgramError::NotLoaded)?
            .try_into()
    }

    /// Attaches to every hook of an interface, or to none. `requests` lists what is already attached.
    pub(crate) fn attach(
        &mut self,
        interface: &Interface,
        requests: &mut Requests,
    ) -> Result<Attachment, AttachError> {
        let method = self.method;
        let refused = |reason| AttachError::Refused {
            interface: interface.name.clone(),
            method,
            reason,
        };
        if let Some(other) = rivals(interface, requests).map_err(refused)? {
            return Err(other);
        }
        if method == Method::Clsact
            && let Err(error) = tc::qdisc_add_clsact(&interface.name)
            && !exists(&error)
        {
            return Err(refused(reason(&error)));
        }
        let mut links = Vec::new();
        for &hook in Hook::of(interface) {
            // On an error, the hooks attached so far are dropped.
            links.push(self.link(interface, hook).map_err(refused)?);
        }
        Ok(Attachment {
            interface: interface.clone(),
            method,
            links,
        })
    }

    fn link(&mut self, interface: &Interface, hook: Hook) -> Result<Link, String> {
        let method = self.method;
        let why = |error: ProgramError| reason(&error);
        let program = self.program(hook).map_err(why)?;
        match method {
            Method::Tcx => {
                let program = program.fd().map_err(why)?;
                let link = match hook {
                    Hook::Ingress => tcx::link(program, interface.index, tcx::INGRESS),
                    Hook::Egress => tcx::link(program, interface.index, tcx::EGRESS),
                };
                link.map(Link::Tcx).map_err(|error| error.to_string())
            }
            Method::Clsact => {
                let options = TcAttachOptions::Netlink(NlOptions {
                    priority: PRIORITY,
                    handle: HANDLE,
                    classid: None,
                });
                let id = program.attach_with_options(&interface.name, hook.kind(), options);
                let link = id.and_then(|id| program.take_link(id)).map_err(why)?;
                Ok(Link::Clsact(link))
            }
        }
    }
}

fn exists(error: &TcError) -> bool {
    match error {
        TcError::NetlinkError(error) => error.raw_os_error() == Some(libc::EEXIST),
        TcError::AlreadyAttached => true,
        _ => false,
    }
}

/// Looks for another agent on the interface, and removes the filter of a dead one.
fn rivals(interface: &Interface, requests: &mut Requests) -> Result<Option<AttachError>, String> {
    for other in asked(interface, requests)?.into_iter().filter(|other| other.ours) {
        let owner = other.id.and_then(owner_of);
        // A TCX link lives as long as its descriptor is open; a clsact filter outlives its agent.
        if other.method == Method::Tcx || owner.as_ref().is_some_and(control::RunningAgent::is_alive) {
            return Ok(Some(AttachError::SecondAgent {
                interface: interface.name.clone(),
                owner: owner.map(|agent| agent.pid),
            }));
        }
        match tc::qdisc_detach_program(&interface.name, other.hook.kind(), &other.name) {
            Ok(()) => tracing::info!(
                interface = interface.name,
                "removed the filter that a dead agent left"
            ),
            // The filter went away by itself, or a filter of the same name was listed twice.
            Err(TcError::IoError(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(reason(&error)),
        }
    }
    Ok(None)
}

/// The agent whose control map the program uses.
fn owner_of(program: u32) -> Option<control::RunningAgent> {
    let info = loaded_programs()
        .filter_map(Result::ok)
        .find(|info| info.id() == program)?;
    let maps: BTreeSet<u32> = info.map_ids().ok()??.into_iter().collect();
    control::find_running()
        .ok()?
        .into_iter()
        .find(|agent| maps.contains(&agent.map_id))
}

/// Every program at the hooks of an interface, including ours.
pub fn others(interface: &Interface) -> Result<Vec<Other>, String> {
    let mut requests = Requests::new().map_err(|error| error.to_string())?;
    asked(interface, &mut requests)
}

fn asked(interface: &Interface, requests: &mut Requests) -> Result<Vec<Other>, String> {
    let mut found = Vec::new();
    for hook in [Hook::Ingress, Hook::Egress] {
        let ours = |name: &str| name == hook.program();
        // Kernels without TCX do not know the query.
        if let Ok((_, programs)) = SchedClassifier::query_tcx(&interface.name, hook.kind()) {
            found.extend(programs.iter().map(|info: &ProgramInfo| {
                let name = info.name_as_str().unwrap_or_default().to_owned();
                Other {
                    hook,
                    method: Method::Tcx,
                    id: Some(info.id()),
                    ours: ours(&name),
                    name,
                }
            }));
        }
        let parent = match hook {
            Hook::Ingress => netlink::CLSACT_INGRESS,
            Hook::Egress => netlink::CLSACT_EGRESS,
        };
        let filters = requests
            .filters(interface.index, parent)
            .map_err(|error| error.to_string())?;
        found.extend(filters.into_iter().map(|filter| Other {
            hook,
            method: Method::Clsact,
            id: filter.program,
            ours: ours(&filter.name),
            name: filter.name,
        }));
    }
    Ok(found)
}
