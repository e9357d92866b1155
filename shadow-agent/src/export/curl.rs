//! A case as a curl command that sends its request again.

use std::fmt::Write as _;

use shadow_core::case::Case;

use super::{field, has_scheme, is_framing};
use crate::shown::is_unsafe;

/// The longest word that a program can receive on Linux (`MAX_ARG_STRLEN`), less a reserve for escapes.
const WORD: usize = 30_000;

/// The destination of the request.
#[derive(Clone, Copy, Debug)]
pub enum To<'u> {
    /// To this base URL, such as `http://10.0.0.2:9090`.
    Url(&'u str),
    /// To the server that was captured: production.
    Production,
    /// To the URL in `SHADOW_URL` when the command is run; without it nothing is sent.
    Unsaid,
}

/// The command.
pub fn command(case: &Case, to: To<'_>) -> String {
    let request = &case.request;
    let mut notes = vec![destination(case, to)];
    let mut words = vec!["curl".to_owned(), "--globoff --include --path-as-is".to_owned()];
    words.push(
        if request.version == "HTTP/1.0" {
            "--http1.0"
        } else {
            "--http1.1"
        }
        .to_owned(),
    );
    if request.method == "HEAD" {
        words.push("--head".to_owned());
    } else {
        words.push(format!("--request {}", quoted(&request.method)));
    }
    words.extend(headers(case));
    let input = body(case, &mut words, &mut notes);
    let (mut path, target) = (request.target.as_str(), quoted(&request.target));
    if !is_path(path) {
        words.push(format!("--request-target {target}"));
        path = "/";
    }
    words.push(match to {
        To::Url(base) => quoted(&format!("{}{path}", base.trim_end_matches('/'))),
        To::Production => quoted(&format!("http://{}{path}", case.server)),
        To::Unsaid => format!(
            "\"${{SHADOW_URL:?is where to send the request, such as http://127.0.0.1:9090}}\"{}",
            quoted(path)
        ),
    });
    let command = words.join(" \\\n  ");
    if command.contains("[redacted:") || input.contains("[redacted:") {
        notes.push("[redacted:...] takes the place of a secret: put a valid one there".to_owned());
    }
    let mut text = String::new();
    for note in notes {
        text += "# ";
        text += &note;
        text += "\n";
    }
    text + &input + &command + "\n"
}

/// The comment on the destination.
fn destination(case: &Case, to: To<'_>) -> String {
    match to {
        // Text of the case is part of a comment, which ends with its line.
        To::Url(_) => "goes to the given address".to_owned(),
        To::Production => format!(
            "goes to {}, which is PRODUCTION: the server whose traffic was captured",
            case.server.replace(is_unsafe, "?")
        ),
        To::Unsaid => {
            "goes to $SHADOW_URL, and nowhere while that is not set: export SHADOW_URL=http://127.0.0.1:9090"
                .to_owned()
        }
    }
}

/// The fields that were sent. Fields that curl would add are suppressed.
fn headers(case: &Case) -> Vec<String> {
    let request = &case.request;
    let mut words = Vec::new();
    let mut add = |line: &str| words.push(format!("--header {}", quoted(line)));
    for header in &request.headers {
        let decoded = header.name.eq_ignore_ascii_case("content-encoding") && request.body.text.is_some();
        if is_framing(&header.name) || decoded {
            continue;
        }
        // curl accepts a field without a value only with a semicolon.
        if header.value.is_empty() {
            add(&format!("{};", header.name));
        } else {
            add(&format!("{}: {}", header.name, header.value));
        }
    }
    let has = |name: &str| field(&request.headers, name).is_some();
    for name in ["Host", "User-Agent", "Accept"] {
        if !has(name) {
            add(&format!("{name}:"));
        }
    }
    if request.body.len > 0 {
        if !has("Content-Type") {
            add("Content-Type:");
        }
        add("Expect:");
    } else if has("Content-Length") {
        add("Content-Length: 0");
    }
    words
}

/// Adds the words for the body. A body that cannot be a word precedes the command and is piped into it.
fn body(case: &Case, words: &mut Vec<String>, notes: &mut Vec<String>) -> String {
    let body = &case.request.body;
    if body.len == 0 {
        return String::new();
    }
    let Some(text) = &body.text else {
        notes.push(format!(
            "the body of {} bytes is no text and was not kept",
            body.len
        ));
        return String::new();
    };
    if body.cut {
        notes.push(format!(
            "of the body of {} bytes only the beginning was kept",
            body.len
        ));
    }
    if field(&case.request.headers, "content-encoding").is_some() {
        notes.push("the body was sent with a content coding, and is without one here".to_owned());
    }
    if case.request.method == "HEAD" {
        notes.push("the body is not sent: curl sends none with HEAD".to_owned());
        return String::new();
    }
    if text.len() <= WORD && !text.contains('\0') {
        words.push(format!("--data-raw {}", quoted(text)));
        return String::new();
    }
    words.push("--data-binary @-".to_owned());
    let escaped = text.replace('\\', r"\\").replace('\0', r"\0000");
    format!("printf %b {} |\n", quoted(&escaped))
}

/// Whether curl sends the target unchanged as the path and the query of a URL.
fn is_path(target: &str) -> bool {
    let is_sent = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]".contains(&byte);
    target.starts_with('/') && !has_scheme(target) && target.bytes().all(is_sent)
}

/// One word for bash. Characters that control a terminal are written as escapes.
fn quoted(word: &str) -> String {
    let plain = |c: char| !is_unsafe(c) || matches!(c, '\n' | '\t');
    if word.chars().all(plain) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\\' => out.push_str(r"\\"),
            '\'' => out.push_str(r"\'"),
            c if plain(c) => out.push(c),
            c => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    // Writing to a String cannot fail.
                    write!(out, "\\x{byte:02x}").unwrap_or_default();
                }
            }
        }
    }
    out.push('\'');
    out
}
