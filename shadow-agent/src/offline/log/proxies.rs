//! Text formats of proxies: Envoy's (also Istio's), HAProxy's `httplog`, and that of AWS's application load balancer.

use super::line::{
    Line, RequestLine, Word, Words, address, closing, duration, hex, known, number, split, status, time,
    unescaped,
};

const MILLIS: Option<f64> = Some(1e-3);
const SECONDS: Option<f64> = Some(1.0);
/// Brackets in front of which the time of HAProxy's format is looked for.
const BRACKETS: usize = 8;

/// Envoy's default format.
pub(super) fn envoy(text: &[u8]) -> Option<Line> {
    let (at, rest) = split(text.strip_prefix(b"[")?, b']')?;
    let rest = rest.strip_prefix(b" \"")?;
    let end = closing(rest)?;
    let (request, rest) = (rest.get(..end)?, rest.get(end + 1..)?);
    let words: Vec<Word<'_>> = Words(rest).collect();
    let [code, flags, rest @ ..] = &*words else {
        return None;
    };
    // Istio has three more: details of the code, of the end of the connection, and of the transport's failure.
    let rest = match rest {
        [_, _, transport, rest @ ..] if transport.is_quoted => rest,
        rest => rest,
    };
    let [received, sent, lasted, upstream, quoted @ ..] = rest else {
        return None;
    };
    let (agent, authority) = match quoted {
        [a, agent, b, authority, c, ..] if [a, agent, b, authority, c].iter().all(|word| word.is_quoted) => {
            (Some(agent), authority)
        }
        // Envoy does not escape: the user agent has quotes in it. Those of a host would have been refused.
        [.., authority, last] if authority.is_quoted && last.is_quoted => (None, authority),
        _ => return None,
    };
    number::<u64>(received.text)?;
    let mut line = Line {
        at: Some(time(at)?),
        request: RequestLine::parse(request),
        host: known(authority.text).map(<[u8]>::to_vec),
        status: status(code.text),
        bytes: Some(number(sent.text)?),
        first: duration(upstream.text, MILLIS),
        whole: duration(lasted.text, MILLIS),
        is_cut: is_cut(flags.text, status(code.text)),
        ..Line::default()
    };
    if status(code.text).is_none() && code.text != b"0" {
        return None;
    }
    line.field("User-Agent", agent.map_or(&[], |agent| agent.text));
    Some(line)
}

/// Whether Envoy's flags say that the answer did not reach the client whole: the client ended the connection or a time
/// ran out, or the server did and Envoy could not answer in its place.
pub(super) fn is_cut(flags: &[u8], status: Option<u16>) -> bool {
    let is_own = status.is_some_and(|status| status >= 500);
    flags.split(|byte| *byte == b',').any(|flag| match flag {
        b"DC" | b"DT" => true,
        b"LR" | b"UR" | b"UC" | b"UPE" | b"SI" => !is_own,
        _ => false,
    })
}

/// HAProxy's `option httplog`, after the prefix of syslog or without one.
pub(super) fn haproxy(text: &[u8]) -> Option<Line> {
    let open = memchr::memmem::find_iter(text, b" [")
        .take(BRACKETS)
        .find(|open| {
            let at = text.get(open + 2..open + 13);
            at.is_some_and(|at| at.get(2) == Some(&b'/') && at.get(6) == Some(&b'/'))
        })?;
    let client = text.get(..open)?.rsplit(|byte| *byte == b' ').next()?;
    let (at, rest) = split(text.get(open + 2..)?, b']')?;
    let quote = memchr::memchr(b'"', rest)?;
    let (fields, request) = (rest.get(..quote)?, rest.get(quote + 1..)?);
    // A line is cut at 1024 bytes by default. Without its closing quote the target may not be whole.
    let request = request.get(..memchr::memrchr(b'"', request)?)?;
    let mut words = Words(fields).map(|word| word.text);
    let (_frontend, backend) = (words.next()?, words.next()?);
    let timers: Vec<&[u8]> = words.next()?.split(|byte| *byte == b'/').collect();
    let [_idle, _queue, _connect, answered, all] = &*timers else {
        return None;
    };
    memchr::memchr(b'/', backend)?;
    let (code, _bytes) = (words.next()?, words.next()?);
    let ending = words.nth(2)?;
    // A plus sign says that the line was written before the end (`option logasap`).
    let whole = (!all.starts_with(b"+")).then(|| duration(all, MILLIS)).flatten();
    if status(code).is_none() && code != b"-1" {
        return None;
    }
    // Requests by HTTP/2 are logged with an absolute URI.
    let (host, request) = RequestLine::parse(&numbered(request)).map_or((None, None), origin);
    Some(Line {
        client: address(client),
        at: Some(time(at)?),
        request,
        host,
        status: status(code),
        // The bytes include the head.
        bytes: None,
        first: duration(answered, MILLIS),
        whole,
        // The first sign says who ended the session; `L` is an answer by HAProxy itself.
        is_cut: !matches!(ending.first(), Some(b'-' | b'L')),
        ..Line::default()
    })
}

