//! Specification of the traffic: plain data, so that proptest can shrink it and a failure is readable.
//!
//! Every value of these types is turned into valid HTTP by [`super::encode`], whatever combination is drawn.

/// One request and its response.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    /// An index into the list of target shapes.
    pub(crate) target: u8,
    pub(crate) http10: bool,
    /// Indices into the list of extra fields, for the request and for the response.
    pub(crate) fields: Vec<u8>,
    pub(crate) request: Framing,
    pub(crate) request_body: Content,
    pub(crate) expect: Expect,
    /// Interim responses before the final one.
    pub(crate) interim: Vec<u16>,
    pub(crate) status: u16,
    pub(crate) response: Framing,
    pub(crate) response_body: Content,
    /// The server answers as soon as it has read the head.
    pub(crate) early: bool,
    /// An empty line before the request line (RFC 9112 section 2.2 asks servers to ignore it).
    pub(crate) stray_line: bool,
    /// Letter case of names, optional white space, chunk shapes.
    pub(crate) dress: u64,
}

/// How the end of a body is marked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    /// No body and no framing field.
    None,
    /// Content-Length.
    Length,
    /// Transfer-Encoding: chunked.
    Chunked,
    /// The end of the connection; in a response that is not the last one it becomes [`Framing::Length`].
    Close,
}

/// Whether a request waits before its body (RFC 9110 section 10.1.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expect {
    /// It does not.
    No,
    /// It asks, and waits for the 100 response.
    Waits,
    /// It asks, and sends the body without waiting; there may be no 100 response at all.
    Impatient,
}

/// A body that is different for every message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    pub(crate) kind: Kind,
    pub(crate) len: usize,
}

/// Appearance of a body to a parser that has lost its position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Text,
    Zeros,
    /// Complete requests, one after the other.
    Requests,
    /// Complete responses, one after the other.
    Responses,
    /// Chunk headers and last chunks.
    Chunks,
}

/// A connection from its first to its last byte.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) exchanges: Vec<Exchange>,
    /// How many requests are sent before the client waits for all their responses; used cyclically.
    pub(crate) batches: Vec<u8>,
    pub(crate) end: End,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    ServerFin,
    ClientFin,
    /// The client shuts its sending side directly after its last request.
    HalfClose,
    /// The client resets once it has everything.
    Reset,
    /// Nothing: the capture ends first.
    Open,
}
