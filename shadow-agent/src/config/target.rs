//! Builds the gate of one target, and what is sent there, from its sections.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::{
    descriptors::Descriptors,
    gate::{Gate, RuleError, Selection, Selector, WritePolicy, WriteRules},
    rewrite::{Marker, Replacement, RewritePolicy, RewriteRules, TokenSource},
};

use super::{Shadow, problem::Problem};
use crate::replay::credentials::Replace;

/// Credentials that tokens may replace: each has a thread that refreshes it.
const MOST_REPLACED: usize = 8;

/// Which of the two systems is the new one.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The shadow system: it is to replace production.
    #[default]
    Mirror,
    /// Production: the cut-over is done, and the old system is the shadow.
    Reversed,
}

/// A token that is never available: for checks.
#[derive(Debug)]
struct Unread;

impl TokenSource for Unread {
    fn token(&self) -> Option<Bytes> {
        None
    }
}

impl Shadow {
    /// The field that identifies replays to this target.
    pub fn marker(&self) -> &Marker {
        &self.rewrite.marker.0.0
    }

    /// The rules for what may be sent and how it is changed. `source` provides each credential that a token replaces;
    /// `salt` is random. `descriptors` may say which methods of gRPC only read.
    pub fn gate(
        &self,
        authority: &str,
        markers: &[Marker],
        salt: [u8; 32],
        descriptors: Option<&Descriptors>,
        source: &mut dyn FnMut(&Replace) -> Arc<dyn TokenSource>,
    ) -> Result<(Gate, RewritePolicy), RuleError> {
        let selector = Selector::new(&Selection::from(&self.select))?;
        let writes = WritePolicy::new(&WriteRules {
            descriptors: descriptors.cloned(),
            ..WriteRules::from(&self.writes)
        })?;
        let replaced = self.credentials.replace.iter().map(|replace| Replacement {
            place: replace.place(),
            source: source(replace),
        });
        let rules = RewriteRules {
            host: self.host.0.clone(),
            path: (&self.rewrite.path).into(),
            query: (&self.rewrite.query).into(),
            headers: (&self.rewrite.headers).into(),
            identity: self.rewrite.identity(),
            conditional: self.rewrite.conditional,
            credentials: self.credentials.default.into(),
            replaced: replaced.collect(),
        };
        let rewrite = RewritePolicy::new(rules, authority, self.marker(), writes.clone(), salt)?;
        Ok((Gate::new(selector, writes, markers.to_vec()), rewrite))
    }

    /// The same without tokens: where credentials are replaced, no request can be sent.
    pub fn gate_without_tokens(
        &self,
        markers: &[Marker],
        descriptors: Option<&Descriptors>,
    ) -> Result<(Gate, RewritePolicy), RuleError> {
        self.gate("shadow:80", markers, [0; 32], descriptors, &mut |_| {
            Arc::new(Unread)
        })
    }

    /// Faults in the rules of a target, which is `section` of the file.
    pub(super) fn rule_problems(&self, section: &str) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut say = |at: &str, what: String, fix: &str| {
            found.push(Problem {
                at: format!("{section}.{at}"),
                what,
                fix: fix.to_owned(),
            });
        };
        let list = &self.credentials.replace;
        if list.len() > MOST_REPLACED {
            let what = format!("{} are more than {MOST_REPLACED}", list.len());
            say("credentials.replace", what, "leave some of them out");
        }
        for (place, replace) in list.iter().enumerate() {
            if let Err((key, what, fix)) = replace.check() {
                say(
                    &format!("credentials.replace[{place}]{key}"),
                    what.to_owned(),
                    fix,
                );
            }
        }
        if let Err(RuleError { at, what }) = self.gate_without_tokens(&[], None) {
            say(&at, what, "`shadow config example` shows how it is written");
        }
        found
    }
}

impl Replace {
    /// The faulty key, the fault, and how to fix it.
    fn check(&self) -> Result<(), (&'static str, &'static str, &'static str)> {
        const SOURCE: &str = "give either a file that holds it or a command that prints it";
        let Self {
            header,
            scheme,
            cookie,
            file,
            command,
            environment,
            ttl,
            timeout,
        } = self;
        if cookie.is_some() && (header.is_some() || scheme.is_some()) {
            return Err(("", "names a header and a cookie", "make two entries of it"));
        }
        match (file, command.first()) {
            (None, None) => return Err(("", "does not say where the token is", SOURCE)),
            (Some(_), Some(_)) => return Err(("", "says twice where the token is", SOURCE)),
            (Some(file), None) if !file.is_absolute() => {
                return Err((".file", "is no absolute path", "write it from / on"));
            }
            (None, Some(program)) if !Path::new(program).is_absolute() => {
                return Err((
                    ".command",
                    "does not begin with an absolute path",
                    "there is no shell that would look for it",
                ));
            }
            _ => {}
        }
        if environment
            .iter()
            .any(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return Err((
                ".environment",
                "names no variable",
                "give names alone; values are those of the agent's environment",
            ));
        }
        if ttl.0.as_secs() < 1 || ttl.0.as_secs() > 86_400 {
            return Err((".ttl", "is not between 1s and 24h", "give for example 5m"));
        }
        if timeout.0.is_zero() || timeout.0.as_secs() > 60 {
            return Err((".timeout", "is not between 1ms and 60s", "give for example 5s"));
        }
        Ok(())
    }
}
