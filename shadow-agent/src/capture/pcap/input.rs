//! A reader with a window that grows to the record at hand.

use core::mem;
use std::{fmt, io, io::Read, ops::Range};

use super::{Damage, Fault, MAX_RECORD};

/// Big enough that a read, or handing a batch to another thread, costs little beside the copy.
const WINDOW: usize = 1 << 20;

/// Bytes of the file, read ahead in one buffer.
pub(super) struct Input {
    reader: Box<dyn Read + Send>,
    unpacked: bool,
    buffer: Vec<u8>,
    /// What was read and not taken, as a range of `buffer`.
    held: Range<usize>,
    /// Offset in the file of `held.start`.
    position: u64,
    ended: bool,
    /// Whether something that was taken from `buffer` is needed longer: then it is set aside and not overwritten.
    pinned: bool,
    full: Option<Vec<u8>>,
    spare: Vec<u8>,
}

impl Input {
    pub(super) fn new(reader: Box<dyn Read + Send>, unpacked: bool) -> Self {
        Self {
            reader,
            unpacked,
            buffer: vec![0; WINDOW],
            held: 0..0,
            position: 0,
            ended: false,
            pinned: false,
            full: None,
            spare: Vec::new(),
        }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// What is read and not taken yet.
    pub(super) fn buffered(&self) -> &[u8] {
        self.bytes(self.held.clone())
    }

    /// The bytes that [`Input::take`] gave the place of; nothing once more was read.
    pub(super) fn bytes(&self, place: Range<usize>) -> &[u8] {
        self.buffer.get(place).unwrap_or_default()
    }

    /// The next bytes, without taking them; `None` when the file ends before.
    pub(super) fn peek<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Damage> {
        self.fill(N)?;
        Ok(self.buffered().first_chunk().copied())
    }

    /// Makes `need` bytes available and gives them; a file that ends before is damaged here.
    pub(super) fn want(&mut self, need: usize) -> Result<&[u8], Damage> {
        self.fill(need)?;
        match self.held.len() {
            have if have < need => Err(self.damage(Fault::CutOff { need, have })),
            _ => Ok(self.bytes(self.held.start..self.held.start + need)),
        }
    }

    /// Whether the file ends here, between two records.
    pub(super) fn at_end(&mut self) -> Result<bool, Damage> {
        self.fill(1)?;
        Ok(self.held.is_empty())
    }

    /// Moves over `count` bytes that [`Input::want`] made available, and gives their place.
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let start = self.held.start;
        let end = self.held.end.min(start + count);
        self.held.start = end;
        self.position += (end - start) as u64;
        start..end
    }

    /// Moves over any number of bytes without holding them at once.
    pub(super) fn skip(&mut self, need: usize) -> Result<(), Damage> {
        let start = self.position;
        let mut have = 0;
        while have < need {
            if self.at_end()? {
                let what = Fault::CutOff { need, have };
                return Err(Damage {
                    at: start,
                    ..self.damage(what)
                });
            }
            have += self.take(need - have).len();
        }
        Ok(())
    }

    /// A fault at the next byte that was not taken.
    pub(super) const fn damage(&self, what: Fault) -> Damage {
        Damage {
            at: self.position,
            unpacked: self.unpacked,
            what,
        }
    }

    /// The underlying reader with what was read ahead put back in front.
    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        let ahead = io::Cursor::new(self.buffered().to_vec());
        Box::new(ahead.chain(self.reader))
    }

    /// What was taken since the last buffer was handed out is needed until the next is.
    pub(super) const fn pin(&mut self) {
        self.pinned = true;
    }

    /// A buffer for what comes next, of the usual size whatever it was used for.
    pub(super) fn recycle(&mut self, mut spare: Vec<u8>) {
        if spare.capacity() > WINDOW {
            spare.truncate(WINDOW);
            spare.shrink_to(WINDOW);
        }
        self.spare = spare;
    }

    /// The buffer with what was pinned, when there was no room in it for more.
    pub(super) fn take_full(&mut self) -> Option<Vec<u8>> {
        self.full.take()
    }

    /// The buffer with what was pinned, full or not.
    pub(super) fn cut(&mut self) -> Vec<u8> {
        self.change(self.held.len())
    }

    /// Goes on in another buffer, and gives this one up with everything in it.
    fn change(&mut self, need: usize) -> Vec<u8> {
        let mut fresh = mem::take(&mut self.spare);
        fresh.resize(need.next_power_of_two().max(WINDOW), 0);
        let held = self.buffered();
        let len = held.len();
        fresh[..len].copy_from_slice(held);
        self.held = 0..len;
        self.pinned = false;
        mem::replace(&mut self.buffer, fresh)
    }

    /// Reads until `need` bytes are held or the file ends.
    #[inline]
    fn fill(&mut self, need: usize) -> Result<(), Damage> {
        if self.held.len() >= need || self.ended {
            return Ok(());
        }
        self.read(need)
    }

    #[cold]
    fn read(&mut self, need: usize) -> Result<(), Damage> {
        if need > MAX_RECORD {
            return Err(self.damage(Fault::TooLong(need as u64)));
        }
        if self.held.start + need > self.buffer.len() {
            if self.pinned {
                self.full = Some(self.change(need));
            } else {
                self.buffer.copy_within(self.held.clone(), 0);
                self.held = 0..self.held.len();
                if need > self.buffer.len() {
                    self.buffer.resize(need.next_power_of_two(), 0);
                }
            }
        }
        while self.held.len() < need && !self.ended {
            // A buffer that grew for one long record is not filled at once: a batch is cut where little is held.
            let end = self.buffer.len().min(self.held.start + need.max(WINDOW));
            let room = self.buffer.get_mut(self.held.end..end).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => self.ended = true,
                Ok(count) => self.held.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.damage(Fault::Read(error.to_string()))),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Input({} bytes taken, {} held)",
            self.position,
            self.held.len()
        )
    }
}
