//! Splits the URL of an entry into host and request target.

use serde_json::Value;

use super::lenient::pairs;

/// The result of reading a URL.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Url {
    /// A request to an HTTP server.
    Http { authority: String, target: String },
    /// A scheme without a request to a server.
    Foreign,
    /// Not a URL.
    None,
}

/// Reads a URL. A query that is given only in the list is added.
pub(super) fn read(url: &str, query: &Value) -> Url {
    let url: String = url
        .trim()
        .chars()
        .filter(|sign| !matches!(sign, '\t' | '\r' | '\n'))
        .collect();
    if url.is_empty() {
        return Url::None;
    }
    let scheme = url.split_once(':').filter(|(scheme, rest)| {
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        // A number after the colon is the port of a host without a scheme.
        scheme.bytes().all(sign) && !rest.starts_with(|sign: char| sign.is_ascii_digit())
    });
    let rest = match scheme {
        None => &*url,
        Some((scheme, rest)) => {
            let scheme = scheme.to_ascii_lowercase();
            if !matches!(&*scheme, "http" | "https" | "ws" | "wss") {
                return Url::Foreign;
            }
            let Some(rest) = rest.strip_prefix("//") else {
                return Url::None;
            };
            rest
        }
    };
    let start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(start).unwrap_or((rest, ""));
    let authority = authority.rsplit('@').next().unwrap_or_default().to_owned();
    let mut target = encoded(target.split('#').next().unwrap_or_default());
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    let listed = pairs(query);
    if !target.contains('?') && !listed.is_empty() {
        let listed: Vec<_> = listed
            .iter()
            .map(|(name, value)| format!("{}={}", quoted(name), quoted(value)))
            .collect();
        target = format!("{target}?{}", listed.join("&"));
    }
    Url::Http { authority, target }
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

fn percent(out: &mut String, byte: u8) {
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}

/// Characters that no request line may hold are percent-encoded, as browsers do; the rest is kept as recorded.
fn encoded(target: &str) -> String {
    let mut out = String::with_capacity(target.len());
    for byte in target.bytes() {
        match byte {
            0x21..=0x7e => out.push(char::from(byte)),
            _ => percent(&mut out, byte),
        }
    }
    out
}

/// Encoded as in a form (WHATWG URL, application/x-www-form-urlencoded).
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(char::from(byte)),
            _ => percent(&mut out, byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn urls_of_recorders() {
        let http = |authority: &str, target: &str| Url::Http {
            authority: authority.to_owned(),
            target: target.to_owned(),
        };
        for (url, expected) in [
            ("http://h", http("h", "/")),
            ("HTTPS://user:pw@h:81/a?b=c#d", http("h:81", "/a?b=c")),
            ("http://h?x", http("h", "/?x")),
            (" http://h/a b ", http("h", "/a%20b")),
            ("http://h/ä?q=\"<%20>", http("h", "/%C3%A4?q=\"<%20>")),
            ("http://h/a\tb", http("h", "/ab")),
            ("/only/path?q", http("", "/only/path?q")),
            ("//h/a", http("", "//h/a")),
            ("h:8080/a", http("h:8080", "/a")),
            ("wss://h/ws", http("h", "/ws")),
            ("data:image/png;base64,AAAA", Url::Foreign),
            ("blob:http://h/uuid", Url::Foreign),
            ("chrome-extension://x/y", Url::Foreign),
            ("about:blank", Url::Foreign),
            ("", Url::None),
            ("http:/h", Url::None),
        ] {
            assert_eq!(read(url, &Value::Null), expected, "{url}");
        }
        let query = json!([{"name": "a", "value": "1 &"}, {"name": "b", "value": null}]);
        assert_eq!(read("http://h/p", &query), http("h", "/p?a=1+%26&b="));
        assert_eq!(read("http://h/p?x", &query), http("h", "/p?x"));
    }
}
