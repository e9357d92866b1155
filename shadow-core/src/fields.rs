//! Header fields that rules may write, and their valid values.
//!
//! Bias: anything that could end a line or change the framing of the message is refused when the rules are read, and
//! such a token is not a valid token.

use bytes::Bytes;

use shadow_proto::exchange::Headers;

/// Fields that concern one connection only (RFC 9110 section 7.6.1), in addition to those that Connection names. All
/// offers of another protocol are removed with them: the replay uses HTTP/1.1. Transfer-Encoding is also such a field,
/// and is handled as framing.
const HOP_BY_HOP: [&[u8]; 6] = [
    b"connection",
    b"http2-settings",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"upgrade",
];

pub(crate) fn is_hop_by_hop(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"transfer-encoding")
        || HOP_BY_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop))
}

/// Whether a field concerns the connection or the framing, so that rules may not change it.
pub(crate) fn is_taken(name: &[u8]) -> bool {
    const TAKEN: [&[u8]; 4] = [b"host", b"content-length", b"expect", b"trailer"];
    is_hop_by_hop(name) || TAKEN.iter().any(|taken| name.eq_ignore_ascii_case(taken))
}

/// A field that a rule may write, or an error message.
pub(crate) fn field(name: &str, value: &str) -> Result<(Bytes, Bytes), String> {
    let name = self::name(name)?;
    // RFC 9110 section 5.5, without obs-text: nothing here can end a line.
    let printable = value
        .bytes()
        .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    if !printable || value.trim_ascii() != value {
        return Err(format!(
            "the value of {} is not visible ASCII without spaces around it",
            String::from_utf8_lossy(&name)
        ));
    }
    Ok((name, Bytes::copy_from_slice(value.as_bytes())))
}

/// The name of a field that a rule may change.
pub(crate) fn name(name: &str) -> Result<Bytes, String> {
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(format!("{name:?} is no header field name"));
    }
    if is_taken(name.as_bytes()) {
        return Err(format!(
            "{name:?} has a meaning for the connection and is not for rules to change"
        ));
    }
    Ok(Bytes::copy_from_slice(name.as_bytes()))
}

/// All transfer codings in one field: several fields form one list.
pub(crate) fn transfer_codings(headers: &Headers, first: Bytes) -> Bytes {
    let all: Vec<&[u8]> = headers.get_all("transfer-encoding").collect();
    if all.len() == 1 {
        first
    } else {
        all.join(b", ".as_slice()).into()
    }
}

/// The fields that Connection names, in lower case. Host and the framing fields are always kept: without them the
/// request would be a different one.
pub(crate) fn connection_names(headers: &Headers) -> Vec<Vec<u8>> {
    const KEPT: [&[u8]; 3] = [b"host", b"content-length", b"transfer-encoding"];
    headers
        .get_all("connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && !KEPT.contains(&name.as_slice()))
        .collect()
}
