//! Two servers that differ, and an agent between them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use shadow_tests::{
    agent::{Agent, Plan},
    client::Connection,
    netns::Lab,
    scene::{PORT, Scene},
    servers::{Behaviour, Server},
};
use tempfile::TempDir;

/// Fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Stage {
    _production: Server,
    _shadow: Server,
    pub(crate) lab: Lab,
    pub(crate) directory: TempDir,
}

impl Stage {
    /// Each server answers every request with its bytes.
    pub(crate) fn new(production: &str, shadow: &str) -> Self {
        let lab = Lab::new();
        let respond = |text: &str| Behaviour::Respond(text.as_bytes().to_vec());
        Self {
            _production: Server::start(&lab.server, Scene::production(), respond(production)),
            _shadow: Server::start(&lab.shadow, Scene::shadow(), respond(shadow)),
            lab,
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan::new(self.directory.path())
            .capture(Lab::LINK, PORT)
            .replay(Scene::shadow())
    }

    pub(crate) fn start(&self, plan: Plan) -> Agent {
        plan.start(&self.lab.server)
    }

    /// Sends each target once, on one connection.
    pub(crate) fn get(&self, targets: &[String]) {
        self.lab.client.run(|| {
            let mut connection = Connection::open(Scene::production()).expect("production listens");
            for target in targets {
                connection.get(target, "").expect("production answers");
            }
        });
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A response with these fields and this content.
pub(crate) fn response(fields: &str, content: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{content}",
        content.len()
    )
}

/// Every file below a directory, with its contents.
pub(crate) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut found = Vec::new();
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push((path.display().to_string(), fs::read(&path).expect("a file")));
        }
    }
    found
}

/// Output of a command that must succeed.
pub(crate) fn said(output: &Output) -> Vec<u8> {
    assert!(output.status.success(), "{output:?}");
    output.stdout.clone()
}
