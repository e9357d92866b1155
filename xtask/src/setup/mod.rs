//! `cargo xtask setup`: installs missing packages on a Debian 12 with rustup, and reports what and why.
//!
//! Probing is a few `stat` calls, so that every command can use it. The demo needs nothing but cargo and the kernel.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use self::{
    Group::{Check, Test, Vm},
    packages::{CARGO_TOOLS, PACKAGES},
};
use crate::{python, shell};

mod packages;

/// The task that needs something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Group {
    /// `cargo xtask test`
    Test,
    /// `cargo xtask check`
    Check,
    /// `cargo xtask ebpf`
    Ebpf,
    /// `cargo xtask bench`
    Bench,
    /// `cargo xtask fuzz`
    Fuzz,
    /// `cargo xtask vm`; only when asked for
    Vm,
}

/// Installs what is missing for `only`, or for everything but [`Vm`].
pub(crate) fn run(only: &[Group], dry_run: bool) -> Result<()> {
    let wanted = |group: &Group| only.contains(group) || only.is_empty() && *group != Vm;
    let packages: Vec<_> = PACKAGES
        .iter()
        .filter(|package| package.groups.iter().any(wanted) && package.is_missing())
        .collect();
    for package in &packages {
        println!("missing: {:28} {}", package.name, package.why);
    }
    let tools: Vec<_> = CARGO_TOOLS
        .iter()
        .filter(|tool| wanted(&tool.group) && shell::find(tool.program).is_none())
        .collect();
    for tool in &tools {
        println!("missing: {:28} {}", tool.program, tool.why);
    }
    let python = if wanted(&Test) {
        python::missing()
    } else {
        Vec::new()
    };
    for tool in &python {
        println!("missing: {:28} {}", tool.package, tool.why);
    }
    let components = if wanted(&Check) {
        missing_components()?
    } else {
        Vec::new()
    };
    for component in &components {
        println!("missing: {component:28} a component of the Rust toolchain");
    }
    if packages.is_empty() && tools.is_empty() && python.is_empty() && components.is_empty() {
        eprintln!("setup: nothing is missing");
        return Ok(());
    }
    if dry_run {
        return Ok(());
    }
    if !packages.is_empty() {
        let names: Vec<_> = packages.iter().map(|package| package.name).collect();
        apt(&names)?;
    }
    for component in components {
        shell::run(Command::new("rustup").args(["component", "add", component]))?;
    }
    for tool in tools {
        println!("installing {} by cargo", tool.program);
        shell::run(
            shell::cargo()
                .arg("install")
                .args(tool.args)
                .envs(tool.env.iter().copied()),
        )?;
    }
    if !python.is_empty()
        && let Err(error) = python::install(&python)
    {
        println!("not installed: {error:#}. Tests that need it are skipped");
    }
    Ok(())
}

/// Another apt may be at work (unattended upgrades, a second build): wait for it instead of failing.
const WAIT: [&str; 2] = ["-o", "DPkg::Lock::Timeout=300"];

fn apt(names: &[&str]) -> Result<()> {
    if shell::find("apt-get").is_none() {
        bail!(
            "there is no apt-get here; install manually the packages that provide: {}",
            names.join(" ")
        );
    }
    println!("installing with apt-get: {}", names.join(" "));
    shell::run(shell::as_root("apt-get")?.args(WAIT).args(["-qq", "update"]))?;
    let mut install = shell::as_root("env")?;
    install
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .args(WAIT)
        .args(["install", "-qq", "-y", "--no-install-recommends"])
        .args(names);
    shell::run(&mut install)?;
    stop_services(names)
}

/// Debian starts a server when it installs one. Only the programs are needed, not an nginx on port 80.
fn stop_services(installed: &[&str]) -> Result<()> {
    if !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    for (package, units) in [
        ("nginx-light", &["nginx"][..]),
        ("haproxy", &["haproxy"]),
        ("caddy", &["caddy"]),
        ("prometheus", &["prometheus", "prometheus-node-exporter"]),
    ] {
        if installed.contains(&package) {
            println!(
                "stopping and disabling what {package} started: {}",
                units.join(" ")
            );
            shell::run(
                shell::as_root("systemctl")?
                    .args(["disable", "--now"])
                    .args(units),
            )?;
        }
    }
    Ok(())
}

/// rustup leaves a proxy for every tool in its directory, so the toolchain itself must be queried.
fn missing_components() -> Result<Vec<&'static str>> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .context("cannot start rustc")?;
    let sysroot = String::from_utf8(output.stdout).context("the path of the toolchain is not text")?;
    let bin = Path::new(sysroot.trim()).join("bin");
    Ok([("clippy", "cargo-clippy"), ("rustfmt", "rustfmt")]
        .into_iter()
        .filter(|(_, program)| !bin.join(program).exists())
        .map(|(component, _)| component)
        .collect())
}
