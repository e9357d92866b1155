//! Secrets by their form, in any text.
//!
//! One pass from left to right. At the start of each word it is asked whether a secret begins here: the value behind a
//! secret name (`"password": "…"`, `token=…`, `<pin>…`), a bearer token, a JWT, an e-mail address, a card number.

use super::names::Names;

/// Copies `text` with its secrets replaced, until `shown` characters of it were read. A secret that begins before is
/// replaced as a whole.
pub(super) fn replace(text: &str, shown: usize, names: &Names, hash: &dyn Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len().min(shown.saturating_mul(2)));
    let mut rest = text;
    let mut read = 0usize;
    let mut last = ' ';
    while read < shown {
        let Some(c) = rest.chars().next() else { break };
        let taken = if let Some((before, len)) = secret(rest, c, last, names) {
            let (before, behind) = split(rest, before);
            let (secret, _) = split(behind, len);
            // Between a name and its value there may be attributes, with secrets of their own. They end at the first `>`, so
            // none of them has attributes in turn.
            let (name, between) = split(before, before.find(|c| !is_word(c)).unwrap_or(before.len()));
            out.push_str(name);
            out.push_str(&replace(between, between.len(), names, hash));
            out.push_str(&hash(secret));
            before.len().saturating_add(secret.len())
        } else {
            out.push(c);
            c.len_utf8()
        };
        let (done, behind) = split(rest, taken);
        read = read.saturating_add(done.chars().count());
        last = done.chars().next_back().unwrap_or(' ');
        rest = behind;
    }
    out
}

/// Splits at a byte, or takes everything where that is no character's start.
fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// A secret that begins here, at `c` behind `last`: bytes in front of it, and its own. Some forms also begin in the
/// middle of a word.
fn secret(text: &str, c: char, last: char, names: &Names) -> Option<(usize, usize)> {
    if is_word(last) {
        let number = c.is_ascii_digit() && !last.is_ascii_digit();
        let found = if number { card(text) } else { jwt(text) };
        return found.map(|len| (0, len));
    }
    let word = split(text, text.find(|c| !is_word(c)).unwrap_or(text.len())).0;
    if word.is_empty() {
        return None;
    }
    let in_tag = if matches!(last, '<' | ':') {
        element(text, word, names)
    } else {
        None
    };
    named_value(text, word, names)
        .or(in_tag)
        .or_else(|| credentials(text, word))
        .or_else(|| jwt(text).map(|len| (0, len)))
        .or_else(|| email(text).map(|len| (0, len)))
        .or_else(|| card(text).map(|len| (0, len)))
        .or_else(|| issued(word).map(|len| (0, len)))
}

/// What the keys of widely used services begin with.
const ISSUED: [&str; 22] = [
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "sk-ant-",
    "sk-proj-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxs-",
    "AKIA",
    "ASIA",
    "AIza",
    "npm_",
];

/// A key that says who issued it: its prefix and at least twelve more characters.
fn issued(word: &str) -> Option<usize> {
    ISSUED
        .iter()
        .filter_map(|prefix| word.strip_prefix(prefix))
        .any(|rest| rest.len() >= 12)
        .then_some(word.len())
}

/// `name: value`, `name=value`, `"name": "value"`, `\"name\":\"value\"`, `<name>value<`.
fn named_value(text: &str, word: &str, names: &Names) -> Option<(usize, usize)> {
    if !names.is_secret(word) {
        return None;
    }
    let behind = split(text, word.len()).1;
    let value = after_separator(behind).or_else(|| beside(behind))?;
    let opened = value.trim_start_matches('\\');
    let opened = opened.strip_prefix(['"', '\'']).unwrap_or(value);
    let before = text.len().saturating_sub(opened.len());
    let line = is_whole_line(word);
    let ends = |c: char| match c {
        '"' | '\'' | '\\' => opened.len() < value.len(),
        '<' | '\n' | '\r' => true,
        '&' | ',' | ';' | '}' | ']' => opened.len() == value.len() && !line,
        c => c.is_whitespace() && opened.len() == value.len() && !line,
    };
    let len = opened.find(ends).unwrap_or(opened.len());
    // Nothing to hide in `"token": null` and the like, and then what differs can be seen.
    let plain = matches!(split(opened, len).0, "" | "null" | "true" | "false" | "{" | "[");
    (!plain).then_some((before, len))
}

/// What follows `name":`, `name=`, `name>`, or the attributes of `<name a="b">`.
fn after_separator(behind: &str) -> Option<&str> {
    let separator = behind.trim_start_matches(is_quote).trim_start();
    let value = separator.strip_prefix([':', '=', '>'])?;
    Some(value.trim_start())
}

