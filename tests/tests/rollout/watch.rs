//! `shadow status --watch` on a real terminal, which is restored however the view ends.
//!
//! `script` (util-linux) makes the terminal: drawn output comes out of its standard output, typed input goes into its
//! standard input. A shell in it prints the terminal's settings before and after.

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use shadow_tests::{
    agent::{Agent, binary},
    client::Connection,
    need,
    process::wait_until,
    scene::Scene,
};

use super::start;

/// A way to end the view.
type End = fn(&mut Terminal);

const PATIENCE: Duration = Duration::from_secs(20);

/// Control sequences of xterm that a terminal is sent: the alternate screen and the cursor, on and off.
const ALTERNATE: (&str, &str) = ("\u{1b}[?1049h", "\u{1b}[?1049l");
const CURSOR: (&str, &str) = ("\u{1b}[?25h", "\u{1b}[?25l");

/// The view on a terminal.
struct Terminal {
    script: Child,
    drawn: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Shows this agent. The terminal settings printed by the shell are between `before` and `after`.
    fn watch(agent: &Agent) -> Self {
        Self::watch_by(agent, "")
    }

    /// As [`Terminal::watch`], started by another program.
    fn watch_by(agent: &Agent, by: &str) -> Self {
        let text = format!(
            "stty rows 40 cols 120; echo before; stty -a; sh -c 'echo pid=$$; exec {by} {} status --watch'; echo left=$?; stty -a; \
             echo after",
            binary().display()
        );
        let mut script = Command::new("script")
            .args(["-qfec", &text, "/dev/null"])
            .env("SHADOW_SOCKET", agent.socket())
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script starts");
        let drawn = Arc::default();
        let out = script.stdout.take().expect("a pipe");
        let reader = thread::spawn({
            let drawn = Arc::clone(&drawn);
            move || collect(out, &drawn)
        });
        let terminal = Self {
            script,
            drawn,
            reader: Some(reader),
        };
        // Blanks are not drawn on an empty page, so words are searched for one by one.
        wait_until("the funnel is drawn", PATIENCE, || {
            let text = terminal.text();
            [
                "funnel", "seen,", "sampled,", "replayed", "losses", "targets", "quits",
            ]
            .iter()
            .all(|word| text.contains(word))
        });
        terminal
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.drawn.lock().unwrap()).into_owned()
    }

    /// The process that draws.
    fn pid(&self) -> Pid {
        let text = self.text();
        let digits = text.split("pid=").nth(1).expect("the shell says it");
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        Pid::from_raw(digits.parse().expect("a number")).expect("a process")
    }

    fn types(&mut self, keys: &[u8]) {
        let stdin = self.script.stdin.as_mut().expect("a pipe");
        stdin
            .write_all(keys)
            .and_then(|()| stdin.flush())
            .expect("script reads");
    }

    /// Waits for the end, and checks that nothing of the view is left.
    fn given_back(mut self) {
        wait_until("the shell goes on", PATIENCE, || self.text().contains("after"));
        self.script.wait().expect("script ends");
        self.reader
            .take()
            .expect("is read")
            .join()
            .expect("is read to the end");
        let text = self.text();
        let last = |code: &str| text.rfind(code);
        assert!(last(ALTERNATE.0).is_some(), "it had a page of its own: {text:?}");
        assert!(
            last(ALTERNATE.1) > last(ALTERNATE.0),
            "the page is left: {text:?}"
        );
        assert!(last(CURSOR.0) > last(CURSOR.1), "the cursor is shown: {text:?}");
        let settings: Vec<&str> = text.split("speed ").skip(1).collect();
        let [before, after] = settings.as_slice() else {
            panic!("two of {settings:?}");
        };
        let flags = |text: &str| -> Vec<String> {
            let lines = text
                .lines()
                .take_while(|line| !line.starts_with("pid=") && !line.starts_with("after"));
            lines.map(|line| line.trim_end().to_owned()).collect()
        };
        assert_eq!(flags(before), flags(after), "the terminal is set as it was");
        assert!(
            before.contains(" icanon") && before.contains(" echo "),
            "{before}"
        );
        assert!(text.contains("left=0"), "{text:?}");
    }
}

fn collect(mut out: ChildStdout, drawn: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(read) = out.read(&mut bytes)
        && read > 0
    {
        drawn.lock().unwrap().extend_from_slice(&bytes[..read]);
    }
}

#[test]
fn keys_and_signals_end_it_and_the_terminal_is_given_back() {
    need!(Root, Program("nginx"), Program("script"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, "");
    scene.lab.client.run(|| {
        Connection::open(Scene::production())
            .unwrap()
            .get("/1k.json", "")
            .unwrap();
    });
    let ends: [End; 4] = [
        |terminal| terminal.types(b"q"),
        // Control-C, which the terminal does not turn into a signal meanwhile.
        |terminal| terminal.types(b"\x03"),
        |terminal| kill_process(terminal.pid(), Signal::TERM).expect("it runs"),
        |terminal| kill_process(terminal.pid(), Signal::HUP).expect("it runs"),
    ];
    for end in ends {
        let mut terminal = Terminal::watch(&agent);
        end(&mut terminal);
        terminal.given_back();
    }
    // The agent ends while it is shown: the view says so, and can be left.
    let mut terminal = Terminal::watch(&agent);
    agent.stop();
    wait_until("it says that the agent is gone", PATIENCE, || {
        terminal.text().contains("GONE")
    });
    terminal.types(b"q");
    terminal.given_back();
}

#[test]
fn it_ends_with_its_terminal_also_without_a_signal() {
    need!(Root, Program("nginx"), Program("script"), Program("setsid"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let agent = start(&scene, "");
    // In a session of its own, the terminal is not its controlling terminal: it gets no SIGHUP.
    let mut terminal = Terminal::watch_by(&agent, "setsid");
    let pid = terminal.pid();
    terminal.script.kill().expect("it runs");
    terminal.script.wait().expect("script ends");
    wait_until("the view ends", PATIENCE, || test_kill_process(pid).is_err());
}

#[test]
fn in_a_pipe_it_is_plain_text() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let mut agent = start(&scene, "");
    for (words, wanted) in [
        (&["status", "--watch"][..], "mirror"),
        (&["status", "--watch", "--json"], "\"format\""),
    ] {
        let mut child = Command::new(binary())
            .args(words)
            .env("SHADOW_SOCKET", agent.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let drawn = Arc::default();
        let out = child.stdout.take().expect("a pipe");
        let reader = thread::spawn({
            let drawn = Arc::clone(&drawn);
            move || collect(out, &drawn)
        });
        let text = || String::from_utf8_lossy(&drawn.lock().unwrap()).into_owned();
        wait_until("two pages", PATIENCE, || text().matches(wanted).count() >= 2);
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        reader.join().expect("is read to the end");
        assert!(!text().contains('\u{1b}'), "{words:?}: {:?}", text());
    }
    agent.stop();
}
