//! The built `shadow` binary under test: started with arguments, queried over its socket, ended in every possible way.

use std::{
    env,
    ffi::OsStr,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use shadow_core::evidence::report::Report;

use crate::{
    netns::Netns,
    process::{Launch, Process, wait_until},
};

/// How long an agent may take to be ready, and to end.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Arguments with which everything is replayed once, however busy the test machine is.
pub const ALL_ONCE: [&str; 6] = ["--idle-cpu", "0%", "--cores", "0", "--twice", "0%"];

/// The `shadow` binary of this build: next to the test executables, or the path in `SHADOW_BIN`.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("SHADOW_BIN") {
        return path.into();
    }
    let test = env::current_exe().expect("the path of this test");
    let found = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join("shadow"))
        .find(|path| path.is_file());
    found.expect("the agent is built beside the tests: cargo xtask test, or cargo build --bins first")
}

/// An agent to be started.
#[derive(Debug)]
pub struct Plan {
    program: PathBuf,
    directory: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    wrapper: Vec<String>,
}

impl Plan {
    /// With its socket, state and output under `directory`.
    pub fn new(directory: &Path) -> Self {
        let directory = directory.join("agent");
        std::fs::create_dir_all(&directory).expect("a directory for the agent");
        Self {
            program: binary(),
            directory,
            args: Vec::new(),
            env: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    /// Another build of the agent, for example of an earlier commit.
    #[must_use]
    pub fn program(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// Captures `port` on `interface`.
    #[must_use]
    pub fn capture(self, interface: &str, port: u16) -> Self {
        self.args(&["--interface", interface, "--port", &port.to_string()])
    }

    /// Replays to `shadow`, as [`ALL_ONCE`].
    #[must_use]
    pub fn replay(self, shadow: SocketAddr) -> Self {
        self.args(&["--shadow", &format!("http://{shadow}")])
            .args(&ALL_ONCE)
    }

    /// More arguments of `shadow run`.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Drops a share of the captured segments, such as `10%:7`.
    #[must_use]
    pub fn forgetting(mut self, share: &str) -> Self {
        self.env.push((
            shadow_agent::capture::fault::VARIABLE.to_owned(),
            share.to_owned(),
        ));
        self
    }

    /// Aborts while it compares an exchange whose target contains this text.
    #[must_use]
    pub fn aborting(mut self, target: &str) -> Self {
        let variable = shadow_agent::unfinished::FAULT.to_owned();
        self.env.push((variable, target.to_owned()));
        self
    }

    /// Command prefix of the binary: `setpriv --reuid nobody`.
    #[must_use]
    pub fn wrapped(mut self, words: &[&str]) -> Self {
        self.wrapper.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// Starts it and does not wait.
    pub fn launch(self, namespace: &Netns) -> Agent {
        let Self {
            program,
            directory,
            args,
            env,
            wrapper,
        } = self;
        let socket = directory.join("shadow.sock");
        let state = directory.join("state");
        let mut launch = Launch::new(&program, &directory).args(["run"]).args(&args);
        // A test may pass these arguments itself, to check that they are refused.
        if !args.iter().any(|arg| arg == "--socket") {
            launch = launch.args(["--socket".as_ref(), socket.as_os_str()]);
        }
        if !args.iter().any(|arg| arg == "--state-dir") {
            launch = launch.args(["--state-dir".as_ref(), state.as_os_str()]);
        }
        let words: Vec<_> = wrapper.iter().map(String::as_str).collect();
        launch = launch.wrapped(&words);
        for (name, value) in &env {
            launch = launch.env(name, value);
        }
        Agent {
            program,
            process: launch.start(namespace),
            namespace: namespace.handle(),
            socket,
            state,
        }
    }

    /// Starts it and waits until it captures.
    pub fn start(self, namespace: &Netns) -> Agent {
        let mut agent = self.launch(namespace);
        agent.ready();
        agent
    }
}

/// A started agent. Dropping it kills it.
#[derive(Debug)]
pub struct Agent {
    /// The process.
    pub process: Process,
    program: PathBuf,
    namespace: Netns,
    socket: PathBuf,
    state: PathBuf,
}

impl Agent {
    /// Waits until it captures and answers.
    pub fn ready(&mut self) {
        wait_until("the agent is ready", PATIENCE, || {
            assert!(
                self.process.is_running(),
                "the agent ended at its start\n{}",
                self.process.output()
            );
            self.socket.exists() && self.ask(&["status", "--json"]).status.success()
        });
    }

    /// Its control socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Runs `shadow WORDS` against this agent.
    pub fn ask<S: AsRef<OsStr> + Sync>(&self, words: &[S]) -> Output {
        self.namespace.run(|| {
            self.command(&self.program)
                .args(words)
                .output()
                .expect("the agent's binary starts")
        })
    }

    /// A command in which `shadow` refers to this agent. It runs in the caller's namespace.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("SHADOW_SOCKET", &self.socket)
            .env("SHADOW_STATE_DIR", &self.state);
        command
    }

    /// Like [`Agent::ask`], but returns the output.
    pub fn must(&self, words: &[&str]) -> String {
        let output = self.ask(words);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "shadow {words:?} ended with {}: {said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    /// `shadow status --json`.
    pub fn status(&self) -> Value {
        let text = self.must(&["status", "--json"]);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("status is no JSON: {error}: {text}"))
    }

    /// `shadow report --json`, whatever the verdict.
    pub fn report(&self) -> Report {
        let output = self.ask(&["report", "--json"]);
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!(
                "the report is no JSON: {error}: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// The report once `exchanges` have been seen and none is in progress.
    pub fn settled(&self, exchanges: u64) -> Report {
        self.settled_when(&format!("{exchanges} exchanges are accounted for"), |report| {
            report.funnel.exchanges >= exchanges
        })
    }

    /// The report once `done` holds, nothing is in progress and nothing has changed for half a second.
    pub fn settled_when(&self, what: &str, mut done: impl FnMut(&Report) -> bool) -> Report {
        let start = Instant::now();
        let mut last = self.report();
        let mut since = Instant::now();
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.report();
            if now.funnel.exchanges != last.funnel.exchanges || now.funnel.in_flight > 0 || !done(&now) {
                since = Instant::now();
            }
            if since.elapsed() > Duration::from_millis(500) {
                return now;
            }
            assert!(
                start.elapsed() < PATIENCE * 3,
                "not within {:?}: {what}\n{:#?}\n{}",
                PATIENCE * 3,
                now.funnel,
                self.process.output()
            );
            last = now;
        }
    }

    /// Asks it to end, waits, and returns its last report.
    pub fn stop(&mut self) -> Report {
        self.end();
        self.report()
    }

    /// Asks it to end, and waits.
    pub fn end(&mut self) {
        self.process.signal(Signal::TERM);
        let status = self.process.wait(PATIENCE);
        assert!(status.success(), "{status}\n{}", self.process.output());
    }
}
