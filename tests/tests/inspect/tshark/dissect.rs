//! Messages found by tshark, from its PDML: the only output that separates several HTTP messages in one packet.

use std::{path::Path, process::Command};

use crate::row::{Flow, Row};

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) flow: Flow,
    pub(crate) kind: Kind,
    pub(crate) body: u64,
    /// BLAKE3 of the body, where tshark shows all of it.
    pub(crate) digest: Option<String>,
}

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Request { method: String, target: String },
    Response(u16),
}

impl Message {
    pub(crate) fn is_request_of(&self, row: &Row) -> bool {
        let Kind::Request { method, target } = &self.kind else {
            return false;
        };
        row.method.as_ref() == Some(method)
            && row.target.as_ref() == Some(target)
            && (!row.complete || self.has_body(row.request_body_len, row.request_body_blake3.as_ref()))
    }

    pub(crate) fn is_response_of(&self, row: &Row) -> bool {
        let Kind::Response(status) = self.kind else {
            return false;
        };
        row.status == Some(status)
            && (!row.complete || self.has_body(row.response_body_len, row.response_body_blake3.as_ref()))
    }

    fn has_body(&self, length: Option<u64>, digest: Option<&String>) -> bool {
        let same = self.digest.as_ref().is_none_or(|ours| Some(ours) == digest);
        length == Some(self.body) && same
    }
}

/// Every HTTP message, in tshark's order. `ports` are read as HTTP, whatever protocol they are registered for.
pub(crate) fn messages<'a>(path: &Path, ports: impl Iterator<Item = &'a str>) -> Vec<Message> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-Y", "http", "-T", "pdml", "-r"]).arg(path);
    // Bodies as they are on the wire, and late segments put in their place.
    tshark.args([
        "-o",
        "http.decompress_body:FALSE",
        "-o",
        "tcp.reassemble_out_of_order:TRUE",
    ]);
    for port in ports {
        tshark.args(["-d", &format!("tcp.port=={port},http")]);
    }
    let output = tshark.output().expect("tshark runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut messages = Vec::new();
    for packet in text.split("<packet>").skip(1) {
        let Some((source, destination)) = ends(packet) else {
            continue;
        };
        for http in packet.split("<proto name=\"http\"").skip(1) {
            messages.extend(message(http, &source, &destination));
        }
    }
    messages
}

/// The `:path` of every HTTP/2 request. `ports` are read as HTTP, whose dissector finds the preface.
pub(crate) fn http2_paths<'a>(path: &Path, ports: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-n").arg("-r").arg(path);
    tshark.args([
        "-o",
        "tcp.reassemble_out_of_order:TRUE",
        "-Y",
        "http2.headers.path",
    ]);
    tshark.args(["-T", "fields", "-E", "separator=/t", "-e", "http2.headers.path"]);
    for port in ports {
        tshark.args(["-d", &format!("tcp.port=={port},http")]);
    }
    let output = tshark.output().expect("tshark runs");
    let text = String::from_utf8_lossy(&output.stdout);
    // Several requests in one packet are separated by commas.
    text.lines()
        .flat_map(|line| line.split(','))
        .map(str::to_owned)
        .collect()
}

/// Endpoints of the packet that holds the segment: in a tunnel it is the last of several.
fn ends(packet: &str) -> Option<(String, String)> {
    let (before, _) = packet.split_once("<proto name=\"http\"")?;
    let (_, tcp) = before.rsplit_once("<proto name=\"tcp\"")?;
    let places = [
        before.rfind("<proto name=\"ip\""),
        before.rfind("<proto name=\"ipv6\""),
    ];
    let ip = before.get(places.into_iter().flatten().max()?..)?;
    let end = |side: &str| {
        let port = attribute(tcp, &format!("tcp.{side}port"), "show")?;
        if ip.starts_with("<proto name=\"ip\"") {
            return Some(format!(
                "{}:{port}",
                attribute(ip, &format!("ip.{side}"), "show")?
            ));
        }
        Some(format!(
            "[{}]:{port}",
            attribute(ip, &format!("ipv6.{side}"), "show")?
        ))
    };
    Some((end("src")?, end("dst")?))
}

fn message(http: &str, source: &str, destination: &str) -> Option<Message> {
    let flow = |client: &str, server: &str| Flow {
        client: client.to_owned(),
        server: server.to_owned(),
    };
    let (flow, kind) = if let Some(method) = attribute(http, "http.request.method", "value") {
        let target = attribute(http, "http.request.uri", "value").unwrap_or_default();
        let (method, target) = (latin1(method), latin1(target));
        (flow(source, destination), Kind::Request { method, target })
    } else {
        let status = attribute(http, "http.response.code", "show")?.parse().ok()?;
        (flow(destination, source), Kind::Response(status))
    };
    let data = attribute(http, "http.file_data", "value")
        .map(unhex)
        .unwrap_or_default();
    // For a compressed body only the length is shown.
    let encoded = http.split("Content-encoded entity body").nth(1);
    let encoded = encoded.and_then(|rest| rest.split_once(": ")?.1.split_once(" bytes")?.0.parse().ok());
    let whole = encoded.is_none() && !data.is_empty();
    Some(Message {
        flow,
        kind,
        body: encoded.unwrap_or(data.len() as u64),
        digest: whole.then(|| blake3::hash(&data).to_hex().to_string()),
    })
}

/// An attribute of the first field with this name. PDML escapes `<`, `>`, `&` and quotes inside values.
fn attribute<'a>(text: &'a str, field: &str, attribute: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<field name=\"{field}\""))?;
    let (tag, _) = rest.split_once('>')?;
    let (_, value) = tag.split_once(&format!(" {attribute}=\""))?;
    Some(value.split_once('"')?.0)
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            let pair = str::from_utf8(pair).expect("hexadecimal");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        })
        .collect()
}

fn latin1(hex: &str) -> String {
    unhex(hex).into_iter().map(char::from).collect()
}
