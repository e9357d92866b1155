//! Secrets in two answers that are recognised only by context: a value next to its name, a cell below it. The place of
//! a discrepancy does not show the context, so its values are searched for these secrets.

use core::cell::OnceCell;

use crate::compare::ABSENT;
use shadow_proto::exchange::{Body, Headers};

use super::Redactor;

/// Limits on remembered secrets, and on their bytes. Over a limit, every value found in the body is replaced.
const MAX_SECRETS: usize = 1024;
const MAX_BYTES: usize = 64 << 10;

/// Bytes of a body that are searched for them. Beyond these, every value found in the body is replaced.
const SEARCHED: usize = 1 << 20;

/// Leading bytes by which a long secret is recognised when the rest is cut off.
const START: usize = 48;

/// Secrets that are recognised only by context.
#[derive(Clone, Default)]
pub(crate) struct KnownSecrets {
    secrets: Vec<String>,
    bytes: usize,
    over: bool,
}

impl core::fmt::Debug for KnownSecrets {
    /// Does not show the secrets.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KnownSecrets")
            .field("secrets", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

impl KnownSecrets {
    pub(super) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.is_empty() || self.secrets.iter().any(|known| known == secret) {
            return;
        }
        self.bytes = self.bytes.saturating_add(secret.len());
        self.over |= self.secrets.len() >= MAX_SECRETS || self.bytes > MAX_BYTES;
        if !self.over {
            self.secrets.push(secret.to_owned());
        }
    }

    /// A found value without these secrets.
    pub(super) fn hide(&self, redactor: &Redactor, value: &str) -> String {
        let plain = value.trim_matches('"');
        if value == ABSENT || plain.is_empty() {
            return value.to_owned();
        }
        if self.over || self.secrets.iter().any(|secret| secret == plain) {
            return redactor.hash(plain);
        }
        let mut out = value.to_owned();
        for secret in self.secrets.iter().filter(|secret| secret.len() >= 4) {
            // Also as written in a JSON string.
            for secret in [secret.clone(), secret.escape_debug().to_string()] {
                out = out.replace(&secret, &redactor.hash(&secret));
                let start = secret
                    .get(..secret.floor_char_boundary(START))
                    .unwrap_or_default();
                if start.len() < secret.len()
                    && let Some(at) = out.find(start)
                {
                    out.truncate(at);
                    out.push_str(&redactor.hash(&secret));
                }
            }
        }
        out
    }
}

/// The answers of both systems, and their secrets by context, which are collected on first use.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    sides: [(&'a Headers, &'a Body); 2],
    secrets: OnceCell<KnownSecrets>,
}

impl<'a> Answers<'a> {
    pub(crate) fn new(sides: [(&'a Headers, &'a Body); 2]) -> Self {
        Self {
            sides,
            secrets: OnceCell::new(),
        }
    }

    pub(super) fn secrets(&self, redactor: &Redactor) -> &KnownSecrets {
        self.secrets.get_or_init(|| {
            let mut secrets = KnownSecrets::default();
            for (headers, body) in self.sides {
                let read = redactor.read_body(headers, body, SEARCHED, &mut secrets);
                secrets.over |= read.cut && read.text.is_some() && body.kept.len() > SEARCHED;
            }
            secrets
        })
    }
}
