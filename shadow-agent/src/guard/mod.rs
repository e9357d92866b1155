//! A small process beside the agent, with privileges that the agent gives up, for what must not depend on it.
//!
//! Owns: the kill switch when the agent hangs and nothing else can reach its kernel program (CAP_SYS_ADMIN is missing,
//! as in a container); the locks by which a second agent on an interface is refused; the order of programs at a hook.
//! It has the control map's descriptor, never sees a captured byte, and ends with the agent. Bounds: one client and one
//! order at a time, lines of [`LINE`] bytes.
//!
//! A lock is a Unix socket in the abstract namespace, which belongs to the network namespace, as interfaces do: it
//! needs no privilege and no common folder, and goes with its process.

mod serve;

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

pub use serve::serve;

use crate::{
    capture::guard::Guard,
    control::server::{Socket, SocketError},
};

/// The longest line of either side.
const LINE: u64 = 4096;

/// How long `shadow kill` waits for the answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The hidden command that runs as the guard.
const COMMAND: &str = "guard";

/// The reason why there is no guard.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Its socket cannot be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The process cannot be started.
    #[error("the guard process cannot be started: {0}")]
    Start(#[from] io::Error),
}

/// The guard's socket for `shadow kill`, beside the control socket.
pub(crate) fn socket_of(control: &Path) -> PathBuf {
    let mut path = control.as_os_str().to_owned();
    path.push(".guard");
    path.into()
}

/// The process, and the file of its socket. Dropping it ends the process.
struct Running {
    process: Child,
    _socket: Arc<Socket>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its connection to the agent was closed before, which ends it. A confined agent may send it no signal.
        for _ in 0..50 {
            match self.process.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}

/// Starts the process. `map` is the control map; `socket` is where it listens, for `group`. Returns the socket, too,
/// which may be moved.
pub fn start(map: OwnedFd, socket: &Path, group: Option<u32>) -> Result<(Guard, Arc<Socket>), GuardError> {
    let socket = Arc::new(Socket::open(socket, group)?);
    let (ours, theirs) = UnixStream::pair()?;
    // A process group of its own: a Ctrl-C is for the agent.
    let process = Command::new("/proc/self/exe")
        .arg(COMMAND)
        .process_group(0)
        .stdin(Stdio::from(socket.descriptor()?))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::from(map))
        .spawn()?;
    let running = Running {
        process,
        _socket: Arc::clone(&socket),
    };
    Ok((Guard::new(ours, Box::new(running))?, socket))
}

/// Stops the mirroring of an agent through its guard, whatever the agent does.
pub fn kill(control: &Path) -> io::Result<()> {
    let stream = UnixStream::connect(socket_of(control))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    (&stream).write_all(b"kill\n")?;
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer)?;
    match answer.trim_end() {
        "killed" => Ok(()),
        other => Err(io::Error::other(other.to_owned())),
    }
}
