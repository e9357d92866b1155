//! The scene of most promise tests: the wire, nginx as production, and a working directory.

use std::{net::SocketAddr, path::PathBuf};

use tempfile::TempDir;

use crate::{
    agent::Plan,
    netns::Lab,
    nginx::{self, Nginx},
};

/// The port of production and of the shadow system.
pub const PORT: u16 = 80;

/// Starting point of a test. Fields are dropped in this order.
#[derive(Debug)]
pub struct Scene {
    /// Production.
    pub production: Nginx,
    /// The wire.
    pub lab: Lab,
    /// Files that nginx serves.
    pub www: PathBuf,
    /// Directory for all output.
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

    /// Address of production for clients.
    pub fn production() -> SocketAddr {
        Lab::production(PORT)
    }

    /// Address of the shadow system for the agent.
    pub fn shadow() -> SocketAddr {
        Lab::shadow_system(PORT)
    }

    /// An nginx with the same files as production, used as the shadow system.
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
