//! The agent's end of discovery: takes the set of pods from `shadow discover`, and makes it what is wanted.

use std::{
    collections::BTreeSet,
    io::{self, BufReader},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::net::sockopt::socket_peercred;

use super::{Follow, pods};
use crate::capture::stop::{Stop, Waited};

/// How long the rest of a line may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sets the ports that are mirrored.
pub(crate) type SetPorts = Box<dyn Fn(&BTreeSet<u16>) + Send>;

/// The thread that listens to discovery. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Discovery {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Discovery {
    /// Listens. The mode of the socket says who may connect. Pods of another test than `test` are not taken.
    pub(crate) fn start(
        listener: OwnedFd,
        follow: Follow,
        interfaces: Vec<String>,
        test: String,
        ports: SetPorts,
    ) -> io::Result<Self> {
        let stop = Stop::new()?;
        let listening = Listening {
            listener: UnixListener::from(listener),
            follow,
            interfaces,
            test,
            ports,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("discovery".to_owned())
            .spawn(move || listening.run())?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.stop.stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that listens to discovery has panicked");
        }
    }
}

struct Listening {
    listener: UnixListener,
    follow: Follow,
    interfaces: Vec<String>,
    test: String,
    ports: SetPorts,
    stop: Stop,
}

impl Listening {
    fn run(self) {
        while self.waits_for(self.listener.as_fd()) {
            let Ok((stream, _)) = self.listener.accept() else {
                // It went away, or descriptors are short; the latter must not spin.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            };
            if let Ok(peer) = socket_peercred(&stream) {
                tracing::info!(uid = peer.uid.as_raw(), "discovery is connected");
            }
            self.follow.connected(true);
            let served = self.serve(stream);
            self.follow.connected(false);
            match served {
                Ok(true) => return,
                Ok(false) => tracing::warn!("discovery has ended; the pods that are known stay"),
                Err(error) => {
                    tracing::warn!(%error, "discovery cannot be understood; the pods that are known stay");
                }
            }
        }
    }

    /// Takes sets of pods until the other side ends; whether the agent ends.
    fn serve(&self, stream: UnixStream) -> io::Result<bool> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(stream);
        loop {
            if stream.buffer().is_empty() && !self.waits_for(stream.get_ref().as_fd()) {
                return Ok(true);
            }
            let Some(set) = pods::read(&mut stream)? else {
                return Ok(false);
            };
            // They would be replayed to the shadow system of this one.
            let pods = if set.test == self.test {
                set.pods
            } else {
                Vec::new()
            };
            let ports = pods.iter().flat_map(|pod| pod.ports.iter().copied()).collect();
            // Ports first: an attachment without its ports copies nothing, and misses the beginning of connections.
            (self.ports)(&ports);
            self.follow.want(&pods, &self.interfaces);
        }
    }

    /// Waits until there is something to read; false when the agent ends.
    fn waits_for(&self, source: BorrowedFd<'_>) -> bool {
        match self.stop.wait(Some(source), None) {
            Ok(waited) => waited == Waited::Ready,
            Err(error) => {
                tracing::error!(%error, "discovery is not listened to any more");
                false
            }
        }
    }
}
