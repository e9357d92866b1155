//! The attachments, and the last changes of interfaces.

use std::collections::{BTreeMap, VecDeque};

use super::{
    attach::{AttachError, Attachment},
    front::Front,
    hook::Method,
    netlink::Interface,
};

/// Events that are kept.
pub const EVENTS: usize = 64;

/// A change of an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LinkEvent {
    /// The program is attached to it.
    Attached {
        /// The interface.
        name: String,
        /// The method.
        method: Method,
    },
    /// The interface is gone, or has a name that was not asked for.
    Gone {
        /// The interface.
        name: String,
    },
    /// Another program runs before it, and may hide packets from it.
    Overtaken {
        /// The interface.
        name: String,
        /// The programs.
        by: Vec<String>,
    },
    /// The program is not attached to it.
    Failed {
        /// The error.
        error: AttachError,
    },
    /// Interface changes are no longer received; existing attachments stay.
    Blind {
        /// The reason.
        reason: String,
    },
}

/// An interface with the program on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttachedLink {
    /// The interface.
    pub interface: Interface,
    /// The method.
    pub method: Method,
    /// Programs that run before ours.
    pub front: Front,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) attached: BTreeMap<u32, Attachment>,
    pub(super) events: VecDeque<LinkEvent>,
    total: u64,
}

impl State {
    pub(super) fn note(&mut self, event: LinkEvent) {
        match &event {
            LinkEvent::Attached { name, method } => {
                tracing::info!(
                    interface = name,
                    method = method.as_str(),
                    "mirroring an interface"
                );
            }
            LinkEvent::Gone { name } => tracing::info!(interface = name, "an interface is gone"),
            LinkEvent::Overtaken { name, by } => {
                let by = by.join(", ");
                tracing::warn!(
                    interface = name,
                    by,
                    "other programs run before the capture and may hide packets"
                );
            }
            LinkEvent::Failed { error } => tracing::warn!(%error, "an interface is not mirrored"),
            LinkEvent::Blind { reason } => tracing::warn!(reason, "new interfaces will not be mirrored"),
        }
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
        self.total += 1;
    }
}
