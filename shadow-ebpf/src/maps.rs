//! The maps, under the names that `shadow_common::config` documents, and access to them.

#[cfg(not(feature = "explain"))]
use aya_ebpf::maps::ProgramArray;
use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
#[cfg(not(feature = "explain"))]
use shadow_common::config::{self, Heard, MOST_LABELS};
use shadow_common::{
    chunk::CHUNK,
    config::{EndpointKey, MuteKey, Slot},
    record,
    stat::Stat,
};

/// One record while it is put together, and the segment that it belongs to.
#[repr(C)]
pub(crate) struct Scratch {
    pub(crate) header: [u64; record::WORDS],
    pub(crate) chunk: [u8; CHUNK],
    pub(crate) job: Job,
}

/// The payload that is being copied, handed over in the memory of a map on purpose: see [`Job::forget`].
#[repr(C)]
pub(crate) struct Job {
    /// Where the payload starts, from the start of the frame or from the network header.
    pub(crate) start: u64,
    /// Which of the two: not 0 is the network header.
    pub(crate) linear: u64,
    /// Bytes to copy.
    pub(crate) len: u64,
    /// Bytes copied.
    pub(crate) offset: u64,
    /// Flags for the record that ends it.
    pub(crate) wake: u64,
    /// Result of the last chunk.
    pub(crate) step: u64,
}

impl Job {
    /// The same value, about which the verifier knows nothing any more.
    ///
    /// Its knowledge of a length differs for every way through the parser and the gate, and it would walk the copying
    /// once for each of them: 190,000 instructions instead of a few thousand. A value read from a map has no history.
    #[inline(always)]
    pub(crate) fn forget(&mut self, value: u64) -> u64 {
        let word = &raw mut self.len;
        // SAFETY: `word` points to a field that we hold exclusively.
        unsafe { word.write_volatile(value) };
        // SAFETY: as above, and written by the line before.
        unsafe { word.read_volatile() }
    }

    /// Result of the last chunk, without the knowledge of the verifier.
    #[inline(always)]
    pub(crate) fn step(&self) -> u64 {
        // SAFETY: a field of ours, that was written when the job was.
        unsafe { (&raw const self.step).read_volatile() }
    }
}

/// User space maps it, so that the agent asks its kill switch before every replay without a system call.
#[map]
pub(crate) static SHADOW_CONTROL: Array<u64> = Array::with_max_entries(Slot::COUNT, BPF_F_MMAPABLE);

#[map]
pub(crate) static SHADOW_PORTS: Array<u8> = Array::with_max_entries(1 << 16, 0);

#[map]
pub(crate) static SHADOW_ENDPTS: HashMap<EndpointKey, u8> = HashMap::with_max_entries(4096, 0);

/// The agent sets the size when it loads the program.
#[map]
pub(crate) static SHADOW_MUTED: LruHashMap<MuteKey, u8> = LruHashMap::with_max_entries(1 << 16, 0);

#[map]
pub(crate) static SHADOW_STATS: PerCpuArray<[u64; Stat::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// The agent sets the size when it loads the program.
#[map]
pub(crate) static SHADOW_RING: RingBuf = RingBuf::with_byte_size(1 << 24, 0);

#[map]
pub(crate) static SHADOW_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[cfg(not(feature = "explain"))]
#[map]
static SHADOW_LABEL: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Set by user space before anything is attached in another network namespace.
#[cfg(not(feature = "explain"))]
#[map]
static SHADOW_INSIDE: ProgramArray = ProgramArray::with_max_entries(2, 0);

#[cfg(not(feature = "explain"))]
#[map]
static SHADOW_HEARD: Array<[u64; Heard::COUNT]> = Array::with_max_entries(MOST_LABELS, 0);

/// The label of the attachment through which the packet came. The program of the attachment has written it and made a
/// tail call; both run on one CPU with bottom halves off.
#[cfg(not(feature = "explain"))]
#[inline(always)]
pub(crate) fn label() -> u64 {
    SHADOW_LABEL.get(0).copied().unwrap_or(0)
}

/// Remembers when a labelled attachment has passed a packet of a target.
#[cfg(not(feature = "explain"))]
#[inline(always)]
pub(crate) fn heard(label: u64, to_server: bool, payload: bool, now: u64) {
    if let Some(times) = SHADOW_HEARD.get_ptr_mut(config::heard_index(config::label_number(label))) {
        // SAFETY: the pointer came from a successful lookup, and the index is in the array. CPUs that write at once
        // write almost the same time.
        unsafe { (*times)[Heard::of(to_server, false) as usize] = now };
        if payload {
            // SAFETY: as above.
            unsafe { (*times)[Heard::of(to_server, true) as usize] = now };
        }
    }
}

/// A word of the control map.
#[inline(always)]
pub(crate) fn control(slot: Slot) -> u64 {
    SHADOW_CONTROL.get(slot.index()).copied().unwrap_or(0)
}

/// Sets a word of the control map that belongs to the kernel program.
#[inline(always)]
pub(crate) fn set_control(slot: Slot, value: u64) {
    if let Some(word) = SHADOW_CONTROL.get_ptr_mut(slot.index()) {
        // SAFETY: the pointer came from a successful lookup. Every writer of this word writes the same value.
        unsafe { word.write_volatile(value) };
    }
}

/// The `PORT_*` bits of a port.
#[inline(always)]
pub(crate) fn port(port: u16) -> u8 {
    SHADOW_PORTS.get(u32::from(port)).copied().unwrap_or(0)
}

/// The counters of this CPU.
///
/// One lookup a packet, not one a counter. Only this CPU writes them, with bottom halves off, so plain additions do.
#[derive(Clone, Copy)]
pub(crate) struct Counters(*mut [u64; Stat::COUNT]);

impl Counters {
    #[inline(always)]
    pub(crate) fn get() -> Option<Self> {
        SHADOW_STATS.get_ptr_mut(0).map(Self)
    }

    #[inline(always)]
    pub(crate) fn add(self, stat: Stat, n: u64) {
        // SAFETY: the pointer came from a successful lookup and lives as long as the program runs; no other reference
        // to this CPU's slot exists.
        let counters = unsafe { &mut *self.0 };
        if let Some(counter) = counters.get_mut(stat.index()) {
            *counter = counter.wrapping_add(n);
        }
    }
}

/// This CPU's scratch.
#[inline(always)]
pub(crate) fn scratch() -> Option<&'static mut Scratch> {
    let pointer = SHADOW_SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the pointer came from a successful lookup; TC programs run with bottom halves off and call this once per
    // packet, so nothing else uses this CPU's slot meanwhile.
    Some(unsafe { &mut *pointer })
}
