//! Load: wrk at full speed, and our own generator for a constant rate, which wrk does not offer.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::netns::Netns;

/// Figures of one run of load.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Seen {
    /// Answered requests.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Answered requests a second.
    pub rate: f64,
    /// Median latency in microseconds.
    pub p50: f64,
    /// 99th percentile of latency in microseconds.
    pub p99: f64,
}

/// Prints one JSON line that [`Seen`] reads.
const LUA: &str = r#"
done = function(s, l, r)
  local e = s.errors.connect + s.errors.read + s.errors.write + s.errors.status + s.errors.timeout
  io.write(string.format('{"requests":%d,"errors":%d,"rate":%.3f,"p50":%.1f,"p99":%.1f}\n',
    s.requests, e, s.requests / s.duration * 1e6, l:percentile(50), l:percentile(99)))
end
"#;

/// As many requests as this number of connections can make.
pub(super) fn full_speed(
    client: &Netns,
    directory: &Path,
    url: &str,
    connections: u32,
    seconds: u32,
) -> Result<Seen> {
    let script = script(directory)?;
    let duration = format!("-d{seconds}s");
    let connections = format!("-c{connections}");
    let text = client.command(&["wrk", "-t2", &connections, &duration, "-s", &script, url]);
    last_line(&text)
}

/// `rate` requests a second over 32 connections, from the generator in a separate process.
pub(super) fn constant_rate(
    client: &Netns,
    server: SocketAddr,
    path: &str,
    rate: u32,
    seconds: u32,
) -> Result<Seen> {
    let program = std::env::current_exe()?.with_file_name("shadow-bench-load");
    let output = client.run(|| {
        Command::new(&program)
            .args([&server.to_string(), path])
            .args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()])
            .output()
    });
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!(
            "the load ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    last_line(&String::from_utf8_lossy(&output.stdout))
}

/// The script with which wrk prints what [`last_line`] reads.
pub(super) fn script(directory: &Path) -> Result<String> {
    let script = directory.join("done.lua");
    fs::write(&script, LUA)?;
    Ok(script.display().to_string())
}

pub(super) fn last_line(text: &str) -> Result<Seen> {
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("the load said {line:?}"))
}
