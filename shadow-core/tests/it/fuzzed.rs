//! What libFuzzer tries (`fuzz/`), here on its seeds, on every input that once broke something, and on a few thousand
//! random changes of them, the same ones every time. `SHADOW_MUTATIONS=100000` tries more.

use std::{
    env, fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use crate::support::rng::Rng;

#[path = "../../../fuzz/src/assembler.rs"]
mod assembler;
#[path = "../../../fuzz/src/compare.rs"]
mod compare;
#[path = "../../../fuzz/src/connection.rs"]
mod connection;
#[path = "../../../fuzz/src/decode.rs"]
mod decode;
#[path = "../../../fuzz/src/engine.rs"]
mod engine;
#[path = "../../../fuzz/src/record.rs"]
mod record;

/// Changes of the seeds of one target.
const MUTATIONS: u64 = 400;

fn inputs(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(entries) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a readable file");
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

/// Some bytes changed, left out, repeated or taken from another seed.
fn changed(seed: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.between(1, 6) {
        let place = rng.below(bytes.len() + 1);
        let end = (place + rng.below(12)).min(bytes.len());
        let byte = u8::try_from(rng.below(256)).expect("a byte");
        match rng.below(6) {
            0 => drop(bytes.drain(place..end)),
            1 => bytes.insert(place, byte),
            2 => {
                let piece = bytes[place..end].to_vec();
                bytes.splice(place..place, piece);
            }
            3 if !other.is_empty() => {
                let from = rng.below(other.len());
                let to = (from + usize::from(byte)).min(other.len());
                bytes.splice(place..end, other[from..to].iter().copied());
            }
            4 => bytes.truncate(place.max(1)),
            _ => {
                if let Some(old) = bytes.get_mut(place) {
                    *old ^= 1 << (byte % 8);
                }
            }
        }
    }
    bytes
}

fn target(name: &str, seeds: &str, run: fn(&[u8])) {
    let judge = |what: &str, input: &[u8]| {
        let held = panic::catch_unwind(AssertUnwindSafe(|| run(input))).is_ok();
        assert!(held, "{name}: {what}: {:?}", input.escape_ascii().to_string());
    };
    for (path, input) in inputs(&format!("../fuzz/regressions/{name}")) {
        judge(&path.display().to_string(), &input);
    }
    let seeds = inputs(seeds);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    for (path, input) in &seeds {
        judge(&path.display().to_string(), input);
    }
    let more = env::var("SHADOW_MUTATIONS")
        .ok()
        .and_then(|more| more.parse().ok());
    let mut rng = Rng::new(0x5ad0);
    for number in 0..more.unwrap_or(MUTATIONS) {
        let mut any = || &seeds[rng.below(seeds.len())].1;
        let (one, other) = (any(), any());
        let input = changed(one, other, &mut rng);
        judge(&format!("mutation {number}"), &input);
    }
}

#[test]
fn records_and_frames() {
    target("record", "../fuzz/seeds/record", record::run);
}

#[test]
fn assembler_operations() {
    target("assembler", "../fuzz/seeds/assembler", assembler::run);
}

#[test]
fn connections() {
    target("connection", "tests/transcripts", connection::run);
}

#[test]
fn engine_operations() {
    target("engine", "../fuzz/seeds/engine", engine::run);
}

#[test]
fn content_codings() {
    target("decode", "../fuzz/seeds/decode", decode::run);
}

#[test]
fn pairs_of_bodies() {
    target("compare", "../fuzz/seeds/compare", compare::run);
}
