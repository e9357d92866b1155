//! The cluster itself: builds, starts and ends it, and installs chart and workload.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::UNIX_EPOCH,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::shell;

/// Names of the images: the agent, and the workload.
const IMAGES: [(&str, &str); 2] = [
    ("localhost/shadow:1", "shadow"),
    ("localhost/shadow-app:1", "shadow-cluster-app"),
];

/// The nodes.
pub(super) const NODES: [&str; 2] = ["node1", "node2"];

/// The folder of the built programs and of what runs; `target/cluster` where it is not set.
const FOLDER: &str = "SHADOW_CLUSTER";

/// Why it cannot run here.
pub(super) fn missing() -> Option<String> {
    if !shell::is_root() {
        return Some("the nodes need root: run it as root".to_owned());
    }
    if std::env::consts::ARCH != "x86_64" {
        return Some("the programs of the cluster are built for x86_64".to_owned());
    }
    let debian = fs::read_to_string("/etc/debian_version").unwrap_or_default();
    if !debian.starts_with("12") {
        return Some("the programs of the cluster are built from Debian 12's packages".to_owned());
    }
    None
}

/// The cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    folder: PathBuf,
    interrupted: Arc<AtomicBool>,
}

impl Cluster {
    /// Handles Ctrl-C from now on: what was started is ended first.
    pub(super) fn new() -> Result<Self> {
        let folder =
            std::env::var_os(FOLDER).map_or_else(|| shell::target_dir().join("cluster"), PathBuf::from);
        fs::create_dir_all(&folder)?;
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        Ok(Self {
            folder: folder.canonicalize()?,
            interrupted,
        })
    }

    /// An error after Ctrl-C.
    pub(super) fn interrupted(&self) -> Result<()> {
        ensure!(!self.interrupted.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }

    /// Where what runs has its files.
    pub(super) fn running(&self) -> PathBuf {
        self.folder.join("run")
    }

    pub(super) fn is_up(&self) -> bool {
        self.running().exists()
    }

    /// Shows where logs are.
    pub(super) fn logs(&self) -> Command {
        let mut command = Command::new("ls");
        command.arg(self.running());
        command
    }

    fn script(name: &str) -> Command {
        Command::new(shell::root().join("xtask/cluster").join(name))
    }

    /// Builds its programs, once.
    pub(super) fn build(&self) -> Result<()> {
        if self.folder.join("built").exists() {
            return Ok(());
        }
        println!("building the programs of the cluster, once: 6 to 8 minutes");
        shell::run(Self::script("build.sh").arg(&self.folder))
    }

    /// Builds the images; returns the names and archives of those.
    pub(super) fn images(&self) -> Result<Vec<(&'static str, PathBuf)>> {
        let packages = [
            "--package",
            "shadow-agent",
            "--package",
            "shadow-tests",
            "--bin",
            "shadow",
            "--bin",
            "shadow-cluster-app",
        ];
        shell::run(shell::cargo().args(["build", "--quiet"]).args(packages))?;
        let mut images = Vec::new();
        for (name, program) in IMAGES {
            let binary = shell::target_dir().join("debug").join(program);
            let archive = self.folder.join(format!("{program}.tar"));
            if !is_newer(&archive, &binary) {
                shell::run(Self::script("image.sh").arg(name).args([&binary, &archive]))?;
            }
            images.push((name, archive));
        }
        Ok(images)
    }

    pub(super) fn up(&self) -> Result<()> {
        shell::run(Self::script("nodes.sh").arg("up").arg(&self.folder))
    }

    /// Ends everything. Ctrl-C does not end this.
    pub(super) fn down(&self) -> Result<()> {
        shell::run(
            Self::script("nodes.sh")
                .arg("down")
                .arg(&self.folder)
                .process_group(0),
        )
    }

    /// Loads the images on both nodes.
    pub(super) fn load(&self, images: &[(&str, PathBuf)]) -> Result<()> {
        for (name, archive) in images {
            let mut command = Self::script("nodes.sh");
            command.arg("image").arg(&self.folder).arg(name).arg(archive);
            shell::run(&mut command)?;
        }
        Ok(())
    }

    /// Installs the workload, and the chart by Helm.
    pub(super) fn install(&self) -> Result<()> {
        let files = shell::root().join("xtask/cluster");
        let shop = files.join("shop.yaml");
        self.kubectl(&["apply", "-f", &shop.to_string_lossy()])?;
        for name in ["deploy/shop", "deploy/shop-next", "deploy/pay", "ds/client"] {
            self.rolled_out("shop", name)?;
        }
        self.install_with("values.yaml")
    }

    /// Installs the chart with these values.
    pub(super) fn install_with(&self, values: &str) -> Result<()> {
        let files = shell::root().join("xtask/cluster");
        let chart = shell::root().join("deploy/helm/shadow");
        let mut helm = self.command(1, "helm");
        helm.args(["upgrade", "--install", "shadow"])
            .arg(chart)
            .args(["--namespace", "shadow", "--create-namespace", "--values"])
            .arg(files.join(values));
        // Another binary under the same name of the image.
        let made = fs::metadata(self.folder.join("shadow.tar"))?.modified()?;
        let built = made.duration_since(UNIX_EPOCH)?.as_secs();
        helm.arg("--set-string")
            .arg(format!("podAnnotations.built={built}"));
        captured(&mut helm)?;
        self.rolled_out("shadow", "ds/shadow")
    }

    /// Waits until every pod of a workload is ready.
    pub(super) fn rolled_out(&self, namespace: &str, name: &str) -> Result<()> {
        let words = ["-n", namespace, "rollout", "status", name, "--timeout=120s"];
        self.kubectl(&words).map(drop)
    }

    /// A command in the network of a node.
    pub(super) fn command(&self, node: u8, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut paths = vec![self.folder.join("bin")];
        paths.extend(std::env::split_paths(&path));
        command
            .arg(format!("--net=/run/netns/skn{node}"))
            .arg(program)
            .env("KUBECONFIG", self.running().join("kubeconfig"));
        if let Ok(path) = std::env::join_paths(paths) {
            command.env("PATH", path);
        }
        command
    }

    /// Makes or changes an object.
    pub(super) fn apply(&self, object: &Value) -> Result<()> {
        let file = self.running().join("object.json");
        fs::write(&file, object.to_string())?;
        self.kubectl(&["apply", "-f", &file.to_string_lossy()]).map(drop)
    }

    pub(super) fn kubectl(&self, words: &[&str]) -> Result<String> {
        captured(self.command(1, "kubectl").args(words))
    }

    /// `kubectl shadow`: exit code and output.
    pub(super) fn shadow(&self, words: &[&str]) -> Result<(i32, String)> {
        let program = shell::target_dir().join("debug/shadow");
        let output = self
            .command(1, &program.to_string_lossy())
            .arg("cluster")
            .args(words)
            .output()?;
        let text = [output.stdout, output.stderr].concat();
        let code = output.status.code().context("ended by a signal")?;
        Ok((code, String::from_utf8_lossy(&text).into_owned()))
    }
}

/// Runs to the end; returns what it printed, or an error with it.
pub(super) fn captured(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", shell::words(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{} ended with {}: {}",
            shell::words(command),
            output.status,
            said.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_newer(made: &Path, from: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    matches!((time(made), time(from)), (Some(made), Some(from)) if made > from)
}
