//! Allowed dependencies of the core, and the cargo-deny checks for everything else.

use std::{collections::BTreeSet, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::shell;

/// Pure crates only: no I/O, no clock, no runtime. Adding one is a decision, so it must be repeated here.
const CORE_MAY_USE: &[&str] = &[
    "base64",
    "blake3",
    "brotli-decompressor",
    "bytes",
    "encoding_rs",
    "flate2",
    "globset",
    "hashbrown",
    "hdrhistogram",
    "html5gum",
    "http",
    "memchr",
    "prost-reflect",
    "quick-xml",
    "regex",
    "ruzstd",
    "schemars",
    "serde",
    "serde_json",
    "shadow-common",
    "shadow-proto",
    "similar",
    "thiserror",
];

/// The same for `shadow-proto`.
const PROTO_MAY_USE: &[&str] = &[
    "base64",
    "blake3",
    "bytes",
    "bytesize",
    "hashbrown",
    "http",
    "httparse",
    "memchr",
    "schemars",
    "serde",
    "sha2",
    "shadow-common",
    "thiserror",
];

/// Checks that shadow-core, shadow-proto and shadow-common have only the allowed dependencies.
pub(crate) fn core() -> Result<()> {
    let metadata = MetadataCommand::new()
        .manifest_path(shell::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read cargo metadata")?;
    let mut wrong = Vec::new();
    for (name, may) in [
        ("shadow-core", CORE_MAY_USE),
        ("shadow-proto", PROTO_MAY_USE),
        ("shadow-common", &[][..]),
    ] {
        let may: BTreeSet<_> = may.iter().copied().collect();
        let Some(package) = metadata
            .packages
            .iter()
            .find(|package| package.name.as_str() == name)
        else {
            bail!("there is no package {name}");
        };
        wrong.extend(
            package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .filter(|dependency| !may.contains(dependency.name.as_str()))
                .map(|dependency| format!("{name} depends on {}", dependency.name)),
        );
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{}: see CORE_MAY_USE and PROTO_MAY_USE", wrong.join(", "))
}

/// cargo-deny's checks that need no network: the advisory database is left to those who publish.
pub(crate) fn deny() -> Result<()> {
    if shell::find("cargo-deny").is_none() {
        bail!("cargo-deny is not installed: `cargo xtask setup --only check` installs it");
    }
    for manifest in ["Cargo.toml", "shadow-ebpf/Cargo.toml"].map(Path::new) {
        // The check looks at the dependencies of every platform, and a build fetches only those of this one.
        shell::run(
            shell::cargo()
                .args(["fetch", "--locked", "--manifest-path"])
                .arg(shell::root().join(manifest)),
        )?;
        let mut command = Command::new("cargo");
        command
            .args(["deny", "--offline", "--log-level", "error", "--manifest-path"])
            .arg(manifest)
            .arg("--config")
            .arg(shell::root().join("deny.toml"))
            .args(["check", "licenses", "bans", "sources"])
            .current_dir(shell::root());
        shell::run(&mut command)?;
    }
    Ok(())
}
