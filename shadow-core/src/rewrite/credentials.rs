//! What becomes of the credentials in a captured request.
//!
//! Owns: finding them and putting a token in their place; where tokens come from is the agent's ([`TokenSource`]).
//! Bias: a request whose token is not there is not sent. It would go out with the user's own credentials, or be
//! answered with a 401 that says nothing about the shadow system.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::fields;
use crate::gate::{RuleError, SkipPolicy};

/// The longest token.
const TOKEN: usize = 16 << 10;

/// What a token reads as where none is sent.
const PLACEHOLDER: &str = "(token)";

/// Where a token comes from. Asked for every request that needs it, so it answers at once from what it holds.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// The token of this moment; `None` while there is none that may be used.
    fn token(&self) -> Option<Bytes>;
}

/// What becomes of credentials that no rule replaces.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Credentials {
    /// They are sent: the shadow system stands where production stood.
    #[default]
    Keep,
    /// Authorization, Proxy-Authorization and Cookie are left out.
    Strip,
}

/// Where a credential stands in a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A field whose value is the scheme, a space and the token; without a scheme the token alone.
    Header {
        /// Its name.
        name: String,
        /// Such as `Bearer`; may be empty.
        scheme: String,
    },
    /// The value of one cookie.
    Cookie(String),
}

/// One credential that a token stands for. Requests that do not carry it are sent as they are.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// Where it stands.
    pub place: Place,
    /// What stands there instead.
    pub source: Arc<dyn TokenSource>,
}

/// Compiled rules about credentials.
#[derive(Clone, Debug, Default)]
pub(super) struct Wallet {
    rest: Credentials,
    replaced: Vec<Replacement>,
}

/// Whether this can stand in a field, and in a cookie if it is one: visible ASCII, without what ends a cookie's value
/// (RFC 6265 section 4.1.1).
pub fn is_token(token: &[u8], place: &Place) -> bool {
    let fits = |byte: &u8| match place {
        Place::Header { .. } => *byte == b' ' || byte.is_ascii_graphic(),
        Place::Cookie(_) => byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\'),
    };
    !token.is_empty() && token.len() <= TOKEN && token.trim_ascii() == token && token.iter().all(fits)
}

impl Wallet {
    pub(super) fn new(rest: Credentials, replaced: Vec<Replacement>) -> Result<Self, RuleError> {
        for (at, Replacement { place, .. }) in replaced.iter().enumerate() {
            let wrong =
                |key: &str, what: String| RuleError::new(format!("credentials.replace[{at}].{key}"), what);
            match place {
                Place::Header { name, scheme } => {
                    fields::field(name, scheme).map_err(|what| wrong("header", what))?;
                    if name.eq_ignore_ascii_case("cookie") {
                        return Err(wrong("header", "name the cookie with `cookie: NAME`".to_owned()));
                    }
                }
                Place::Cookie(name) => {
                    // A cookie's name is a token as a field's is.
                    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                        return Err(wrong("cookie", format!("{name:?} is no name of a cookie")));
                    }
                }
            }
        }
        Ok(Self { rest, replaced })
    }

    /// The value that is sent for a captured field: `None` leaves the field out.
    pub(super) fn value(&self, name: &[u8], value: Bytes, real: bool) -> Result<Option<Bytes>, SkipPolicy> {
        let Self { rest, replaced } = self;
        if name.eq_ignore_ascii_case(b"cookie") {
            return self.cookies(value, real);
        }
        for Replacement { place, source } in replaced {
            if let Place::Header { name: wanted, scheme } = place
                && name.eq_ignore_ascii_case(wanted.as_bytes())
            {
                let token = token(source, place, real)?;
                return Ok(Some(if scheme.is_empty() {
                    token
                } else {
                    [scheme.as_bytes(), b" ", &token].concat().into()
                }));
            }
        }
        let secret = [&b"authorization"[..], b"proxy-authorization"]
            .iter()
            .any(|secret| name.eq_ignore_ascii_case(secret));
        Ok((*rest == Credentials::Keep || !secret).then_some(value))
    }

    fn cookies(&self, value: Bytes, real: bool) -> Result<Option<Bytes>, SkipPolicy> {
        let Self { rest, replaced } = self;
        let named = replaced
            .iter()
            .filter_map(|replacement| match &replacement.place {
                Place::Cookie(name) => Some((name, replacement)),
                Place::Header { .. } => None,
            });
        let named: Vec<_> = named.collect();
        if named.is_empty() {
            return Ok((*rest == Credentials::Keep).then_some(value));
        }
        let mut kept: Vec<Bytes> = Vec::new();
        for pair in value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            let name = pair
                .split(|byte| *byte == b'=')
                .next()
                .unwrap_or_default()
                .trim_ascii();
            match named.iter().find(|(wanted, _)| wanted.as_bytes() == name) {
                Some((name, Replacement { place, source })) => {
                    let token = token(source, place, real)?;
                    kept.push([name.as_bytes(), b"=", &token].concat().into());
                }
                None if *rest == Credentials::Keep => kept.push(Bytes::copy_from_slice(pair)),
                None => {}
            }
        }
        Ok((!kept.is_empty()).then(|| kept.join(b"; ".as_slice()).into()))
    }
}

/// Looked at once more: what is sent was never read by a parser.
fn token(source: &Arc<dyn TokenSource>, place: &Place, real: bool) -> Result<Bytes, SkipPolicy> {
    if !real {
        return Ok(Bytes::from_static(PLACEHOLDER.as_bytes()));
    }
    source
        .token()
        .filter(|token| is_token(token, place))
        .ok_or(SkipPolicy::NoCredentials)
}
