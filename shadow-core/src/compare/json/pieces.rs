//! JSON documents among other text: after a guard against inclusion (`)]}'`), a PHP notice, or `callback(`, assigned to
//! a variable in a script, or one after the other.
//!
//! Bounds: documents in one text ([`MAX_PIECES`]), places at which parsing is tried and fails ([`MAX_TRIES`]), and the
//! bytes read there: in total no more than the length of the text.

use super::tape::{ParseError, Tape};

/// Documents in one text.
const MAX_PIECES: usize = 1 << 16;

/// Failed attempts to parse a document.
const MAX_TRIES: usize = 64;

/// A document, and the text before it.
#[derive(Debug)]
pub(in crate::compare) struct Piece<'t> {
    pub(in crate::compare) before: &'t str,
    /// The text of the document.
    pub(in crate::compare) text: &'t str,
    pub(in crate::compare) tape: Tape<'t>,
}

/// The documents of a text, and the text after the last one.
#[derive(Debug)]
pub(in crate::compare) struct Pieces<'t> {
    pub(in crate::compare) all: Vec<Piece<'t>>,
    pub(in crate::compare) behind: &'t str,
}

impl<'t> Pieces<'t> {
    /// `None` without a document in the text, or over a bound.
    pub(in crate::compare) fn of(text: &'t str) -> Option<Self> {
        let mut all: Vec<Piece<'t>> = Vec::new();
        // `start` is the beginning of text outside documents; the search for a document continues at `at`.
        let (mut start, mut at, mut tries) = (0usize, 0usize, 0usize);
        let mut lost = 0usize;
        while let Some(found) = text.get(at..).and_then(|rest| rest.find(['{', '['])) {
            let begin = at.saturating_add(found);
            match Tape::prefix(text.get(begin..)?) {
                Ok((tape, len)) => {
                    let end = begin.saturating_add(len);
                    all.push(Piece {
                        before: text.get(start..begin)?,
                        text: text.get(begin..end)?,
                        tape,
                    });
                    (start, at) = (end, end);
                }
                Err(ParseError::Invalid(read)) => {
                    lost = lost.saturating_add(read);
                    tries = tries.saturating_add(1);
                    at = begin.saturating_add(1);
                }
                Err(_) => return None,
            }
            if tries > MAX_TRIES || lost > text.len() || all.len() > MAX_PIECES {
                return None;
            }
        }
        let behind = text.get(start..)?;
        (!all.is_empty()).then_some(Self { all, behind })
    }

    /// The texts of the documents.
    pub(in crate::compare) fn documents(&self) -> Vec<&'t [u8]> {
        self.all.iter().map(|piece| piece.text.as_bytes()).collect()
    }

    /// Whether the text consists only of documents.
    pub(in crate::compare) fn is_only_documents(&self) -> bool {
        let blank = |text: &str| {
            text.chars()
                .all(|c| c.is_whitespace() || c == '\u{1e}' || c == ',')
        };
        blank(self.behind) && self.all.iter().all(|piece| blank(piece.before))
    }

    /// Whether the documents are most of the text.
    pub(in crate::compare) fn is_mostly_documents(&self) -> bool {
        let (documents, others) =
            self.all
                .iter()
                .fold((0usize, self.behind.len()), |(documents, others), piece| {
                    (
                        documents.saturating_add(piece.text.len()),
                        others.saturating_add(piece.before.len()),
                    )
                });
        documents >= others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Option<(Vec<(&str, &str)>, &str)> {
        let pieces = Pieces::of(text)?;
        let all = pieces
            .all
            .iter()
            .map(|piece| (piece.before, piece.text))
            .collect();
        Some((all, pieces.behind))
    }

    #[test]
    fn documents_are_found_among_other_text() {
        for (text, all, behind) in [
            (")]}'\n{\"a\":1}", &[(")]}'\n", "{\"a\":1}")][..], ""),
            ("while(1);[1]", &[("while(1);", "[1]")], ""),
            ("/**/cb({\"a\":[1]});", &[("/**/cb(", "{\"a\":[1]}")], ");"),
            (
                "{\"a\":1}\n{\"b\":NaN}",
                &[("", "{\"a\":1}"), ("\n", "{\"b\":NaN}")],
                "",
            ),
            (
                "<br />\n<b>Notice</b>: x[y in /a.php on line <b>3</b><br />\n{\"a\":1}",
                &[(
                    "<br />\n<b>Notice</b>: x[y in /a.php on line <b>3</b><br />\n",
                    "{\"a\":1}",
                )],
                "",
            ),
            (
                "window.A = {\"x\":1}; B = [2];",
                &[("window.A = ", "{\"x\":1}"), ("; B = ", "[2]")],
                ";",
            ),
        ] {
            assert_eq!(pieces(text), Some((all.to_vec(), behind)), "{text}");
        }
        assert_eq!(pieces("no document"), None);
        assert_eq!(pieces(&"{ no document ".repeat(1000)), None);
    }
}
