//! Customers for the shop of the demo: `shadow-demo-load 127.0.0.1:8080 --rate 200 --seconds 20`.

use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

use clap::Parser;
use shadow_tests::shop::load::{self, Visits};

#[derive(Debug, Parser)]
#[command(about = "Customers for the shop of the demo")]
struct Args {
    /// Where the shop listens
    server: SocketAddr,
    /// Kept-alive connections
    #[arg(long, default_value_t = 12)]
    customers: u32,
    /// Requests a second, of all together
    #[arg(long, default_value_t = 150)]
    rate: u32,
    /// How long
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

static VISITS: Visits = Visits::none();

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Args {
        server,
        customers,
        rate,
        seconds,
    } = Args::parse();
    load::run(server, customers, rate, Duration::from_secs(seconds), &VISITS).await;
    println!(
        "{} answered, {} failed",
        VISITS.answered.load(Ordering::Relaxed),
        VISITS.failed.load(Ordering::Relaxed)
    );
}
