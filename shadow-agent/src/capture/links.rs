//! Keeps the kernel program on every interface that was asked for, as interfaces appear and disappear.
//!
//! Owns: the attachments, and a small thread that listens to rtnetlink. Bounds: the last [`EVENTS`] events are kept.
//! Drops: an interface that cannot be attached to is an event with the reason, and is tried again when it changes.

use std::{
    io,
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use globset::{Glob, GlobMatcher};
use rustix::event::Timespec;

pub use super::link_state::{AttachedLink, EVENTS, LinkEvent};
use super::{
    attach::{AttachError, Attacher, Attachment},
    guard::Guard,
    link_state::State,
    netlink::{Interface, LinkChange, LinkMonitor, Requests},
    stop::{Stop, Waited},
};

/// A name or a glob (`veth*`, `eth[01]`).
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    glob: GlobMatcher,
    exact: bool,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Result<Self, LinksError> {
        let glob = Glob::new(text).map_err(|error| LinksError::Pattern {
            pattern: text.to_owned(),
            reason: error.kind().to_string(),
        })?;
        Ok(Self {
            text: text.to_owned(),
            glob: glob.compile_matcher(),
            exact: !text.contains(['*', '?', '[', '{']),
        })
    }

    /// Whether the name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.glob.is_match(name)
    }
}

/// The reason why capture cannot start on these interfaces.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinksError {
    /// Not a valid glob.
    #[error("{pattern:?} names no interface: {reason}")]
    Pattern {
        /// The given text.
        pattern: String,
        /// Its fault.
        reason: String,
    },
    /// An interface that was named does not exist.
    #[error(
        "there is no interface {name}; there are: {existing}. A pattern such as `veth*` waits for later ones"
    )]
    Missing {
        /// The requested name.
        name: String,
        /// The existing interfaces.
        existing: String,
    },
    /// An interface that was named cannot be attached to.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// rtnetlink or the thread failed.
    #[error("cannot watch network interfaces: {0}")]
    Watch(String),
}

impl From<io::Error> for LinksError {
    fn from(error: io::Error) -> Self {
        Self::Watch(error.to_string())
    }
}

/// How often the order of the programs at the hooks is asked for.
const LOOK: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// The interfaces with the program on them. Dropping it detaches everything.
#[derive(Debug)]
pub struct Links {
    state: Arc<Mutex<State>>,
    stop: Stop,
    /// Until [`Links::watch`].
    waiting: Option<(Watcher, LinkMonitor)>,
    thread: Option<JoinHandle<()>>,
    guard: Option<Guard>,
}

impl Links {
    /// Attaches to every interface that matches now. Later ones wait for [`Links::watch`].
    ///
    /// A plain name must exist and be attachable now; for a glob both may come later.
    ///
    /// Separate from the watching, because finding another agent on an interface needs privileges (CAP_SYS_ADMIN) that
    /// no thread of the agent should have.
    pub fn attach(attacher: Attacher, patterns: Vec<Pattern>) -> Result<Self, LinksError> {
        let monitor = LinkMonitor::new()?;
        let mut requests = Requests::new()?;
        let existing = requests.interfaces()?;
        for pattern in patterns.iter().filter(|pattern| pattern.exact) {
            if !existing.iter().any(|interface| pattern.matches(&interface.name)) {
                let names: Vec<_> = existing.iter().map(|interface| &*interface.name).collect();
                return Err(LinksError::Missing {
                    name: pattern.text.clone(),
                    existing: names.join(", "),
                });
            }
        }
        let state = Arc::new(Mutex::new(State::default()));
        let guard = attacher.guard();
        let mut watcher = Watcher {
            attacher,
            requests,
            patterns,
            state: Arc::clone(&state),
        };
        for interface in existing {
            let exact = watcher
                .patterns
                .iter()
                .any(|p| p.exact && p.matches(&interface.name));
            match watcher.present(interface) {
                Err(error) if exact => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Self {
            state,
            stop: Stop::new()?,
            waiting: Some((watcher, monitor)),
            thread: None,
            guard,
        })
    }

    /// Follows interfaces as they appear and disappear, including those that came since [`Links::attach`].
    pub fn watch(&mut self) -> Result<(), LinksError> {
        let Some((watcher, monitor)) = self.waiting.take() else {
            return Ok(());
        };
        let stop = self.stop.clone();
        let thread = std::thread::Builder::new()
            .name("links".to_owned())
            .spawn(move || watcher.run(&monitor, &stop))?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Gives the locks on the interfaces back, for a successor. The program stays on them.
    pub fn release(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.attached.values_mut().for_each(Attachment::release);
    }

    /// Takes the locks again, or those of the agent that was succeeded.
    pub fn claim(&mut self) -> Result<(), LinksError> {
        if let Some((watcher, _)) = &mut self.waiting {
            watcher.attacher.claims();
        }
        let Some(guard) = &self.guard else { return Ok(()) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for attachment in state.attached.values_mut() {
            attachment.claim(guard)?;
        }
        Ok(())
    }

    /// The interfaces with the program on them.
    pub fn attached(&self) -> Vec<AttachedLink> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let link = |attachment: &Attachment| AttachedLink {
            interface: attachment.interface.clone(),
            method: attachment.method,
            front: attachment.front.clone(),
        };
        state.attached.values().map(link).collect()
    }

    /// The last events, oldest first.
    pub fn events(&self) -> Vec<LinkEvent> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.events.iter().cloned().collect()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches interfaces has panicked");
        }
        drop(self.waiting.take());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.attached.clear();
    }
}

