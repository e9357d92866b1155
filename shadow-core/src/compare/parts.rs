//! Comparison of a partial answer with a complete one.

use shadow_proto::exchange::Body;

use super::Side;

/// The part of the whole answer that corresponds to production's (RFC 9110 section 14.4). `None` where it is not known:
/// several parts, content codings, content that was not kept.
pub(super) fn cut(production: Side<'_>, whole: Side<'_>) -> Option<Body> {
    let coded = |side: Side<'_>| side.headers.get("content-encoding").is_some();
    if coded(production) || coded(whole) || !whole.body.is_whole() {
        return None;
    }
    let range = core::str::from_utf8(production.headers.get("content-range")?).ok()?;
    let (range, _length) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let end = last.checked_add(1)?.min(whole.body.kept.len());
    let part = if first < end {
        whole.body.kept.slice(first..end)
    } else {
        bytes::Bytes::new()
    };
    Some(Body::whole(part))
}
