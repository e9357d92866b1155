//! The log of the kernel program of `shadow explain`: the fate of each packet of one flow.
//!
//! Bounds: the kernel program logs at most [`MOST_LINES`] packets a second and CPU, and counts the others. Drops: a
//! line that is not this version's, which the one object in this binary never writes.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aya::{
    Ebpf,
    maps::{Array, MapData, PerCpuArray, ProgramArray},
    programs::{ProgramError, ProgramFd, SchedClassifier},
};
use aya_log::EbpfLogger;
use shadow_common::explain::{ASKED_MAP, LINE_LIMIT_MAP, LOG_PROGRAM, NEXT_MAP, WORDS};
pub use shadow_common::explain::{FollowedEndpoint, MOST_LINES, Packet};

use super::{
    attach::Attacher,
    control::{ControlError, reason},
};

/// Reads the log.
pub struct PacketLog {
    logger: EbpfLogger<LogLines>,
    kept: LogLines,
    counts: PerCpuArray<MapData, [u64; 3]>,
    /// The kernel empties it when nobody holds it any more.
    _next: ProgramArray<MapData>,
}

impl fmt::Debug for PacketLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketLog").finish_non_exhaustive()
    }
}

impl PacketLog {
    /// The log of a loaded program, which follows this flow from now on.
    pub(crate) fn new(attacher: &mut Attacher, asked: &FollowedEndpoint) -> Result<Self, ControlError> {
        let what = "use the log of packets";
        let failed = |reason: String| ControlError::Map { what, reason };
        let object = attacher.object();
        let mut map = |name: &str| {
            let map = object.take_map(name);
            map.ok_or_else(|| failed(format!("the program has no map {name}")))
        };
        let (flow, counts, next) = (map(ASKED_MAP)?, map(LINE_LIMIT_MAP)?, map(NEXT_MAP)?);
        let mut flow: Array<MapData, [u64; 3]> = flow.try_into().map_err(ControlError::map(what))?;
        flow.set(0, asked.words(), 0).map_err(ControlError::map(what))?;
        let mut next: ProgramArray<MapData> = next.try_into().map_err(ControlError::map(what))?;
        let program = logging(object).map_err(|error| failed(reason(&error)))?;
        next.set(0, program, 0).map_err(ControlError::map(what))?;
        let kept = LogLines::default();
        let logger = EbpfLogger::init_with_logger(object, kept.clone());
        Ok(Self {
            logger: logger.map_err(|error| failed(reason(&error)))?,
            kept,
            counts: counts.try_into().map_err(ControlError::map(what))?,
            _next: next,
        })
    }

    /// The packets that were logged since the last call.
    pub fn take(&mut self) -> Vec<Packet> {
        self.logger.flush();
        std::mem::take(&mut *self.kept.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Packets that were not logged, because there were more than [`MOST_LINES`] in a second.
    pub fn left_out(&self) -> Result<u64, ControlError> {
        let per_cpu = self.counts.get(&0, 0);
        let per_cpu = per_cpu.map_err(ControlError::map(
            "read the count of packets that were not logged",
        ))?;
        Ok(per_cpu.iter().map(|[_, _, left_out]| left_out).sum())
    }
}

/// Loads the program that writes the lines.
fn logging(object: &mut Ebpf) -> Result<&ProgramFd, ProgramError> {
    let program = object.program_mut(LOG_PROGRAM).ok_or(ProgramError::NotLoaded)?;
    let program: &mut SchedClassifier = program.try_into()?;
    program.load()?;
    program.fd()
}

/// The destination of log lines.
#[derive(Clone, Default)]
struct LogLines(Arc<Mutex<Vec<Packet>>>);

impl log::Log for LogLines {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let packet = read(&record.args().to_string());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(packet);
    }

    fn flush(&self) {}
}

/// A line of the log: the bytes of the words, which are little-endian, in hexadecimal.
fn read(line: &str) -> Option<Packet> {
    let digits = line.trim().as_bytes();
    if digits.len() != WORDS * 16 {
        return None;
    }
    let mut words = [0; WORDS];
    for (word, digits) in words.iter_mut().zip(digits.chunks_exact(16)) {
        let digits = str::from_utf8(digits).ok()?;
        *word = u64::from_str_radix(digits, 16).ok()?.swap_bytes();
    }
    Packet::from_words(words)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use shadow_common::{flow::Endpoint, stat::Stat};

    use super::*;

    #[test]
    fn a_line_is_a_packet_or_nothing() {
        let packet = Packet {
            at: 7,
            src: Endpoint::v4([10, 0, 0, 1], 40_000),
            dst: Endpoint::v4([10, 0, 0, 2], 80),
            seq: u32::MAX,
            ack: 1,
            len: 2,
            ifindex: 3,
            flags: 0x18,
            protocol: 6,
            fate: Stat::Emitted,
            egress: true,
        };
        let mut words = packet.words();
        words[WORDS - 1] |= Packet::end(Stat::Emitted.index() as u64, true);
        let bytes = words.map(u64::to_le_bytes);
        let mut line = String::new();
        for byte in bytes.as_flattened() {
            write!(line, "{byte:02x}").expect("writing to memory");
        }
        assert_eq!(read(&line), Some(packet));
        for other in [
            "",
            "7",
            &format!("{line}1"),
            &line.replace('0', "x"),
            &line.replace('1', "é"),
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
