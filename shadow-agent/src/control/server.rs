//! The agent's end of the control socket.
//!
//! Each client is a task on the control thread's runtime. Slow work (a report is made under the ledger's lock) runs
//! beside it with a deadline, so that a stuck pipeline cannot block a kill.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown},
            net,
        },
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream, unix::UCred},
    sync::Semaphore,
    time::timeout,
};

use super::{
    Agent, peer,
    proto::{Answer, MAX_REQUEST, Order},
};
use crate::command::CommandError;

/// Clients served at once; further ones are asked to try again.
pub const MAX_CLIENTS: usize = 16;

/// A client that takes longer to send a line, or to read the reply, is cut off.
const PATIENCE: Duration = Duration::from_secs(5);

/// A status or report that takes longer is not waited for.
const ANSWER: Duration = Duration::from_secs(2);

/// The socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A live agent answers on it.
    #[error("the control socket {} belongs to a running agent; stop it, or choose another with --socket", .0.display())]
    InUse(PathBuf),
    /// Another file is there.
    #[error("{} is no socket; remove it, or choose another with --socket", .0.display())]
    NoSocket(PathBuf),
    /// Any other error.
    #[error("cannot open the control socket {}: {source}; choose another with --socket", path.display())]
    Open {
        /// The socket.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

/// The open socket. Dropping it removes the file.
#[derive(Debug)]
pub struct Socket {
    listener: net::UnixListener,
    place: Mutex<SocketFile>,
    group: Option<u32>,
}

impl Socket {
    /// Opens the socket for its owner, and for a group if one is given. Replaces the socket of a dead agent.
    pub fn open(path: &Path, group: Option<u32>) -> Result<Self, SocketError> {
        if path.exists() {
            is_free(path)?;
            // Of a dead agent.
            drop(fs::remove_file(path));
        }
        Self::replace(path, group)
    }

    /// As [`Socket::open`]; replaces the socket of an agent that has agreed to it.
    pub fn replace(path: &Path, group: Option<u32>) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Open {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            folder_for(folder, group).map_err(failed)?;
        }
        // Under another name until its mode is right, so that others cannot connect at any moment.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(format!(".{}", std::process::id()));
        let fresh = PathBuf::from(fresh);
        let listener = net::UnixListener::bind(&fresh).map_err(failed)?;
        // For our user alone first: the mode lets the group in only once it is the right one.
        fs::set_permissions(&fresh, Permissions::from_mode(0o600))
            .and_then(|()| match group {
                None => Ok(()),
                Some(_) => chown(&fresh, None, group)
                    .and_then(|()| fs::set_permissions(&fresh, Permissions::from_mode(0o660))),
            })
            .and_then(|()| put_aside(path))
            .and_then(|()| fs::rename(&fresh, path))
            .and_then(|()| listener.set_nonblocking(true))
            .map_err(failed)?;
        Ok(Self {
            place: Mutex::new(SocketFile {
                path: path.to_owned(),
                number: number(path),
            }),
            listener,
            group,
        })
    }

    /// Moves it to another path, and replaces what is there.
    pub fn place(&self, to: &Path) -> io::Result<()> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        put_aside(to)?;
        fs::rename(&place.path, to)?;
        to.clone_into(&mut place.path);
        Ok(())
    }

    /// Its file.
    pub fn file(&self) -> SocketFile {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The listening socket, for a process that serves it.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.listener.try_clone().map(OwnedFd::from)
    }

    /// Serves clients until dropped. Must run in a tokio runtime.
    pub async fn serve(self, agent: Arc<dyn Agent>) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let places = Arc::new(Semaphore::new(MAX_CLIENTS));
        loop {
            let (stream, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                // Out of file descriptors, for example: others may be closed.
                Err(error) => {
                    tracing::warn!(%error, "a control client could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let agent = Arc::clone(&agent);
            let group = self.group;
            let place = Arc::clone(&places).try_acquire_owned().ok();
            tokio::spawn(async move {
                let served = match place {
                    Some(_place) => serve(stream, agent, group).await,
                    None => refuse(stream, "too many clients; try again").await,
                };
                if let Err(error) = served {
                    tracing::debug!(%error, "a control client was cut off");
                }
            });
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let SocketFile { path, number: own } = self.file();
        for path in [aside(&path), path] {
            if own.is_some() && number(&path) == own {
                drop(fs::remove_file(&path));
            }
        }
    }
}

/// The file of a socket, which a successor may put aside.
#[derive(Clone, Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Tells it from that of a successor.
    number: Option<u64>,
}

impl SocketFile {
    /// Puts it back in the place of that of a successor that has ended.
    pub fn restore(&self) -> io::Result<()> {
        let put_aside = aside(&self.path);
        if self.number.is_some() && number(&put_aside) == self.number {
            fs::rename(put_aside, &self.path)?;
        }
        Ok(())
    }
}

/// Where the socket of a predecessor is.
fn aside(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".before");
    aside.into()
}

