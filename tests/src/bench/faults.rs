//! Cost to production of a shadow system that is gone, never answers, or answers after ten seconds.
//!
//! Each fault is measured in two ways. At full speed with the defaults: the breaker stops sending to such a target. At
//! a steady rate below saturation without a breaker, which is the worst case: every exchange is tried, and waits for
//! its timeout.

use anyhow::Result;
use serde_json::Value;

use super::{
    Options,
    modes::{self, Load, Mode},
    rig::Rig,
};
use crate::{
    agent::ALL_ONCE,
    netns::Lab,
    servers::{Behaviour, Server},
};

/// Requests per second, far below what production can answer, so that the latency measured is that of the answers.
const RATE: u32 = 2_000;

/// How the shadow system fails, and its port. `None`: nothing listens.
const FAULTS: [(&str, u16, Option<Behaviour>); 3] = [
    ("refuses", 81, None),
    ("never_answers", 82, Some(Behaviour::Silent)),
    (
        "answers_after_10_s",
        83,
        Some(Behaviour::Slow(std::time::Duration::from_secs(10))),
    ),
];

/// The figures for each fault, by name.
pub(super) fn measure(options: &Options) -> Result<Vec<(String, Value)>> {
    let rig = Rig::new()?;
    let mut figures = Vec::new();
    for (fault, port, behaviour) in FAULTS {
        let address = Lab::shadow_system(port);
        let _server = behaviour.map(|behaviour| Server::start(&rig.lab.shadow, address, behaviour));
        let url = format!("http://{address}");
        let file = rig.directory.path().join(format!("{fault}.yaml"));
        std::fs::write(
            &file,
            format!("shadow: {{url: '{url}', breaker: {{errors: 0%}}}}\n"),
        )?;
        let file = file.display().to_string();
        let no_breaker = [&["--config", &file], ALL_ONCE.as_slice()].concat();
        let modes = [
            Mode {
                name: &format!("faults_{fault}_full_speed"),
                load: Load::FullSpeed,
                args: &["--shadow", &url],
                goal: "throughput as when observing (>= 0.85), memory flat, broken laws 0",
            },
            Mode {
                name: &format!("faults_{fault}_steady_{RATE}_without_breaker"),
                load: Load::Steady(RATE),
                args: &no_breaker,
                goal: "p99 within noise, memory flat, ring_full 0, broken laws 0",
            },
        ];
        for mode in &modes {
            figures.push((mode.name.to_owned(), modes::measure(&rig, mode, options)?));
        }
    }
    Ok(figures)
}
