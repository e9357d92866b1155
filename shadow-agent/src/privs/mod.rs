//! Gives up privileges before the agent reads the first captured byte.
//!
//! Owns: the order in which privileges are dropped, and what the agent says about it. Bias: a step that the kernel does
//! not support causes a warning, never a failed start; a step that the kernel refuses although it could is an error.
//!
//! The order is a contract (docs/adr/0040), because each step needs what the next one takes away:
//!
//! 1. State folder, sockets and kernel program are made with all privileges of the caller ([`Needs`] names what is used
//!    afterwards).
//! 2. [`before_threads`], while there is one thread, which every later thread inherits from: the bounding set is
//!    emptied (needs CAP_SETPCAP), the other sets are cut to what is used afterwards, `no_new_privs`, Landlock (needs
//!    `no_new_privs`).
//! 3. Threads start, interfaces are attached.
//! 4. [`after_attach`]: seccomp, for all threads at once; from here on no kernel program can be loaded, nothing new
//!    listens, and no socket is opened but to shadow systems.
//! 5. Commands for credentials start, which inherit all of it.
//!
//! Apart from these, [`keep_out_of_dumps`] holds for every command and in every configuration.
//!
//! CAP_BPF stays for interfaces that appear later and for maps on kernels before 5.19, CAP_NET_RAW for marking sockets.
//! CAP_NET_ADMIN stays for marking sockets in place of CAP_NET_RAW (before Linux 5.17, or where that is missing),
//! and before Linux 6.6 for attaching to interfaces.

mod calls;
mod caps;
mod dumps;
mod files;
mod needs;
mod sockets;

use std::io;

pub use dumps::keep_out_of_dumps;
pub use files::{Landlock, knows_landlock};
pub use needs::Needs;

/// The reason why privileges could not be given up.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A capability could not be dropped.
    #[error("cannot drop capabilities: {0}; `agent.confine: false` starts without")]
    Capabilities(#[source] io::Error),
    /// Landlock is available and refused the rules.
    #[error("cannot restrict the file system: {0}; `agent.confine: false` starts without")]
    Files(String),
    /// The system call filter was refused.
    #[error("cannot restrict system calls: {0}; `agent.confine: false` starts without")]
    Calls(String),
}

/// The restrictions in force, and those that could not be applied.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Confinement {
    /// Steps in force, as text for people.
    pub holds: Vec<String>,
    /// Steps that this kernel or container does not support.
    pub missing: Vec<String>,
}

/// Keeps what it takes to attach in other network namespaces, for the process that does nothing else. Landlock is left
/// out: under it a process may not open the namespaces of others.
pub(crate) fn for_namespaces() -> Result<(), ConfineError> {
    caps::drop_all_but(caps::for_namespaces()).map_err(ConfineError::Capabilities)?;
    rustix::thread::set_no_new_privs(true).map_err(|error| ConfineError::Capabilities(error.into()))
}

/// Gives up every capability, for a process that needs none.
pub(crate) fn for_nothing() -> Result<(), ConfineError> {
    caps::drop_all_but(caps::none()).map_err(ConfineError::Capabilities)?;
    rustix::thread::set_no_new_privs(true).map_err(|error| ConfineError::Capabilities(error.into()))
}

/// Step 2. To be called while the process has one thread.
pub fn before_threads(needs: &Needs) -> Result<Confinement, ConfineError> {
    let mut confinement = Confinement::default();
    let kept = caps::keep(needs);
    if !caps::drop_all_but(kept).map_err(ConfineError::Capabilities)? {
        confinement
            .missing
            .push("bounding set as it was: CAP_SETPCAP is not there".to_owned());
    }
    confinement
        .holds
        .push(format!("capabilities: {}", caps::names(kept)));
    rustix::thread::set_no_new_privs(true).map_err(|error| ConfineError::Capabilities(error.into()))?;
    confinement.holds.push("no new privileges".to_owned());
    match files::restrict(needs).map_err(|error| ConfineError::Files(error.to_string()))? {
        Landlock::Full => confinement.holds.push("files: landlock".to_owned()),
        Landlock::Partial => confinement
            .holds
            .push("files: landlock, as far as this kernel knows it".to_owned()),
        Landlock::None => confinement
            .missing
            .push("files: this kernel has no Landlock (Linux 5.13)".to_owned()),
    }
    Ok(confinement)
}

/// Step 4. Reaches every thread of the process.
pub fn after_attach(needs: &Needs, confinement: &mut Confinement) -> Result<(), ConfineError> {
    calls::forbid(needs).map_err(|error| ConfineError::Calls(error.to_string()))?;
    confinement.holds.push("system calls: seccomp".to_owned());
    if needs.clsact {
        let what = "sockets: interfaces are attached by netlink, which stays open (Linux 6.6 needs none)";
        confinement.missing.push(what.to_owned());
    }
    Ok(())
}
