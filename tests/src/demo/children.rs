//! The processes of the demo.

use std::{env, fs::File, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use shadow_core::evidence::report::Report;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{agent::binary, need::find, shop::Edition};

/// One of the two services.
#[derive(Debug)]
pub(super) struct Shop {
    _child: Child,
    pub(super) address: SocketAddr,
}

impl Shop {
    /// Starts it on a free port.
    pub(super) async fn open(edition: Edition) -> Result<Self> {
        let program = env::current_exe()?.with_file_name("shadow-demo-service");
        let mut child = guarded(&program, "KILL")
            .arg(match edition {
                Edition::Production => "production",
                Edition::Rewrite => "rewrite",
            })
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = child.stdout.take().context("the service has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .and_then(|text| text.parse().ok())
            .with_context(|| format!("the service said {line:?} instead of where it listens"))?;
        Ok(Self {
            _child: child,
            address,
        })
    }
}

/// A program that the kernel ends with this signal when this process is killed. Only for children of the main thread,
/// since the kernel sends the signal when the thread that started them ends.
fn guarded(program: &Path, signal: &str) -> Command {
    let Some(setpriv) = find("setpriv") else {
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", signal]).arg(program);
    command
}

/// Starts the agent: real kernel program, real capture on `lo`.
pub(super) fn agent(home: &Path, production: &Shop, rewrite: &Shop) -> Result<Child> {
    let log = File::create(home.join("agent.log")).context("cannot write the agent's log")?;
    guarded(&binary(), "TERM")
        .arg("run")
        .arg("--config")
        .arg(home.join("shadow.yaml"))
        .args(["--interface", "lo"])
        .args(["--port", &production.address.port().to_string()])
        .args(["--shadow", &format!("http://{}", rewrite.address)])
        .args(["--timeout", "1s"])
        // If everything else fails, it still ends by itself.
        .args(["--duration", "5m"])
        .arg("--socket")
        .arg(home.join("shadow.sock"))
        .arg("--state-dir")
        .arg(home.join("state"))
        .stdout(log.try_clone()?)
        .stderr(log)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        // Ctrl-C on the terminal is for this process alone, which then ends the others in order.
        .process_group(0)
        .spawn()
        .context("cannot start the agent")
}

/// Asks the agent to end, and waits until it has.
pub(super) async fn end(agent: &mut Child) -> Result<()> {
    if let Some(pid) = agent.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(pid, Signal::TERM).context("cannot end the agent")?;
    }
    let Ok(status) = timeout(Duration::from_secs(15), agent.wait()).await else {
        agent.kill().await?;
        bail!("the agent did not end within 15 s and was killed");
    };
    let status = status?;
    if !status.success() {
        bail!("the agent ended with {status}");
    }
    Ok(())
}

async fn ask(home: &Path, words: &[&str]) -> Result<String> {
    let output = Command::new(binary())
        .args(words)
        .env("SHADOW_SOCKET", home.join("shadow.sock"))
        .env("SHADOW_STATE_DIR", home.join("state"))
        .output()
        .await
        .context("cannot ask the agent")?;
    // The exit code is the verdict: 1 is NO-GO, 2 is too little evidence.
    if output.stdout.is_empty() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `shadow report` as text.
pub(super) async fn text(home: &Path) -> Result<String> {
    ask(home, &["report"]).await
}

/// `shadow report --json`.
pub(super) async fn report(home: &Path) -> Result<Report> {
    let text = ask(home, &["report", "--json"]).await?;
    serde_json::from_str(&text).context("the report is no JSON")
}
