//! Header fields of a message in an archive.

/// True if there is such a field.
pub(super) fn has(fields: &[(String, String)], name: &str) -> bool {
    field(fields, name).is_some()
}

/// The value of a field.
pub(super) fn field<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    fields
        .iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
