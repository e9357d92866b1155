//! `shadow inspect --summary` compared with `tshark -q -z http,tree`, or `http2,tree`, on the same generated capture.
//!
//! Both read from the page cache. tshark does more (it dissects every layer and keeps every frame), but it is the
//! closest comparison for the question "which requests are in this file".

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::figures::median;
use crate::{agent, need::Need, process::status_bytes, recording::Recording};

/// Runs of each program.
const RUNS: usize = 3;

/// One complete run of a program.
struct Run {
    seconds: f64,
    /// Peak resident memory in bytes.
    memory: u64,
}

/// Speed and memory, for small and for large bodies.
pub(super) fn measure(megabytes: usize) -> Result<Value> {
    if !Need::Program("tshark").is_met() {
        bail!("{}", Need::Program("tshark"));
    }
    let mut figures = Map::new();
    for (name, content, http2) in [
        ("small", 512, false),
        ("large", 256 << 10, false),
        ("http2_small", 512, true),
        ("http2_large", 256 << 10, true),
    ] {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("made.pcapng");
        let content = vec![b'x'; content];
        // With heads, acknowledgements and the framing of every packet.
        let each = 510 + content.len() + content.len() / 16;
        let exchanges = (megabytes * 1_000_000 / each).max(1);
        let bytes = Recording {
            exchanges,
            content: &content,
            gap: Duration::from_micros(500),
            connections: 64,
            http2,
        }
        .write(&file)?;
        eprintln!("inspect: {exchanges} exchanges with {name} bodies, {bytes} bytes");
        let shadow = of_several(|| inspected(&file, exchanges))?;
        let tshark = of_several(|| dissected(&file, http2))?;
        for (program, run) in [("shadow", &shadow), ("tshark", &tshark)] {
            figures.insert(
                format!("{name}_{program}_exchanges_per_second"),
                json!(ratio(exchanges as u64, run.seconds).round()),
            );
            figures.insert(
                format!("{name}_{program}_gigabytes_per_second"),
                json!(ratio(bytes, run.seconds) / 1e9),
            );
            figures.insert(format!("{name}_{program}_resident_bytes"), json!(run.memory));
        }
        figures.insert(
            format!("{name}_times_tshark"),
            json!(tshark.seconds / shadow.seconds),
        );
    }
    figures.insert(
        "goal".to_owned(),
        json!("30 times as fast as tshark; HTTP/2: 20 times"),
    );
    Ok(Value::Object(figures))
}

/// One run of `shadow inspect`, which must find all exchanges.
fn inspected(file: &Path, exchanges: usize) -> Result<Run> {
    let mut command = Command::new(agent::binary());
    command.args(["inspect", "--summary"]).arg(file);
    let (run, said) = run(command, file)?;
    let expected = format!("{exchanges} complete");
    if !said.contains(&expected) {
        bail!("shadow inspect did not find {expected}: {said}");
    }
    Ok(run)
}

/// One run of tshark.
fn dissected(file: &Path, http2: bool) -> Result<Run> {
    let (tree, title) = if http2 {
        ("http2,tree", "HTTP2")
    } else {
        ("http,tree", "HTTP Request Packets")
    };
    let mut command = Command::new("tshark");
    if http2 {
        command.args(["-d", "tcp.port==80,http2"]);
    }
    command.args(["-n", "-q", "-z", tree, "-r"]).arg(file);
    let (run, said) = run(command, file)?;
    if !said.contains(title) {
        bail!("tshark says nothing of {title}: {said}");
    }
    Ok(run)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ratio(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// The median time, and the largest memory.
fn of_several(mut once: impl FnMut() -> Result<Run>) -> Result<Run> {
    let runs = (0..RUNS).map(|_| once()).collect::<Result<Vec<_>>>()?;
    Ok(Run {
        seconds: median(runs.iter().map(|run| run.seconds)),
        memory: runs.iter().map(|run| run.memory).max().unwrap_or(0),
    })
}

/// Runs a program on a capture and returns its output.
fn run(mut command: Command, file: &Path) -> Result<(Run, String)> {
    let out = file.with_extension("txt");
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let id = child.id();
    // The peak is lost when the process ends, so it is polled until then. Not often: polling would change the result.
    let watch = thread::spawn(move || {
        let mut most = 0;
        loop {
            match status_bytes(id, "VmHWM:") {
                0 => return most,
                now => most = most.max(now),
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let status = child.wait()?;
    let seconds = started.elapsed().as_secs_f64();
    let memory = watch.join().unwrap_or_default();
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    let said = String::from_utf8_lossy(&fs::read(&out)?).into_owned();
    Ok((Run { seconds, memory }, said))
}