#[derive(Debug)]
struct Watcher {
    attacher: Attacher,
    /// Opened before the agent was confined.
    requests: Requests,
    patterns: Vec<Pattern>,
    state: Arc<Mutex<State>>,
}

impl Watcher {
    fn run(mut self, monitor: &LinkMonitor, stop: &Stop) {
        loop {
            match stop.wait(Some(monitor.as_fd()), Some(&LOOK)) {
                Ok(Waited::Late) => self.look(),
                Ok(Waited::Stopped) => return,
                Ok(Waited::Ready) => match monitor.changes() {
                    Ok(changes) => changes.into_iter().for_each(|change| self.change(change)),
                    Err(error) => return self.blind(&error),
                },
                Err(error) => return self.blind(&error),
            }
        }
    }

    /// Asks for the order at every hook again.
    fn look(&mut self) {
        let interfaces: Vec<Interface> = {
            let state = self.lock();
            let attached = state.attached.values();
            attached.map(|attachment| attachment.interface.clone()).collect()
        };
        for interface in interfaces {
            let front = self.attacher.front(&interface, &mut self.requests);
            let mut state = self.lock();
            let Some(attachment) = state.attached.get_mut(&interface.index) else {
                continue;
            };
            let by = front.names();
            let news = by != attachment.front.names() && !by.is_empty();
            attachment.front = front;
            if news {
                let name = interface.name;
                state.note(LinkEvent::Overtaken { name, by });
            }
        }
    }

    fn blind(&self, error: &dyn std::error::Error) {
        self.lock().note(LinkEvent::Blind {
            reason: error.to_string(),
        });
    }

    fn change(&mut self, change: LinkChange) {
        match change {
            LinkChange::Present(interface) => {
                // A failure is an event already.
                let _failed = self.present(interface).is_err();
            }
            LinkChange::Gone(index) => self.gone(index),
            LinkChange::Lost => match self.requests.interfaces() {
                Ok(existing) => {
                    let mut absent: Vec<u32> = self.lock().attached.keys().copied().collect();
                    absent.retain(|index| existing.iter().all(|interface| interface.index != *index));
                    for index in absent {
                        self.gone(index);
                    }
                    for interface in existing {
                        self.change(LinkChange::Present(interface));
                    }
                }
                Err(error) => self.blind(&error),
            },
        }
    }

    fn present(&mut self, interface: Interface) -> Result<(), AttachError> {
        let wanted = self
            .patterns
            .iter()
            .any(|pattern| pattern.matches(&interface.name));
        let known = self.lock().attached.contains_key(&interface.index);
        match (wanted, known) {
            (false, true) => self.gone(interface.index),
            (true, true) => {
                if let Some(attachment) = self.lock().attached.get_mut(&interface.index) {
                    attachment.interface.name = interface.name;
                }
            }
            (true, false) => {
                let result = self.attacher.attach(&interface, &mut self.requests);
                let mut state = self.lock();
                match result {
                    Ok(attachment) => {
                        state.note(LinkEvent::Attached {
                            name: interface.name,
                            method: attachment.method,
                        });
                        state.attached.insert(interface.index, attachment);
                    }
                    Err(error) => {
                        // A link that flaps must not push all other events out of the list.
                        let event = LinkEvent::Failed { error: error.clone() };
                        if state.events.back() != Some(&event) {
                            state.note(event);
                        }
                        return Err(error);
                    }
                }
            }
            (false, false) => {}
        }
        Ok(())
    }

    fn gone(&mut self, index: u32) {
        let mut state = self.lock();
        if let Some(attachment) = state.attached.remove(&index) {
            state.note(LinkEvent::Gone {
                name: attachment.interface.name,
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
