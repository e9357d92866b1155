//! Places relative to a value: JSON Pointer (RFC 6901), or the name of a member.

use crate::compare::as_text::written_as_text;

/// `/error/code`, or `id` for `/id`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pointer {
    text: String,
    names: Vec<Box<str>>,
}

/// Error for text that is not a pointer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{given:?} is no pointer at column {column}: {problem}; write for example /error/code")]
pub struct PointerError {
    given: String,
    column: usize,
    problem: &'static str,
}

impl Pointer {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of the members along the path.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}

impl TryFrom<String> for Pointer {
    type Error = PointerError;

    fn try_from(text: String) -> Result<Self, PointerError> {
        let wrong = |column, problem| PointerError {
            given: text.clone(),
            column,
            problem,
        };
        let Some(path) = text.strip_prefix('/') else {
            return match text.chars().position(|c| matches!(c, '/' | '$' | '~')) {
                None if !text.is_empty() => Ok(Self {
                    names: vec![text.as_str().into()],
                    text,
                }),
                at => Err(wrong(
                    at.map_or(1, |at| at.saturating_add(1)),
                    "it is neither the name of a member nor begins with /",
                )),
            };
        };
        let mut chars = text.chars().enumerate();
        while let Some((at, c)) = chars.next() {
            if c == '~' && !matches!(chars.next(), Some((_, '0' | '1'))) {
                return Err(wrong(at.saturating_add(1), "~ is written ~0, and / in a name ~1"));
            }
        }
        let names = path
            .split('/')
            .map(|name| name.replace("~1", "/").replace("~0", "~").into())
            .collect();
        Ok(Self { text, names })
    }
}

written_as_text!(Pointer, "a pointer such as /error/code");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read() {
        for (text, names) in [
            ("/error/code", &["error", "code"][..]),
            ("id", &["id"]),
            ("/a~1b/c~0d", &["a/b", "c~d"]),
            ("/", &[""]),
        ] {
            let pointer = Pointer::try_from(text.to_owned()).unwrap_or_else(|error| panic!("{error}"));
            assert!(pointer.names().eq(names.iter().copied()), "{pointer:?}");
        }
        for (text, column) in [("", 1), ("a/b", 2), ("$.a", 1), ("/a~", 3), ("/a~2", 3)] {
            let error = Pointer::try_from(text.to_owned()).expect_err(text);
            assert_eq!(error.column, column, "{error}");
        }
    }
}
