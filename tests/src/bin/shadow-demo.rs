//! The driver of `cargo xtask demo`.

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(about = "Mirrors a small shop API to its rewrite on loopback; run it by `cargo xtask demo`")]
struct Args {
    /// Seconds of traffic
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match shadow_tests::demo::run(Args::parse().seconds).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
