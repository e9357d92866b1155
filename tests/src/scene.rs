//! The scene of most promise tests: the wire, nginx as production, a directory for everything.

use std::{net::SocketAddr, path::PathBuf};

use tempfile::TempDir;

use crate::{
    agent::Plan,
    netns::Lab,
    nginx::{self, Nginx},
};

/// The port of production and of the shadow system.
pub const PORT: u16 = 80;

/// What a test starts from. Fields are dropped in this order.
#[derive(Debug)]
pub struct Scene {
    /// Production.
    pub production: Nginx,
    /// The wire.
    pub lab: Lab,
    /// What nginx serves.
    pub www: PathBuf,
    /// Where everything writes.
    pub directory: TempDir,
}

impl Scene {
    /// Builds it.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let lab = Lab::new();
        let www = nginx::www(directory.path());
        let production = Nginx::start(&lab.server, "production", &www, Self::production());
        Self {
            production,
            lab,
            www,
            directory,
        }
    }

    /// Where clients find production.
    pub fn production() -> SocketAddr {
        Lab::production(PORT)
    }

    /// Where the agent finds the shadow system.
    pub fn shadow() -> SocketAddr {
        Lab::shadow_system(PORT)
    }

    /// An nginx with the same files as production, as the shadow system.
    pub fn identical_shadow(&self) -> Nginx {
        Nginx::start(&self.lab.shadow, "shadow", &self.www, Self::shadow())
    }

    /// An agent on the server's link that captures production and replays to the shadow system.
    pub fn agent(&self) -> Plan {
        Plan::new(self.directory.path())
            .capture(Lab::LINK, PORT)
            .replay(Self::shadow())
    }

    /// An agent that only observes.
    pub fn observer(&self) -> Plan {
        Plan::new(self.directory.path())
            .capture(Lab::LINK, PORT)
            .args(&["--observe"])
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}
