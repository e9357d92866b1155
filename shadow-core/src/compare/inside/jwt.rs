//! Comparison of JSON Web Tokens (RFC 7519) by claim. The signature changes with every claim, so it is a separate part.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::Texts;
use crate::compare::{
    json::tape::{Kind, Tape},
    media,
};

/// Compares two tokens; false when one of the texts is not a token.
pub(super) fn compare(texts: &mut Texts<'_, '_>) -> bool {
    let (Some(a), Some(b)) = (parts(texts.production), parts(texts.shadow)) else {
        return false;
    };
    let before = texts.parts;
    for (part, a, b) in [("parameter", &a.head, &b.head), ("claim", &a.claims, &b.claims)] {
        let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (a, b) = (a.get(name), b.get(name));
            if a != b {
                let part = format!("{part} {}", media::shown_name(name.as_bytes()));
                texts.part(&part, a.map(String::as_bytes), b.map(String::as_bytes));
            }
        }
    }
    if a.signature != b.signature {
        texts.part(
            "signature",
            Some(a.signature.as_bytes()),
            Some(b.signature.as_bytes()),
        );
    }
    texts.parts > before
}

struct Token<'t> {
    head: Members,
    claims: Members,
    signature: &'t str,
}

/// The texts of members by name.
type Members = BTreeMap<String, String>;

fn parts(text: &str) -> Option<Token<'_>> {
    // The beginning of an encoded JSON object.
    if !text.starts_with("ey") {
        return None;
    }
    let mut parts = text.split('.');
    let (head, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let head = members(head)?;
    (parts.next().is_none() && head.contains_key("alg")).then_some(())?;
    Some(Token {
        head,
        claims: members(claims)?,
        signature,
    })
}

fn members(part: &str) -> Option<Members> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    let tape = Tape::parse(&text).ok()?;
    let root = tape.root().filter(|root| root.kind() == Kind::Object)?;
    let member = |(name, value): (
        crate::compare::json::tape::Value<'_>,
        crate::compare::json::tape::Value<'_>,
    )| {
        (
            String::from_utf8_lossy(&name.string()).into_owned(),
            value.raw().to_owned(),
        )
    };
    Some(root.members().map(member).collect())
}
