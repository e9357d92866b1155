//! `cargo xtask setup`: installs missing packages on a Debian 12 with rustup, and reports what and why.
//!
//! Probing is a few `stat` calls, so that every command can use it. The demo needs nothing but cargo and the kernel.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{python, shell};

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

use Group::{Bench, Check, Ebpf, Fuzz, Test, Vm};

enum Probe {
    Program(&'static str),
    File(&'static str),
}

struct Package {
    name: &'static str,
    probe: Probe,
    groups: &'static [Group],
    why: &'static str,
}

const fn tool(
    name: &'static str,
    program: &'static str,
    groups: &'static [Group],
    why: &'static str,
) -> Package {
    Package {
        name,
        probe: Probe::Program(program),
        groups,
        why,
    }
}

const fn file(name: &'static str, path: &'static str, why: &'static str) -> Package {
    Package {
        name,
        probe: Probe::File(path),
        groups: &[Ebpf],
        why,
    }
}

const PACKAGES: &[Package] = &[
    tool(
        "iproute2",
        "ip",
        &[Test, Bench],
        "network namespaces and veth pairs",
    ),
    tool(
        "iptables",
        "iptables",
        &[Test],
        "translates addresses as a node does",
    ),
    tool("nftables", "nft", &[Test], "translates addresses as a node does"),
    tool(
        "util-linux",
        "setpriv",
        &[Test, Bench],
        "runs a program without root",
    ),
    tool(
        "nginx-light",
        "nginx",
        &[Test, Bench],
        "the real server that is mirrored",
    ),
    tool("curl", "curl", &[Test, Bench], "a client that is not ours"),
    tool(
        "openssl",
        "openssl",
        &[Test],
        "makes certificates, and serves with them",
    ),
    tool("apache2-bin", "apache2", &[Test], "writes access logs"),
    tool("haproxy", "haproxy", &[Test], "writes access logs"),
    tool("nghttp2-client", "h2load", &[Test], "a client of HTTP/2"),
    tool("npm", "npm", &[Test], "installs packages for tests"),
    Package {
        name: "python3-grpcio",
        probe: Probe::File("/usr/lib/python3/dist-packages/grpc/__init__.py"),
        groups: &[Test],
        why: "a client and a server of gRPC",
    },
    tool("protobuf-compiler", "protoc", &[Test], "describes messages"),
    Package {
        name: "libprotobuf-dev",
        probe: Probe::File("/usr/include/google/protobuf/any.proto"),
        groups: &[Test],
        why: "the types that every set of descriptors may import",
    },
    tool("caddy", "caddy", &[Test], "writes access logs"),
    tool(
        "uwsgi-core",
        "uwsgi-core",
        &[Test],
        "a server that closes its connections",
    ),
    Package {
        name: "uwsgi-plugin-python3",
        probe: Probe::File("/usr/lib/uwsgi/plugins/python311_plugin.so"),
        groups: &[Test],
        why: "its applications",
    },
    tool(
        "openjdk-17-jdk-headless",
        "javac",
        &[Test],
        "a client that offers HTTP/2",
    ),
    Package {
        name: "python3-venv",
        probe: Probe::File("/usr/lib/python3.11/ensurepip/__init__.py"),
        groups: &[Test],
        why: "installs from Python's package index",
    },
    tool(
        "tshark",
        "tshark",
        &[Test],
        "the second opinion about capture files",
    ),
    tool("chromium", "chromium", &[Test], "opens the report's page"),
    tool(
        "prometheus",
        "promtool",
        &[Test],
        "judges the metrics (promtool check metrics)",
    ),
    tool(
        "bpftool",
        "bpftool",
        &[Test, Bench],
        "sees what is attached and what a run costs",
    ),
    tool(
        "podman",
        "podman",
        &[Test],
        "runs the container image as a node would",
    ),
    tool("buildah", "buildah", &[Test], "builds the container image"),
    tool("runc", "runc", &[Test], "the runtime under podman"),
    tool(
        "catatonit",
        "/usr/libexec/podman/catatonit",
        &[Test],
        "podman's init",
    ),
    tool(
        "containernetworking-plugins",
        "/usr/lib/cni/bridge",
        &[Test],
        "podman's networks",
    ),
    tool("g++", "g++", &[Fuzz], "compiles libFuzzer"),
    tool("wrk", "wrk", &[Bench], "load at full speed"),
    tool(
        "qemu-system-x86",
        "qemu-system-x86_64",
        &[Vm],
        "runs other kernels under emulation",
    ),
    tool("busybox-static", "busybox", &[Vm], "the guest's shell"),
    tool("cpio", "cpio", &[Vm], "writes the guest's file system"),
    tool(
        "kmod",
        "depmod",
        &[Vm],
        "finds the kernel modules that the tests need",
    ),
    tool("zstd", "zstd", &[Vm], "unpacks kernel modules"),
    tool("xz-utils", "xz", &[Vm], "unpacks kernel modules"),
    file(
        "rustc-web",
        "/usr/share/doc/rustc-web",
        "a rustc with a prebuilt core for bpfel-unknown-none",
    ),
    file(
        "libstd-rust-web-dev-bpf",
        "/usr/share/doc/libstd-rust-web-dev-bpf",
        "that core",
    ),
    file(
        "llvm-22-dev",
        "/usr/lib/llvm-22/include/llvm-c/Core.h",
        "bpf-linker links against it",
    ),
    file(
        "libpolly-22-dev",
        "/usr/share/doc/libpolly-22-dev",
        "bpf-linker links against it",
    ),
    file(
        "libzstd-dev",
        "/usr/include/zstd.h",
        "bpf-linker links against it",
    ),
    file("zlib1g-dev", "/usr/include/zlib.h", "bpf-linker links against it"),
];

impl Package {
    fn is_missing(&self) -> bool {
        match self.probe {
            Probe::Program(path) if path.starts_with('/') => !Path::new(path).exists(),
            Probe::Program(name) => shell::find(name).is_none(),
            Probe::File(path) => !Path::new(path).exists(),
        }
    }
}

struct CargoTool {
    program: &'static str,
    group: Group,
    args: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
    why: &'static str,
}

const CARGO_TOOLS: &[CargoTool] = &[
    CargoTool {
        program: "bpf-linker",
        group: Ebpf,
        args: &[
            "bpf-linker",
            "--version",
            "0.13.0",
            "--no-default-features",
            "--features",
            "llvm-22",
        ],
        // Without it the build finds the distribution's other LLVM first and fails with -lLLVM.
        env: &[("LLVM_PREFIX", "/usr/lib/llvm-22")],
        why: "links the kernel program (about 2 minutes)",
    },
    CargoTool {
        program: "cargo-deny",
        group: Check,
        args: &["cargo-deny", "--locked"],
        env: &[],
        why: "checks licences, bans and sources of dependencies (about 3 minutes)",
    },
    CargoTool {
        program: "cargo-fuzz",
        group: Fuzz,
        args: &["cargo-fuzz", "--locked"],
        env: &[],
        why: "builds and runs the fuzz targets (about half a minute)",
    },
];

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
            "there is no apt-get here; install by hand what provides: {}",
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
