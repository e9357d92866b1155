//! Reads the file. Errors give the fault, its line, and the key that was probably meant.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{Config, alias_limit::bomb};

/// A larger file is not a configuration.
const MAX_FILE: u64 = 1 << 20;

/// A larger file is not a set of descriptors.
const MAX_DESCRIPTORS: u64 = 64 << 20;

/// Characters of the reader's message that are shown.
const MAX_MESSAGE: usize = 4096;

/// Names further than this from any known key get no suggestion.
const MAX_DISTANCE: usize = 3;

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}; check the path given with --config and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is too large.
    #[error("{} is larger than 1 MiB, which no configuration is; check the path given with --config", .0.display())]
    TooLarge(PathBuf),
    /// The file of descriptors that it names cannot be used.
    #[error("compare.proto_descriptors (--proto-descriptors): {path} {what}")]
    Descriptors {
        /// The file.
        path: String,
        /// The fault and how to fix it.
        what: String,
    },
    /// The file is not a valid configuration.
    #[error("{}:{line}:{column}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The fault and how to fix it.
        what: String,
    },
}

/// The text of a file.
pub fn read(path: &Path) -> Result<String, LoadError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
        .map_err(|source| LoadError::Read {
            path: path.to_owned(),
            source,
        })?;
    if text.len() as u64 > MAX_FILE {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    Ok(text)
}

impl Config {
    /// Reads a file. Checks single values; [`super::check`] checks them together.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Self::parse(path, &read(path)?)
    }

    /// Reads the file of descriptors, if one is named. Not to be called by an agent that gave up its files.
    pub fn read_descriptors(&mut self) -> Result<(), LoadError> {
        let Some(descriptors) = &mut self.compare.proto_descriptors else {
            return Ok(());
        };
        let path = descriptors.path().to_owned();
        let mut content = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(MAX_DESCRIPTORS + 1).read_to_end(&mut content));
        let what = match read {
            Err(error) => format!("cannot be read: {error}"),
            Ok(_) if content.len() as u64 > MAX_DESCRIPTORS => "is larger than 64 MiB".to_owned(),
            Ok(_) => match descriptors.read(&content) {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
        };
        Err(LoadError::Descriptors { path, what })
    }

    /// As [`Config::load`], from text; `path` is used only in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, LoadError> {
        if let Some(what) = bomb(text) {
            return Err(LoadError::Wrong {
                path: path.to_owned(),
                line: 1,
                column: 1,
                what,
            });
        }
        serde_yaml_ng::from_str(text).map_err(|error| {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            let message = error.to_string();
            // A name in it may be as long as the file.
            let message: String = message.chars().take(MAX_MESSAGE).collect();
            let bare = message.replace(&format!(" at line {line} column {column}"), "");
            LoadError::Wrong {
                path: path.to_owned(),
                line,
                column,
                what: explain(&bare),
            }
        })
    }
}

/// Keys with another name than in earlier versions: section, old name, new name.
const RENAMED: [(&str, &str, &str); 1] = [("noise", "twins", "recurring")];

/// Rewrites serde's message for an unknown key to name the nearest known one; other messages are kept.
///
/// The list of known keys is only in that message (serde passes it to `Error::unknown_field` as text), so it is read
/// from there; a test checks the format.
fn explain(message: &str) -> String {
    let Some((section, rest)) = message.split_once("unknown field `") else {
        return message.to_owned();
    };
    let section = section.trim_end_matches(": ");
    let mut quoted = rest.split('`').step_by(2);
    let unknown = quoted.next().unwrap_or_default();
    // The known names follow the unknown one in quotes: `, expected one of `, a, `, `, b ...
    let known: Vec<&str> = rest
        .split('`')
        .skip(2)
        .step_by(2)
        .filter(|name| !name.is_empty())
        .collect();
    let place = match section {
        "" => "at the top level".to_owned(),
        section => format!("in `{section}`"),
    };
    if let Some((.., new)) = RENAMED
        .iter()
        .find(|(of, old, _)| (*of, *old) == (section, unknown))
    {
        return format!("unknown key `{unknown}` {place}: it is called `{new}` now");
    }
    // A valid key in the wrong section is the most common mistake in a file with sections.
    if let Some(home) = section_of(unknown) {
        return format!("unknown key `{unknown}` {place}; it belongs in `{home}`");
    }
    let nearest = known
        .iter()
        .filter(|name| unknown.len() <= name.len() + MAX_DISTANCE)
        .map(|name| (strsim::damerau_levenshtein(unknown, name), *name))
        .min()
        .filter(|(distance, _)| *distance <= MAX_DISTANCE);
    match nearest {
        Some((_, nearest)) => format!("unknown key `{unknown}` {place}; did you mean `{nearest}`?"),
        None => format!("unknown key `{unknown}` {place}; known are {}", known.join(", ")),
    }
}

/// The section that has a key of this name, taken from the defaults so that it cannot become stale.
fn section_of(key: &str) -> Option<String> {
    let serde_json::Value::Object(sections) = serde_json::to_value(Config::default()).ok()? else {
        return None;
    };
    sections
        .into_iter()
        .find(|(_, keys)| keys.get(key).is_some())
        .map(|(section, _)| section)
}
