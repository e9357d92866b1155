//! One case as something another tool understands: a curl command, a HAR file, a bundle.
//!
//! Everything here is made of what is in a [`Case`], which is redacted already: an export holds no secret that the
//! journal does not hold. What was replaced or cut is said, never made up.

pub mod bundle;
pub mod curl;
pub mod har;
mod packets;
#[cfg(test)]
mod tests;

use shadow_core::case::{Case, Field};

pub use bundle::Bundle;

/// Fields that describe the framing of the captured message, which whoever sends it again makes anew.
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

/// Where the request went, as a URL.
fn url(case: &Case) -> String {
    let target = &case.request.target;
    if target.contains("://") {
        return target.clone();
    }
    let host = field(&case.request.headers, "host").unwrap_or(&case.server);
    let slash = if target.starts_with('/') { "" } else { "/" };
    format!("http://{host}{slash}{target}")
}
