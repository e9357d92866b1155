//! `cargo xtask ci`: everything the build server runs, with the name and the time of each stage.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::{check, ebpf, fuzz, setup, simulate, test};

type Stage = (&'static str, fn() -> Result<()>);

const STAGES: [Stage; 6] = [
    ("setup", || setup::run(&[], false)),
    ("check", check::run),
    ("ebpf --check", || ebpf::run(true)),
    ("simulate", || {
        simulate::run(simulate::SEED, simulate::EXCHANGES, false)
    }),
    ("test", || test::run(&[], None)),
    ("fuzz", fuzz::ci),
];

/// Runs every stage; the first that fails ends it.
pub(crate) fn run() -> Result<()> {
    let mut times = Vec::new();
    for (name, stage) in STAGES {
        println!("\n##### {name}");
        let start = Instant::now();
        let result = stage();
        times.push((name, start.elapsed()));
        if let Err(error) = result {
            table(&times);
            return Err(error).with_context(|| format!("stage {name}"));
        }
    }
    table(&times);
    println!("ci: green");
    Ok(())
}

fn table(times: &[(&str, Duration)]) {
    println!("\n##### stages");
    for (name, time) in times {
        println!("{name:14} {:7.1} s", time.as_secs_f64());
    }
}
