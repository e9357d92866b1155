//! One direction of a connection: where its frames begin, and its field blocks.

use super::{
    frame::{FrameHead, HEADER, USUAL_FRAME},
    hpack::Decoder,
};
use crate::{exchange::Incomplete, protocol::MessageStart, time::Timestamp};

/// Exchanges that show, after a start in the middle or a loss, that frames are read from where they begin.
const ROUNDS: u8 = 3;

/// SETTINGS that wait for their acknowledgement; with more, their order is not followed any more.
const MOST_SETTINGS: usize = 64;

/// The reading position within the frames.
#[derive(Debug)]
pub(super) enum State {
    /// In the client's preface, after so many bytes of it.
    Preface(usize),
    /// In a frame header, with the bytes of it so far.
    Head {
        bytes: [u8; HEADER],
        have: usize,
    },
    Payload(Frame),
    /// Where frames begin is not known.
    Search,
    Closed,
}

impl State {
    /// At the beginning of a frame.
    pub(super) const BETWEEN: Self = Self::Head {
        bytes: [0; HEADER],
        have: 0,
    };
}

/// A frame whose payload is being read.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) head: FrameHead,
    /// Bytes of the payload that have not been read.
    pub(super) left: u32,
    /// Padding at the end, once known.
    pub(super) padding: u32,
    /// Whether the length of the padding comes next.
    pub(super) pad_length_next: bool,
    /// The payload so far, of a frame that is read as a whole and came in parts.
    pub(super) payload: Vec<u8>,
    /// Why the payload cannot be used.
    pub(super) fault: Option<Incomplete>,
}

/// The beginning of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameStart {
    pub(super) at: MessageStart,
    /// Whether a segment begins there.
    pub(super) segment: bool,
}

/// A field block that is being collected.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    /// Whether the message ends with it.
    pub(super) ends: bool,
    /// Whether it promises a push, so that it belongs to no message here.
    pub(super) promise: bool,
    pub(super) start: FrameStart,
    /// Its fragments, unless there is only one.
    pub(super) bytes: Vec<u8>,
    /// Why it cannot be decoded.
    pub(super) fault: Option<Incomplete>,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) state: State,
    /// The beginning of the frame that is being read.
    pub(super) frame_start: FrameStart,
    /// Offset after it.
    pub(super) frame_end: u64,
    pub(super) hpack: Decoder,
    pub(super) block: Option<Block>,
    /// Offset after the last byte that was read.
    pub(super) pos: u64,
    /// When the last byte was captured.
    pub(super) last: Timestamp,
    /// Why it is not proven that frames are read from where they begin.
    pub(super) doubt: Option<Incomplete>,
    /// Why frames were last missed: a message may lack some from before then.
    pub(super) missed: Option<Incomplete>,
    rounds: u8,
    /// Whether SETTINGS came: they are the first frame.
    pub(super) began: bool,
    /// The largest frame that the other side allows.
    pub(super) most_frame: u32,
    /// SETTINGS_HEADER_TABLE_SIZE of each SETTINGS frame of the other side that this side has not acknowledged.
    unacknowledged: Vec<Option<u32>>,
    /// Whether every SETTINGS frame of the other side, and every acknowledgement, was seen.
    settings_known: bool,
}

impl Side {
    /// At the beginning of its frames.
    pub(super) fn new(state: State, pos: u64) -> Self {
        Self {
            state,
            frame_start: FrameStart {
                at: MessageStart {
                    at: Timestamp::default(),
                    offset: pos,
                    ack: None,
                },
                segment: false,
            },
            frame_end: pos,
            hpack: Decoder::new(),
            block: None,
            pos,
            last: Timestamp::default(),
            doubt: None,
            missed: None,
            rounds: 0,
            began: false,
            most_frame: USUAL_FRAME,
            unacknowledged: Vec::new(),
            settings_known: true,
        }
    }

    /// In the middle of a connection.
    pub(super) fn joined(pos: u64) -> Self {
        let mut side = Self::new(State::Search, pos);
        side.lose(Incomplete::H2JoinedMidway);
        side
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        let payload = match &self.state {
            State::Payload(frame) => frame.payload.capacity(),
            _ => 0,
        };
        let block = self.block.as_ref().map_or(0, |block| block.bytes.capacity());
        payload + block + self.hpack.held()
    }

    /// Frames were missed, or what was read was none.
    pub(super) fn lose(&mut self, reason: Incomplete) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Search;
        }
        self.block = None;
        self.hpack.lose();
        self.doubt = Some(reason);
        self.missed = Some(reason);
        self.rounds = 0;
        // A first frame that was missed is not waited for.
        self.began = true;
        self.most_frame = super::frame::MOST_FRAME;
    }

    /// An exchange whose message of this side began where a segment did was whole and paired.
    pub(super) fn prove(&mut self) {
        if self.doubt.is_some() {
            self.rounds += 1;
            if self.rounds >= ROUNDS {
                self.doubt = None;
                self.rounds = 0;
            }
        }
    }

    /// Records SETTINGS that the other side sent.
    pub(super) fn announced(&mut self, table_size: Option<u32>, frame_size: Option<u32>) {
        self.most_frame = self.most_frame.max(frame_size.unwrap_or(0));
        if self.settings_known {
            self.unacknowledged.push(table_size);
            if self.unacknowledged.len() > MOST_SETTINGS {
                self.lose_settings();
            }
        }
    }

    /// Records that this side acknowledged the oldest SETTINGS of the other.
    pub(super) fn acknowledge(&mut self) {
        if !self.settings_known {
            return;
        }
        if self.unacknowledged.is_empty() {
            return self.lose_settings();
        }
        if let Some(size) = self.unacknowledged.remove(0) {
            self.hpack.allow(size);
        }
    }

    /// SETTINGS of the other side, or an acknowledgement, may have been missed.
    pub(super) fn lose_settings(&mut self) {
        self.settings_known = false;
        self.unacknowledged = Vec::new();
        self.hpack.lose_settings();
    }
}
