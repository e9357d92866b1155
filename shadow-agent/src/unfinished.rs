//! The exchanges that the agent is working on, recorded so that they outlive the process.
//!
//! Owns: two files in the state folder. `in-progress` has a slot for each exchange that is being compared or redacted,
//! by hashes of its method and target; `ended-agent.json` lists those that were in a slot when an agent ended abruptly
//! (an abort, a signal that cannot be handled). They are not tried again by the same version, so that one exchange
//! cannot end every agent again. Bounds: [`SLOTS`], [`REMEMBERED`] exchanges; a slot costs two writes to the page
//! cache, through a mapping where the file system allows it, and none to the disk. Bias: a failed write loses the
//! record, and never keeps an exchange from being compared.

use std::{
    collections::{HashMap, HashSet},
    env, fmt,
    fs::File,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

use serde::{Deserialize, Serialize};
use shadow_proto::exchange::Exchange;

use super::state::{StateDir, StateError};
use crate::{capture::mapped::MappedFile, clock::now_ms, whole};

/// Exchanges that are worked on at the same moment and noted; there are fewer worker threads.
const SLOTS: usize = 16;

/// Exchanges that are not tried again; the oldest is forgotten first.
const REMEMBERED: usize = 64;

/// A path is skipped if it was in the slots of so many ended agents, whatever the query was.
const PATHS: usize = 3;

/// Magic and version, whether an agent runs, a key for the hashes.
const HEAD: usize = 32;
const MAGIC: [u8; 8] = *b"SHDWPRG1";
const SLOT: usize = 16;

/// The environment variable that aborts the agent while it works on an exchange whose target contains its value. For
/// tests of the next start.
pub const FAULT: &str = "SHADOW_FAULT_ABORT";

/// A recorded exchange; zeros for none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Noted {
    exchange: u64,
    path: u64,
}

/// An exchange that was being worked on when an agent ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Offender {
    exchange: String,
    path: String,
    at_ms: u64,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Offenders {
    /// Of the agent: another version may have fixed the fault.
    version: String,
    exchanges: Vec<Offender>,
}

/// The record of the running agent. The default keeps none.
#[derive(Default)]
pub struct Unfinished {
    record: Option<Record>,
    exchanges: HashSet<u64>,
    paths: HashMap<u64, usize>,
    ended: Option<usize>,
    fault: Option<String>,
}

struct Record {
    file: File,
    /// The same file in memory; without it a slot is written by system calls.
    words: Option<MappedFile>,
    key: [u8; 16],
    /// A bit for each slot that is taken.
    taken: AtomicU32,
}

/// Notes an exchange until it is dropped.
#[must_use = "the exchange is noted until this is dropped"]
pub struct Busy<'u>(Option<(&'u Record, usize)>);

impl fmt::Debug for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unfinished").finish_non_exhaustive()
    }
}

impl fmt::Debug for Busy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Busy").finish_non_exhaustive()
    }
}

impl Unfinished {
    /// Reads the previous agents' record from the state folder, and begins a new one.
    ///
    /// There are two records, so that an agent and its successor can run at once. One that takes over leaves the other
    /// record, which is in use.
    pub fn open(state: &StateDir, record: u8, is_alone: bool) -> Result<Self, StateError> {
        let name = |record: u8| match record {
            0 => "in-progress".to_owned(),
            other => format!("in-progress-{other}"),
        };
        let path = state.path().join(name(record));
        let other = state.path().join(name(record ^ 1));
        let failed = |source| write_failure(&path, source);
        let file = whole::open_or_make(&path).map_err(failed)?;
        let mut former = Vec::new();
        (&file)
            .take((HEAD + SLOTS * SLOT) as u64)
            .read_to_end(&mut former)
            .map_err(failed)?;
        let (running, key, left) = former_work(&former, &other, is_alone);
        let mut known: Offenders = state.load("ended-agent.json").ok().flatten().unwrap_or_default();
        if known.version != env!("CARGO_PKG_VERSION") {
            known = Offenders {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                exchanges: Vec::new(),
            };
        }
        if running && !left.is_empty() {
            let at_ms = now_ms();
            known.exchanges.extend(left.iter().map(|noted| Offender {
                exchange: format!("{:016x}", noted.exchange),
                path: format!("{:016x}", noted.path),
                at_ms,
            }));
            let extra = known.exchanges.len().saturating_sub(REMEMBERED);
            known.exchanges.drain(..extra);
            state.replace("ended-agent.json", &known)?;
        }
        let mut head = Vec::with_capacity(HEAD + SLOTS * SLOT);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&1u64.to_le_bytes());
        head.extend_from_slice(&key);
        head.resize(HEAD + SLOTS * SLOT, 0);
        file.write_all_at(&head, 0).map_err(failed)?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let mut paths = HashMap::new();
        for path in known.exchanges.iter().filter_map(|known| number(&known.path)) {
            *paths.entry(path).or_default() += 1;
        }
        Ok(Self {
            exchanges: known
                .exchanges
                .iter()
                .filter_map(|known| number(&known.exchange))
                .collect(),
            paths,
            record: Some(Record {
                words: MappedFile::of(&file, HEAD + SLOTS * SLOT).ok(),
                file,
                key,
                taken: AtomicU32::new(0),
            }),
            ended: running.then_some(left.len()),
            fault: env::var(FAULT).ok().filter(|text| !text.is_empty()),
        })
    }

    /// If the previous agent ended abruptly: how many exchanges it was working on.
    pub fn ended(&self) -> Option<usize> {
        self.ended
    }

    /// Whether an agent of this version ended while it worked on an exchange like this one.
    pub fn is_offender(&self, exchange: &Exchange) -> bool {
        if self.exchanges.is_empty() {
            return false;
        }
        self.record.as_ref().is_some_and(|record| {
            let noted = record.noted(exchange);
            self.exchanges.contains(&noted.exchange)
                || self.paths.get(&noted.path).is_some_and(|times| *times >= PATHS)
        })
    }

    /// Notes that an exchange is being worked on, as long as the returned guard lives.
    pub fn begin(&self, exchange: &Exchange) -> Busy<'_> {
        let busy = Busy(self.record.as_ref().and_then(|record| record.begin(exchange)));
        if let Some(fault) = &self.fault
            && String::from_utf8_lossy(&exchange.request.target).contains(fault)
        {
            tracing::error!("the agent aborts on purpose: {FAULT} is set");
            std::process::abort();
        }
        busy
    }
}

