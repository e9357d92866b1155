//! Nanoseconds that the kernel program takes per packet.

use anyhow::{Context as _, Result};
use aya::{
    programs::{ProgramInfo, TestRun as _, TestRunOptions, loaded_programs},
    sys::{Stats, enable_stats},
};
use serde_json::{Map, Value, json};
use shadow_agent::capture::{
    Source as _,
    attach::Hook,
    load::{LoadOptions, Program},
};

use super::{load, rig::Rig};

/// Ring size for the runs that emit records: nothing is read meanwhile.
const RING: u32 = 64 << 20;

/// For each fate of a packet.
pub(super) fn measure() -> Result<Value> {
    let mut figures = Map::new();
    for (name, port, payload, sample) in [
        ("not_targeted_ns", 81, 100, 1.0),
        ("unsampled_ns", 80, 100, 0.0),
        ("emitted_100_bytes_ns", 80, 100, 1.0),
        ("emitted_1448_bytes_ns", 80, 1_448, 1.0),
    ] {
        figures.insert(name.to_owned(), json!(time(port, payload, sample)?));
    }
    let (nanos, bytes) = large()?;
    figures.insert("emitted_large_ns".to_owned(), json!(nanos));
    figures.insert("emitted_large_mean_bytes".to_owned(), json!(bytes));
    Ok(Value::Object(figures))
}

/// The egress program on a large download: nanoseconds and payload bytes of an average packet. The test run cannot
/// build packets as large as those of segmentation offload, so this is measured on the wire, with the kernel's own
/// clock (`kernel.bpf_stats_enabled`).
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn large() -> Result<(f64, f64)> {
    let rig = Rig::new()?;
    let mut agent = rig.agent(&["--observe"])?;
    let _timed = enable_stats(Stats::RunTime).context("the kernel does not time programs")?;
    let before = egress(None)?;
    load::full_speed(&rig.lab.client, rig.directory.path(), &Rig::url("1m.bin"), 2, 2)?;
    let after = egress(Some(before.id()))?;
    let report = agent.settled_when("the rest is done", |_| true);
    agent.stop();
    let packets = after.run_count().saturating_sub(before.run_count()).max(1);
    let nanos = after.run_time().saturating_sub(before.run_time()).as_nanos();
    let bytes = report.funnel.exchanges << 20;
    Ok((nanos as f64 / packets as f64, bytes as f64 / packets as f64))
}

/// The egress program loaded last, which is that of our agent; or the one with this id.
fn egress(id: Option<u32>) -> Result<ProgramInfo> {
    loaded_programs()
        .flatten()
        .filter(|program| {
            id.map_or(program.name_as_str() == Some("shadow_egress"), |id| {
                program.id() == id
            })
        })
        .max_by_key(ProgramInfo::id)
        .context("the agent has no egress program")
}

fn time(port: u16, payload: usize, sample: f64) -> Result<u128> {
    let mut program = Program::load(&LoadOptions {
        ring_bytes: RING,
        ..LoadOptions::default()
    })?;
    program.targets.set(&["80".parse()?], &[])?;
    program.control.set_sample(sample)?;
    let frame = frame(port, payload);
    let mut best = u128::MAX;
    for _ in 0..5 {
        // Renews the heartbeat, and empties the ring.
        while matches!(
            program.source.poll(std::time::Duration::ZERO, &mut |_| ())?,
            shadow_agent::capture::Polled::Segments(_)
        ) {}
        let mut options = TestRunOptions::new();
        options.data_in = Some(&frame);
        options.repeat = u32::try_from(payload).map_or(100, |bytes| (RING / 2 / bytes.max(4_096)).min(5_000));
        let hook = program.attacher.program(Hook::Ingress)?;
        let result = hook.test_run(options).context("the kernel does not run it")?;
        best = best.min(result.duration.as_nanos());
    }
    Ok(best)
}

/// An Ethernet frame with a TCP segment to this port.
fn frame(port: u16, payload: usize) -> Vec<u8> {
    let total = u16::try_from(40 + payload).unwrap_or(u16::MAX);
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45, 0]);
    frame.extend(total.to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(40_000_u16.to_be_bytes());
    frame.extend(port.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    frame.resize(frame.len() + payload, b'x');
    frame
}
