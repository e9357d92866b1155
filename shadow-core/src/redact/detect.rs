//! Detection of secrets in any text, by their form or by the name before them.
//!
//! One pass from left to right. At the start of each word it checks whether a secret begins: the value that follows a
//! secret name (`"password": "…"`, `DB_PASSWORD=…`, `<pin>…`), the userinfo of a URL, a private key, a bearer token, a
//! JWT, a key with an issuer's prefix, an e-mail address, a card number.

use super::{
    forms::{card, credentials, email, issued, jwt, pem, split, userinfo},
    judge::Says,
    names::Names,
};

/// Copies `text` with its secrets replaced, until `shown` characters of it are read. A secret that begins before that
/// is replaced as a whole.
pub(super) fn replace(text: &str, shown: usize, names: &Names, hash: &dyn Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len().min(shown.saturating_mul(2)));
    let mut rest = text;
    let mut read = 0usize;
    let mut before = Before {
        last: ' ',
        fraction: false,
    };
    while read < shown {
        let Some(c) = rest.chars().next() else { break };
        let taken = if let Some((lead, len)) = secret(rest, c, before, names) {
            let (lead, behind) = split(rest, lead);
            let (secret, _) = split(behind, len);
            // Between a name and its value there may be attributes, which may contain secrets. They end at the first
            // `>`, so they are not nested.
            let (name, between) = split(lead, lead.find(|c| !is_word(c)).unwrap_or(lead.len()));
            out.push_str(name);
            out.push_str(&replace(between, between.len(), names, hash));
            out.push_str(&hash(secret));
            lead.len().saturating_add(secret.len())
        } else {
            out.push(c);
            c.len_utf8()
        };
        let (done, behind) = split(rest, taken);
        read = read.saturating_add(done.chars().count());
        let last = done.chars().next_back().unwrap_or(' ');
        before = Before {
            last,
            fraction: last == '.' && before.last.is_ascii_digit() && done.len() == 1,
        };
        rest = behind;
    }
    out
}

/// The context before a position in a text.
#[derive(Clone, Copy)]
struct Before {
    last: char,
    /// A digit and a point: the decimals of a number follow.
    fraction: bool,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// A secret that begins at `c`: the bytes before it, and its length. Some forms also begin in the middle of a word.
fn secret(text: &str, c: char, before: Before, names: &Names) -> Option<(usize, usize)> {
    let Before { last, fraction } = before;
    if is_word(last) {
        let number = c.is_ascii_digit() && !last.is_ascii_digit();
        let found = if number { card(text) } else { jwt(text) };
        return found.map(|len| (0, len));
    }
    let word = split(text, text.find(|c| !is_word(c)).unwrap_or(text.len())).0;
    if word.is_empty() {
        return None;
    }
    let in_tag = || {
        matches!(last, '<' | ':')
            .then(|| element(text, word, names))
            .flatten()
    };
    let forms = || {
        let found = jwt(text).or_else(|| issued(text)).or_else(|| email(text));
        let number = || card(text).filter(|_| !fraction);
        found.or_else(number).or_else(|| pem(text)).map(|len| (0, len))
    };
    named_value(text, word, names)
        .or_else(in_tag)
        .or_else(|| credentials(text, word))
        .or_else(|| in_url(text, word))
        .or_else(forms)
}

/// The userinfo after `scheme://`.
fn in_url(text: &str, word: &str) -> Option<(usize, usize)> {
    let behind = split(text, word.len()).1.strip_prefix("://")?;
    let len = userinfo(behind)?;
    Some((text.len().saturating_sub(behind.len()), len))
}

/// `name: value`, `name=value`, `"name": "value"`, `\"name\":\"value\"`, `<name>value<`, and the next cell of a row.
fn named_value(text: &str, word: &str, names: &Names) -> Option<(usize, usize)> {
    let behind = split(text, word.len()).1;
    let value = after_separator(behind)
        .or_else(|| beside(behind))
        .or_else(|| next_cell(behind))?;
    let says = names.document(word);
    if says == Says::Nothing {
        return None;
    }
    // Text that is not hidden is read again, but no more than this.
    let (start, _) = split(value, value.floor_char_boundary(JUDGED));
    let judged = value_of(start, behind, word);
    if !says.hides(judged.0) {
        return None;
    }
    let (secret, opened) = if start.len() < value.len() {
        value_of(value, behind, word)
    } else {
        judged
    };
    let before = text.len().saturating_sub(value.len()).saturating_add(opened);
    (!matches!(secret, "{" | "[")).then_some((before, secret.len()))
}

/// Leading bytes of a value by which it is judged.
const JUDGED: usize = 1024;

/// The value without its quotes, and the number of bytes before it.
fn value_of<'t>(value: &'t str, behind: &str, word: &str) -> (&'t str, usize) {
    let escapes = value.bytes().take_while(|byte| *byte == b'\\').count();
    let inner = split(value, escapes).1;
    let (opened, len) = match inner.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let opened = split(inner, 1).1;
            (opened, quoted(opened, quote, escapes))
        }
        // In a shell assignment only a blank ends the value.
        _ if behind.starts_with('=') && !word.contains(|c: char| c.is_lowercase()) => {
            let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<');
            (value, value.find(ends).unwrap_or(value.len()))
        }
        _ => {
            // The content of an element may contain anything.
            let line = is_whole_line(word) || separated(behind).starts_with('>');
            let ends = |c: char| match c {
                '<' | '\n' | '\r' => true,
                '&' | ',' | ';' | '}' | ']' => !line,
                c => c.is_whitespace() && !line,
            };
            (value, value.find(ends).unwrap_or(value.len()))
        }
    };
    (split(opened, len).0, value.len().saturating_sub(opened.len()))
}

