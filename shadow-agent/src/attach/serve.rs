//! The attach process itself: one loop over its connection to the agent.

use std::{
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
};

use rustix::{
    io::{FdFlags, dup, fcntl_setfd},
    stdio::stdin,
};
use shadow_common::config::{self, REQUESTS_ANYWHERE, REQUESTS_INGRESS};

use super::{
    enter::{Home, Open},
    label::{self, Maps},
};
use crate::{
    capture::{
        hook::{Hook, Method, Role},
        links::Pattern,
        namespaces::wire::{self, Answer, Attach, MOST_LINKS, Order, Reason, Way},
        netlink::{Interface, Requests},
        others::{Strict, asked},
        tcx,
    },
    privs,
};

/// Runs as the attach process of the agent at the other end of standard input. `pods_only` refuses namespaces that are
/// named by a path or a process.
pub fn serve(pods_only: bool) -> anyhow::Result<ExitCode> {
    let stream = dup(stdin())?;
    fcntl_setfd(&stream, FdFlags::CLOEXEC)?;
    privs::for_namespaces()?;
    Server::new(Home::open()?, pods_only).run(&UnixStream::from(stream))?;
    Ok(ExitCode::SUCCESS)
}

struct Server {
    home: Home,
    pods_only: bool,
    /// The label map and the program array.
    maps: Option<[OwnedFd; 2]>,
}

/// Links, and what to say about them.
type Outcome = Result<(Answer, Vec<OwnedFd>), (Reason, String)>;

impl Server {
    const fn new(home: Home, pods_only: bool) -> Self {
        Self {
            home,
            pods_only,
            maps: None,
        }
    }

    /// Carries out orders until the agent ends.
    fn run(mut self, agent: &UnixStream) -> io::Result<()> {
        while let Some((order, descriptors)) = wire::receive::<Order>(agent)? {
            let (answer, links) = self
                .obey(order, descriptors)
                .unwrap_or_else(|(reason, text)| (Answer::Failed { reason, text }, Vec::new()));
            let links: Vec<BorrowedFd<'_>> = links.iter().map(OwnedFd::as_fd).collect();
            wire::send(agent, &answer, &links)?;
        }
        Ok(())
    }

    fn obey(&mut self, order: Order, descriptors: Vec<OwnedFd>) -> Outcome {
        match order {
            Order::Maps => {
                let maps = <[OwnedFd; 2]>::try_from(descriptors);
                self.maps = Some(maps.map_err(|_other| refused(&"two maps are expected"))?);
                Ok((Answer::Done, Vec::new()))
            }
            Order::Attach(attach) => self.attach(&attach),
            Order::Detach(attach) => self.detach(&attach),
        }
    }

    fn attach(&mut self, wanted: &Attach) -> Outcome {
        let there = self.home.find(&wanted.namespace, self.pods_only)?;
        let [label, programs] = self
            .maps
            .as_ref()
            .ok_or_else(|| refused(&"the maps are missing"))?;
        let maps = Maps {
            label: label.as_fd(),
            programs: programs.as_fd(),
        };
        let attached = self.home.inside(&there, || inside(&there, wanted, maps));
        attached.map_err(|error| refused(&error))?
    }

    fn detach(&mut self, wanted: &Attach) -> Outcome {
        let there = self.home.find(&wanted.namespace, self.pods_only)?;
        let detached = self.home.inside(&there, || -> io::Result<()> {
            // Another one has its place by now.
            if wanted.known != there.identity().ok() {
                return Ok(());
            }
            let mut requests = Requests::new()?;
            for interface in chosen(requests.interfaces()?, &wanted.interfaces)? {
                for &hook in Hook::of(&interface) {
                    requests.remove_filter(interface.index, hook.parent(), Role::Mirror.place())?;
                }
            }
            Ok(())
        });
        detached.and_then(|done| done).map_err(|error| refused(&error))?;
        Ok((Answer::Done, Vec::new()))
    }
}

fn refused(why: &dyn std::fmt::Display) -> (Reason, String) {
    (Reason::Refused, why.to_string())
}

/// Attaches to interfaces of the network namespace that this thread is in.
fn inside(there: &Open, wanted: &Attach, maps: Maps<'_>) -> Outcome {
    let failed = |error: io::Error| refused(&error);
    let identity = there.identity().map_err(failed)?;
    if wanted.known == Some(identity) {
        return Ok((Answer::Unchanged, Vec::new()));
    }
    let mut requests = Requests::new().map_err(failed)?;
    let interfaces = chosen(requests.interfaces().map_err(failed)?, &wanted.interfaces).map_err(failed)?;
    if interfaces.is_empty() {
        let text = format!("it has no interface {}", wanted.interfaces.join(" or "));
        return Err((Reason::NoInterface, text));
    }
    let mut links = Vec::new();
    for interface in &interfaces {
        let others = asked(interface, &mut requests, Strict::No).map_err(|error| refused(&error))?;
        // A filter may be a dead agent's, and is replaced.
        if others
            .iter()
            .any(|other| other.method == Method::Tcx && other.ours == Some(true))
        {
            let text = format!("another agent is attached to its {}", interface.name);
            return Err((Reason::AnotherAgent, text));
        }
        for &hook in Hook::of(interface) {
            links.extend(hooked(interface, hook, wanted, maps, &mut requests).map_err(failed)?);
        }
    }
    if links.len() > MOST_LINKS {
        return Err(refused(&"more interfaces than one order can name: name fewer"));
    }
    let interfaces = interfaces.into_iter().map(|interface| interface.name).collect();
    Ok((Answer::Attached { identity, interfaces }, links))
}

/// Attaches at one hook; returns the link, if there is one.
fn hooked(
    interface: &Interface,
    hook: Hook,
    wanted: &Attach,
    maps: Maps<'_>,
    requests: &mut Requests,
) -> io::Result<Option<OwnedFd>> {
    // A server's own interface: requests come in there, and what goes out is a request of its own to another server.
    // Both directions pass a loopback interface at its one hook.
    let at = if interface.loopback {
        REQUESTS_ANYWHERE
    } else {
        REQUESTS_INGRESS
    };
    let (place, kind) = match hook {
        Hook::Ingress => (0, tcx::INGRESS),
        Hook::Egress => (1, tcx::EGRESS),
    };
    let name = Role::Mirror.program(hook);
    let program = label::load_program(name, maps, config::label(wanted.label, at), place)?;
    match wanted.method {
        Way::Tcx => tcx::link(program.as_fd(), interface.index, kind, None).map(Some),
        Way::Clsact => {
            requests.add_clsact(interface.index)?;
            let place = Role::Mirror.place();
            requests.set_filter(interface.index, hook.parent(), place, (name, program.as_fd()))?;
            Ok(None)
        }
    }
}

/// The interfaces whose names match.
fn chosen(existing: Vec<Interface>, wanted: &[String]) -> io::Result<Vec<Interface>> {
    let patterns: Result<Vec<Pattern>, _> = wanted.iter().map(|name| Pattern::new(name)).collect();
    let patterns = patterns.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let is_wanted = |interface: &Interface| patterns.iter().any(|pattern| pattern.matches(&interface.name));
    Ok(existing.into_iter().filter(is_wanted).collect())
}
