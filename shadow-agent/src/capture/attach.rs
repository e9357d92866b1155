//! Attaches the kernel program to an interface, and detaches it.
//!
//! Bounds: one ingress and one egress attachment for each interface (loopback: ingress only, a packet passes it twice).
//! Nothing is pinned: with TCX (Linux 6.6) the attachment ends with this process, however it ends. The older clsact
//! filter survives a `kill -9`; it copies nothing after the heartbeat deadline, and the next start removes it.

use std::{
    collections::BTreeSet,
    fmt, io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya::{
    Ebpf,
    programs::{
        ProgramError, ProgramFd, SchedClassifier, loaded_programs,
        tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError},
    },
};

use super::{
    control::{self, reason},
    front::{self, Front, Own},
    guard::{Guard, Locked},
    netlink::{Interface, Requests},
    others::{Strict, asked},
    tcx,
};
pub use super::{
    hook::{Hook, Method, Role},
    others::{Other, others},
};

/// Why an interface is not mirrored.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttachError {
    /// Two agents would mirror every request twice.
    #[error(
        "another Shadow agent{} is already attached to interface {interface}: stop it, or choose another interface (one \
         agent mirrors and records: `shadow run --record FILE`)",
        owner.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    SecondAgent {
        /// The interface.
        interface: String,
        /// The other agent, where it is known.
        owner: Option<u32>,
    },
    /// Filters of clsact have one place for it.
    #[error("another `shadow explain` follows a flow on interface {interface}: end it first")]
    SecondExplain {
        /// The interface.
        interface: String,
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

/// The kernel program on one interface. Dropping it detaches the program.
pub struct Attachment {
    /// The interface.
    pub interface: Interface,
    /// The method.
    pub method: Method,
    /// Programs that run before it.
    pub front: Front,
    links: Vec<Link>,
    /// Given back after the links.
    lock: Option<Lock>,
}

/// The claim of this agent on an interface.
struct Lock {
    guard: Guard,
    interface: u32,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.guard.unlock(self.interface);
    }
}

/// The kernel program at one hook. Dropping it detaches the program.
#[expect(dead_code, reason = "held to be dropped")]
enum Link {
    Tcx(OwnedFd),
    Clsact(SchedClassifierLink),
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("interface", &self.interface)
            .field("method", &self.method)
            .field("hooks", &self.links.len())
            .finish_non_exhaustive()
    }
}

/// Attaches the loaded kernel program to interfaces.
pub struct Attacher {
    ebpf: Ebpf,
    method: Method,
    role: Role,
    guard: Option<Guard>,
    own: Own,
    /// Attaches beside the agent that is to be succeeded, which still has the locks.
    is_successor: bool,
}

