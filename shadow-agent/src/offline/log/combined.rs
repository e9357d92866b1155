//! The Common Log Format and what was made of it: combined, with a virtual host in front, with Traefik's fields or
//! nginx's times at the end.

use super::line::{
    Line, RequestLine, Words, address, closing, duration, known, number, split, status, time, unescaped,
};

/// The units of nginx's `$request_time`, Traefik's duration.
const SECONDS: Option<f64> = Some(1.0);

/// Parses a line; `None` if it is in another format.
pub(super) fn parse(text: &[u8]) -> Option<Line> {
    let (line, words) = common(text)?;
    Some(with_times(line, words))
}

/// As [`parse`], with the fields of Traefik: a count, the router, the server and the time.
pub(super) fn traefik(text: &[u8]) -> Option<Line> {
    let (mut line, words) = common(text)?;
    let mut last = None;
    let mut count = 0;
    for word in words {
        last = Some(word);
        count += 1;
    }
    let last = last.filter(|word| count == 4 && !word.is_quoted && word.text.ends_with(b"ms"))?;
    line.whole = duration(last.text, None);
    // Traefik writes when the request began.
    line.at_end = false;
    Some(line)
}

/// Everything up to the user agent, and the words after it.
fn common(text: &[u8]) -> Option<(Line, Words<'_>)> {
    let open = memchr::memmem::find(text, b" [")?;
    let (before, rest) = (text.get(..open)?, text.get(open + 2..)?);
    let close = memchr::memmem::find(rest, b"] \"")?;
    let (at, rest) = (rest.get(..close)?, rest.get(close + 3..)?);
    let end = closing(rest)?;
    let (request, rest) = (rest.get(..end)?, rest.get(end + 1..)?);
    let mut words = Words(rest);
    let code = words.next()?.text;
    if code.len() != 3 {
        return None;
    }
    let bytes = words.next()?;
    let (first, others) = split(before, b' ')?;
    let vhost = vhost(first);
    let client = if vhost.is_some() {
        split(others, b' ')?.0
    } else {
        first
    };
    let mut line = Line {
        client: address(client),
        at: Some(time(at)?),
        // nginx writes when the answer ended, Apache when the request began: a difference only for slow answers.
        at_end: false,
        request: RequestLine::parse(&unescaped(request)),
        host: vhost.map(<[u8]>::to_vec),
        status: status(code),
        // Apache writes `-` for nothing.
        bytes: if bytes.text == b"-" {
            Some(0)
        } else {
            Some(number(bytes.text)?)
        },
        // nginx's code for a client that went away.
        is_cut: code == b"499",
        ..Line::default()
    };
    let mut peeked = Words(words.0);
    if let (Some(referer), Some(agent)) = (peeked.next(), peeked.next())
        && referer.is_quoted
        && agent.is_quoted
    {
        line.field("Referer", &unescaped(referer.text));
        line.field("User-Agent", &unescaped(agent.text));
        words = peeked;
    }
    Some((line, words))
}

/// `%v:%p` in front of the client.
fn vhost(first: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memrchr(b':', first)?;
    let (name, port) = (first.get(..colon)?, first.get(colon + 1..)?);
    let is_port = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
    let is_name = name.starts_with(b"[") || (!name.is_empty() && memchr::memchr(b':', name).is_none());
    (is_port && is_name).then(|| {
        if port == b"80" || port == b"443" {
            name
        } else {
            first
        }
    })
}

/// nginx's times: a number with three digits after the point, or one with a name.
fn with_times(mut line: Line, words: Words<'_>) -> Line {
    for word in words {
        let (name, value) = split(word.text, b'=').unwrap_or((&[], word.text));
        let value = value
            .strip_prefix(b"\"")
            .and_then(|text| text.strip_suffix(b"\""))
            .unwrap_or(value);
        let is_time = value.iter().rev().position(|byte| *byte == b'.') == Some(3) && known(value).is_some();
        match name {
            b"rt" | b"request_time" if is_time => line.whole = duration(value, SECONDS),
            b"uht" | b"upstream_header_time" if is_time => line.first = duration(value, SECONDS),
            b"host" | b"vhost" => line.host = known(value).map(unescaped),
            b"" if is_time && line.whole.is_none() => line.whole = duration(value, SECONDS),
            _ => {}
        }
    }
    // nginx, which writes when the answer ended.
    line.at_end = line.whole.is_some();
    line
}
