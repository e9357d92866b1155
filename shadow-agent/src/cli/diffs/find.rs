//! Finds groups and cases by name.

use serde::Serialize;
use shadow_core::{
    case::Case,
    evidence::report::{CAUSE, Cause, Group, Report},
};

use crate::cli::{
    Exit, Failure,
    source::{self, Origin, unreadable},
};

/// Cases listed for a group.
const CASES: u32 = 10;

/// The group or case that an id refers to.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    /// The cause, if the id is that of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<Cause>,
    pub(super) group: Option<Group>,
    /// The case with that name, or the newest case of the group.
    pub(super) case: Option<Case>,
    /// Names of the group's cases, newest first.
    pub(super) cases: Vec<String>,
}

/// Finds a cause, a group or a case. A cause and a group may be named by a prefix of their id.
pub(super) fn by_id(id: &str, origin: &Origin) -> Result<Found, Failure> {
    let report = source::report(origin);
    let named = match &report {
        Ok(report) => cause(report, id)?,
        Err(_) => None,
    };
    // A cause is shown by the group that gives it its name.
    let id = named
        .as_ref()
        .and_then(|cause| cause.groups.first())
        .map_or(id, String::as_str);
    let group = match &report {
        Ok(report) => group(report, id)?,
        Err(_) => None,
    };
    let journal = source::journal(origin);
    if let Some(group) = group {
        let (mut case, mut cases) = (None, Vec::new());
        // A group is useful even without its cases.
        if let Ok(journal) = &journal {
            let failed = |error: rusqlite::Error| unreadable(journal, &error);
            case = journal.cases_of(&group.id, 1).map_err(failed)?.pop();
            let listed = journal.list(&group.id, CASES).map_err(failed)?;
            cases = listed.into_iter().map(|summary| summary.id).collect();
        }
        return Ok(Found {
            cause: named,
            group: Some(group),
            case,
            cases,
        });
    }
    let journal = journal?;
    let failed = |error: rusqlite::Error| unreadable(&journal, &error);
    let case = match journal.case(id).map_err(failed)? {
        Some(case) => Some(case),
        // The report of that run no longer exists.
        None => journal.cases_of(id, 1).map_err(failed)?.pop(),
    };
    match case {
        Some(case) => Ok(Found {
            cause: None,
            group: None,
            cases: vec![case.id.clone()],
            case: Some(case),
        }),
        None => Err(Failure::new(
            Exit::Unavailable,
            format!(
                "there is no group or case {id:?} in the report or in {}; `shadow diffs` lists them",
                journal.path().display()
            ),
        )),
    }
}

/// The groups that an id refers to: those of a cause, or one.
pub(super) fn groups<'r>(report: &'r Report, id: &str) -> Result<Vec<&'r Group>, Failure> {
    let ids = match cause(report, id)? {
        Some(cause) => cause.groups,
        None => group(report, id)?.into_iter().map(|group| group.id).collect(),
    };
    let all = std::iter::once(report).chain(&report.also);
    let found: Vec<&Group> = all
        .flat_map(|report| &report.groups)
        .filter(|group| ids.contains(&group.id))
        .collect();
    if found.is_empty() {
        return Err(Failure::new(
            Exit::Unavailable,
            format!("there is no cause or group {id:?} in the report; `shadow report` lists them"),
        ));
    }
    Ok(found)
}

/// The cause that an id refers to; `None` if it is the id of something else.
pub(super) fn cause(report: &Report, id: &str) -> Result<Option<Cause>, Failure> {
    if !id.starts_with(CAUSE) {
        return Ok(None);
    }
    let all = std::iter::once(report).chain(&report.also);
    let found = all
        .flat_map(|report| &report.causes)
        .find(|cause| cause.id.starts_with(id));
    found.cloned().map(Some).ok_or_else(|| {
        Failure::new(
            Exit::Unavailable,
            format!("there is no cause {id:?} in the report; `shadow report` lists them"),
        )
    })
}

fn group(report: &Report, id: &str) -> Result<Option<Group>, Failure> {
    let all = std::iter::once(report).chain(&report.also);
    let mut found = all
        .flat_map(|report| &report.groups)
        .filter(|group| group.id.starts_with(id));
    let Some(first) = found.next() else {
        return Ok(None);
    };
    if found.any(|other| other.id != first.id) {
        return Err(Failure::new(
            Exit::Usage,
            format!("several groups begin with {id:?}; give more of the id"),
        ));
    }
    Ok(Some(first.clone()))
}
