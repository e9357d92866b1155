//! All faults of a file at once.
//!
//! Reading stops at the first fault. So the lines of the setting with the fault are left out, and the rest is read
//! again, until nothing is wrong any more. Bounds: the number of faults ([`FAULTS`]).

use std::path::Path;

use super::{Config, load::LoadError};

/// Faults of values that are found.
const FAULTS: usize = 64;

/// Every fault of a file's text, in lines for people, and the configuration if there is none.
pub fn of(path: &Path, text: &str) -> Result<Config, Vec<String>> {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut sections: Vec<String> = Vec::new();
    let config = loop {
        let rest = if found.is_empty() {
            text.to_owned()
        } else {
            lines.join("\n")
        };
        let error = match Config::parse(path, &rest) {
            Ok(config) => break Some(config),
            Err(error) => error,
        };
        let LoadError::Wrong { line, .. } = error else {
            return Err(vec![error.to_string()]);
        };
        let at = line.saturating_sub(1);
        // A second fault where everything was left out is one of the leaving out.
        let is_new = lines.get(at).is_some_and(|line| is_content(line));
        if found.is_empty() || is_new {
            found.push((line, error.to_string()));
        }
        if !is_new || found.len() >= FAULTS {
            break None;
        }
        sections.extend(section(&lines, at));
        leave_out(&mut lines, at);
    };
    let problems = config.iter().flat_map(Config::problems).filter(|problem| {
        let section = problem.at.split(['.', '[', ' ']).next().unwrap_or_default();
        !sections.iter().any(|known| known == section)
    });
    let problems: Vec<String> = problems.map(|problem| problem.to_string()).collect();
    found.sort();
    let mut all: Vec<String> = found.into_iter().map(|(_, text)| text).collect();
    all.extend(problems);
    match config {
        Some(config) if all.is_empty() => Ok(config),
        _ => Err(all),
    }
}

fn is_content(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

fn indent(line: &str) -> usize {
    line.len().saturating_sub(line.trim_start().len())
}

/// Columns of a line before its key: a dash of a list is no part of the key.
fn depth(line: &str) -> usize {
    let after = line.trim_start_matches([' ', '-']);
    line.len().saturating_sub(after.len())
}

/// The section that a line is in.
fn section(lines: &[&str], at: usize) -> Option<String> {
    let is_top = |line: &&&str| is_content(line) && indent(line) == 0;
    let top = lines.get(..=at)?.iter().rev().find(is_top)?;
    Some(top.split(':').next()?.to_owned())
}

/// Leaves out a setting: its line and those that are deeper, and what has nothing in it then.
fn leave_out(lines: &mut [&str], mut at: usize) {
    while let Some(line) = lines.get(at).copied() {
        let (own, is_item) = (indent(line), is_item(line));
        for (number, line) in lines.iter_mut().enumerate().skip(at) {
            let deeper = indent(line) > own || !is_item && indent(line) == own && self::is_item(line);
            if number > at && is_content(line) && !deeper {
                break;
            }
            *line = "";
        }
        // The setting that it was in: the next line before it that is less deep.
        let before = lines.get(..at).unwrap_or_default();
        let is_parent = |line: &&str| {
            is_content(line) && (depth(line) < own || is_item && depth(line) == own && !self::is_item(line))
        };
        let Some(parent) = before.iter().rposition(is_parent) else {
            return;
        };
        let head = lines.get(parent).copied().unwrap_or_default();
        let mut behind = lines.iter().skip(parent.saturating_add(1));
        let has_more = behind.find(|line| is_content(line)).is_some_and(|next| {
            indent(next) > depth(head) || indent(next) == depth(head) && self::is_item(next)
        });
        let is_open = head
            .split(" #")
            .next()
            .unwrap_or_default()
            .trim_end()
            .ends_with(':');
        if !is_open || has_more {
            return;
        }
        at = parent;
    }
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let shown = |fault: String| fault.replace("f.yaml:", "");
        of(Path::new("f.yaml"), text)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(shown)
            .collect()
    }

    #[test]
    fn a_file_without_faults_has_none() {
        assert_eq!(faults(super::super::example::EXAMPLE), [""; 0]);
    }

    #[test]
    fn all_faults_are_told_in_the_order_of_the_file() {
        let text = "\
capture:
  interfaces: [eth0]
  targets:
    - nonsense
  ring_size: 3
shadow:
  url: ftp://x
  timeut: 5s
  timeout: 5 parsecs
compare:
  # a comment
  header: [etag]
  routes:
    - route: GET /a
      status: nearly
    - route: nowhere
      ignore: ['$.a']
    - route: GET /b
      ignore: ['$.b']
gates:
  match_rate: 2
  coverage: 95%
nothing: 1
";
        let found = faults(text);
        let lines: Vec<&str> = found.iter().filter_map(|fault| fault.split(':').next()).collect();
        assert_eq!(
            lines,
            ["4", "7", "8", "9", "12", "15", "16", "21", "23"],
            "{found:#?}"
        );
    }

    #[test]
    fn values_and_their_relations_are_told_together() {
        let text = "\
capture:
  interfaces: [eth0]
  targets: [8080]
  ring_size: 3MiB
shadow:
  url: http://10.0.0.9:80
  queue: many
evidence:
  routes: 0
  groups: 0
";
        let found = faults(text);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(found[0].starts_with("7:"), "{found:#?}");
        let places = ["capture.ring_size", "evidence.routes", "evidence.groups"];
        for (fault, place) in found[1..].iter().zip(places) {
            assert!(fault.starts_with(place), "{found:#?}");
        }
    }

    #[test]
    fn what_is_no_yaml_has_few_faults() {
        for text in ["capture: [", "a: b: c", "\t- x", "- 1\n- 2\n", "- 1\n  - 2: {\n"] {
            let found = faults(text);
            assert!(!found.is_empty() && found.len() <= FAULTS, "{text:?} {found:?}");
        }
        let endless = "x: 1\n".repeat(10_000);
        assert!(!faults(&endless).is_empty());
        let deep: Vec<String> = (0..2_000).map(|at| format!("{}a:", " ".repeat(at))).collect();
        let deep = deep.join("\n");
        assert!(!faults(&deep).is_empty());
    }
}
