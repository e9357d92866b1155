//! The host of a request, and whether two readers could disagree about it (RFC 9112 sections 3.2 and 3.2.2).

use bytes::Bytes;

use super::head::RequestHead;
use crate::request_target;

/// The Host fields of a head, gathered in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hosts {
    count: usize,
    odd: bool,
}

impl Hosts {
    /// Adds one Host field.
    pub(super) fn add(&mut self, value: &[u8]) {
        self.count += 1;
        // None of these is allowed in `uri-host [ ":" port ]`, and some readers end the host there.
        let stray = |byte: &u8| byte.is_ascii_whitespace() || b"@/\\?#".contains(byte);
        self.odd |= value.iter().any(stray);
    }
}

/// Whether a proxy and a server could send this request to different hosts: several Host fields, an invalid value, or
/// a target with another host than the field.
pub(super) fn is_ambiguous(head: &RequestHead, fields: &[httparse::Header<'_>]) -> bool {
    let Hosts { count, odd } = head.said.hosts;
    count > 1 || odd || head.target.first() != Some(&b'/') && contradicts(&head.method, &head.target, fields)
}

/// Whether an absolute target names another host than the field.
fn contradicts(method: &[u8], target: &Bytes, fields: &[httparse::Header<'_>]) -> bool {
    let (_, Some(authority)) = request_target::origin_form(method, target) else {
        return false;
    };
    let port: &[u8] = match target.get(4) {
        Some(b's' | b'S') => b":443",
        _ => b":80",
    };
    let usual = |host: &[u8]| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("host"))
        .any(|field| usual(field.value) != usual(&authority))
}
