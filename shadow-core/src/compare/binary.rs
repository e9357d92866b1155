//! Comparison of bodies without a known structure, or that were kept only in part.

use core::fmt::Write as _;

use shadow_proto::exchange::Body;

use super::{Category, findings::Findings};

/// Compares two complete contents: length, digest, and the first byte that differs.
pub(super) fn contents(production: &[u8], shadow: &[u8], findings: &mut Findings) {
    if production == shadow {
        return;
    }
    let first = production.iter().zip(shadow).take_while(|(a, b)| a == b).count();
    let shown = |content: &[u8]| {
        let digest = digest(*blake3::hash(content).as_bytes());
        format!(
            "{} bytes, BLAKE3 {digest}, differs from byte {first}",
            content.len()
        )
    };
    found(
        production.len() as u64,
        shadow.len() as u64,
        shown(production),
        shown(shadow),
        findings,
    );
}

/// Compares two bodies that may have been kept only in part: length and digest, both of the encoded content.
///
/// Where a digest is missing on one side, bodies of equal length with equal beginnings pass: there is no evidence that
/// they differ.
pub(super) fn digests(production: &Body, shadow: &Body, findings: &mut Findings) {
    let (a, b) = (production.blake3(), shadow.blake3());
    let same = match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => production
            .kept
            .iter()
            .zip(shadow.kept.iter())
            .all(|(a, b)| a == b),
    };
    if production.len == shadow.len && same {
        return;
    }
    let shown = |body: &Body, hash: Option<[u8; 32]>| {
        let digest = hash.map_or_else(|| "unknown".to_owned(), digest);
        format!("{} bytes, BLAKE3 {digest}", body.len)
    };
    found(
        production.len,
        shadow.len,
        shown(production, a),
        shown(shadow, b),
        findings,
    );
}

fn found(left: u64, right: u64, production: String, shadow: String, findings: &mut Findings) {
    let category = if left == right {
        Category::Value
    } else {
        Category::Length
    };
    findings.push(category, "body", production, shadow);
}

/// The beginning of a digest: enough for a reader to distinguish two bodies.
fn digest(hash: [u8; 32]) -> String {
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn run(compare: impl FnOnce(&mut Findings)) -> Vec<(Category, String)> {
        let mut findings = Findings::new(4);
        compare(&mut findings);
        findings
            .finish()
            .into_iter()
            .map(|found| (found.category, found.production))
            .collect()
    }

    #[test]
    fn bytes_differ_by_length_or_by_value_and_from_where() {
        assert_eq!(run(|f| contents(b"same", b"same", f)), []);
        let found = run(|f| contents(b"abcd", b"abXd", f));
        assert!(
            matches!(&found[..], [(Category::Value, text)] if text.ends_with("differs from byte 2")),
            "{found:?}"
        );
        let found = run(|f| contents(b"abcd", b"abc", f));
        assert!(
            matches!(&found[..], [(Category::Length, text)] if text.starts_with("4 bytes")),
            "{found:?}"
        );
    }

    #[test]
    fn a_body_over_the_cap_is_compared_by_length_and_digest() {
        let cut = |len, digest: Option<u8>, kept: &'static str| Body {
            len,
            kept: Bytes::from_static(kept.as_bytes()),
            digest: digest.map(|byte| [byte; 32]),
            missing: 0,
        };
        let cases = [
            (cut(10, Some(1), "ab"), cut(10, Some(1), "ab"), None),
            (
                cut(10, Some(1), "ab"),
                cut(10, Some(2), "ab"),
                Some(Category::Value),
            ),
            (
                cut(10, Some(1), "ab"),
                cut(11, Some(2), "ab"),
                Some(Category::Length),
            ),
            (cut(10, None, "ab"), cut(10, Some(1), "abc"), None),
            (
                cut(10, None, "ab"),
                cut(10, Some(1), "xbc"),
                Some(Category::Value),
            ),
        ];
        for (a, b, expected) in cases {
            let found = run(|f| digests(&a, &b, f));
            assert_eq!(found.first().map(|found| found.0), expected, "{a:?} {b:?}");
        }
        // The two systems may have kept different amounts of the same body.
        let whole = Body::whole(&b"0123456789"[..]);
        let start = Body {
            digest: whole.blake3(),
            ..cut(10, None, "0123")
        };
        assert_eq!(run(|f| digests(&whole, &start, f)), []);
    }
}
