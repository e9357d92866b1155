//! `cargo xtask ebpf`: builds the kernel programs, that of the agent and that of `shadow explain`.
//!
//! Each object is committed together with a hash of all its sources, so that `cargo build` needs stable Rust only and
//! anybody can prove where the bytes come from: `--check` builds again and compares. Paths are remapped, so a build
//! in another folder gives the same bytes; another compiler does not, which is why its version is pinned here.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell;

/// Compiler version of the committed objects.
const RUSTC: &str = "1.96.0";
const LINKER: &str = "0.13.0";

const TARGET: &str = "bpfel-unknown-none";

/// The program of the agent, and that of `shadow explain`.
const OBJECTS: [Object; 2] = [
    Object {
        file: "shadow-ebpf/shadow.bpf.o",
        record: "shadow-ebpf/shadow.bpf.sum",
        feature: None,
    },
    Object {
        file: "shadow-ebpf/explain.bpf.o",
        record: "shadow-ebpf/explain.bpf.sum",
        feature: Some("explain"),
    },
];

/// The map of aya-log.
const LOG_MAP: &str = "AYA_LOG";

/// All sources of the objects. Tests that have a file of their own are not included.
const SOURCES: &[&str] = &[
    "shadow-common/Cargo.toml",
    "shadow-common/src",
    "shadow-ebpf/Cargo.lock",
    "shadow-ebpf/Cargo.toml",
    "shadow-ebpf/src",
];

/// Builds the objects, or with `check` rebuilds them and compares bytes.
pub(crate) fn run(check: bool) -> Result<()> {
    let toolchain = Toolchain::find()?;
    println!("kernel programs: {}", toolchain.name());
    if check {
        sources_match()?;
    }
    for object in &OBJECTS {
        let built = toolchain.build(object)?;
        if check {
            object.compare(&toolchain, &built)?;
        } else {
            fs::write(shell::root().join(object.file), &built).context(object.file)?;
            fs::write(shell::root().join(object.record), object.record(&built)?).context(object.record)?;
            println!("{}: {} bytes", object.file, built.len());
        }
    }
    if !check && toolchain.is_pinned().is_err() {
        println!(
            "note: the committed objects are built with rustc {RUSTC} and bpf-linker {LINKER}; \
             run `cargo xtask setup --only ebpf` before you commit these"
        );
    }
    Ok(())
}

/// Whether the committed objects were built from these sources, and only that of `shadow explain` logs. Cheap: compares
/// hashes and builds nothing.
pub(crate) fn sources_match() -> Result<()> {
    OBJECTS.iter().try_for_each(Object::matches)
}

/// A committed object.
struct Object {
    file: &'static str,
    record: &'static str,
    /// The feature of the crate that it is built with.
    feature: Option<&'static str>,
}

impl Object {
    fn matches(&self) -> Result<()> {
        let Self { file, record, .. } = self;
        let object = fs::read(shell::root().join(file)).with_context(|| format!("{file} is missing"))?;
        let recorded =
            fs::read_to_string(shell::root().join(record)).with_context(|| format!("{record} is missing"))?;
        ensure!(
            recorded == self.record(&object)?,
            "the kernel program's sources have changed since {file} was built: run `cargo xtask ebpf` and commit the \
             result"
        );
        ensure!(
            logs(&object) == self.feature.is_some(),
            "{file}: only the object of `shadow explain` has a map for log lines ({LOG_MAP})"
        );
        Ok(())
    }

    fn compare(&self, toolchain: &Toolchain, built: &[u8]) -> Result<()> {
        let file = self.file;
        if let Err(other) = toolchain.is_pinned() {
            // A distribution changes over time. The sources match the object and build; the bytes prove nothing here.
            println!("SKIPPED: {file} was not compared byte for byte: {other}");
            return Ok(());
        }
        let committed = fs::read(shell::root().join(file)).context(file)?;
        ensure!(
            built == committed,
            "{file} ({} bytes, {}) is not what its sources build ({} bytes, {}): run `cargo xtask ebpf` and commit",
            committed.len(),
            hex(&committed),
            built.len(),
            hex(built)
        );
        println!("{file} is what its sources build: {} bytes", built.len());
        Ok(())
    }

