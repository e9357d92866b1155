//! The fields of forms, in both notations.

use shadow_proto::exchange::Headers;

use crate::compare::multipart::parts;

use super::{
    super::{class, place::Place},
    Visit, target, written,
};

/// `application/x-www-form-urlencoded`.
pub(in crate::values) fn form(text: &[u8], subject: &str, visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(text).ok()?;
    target::pairs(text, subject, visit).map(String::into_bytes)
}

/// `multipart/form-data` (RFC 7578): the named parts that are a value as a whole, and no file.
pub(in crate::values) fn multipart(
    headers: &Headers,
    text: &[u8],
    subject: &str,
    visit: &mut Visit<'_>,
) -> Option<Vec<u8>> {
    let mut edits = Vec::new();
    for part in parts(headers, text)? {
        let disposition = part.headers.get("content-disposition").unwrap_or_default();
        let is_file = memchr::memmem::find(disposition, b"filename").is_some();
        let Some(name) = part
            .name
            .filter(|_| !is_file && part.content.len() <= class::LONGEST)
        else {
            continue;
        };
        let name = String::from_utf8_lossy(&name);
        if let Some(new) = visit(&Place::field(subject, &name), part.content) {
            edits.push((part.at, new));
        }
    }
    written(text, edits)
}
