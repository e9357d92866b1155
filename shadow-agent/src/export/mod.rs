//! One case in the format of another tool: a command of curl or HTTPie, a HAR file, a bundle.
//!
//! Everything here is made from a [`Case`], which is already redacted: an export holds no secret that the journal does
//! not hold. Replaced or cut data is marked as such and never invented.

pub mod bundle;
pub mod curl;
pub mod har;
pub mod httpie;
mod packets;
mod shell;
#[cfg(test)]
mod tests;

use shadow_core::case::{Case, Field};

pub use bundle::Bundle;
pub use shell::To;

/// Fields that describe the framing of the captured message. The sender generates them again.
fn is_framing(name: &str) -> bool {
    [
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "expect",
    ]
    .iter()
    .any(|framing| name.eq_ignore_ascii_case(framing))
}

fn field<'f>(headers: &'f [Field], name: &str) -> Option<&'f str> {
    headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value.as_str())
}

/// The URL of the request.
fn url(case: &Case) -> String {
    let target = &case.request.target;
    if has_scheme(target) {
        return target.clone();
    }
    let host = field(&case.request.headers, "host").unwrap_or(&case.server);
    match target.as_str() {
        // RFC 9112 section 3.3: the URI of the server itself.
        "*" => format!("http://{host}"),
        path if path.starts_with('/') => format!("http://{host}{path}"),
        other => format!("http://{host}/{other}"),
    }
}

/// Whether a target is in absolute form (RFC 9112 section 3.2.2): it begins with a scheme (RFC 3986 section 3.1).
fn has_scheme(target: &str) -> bool {
    let Some((scheme, _)) = target.split_once("://") else {
        return false;
    };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'))
}
