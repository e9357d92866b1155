//! `cargo xtask ebpf`: builds the kernel program.

use anyhow::{Result, bail};

/// Builds the object, or with `check` rebuilds it and compares bytes.
pub(crate) fn run(_check: bool) -> Result<()> {
    bail!("the kernel program has no build yet")
}
