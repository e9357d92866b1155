//! The Debian package: installed, used and removed in a container over the host's own files.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use shadow_tests::{agent::binary, need};

/// As for the image: works on a machine without systemd and with a low hard limit of open files.
const SETTINGS: &str = "\
[engine]
runtime = \"runc\"
cgroup_manager = \"cgroupfs\"
events_logger = \"file\"
[containers]
default_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]
";

/// Runs in the container. `$1` is the package.
const SCRIPT: &str = r#"set -eu
say() { printf '%s\n' "$*"; }
dpkg --install /package/shadow-mirror.deb
dpkg --status shadow-mirror | grep -q '^Status: install ok installed'
dpkg --verify shadow-mirror
/usr/bin/shadow --version
shadow config check /etc/shadow-mirror/shadow.yaml
stat -c 'mode %a %U' /etc/shadow-mirror/shadow.yaml
for page in shadow shadow-run shadow-replay; do
    gzip -dc /usr/share/man/man1/$page.1.gz | grep -q '^\.TH' && say "page $page"
done
bash -c '. /usr/share/bash-completion/completions/shadow && complete -p shadow'
test -f /usr/lib/systemd/system/shadow-mirror.service
test ! -e /etc/systemd/system/multi-user.target.wants/shadow-mirror.service
if command -v systemd-analyze >/dev/null; then
    systemd-analyze verify --man=no /usr/lib/systemd/system/shadow-mirror.service && say 'unit is well formed'
fi
say '# edited' >> /etc/shadow-mirror/shadow.yaml
mkdir -p /var/lib/shadow && touch /var/lib/shadow/report.json
dpkg --install /package/shadow-mirror.deb
tail -1 /etc/shadow-mirror/shadow.yaml
dpkg --remove shadow-mirror
test ! -e /usr/bin/shadow && test -f /etc/shadow-mirror/shadow.yaml && test -f /var/lib/shadow/report.json
say removed
dpkg --purge shadow-mirror
test ! -e /etc/shadow-mirror && test ! -e /var/lib/shadow && test -s /etc/shadow
say purged
"#;

fn podman(home: &Path, words: &[&str]) -> Output {
    Command::new("podman")
        .arg("--root")
        .arg(home.join("root"))
        .arg("--runroot")
        .arg(home.join("run"))
        .args(["--storage-driver", "vfs"])
        .args(words)
        .env("CONTAINERS_CONF", home.join("containers.conf"))
        .output()
        .expect("podman runs")
}

#[test]
fn the_package_is_installed_upgraded_removed_and_purged() {
    need!(Root, Program("podman"), Program("dpkg-deb"));
    let xtask = binary().with_file_name("xtask");
    if !xtask.is_file() {
        println!("SKIPPED: there is no {} (cargo build -p xtask)", xtask.display());
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path();
    fs::write(home.join("containers.conf"), SETTINGS).expect("a file");
    let package = home.join("package");
    fs::create_dir(&package).expect("a folder");
    let built = Command::new(xtask)
        .arg("deb")
        .arg("--binary")
        .arg(binary())
        .arg("--output")
        .arg(package.join("shadow-mirror.deb"))
        .output()
        .expect("xtask runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    // The host's files, over which the container has a layer of its own.
    let output = podman(
        home,
        &[
            "run",
            "--rm",
            "--network=none",
            &format!("--volume={}:/package:ro", package.display()),
            "--rootfs",
            "/:O",
            "sh",
            "-c",
            SCRIPT,
        ],
    );
    let shown = String::from_utf8_lossy(&output.stdout);
    let faults = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}\n{faults}");
    for line in [
        "mode 640 root",
        "page shadow",
        "page shadow-run",
        "page shadow-replay",
        "# edited",
        "removed",
        "purged",
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "{line}: {shown}\n{faults}"
        );
    }
    assert!(shown.contains("-F _shadow"), "{shown}");
    assert!(!Path::new("/etc/shadow-mirror").exists(), "the host is unchanged");
}
