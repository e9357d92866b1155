//! The rewrite: builds the request for the shadow system from a captured one.
//!
//! Owns: the differences between the request that production received and the one that the shadow system receives.
//! Without rules they are as small as HTTP allows: field order, letter case, target and framing are kept; fields that
//! concern only the captured connection are removed (RFC 9110 section 7.6.1), and a marker is added by which the agent
//! recognises its own requests. Bias: the shadow system takes the place of production, so it receives what production
//! received, including end-to-end credentials, unless the operator says otherwise.

mod conditional;
mod credentials;
mod place;
mod request;
mod trace;

use bytes::Bytes;

use crate::fields;
pub use crate::marker::{Marker, MarkerError};
pub use conditional::Conditional;
pub(crate) use conditional::{is_not_modified, is_part};
pub use credentials::{CredentialPlace, Credentials, Replacement, TokenSource, is_token};
pub use place::{HostPolicy, PathRules, QueryRules};
pub use request::ShadowRequest;
pub use trace::{IdentityRules, MeshFields, RequestIds, TracePolicy};

use self::{credentials::Wallet, place::Router};
use crate::gate::{self, RuleError, SkipPolicy, Treatment, WritePolicy};
use shadow_proto::{
    exchange::{Exchange, Request, Version},
    request_target,
};

/// Rewrite rules, as configured by an operator.
#[derive(Clone, Debug, Default)]
pub struct RewriteRules {
    /// The Host field.
    pub host: HostPolicy,
    /// The path.
    pub path: PathRules,
    /// The query.
    pub query: QueryRules,
    /// Other fields.
    pub headers: HeaderRules,
    /// Trace context, request id, and the fields of a mesh.
    pub identity: IdentityRules,
    /// Validators of conditional requests.
    pub conditional: Conditional,
    /// Credentials that no rule replaces.
    pub credentials: Credentials,
    /// Credentials that are replaced by tokens.
    pub replaced: Vec<Replacement>,
}

/// Rules for fields that do not concern the connection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeaderRules {
    /// Fields that get one value, replacing all existing ones.
    pub set: Vec<(String, String)>,
    /// Fields that are added to existing ones.
    pub add: Vec<(String, String)>,
    /// Fields that are removed.
    pub remove: Vec<String>,
}

/// The compiled rules. Cheap to clone except for the rules themselves.
#[derive(Clone, Debug)]
pub struct RewritePolicy {
    host: HostPolicy,
    authority: Bytes,
    router: Router,
    set: Vec<(Bytes, Bytes)>,
    /// Includes the marker, which is last.
    added: Vec<(Bytes, Bytes)>,
    removed: Vec<Bytes>,
    identity: IdentityRules,
    conditional: Conditional,
    salt: [u8; 32],
    wallet: Wallet,
    writes: WritePolicy,
}

/// Result of a rewrite.
#[derive(Clone, Debug)]
pub enum Rewritten {
    /// The request to send.
    Send(ShadowRequest),
    /// The request to keep instead of sending it; it contains no tokens.
    Record(ShadowRequest),
}

impl RewritePolicy {
    /// A policy with only the necessary changes.
    pub fn plain(host: HostPolicy, authority: &str, marker: &Marker) -> Self {
        Self {
            host,
            authority: Bytes::copy_from_slice(authority.as_bytes()),
            router: Router::default(),
            set: Vec::new(),
            added: vec![(
                Bytes::copy_from_slice(marker.name().as_bytes()),
                Bytes::copy_from_slice(marker.value().as_bytes()),
            )],
            removed: Vec::new(),
            identity: IdentityRules::KEPT,
            conditional: Conditional::default(),
            salt: [0; 32],
            wallet: Wallet::default(),
            writes: WritePolicy::default(),
        }
    }

