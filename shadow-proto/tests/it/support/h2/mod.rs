//! HTTP/2 as both ends understand it, written from RFC 9113 and RFC 7541 alone: an encoder that uses every legal
//! representation, and conversations with interleaved streams. It shares no table with the code under test.

pub(crate) mod check;
pub(crate) mod frames;
pub(crate) mod hpack;
pub(crate) mod talk;
