//! `name=value&name=value`: the query of a target, and form content (the URL Standard's urlencoded format).

use std::borrow::Cow;

use super::{Redactor, beside::KnownSecrets, json};

/// How a value that looks like JSON is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Values {
    /// As JSON, and the references in it as [`Values::Text`].
    Json,
    /// As text, because these pairs are inside JSON: this bounds the recursion of nested formats.
    Text,
}

/// Appends the redacted pairs, until `shown` bytes of the text are read. `false` when something is left.
pub(super) fn replace(
    text: &str,
    shown: usize,
    redactor: &Redactor,
    values: Values,
    out: &mut String,
) -> bool {
    let most = shown.saturating_mul(json::GROWTH).saturating_add(out.len());
    let mut read = 0usize;
    for (number, pair) in text.split('&').enumerate() {
        if read >= shown.max(1) || out.len() > most {
            return false;
        }
        read = read.saturating_add(pair.len()).saturating_add(1);
        if number > 0 {
            out.push('&');
        }
        let (name, value) = pair.split_once('=').map_or((pair, None), |(n, v)| (n, Some(v)));
        let plain_name = decoded(name);
        part(name, &plain_name, &redactor.by_form(&plain_name), out);
        if let Some(value) = value {
            out.push('=');
            let plain = decoded(value);
            let redacted = if redactor.names.parameter(&plain_name).hides(&plain) {
                redactor.hash(&plain)
            } else if values == Values::Json && plain.starts_with(['{', '[']) {
                json::replace(
                    &plain,
                    usize::MAX,
                    json::Start::root(redactor),
                    &mut KnownSecrets::default(),
                )
                .text
            } else {
                redactor.by_form(&plain)
            };
            part(value, &plain, &redacted, out);
        }
    }
    true
}

/// Writes a part, unchanged when nothing in it is secret.
fn part(sent: &str, plain: &str, redacted: &str, out: &mut String) {
    if redacted == plain {
        out.push_str(sent);
        return;
    }
    for c in redacted.chars() {
        match c {
            ' ' => out.push('+'),
            '&' => out.push_str("%26"),
            '#' => out.push_str("%23"),
            '%' => out.push_str("%25"),
            '+' => out.push_str("%2B"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
}

fn decoded(part: &str) -> Cow<'_, str> {
    match shadow_proto::request_target::form_decoded(part.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(part),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}