/// Undoes `#XX`.
fn numbered(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = memchr::memchr(b'#', rest) {
        let (before, after) = rest.split_at(place);
        out.extend_from_slice(before);
        let (byte, length) = after.get(1..3).and_then(hex).map_or((b'#', 1), |byte| (byte, 3));
        out.push(byte);
        rest = after.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// AWS's application load balancer.
pub(super) fn alb(text: &[u8]) -> Option<Line> {
    let words: Vec<Word<'_>> = Words(text).collect();
    let [
        kind,
        at,
        _balancer,
        client,
        _target,
        waited,
        answered,
        sent,
        code,
        target_code,
        _in,
        _out,
        request,
        agent,
        rest @ ..,
    ] = &*words
    else {
        return None;
    };
    if !matches!(kind.text, b"http" | b"https" | b"h2" | b"grpcs" | b"ws" | b"wss") || !request.is_quoted {
        return None;
    }
    let parts = [waited, answered, sent].map(|part| duration(part.text, SECONDS));
    let whole = match parts {
        [Some(waited), Some(answered), Some(sent)] => Some(waited + answered + sent),
        _ => None,
    };
    let (host, request) = match RequestLine::parse(&unescaped(request.text)) {
        Some(line) if !matches!(kind.text, b"ws" | b"wss") => origin(line),
        _ => (None, None),
    };
    let mut line = Line {
        client: address(client.text),
        at: Some(time(at.text)?),
        at_end: true,
        request,
        host,
        // The server's own answer, unless the load balancer answered.
        status: status(target_code.text).or_else(|| status(code.text)),
        // The bytes include the head.
        bytes: None,
        first: parts.get(1).copied().flatten(),
        whole,
        location: rest
            .get(9)
            .filter(|word| word.is_quoted)
            .and_then(|word| known(word.text))
            .map(unescaped),
        is_cut: code.text == b"460",
        ..Line::default()
    };
    if status(code.text).is_none() && code.text != b"-" {
        return None;
    }
    line.field("User-Agent", &unescaped(agent.text));
    Some(line)
}

/// The host and the origin form of a request whose target is a URL. A load balancer adds the port to each.
fn origin(line: RequestLine) -> (Option<Vec<u8>>, Option<RequestLine>) {
    let Some((scheme, rest)) = memchr::memmem::find(&line.target, b"://").map(|place| {
        (
            line.target.get(..place).unwrap_or_default(),
            line.target.get(place + 3..).unwrap_or_default(),
        )
    }) else {
        return (None, Some(line));
    };
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let port: &[u8] = if scheme.eq_ignore_ascii_case(b"https") {
        b":443"
    } else {
        b":80"
    };
    let host = authority.strip_suffix(port).unwrap_or(authority).to_vec();
    let slash: &[u8] = if path.starts_with(b"/") { b"" } else { b"/" };
    let target = [slash, path].concat();
    (Some(host), RequestLine::new(&line.method, &target, line.version))
}
