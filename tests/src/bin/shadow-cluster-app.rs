//! What runs in the pods of `cargo xtask cluster`: `shadow-cluster-app serve shop`, `shadow-cluster-app visit node1`.

use clap::{Parser, Subcommand};
use shadow_tests::counted::{serve, visit};

#[derive(Debug, Parser)]
#[command(about = "A service that counts by id, and its client")]
struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// A service on port 8080
    Serve {
        /// Its name, part of its answers
        name: String,
        /// One price in ten is wrong
        #[arg(long)]
        faulty: bool,
    },
    /// A client
    Visit {
        /// The beginning of its ids
        name: String,
    },
}

fn main() -> anyhow::Result<()> {
    match Args::parse().role {
        Role::Serve { name, faulty } => serve::run(&name, faulty)?,
        Role::Visit { name } => visit::run(&name)?,
    }
    Ok(())
}
