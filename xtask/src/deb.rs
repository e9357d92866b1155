//! `cargo xtask deb`: a Debian package with the static binary, its man pages and completions, and a unit of systemd.
//!
//! The package is `shadow-mirror`: /etc/shadow is the system's, and so is the name `shadow` among packages. The service
//! is neither enabled nor started by the installation, because its configuration is an example.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{image, shell};

const PACKAGE: &str = "shadow-mirror";
/// Each shell, and where its completions are looked for.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/shadow"),
    ("zsh", "usr/share/zsh/vendor-completions/_shadow"),
    ("fish", "usr/share/fish/vendor_completions.d/shadow.fish"),
];
const COPYRIGHT: &str = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Shadow

Files: *
Copyright: the contributors to Shadow
License: MIT or Apache-2.0

Files: usr/bin/shadow
Copyright: the contributors to Shadow
License: MIT or Apache-2.0, and GPL-2.0 for the kernel program in it
";

/// Builds the package around `binary`, or around a static one that is built first. Prints its path.
pub(crate) fn run(binary: Option<&Path>, output: Option<&Path>) -> Result<()> {
    for program in ["dpkg-deb", "dpkg", "gzip"] {
        if shell::find(program).is_none() {
            bail!("there is no {program}; `apt-get install dpkg gzip`, or build the package on Debian");
        }
    }
    let binary = match binary {
        Some(binary) => binary.to_owned(),
        None => image::binary(true)?,
    };
    let folder = shell::target_dir().join("deb");
    let stage = folder.join("stage");
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("cannot remove {}", stage.display()))?;
    }
    let size = fill(&stage, &binary)?;
    let (version, architecture) = (env!("CARGO_PKG_VERSION"), architecture()?);
    let control = format!(
        "Package: {PACKAGE}
Version: {version}
Architecture: {architecture}
Maintainer: The contributors to Shadow <shadow@localhost>
Installed-Size: {}
Section: net
Priority: optional
Recommends: ca-certificates
Description: mirrors production HTTP traffic to a shadow system
 Copies the traffic of a service off the wire in the kernel, replays each request
 to its rewrite, and compares the answers field by field, before cut-over. It is
 never in the request path.
",
        size.div_ceil(1024)
    );
    put(&stage, "DEBIAN/control", control.as_bytes(), 0o644)?;
    put(
        &stage,
        "DEBIAN/conffiles",
        b"/etc/shadow-mirror/shadow.yaml\n",
        0o644,
    )?;
    for script in ["postinst", "prerm", "postrm"] {
        copy(
            &stage,
            &format!("deploy/debian/{script}"),
            &format!("DEBIAN/{script}"),
            0o755,
        )?;
    }
    let output = output.map_or_else(
        || folder.join(format!("{PACKAGE}_{version}_{architecture}.deb")),
        Path::to_owned,
    );
    let mut build = Command::new("dpkg-deb");
    build
        .args(["--root-owner-group", "-Zxz", "-z6", "--build"])
        .arg(&stage)
        .arg(&output);
    shell::run(&mut build)?;
    println!("{}", output.display());
    Ok(())
}

/// Puts every file in its place. Returns their bytes.
fn fill(stage: &Path, binary: &Path) -> Result<u64> {
    let text = |words: &[&str]| -> Result<Vec<u8>> {
        let output = Command::new(binary).args(words).output();
        let output = output.with_context(|| format!("cannot run {}", binary.display()))?;
        if !output.status.success() {
            bail!(
                "{} {words:?}: {}",
                binary.display(),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(output.stdout)
    };
    put(
        stage,
        "etc/shadow-mirror/shadow.yaml",
        &text(&["config", "example"])?,
        0o640,
    )?;
    for (name, path) in COMPLETIONS {
        put(stage, path, &text(&["completions", name])?, 0o644)?;
    }
    let doc = format!("usr/share/doc/{PACKAGE}");
    put(stage, &format!("{doc}/copyright"), COPYRIGHT.as_bytes(), 0o644)?;
    copy(stage, "CHANGELOG.md", &format!("{doc}/changelog"), 0o644)?;
    let unit = "usr/lib/systemd/system/shadow-mirror.service";
    copy(stage, "deploy/shadow-mirror.service", unit, 0o644)?;
    let manual = stage.join("usr/share/man/man1");
    fs::create_dir_all(&manual)?;
    text(&["man", &manual.to_string_lossy()])?;
    let mut pages: Vec<PathBuf> = Vec::new();
    for page in fs::read_dir(&manual)? {
        pages.push(page?.path());
    }
    pages.push(stage.join(&doc).join("changelog"));
    shell::run(Command::new("gzip").args(["-9", "--no-name"]).args(&pages))?;
    let program = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    put(stage, "usr/bin/shadow", &program, 0o755)?;
    if shell::find("strip").is_some() {
        shell::run(Command::new("strip").arg(stage.join("usr/bin/shadow")))?;
    }
    bytes(stage)
}

fn put(stage: &Path, path: &str, content: &[u8], mode: u32) -> Result<()> {
    let path = stage.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn copy(stage: &Path, from: &str, path: &str, mode: u32) -> Result<()> {
    let content = fs::read(shell::root().join(from)).with_context(|| format!("cannot read {from}"))?;
    put(stage, path, &content, mode)
}

/// The bytes of all files beneath a folder.
fn bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                sum += entry.metadata()?.len();
            }
        }
    }
    Ok(sum)
}

/// Debian's name of this architecture.
fn architecture() -> Result<String> {
    let output = Command::new("dpkg").arg("--print-architecture").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