/// What follows the name and `", "value": "`, or `" value="`.
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

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\')
}

/// Bytes of a start tag that are looked at for its end.
const TAG: usize = 1024;

/// The text in an element whose start tag has attributes: bytes in front of it, and its own.
fn element(text: &str, word: &str, names: &Names) -> Option<(usize, usize)> {
    if !names.is_secret(word) {
        return None;
    }
    let (start, _) = split(text, text.floor_char_boundary(TAG));
    let before = start.find('>')?.saturating_add(1);
    let content = split(text, before).1;
    let len = content.find('<').unwrap_or(content.len());
    (!split(content, len).0.trim().is_empty()).then_some((before, len))
}

/// Whether the value of this field has blanks and separators in it.
fn is_whole_line(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|field| name.eq_ignore_ascii_case(field))
}

/// `Bearer …`, `Basic …` (RFC 9110 section 11.4).
fn credentials(text: &str, word: &str) -> Option<(usize, usize)> {
    if !word.eq_ignore_ascii_case("bearer") && !word.eq_ignore_ascii_case("basic") {
        return None;
    }
    let token = split(text, word.len()).1.strip_prefix(' ')?;
    let len = token
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-._~+/=".contains(c)))
        .unwrap_or(token.len());
    (len >= 6).then_some((word.len().saturating_add(1), len))
}

fn is_base64url(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// A JSON Web Token (RFC 7519), also when its end was cut off: `eyJ` is `{"` in base64.
fn jwt(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let len = text
        .find(|c: char| !(is_base64url(c) || c == '.' || c == '='))
        .unwrap_or(text.len());
    (len >= 10).then_some(len)
}

/// Bytes of the local part of an e-mail address that are looked at. RFC 5321 section 4.5.3.1.1 allows 64
/// octets, some of which may be percent-encoded.
const LOCAL_PART: usize = 80;

/// `local@domain.tld`, the `@` also percent-encoded.
fn email(text: &str) -> Option<usize> {
    let mut reach = text.len().min(LOCAL_PART);
    while !text.is_char_boundary(reach) {
        reach = reach.saturating_sub(1);
    }
    let local = split(text, reach)
        .0
        .find(|c: char| !(c.is_alphanumeric() || "._+-".contains(c)))
        .unwrap_or(reach);
    let behind = split(text, local).1;
    let domain = behind.strip_prefix('@').or_else(|| behind.strip_prefix("%40"))?;
    let len = domain
        .find(|c: char| !(c.is_alphanumeric() || ".-".contains(c)))
        .unwrap_or(domain.len());
    let domain_part = split(domain, len).0.trim_end_matches('.');
    let dotted = domain_part.find('.').is_some_and(|dot| dot > 0);
    (local > 0 && dotted).then(|| {
        text.len()
            .saturating_sub(domain.len())
            .saturating_add(domain_part.len())
    })
}

/// 13 to 19 digits in any grouping by single blanks or hyphens, of a payment scheme's range and with the right check
/// digit (ISO/IEC 7812-1). Where further digits follow behind a gap, the longest such number.
fn card(text: &str) -> Option<usize> {
    let mut digits = Vec::with_capacity(20);
    let mut found = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let behind_digit = !digits.is_empty() && !text.get(..at)?.ends_with([' ', '-']);
        match c.to_digit(10) {
            Some(_) if digits.len() == 19 => return found,
            Some(digit) => digits.push(digit),
            None if !behind_digit || c.is_alphanumeric() => return found,
            None => {
                let issued = matches!(digits.first(), Some(2..=6));
                if digits.len() >= 13 && issued && luhn(&digits) {
                    found = Some(at);
                }
                if !matches!(c, ' ' | '-') {
                    return found;
                }
            }
        }
    }
    found
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled @ 10..) => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a part of a target looks drawn at random: long, one word, letters and digits mixed. UUIDs are left: they
/// name things, and secrets that are UUIDs have a name.
pub(super) fn looks_random(part: &str) -> bool {
    let word = part
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.~+=%".contains(c));
    let letters = part.chars().any(|c| c.is_ascii_alphabetic());
    let digits = part.chars().filter(char::is_ascii_digit).count();
    part.len() >= 20 && word && letters && digits >= 2 && part.matches('-').count() < 3
}

/// Whether letters and digits in it, without anything between, look drawn at random. Stricter than [`looks_random`]:
/// names of members are words joined by `_`.
pub(super) fn has_random_run(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        run.len() >= 16 && digits >= 2 && digits < run.len()
    })
}