    /// Compiles the rules. `authority` is the shadow system's `host:port`, used only with [`HostPolicy::Shadow`].
    /// `writes` are the gate's. `salt` is random, one per run.
    pub fn new(
        rules: RewriteRules,
        authority: &str,
        marker: &Marker,
        writes: WritePolicy,
        salt: [u8; 32],
    ) -> Result<Self, RuleError> {
        let RewriteRules {
            host,
            path,
            query,
            headers: HeaderRules { set, add, remove },
            identity,
            conditional,
            credentials,
            replaced,
        } = rules;
        let at = |key: &'static str| move |what| RuleError::new(format!("rewrite.headers.{key}"), what);
        let fields = |key, list: &[(String, String)]| {
            let made = list
                .iter()
                .map(|(name, value)| fields::field(name, value).map_err(at(key)));
            made.collect::<Result<Vec<_>, _>>()
        };
        let plain = Self::plain(host, authority, marker);
        let set = fields("set", &set)?;
        let mut added = fields("add", &add)?;
        let removed = remove.iter().map(|name| fields::name(name).map_err(at("remove")));
        let removed = removed.collect::<Result<Vec<_>, _>>()?;
        let touched = set.iter().chain(&added).map(|(name, _)| name).chain(&removed);
        if let Some(name) = touched
            .into_iter()
            .find(|name| name.eq_ignore_ascii_case(marker.name().as_bytes()))
        {
            let name = String::from_utf8_lossy(name);
            return Err(RuleError::new(
                "rewrite.headers",
                format!("{name} marks replays and is not for rules to change"),
            ));
        }
        added.extend(plain.added.iter().cloned());
        Ok(Self {
            router: Router::new(&path, &query)?,
            set,
            added,
            removed,
            identity,
            conditional,
            salt,
            wallet: Wallet::new(credentials, replaced)?,
            writes,
            ..plain
        })
    }

    /// Whether the request of this exchange only reads, so that it may be sent more than once.
    pub fn is_read(&self, exchange: &Exchange) -> bool {
        self.writes.is_read(exchange)
    }

    /// Whether the request of this exchange is sent without some validators that it carried.
    pub fn leaves_out_validators(&self, exchange: &Exchange) -> bool {
        self.conditional.left_out(exchange).is_anything()
    }

    /// The value to send for a captured field, or `None` to remove it.
    fn value(&self, name: &[u8], value: Bytes, real: bool) -> Result<Option<Bytes>, SkipPolicy> {
        let is = |given: &Bytes| name.eq_ignore_ascii_case(given);
        let gone = !self.identity.keeps(name)
            || self.removed.iter().any(is)
            || self.set.iter().any(|(set, _)| is(set));
        if gone {
            return Ok(None);
        }
        self.wallet.value(name, value, real)
    }
}

/// Builds the request for the shadow system, or returns why it is not sent. The exchange's request must be whole; the
/// gate ensures this.
///
/// Values are slices of the captured head and body: without rules only the marker's handles are copied.
pub fn rewrite(exchange: &Exchange, policy: &RewritePolicy) -> Result<Rewritten, SkipPolicy> {
    rewrite_copy(exchange, policy, 0)
}

/// As [`rewrite`], for a request that is sent several times: each `copy` has ids of its own, as requests of production
/// have. The same copy sent again, because its connection failed, is the same request.
pub fn rewrite_copy(exchange: &Exchange, policy: &RewritePolicy, copy: u64) -> Result<Rewritten, SkipPolicy> {
    rewrite_knowing(exchange, policy, copy, &mut |_, _| None)
}

/// The value to send in place of a validator of production's, by the name of its field in lower case; `None` where it
/// is not known.
pub type KnownValidator<'k> = dyn FnMut(&[u8], &[u8]) -> Option<Bytes> + 'k;

