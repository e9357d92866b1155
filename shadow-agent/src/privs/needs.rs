//! Resources that a configured agent uses after its start. A feature that opens a file later names it here.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use crate::{
    capture::attach::Method,
    config::{Config, place::ShadowUrl},
};

/// Files and folders that are used while the agent runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Needs {
    /// Folders in which files are made, replaced and removed.
    pub write: Vec<PathBuf>,
    /// Folders in which files are removed, and sockets are put back in their place.
    pub remove: Vec<PathBuf>,
    /// Files and folders that are read.
    pub read: Vec<PathBuf>,
    /// A program is run, such as one that prints a token: it may be any, so everything may be read and executed.
    pub commands: bool,
    /// Sockets are marked (`SO_MARK`).
    pub marks: bool,
    /// Names that are resolved again.
    pub names: Vec<String>,
    /// Interfaces are attached to and detached from by netlink, as before Linux 6.6.
    pub clsact: bool,
}

/// Parts of the system that libraries and the agent read: name resolution, time zones, processor and memory figures,
/// interfaces.
const SYSTEM: &[&str] = &[
    "/proc",
    "/sys",
    "/dev/null",
    "/dev/urandom",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/resolv.conf",
    "/etc/services",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/zoneinfo",
];

impl Needs {
    /// The needs of an agent with this configuration, which was read from `file`.
    pub fn of(config: &Config, file: Option<&Path>) -> Self {
        let mut needs = Self {
            write: vec![config.agent.state_dir.clone()],
            remove: folder(&config.agent.socket)
                .into_iter()
                .chain(
                    config
                        .capture
                        .kubernetes
                        .iter()
                        .filter_map(|pods| folder(&pods.socket)),
                )
                .collect(),
            read: SYSTEM.iter().map(PathBuf::from).collect(),
            commands: false,
            marks: false,
            names: Vec::new(),
            clsact: Method::of_this_kernel() == Method::Clsact,
        };
        // SQLite makes its log and its shared memory beside the file.
        needs
            .write
            .extend(config.journal.path.as_deref().and_then(folder));
        needs.write.extend(config.record.file.as_deref().and_then(folder));
        needs
            .read
            .extend(config.agent.kill_file.as_deref().and_then(folder));
        // Where discovery writes the test in force.
        if config.tests().is_some() {
            let kubernetes = config.capture.kubernetes.as_ref();
            needs.read.extend(kubernetes.and_then(|one| folder(&one.socket)));
        }
        // Targets that cannot be made were refused before.
        for wanted in config.wanted().unwrap_or_default() {
            needs.marks |= wanted.shadow.url.is_some();
            let host = wanted.shadow.url.as_ref().map(ShadowUrl::host);
            let name = host.filter(|host| host.parse::<IpAddr>().is_err());
            needs.names.extend(name.map(str::to_owned));
            for replace in &wanted.shadow.credentials.replace {
                needs.read.extend(replace.file.as_deref().and_then(folder));
                needs.commands |= !replace.command.is_empty();
            }
        }
        if needs.commands {
            // The error output of a command goes there.
            needs.write.push("/dev/null".into());
        }
        // An editor replaces the file, and the permission was for the old one; hence the folder.
        needs.read.extend(file.and_then(folder));
        needs
    }

    /// Whether an agent that was confined to these can also use the other ones.
    pub fn cover(&self, other: &Self) -> bool {
        let beneath =
            |path: &PathBuf, folders: &[PathBuf]| folders.iter().any(|folder| path.starts_with(folder));
        let is_read =
            |path: &PathBuf| self.commands || beneath(path, &self.read) || beneath(path, &self.write);
        let is_written = |path: &PathBuf| beneath(path, &self.write);
        let is_removed = |path: &PathBuf| beneath(path, &self.remove) || is_written(path);
        (self.commands || !other.commands)
            && (self.marks || !other.marks)
            && (!self.names.is_empty() || other.names.is_empty())
            && other.read.iter().all(is_read)
            && other.write.iter().all(is_written)
            && other.remove.iter().all(is_removed)
    }
}

/// The folder of a file, also of a bare file name.
pub(super) fn folder(file: &Path) -> Option<PathBuf> {
    match file.parent()? {
        here if here.as_os_str().is_empty() => Some(PathBuf::from(".")),
        folder => Some(folder.to_owned()),
    }
}
