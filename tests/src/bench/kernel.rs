//! Nanoseconds of the kernel program for one packet, by the kernel's own test run.

use anyhow::{Context as _, Result};
use aya::programs::{TestRun as _, TestRunOptions};
use serde_json::{Map, Value, json};
use shadow_agent::capture::{
    Source as _,
    attach::Hook,
    load::{LoadOptions, Program},
};

/// Ring for the runs that emit: nothing is read meanwhile.
const RING: u32 = 64 << 20;

/// For each fate.
pub(super) fn measure() -> Value {
    let mut figures = Map::new();
    for (name, port, payload, sample) in [
        ("not_targeted_ns", 81, 100, 1.0),
        ("unsampled_ns", 80, 100, 0.0),
        ("emitted_100_bytes_ns", 80, 100, 1.0),
        ("emitted_1448_bytes_ns", 80, 1_448, 1.0),
        ("emitted_64k_bytes_ns", 80, 65_000, 1.0),
    ] {
        // The kernel's test run takes packets of any size only where it can build them from pages.
        let value = time(port, payload, sample).map_or(Value::Null, |nanos| json!(nanos));
        if value.is_null() {
            eprintln!("kernel: {name} cannot be measured here");
        }
        figures.insert(name.to_owned(), value);
    }
    Value::Object(figures)
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
        // Beats the heart, and empties the ring.
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
