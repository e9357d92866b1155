//! Paths of the resources that writes change.

/// Maximum number of path segments.
const SEGMENTS: usize = 16;

/// The path of a target, or of a Location, without query and trailing slash.
pub(super) fn path(target: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    let target = target.get(..end).unwrap_or(target);
    let path = match memchr::memmem::find(target, b"://") {
        Some(scheme) if target.first() != Some(&b'/') => {
            let rest = target.get(scheme.saturating_add(3)..).unwrap_or_default();
            let start = memchr::memchr(b'/', rest).unwrap_or(rest.len());
            rest.get(start..).unwrap_or_default()
        }
        _ => target,
    };
    path.strip_suffix(b"/").unwrap_or(path)
}

/// Whether a path is one below another.
pub(super) fn is_below(path: &[u8], named: &[u8]) -> bool {
    named
        .strip_prefix(path)
        .is_some_and(|rest| rest.len() > 1 && rest.first() == Some(&b'/'))
}

/// All prefixes of a path that end with a segment, the longest last: `/users`, `/users/7` for `/users/7`. Empty for
/// `/`, and for paths that are too long.
pub(super) fn segments(path: &[u8]) -> Vec<&[u8]> {
    if memchr::memchr_iter(b'/', path).count() > SEGMENTS {
        return Vec::new();
    }
    memchr::memchr_iter(b'/', path)
        .filter(|at| *at > 0)
        .chain((path.len() > 1).then_some(path.len()))
        .filter_map(|end| path.get(..end))
        .collect()
}