impl Drop for Unfinished {
    /// A regular end: an abort does not run this.
    fn drop(&mut self) {
        if let Some(record) = &self.record {
            drop(record.file.write_all_at(&0u64.to_le_bytes(), MAGIC.len() as u64));
        }
    }
}

impl Record {
    fn noted(&self, exchange: &Exchange) -> Noted {
        let request = &exchange.request;
        let path = request
            .target
            .split(|byte| *byte == b'?')
            .next()
            .unwrap_or_default();
        // Zero is an empty slot.
        let hash = |what: &[u8]| {
            let mut hasher = DefaultHasher::new();
            (self.key, &request.method, what).hash(&mut hasher);
            hasher.finish().max(1)
        };
        Noted {
            exchange: hash(&request.target),
            path: hash(path),
        }
    }

    fn begin(&self, exchange: &Exchange) -> Option<(&Self, usize)> {
        let free = |taken: u32| taken.trailing_ones() as usize;
        let mut slot = 0;
        self.taken
            .fetch_update(SeqCst, SeqCst, |taken| {
                slot = free(taken);
                (slot < SLOTS).then_some(taken | 1 << slot)
            })
            .ok()?;
        self.write(slot, self.noted(exchange));
        Some((self, slot))
    }

    /// A failed write is not visible to the next agent, and has no other effect.
    fn write(&self, slot: usize, Noted { exchange, path }: Noted) {
        let at = HEAD + slot * SLOT;
        if let Some(words) = &self.words {
            words.set_word(at + 8, path);
            words.set_word(at, exchange);
            return;
        }
        let mut bytes = [0; SLOT];
        bytes[..8].copy_from_slice(&exchange.to_le_bytes());
        bytes[8..].copy_from_slice(&path.to_le_bytes());
        drop(self.file.write_all_at(&bytes, at as u64));
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some((record, slot)) = self.0 {
            record.write(slot, Noted::default());
            record.taken.fetch_and(!(1 << slot), SeqCst);
        }
    }
}

fn write_failure(path: &Path, source: io::Error) -> StateError {
    StateError::Write {
        path: path.to_owned(),
        source,
    }
}

/// Whether an agent ended abruptly, the key of hashes, and the work that was left: of this record, whose text is
/// `former`, and of the other one.
fn former_work(former: &[u8], other: &Path, is_alone: bool) -> (bool, [u8; 16], Vec<Noted>) {
    let (mut running, mut key, mut left) = parsed(former).unwrap_or((false, fresh_key(), Vec::new()));
    let others = whole::read(other).ok().and_then(|text| parsed(&text));
    if let (Some((_, others_key, _)), false) = (&others, is_alone) {
        // Hashes in both mean the same.
        key = *others_key;
        (running, left) = (false, Vec::new());
    }
    if let (Some((true, others_key, others_left)), true) = (others, is_alone) {
        running = true;
        left.extend(others_left.into_iter().filter(|_| others_key == key));
    }
    if is_alone {
        // It is not there, mostly.
        drop(std::fs::remove_file(other));
    }
    (running, key, left)
}

