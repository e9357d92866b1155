//! `cargo xtask image`: the static binary, and the container image around it.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::shell;

/// Builds a static binary in a separate target directory, because its flags would rebuild everything else.
pub(crate) fn binary(release: bool) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let target_dir = shell::target_dir().join("static");
    let mut command = shell::cargo();
    command
        .args(["build", "--package", "shadow-agent", "--target", &target])
        .arg("--target-dir")
        .arg(&target_dir)
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    let profile = if release {
        command.arg("--release");
        "release"
    } else {
        "debug"
    };
    shell::run(&mut command)?;
    Ok(target_dir.join(target).join(profile).join("shadow"))
}

/// Builds the image `shadow` with the first available builder.
pub(crate) fn run() -> Result<()> {
    let binary = binary(true)?;
    let Some(context) = binary.parent() else {
        bail!("{} is in no directory", binary.display());
    };
    let Some(builder) = ["buildah", "podman", "docker"]
        .into_iter()
        .find(|program| shell::find(program).is_some())
    else {
        bail!(
            "there is no buildah, podman or docker; the static binary is {}",
            binary.display()
        );
    };
    let mut command = shell::as_root(builder)?;
    command
        .args(["build", "-t", "shadow", "-f"])
        .arg(shell::root().join("deploy/Containerfile"))
        .arg(context);
    shell::run(&mut command)?;
    println!("the image is `shadow`; deploy/daemonset.yaml runs it on every node");
    Ok(())
}
