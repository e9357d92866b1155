//! `cargo xtask check`: format, lints, docs, and the project rules that no lint covers.
//!
//! Every rule runs, so that one run shows all faults.

mod cycles;
mod deps;
mod source;
mod threats;
mod words;

use anyhow::{Result, bail};

use crate::{ebpf, shell};

/// Runs all checks.
pub(crate) fn run() -> Result<()> {
    let mut failed = Vec::new();
    for (name, rule) in RULES {
        println!("--- {name}");
        if let Err(error) = rule() {
            println!("error: {error:#}");
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("check: {} rules hold", RULES.len());
        return Ok(());
    }
    bail!("these do not hold: {}", failed.join(", "))
}

type Rule = (&'static str, fn() -> Result<()>);

const RULES: &[Rule] = &[
    ("format", format),
    ("source files", source::run),
    ("plain English", words::run),
    ("import cycles", cycles::run),
    ("tests of the threat model", threats::run),
    ("dependencies of the core", deps::core),
    (
        "the committed kernel program is that of its sources",
        ebpf::sources_match,
    ),
    ("clippy", clippy),
    ("rustdoc", rustdoc),
    ("licences, bans, sources", deps::deny),
];

fn format() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    for apart in ["shadow-ebpf", "fuzz"] {
        shell::run(
            shell::cargo()
                .args(["fmt", "--check"])
                .current_dir(shell::root().join(apart)),
        )?;
    }
    Ok(())
}

/// Also enforces: functions of 60 lines, no indexing, unwrap or expect in core and common, SAFETY comments.
fn clippy() -> Result<()> {
    shell::run(shell::cargo().args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn rustdoc() -> Result<()> {
    shell::run(
        shell::cargo()
            .args([
                "doc",
                "--quiet",
                "--workspace",
                "--no-deps",
                "--document-private-items",
            ])
            // Written for the maintainers, so private modules are documented and linked to.
            .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"),
    )
}
