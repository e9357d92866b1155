//! Documents in base64 (RFC 4648), also compressed by gzip.
//!
//! Bounds: the decoded text ([`MAX_TEXT`]). Bias: only what decodes to a JSON object or array is a document; any other
//! text may be base64 by chance.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::compare::{decode, json};

/// Bytes of a document.
const MAX_TEXT: usize = 1 << 20;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Two documents that are both written in base64.
pub(in crate::compare) fn documents(a: &str, b: &str) -> Option<(String, String)> {
    Some((document(a)?, document(b)?))
}

fn document(text: &str) -> Option<String> {
    let text = text.trim();
    // `{`, `[` or a gzip file.
    if !text.starts_with(['e', 'W', 'H']) || text.len() > MAX_TEXT {
        return None;
    }
    let content = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
    let content = decode::gzip_file(&content, MAX_TEXT).unwrap_or(content);
    String::from_utf8(content)
        .ok()
        .filter(|content| json::is_json(content))
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn documents_are_found_in_base64() {
        let json = r#"{"price":10,"u":"??>>"}"#;
        for text in [BASE64_STANDARD.encode(json), BASE64_URL_SAFE_NO_PAD.encode(json)] {
            assert_eq!(document(&text).as_deref(), Some(json), "{text}");
        }
        for text in ["", "eyJ", "hello", "Hello", "eyJwcmljZSI6", json, "e30=="] {
            assert!(document(text).is_none_or(|found| found == "{}"), "{text}");
        }
    }
}
