//! The position in a document at which a text begins.

use crate::{
    compare::paths::{Key, Level, Walk},
    redact::Redactor,
};

use super::Secret;

/// The position in a document at which the text begins.
#[derive(Debug)]
pub(in crate::redact) struct Start<'r> {
    pub(super) redactor: &'r Redactor,
    pub(super) walk: Walk<'r>,
    pub(super) level: Level,
    pub(super) secret: Secret,
}

impl<'r> Start<'r> {
    /// At its root.
    pub(in crate::redact) fn root(redactor: &'r Redactor) -> Self {
        let (walk, level) = Walk::new(&redactor.paths);
        let secret = if redactor.paths.whole() {
            Secret::Path
        } else {
            Secret::No
        };
        Self {
            redactor,
            walk,
            level,
            secret,
        }
    }

    /// One step down, without return.
    pub(in crate::redact) fn enter(&mut self, key: Key<'_>) {
        if self.secret == Secret::Path {
            return;
        }
        match self.walk.enter(self.level, key) {
            Some(level) => self.level = level,
            None => self.secret = Secret::Path,
        }
        if let Key::Name(name) = key {
            self.secret = self.secret.max(self.redactor.names.document(name).into());
        }
    }

    pub(in crate::redact) fn secret(&self) -> Secret {
        self.secret
    }
}
