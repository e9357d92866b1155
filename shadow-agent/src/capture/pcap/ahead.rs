//! Reading ahead in a separate thread: the copy out of the kernel, and unpacking, cost more than what follows.
//!
//! ```text
//! Reading --filled--> Ahead (in the input) --what batches keep--> the readers of batches
//!    ^-------------------- spare buffers --------------------------------'
//! ```
//!
//! Bounds: the initial buffers are reused, and no others are allocated except for a record that is longer than
//! [`HEADROOM`] and lies in two of them.

use std::{
    fmt,
    io::{self, Read},
    mem,
    ops::Range,
    sync::mpsc::{Receiver, Sender, channel},
};

/// Bytes read into one buffer. Large enough that a read, or passing a batch on, costs little beside the copy.
pub(super) const WINDOW: usize = 1 << 20;

/// Space before them, for the part of a record that was at the end of the previous buffer.
const HEADROOM: usize = 64 << 10;

type Filled = (Vec<u8>, Range<usize>);

/// The thread's part: reads everything, until the other end is gone.
pub struct Reading {
    reader: Box<dyn Read + Send>,
    spare_rx: Receiver<Vec<u8>>,
    filled_tx: Sender<io::Result<Filled>>,
}

/// The other end.
pub(super) struct Ahead {
    filled_rx: Receiver<io::Result<Filled>>,
    spare_tx: Sender<Vec<u8>>,
    /// Whether something taken from the current buffer is needed longer.
    pinned: bool,
    /// A pinned buffer that was read to its end.
    full: Option<Vec<u8>>,
}

/// Both ends, with so many buffers.
pub(super) fn start(reader: Box<dyn Read + Send>, buffers: usize) -> (Ahead, Reading) {
    let (spare_tx, spare_rx) = channel();
    let (filled_tx, filled_rx) = channel();
    for _ in 0..buffers {
        // The receiver is still here.
        drop(spare_tx.send(Vec::new()));
    }
    let reading = Reading {
        reader,
        spare_rx,
        filled_tx,
    };
    let ahead = Ahead {
        filled_rx,
        spare_tx,
        pinned: false,
        full: None,
    };
    (ahead, reading)
}

impl Reading {
    /// Reads to the end, or until the other end is gone.
    pub fn run(mut self) {
        while let Ok(mut buffer) = self.spare_rx.recv() {
            buffer.resize(HEADROOM + WINDOW, 0);
            buffer.shrink_to(HEADROOM + WINDOW);
            let (end, more) = self.fill(&mut buffer);
            let filled = self.filled_tx.send(Ok((buffer, HEADROOM..end)));
            let more = more.map_err(|error| self.filled_tx.send(Err(error)));
            if filled.is_err() || !matches!(more, Ok(true)) {
                return;
            }
        }
    }

    /// The end of the data read, and whether there may be more.
    fn fill(&mut self, buffer: &mut [u8]) -> (usize, io::Result<bool>) {
        let mut end = HEADROOM;
        // Pipes and decompressors give little at a time.
        while end < HEADROOM + WINDOW / 2 {
            match self.reader.read(buffer.get_mut(end..).unwrap_or_default()) {
                Ok(0) => return (end, Ok(false)),
                Ok(count) => end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (end, Err(error)),
            }
        }
        (end, Ok(true))
    }
}

impl Ahead {
    /// Keeps everything taken since the last buffer was handed out until the next one is.
    pub(super) const fn pin(&mut self) {
        self.pinned = true;
    }

    /// The buffer with the pinned data, once it was read to its end.
    pub(super) const fn take_full(&mut self) -> Option<Vec<u8>> {
        self.full.take()
    }

    /// Returns a buffer that is no longer used.
    pub(super) fn recycle(&self, spare: Vec<u8>) {
        if !spare.is_empty() {
            // At the end of the file it is not received.
            drop(self.spare_tx.send(spare));
        }
    }

    /// Replaces `buffer` by the next one, with the `held` bytes before its data; `false` at the end of the file.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>, held: &mut Range<usize>) -> io::Result<bool> {
        let Ok(filled) = self.filled_rx.recv() else {
            return Ok(false);
        };
        let (mut fresh, new) = filled?;
        let rest = buffer.get(held.clone()).unwrap_or_default();
        if let Some(room) = HEADROOM
            .checked_sub(rest.len())
            .and_then(|start| fresh.get_mut(start..HEADROOM))
        {
            room.copy_from_slice(rest);
            *held = HEADROOM - rest.len()..new.end;
        } else {
            let joined = [rest, fresh.get(new).unwrap_or_default()].concat();
            *held = 0..joined.len();
            self.recycle(mem::replace(&mut fresh, joined));
        }
        let used = mem::replace(buffer, fresh);
        if mem::take(&mut self.pinned) {
            self.full = Some(used);
        } else {
            self.recycle(used);
        }
        Ok(true)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reading")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{
        super::{Fault, input::Input},
        *,
    };

    /// Gives a few bytes at a time, and fails at the end.
    struct Pieces {
        left: Vec<u8>,
        turn: usize,
    }

    impl Read for Pieces {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.turn += 1;
            if self.turn.is_multiple_of(5) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let sizes = [1, 700_000, 65_536, 9_999];
            let count = sizes[self.turn % 4].min(out.len()).min(self.left.len());
            if count == 0 {
                return Err(io::Error::other("pulled out"));
            }
            out[..count].copy_from_slice(&self.left[..count]);
            self.left.drain(..count);
            Ok(count)
        }
    }

    #[test]
    fn what_is_read_ahead_is_the_file_and_then_its_fault() {
        let whole: Vec<u8> = (0..9_000_000_u32)
            .map(|n| (n % 251).to_le_bytes()[0] ^ (n >> 9).to_le_bytes()[0])
            .collect();
        let left = whole.clone();
        let mut input = Input::new(Box::new(Pieces { left, turn: 0 }), false);
        input.want(8).unwrap();
        let reading = input.read_ahead(3).unwrap();
        assert!(input.read_ahead(3).is_none(), "by one thread only");
        let thread = thread::spawn(move || reading.run());
        // Shorter and longer than the headroom of a buffer, and than a buffer.
        let sizes = [40, 1_500, 64 << 10, 70_000, 1 << 20, 3_000_000];
        let (mut at, mut turn) = (0, 0);
        let damage = loop {
            let size = sizes[turn % sizes.len()];
            turn += 1;
            if turn.is_multiple_of(3) {
                input.ahead().unwrap().pin();
            }
            match input.want(size) {
                Ok(bytes) => assert!(bytes == &whole[at..at + size], "{size} bytes at {at}"),
                Err(damage) => break damage,
            }
            at += input.take(size).len();
            if let Some(full) = input.ahead().unwrap().take_full() {
                input.ahead().unwrap().recycle(full);
            }
        };
        assert!(matches!(damage.what, Fault::Read(_)), "{damage}");
        assert_eq!(damage.at, at as u64);
        assert_eq!(input.buffered(), &whole[at..]);
        thread.join().unwrap();
    }

    #[test]
    fn a_thread_that_reads_for_nobody_ends() {
        let mut input = Input::new(Box::new(io::repeat(1)), false);
        let reading = input.read_ahead(3).unwrap();
        let thread = thread::spawn(move || reading.run());
        input.want(5_000_000).unwrap();
        input.close();
        thread.join().unwrap();
    }
}