    /// The record that is committed together with the object.
    fn record(&self, object: &[u8]) -> Result<String> {
        let mut files = BTreeMap::new();
        for source in SOURCES {
            collect(&shell::root().join(source), &mut files)?;
        }
        let mut hasher = blake3::Hasher::new();
        for (path, bytes) in &files {
            let name = path.strip_prefix(shell::root())?.to_string_lossy();
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        let name = self.file.rsplit('/').next().unwrap_or_default();
        let mut text = format!("# Written by `cargo xtask ebpf`: what {name} was built from.\n");
        writeln!(text, "rustc {RUSTC}")?;
        writeln!(text, "bpf-linker {LINKER}")?;
        if let Some(feature) = self.feature {
            writeln!(text, "feature {feature}")?;
        }
        writeln!(
            text,
            "sources {} ({} files)",
            hasher.finalize().to_hex(),
            files.len()
        )?;
        writeln!(text, "object {}", hex(object))?;
        Ok(text)
    }
}

/// Whether an object can log: it then has aya-log's map, whose name is in its symbol table.
fn logs(object: &[u8]) -> bool {
    object
        .windows(LOG_MAP.len())
        .any(|window| window == LOG_MAP.as_bytes())
}

fn collect(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if !path.ends_with("tests.rs") {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        files.insert(path.to_path_buf(), bytes);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// A compiler for the kernel target, and the settings it needs.
struct Toolchain {
    rustc: PathBuf,
    version: String,
    linker: String,
    /// Whether `core` is built from rust-src because no prebuilt one exists.
    build_std: bool,
}

impl Toolchain {
    fn find() -> Result<Self> {
        let Some(linker) =
            shell::find("bpf-linker").and_then(|path| output(Command::new(path).arg("--version")))
        else {
            bail!(
                "there is no bpf-linker: `cargo xtask setup --only ebpf` installs it (and a rustc that has this target)"
            );
        };
        let linker = linker.trim().trim_start_matches("bpf-linker ").to_owned();
        let nightly = || output(Command::new("rustup").args(["which", "--toolchain", "nightly", "rustc"]));
        let candidates = [Some("/usr/bin/rustc".to_owned()), nightly()];
        for rustc in candidates.into_iter().flatten() {
            let rustc = PathBuf::from(rustc.trim());
            let Some(version) = output(Command::new(&rustc).arg("--version")) else {
                continue;
            };
            let Some(sysroot) = output(Command::new(&rustc).args(["--print", "sysroot"])) else {
                continue;
            };
            let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
            let prebuilt = rustlib.join(TARGET).is_dir();
            if prebuilt || rustlib.join("src/rust/library/core").is_dir() {
                return Ok(Self {
                    rustc,
                    version: version.split_whitespace().nth(1).unwrap_or_default().to_owned(),
                    linker,
                    build_std: !prebuilt,
                });
            }
        }
        bail!(
            "no compiler here builds for {TARGET}: `cargo xtask setup --only ebpf` installs Debian's rustc-web and \
             libstd-rust-web-dev-bpf. `rustup toolchain install nightly --component rust-src` does too, for builds \
             that are not committed"
        )
    }

    fn name(&self) -> String {
        format!(
            "rustc {} ({}), bpf-linker {}",
            self.version,
            self.rustc.display(),
            self.linker
        )
    }

    fn is_pinned(&self) -> Result<()> {
        ensure!(
            self.version == RUSTC && self.linker == LINKER,
            "comparing bytes needs rustc {RUSTC} and bpf-linker {LINKER}, here is {}: run `cargo xtask setup --only ebpf`",
            self.name()
        );
        Ok(())
    }

    /// Builds and reads an object.
    fn build(&self, object: &Object) -> Result<Vec<u8>> {
        let target_dir = shell::target_dir().join("ebpf");
        let cargo_home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(env::home_dir()?.join(".cargo")))
            .unwrap_or_default();
        let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
        let flags = [remap(shell::root(), "/shadow"), remap(&cargo_home, "/cargo")];
        let mut command = shell::cargo();
        command
            .current_dir(shell::root().join("shadow-ebpf"))
            .args(["build", "--release", "--locked", "--target", TARGET])
            .args(object.feature.map(|feature| format!("--features={feature}")))
            .env("RUSTC", &self.rustc)
            .env("CARGO_TARGET_DIR", &target_dir)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            // Enables the one nightly feature of aya-ebpf only. With the value `1` it would need rust-src.
            .env("RUSTC_BOOTSTRAP", "aya_ebpf");
        for name in [
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTUP_TOOLCHAIN",
        ] {
            command.env_remove(name);
        }
        if self.build_std {
            command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core");
        }
        shell::run(&mut command)?;
        let built = target_dir.join(TARGET).join("release/shadow");
        fs::read(&built).with_context(|| built.display().to_string())
    }
}

/// The output of a command, or `None` when it cannot be run.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
