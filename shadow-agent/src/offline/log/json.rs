//! Logs with one JSON object a line: Caddy's, Envoy's, Traefik's, and those of others by the usual names.

use serde_json::Value;
use shadow_proto::exchange::Version;

use super::line::{Line, RequestLine, address, duration, known, number, status, time};

/// Where a server writes what. A name with a slash is a path.
pub(super) struct Names {
    at: &'static [&'static str],
    at_end: bool,
    client: &'static [&'static str],
    /// The whole request line.
    request: &'static [&'static str],
    method: &'static [&'static str],
    target: &'static [&'static str],
    /// The query, where the target is without it.
    query: &'static [&'static str],
    version: &'static [&'static str],
    host: &'static [&'static str],
    status: &'static [&'static str],
    bytes: &'static [&'static str],
    first: &'static [(&'static str, Option<f64>)],
    whole: &'static [(&'static str, Option<f64>)],
    location: &'static [&'static str],
    referer: &'static [&'static str],
    agent: &'static [&'static str],
    /// An object with all fields of the request.
    fields: Option<&'static str>,
    /// A member that says how an answer ended.
    flags: Option<&'static str>,
    zero_is_ok: bool,
}

pub(super) const CADDY: Names = Names {
    at: &["/ts"],
    at_end: true,
    client: &["/request/client_ip", "/request/remote_ip"],
    request: &[],
    method: &["/request/method"],
    target: &["/request/uri"],
    query: &[],
    version: &["/request/proto"],
    host: &["/request/host"],
    status: &["/status"],
    bytes: &["/size"],
    first: &[],
    whole: &[("/duration", Some(1.0))],
    location: &["/resp_headers/Location/0"],
    referer: &[],
    agent: &[],
    fields: Some("/request/headers"),
    flags: None,
    zero_is_ok: true,
};

pub(super) const ENVOY: Names = Names {
    at: &["/start_time"],
    at_end: false,
    client: &["/downstream_remote_address"],
    request: &[],
    method: &["/method"],
    target: &["/x-envoy-original-path", "/x_envoy_original_path", "/path"],
    query: &[],
    version: &["/protocol"],
    host: &["/authority", "/:authority"],
    status: &["/response_code"],
    bytes: &["/bytes_sent"],
    first: &[
        ("/upstream_service_time", Some(1e-3)),
        ("/x-envoy-upstream-service-time", Some(1e-3)),
        ("/x_envoy_upstream_service_time", Some(1e-3)),
    ],
    whole: &[("/duration", Some(1e-3))],
    location: &["/location"],
    referer: &["/referer"],
    agent: &["/user_agent", "/user-agent"],
    fields: None,
    flags: Some("/response_flags"),
    zero_is_ok: false,
};

pub(super) const TRAEFIK: Names = Names {
    at: &["/StartUTC", "/StartLocal", "/time"],
    at_end: false,
    client: &["/ClientHost"],
    request: &[],
    method: &["/RequestMethod"],
    target: &["/RequestPath"],
    query: &[],
    version: &["/RequestProtocol"],
    host: &["/RequestAddr", "/RequestHost"],
    status: &["/DownstreamStatus"],
    bytes: &["/DownstreamContentSize"],
    first: &[],
    whole: &[("/Duration", Some(1e-9))],
    location: &["/downstream_Location"],
    referer: &["/request_Referer"],
    agent: &["/request_User-Agent"],
    fields: None,
    flags: None,
    zero_is_ok: false,
};

pub(super) const OTHERS: Names = Names {
    at: &[
        "/time_iso8601",
        "/@timestamp",
        "/timestamp",
        "/time_local",
        "/msec",
        "/time",
        "/ts",
        "/date",
        "/datetime",
    ],
    at_end: true,
    client: &["/remote_addr", "/client_ip", "/remote_ip", "/client", "/ip"],
    request: &["/request", "/request_line"],
    method: &[
        "/request_method",
        "/method",
        "/http_method",
        "/verb",
        "/request/method",
        "/req/method",
    ],
    target: &[
        "/request_uri",
        "/target",
        "/url",
        "/path",
        "/uri",
        "/request/uri",
        "/request/url",
        "/request/path",
        "/req/url",
    ],
    query: &["/query_string", "/args", "/query"],
    version: &["/server_protocol", "/protocol", "/proto", "/http_version"],
    host: &[
        "/http_host",
        "/host",
        "/vhost",
        "/server_name",
        "/request/host",
        "/req/headers/host",
    ],
    status: &[
        "/status",
        "/status_code",
        "/response_code",
        "/http_status",
        "/response/status",
        "/res/statusCode",
    ],
    bytes: &[
        "/body_bytes_sent",
        "/bytes",
        "/size",
        "/response_size",
        "/response_bytes",
        "/response/bytes",
    ],
    first: &[("/upstream_header_time", Some(1.0))],
    whole: &[
        ("/request_time", Some(1.0)),
        ("/duration_s", Some(1.0)),
        ("/duration_ms", Some(1e-3)),
        ("/latency_ms", Some(1e-3)),
        ("/elapsed_ms", Some(1e-3)),
        ("/response_time_ms", Some(1e-3)),
        ("/duration_us", Some(1e-6)),
        ("/duration_ns", Some(1e-9)),
        // Only with a unit in the value.
        ("/duration", None),
        ("/latency", None),
        ("/elapsed", None),
    ],
    location: &["/sent_http_location", "/location"],
    referer: &["/http_referer", "/referer", "/referrer"],
    agent: &["/http_user_agent", "/user_agent", "/agent"],
    fields: None,
    flags: None,
    zero_is_ok: false,
};

