//! Load at a constant rate, or connections that are held open: `shadow-bench-load 10.0.0.2:80 /1k.json --rate 4000`.

use std::{io::Read as _, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use shadow_tests::{
    bench::steady::{self, Plan},
    client::Connection,
};

#[derive(Debug, Parser)]
#[command(about = "Load at a constant rate; used by `cargo xtask bench`")]
struct Args {
    /// Where to
    server: SocketAddr,
    /// The target of each request
    path: String,
    /// Requests a second
    #[arg(long, default_value_t = 4_000)]
    rate: u32,
    /// How long
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Instead: open so many connections, make a request on each, and keep them until the input ends
    #[arg(long)]
    hold: Option<u32>,
}

fn main() -> anyhow::Result<()> {
    let Args {
        server,
        path,
        rate,
        seconds,
        hold,
    } = Args::parse();
    if let Some(count) = hold {
        return hold_open(server, &path, count);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let seen = runtime.block_on(steady::run(Plan {
        server,
        path,
        rate,
        length: Duration::from_secs(seconds),
    }));
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

fn hold_open(server: SocketAddr, path: &str, count: u32) -> anyhow::Result<()> {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let limit = rustix::process::Rlimit {
        current: hard,
        maximum: hard,
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)
        .context("cannot raise the limit of open files")?;
    let mut connections = Vec::new();
    for number in 0..count {
        let mut connection = Connection::open(server).with_context(|| format!("connection {number}"))?;
        connection
            .get(path, "")
            .with_context(|| format!("request {number}"))?;
        connections.push(connection);
    }
    println!("open");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
