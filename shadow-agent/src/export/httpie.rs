//! A case as a command of HTTPie that sends its request again.
//!
//! HTTPie rewrites what it is given: a request that it would send as another one is refused. It adds
//! `Content-Length: 0` where a request without content has none.

use shadow_core::case::Case;

use super::{
    field, has_scheme, is_framing,
    shell::{To, content, destination, fields, is_word, piped, quoted, script, url},
};

/// Characters that separate a name from a value for HTTPie. A backslash before one of them is dropped.
const SEPARATORS: [char; 4] = [':', ';', '=', '@'];

/// Fields that HTTPie adds, and leaves out where they are named without a value.
const ADDED: [&str; 5] = [
    "User-Agent",
    "Accept",
    "Accept-Encoding",
    "Connection",
    "Content-Type",
];

/// The command, or the reason why there is none.
pub fn command(case: &Case, to: To<'_>) -> Result<String, String> {
    let request = &case.request;
    let refused = |what: &str| Err(format!("HTTPie would send {what}; use --format curl"));
    if !request.method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return refused("another method");
    }
    if request.version == "HTTP/1.0" {
        return refused("another version");
    }
    if !is_path(&request.target) {
        return refused("another target");
    }
    let mut notes = vec![destination(case, to)];
    let mut body = Vec::new();
    let mut input = String::new();
    let mut flags = "--ignore-stdin --path-as-is --print=hb";
    match content(case, &mut notes) {
        None => {}
        Some(text) if is_word(text) => body.push(format!("--raw {}", quoted(text))),
        Some(text) => {
            flags = "--path-as-is --print=hb";
            input = piped(text);
        }
    }
    let mut words = vec!["http".to_owned(), flags.to_owned()];
    words.append(&mut body);
    words.push(quoted(&request.method));
    words.push(url(case, to, &request.target));
    for header in fields(case) {
        let Some(word) = item(&header.name, &header.value) else {
            return refused(&format!("another value of {}", header.name));
        };
        words.push(word);
    }
    for name in ADDED {
        if field(&request.headers, name).is_none() || is_framing(name) {
            words.push(format!("{name}:"));
        }
    }
    Ok(script(notes, &input, &words))
}

/// The word for a field.
fn item(name: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        return Some(quoted(&format!("{name};")));
    }
    if value.match_indices('\\').any(|(at, _)| {
        value
            .get(at + 1..)
            .is_some_and(|rest| rest.starts_with(SEPARATORS))
    }) {
        return None;
    }
    // After the colon these would name a file, or JSON.
    let escape = if value.starts_with(['=', '@']) { "\\" } else { "" };
    Some(quoted(&format!("{name}:{escape}{value}")))
}

/// Whether HTTPie sends the target unchanged as the path and the query of a URL.
fn is_path(target: &str) -> bool {
    let is_sent = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    let is_kept = |(at, _): (usize, &str)| {
        let code = target.get(at + 1..at + 3);
        // It decodes characters that need no code, and writes codes in capitals.
        let code = code.filter(|code| !code.contains(|c: char| c.is_ascii_lowercase()));
        code.and_then(|code| u8::from_str_radix(code, 16).ok())
            .is_some_and(|code| !(code.is_ascii_alphanumeric() || b"-._~".contains(&code)))
    };
    target.starts_with('/')
        && !has_scheme(target)
        && target.bytes().all(is_sent)
        && target.match_indices('%').all(is_kept)
}
