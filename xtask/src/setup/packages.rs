//! The packages of Debian and the tools of cargo that the tasks need.

use std::path::Path;

use super::Group::{self, Bench, Check, Ebpf, Fuzz, Test, Vm};
use crate::shell;

enum Probe {
    Program(&'static str),
    File(&'static str),
}

pub(super) struct Package {
    pub(super) name: &'static str,
    probe: Probe,
    pub(super) groups: &'static [Group],
    pub(super) why: &'static str,
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

pub(super) const PACKAGES: &[Package] = &[
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
    pub(super) fn is_missing(&self) -> bool {
        match self.probe {
            Probe::Program(path) if path.starts_with('/') => !Path::new(path).exists(),
            Probe::Program(name) => shell::find(name).is_none(),
            Probe::File(path) => !Path::new(path).exists(),
        }
    }
}

pub(super) struct CargoTool {
    pub(super) program: &'static str,
    pub(super) group: Group,
    pub(super) args: &'static [&'static str],
    pub(super) env: &'static [(&'static str, &'static str)],
    pub(super) why: &'static str,
}

pub(super) const CARGO_TOOLS: &[CargoTool] = &[
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
