//! Child processes that never outlive their test.
//!
//! Each is started from its own thread in its namespace, through `setpriv --pdeathsig`: the kernel ends it when that
//! thread ends, also when the test itself is killed.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::netns::Netns;

/// Waits until `done` holds, checking every 10 ms.
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Parameters for starting a [`Process`].
#[derive(Debug)]
pub struct Launch {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    directory: PathBuf,
    /// Command prefix of the program, such as `setpriv --reuid nobody`.
    wrapper: Vec<OsString>,
}

impl Launch {
    /// `program` with its output in files under `directory`.
    pub fn new(program: impl AsRef<OsStr>, directory: &Path) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            directory: directory.to_owned(),
            wrapper: ["setpriv", "--pdeathsig", "KILL"].map(OsString::from).into(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Puts a command prefix between the guard and the program: `setpriv --reuid nobody --clear-groups`.
    #[must_use]
    pub fn wrapped(mut self, words: &[&str]) -> Self {
        self.wrapper.extend(words.iter().map(OsString::from));
        self
    }

    /// Starts it in a namespace.
    pub fn start(self, namespace: &Netns) -> Process {
        let name = Path::new(&self.program)
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let stdout = unused(&self.directory, &name, "out");
        let stderr = stdout.with_extension("err");
        let mut command = Command::new(&self.wrapper[0]);
        command
            .args(&self.wrapper[1..])
            .arg(&self.program)
            .args(&self.args)
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("a file for its output"))
            .stderr(File::create(&stderr).expect("a file for its errors"));
        let namespace = namespace.handle();
        let (child_tx, child_rx) = mpsc::channel();
        let (over_tx, over_rx) = mpsc::channel::<()>();
        let keeper = thread::spawn(move || {
            namespace.enter();
            if child_tx.send(command.spawn()).is_ok() {
                // Returns when the process guard is dropped. The child ends with this thread.
                while over_rx.recv().is_ok() {}
            }
        });
        let child = child_rx
            .recv()
            .expect("the keeper sends the child")
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Process {
            name,
            child,
            stdout,
            stderr,
            keeper: Some((over_tx, keeper)),
        }
    }
}

fn unused(directory: &Path, name: &str, extension: &str) -> PathBuf {
    (0..u32::MAX)
        .map(|number| directory.join(format!("{name}-{number}.{extension}")))
        .find(|path| !path.exists())
        .expect("an unused file name")
}

/// A running child. Dropping it ends it immediately.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    keeper: Option<(mpsc::Sender<()>, thread::JoinHandle<()>)>,
}

impl Process {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of a child").is_none()
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of a child") {
                return status;
            }
            assert!(
                start.elapsed() < limit,
                "{} still runs after {limit:?}\n{}",
                self.name,
                self.output()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its standard output so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Both outputs, for a message.
    pub fn output(&self) -> String {
        format!(
            "{} said:\n{}\n{} complained:\n{}",
            self.name,
            self.stdout(),
            self.name,
            self.stderr()
        )
    }

    /// Current resident memory in bytes.
    pub fn rss(&self) -> u64 {
        status_bytes(self.pid(), "VmRSS:")
    }

    /// Peak resident memory in bytes.
    pub fn peak_rss(&self) -> u64 {
        status_bytes(self.pid(), "VmHWM:")
    }
}

/// A size in proc_pid_status(5), such as `VmRSS:`; 0 when the process is gone.
pub fn status_bytes(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib: Option<u64> = text
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0) * 1024
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either may fail because the process has already ended, which is the goal.
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            println!("{}", self.output());
        }
        if let Some((over_tx, keeper)) = self.keeper.take() {
            drop(over_tx);
            drop(keeper.join());
        }
    }
}
