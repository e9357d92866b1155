//! Attaches where something is missing, and lets go of what is gone.

use std::{
    any::Any,
    collections::BTreeSet,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
    time::Duration,
};

use shadow_common::config::{MOST_LABELS, heard_index};

use super::{
    Inside, Namespace, Reason, Shared, WantedNamespace,
    wire::{self, Answer, Attach, Order},
};
use crate::capture::{hook::Method, tcx};

/// How long the attach process may take for an order.
const PATIENCE: Duration = Duration::from_secs(2);

/// The connection to the attach process, and what it is used for.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    method: Method,
    /// None after it has failed: an answer that comes late would be taken for that to a later order.
    stream: Option<UnixStream>,
    /// Dropped after the stream.
    _process: Box<dyn Any + Send + Sync>,
    /// The label given last.
    label: u32,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    pub(super) fn new(
        shared: Arc<Shared>,
        method: Method,
        helper: (UnixStream, Box<dyn Any + Send + Sync>),
    ) -> io::Result<Self> {
        let (stream, process) = helper;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut this = Self {
            shared,
            method,
            stream: Some(stream),
            _process: process,
            label: 0,
        };
        let maps = this.shared.lock().maps.descriptors()?;
        if let Err((_, text)) = this.order(&Order::Maps, &[maps[0].as_fd(), maps[1].as_fd()]) {
            return Err(io::Error::other(text));
        }
        Ok(this)
    }

    /// One look at every namespace.
    pub(super) fn turn(&mut self) {
        let leaving = std::mem::take(&mut self.shared.lock().leaving);
        for (wanted, inside) in leaving {
            tracing::info!(
                namespace = wanted.name,
                "a network namespace is not mirrored any more"
            );
            self.detach(&wanted, &inside);
        }
        for wanted in self.missing() {
            self.look(&wanted);
        }
    }

    /// The namespaces to be looked at, after attachments that are gone are dropped.
    fn missing(&self) -> Vec<WantedNamespace> {
        let mut missing = Vec::new();
        for place in self.shared.lock().places.values_mut() {
            if place.attached.as_ref().is_some_and(Inside::is_gone) {
                tracing::info!(namespace = place.wanted.name, "a network namespace is gone");
                place.attached = None;
            }
            // Asking does not change whose network it is.
            if !matches!(place.failure, Some((Reason::HostNetwork, _))) {
                missing.push(place.wanted.clone());
            }
        }
        missing
    }

    fn look(&mut self, wanted: &WantedNamespace) {
        let known = {
            let state = self.shared.lock();
            let attached = state
                .places
                .get(&wanted.namespace)
                .and_then(|place| place.attached.as_ref());
            attached.map(|inside| inside.identity)
        };
        // Only a path can lead to another namespace while the first one lives.
        if known.is_some() && !matches!(wanted.namespace, Namespace::Path(_)) {
            return;
        }
        let label = self.free_label();
        self.shared.lock().maps.forget(label);
        let result = self.order(&Order::Attach(self.attach(wanted, label, known)), &[]);
        if !matches!(result, Ok((Answer::Unchanged, _))) {
            self.label = label;
        }
        let mut state = self.shared.lock();
        let Some(place) = state.places.get_mut(&wanted.namespace) else {
            // No longer wanted; closing the links detaches.
            return;
        };
        match result {
            Ok((Answer::Attached { identity, interfaces }, links)) => {
                tracing::info!(
                    namespace = wanted.name,
                    interfaces = interfaces.join(", "),
                    method = self.method.as_str(),
                    "mirroring a network namespace"
                );
                place.failure = None;
                place.attached = Some(Inside {
                    label,
                    identity,
                    interfaces,
                    links,
                });
            }
            Ok(_) => place.failure = None,
            // The attachment of a namespace whose name is gone lives as long as the namespace.
            Err(_) if known.is_some() => {}
            Err(failure) => {
                if place.failure.as_ref() != Some(&failure) {
                    say(&wanted.name, &failure);
                }
                place.failure = Some(failure);
            }
        }
    }

    /// Detaches everywhere. Closing links is enough, filters have to be taken away.
    pub(super) fn detach_all(&mut self) {
        let places = std::mem::take(&mut self.shared.lock().places);
        for place in places.into_values() {
            if let Some(inside) = place.attached {
                self.detach(&place.wanted, &inside);
            }
        }
    }

    fn detach(&mut self, wanted: &WantedNamespace, inside: &Inside) {
        if self.method == Method::Tcx {
            return;
        }
        let attach = self.attach(wanted, inside.label, Some(inside.identity));
        if let Err((_, text)) = self.order(&Order::Detach(attach), &[]) {
            tracing::debug!(namespace = wanted.name, text, "a filter stays; it copies nothing");
        }
    }

    fn attach(&self, wanted: &WantedNamespace, label: u32, known: Option<u64>) -> Attach {
        Attach {
            namespace: wanted.namespace.clone(),
            interfaces: wanted.interfaces.clone(),
            label,
            method: self.method.into(),
            known,
        }
    }

    /// A label that has not been used for as long as possible: records under the last one may still be in the ring.
    fn free_label(&self) -> u32 {
        let used: BTreeSet<u32> = {
            let state = self.shared.lock();
            let attached = state.places.values().filter_map(|place| place.attached.as_ref());
            attached.map(|inside| heard_index(inside.label)).collect()
        };
        let mut label = self.label;
        for _ in 0..MOST_LABELS {
            // Its highest bit belongs to the format of records.
            label = (label + 1) & (u32::MAX >> 1);
            if !used.contains(&heard_index(label)) {
                break;
            }
        }
        label
    }

    fn order(
        &mut self,
        order: &Order,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), (Reason, String)> {
        let gone = |text: String| (Reason::NoAttachProcess, text);
        let Some(stream) = &self.stream else {
            return Err(gone("the attach process has ended: restart the agent".to_owned()));
        };
        let asked = wire::send(stream, order, descriptors).and_then(|()| wire::receive::<Answer>(stream));
        match asked {
            Ok(Some((Answer::Failed { reason, text }, _))) => Err((reason, text)),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                self.stream = None;
                Err(gone("the attach process has ended".to_owned()))
            }
            Err(error) => {
                self.stream = None;
                Err(gone(format!("the attach process does not answer: {error}")))
            }
        }
    }
}

/// One that is not there yet is no fault.
fn say(namespace: &str, failure: &(Reason, String)) {
    let (reason, text) = failure;
    let what = "a network namespace is not mirrored";
    if *reason == Reason::NoNamespace {
        tracing::info!(namespace, text, "{what}");
    } else {
        let reason = reason.as_str();
        tracing::warn!(namespace, reason, text, "{what}");
    }
}

impl Inside {
    /// Whether an interface is gone that it was attached to, as when its namespace is.
    fn is_gone(&self) -> bool {
        let gone = |link: &OwnedFd| tcx::interface_of(link.as_fd()).is_ok_and(|index| index == 0);
        self.links.iter().any(gone)
    }
}
