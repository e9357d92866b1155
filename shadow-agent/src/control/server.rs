//! The agent's end of the control socket.
//!
//! Each client is a task on the control thread's runtime. What may take a moment (a report is made under the ledger's
//! lock) runs beside it with a deadline, so that a stuck pipeline cannot keep a kill from being heard.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        net,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream, unix::UCred},
    sync::Semaphore,
    time::timeout,
};

use super::{
    Agent,
    proto::{Answer, MAX_REQUEST, Order},
};

/// Clients served at once; further ones are told to come again.
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
    /// Something else is there.
    #[error("{} is no socket; remove it, or choose another with --socket", .0.display())]
    NoSocket(PathBuf),
    /// Everything else.
    #[error("cannot open the control socket {}: {source}; choose another with --socket", path.display())]
    Open {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The open socket. Dropping it removes the file.
#[derive(Debug)]
pub struct Socket {
    listener: net::UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Opens the socket for its owner only, in place of one that a dead agent left behind.
    pub fn open(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Open {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(failed)?;
        }
        if path.exists() {
            match net::UnixStream::connect(path) {
                Ok(_) => return Err(SocketError::InUse(path.to_owned())),
                // Nobody listens any more.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    if !is_socket(path) {
                        return Err(SocketError::NoSocket(path.to_owned()));
                    }
                }
                // A full backlog: there is somebody, who hangs.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(SocketError::InUse(path.to_owned()));
                }
                Err(source) => return Err(failed(source)),
            }
        }
        // Under another name until its mode is right, so that there is no moment at which others could connect.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(format!(".{}", std::process::id()));
        let fresh = PathBuf::from(fresh);
        let listener = net::UnixListener::bind(&fresh).map_err(failed)?;
        fs::set_permissions(&fresh, Permissions::from_mode(0o600))
            .and_then(|()| fs::rename(&fresh, path))
            .and_then(|()| listener.set_nonblocking(true))
            .map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Serves clients until dropped. Must run in a tokio runtime.
    pub async fn serve(self, agent: Arc<dyn Agent>) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let places = Arc::new(Semaphore::new(MAX_CLIENTS));
        loop {
            let (stream, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                // Out of file descriptors, for example: others may give one back.
                Err(error) => {
                    tracing::warn!(%error, "a control client could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let agent = Arc::clone(&agent);
            let place = Arc::clone(&places).try_acquire_owned().ok();
            tokio::spawn(async move {
                let served = match place {
                    Some(_place) => serve(stream, agent).await,
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
        drop(fs::remove_file(&self.path));
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket())
}

async fn serve(mut stream: UnixStream, agent: Arc<dyn Agent>) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    // The mode of the file says the same; this also holds for whoever was handed an open socket.
    if peer.uid() != 0 && peer.uid() != rustix::process::geteuid().as_raw() {
        return refuse(
            stream,
            "only root and the agent's own user may control it; use sudo",
        )
        .await;
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
            Answer::Error(format!("the request is longer than {MAX_REQUEST} bytes"))
        } else {
            match Order::read(&line) {
                Ok(order) => obey(order, &agent, peer).await,
                Err(error) => Answer::Error(error),
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
    let reply = Answer::Error(why.to_owned()).line();
    timeout(PATIENCE, stream.write_all(&reply)).await?
}

async fn obey(order: Order, agent: &Arc<dyn Agent>, peer: UCred) -> Answer {
    let done = |result: Result<(), String>| result.map_or_else(Answer::Error, |()| Answer::Done);
    match order {
        Order::Kill(why) => {
            let who = match peer.pid() {
                Some(pid) => format!("uid {} (pid {pid})", peer.uid()),
                None => format!("uid {}", peer.uid()),
            };
            done(agent.kill(&who, &why))
        }
        Order::Resume => done(agent.resume()),
        Order::Sample(rate) => done(agent.sample(rate)),
        Order::Status => beside(agent, |agent| Answer::Status(Box::new(agent.status()))).await,
        Order::Report => beside(agent, |agent| Answer::Report(Box::new(agent.report()))).await,
    }
}

async fn beside(agent: &Arc<dyn Agent>, ask: impl FnOnce(&dyn Agent) -> Answer + Send + 'static) -> Answer {
    let agent = Arc::clone(agent);
    match timeout(ANSWER, tokio::task::spawn_blocking(move || ask(&*agent))).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_panicked)) => Answer::Error("the agent failed to answer; see its log".to_owned()),
        Err(_elapsed) => Answer::Error(format!(
            "the pipeline did not answer within {ANSWER:?}; `shadow kill` still works"
        )),
    }
}
