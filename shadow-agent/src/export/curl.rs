//! A case as a curl command that sends its request again.

use shadow_core::case::Case;

use super::{
    field, has_scheme,
    shell::{To, content, destination, fields, is_word, piped, quoted, script, url},
};

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
    words.push(url(case, to, path));
    script(notes, &input, &words)
}

/// The fields that were sent. Fields that curl would add are suppressed.
fn headers(case: &Case) -> Vec<String> {
    let request = &case.request;
    let mut words = Vec::new();
    let mut add = |line: &str| words.push(format!("--header {}", quoted(line)));
    for header in fields(case) {
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
    match content(case, notes) {
        None => String::new(),
        Some(_) if case.request.method == "HEAD" => {
            notes.push("the body is not sent: curl sends none with HEAD".to_owned());
            String::new()
        }
        Some(text) if is_word(text) => {
            words.push(format!("--data-raw {}", quoted(text)));
            String::new()
        }
        Some(text) => {
            words.push("--data-binary @-".to_owned());
            piped(text)
        }
    }
}

/// Whether curl sends the target unchanged as the path and the query of a URL.
fn is_path(target: &str) -> bool {
    let is_sent = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]".contains(&byte);
    target.starts_with('/') && !has_scheme(target) && target.bytes().all(is_sent)
}
