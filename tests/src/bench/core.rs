//! The core alone: `shadow-core`'s own examples, built next to this program.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};

/// Exchanges and gigabytes a second, for small and for large bodies.
pub(super) fn measure() -> Result<Value> {
    let mut figures = Map::new();
    for run in lines("engine_speed")? {
        let kept = if run["bodies_kept"] == true {
            "kept"
        } else {
            "counted"
        };
        let version = if run["http"] == 2 { "http2_" } else { "" };
        let name = format!("{version}body_{}_{kept}", run["body"]);
        figures.insert(
            format!("{name}_exchanges_per_second"),
            run["exchanges_per_second"].clone(),
        );
        figures.insert(
            format!("{name}_gigabytes_per_second"),
            run["gigabytes_per_second"].clone(),
        );
    }
    Ok(Value::Object(figures))
}

/// Nanoseconds and megabytes per second of comparisons, next to `serde_json`, which only parses.
pub(super) fn comparisons() -> Result<Value> {
    let mut figures = Map::new();
    for run in lines("compare_speed")? {
        let name = run["name"].as_str().context("a figure has a name")?;
        for unit in ["nanoseconds", "megabytes_per_second"] {
            figures.insert(format!("{name}_{unit}"), run[unit].clone());
        }
    }
    Ok(Value::Object(figures))
}

/// Output of an example of the core with `--json`.
fn lines(example: &str) -> Result<Vec<Value>> {
    let program = std::env::current_exe()?.with_file_name("examples").join(example);
    let output = Command::new(&program).arg("--json").output().with_context(|| {
        format!(
            "cannot start {}; `cargo xtask bench` builds it",
            program.display()
        )
    })?;
    if !output.status.success() {
        bail!("{} ended with {}", program.display(), output.status);
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("{example} said {line:?}")))
        .collect()
}