/// Whether an agent was running, its key, and the exchanges it was working on. `None` for an invalid record.
fn parsed(text: &[u8]) -> Option<(bool, [u8; 16], Vec<Noted>)> {
    let rest = text.strip_prefix(&MAGIC)?;
    let (running, rest) = rest.split_first_chunk::<8>()?;
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let noted = rest.chunks_exact(SLOT).filter_map(|slot| {
        let (exchange, path) = slot.split_first_chunk::<8>()?;
        Some(Noted {
            exchange: u64::from_le_bytes(*exchange),
            path: u64::from_le_bytes(path.try_into().ok()?),
        })
    });
    let noted = noted.filter(|noted| noted.exchange != 0).collect();
    Some((u64::from_le_bytes(*running) == 1, *key, noted))
}

/// Without the key, nobody can guess the hashed values; without randomness the hashes still differ.
fn fresh_key() -> [u8; 16] {
    let mut key = [0; 16];
    let read = |mut file: File| -> io::Result<()> { file.read_exact(&mut key) };
    drop(File::open("/dev/urandom").and_then(read));
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pipeline::tests::exchange,
        state::{Lock, Owner},
    };

    fn claimed() -> (tempfile::TempDir, StateDir, Lock) {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateDir::new(folder.path().join("state"));
        let lock = state.claim(Owner::this_process()).expect("claimed");
        (folder, state, lock)
    }

    /// Ends abruptly: nothing is dropped.
    fn aborted(state: &StateDir, targets: &[&str]) {
        let unfinished = Unfinished::open(state, 0, true).expect("opens");
        for target in targets {
            std::mem::forget(unfinished.begin(&exchange("GET", target, "ok")));
        }
        drop(unfinished.begin(&exchange("GET", "/done", "ok")));
        std::mem::forget(unfinished);
    }

    #[test]
    fn what_was_being_worked_on_when_an_agent_ended_is_left_alone_by_the_next() {
        let (_folder, state, _lock) = claimed();
        let is_offender =
            |unfinished: &Unfinished, target: &str| unfinished.is_offender(&exchange("GET", target, "ok"));
        let first = Unfinished::open(&state, 0, true).expect("opens");
        assert_eq!((first.ended(), is_offender(&first, "/a?x=1")), (None, false));
        let busy = first.begin(&exchange("GET", "/a?x=1", "ok"));
        drop(busy);
        drop(first);
        let second = Unfinished::open(&state, 0, true).expect("opens");
        assert_eq!(second.ended(), None, "the first one ended in order");
        drop(second);

        aborted(&state, &["/a?x=1", "/b"]);
        let third = Unfinished::open(&state, 0, true).expect("opens");
        assert_eq!(third.ended(), Some(2));
        for (target, expected) in [
            ("/a?x=1", true),
            ("/b", true),
            ("/a?x=2", false),
            ("/done", false),
        ] {
            assert_eq!(is_offender(&third, target), expected, "{target}");
        }
        assert!(!third.is_offender(&exchange("POST", "/b", "ok")));
        drop(third);
        // It stays so with every later agent.
        let fourth = Unfinished::open(&state, 0, true).expect("opens");
        assert_eq!(fourth.ended(), None);
        assert!(is_offender(&fourth, "/b"));
        drop(fourth);

        aborted(&state, &["/a?x=2"]);
        aborted(&state, &["/a?x=3"]);
        let last = Unfinished::open(&state, 0, true).expect("opens");
        assert!(is_offender(&last, "/a?x=4"), "the path itself by now");
        assert!(!is_offender(&last, "/b?x=1"));
    }

    #[test]
    fn a_slot_has_the_same_bytes_whether_it_is_mapped_or_written() {
        let (_folder, state, _lock) = claimed();
        let path = state.path().join("in-progress");
        let begun = exchange("GET", "/a?x=1", "ok");
        let mut unfinished = Unfinished::open(&state, 0, true).expect("opens");
        let mut seen = Vec::new();
        for _ in 0..2 {
            let busy = unfinished.begin(&begun);
            let during = std::fs::read(&path).expect("is there");
            drop(busy);
            seen.push((during, std::fs::read(&path).expect("is there")));
            unfinished.record.as_mut().expect("a record").words = None;
        }
        let (during, after) = &seen[0];
        assert_ne!(during, after);
        assert_eq!(seen[0], seen[1]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_foreign_file_is_begun_anew() {
        let (_folder, state, _lock) = claimed();
        std::fs::write(state.path().join("in-progress"), vec![b'x'; 100_000]).expect("writes");
        for round in 0..REMEMBERED {
            let targets: Vec<_> = (0..40).map(|number| format!("/{round}/{number}")).collect();
            aborted(&state, &targets.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let unfinished = Unfinished::open(&state, 0, true).expect("opens");
        assert_eq!(unfinished.ended(), Some(SLOTS));
        assert_eq!(unfinished.exchanges.len(), REMEMBERED);
        let record = unfinished.record.as_ref().expect("a record");
        assert!(record.file.metadata().expect("is there").len() <= 100_000);
        assert!(
            std::fs::metadata(state.path().join("ended-agent.json"))
                .expect("is there")
                .len()
                < 16 << 10
        );
    }
}
