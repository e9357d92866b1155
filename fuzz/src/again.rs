//! Runs the fuzz targets without libFuzzer: on the seeds of a target, every input that once failed, and some hundred
//! random changes of the seeds, the same ones every time. `SHADOW_MUTATIONS=100000` runs more.

use std::{
    env, fs,
    panic::resume_unwind,
    path::{Path, PathBuf},
    thread,
};

/// Stack size in bytes for a target. A thread of the agent has eight times as much: recursion whose depth depends on
/// the input is found with a small input.
const STACK: usize = 256 << 10;

/// Number of changed seeds for one target.
const MUTATIONS: u64 = 400;

/// Largest seed that is changed, in bytes: larger ones are run unchanged.
const LARGEST: usize = 64 << 10;

/// Runs a target on a small stack, and panics if the target does.
pub fn on_small_stack(run: fn(&[u8]), input: &[u8]) {
    let ended = thread::scope(|scope| {
        let small = thread::Builder::new().stack_size(STACK);
        let thread = small.spawn_scoped(scope, || run(input));
        thread.expect("a thread").join()
    });
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// Runs a target on `fuzz/regressions/NAME`, on the files in the folders `seeds`, which are relative to the project,
/// and on changes of them; each on a small stack.
pub fn target(name: &str, seeds: &[&str], run: fn(&[u8])) {
    on_any_stack(name, seeds, |input| on_small_stack(run, input));
}

/// As [`target`], on the stack of the caller: for files that only the operator writes.
pub fn on_any_stack(name: &str, seeds: &[&str], run: impl Fn(&[u8])) {
    let judge = |what: &str, input: &[u8]| {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(input))).is_ok();
        assert!(held, "{name}: {what}: {:?}", input.escape_ascii().to_string());
    };
    for (path, input) in inputs(&format!("fuzz/regressions/{name}")) {
        judge(&path.display().to_string(), &input);
    }
    let mut found: Vec<(PathBuf, Vec<u8>)> = seeds.iter().flat_map(|folder| inputs(folder)).collect();
    assert!(!found.is_empty(), "{name} has no seeds");
    for (path, input) in &found {
        judge(&path.display().to_string(), input);
    }
    found.retain(|(_, input)| input.len() <= LARGEST);
    let more = env::var("SHADOW_MUTATIONS")
        .ok()
        .and_then(|more| more.parse().ok());
    let mut random = Random(0x5ad0);
    for number in 0..more.unwrap_or(MUTATIONS) {
        let mut any = || &found[random.below(found.len())].1;
        let (one, other) = (any(), any());
        let input = changed(one, other, &mut random);
        judge(&format!("mutation {number}"), &input);
    }
}

fn inputs(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let Ok(entries) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a readable file");
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

/// Some bytes changed, omitted, repeated or taken from another seed.
fn changed(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(6) {
        let place = random.below(bytes.len() + 1);
        let end = (place + random.below(12)).min(bytes.len());
        let byte = u8::try_from(random.below(256)).expect("a byte");
        match random.below(6) {
            0 => drop(bytes.drain(place..end)),
            1 => bytes.insert(place, byte),
            2 => {
                let piece = bytes[place..end].to_vec();
                bytes.splice(place..place, piece);
            }
            3 if !other.is_empty() => {
                let from = random.below(other.len());
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

/// `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
struct Random(u64);

impl Random {
    /// A number below `bound`, which is not zero.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("smaller than a usize")
    }
}
