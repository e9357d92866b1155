//! Evidence in files: what an agent has counted, and one report on several of these.
//!
//! Bounds: the size of a file that is read as a whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, de::DeserializeOwned};
use shadow_core::evidence::{EVIDENCE, Evidence, report::Report};

use super::{AgentLocation, Exit, Failure, output};
use crate::{
    control::{
        client,
        proto::{Answer, Order},
    },
    shown::complain,
    state::StateDir,
    whole,
};

/// How long an agent may take to answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Writes the evidence of the running agent, or else what the last one kept.
pub(super) fn write(place: &AgentLocation, path: &Path) -> Result<(), Failure> {
    let unknown = |what: String| Failure::new(Exit::Unknown, what);
    let evidence = match client::ask(&place.socket, Order::Evidence, PATIENCE) {
        Ok(Answer::Evidence(evidence)) => *evidence,
        answer => {
            let why = match answer {
                Ok(_) => "the agent answered with no evidence".to_owned(),
                Err(error) => error.to_string(),
            };
            let kept: Option<Evidence> = StateDir::new(&place.state_dir)
                .evidence()
                .map_err(|error| unknown(format!("there is no evidence: {why}; and {error}")))?;
            let kept =
                kept.ok_or_else(|| unknown(format!("there is no evidence: {why}; and none is kept")))?;
            complain(&format!("{why}. This is the evidence that the last agent kept"));
            kept
        }
    };
    let text = serde_json::to_string(&evidence).map_err(|error| unknown(error.to_string()))?;
    output::write(path, &format!("{text}\n"))
}

/// The report on the evidence in all files.
pub(super) fn report(files: &[PathBuf]) -> Result<Report, Failure> {
    let files = files.iter().flat_map(|path| within(path));
    let all: Vec<Evidence> = files.map(|file| read(&file)).collect::<Result<_, _>>()?;
    Evidence::together(all)
        .report()
        .map_err(|error| Failure::new(Exit::Data, error.to_string()))
}

/// The files of evidence in a state folder: of the present run or the latest, and of those before it.
fn within(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found = StateDir::new(path).evidence_files();
    let latest = path.join("evidence.json");
    if latest.exists() || found.is_empty() {
        found.push(latest);
    }
    found
}

fn read(file: &Path) -> Result<Evidence, Failure> {
    let unreadable = |exit, why: String| Failure::new(exit, format!("{}: {why}", file.display()));
    let text = whole::read(file).map_err(|error| unreadable(Exit::NoInput, error.to_string()))?;
    versioned(&text, EVIDENCE).map_err(|why| {
        unreadable(
            Exit::Data,
            format!("this is no evidence that can be read (`shadow report --evidence` writes it): {why}"),
        )
    })
}

/// Reads JSON with the version of its format.
pub(super) fn versioned<T: DeserializeOwned>(text: &[u8], known: u32) -> Result<T, String> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let Versioned { format } = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if format != known {
        return Err(format!("it has format {format}, this version reads {known}"));
    }
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_format_is_named_although_its_members_differ() {
        let read = |text: &str| versioned::<Evidence>(text.as_bytes(), EVIDENCE);
        let written = serde_json::to_string(&Evidence::default()).expect("it can be written");
        assert_eq!(read(&written), Ok(Evidence::default()));
        assert_eq!(
            read(r#"{"format": 1, "twins": []}"#),
            Err(format!("it has format 1, this version reads {EVIDENCE}"))
        );
        assert!(read("{}").is_err_and(|why| why.contains("missing field `format`")));
    }
}
