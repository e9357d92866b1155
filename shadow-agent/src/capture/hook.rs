//! The hooks of an interface, and how the kernel program is attached to them.

use aya::{programs::TcAttachType, util::KernelVersion};
use shadow_common::config::{EGRESS_PROGRAM, INGRESS_PROGRAM};

use super::netlink::Interface;

/// Priority of our clsact filter: before most others, whose verdict could end the chain.
pub(crate) const PRIORITY: u16 = 5;

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

    pub(super) const fn kind(self) -> TcAttachType {
        match self {
            Self::Ingress => TcAttachType::Ingress,
            Self::Egress => TcAttachType::Egress,
        }
    }

    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Ingress => INGRESS_PROGRAM,
            Self::Egress => EGRESS_PROGRAM,
        }
    }
}
