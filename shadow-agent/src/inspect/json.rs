//! One JSON object per line.
//!
//! Bytes of start lines and header fields become text as ISO-8859-1: byte n is the character U+00nn. HTTP defines no
//! other charset for them (RFC 9110 section 5.5), and no byte is lost, whatever was sent.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use shadow_common::flow::Endpoint;
use shadow_proto::{
    exchange::{self, Body, Exchange, Headers, Incomplete, Orphan, Timing},
    time::Timestamp,
};

use super::Summary;

/// An exchange, or a response without a request. The order of the fields is the order of the output.
#[derive(Serialize)]
struct Line<'a> {
    flow: Flow,
    method: Option<Latin1<'a>>,
    target: Option<Latin1<'a>>,
    version: &'static str,
    status: Option<u16>,
    request_headers: Fields<'a>,
    response_headers: Fields<'a>,
    request_body_len: Option<u64>,
    response_body_len: Option<u64>,
    request_body_blake3: Option<Hex>,
    response_body_blake3: Option<Hex>,
    complete: bool,
    incomplete_reason: Option<Incomplete>,
    timing: Times,
}

#[derive(Serialize)]
struct Flow {
    client: SocketAddr,
    server: SocketAddr,
}

#[derive(Serialize)]
struct Times {
    request_first: Option<Timestamp>,
    request_last: Option<Timestamp>,
    response_first: Option<Timestamp>,
    response_last: Option<Timestamp>,
}

pub(super) fn exchange(exchange: &Exchange, out: &mut impl Write) -> io::Result<()> {
    let Exchange {
        flow,
        index: _,
        place: _,
        request,
        response,
        timing,
        incomplete,
    } = exchange;
    let response = response.as_ref();
    line(
        &Line {
            flow: flow.into(),
            method: Some(Latin1(&request.method)),
            target: Some(Latin1(&request.target)),
            version: request.version.as_str(),
            status: response.map(|response| response.status),
            request_headers: Fields(Some(&request.headers)),
            response_headers: Fields(response.map(|response| &response.headers)),
            request_body_len: Some(request.body.len),
            response_body_len: response.map(|response| response.body.len),
            request_body_blake3: Hex::of(&request.body),
            response_body_blake3: response.and_then(|response| Hex::of(&response.body)),
            complete: incomplete.is_none(),
            incomplete_reason: *incomplete,
            timing: timing.into(),
        },
        out,
    )
}

pub(super) fn orphan(orphan: &Orphan, out: &mut impl Write) -> io::Result<()> {
    let Orphan {
        flow,
        response,
        timing,
        incomplete,
    } = orphan;
    line(
        &Line {
            flow: flow.into(),
            method: None,
            target: None,
            version: response.version.as_str(),
            status: Some(response.status),
            request_headers: Fields(None),
            response_headers: Fields(Some(&response.headers)),
            request_body_len: None,
            response_body_len: Some(response.body.len),
            request_body_blake3: None,
            response_body_blake3: Hex::of(&response.body),
            complete: false,
            incomplete_reason: Some(*incomplete),
            timing: timing.into(),
        },
        out,
    )
}

pub(super) fn summary(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Last<'a> {
        summary: &'a Summary,
    }
    line(&Last { summary }, out)
}

fn line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

impl From<&exchange::Flow> for Flow {
    fn from(flow: &exchange::Flow) -> Self {
        Self {
            client: socket(flow.client),
            server: socket(flow.server),
        }
    }
}

impl From<&Timing> for Times {
    fn from(timing: &Timing) -> Self {
        let Timing {
            request_first,
            request_last,
            response_first,
            response_last,
        } = *timing;
        Self {
            request_first,
            request_last,
            response_first,
            response_last,
        }
    }
}

/// IPv4 addresses are not written in mapped form.
pub(crate) fn socket(endpoint: Endpoint) -> SocketAddr {
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::from(endpoint.addr)).to_canonical(),
        endpoint.port,
    )
}

/// Bytes as ISO-8859-1.
struct Latin1<'a>(&'a [u8]);

impl Serialize for Latin1<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(self.0) {
            Ok(text) if text.is_ascii() => to.serialize_str(text),
            _ => to.serialize_str(&self.0.iter().copied().map(char::from).collect::<String>()),
        }
    }
}

/// Pairs of name and value.
struct Fields<'a>(Option<&'a Headers>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Some(headers) = self.0 else {
            return to.serialize_seq(Some(0))?.end();
        };
        to.collect_seq(headers.iter().map(|(name, value)| (Latin1(name), Latin1(value))))
    }
}

/// A digest in lower-case hexadecimal.
struct Hex([u8; 32]);

impl Hex {
    fn of(body: &Body) -> Option<Self> {
        body.blake3().map(Self)
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
        let text: String = self
            .0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect();
        to.serialize_str(&text)
    }
}
