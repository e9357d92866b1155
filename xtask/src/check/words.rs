//! Plain English: forbidden phrases and the width of a line, in sources and documents.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// Columns of a line of Rust or Markdown.
const WIDTH: usize = 120;

/// A phrase, and the words to use instead. Matched case-insensitively, at word boundaries.
const BANNED: &[(&str, &str)] = &[
    ("is dear", "is expensive"),
    ("are dear", "are expensive"),
    ("dear to", "expensive to"),
    ("dear part", "expensive part"),
    ("nobody knows", "it is not known"),
    ("that is none", "invalid"),
    ("is told", "is notified, is shown, is given"),
    ("was told", "was notified, was given"),
    ("the rooms", "the modules"),
    ("split the room", "split the file"),
    ("the way of the data", "the pipeline"),
    ("by hand", "manually"),
    ("past the agent", "bypassing the agent"),
    ("told apart", "distinguished, separated"),
    ("goes on", "continues"),
    ("stands for", "means, represents"),
    ("it all proves", "the verdict"),
];

/// Documents whose lines are tables or quotations of output.
const MAY_BE_WIDE: &[&str] = &["LICENSE", "docs/simulator.md", "CHANGELOG.md"];

/// Fails with a list of every place.
pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    for path in shell::tracked(&["*.rs", "*.md"])? {
        let name = path.display().to_string();
        if name.starts_with("xtask/src/check/words.rs") {
            continue;
        }
        let text =
            fs::read_to_string(shell::root().join(&path)).with_context(|| format!("cannot read {name}"))?;
        file(&name, &text, &mut faults);
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{} places:\n{}", faults.len(), faults.join("\n"))
}

fn file(name: &str, text: &str, faults: &mut Vec<String>) {
    let wide_is_fine = MAY_BE_WIDE.iter().any(|wide| name.contains(wide));
    let is_source = Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "rs");
    let mut in_code = false;
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if !is_source && line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let is_table = !is_source && line.starts_with('|');
        // rustfmt wraps code; it leaves comments and text alone, and text cannot be wrapped without a change of what it says.
        let is_rust_code = is_source && !line.trim_start().starts_with("//");
        if !(wide_is_fine || in_code || is_table || is_rust_code) && line.chars().count() > WIDTH {
            faults.push(format!("{name}:{at}: more than {WIDTH} columns"));
        }
        let prose = if is_source { comment(line) } else { Some(line) };
        let Some(prose) = prose.filter(|_| !in_code) else {
            continue;
        };
        if is_source && line.trim_start().starts_with("//") && prose.starts_with("What ") {
            faults.push(format!(
                "{name}:{at}: a comment that begins with \"What\"; name the thing first"
            ));
        }
        let lower = prose.to_lowercase();
        for (phrase, instead) in BANNED.iter().filter(|(phrase, _)| has(&lower, phrase)) {
            faults.push(format!("{name}:{at}: \"{phrase}\"; write \"{instead}\""));
        }
    }
}

/// The text of a comment in a line of Rust.
fn comment(line: &str) -> Option<&str> {
    let (_, text) = line.split_once("//")?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

fn has(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + phrase.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::file;

    fn faults(name: &str, text: &str) -> usize {
        let mut faults = Vec::new();
        file(name, text, &mut faults);
        faults.len()
    }

    #[test]
    fn phrases_are_found_in_prose_only() {
        assert_eq!(faults("a.rs", "/// A copy is dear.\n"), 1);
        assert_eq!(faults("a.rs", "/// What is kept.\n"), 1);
        assert_eq!(faults("a.rs", "let x = \"is dear\";\n"), 0);
        assert_eq!(faults("a.md", "It is dearly kept.\n"), 0);
        assert_eq!(faults("a.md", "```\nis dear\n```\nIt IS DEAR.\n"), 1);
    }

    #[test]
    fn a_line_of_prose_has_a_width() {
        assert_eq!(faults("a.rs", &format!("// {}", "x".repeat(118))), 1);
        assert_eq!(faults("a.rs", &"x".repeat(121)), 0);
        assert_eq!(faults("a.md", &format!("| {}", "x".repeat(130))), 0);
    }
}
