//! The core alone: `shadow-core`'s own example, built beside this program.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};

/// Exchanges and gigabytes a second, for small and for large bodies.
pub(super) fn measure() -> Result<Value> {
    let program = std::env::current_exe()?
        .with_file_name("examples")
        .join("engine_speed");
    let output = Command::new(&program).arg("--json").output().with_context(|| {
        format!(
            "cannot start {}; `cargo xtask bench` builds it",
            program.display()
        )
    })?;
    if !output.status.success() {
        bail!("{} ended with {}", program.display(), output.status);
    }
    let mut figures = Map::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let run: Value = serde_json::from_str(line).with_context(|| format!("the core said {line:?}"))?;
        let kept = if run["bodies_kept"] == true {
            "kept"
        } else {
            "counted"
        };
        let name = format!("body_{}_{kept}", run["body"]);
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
