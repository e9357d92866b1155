//! The hooks of an interface, and how the kernel program is attached to them.

use aya::{
    programs::{TcAttachType, tc::TcHandle},
    util::KernelVersion,
};
use shadow_common::{config, explain};

use super::netlink::{self, FilterPlace, Interface};

/// Priority of our clsact filter: before most others, whose verdict could end the chain.
pub(crate) const PRIORITY: u16 = 5;

/// Which of the two kernel programs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Role {
    /// The agent's, which mirrors.
    #[default]
    Mirror,
    /// That of `shadow explain`, which follows one flow beside an agent.
    Explain,
}

impl Role {
    /// Its name at a hook.
    pub(crate) const fn program(self, hook: Hook) -> &'static str {
        match (self, hook) {
            (Self::Mirror, Hook::Ingress) => config::INGRESS_PROGRAM,
            (Self::Mirror, Hook::Egress) => config::EGRESS_PROGRAM,
            (Self::Explain, Hook::Ingress) => explain::INGRESS_PROGRAM,
            (Self::Explain, Hook::Egress) => explain::EGRESS_PROGRAM,
        }
    }

    /// The value by which its control map is known.
    pub(crate) const fn layout(self) -> u64 {
        match self {
            Self::Mirror => config::LAYOUT,
            Self::Explain => explain::LAYOUT,
        }
    }

    /// Priority and handle of its clsact filter. That of `shadow explain` comes after the agent's.
    pub(super) const fn filter(self) -> (u16, TcHandle) {
        let FilterPlace {
            priority,
            major,
            minor,
        } = self.place();
        (priority, TcHandle::new(major, minor))
    }

    /// The same, for rtnetlink.
    pub(crate) const fn place(self) -> FilterPlace {
        let (priority, minor) = match self {
            Self::Mirror => (PRIORITY, 0x4457),
            Self::Explain => (PRIORITY + 1, 0x4558),
        };
        FilterPlace {
            priority,
            major: 0x5348,
            minor,
        }
    }
}

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

    /// Its qdisc, for filters.
    pub(crate) const fn parent(self) -> netlink_packet_route::tc::TcHandle {
        match self {
            Self::Ingress => netlink::CLSACT_INGRESS,
            Self::Egress => netlink::CLSACT_EGRESS,
        }
    }

    pub(super) const fn kind(self) -> TcAttachType {
        match self {
            Self::Ingress => TcAttachType::Ingress,
            Self::Egress => TcAttachType::Egress,
        }
    }
}
