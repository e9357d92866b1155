//! `cargo xtask simulate`: the table of loss, reordering and duplication against complete exchanges.

use std::{fs, time::Instant};

use anyhow::{Result, bail};

use crate::shell;

/// Exchanges of one run: a minute or so on two cores.
pub(crate) const EXCHANGES: u64 = 1_000_000;

const INTRODUCTION: &str = "\
# What a lossy capture costs

A seeded model of clients, servers and a capture that loses, reorders and doubles segments (`shadow-proto/tests/it`), against the
engine: every combination of methods, framings, pipelining, interim responses, connection ends and reused ports. Loss is loss of the
*capture*: both ends had the bytes. *Wrong* would be an exchange that is reported as complete and was not said so,
at this place, in these bytes, or is reported twice; the first one ends the run. Reordering is by up to so many segments, within what
a silence on the wire allows.
";

const HTTP2: &str = "
## HTTP/2

The same for HTTP/2: an encoder that chooses among all legal representations, interleaved streams, padding, split field
blocks, and bodies that imitate frames. A part of the connections with loss is joined in the middle. 2 % of the streams
are reset by an end, and are incomplete without any loss.

";

/// The seed of the table in the documentation.
pub(crate) const SEED: u64 = 1;

/// Runs it; with `write` the table replaces `docs/simulator.md`, otherwise that file must match the same run.
pub(crate) fn run(seed: u64, exchanges: u64, write: bool) -> Result<()> {
    let begin = Instant::now();
    let (table, said) = tables("bulk::a_long_run", seed, exchanges)?;
    let (http2, more) = tables("http2::a_long_run", seed, exchanges)?;
    let said = said + more;
    let seconds = begin.elapsed().as_secs();
    println!("{said} exchanges, none wrong, seed {seed}, {seconds} s with the build");
    let path = shell::root().join("docs/simulator.md");
    let made = format!(
        "\n`cargo xtask simulate --seed {seed} --exchanges {exchanges} --write` made this table of {said} exchanges.\n\n"
    );
    let document = format!("{INTRODUCTION}{made}{table}{HTTP2}{http2}");
    if write {
        fs::write(&path, document)?;
        println!("written to {}", path.display());
    } else if (seed, exchanges) == (SEED, EXCHANGES) && fs::read_to_string(&path)? != document {
        bail!(
            "what becomes complete has changed: see whether it is for the better, and write {} anew with `cargo xtask simulate --write`",
            path.display()
        );
    }
    Ok(())
}

/// Runs one of the two long tests; returns its table and how many exchanges were sent.
fn tables(test: &str, seed: u64, exchanges: u64) -> Result<(String, u64)> {
    let mut command = shell::cargo();
    command
        .args([
            "test",
            "--profile",
            "simulate",
            "--package",
            "shadow-proto",
            "--test",
            "it",
            "--",
        ])
        .args(["--ignored", "--exact", "--nocapture", test])
        .env("SEED", seed.to_string())
        .env("EXCHANGES", exchanges.to_string());
    let mut table = String::new();
    let mut said: u64 = 0;
    let status = shell::run_watched(&mut command, |line| {
        // libtest begins the first line with the name of the test.
        if let Some(row) = line
            .find("| ")
            .or_else(|| line.find("|-"))
            .and_then(|at| line.get(at..))
        {
            said += row
                .split('|')
                .nth(4)
                .and_then(|cell| cell.trim().parse::<u64>().ok())
                .unwrap_or(0);
            table.push_str(row);
            table.push('\n');
        }
    })?;
    if !status.success() {
        bail!("an exchange was wrong, or a combination without loss was not complete; the seed is {seed}");
    }
    Ok((table, said))
}
