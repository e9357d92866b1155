//! `cargo xtask demo`: the shop, its rewrite, customers and the agent on loopback, and the resulting report.
//!
//! Owns every process that it starts. They end with it, also on Ctrl-C, and the agent has a time limit of its own in
//! case this process is killed.

pub mod checklist;
mod children;

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use shadow_core::evidence::report::Report;
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use crate::shop::{Edition, load, rpc::DESCRIPTORS};
use children::{Shop, agent, end, report, text};

/// Requests per second, over all customers.
const RATE: u32 = 150;
const CUSTOMERS: u32 = 12;
/// The last replays time out this long after the last request.
const TIMEOUT: Duration = Duration::from_secs(1);

static VISITS: load::Visits = load::Visits::none();

/// Not a fault: a few milliseconds on a machine that runs both systems and their customers. The agent finds natural
/// differences by itself; for a run of some seconds it repeats more requests than it does by default. The set of
/// descriptors says which gRPC methods only read, and names their fields.
const RULES: &str = "\
noise:
  twice: 30%
gates:
  latency_floor: 20ms
compare:
  proto_descriptors: ";

/// Runs the demo; an error when a planted fault was not found, or when something else was.
pub async fn run(seconds: u64) -> Result<()> {
    let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
    // From here on Ctrl-C asks for an orderly end.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let stage = tokio::select! {
        stage = Stage::set(directory.path()) => stage?,
        _ = interrupts.recv() => bail!("interrupted"),
    };
    let Stage {
        production,
        rewrite,
        mut agent,
        home,
    } = stage;
    println!(
        "production  http://{}\nshadow      http://{}\n\n\
         {RATE} requests/s from {CUSTOMERS} customers for {seconds} s; the agent copies them off lo, replays the safe \
         ones and compares\n",
        production.address, rewrite.address
    );
    let customers = tokio::spawn(load::run(
        production.address,
        CUSTOMERS,
        RATE,
        Duration::from_secs(seconds),
        &VISITS,
    ));
    let interrupted = tokio::select! {
        watched = watch(&home, &mut agent, Duration::from_secs(seconds) + TIMEOUT + TIMEOUT) => watched.map(|()| false),
        _ = interrupts.recv() => Ok(true),
    };
    customers.abort();
    let ended = end(&mut agent).await;
    drop((production, rewrite));
    if interrupted? {
        println!("\ninterrupted: agent, services and customers have ended, nothing is attached");
        return Ok(());
    }
    ended?;
    println!("\n{}", text(&home).await?);
    let report = report(&home).await?;
    let failed = VISITS.failed.load(std::sync::atomic::Ordering::Relaxed);
    checklist::show(&report, failed)
}

/// All processes of the demo.
struct Stage {
    production: Shop,
    rewrite: Shop,
    agent: Child,
    home: PathBuf,
}

impl Stage {
    async fn set(directory: &Path) -> Result<Self> {
        let production = Shop::open(Edition::Production).await?;
        let rewrite = Shop::open(Edition::Rewrite).await?;
        let home = directory.to_owned();
        let set = home.join("shop.pb");
        fs::write(&set, DESCRIPTORS).context("cannot write the descriptors")?;
        let rules = format!("{RULES}{}\n", set.display());
        fs::write(home.join("shadow.yaml"), rules).context("cannot write the configuration")?;
        let agent = agent(&home, &production, &rewrite)?;
        let mut stage = Self {
            production,
            rewrite,
            agent,
            home,
        };
        stage.ready().await?;
        Ok(stage)
    }

    async fn ready(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.agent.try_wait()? {
                let said = fs::read_to_string(self.home.join("agent.log")).unwrap_or_default();
                bail!("the agent ended at its start with {status}:\n{said}");
            }
            if self.home.join("shadow.sock").exists() && report(&self.home).await.is_ok() {
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(15) {
                bail!("the agent is not ready after 15 s");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Prints the progress every second, until `length` has passed.
async fn watch(home: &Path, agent: &mut Child, length: Duration) -> Result<()> {
    let start = Instant::now();
    let terminal = std::io::stdout().is_terminal();
    while start.elapsed() < length {
        sleep(Duration::from_secs(1)).await;
        if let Some(status) = agent.try_wait()? {
            let said = fs::read_to_string(home.join("agent.log")).unwrap_or_default();
            bail!("the agent ended too early with {status}:\n{said}");
        }
        let line = progress(start.elapsed(), &report(home).await?);
        // A terminal gets one line that is updated; a pipe gets a line every five seconds.
        if terminal {
            print!("\r\x1b[2K{line}");
            std::io::stdout().flush()?;
        } else if start.elapsed().as_secs().is_multiple_of(5) {
            println!("{line}");
        }
    }
    println!();
    Ok(())
}

fn progress(since: Duration, report: &Report) -> String {
    let funnel = &report.funnel;
    format!(
        "{:3} s  {} exchanges  {} replayed: {} match, {} noise, {} mismatch, {} failed  {} skipped  {} kinds of difference",
        since.as_secs(),
        funnel.exchanges,
        funnel.replayed,
        funnel.matched,
        funnel.noise,
        funnel.mismatched.saturating_sub(funnel.noise),
        funnel.shadow_errors,
        funnel.skipped_total,
        report.groups.len(),
    )
}
