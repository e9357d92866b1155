//! `cargo xtask vm`: the kernel tests on kernels other than that of the host.
//!
//! Boots Debian's cloud kernels under plain emulation (no KVM needed) with an initramfs that has the test binary,
//! linked statically. The verifier gives the same result as on a real machine; timings differ.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    setup::{self, Group},
    shell,
};

/// The suites and what they are for.
const SUITES: &[(&str, &str)] = &[
    ("bullseye", "5.10, the oldest that is supported"),
    ("bookworm", "6.1, without TCX"),
    ("trixie", "6.12"),
    ("trixie-backports", "the newest that is packaged"),
];

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Seconds that a guest may take. Emulation is slow, and slower when the host is busy.
const PATIENCE: &str = "600";

/// Runs the kernel tests on the newest kernel of each suite; an empty list means all.
pub(crate) fn run(only: &[String]) -> Result<()> {
    setup::run(&[Group::Vm], false)?;
    for suite in only {
        let known: Vec<_> = SUITES.iter().map(|(name, _)| *name).collect();
        ensure!(
            known.contains(&&**suite),
            "{suite:?} is not one of {}",
            known.join(", ")
        );
    }
    let test = build()?;
    let mut failed = Vec::new();
    for (suite, about) in SUITES {
        if !only.is_empty() && !only.iter().any(|name| name == suite) {
            continue;
        }
        println!("\n{suite}: {about}");
        if let Err(error) = kernel(suite, &test) {
            println!("{suite}: FAILED: {error:#}");
            failed.push(*suite);
        }
    }
    ensure!(
        failed.is_empty(),
        "the kernel tests failed on {}",
        failed.join(", ")
    );
    Ok(())
}

/// Builds the kernel tests, linked statically; returns the path of the binary.
fn build() -> Result<PathBuf> {
    let target = shell::target_dir().join("vm");
    let output = shell::cargo()
        .args([
            "test",
            "--package",
            "shadow-tests",
            "--test",
            "kernel",
            "--no-run",
        ])
        // With a target given, the flag does not reach procedural macros, which cannot be static.
        .args(["--target", TRIPLE, "--message-format", "json"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_TARGET_DIR", target)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the kernel tests do not build");
    cargo_metadata::Message::parse_stream(&*output.stdout)
        .filter_map(Result::ok)
        .find_map(|message| match message {
            cargo_metadata::Message::CompilerArtifact(artifact) if artifact.target.name == "kernel" => {
                artifact.executable.map(Into::into)
            }
            _ => None,
        })
        .context("cargo named no test binary")
}

fn kernel(suite: &str, test: &Path) -> Result<()> {
    let scripts = shell::root().join("xtask/vm");
    let folder = shell::target_dir().join("vm-kernels").join(suite);
    let stamp = folder.join("release");
    if !stamp.exists() {
        println!("fetching its newest cloud kernel");
        let output = Command::new("bash")
            .arg(scripts.join("fetch.sh"))
            .args([suite.as_ref(), folder.as_os_str()])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "the kernel cannot be fetched");
        fs::write(&stamp, output.stdout)?;
    }
    let release = fs::read_to_string(&stamp)?.trim().to_owned();
    let initramfs = folder.join("initramfs.gz");
    shell::run(
        Command::new("bash")
            .arg(scripts.join("initramfs.sh"))
            .args([&initramfs, &folder])
            .arg(&release)
            .args([&scripts.join("init.sh"), test]),
    )?;
    // The usual path, and the one that newer packages use.
    let kernel = [
        folder.join("boot").join(format!("vmlinuz-{release}")),
        folder.join("usr/lib/modules").join(&release).join("vmlinuz"),
    ]
    .into_iter()
    .find(|file| file.exists())
    .context("the package has no kernel")?;
    boot(&kernel, &initramfs)
}

/// Boots and reads the console until the guest has shut down.
fn boot(kernel: &Path, initramfs: &Path) -> Result<()> {
    let started = Instant::now();
    let mut child = Command::new("timeout")
        .args([
            PATIENCE,
            "qemu-system-x86_64",
            "-M",
            "pc",
            "-accel",
            "tcg,thread=multi",
        ])
        .args([
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1024",
            "-nodefaults",
            "-no-user-config",
        ])
        .args(["-display", "none", "-serial", "stdio", "-no-reboot"])
        .args([Path::new("-kernel"), kernel, Path::new("-initrd"), initramfs])
        .args(["-append", "console=ttyS0 panic=-1 quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("qemu-system-x86_64")?;
    let console = child.stdout.take().context("the guest's console")?;
    let mut verdict = None;
    let mut done = false;
    for line in BufReader::new(console).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
        if !line.is_empty() {
            println!("  {line}");
        }
        if line.starts_with("test result:") {
            verdict = Some(line.contains("test result: ok."));
        }
        done |= line.starts_with("guest: done");
    }
    child.wait()?;
    println!("  {:.0} s", started.elapsed().as_secs_f32());
    match verdict {
        Some(true) if done => Ok(()),
        Some(_) => bail!("tests failed"),
        None => bail!("the guest said no result: it crashed, or took longer than {PATIENCE} s"),
    }
}