/// As [`rewrite_copy`], with the shadow system's validators in place of production's where they are known. A validator
/// that is known is sent, whatever [`Conditional`] says.
pub fn rewrite_knowing(
    exchange: &Exchange,
    policy: &RewritePolicy,
    copy: u64,
    known: &mut KnownValidator<'_>,
) -> Result<Rewritten, SkipPolicy> {
    let treatment = if policy.writes.is_plain() {
        Treatment::Send
    } else {
        policy.writes.treat(exchange)
    };
    let (sent, dry) = match treatment {
        Treatment::Send => (true, None),
        Treatment::DryRun => (true, policy.writes.header()),
        Treatment::Record => (false, None),
        Treatment::Skip(reason) => return Err(reason),
    };
    let request = &exchange.request;
    let (target, authority) = request_target::origin_form(&request.method, &request.target);
    let chunked = request.headers.get("transfer-encoding").is_some();
    let mut headers = fields_of(exchange, policy, authority.as_ref(), (chunked, sent), known)?;
    if let Some((name, value)) = dry {
        headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        headers.push((name.clone(), value.clone()));
    }
    headers.extend(policy.set.iter().cloned());
    headers.extend(policy.identity.added(exchange, copy, &policy.salt));
    headers.extend(policy.added.iter().cloned());
    let made = ShadowRequest {
        method: request.method.clone(),
        target: policy.router.route(target),
        version: request.version,
        headers,
        body: request.body.kept.clone(),
        trailers: if chunked || request.version == Version::Http2 {
            trailers_of(request, policy, sent)?
        } else {
            Vec::new()
        },
        is_repeatable: gate::is_idempotent(request) || policy.writes.is_read(exchange),
        is_first: exchange.index == 0,
    };
    Ok(if sent {
        Rewritten::Send(made)
    } else {
        Rewritten::Record(made)
    })
}

/// The captured trailer fields in the form they are sent: without those that have a meaning for the connection or the
/// framing (RFC 9110 section 6.5.1).
fn trailers_of(
    request: &Request,
    policy: &RewritePolicy,
    real: bool,
) -> Result<Vec<(Bytes, Bytes)>, SkipPolicy> {
    let named = fields::connection_names(&request.headers);
    let mut trailers = Vec::with_capacity(request.trailers.len());
    for (name, value) in request.trailers.iter_bytes() {
        let field = name.to_ascii_lowercase();
        if fields::is_taken(&field) || named.contains(&field) {
            continue;
        }
        trailers.extend(policy.value(&field, value, real)?.map(|value| (name, value)));
    }
    Ok(trailers)
}

/// The captured fields in the form they are sent.
fn fields_of(
    exchange: &Exchange,
    policy: &RewritePolicy,
    authority: Option<&Bytes>,
    (chunked, real): (bool, bool),
    known: &mut KnownValidator<'_>,
) -> Result<Vec<(Bytes, Bytes)>, SkipPolicy> {
    let request = &exchange.request;
    let named = fields::connection_names(&request.headers);
    let mut left_out = policy.conditional.left_out(exchange);
    let mut headers = Vec::with_capacity(request.headers.len().saturating_add(2));
    let mut host_sent = false;
    let mut framed = false;
    // RFC 9112 section 3.2.2: with an absolute-form target the Host field is ignored.
    let host = |captured: Bytes| {
        policy
            .host
            .host(authority.cloned().unwrap_or(captured), &policy.authority)
    };
    // One buffer for all names, not an allocation for each.
    let mut field = Vec::with_capacity(64);
    for (name, value) in request.headers.iter_bytes() {
        field.clear();
        field.extend_from_slice(&name);
        field.make_ascii_lowercase();
        let kept = match field.as_slice() {
            b"host" => (!core::mem::replace(&mut host_sent, true)).then(|| host(value)),
            b"transfer-encoding" => (!core::mem::replace(&mut framed, true))
                .then(|| fields::transfer_codings(&request.headers, value)),
            b"content-length" if chunked => None,
            b"content-length" => (!core::mem::replace(&mut framed, true))
                .then(|| Bytes::from(request.body.kept.len().to_string())),
            // Requests over HTTP/2 say no more with it than that trailers are accepted (RFC 9113 section 8.2.2).
            b"te" if request.version == Version::Http2 => Some(value),
            // The body is sent immediately, without waiting for the 100.
            b"expect" if value.eq_ignore_ascii_case(b"100-continue") => None,
            other if fields::is_hop_by_hop(other) || named.iter().any(|hop| hop == other) => None,
            other => match known(other, &value).or_else(|| left_out.value(other, value)) {
                Some(value) => policy.value(other, value, real)?,
                None => None,
            },
        };
        headers.extend(kept.map(|value| (name, value)));
    }
    let unsaid = authority.is_some() || !matches!(policy.host, HostPolicy::Preserve | HostPolicy::Append(_));
    if !host_sent && unsaid {
        headers.insert(0, (Bytes::from_static(b"Host"), host(Bytes::new())));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
