//! HTTP Archive 1.2: one entry for each exchange that passes the filter, written as it completes.
//!
//! Bytes of start lines and fields become text as ISO-8859-1. Only the lengths of bodies are written: nothing
//! unredacted is stored. Data without a place in the format is put into `_` fields and comments, as the format allows.

use std::io::{self, Write};

use shadow_core::case::Field;
use shadow_proto::{
    exchange::{self, Exchange, Headers, Incomplete},
    time::Timestamp,
};

use super::{json::socket, table::clock};
use crate::har::{Content, Empty, Entry, Request, Response, Timings, UNKNOWN, VERSION, query, size};

/// Writes the beginning of the archive.
pub(super) fn head(out: &mut impl Write) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    write!(
        out,
        "{{\"log\":{{\"version\":\"{VERSION}\",\"creator\":{{\"name\":\"shadow\",\"version\":\"{version}\"}},\"entries\":["
    )
}

/// Writes the end of the archive.
pub(super) fn tail(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n]}}}}")
}

pub(super) fn exchange(exchange: &Exchange, first: bool, out: &mut impl Write) -> io::Result<()> {
    out.write_all(if first { b"\n" } else { b",\n" })?;
    serde_json::to_writer(&mut *out, &entry(exchange))?;
    Ok(())
}

fn entry(exchange: &Exchange) -> Entry {
    let Exchange {
        flow,
        request,
        response,
        timing,
        incomplete,
        ..
    } = exchange;
    let span = |from: Option<Timestamp>, to: Option<Timestamp>| match (from, to) {
        (Some(from), Some(to)) => to.since(from).as_secs_f64() * 1e3,
        _ => 0.0,
    };
    let timings = Timings {
        send: span(timing.request_first, timing.request_last),
        wait: span(timing.request_last, timing.response_first),
        receive: span(timing.response_first, timing.response_last),
    };
    let target = latin1(&request.target);
    let host = request
        .headers
        .get("host")
        .map_or_else(|| socket(flow.server).to_string(), latin1);
    let url = if target.contains("://") {
        target.clone()
    } else {
        format!("http://{host}{target}")
    };
    let server = socket(flow.server);
    Entry {
        started_date_time: clock(timing.request_first).into_owned(),
        time: timings.send + timings.wait + timings.receive,
        request: Request {
            method: latin1(&request.method),
            url,
            http_version: request.version.as_str().into(),
            cookies: [],
            headers: fields(&request.headers),
            query_string: query(&target),
            post_data: None,
            headers_size: UNKNOWN,
            body_size: request.body.len,
        },
        response: response.as_ref().map_or_else(unanswered, answer),
        cache: Empty {},
        timings,
        server_ip_address: Some(server.ip().to_string()),
        connection: Some(format!("{}-{}", socket(flow.client), server)),
        comment: incomplete.map(Incomplete::as_str).map(Into::into),
    }
}

fn answer(response: &exchange::Response) -> Response {
    Response {
        status: response.status,
        status_text: latin1(&response.reason),
        http_version: response.version.as_str(),
        cookies: [],
        headers: fields(&response.headers),
        content: Content {
            size: response.body.len,
            mime_type: response
                .headers
                .get("content-type")
                .map_or_else(String::new, latin1),
            text: None,
            comment: None,
        },
        redirect_url: response.headers.get("location").map_or_else(String::new, latin1),
        headers_size: UNKNOWN,
        body_size: size(response.body.len),
    }
}

/// The form in which browsers write a request without an answer.
fn unanswered() -> Response {
    Response {
        status: 0,
        status_text: String::new(),
        http_version: "",
        cookies: [],
        headers: Vec::new(),
        content: Content {
            size: 0,
            mime_type: String::new(),
            text: None,
            comment: None,
        },
        redirect_url: String::new(),
        headers_size: UNKNOWN,
        body_size: UNKNOWN,
    }
}

fn fields(headers: &Headers) -> Vec<Field> {
    headers
        .iter()
        .map(|(name, value)| Field {
            name: latin1(name),
            value: latin1(value),
        })
        .collect()
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
