//! Handling of credentials in captured requests.
//!
//! Owns: finding them and replacing them with a token; the agent provides the tokens ([`TokenSource`]). Bias: a request
//! whose token is not available is not sent. It would carry the user's own credentials, or be answered with a 401 that
//! says nothing about the shadow system.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::fields;
use crate::gate::{RuleError, SkipPolicy};

/// Maximum length of a token, in bytes.
const TOKEN: usize = 16 << 10;

/// Placeholder for a token in requests that are not sent.
const PLACEHOLDER: &str = "(token)";

/// A source of tokens. It is asked for every request that needs one, so it returns a stored token without delay.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// The current token; `None` if there is no usable one.
    fn token(&self) -> Option<Bytes>;
}

/// Handling of credentials that no rule replaces.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Credentials {
    /// They are sent: the shadow system takes the place of production.
    #[default]
    Keep,
    /// Authorization, Proxy-Authorization and Cookie are removed.
    Strip,
}

/// Place of a credential in a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CredentialPlace {
    /// A field whose value is the scheme, a space and the token, or only the token if there is no scheme.
    Header {
        /// The field name.
        name: String,
        /// Such as `Bearer`; may be empty.
        scheme: String,
    },
    /// The value of one cookie.
    Cookie(String),
}

/// One credential that is replaced by a token. Requests that do not carry it are sent unchanged.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The place of the credential.
    pub place: CredentialPlace,
    /// The source of the token.
    pub source: Arc<dyn TokenSource>,
}

/// Compiled rules about credentials.
#[derive(Clone, Debug, Default)]
pub(super) struct Wallet {
    rest: Credentials,
    replaced: Vec<Replacement>,
}

/// Whether this is a valid token for a field, or for a cookie if the place is one: visible ASCII, without characters
/// that end a cookie's value (RFC 6265 section 4.1.1).
pub fn is_token(token: &[u8], place: &CredentialPlace) -> bool {
    let fits = |byte: &u8| match place {
        CredentialPlace::Header { .. } => *byte == b' ' || byte.is_ascii_graphic(),
        CredentialPlace::Cookie(_) => byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\'),
    };
    !token.is_empty() && token.len() <= TOKEN && token.trim_ascii() == token && token.iter().all(fits)
}

impl Wallet {
    pub(super) fn new(rest: Credentials, replaced: Vec<Replacement>) -> Result<Self, RuleError> {
        for (at, Replacement { place, .. }) in replaced.iter().enumerate() {
            let wrong =
                |key: &str, what: String| RuleError::new(format!("credentials.replace[{at}].{key}"), what);
            match place {
                CredentialPlace::Header { name, scheme } => {
                    fields::field(name, scheme).map_err(|what| wrong("header", what))?;
                    if name.eq_ignore_ascii_case("cookie") {
                        return Err(wrong("header", "name the cookie with `cookie: NAME`".to_owned()));
                    }
                }
                CredentialPlace::Cookie(name) => {
                    // A cookie's name is a token, like a field name.
                    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                        return Err(wrong("cookie", format!("{name:?} is no name of a cookie")));
                    }
                }
            }
        }
        Ok(Self { rest, replaced })
    }

    /// The value to send for a captured field; `None` removes the field.
    pub(super) fn value(&self, name: &[u8], value: Bytes, real: bool) -> Result<Option<Bytes>, SkipPolicy> {
        let Self { rest, replaced } = self;
        if name.eq_ignore_ascii_case(b"cookie") {
            return self.cookies(value, real);
        }
        for Replacement { place, source } in replaced {
            if let CredentialPlace::Header { name: wanted, scheme } = place
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
                CredentialPlace::Cookie(name) => Some((name, replacement)),
                CredentialPlace::Header { .. } => None,
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

/// Checked again here, because no parser has read the token.
fn token(source: &Arc<dyn TokenSource>, place: &CredentialPlace, real: bool) -> Result<Bytes, SkipPolicy> {
    if !real {
        return Ok(Bytes::from_static(PLACEHOLDER.as_bytes()));
    }
    source
        .token()
        .filter(|token| is_token(token, place))
        .ok_or(SkipPolicy::NoCredentials)
}
