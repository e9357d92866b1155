//! The shop of the demo: `shadow-demo-service production|rewrite --listen 127.0.0.1:8080`.

use std::net::SocketAddr;

use clap::Parser;
use shadow_tests::shop::{Edition, serve::serve};
use tokio::net::TcpListener;

#[derive(Debug, Parser)]
#[command(about = "The shop of the demo")]
struct Args {
    /// The live system, or the one with planted faults
    #[arg(value_enum)]
    edition: Edition,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Args { edition, listen } = Args::parse();
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    serve(listener, edition).await;
    Ok(())
}