/// Keeps the socket that is at a path, if there is one: its agent puts it back if it continues.
fn put_aside(path: &Path) -> io::Result<()> {
    match fs::rename(path, aside(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The number of a file.
fn number(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|facts| facts.ino())
}

/// Refuses the path of a live agent's socket, and of another file.
fn is_free(path: &Path) -> Result<(), SocketError> {
    match net::UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        // Nothing listens on it any more.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            if is_socket(path) {
                Ok(())
            } else {
                Err(SocketError::NoSocket(path.to_owned()))
            }
        }
        // A full backlog: an agent exists, but hangs.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SocketError::InUse(path.to_owned())),
        Err(source) => Err(SocketError::Open {
            path: path.to_owned(),
            source,
        }),
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket())
}

/// The socket's folder, created if it is missing: accessible to the group, and to nobody else.
fn folder_for(folder: &Path, group: Option<u32>) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if group.is_some() {
        chown(folder, None, group)?;
        fs::set_permissions(folder, Permissions::from_mode(0o710))?;
    }
    Ok(())
}

/// The reason why this peer may not control the agent. The mode of the file says the same; this check also covers a
/// peer that was handed an open socket, and a changed mode.
fn refusal(peer: UCred, group: Option<u32>) -> Option<String> {
    if peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw() {
        return None;
    }
    let member = |gid| peer::is_member(peer.pid().unwrap_or(0), peer.gid(), gid);
    match group {
        Some(gid) if member(gid) => None,
        Some(gid) => Some(format!(
            "{} may not control it: only root, the agent's own user and members of group {gid} may; use sudo",
            peer::user(peer.uid())
        )),
        None => Some(format!(
            "{} may not control it: only root and the agent's own user may; use sudo, or let a group in with agent.group",
            peer::user(peer.uid())
        )),
    }
}

/// As it is recorded: `root (uid 0), pid 4711`.
fn who(peer: UCred) -> String {
    let user = peer::user(peer.uid());
    match peer.pid() {
        Some(pid) if pid > 0 => format!("{user}, pid {pid}"),
        _ => user,
    }
}

async fn serve(mut stream: UnixStream, agent: Arc<dyn Agent>, group: Option<u32>) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    if let Some(why) = refusal(peer, group) {
        tracing::warn!(who = who(peer), "a control client was refused");
        return refuse(stream, &why).await;
    }
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = MAX_REQUEST as u64;
        timeout(PATIENCE, (&mut read).take(most).read_until(b'\n', &mut line)).await??;
        if line.is_empty() {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        let answer = if !whole && line.len() == MAX_REQUEST {
            let why = format!("the request is longer than {MAX_REQUEST} bytes");
            Answer::Error(CommandError::Refused(why))
        } else {
            match Order::read(&line) {
                Ok(order) => obey(order, &agent, peer).await,
                Err(why) => Answer::Error(CommandError::Refused(why)),
            }
        };
        let reply = answer.line();
        timeout(PATIENCE, write.write_all(&reply)).await??;
        if !whole {
            return Ok(());
        }
    }
}

async fn refuse(mut stream: UnixStream, why: &str) -> io::Result<()> {
    let reply = Answer::Error(CommandError::refused(why)).line();
    timeout(PATIENCE, stream.write_all(&reply)).await?
}

async fn obey(order: Order, agent: &Arc<dyn Agent>, peer: UCred) -> Answer {
    let done = |result: Result<(), CommandError>| result.map_or_else(Answer::Error, |()| Answer::Done);
    let who = who(peer);
    match order {
        // In this task: nothing may delay this order.
        Order::Kill(why) => done(agent.kill(&who, &why)),
        Order::Resume => done(agent.resume(&who)),
        Order::Sample(rate) => beside(agent, move |agent| done(agent.sample(rate, &who))).await,
        Order::Status => beside(agent, |agent| Answer::Status(Box::new(agent.status()))).await,
        Order::Report => beside(agent, |agent| Answer::Report(Box::new(agent.report()))).await,
        Order::Evidence => beside(agent, |agent| Answer::Evidence(Box::new(agent.evidence()))).await,
        Order::Rollout(order) => {
            let answer = |status| Answer::Rollout(Box::new(status));
            beside(agent, move |agent| {
                agent.rollout(order, &who).map_or_else(Answer::Error, answer)
            })
            .await
        }
        Order::ForgetValues => beside(agent, move |agent| done(agent.forget_values(&who))).await,
        Order::Reload => {
            beside(agent, move |agent| {
                agent.reload(&who).map_or_else(Answer::Error, Answer::Reloaded)
            })
            .await
        }
    }
}

async fn beside(agent: &Arc<dyn Agent>, ask: impl FnOnce(&dyn Agent) -> Answer + Send + 'static) -> Answer {
    let agent = Arc::clone(agent);
    match timeout(ANSWER, tokio::task::spawn_blocking(move || ask(&*agent))).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_panicked)) => Answer::Error(CommandError::failed(
            "no answer was made; see the log of the agent",
        )),
        Err(_elapsed) => Answer::Error(CommandError::Failed(format!(
            "the pipeline did not answer within {ANSWER:?}; `shadow kill` still works"
        ))),
    }
}