/// The length up to a closing quote on this line that has no more than `escapes` backslashes before it.
fn quoted(text: &str, quote: char, escapes: usize) -> usize {
    let mut slashes = 0usize;
    for (at, c) in text.char_indices() {
        let closes = if escapes == 0 {
            slashes.is_multiple_of(2)
        } else {
            slashes <= escapes
        };
        match c {
            '\\' => slashes = slashes.saturating_add(1),
            '\n' | '\r' => return at,
            c if c == quote && closes => return at.saturating_sub(slashes.min(escapes)),
            _ => slashes = 0,
        }
    }
    text.len()
}

/// The text after `name":`, `name=`, `name>`, or the attributes of `<name a="b">`.
fn after_separator(behind: &str) -> Option<&str> {
    let value = separated(behind).strip_prefix([':', '=', '>'])?;
    Some(value.trim_start())
}

/// The text after a name, from the separator on.
fn separated(behind: &str) -> &str {
    behind.trim_start_matches(is_quote).trim_start()
}

/// The text after the name and `", "value": "`, or `" value="`.
fn beside(behind: &str) -> Option<&str> {
    let next = behind
        .strip_prefix(is_quote)?
        .trim_start_matches(is_quote)
        .trim_start_matches([',', ' '])
        .trim_start_matches(is_quote);
    let next = ["value", "content"]
        .iter()
        .find_map(|word| next.strip_prefix(word))?;
    after_separator(next)
}

/// The text after the name and a tab, or ` | `.
fn next_cell(behind: &str) -> Option<&str> {
    let blanks = behind.trim_start_matches(' ');
    // In a line that was escaped for display, a tab is an escape.
    let next = blanks
        .strip_prefix(['\t', '|'])
        .or_else(|| blanks.strip_prefix("\\t"))?;
    let value = next.trim_start_matches([' ', '\t']);
    // The end of a row: another row follows.
    (!value.starts_with(['\n', '\r', '|'])).then_some(value)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\')
}

/// Bytes of a start tag that are searched for its end.
const TAG: usize = 1024;

/// The text in an element whose start tag has attributes: the bytes before it, and its length.
fn element(text: &str, word: &str, names: &Names) -> Option<(usize, usize)> {
    let says = names.document(word);
    if says == Says::Nothing {
        return None;
    }
    let (start, _) = split(text, text.floor_char_boundary(TAG));
    let before = start.find('>')?.saturating_add(1);
    let content = split(text, before).1;
    // Judged by its beginning, or many elements without an end would each read the rest of the text.
    let (start, _) = split(content, content.floor_char_boundary(JUDGED));
    let judged = split(start, start.find('<').unwrap_or(start.len())).0;
    says.hides(judged)
        .then(|| (before, content.find('<').unwrap_or(content.len())))
}

/// Whether the value of this field contains blanks and separators.
fn is_whole_line(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|field| name.eq_ignore_ascii_case(field))
}
