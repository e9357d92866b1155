//! Shell commands that send the request of a case again: the parts that they have in common.

use std::fmt::Write as _;

use shadow_core::case::{Case, Field};

use super::{field, is_framing};
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

/// The comment on the destination.
pub(super) fn destination(case: &Case, to: To<'_>) -> String {
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

/// The word for the URL.
pub(super) fn url(case: &Case, to: To<'_>, path: &str) -> String {
    match to {
        To::Url(base) => quoted(&format!("{}{path}", base.trim_end_matches('/'))),
        To::Production => quoted(&format!("http://{}{path}", case.server)),
        To::Unsaid => format!(
            "\"${{SHADOW_URL:?is where to send the request, such as http://127.0.0.1:9090}}\"{}",
            quoted(path)
        ),
    }
}

/// The fields that are sent: those of the framing are the tool's, and content without its coding has none.
pub(super) fn fields(case: &Case) -> impl Iterator<Item = &Field> {
    let request = &case.request;
    request.headers.iter().filter(|field| {
        let decoded = field.name.eq_ignore_ascii_case("content-encoding") && request.body.text.is_some();
        !is_framing(&field.name) && !decoded
    })
}

/// The body that can be sent; notes what is missing of it.
pub(super) fn content<'c>(case: &'c Case, notes: &mut Vec<String>) -> Option<&'c str> {
    let body = &case.request.body;
    if body.len == 0 {
        return None;
    }
    let Some(text) = &body.text else {
        notes.push(format!(
            "the body of {} bytes is no text and was not kept",
            body.len
        ));
        return None;
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
    Some(text)
}

/// Whether a body can be an argument.
pub(super) fn is_word(text: &str) -> bool {
    text.len() <= WORD && !text.contains('\0')
}

/// The beginning of a line that pipes the text into the command after it.
pub(super) fn piped(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('\0', r"\0000");
    format!("printf %b {} |\n", quoted(&escaped))
}

/// The whole text: the notes as comments, the input, the words of the command.
pub(super) fn script(mut notes: Vec<String>, input: &str, words: &[String]) -> String {
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
    text + input + &command + "\n"
}

/// One word for bash. Characters that control a terminal are written as escapes.
pub(super) fn quoted(word: &str) -> String {
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
