//! Checks that every test named in `docs/threat-model.md` exists.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, bail};

use crate::shell;

const PAGE: &str = "docs/threat-model.md";

/// Looks for every test that the page names.
pub(crate) fn run() -> Result<()> {
    let page = fs::read_to_string(shell::root().join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let mut wanted = tests(&page);
    if wanted.is_empty() {
        bail!("{PAGE} names no test");
    }
    for path in shell::tracked(&["*.rs"])? {
        let text = fs::read_to_string(shell::root().join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        wanted.retain(|test| !text.contains(&format!("fn {test}(")));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = wanted.into_iter().collect();
    bail!("{PAGE} names tests that do not exist: {}", missing.join(", "))
}

/// The names between backquotes in the last column of the tables.
fn tests(page: &str) -> BTreeSet<&str> {
    page.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|')?.rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| {
            name.contains('_')
                && name
                    .chars()
                    .all(|char| char.is_ascii_lowercase() || char == '_' || char.is_ascii_digit())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::tests;

    #[test]
    fn tests_stand_in_the_last_column() {
        let page = "`no`\n| statement | held by |\n|---|---|\n| a `file` | `test_one`, `test_two`, `>` |\n";
        assert_eq!(
            tests(page).into_iter().collect::<Vec<_>>(),
            ["test_one", "test_two"]
        );
    }
}
