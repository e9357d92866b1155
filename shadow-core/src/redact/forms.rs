//! Secrets by their form: each function returns the length of a secret at the beginning of a text.

/// Prefixes of the keys of widely used services.
const ISSUED: [&str; 56] = [
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "sk-ant-",
    "sk-proj-",
    "sk-svcacct-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "glptt-",
    "gldt-",
    "glrt-",
    "glsa_",
    "xoxa-",
    "xoxb-",
    "xoxc-",
    "xoxd-",
    "xoxe-",
    "xoxe.",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "GOCSPX-",
    "npm_",
    "pypi-",
    "rubygems_",
    "dckr_pat_",
    "dop_v1_",
    "doo_v1_",
    "dor_v1_",
    "shpat_",
    "shpss_",
    "shpca_",
    "shppa_",
    "hf_",
    "hvs.",
    "hvb.",
    "SG.",
    "lin_api_",
    "PMAK-",
    "NRAK-",
    "AGE-SECRET-KEY-",
    "ATATT3",
    "sq0csp-",
    "EAACEdEose0c",
];

/// A key with an issuer's prefix: the prefix and at least twelve more characters, among them a digit or a capital.
pub(super) fn issued(text: &str) -> Option<usize> {
    let prefix = ISSUED.iter().find(|prefix| text.starts_with(**prefix))?;
    let (_, rest) = split(text, prefix.len());
    let ends = |c: char| !(is_base64url(c) || c == '.');
    let key = |text: &'_ str| {
        split(text, text.find(ends).unwrap_or(text.len()))
            .0
            .trim_end_matches('.')
            .len()
    };
    let (start, _) = split(rest, key(split(rest, rest.floor_char_boundary(64)).0));
    let drawn = start
        .bytes()
        .any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    (start.len() >= 12 && drawn).then(|| prefix.len().saturating_add(key(rest)))
}

/// A block that ends with its own `-----END …-----`, or with the text (RFC 7468). A block with a public label is not a
/// secret.
pub(super) fn pem(text: &str) -> Option<usize> {
    let label = text.strip_prefix("-----BEGIN ")?;
    let (line, _) = split(label, label.find("-----").unwrap_or(label.len()).min(64));
    if ["CERTIFICATE", "PUBLIC KEY", "CRL", "PARAMETERS"]
        .iter()
        .any(|public| line.contains(public))
    {
        return None;
    }
    let Some(end) = text.find("-----END ") else {
        return Some(text.len());
    };
    let (_, last) = split(text, end.saturating_add("-----END ".len()));
    let dashes = last.find("-----").map_or(last.len(), |at| at.saturating_add(5));
    Some(text.len().saturating_sub(last.len()).saturating_add(dashes))
}

/// Bytes after `://` that are searched for the end of a userinfo.
const USERINFO: usize = 1024;

/// The userinfo after `scheme://`, even if a password was not encoded.
pub(super) fn userinfo(text: &str) -> Option<usize> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`');
    let (text, _) = split(text, text.floor_char_boundary(USERINFO));
    let (word, _) = split(text, text.find(ends).unwrap_or(text.len()));
    let (authority, _) = split(word, word.find(['/', '?', '#']).unwrap_or(word.len()));
    if let Some(at) = authority.rfind('@') {
        return (at > 0).then_some(at);
    }
    // `user:pa/ss@host`: the text after the colon is not a port.
    let (_, password) = authority.split_once(':')?;
    let port = password.bytes().all(|byte| byte.is_ascii_digit());
    word.find('@').filter(|_| !port && !authority.starts_with('['))
}

/// `Bearer …`, `Basic …` (RFC 9110 section 11.4).
pub(super) fn credentials(text: &str, word: &str) -> Option<(usize, usize)> {
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

/// A JSON Web Token (RFC 7519), even when its end was cut off: `eyJ` is `{"` in base64.
pub(super) fn jwt(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let len = text
        .find(|c: char| !(is_base64url(c) || c == '.' || c == '='))
        .unwrap_or(text.len());
    (len >= 10).then_some(len)
}

/// Bytes of the local part of an e-mail address that are searched. RFC 5321 section 4.5.3.1.1 allows 64 octets, some of
/// which may be percent-encoded.
const LOCAL_PART: usize = 80;

/// `local@domain.tld`, the `@` also percent-encoded.
pub(super) fn email(text: &str) -> Option<usize> {
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

/// 13 to 19 digits in any grouping by single blanks or hyphens, in a payment scheme's range and with a valid check
/// digit (ISO/IEC 7812-1). Where further digits follow after a gap, the longest such number.
pub(super) fn card(text: &str) -> Option<usize> {
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

/// Splits at a byte, or takes everything where that is not a character boundary.
pub(super) fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}
