//! Two servers that record what they received, and an agent with a configuration between them.

use std::{collections::BTreeSet, fs};

use shadow_tests::{
    agent::{Agent, Plan},
    client::Connection,
    netns::Lab,
    scene::PORT,
    servers::{Behaviour, Received, Server},
};
use tempfile::TempDir;

/// Starting point of a test. Fields are dropped in this order.
pub(crate) struct Stage {
    pub(crate) agent: Agent,
    pub(crate) shadow: Server,
    _production: Server,
    pub(crate) lab: Lab,
    pub(crate) directory: TempDir,
}

impl Stage {
    /// With an agent that has these keys in its section `shadow`.
    pub(crate) fn new(shadow: &str) -> Self {
        Self::with(shadow, &[], |_| ())
    }

    /// The same with more arguments, and with files created beforehand in the directory, which is `DIR` in the keys.
    pub(crate) fn with(keys: &str, args: &[&str], prepare: impl FnOnce(&std::path::Path)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        prepare(directory.path());
        let keys = keys.replace("DIR", &directory.path().display().to_string());
        let lab = Lab::new();
        let server = |namespace, address| Server::start(namespace, address, Behaviour::Answer(Vec::new()));
        let production = server(&lab.server, Lab::production(PORT));
        let shadow = server(&lab.shadow, Lab::shadow_system(PORT));
        let config = directory.path().join("shadow.yaml");
        let indented: String = keys.lines().flat_map(|line| ["  ", line, "\n"]).collect();
        fs::write(&config, format!("shadow:\n  timeout: 5s\n{indented}")).expect("a configuration");
        let agent = Plan::new(directory.path())
            .capture(Lab::LINK, PORT)
            .replay(Lab::shadow_system(PORT))
            .args(&["--config", &config.display().to_string()])
            .args(args)
            .start(&lab.server);
        Self {
            agent,
            shadow,
            _production: production,
            lab,
            directory,
        }
    }

    /// Sends requests exactly as written, each on a connection of its own, and waits for the answers.
    pub(crate) fn send(&self, requests: &[String]) {
        self.lab.client.run(|| {
            for request in requests {
                let mut connection = Connection::open(Lab::production(PORT)).expect("production is there");
                connection.send(request.as_bytes()).expect("it is sent");
                let answer = connection
                    .read("GET")
                    .unwrap_or_else(|error| panic!("no answer to {request:?}: {error}"));
                assert_eq!(answer.status, 200, "{request:?}");
            }
        });
    }

    /// Targets that the shadow system received.
    pub(crate) fn reached(&self) -> BTreeSet<String> {
        let target = |request: Received| request.start.split(' ').nth(1).unwrap_or_default().to_owned();
        self.shadow.received().into_iter().map(target).collect()
    }
}

/// A request without content.
pub(crate) fn bare(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: shop\r\n{fields}\r\n")
}

/// A request with content.
pub(crate) fn full(method: &str, target: &str, fields: &str, body: &str) -> String {
    bare(
        method,
        target,
        &format!("{fields}Content-Length: {}\r\n", body.len()),
    ) + body
}
