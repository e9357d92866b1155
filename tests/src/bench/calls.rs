//! Calls of gRPC next to requests of HTTP/1.1, at one rate and replayed: the agent's CPU time for each.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Options,
    modes::{self, CALLS_PORT as PORT, Load, Mode},
    rig::Rig,
};
use crate::{
    agent::ALL_ONCE,
    netns::{Lab, Netns},
    process::{Launch, Process, wait_until},
    shop::rpc,
};

const RATE: u32 = 4_000;

/// Both modes, and the ratio of their costs.
pub(super) fn measure(options: &Options) -> Result<Value> {
    let rig = Rig::new()?;
    let _servers = (
        shop(&rig, &rig.lab.server, &Lab::production(PORT).to_string())?,
        shop(&rig, &rig.lab.shadow, &Lab::shadow_system(PORT).to_string())?,
    );
    let set = rig.directory.path().join("shop.pb");
    std::fs::write(&set, rpc::DESCRIPTORS)?;
    let (set, port) = (set.display().to_string(), PORT.to_string());
    let [nginx, shop] = [80, PORT].map(|port| format!("http://{}", Lab::shadow_system(port)));
    let http1 = [&["--shadow", &nginx], ALL_ONCE.as_slice()].concat();
    let grpc = [
        &["--shadow", &shop, "--port", &port, "--proto-descriptors", &set],
        ALL_ONCE.as_slice(),
    ]
    .concat();
    let mode = |name, load, args| {
        let goal = "compared 100 %, agent per call at most 1.5 times HTTP/1.1";
        modes::measure(
            &rig,
            &Mode {
                name,
                load,
                args,
                goal,
            },
            options,
        )
    };
    let http1 = mode("calls_http1_steady_4000", Load::Steady(RATE), http1.as_slice())?;
    let grpc = mode("calls_grpc_steady_4000", Load::Calls(RATE), grpc.as_slice())?;
    let cost = |figures: &Value| figures["agent_us_per_request"].as_f64().unwrap_or(f64::NAN);
    Ok(json!({
        "agent_us_of_http1": cost(&grpc) / cost(&http1),
        "http1": http1,
        "grpc": grpc,
    }))
}

/// The shop of the demo; both sides run the same edition.
fn shop(rig: &Rig, namespace: &Netns, listen: &str) -> Result<Process> {
    let program = std::env::current_exe()?.with_file_name("shadow-demo-service");
    let directory = tempfile::tempdir_in(rig.directory.path())?.keep();
    let process = Launch::new(program, &directory)
        .args(["production", "--listen", listen])
        .start(namespace);
    wait_until("the shop listens", Duration::from_secs(10), || {
        process.stdout().contains("listening")
    });
    Ok(process)
}