/// Parses a line; `None` if it is no object, or has no status or request under these names.
pub(super) fn parse(text: &[u8], names: &Names) -> Option<Line> {
    // nginx writes bytes above 127 as they are. In a line that is not UTF-8 each byte is read as a character, and
    // becomes a byte again.
    let is_utf8 = str::from_utf8(text).is_ok();
    let object: Value = if is_utf8 {
        serde_json::from_slice(text).ok()?
    } else {
        serde_json::from_str(&text.iter().copied().map(char::from).collect::<String>()).ok()?
    };
    let written = |value: &Value| {
        let text = written(value)?;
        if is_utf8 { Some(text) } else { bytes(&text) }
    };
    // A bundle may be written in one line.
    if object["format"] == "shadow-bundle" {
        return None;
    }
    let find = |paths: &[&str]| paths.iter().find_map(|path| written(object.pointer(path)?));
    let code = find(names.status)?;
    let method = find(names.method);
    let whole_line = find(names.request);
    let length = find(names.bytes);
    if method.is_none() && whole_line.is_none() {
        return None;
    }
    let span = |list: &[(&str, Option<f64>)]| {
        list.iter()
            .find_map(|(path, unit)| duration(&written(object.pointer(path)?)?, *unit))
    };
    let mut line = Line {
        client: find(names.client).and_then(|text| address(&text)),
        at: find(names.at).and_then(|text| time(&text)),
        at_end: names.at_end,
        request: request(&find, names, method, whole_line),
        host: find(names.host),
        // Caddy writes 0 where nothing but the default was answered.
        status: status(if names.zero_is_ok && code == b"0" {
            b"200"
        } else {
            &code
        }),
        bytes: length.and_then(|length| number(&length)),
        first: span(names.first),
        whole: span(names.whole),
        location: find(names.location),
        is_cut: code == b"499",
        ..Line::default()
    };
    if let Some(flags) = names.flags.and_then(|path| written(object.pointer(path)?)) {
        line.is_cut |= super::proxies::is_cut(&flags, line.status);
    }
    for (name, paths) in [("Referer", names.referer), ("User-Agent", names.agent)] {
        line.field(name, &find(paths).unwrap_or_default());
    }
    if let Some(Value::Object(fields)) = names.fields.and_then(|path| object.pointer(path)) {
        fields
            .iter()
            .for_each(|(name, values)| field(&mut line, name, values));
    }
    Some(line)
}

fn request(
    find: &dyn Fn(&[&str]) -> Option<Vec<u8>>,
    names: &Names,
    method: Option<Vec<u8>>,
    whole_line: Option<Vec<u8>>,
) -> Option<RequestLine> {
    let Some((method, mut target)) = method.zip(find(names.target)) else {
        return RequestLine::parse(&whole_line?);
    };
    // A request line holds the target as it was received; under another name it may be without its query, or decoded.
    if let Some(line) = whole_line.as_deref().and_then(RequestLine::parse) {
        return Some(line);
    }
    if let Some(query) = find(names.query)
        && memchr::memchr(b'?', &target).is_none()
    {
        target.push(b'?');
        target.extend_from_slice(query.strip_prefix(b"?").unwrap_or(&query));
    }
    let version = match find(names.version).as_deref() {
        Some(b"HTTP/1.0") => Version::Http10,
        _ => Version::Http11,
    };
    RequestLine::new(&method, &target, version)
}

/// The bytes that characters up to U+00FF were read from.
fn bytes(text: &[u8]) -> Option<Vec<u8>> {
    str::from_utf8(text)
        .ok()?
        .chars()
        .map(|sign| u8::try_from(sign).ok())
        .collect()
}

/// A text or number; `None` if it says that nothing is known.
fn written(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => known(text.as_bytes()).map(<[u8]>::to_vec),
        Value::Number(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

/// A field of the request as Caddy writes it: a list of values, of which secrets are replaced.
fn field(line: &mut Line, name: &str, values: &Value) {
    for value in values.as_array().into_iter().flatten() {
        if let Some(value) = value.as_str()
            && value != "REDACTED"
        {
            line.field(name, value.as_bytes());
        }
    }
}
