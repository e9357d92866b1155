//! Requirements of a test on the machine. A test that cannot run says `SKIPPED: reason` and returns; `cargo xtask test`
//! counts it as skipped.

use std::{env, fmt, path::PathBuf};

/// One condition.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// The effective user is root.
    Root,
    /// A program on the path.
    Program(&'static str),
    /// A file or device.
    File(&'static str),
    /// A program that `cargo xtask setup` installs from Python's package index.
    Python(&'static str),
    /// A package that `cargo xtask setup` installs from npm.
    Node(&'static str),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("this test needs root (network namespaces, bpf)"),
            Self::Program(name) => write!(f, "{name} is not installed (cargo xtask setup installs it)"),
            Self::File(path) => write!(f, "there is no {path}"),
            Self::Python(name) => write!(f, "there is no {} (cargo xtask setup)", python(name).display()),
            Self::Node(name) => write!(
                f,
                "there is no {} (cargo xtask setup)",
                modules().join(name).display()
            ),
        }
    }
}

impl Need {
    /// Whether the condition holds on this machine.
    pub fn is_met(self) -> bool {
        match self {
            Self::Root => rustix::process::geteuid().is_root(),
            Self::Program(name) => find(name).is_some(),
            Self::File(path) => PathBuf::from(path).exists(),
            Self::Python(name) => python(name).exists(),
            Self::Node(name) => modules().join(name).exists(),
        }
    }
}

/// A program in the folder for Python's packages.
pub fn python(program: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin")).join(program)
}

/// The folder for npm's packages.
pub fn modules() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/node/node_modules"
    ))
}

/// The full path of a program, also in directories that are only on root's path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Ends the test as skipped unless every [`Need`] is met.
#[macro_export]
macro_rules! need {
    ($($need:ident $(($name:literal))?),+ $(,)?) => {
        $(
            let need = $crate::need::Need::$need $(($name))?;
            if !need.is_met() {
                println!("SKIPPED: {need}");
                return;
            }
        )+
    };
}