impl fmt::Debug for Attacher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attacher")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Attacher {
    pub(crate) fn new(ebpf: Ebpf, method: Method, role: Role) -> Self {
        Self {
            ebpf,
            method,
            role,
            guard: None,
            own: Own::default(),
            is_successor: false,
        }
    }

    /// Claims each interface through the guard, and asks it for the order of programs.
    pub(crate) fn guarded(&mut self, guard: Guard) {
        self.guard = Some(guard);
        let mut id = |hook| self.program(hook).and_then(|program| program.info()).ok();
        let [ingress, egress] = [Hook::Ingress, Hook::Egress].map(|hook| id(hook).map(|info| info.id()));
        self.own = Own { ingress, egress };
    }

    /// Attaches beside another agent until [`Attacher::claims`].
    pub(crate) const fn succeeds(&mut self) {
        self.is_successor = true;
    }

    /// Takes locks from now on.
    pub(super) const fn claims(&mut self) {
        self.is_successor = false;
    }

    pub(super) fn guard(&self) -> Option<Guard> {
        self.guard.clone()
    }

    /// Programs that run before ours on an interface.
    pub(crate) fn front(&self, interface: &Interface, requests: &mut Requests) -> Front {
        front::look(interface, self.method, self.own, self.guard.as_ref(), requests)
    }

    fn lock(&self, interface: &Interface) -> Result<Option<Lock>, AttachError> {
        // It would wait for a lock that is certainly taken.
        let Some(guard) = self.guard.as_ref().filter(|_| !self.is_successor) else {
            return Ok(None);
        };
        lock(guard, interface)
    }

    /// The loaded object, for maps that only one of the programs has.
    pub(super) const fn object(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Loads another program of the object.
    pub(super) fn load(&mut self, name: &str) -> Result<&ProgramFd, ProgramError> {
        let program = self.ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?;
        let program: &mut SchedClassifier = program.try_into()?;
        program.load()?;
        program.fd()
    }

    /// How it attaches.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The loaded program for a hook, for `BPF_PROG_TEST_RUN` and its info.
    pub fn program(&mut self, hook: Hook) -> Result<&mut SchedClassifier, ProgramError> {
        self.ebpf
            .program_mut(self.role.program(hook))
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
        // Without privileges this is all that shows another agent, and then a filter of ours is certainly a dead one's.
        if self.is_successor && method == Method::Clsact {
            return Err(refused(
                "two agents attach to one interface from Linux 6.6 on".to_owned(),
            ));
        }
        let lock = match self.lock(interface) {
            Ok(lock) => lock,
            // Of a clsact filter it is not known whether its agent lives.
            Err(taken) if method == Method::Clsact => return Err(taken),
            // With privileges the other agent has a process id, too.
            Err(taken) => return Err(self.rivals(interface, requests).ok().flatten().unwrap_or(taken)),
        };
        if !self.is_successor
            && let Some(other) = self.rivals(interface, requests).map_err(refused)?
        {
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
            let after = self.after(interface, hook, requests).map_err(refused)?;
            links.push(self.link(interface, hook, after).map_err(refused)?);
        }
        Ok(Attachment {
            interface: interface.clone(),
            method,
            front: self.front(interface, requests),
            links,
            lock,
        })
    }

    /// The program that ours goes directly after: `shadow explain` sees what an agent sees, and is not before it.
    fn after(
        &self,
        interface: &Interface,
        hook: Hook,
        requests: &mut Requests,
    ) -> Result<Option<u32>, String> {
        if self.role == Role::Mirror {
            return Ok(None);
        }
        let found = asked(interface, requests, Strict::No)?;
        let agents = found
            .into_iter()
            .filter(|other| other.hook == hook && other.method == Method::Tcx && other.ours == Some(true));
        Ok(agents.filter_map(|agent| agent.id).next_back())
    }

    fn link(&mut self, interface: &Interface, hook: Hook, after: Option<u32>) -> Result<Link, String> {
        let (method, role) = (self.method, self.role);
        let why = |error: ProgramError| reason(&error);
        let program = self.program(hook).map_err(why)?;
        match method {
            Method::Tcx => {
                let program = program.fd().map_err(why)?.as_fd();
                let link = match hook {
                    Hook::Ingress => tcx::link(program, interface.index, tcx::INGRESS, after),
                    Hook::Egress => tcx::link(program, interface.index, tcx::EGRESS, after),
                };
                link.map(Link::Tcx).map_err(|error| error.to_string())
            }
            Method::Clsact => {
                let (priority, handle) = role.filter();
                let options = TcAttachOptions::Netlink(NlOptions {
                    priority,
                    handle,
                    classid: None,
                });
                let id = program.attach_with_options(&interface.name, hook.kind(), options);
                let link = id.and_then(|id| program.take_link(id)).map_err(why)?;
                Ok(Link::Clsact(link))
            }
        }
    }

    /// Looks for another program with the same role on the interface, and removes the filter of a dead process.
    fn rivals(&self, interface: &Interface, requests: &mut Requests) -> Result<Option<AttachError>, String> {
        let role = self.role;
        // A running agent may not ask. Its guard's locks are what keeps another one away.
        let found = asked(interface, requests, Strict::No)?;
        for other in found
            .into_iter()
            .filter(|other| other.name == role.program(other.hook))
        {
            // Several may look at a flow at once.
            if role == Role::Explain && other.method == Method::Tcx {
                continue;
            }
            let owner = other.id.and_then(|id| owner_of(id, role));
            // A TCX link lives as long as its descriptor is open; a clsact filter outlives its process.
            if other.method == Method::Tcx || owner.as_ref().is_some_and(control::RunningAgent::is_alive) {
                let (interface, owner) = (interface.name.clone(), owner.map(|agent| agent.pid));
                return Ok(Some(match role {
                    Role::Mirror => AttachError::SecondAgent { interface, owner },
                    Role::Explain => AttachError::SecondExplain { interface },
                }));
            }
            match tc::qdisc_detach_program(&interface.name, other.hook.kind(), &other.name) {
                Ok(()) => tracing::info!(
                    interface = interface.name,
                    "removed the filter that a dead process left"
                ),
                // The filter went away by itself, or a filter of the same name was listed twice.
                Err(TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(reason(&error)),
            }
        }
        Ok(None)
    }
}

fn lock(guard: &Guard, interface: &Interface) -> Result<Option<Lock>, AttachError> {
    match guard.lock(interface.index) {
        Locked::Held => Ok(Some(Lock {
            guard: guard.clone(),
            interface: interface.index,
        })),
        Locked::Taken => Err(AttachError::SecondAgent {
            interface: interface.name.clone(),
            owner: None,
        }),
        Locked::Unknown => Ok(None),
    }
}

impl Attachment {
    /// Gives the lock on the interface back; the program stays.
    pub(super) fn release(&mut self) {
        self.lock = None;
    }

    /// Takes the lock that was not taken, or was given back.
    pub(super) fn claim(&mut self, guard: &Guard) -> Result<(), AttachError> {
        if self.lock.is_none() {
            self.lock = lock(guard, &self.interface)?;
        }
        Ok(())
    }
}

fn exists(error: &TcError) -> bool {
    match error {
        TcError::NetlinkError(error) => error.raw_os_error() == Some(libc::EEXIST),
        TcError::AlreadyAttached => true,
        _ => false,
    }
}

/// The agent whose program is attached to an interface.
pub fn agent_on(interface: &Interface) -> Option<control::RunningAgent> {
    let others = others(interface).ok()?;
    let mut agents = others.into_iter().filter(|other| other.ours == Some(true));
    agents.find_map(|agent| owner_of(agent.id?, Role::Mirror).filter(control::RunningAgent::is_alive))
}

/// The process whose control map the program uses.
fn owner_of(program: u32, role: Role) -> Option<control::RunningAgent> {
    let info = loaded_programs()
        .filter_map(Result::ok)
        .find(|info| info.id() == program)?;
    let maps: BTreeSet<u32> = info.map_ids().ok()??.into_iter().collect();
    control::find_loaded(role)
        .ok()?
        .into_iter()
        .find(|agent| maps.contains(&agent.map_id))
}
