//! A reader with a window that grows to the record at hand.

use core::mem;
use std::{fmt, io, io::Read, ops::Range};

use super::{
    Damage, Fault, MAX_RECORD,
    ahead::{self, Ahead, Reading, WINDOW},
};

/// Bytes of the file, read ahead in one buffer.
pub(super) struct Input {
    source: Source,
    unpacked: bool,
    buffer: Vec<u8>,
    /// Bytes that were read and not taken, as a range of `buffer`.
    held: Range<usize>,
    /// Offset in the file of `held.start`.
    position: u64,
    ended: bool,
}

/// The side that reads.
enum Source {
    /// This thread, when it needs more.
    Here(Box<dyn Read + Send>),
    /// Another thread, ahead.
    Ahead(Ahead),
    /// Closed.
    Closed,
}

impl Input {
    pub(super) fn new(reader: Box<dyn Read + Send>, unpacked: bool) -> Self {
        Self {
            source: Source::Here(reader),
            unpacked,
            buffer: vec![0; WINDOW],
            held: 0..0,
            position: 0,
            ended: false,
        }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// The bytes that are read and not taken yet.
    pub(super) fn buffered(&self) -> &[u8] {
        self.bytes(self.held.clone())
    }

    /// The bytes at a place returned by [`Input::take`]; valid until more is read.
    pub(super) fn bytes(&self, place: Range<usize>) -> &[u8] {
        self.buffer.get(place).unwrap_or_default()
    }

    /// The next bytes, without taking them; `None` when the file ends before.
    pub(super) fn peek<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Damage> {
        self.fill(N)?;
        Ok(self.buffered().first_chunk().copied())
    }

    /// Makes `need` bytes available and returns them; a file that ends before is damaged here.
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

    /// Moves over `count` bytes that [`Input::want`] made available, and returns their place.
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

    /// The bytes that were read ahead, followed by the rest.
    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        let ahead = io::Cursor::new(self.buffered().to_vec());
        match self.source {
            Source::Here(reader) => Box::new(ahead.chain(reader)),
            Source::Ahead(_) | Source::Closed => Box::new(ahead),
        }
    }

    /// From here on another thread reads, into so many buffers; `None` if that was started before.
    pub(super) fn read_ahead(&mut self, buffers: usize) -> Option<Reading> {
        match mem::replace(&mut self.source, Source::Closed) {
            Source::Here(reader) => {
                let (ahead, reading) = ahead::start(reader, buffers);
                self.source = Source::Ahead(ahead);
                Some(reading)
            }
            other => {
                self.source = other;
                None
            }
        }
    }

    /// The other thread's buffers.
    pub(super) const fn ahead(&mut self) -> Option<&mut Ahead> {
        match &mut self.source {
            Source::Ahead(ahead) => Some(ahead),
            Source::Here(_) | Source::Closed => None,
        }
    }

    /// Stops reading, and returns the buffer.
    pub(super) fn close(&mut self) -> Vec<u8> {
        self.source = Source::Closed;
        self.ended = true;
        self.held = 0..0;
        mem::take(&mut self.buffer)
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
        while self.held.len() < need && !self.ended {
            let read = match &mut self.source {
                Source::Here(reader) => {
                    make_room(&mut self.buffer, &mut self.held, need);
                    let room = self.buffer.get_mut(self.held.end..).unwrap_or_default();
                    reader.read(room).map(|count| {
                        self.held.end += count;
                        count > 0
                    })
                }
                Source::Ahead(ahead) => ahead.next(&mut self.buffer, &mut self.held),
                Source::Closed => Ok(false),
            };
            match read {
                Ok(more) => self.ended = !more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.damage(Fault::Read(error.to_string()))),
            }
        }
        Ok(())
    }
}

/// Makes space for `need` bytes.
fn make_room(buffer: &mut Vec<u8>, held: &mut Range<usize>, need: usize) {
    if held.start + need > buffer.len() {
        buffer.copy_within(held.clone(), 0);
        *held = 0..held.len();
        if need > buffer.len() {
            buffer.resize(need.next_power_of_two(), 0);
        }
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
