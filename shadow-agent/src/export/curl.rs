//! A case as a command line that sends its request again.

use std::fmt::Write as _;

use shadow_core::case::Case;

use super::{field, is_framing, url};

/// The command. `base` (`http://10.0.0.2:9090`) takes the place of where the request went.
pub fn command(case: &Case, base: Option<&str>) -> String {
    let request = &case.request;
    let mut notes = Vec::new();
    let mut words = vec!["curl".to_owned(), "--globoff".to_owned(), "--include".to_owned()];
    if request.version == "HTTP/1.0" {
        words.push("--http1.0".to_owned());
    }
    if request.method == "HEAD" {
        words.push("--head".to_owned());
    } else if request.method != "GET" || request.body.len > 0 {
        words.push(format!("--request {}", quoted(&request.method)));
    }
    let coded = field(&request.headers, "content-encoding").is_some();
    for header in &request.headers {
        let name = header.name.to_ascii_lowercase();
        if is_framing(&name) || (name == "content-encoding" && request.body.text.is_some()) {
            continue;
        }
        // curl takes a field without a value only with a semicolon.
        let line = if header.value.is_empty() {
            format!("{};", header.name)
        } else {
            format!("{}: {}", header.name, header.value)
        };
        words.push(format!("--header {}", quoted(&line)));
    }
    match &request.body.text {
        Some(text) => words.push(format!("--data-raw {}", quoted(text))),
        None if request.body.len > 0 => notes.push(format!(
            "the body of {} bytes is no text and was not kept",
            request.body.len
        )),
        None => {}
    }
    if request.body.cut && request.body.text.is_some() {
        notes.push(format!(
            "of the body of {} bytes only the beginning was kept",
            request.body.len
        ));
    }
    if coded && request.body.text.is_some() {
        notes.push("the body was sent with a content coding, and is without one here".to_owned());
    }
    let url = match base {
        Some(base) if !request.target.contains("://") => {
            format!("{}{}", base.trim_end_matches('/'), request.target)
        }
        Some(_) | None => url(case),
    };
    words.push(quoted(&url));
    let command = words.join(" \\\n  ");
    if command.contains("[redacted:") {
        notes.push("[redacted:...] takes the place of a secret: put a valid one there".to_owned());
    }
    let mut text = String::new();
    for note in notes {
        text += "# ";
        text += &note;
        text += "\n";
    }
    text + &command + "\n"
}

/// One word for bash. What a terminal would obey instead of show is written in an escape of its own.
fn quoted(word: &str) -> String {
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
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
                    // A String takes everything.
                    write!(out, "\\x{byte:02x}").unwrap_or_default();
                }
            }
        }
    }
    out.push('\'');
    out
}
