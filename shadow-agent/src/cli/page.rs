//! `shadow report --html`: the report and the journal's history of the same time, on one page.

use std::{collections::BTreeMap, path::Path};

use shadow_core::evidence::report::Report;

use super::{Failure, output, source};
use crate::{
    journal::Reader,
    report::html::{self, History},
    shown::complain,
};

/// Groups for which a case is looked up; the page shows fewer.
const GROUPS: usize = 4 * html::CASES;

/// Events that are looked up.
const EVENTS: u32 = 200;

/// Writes the page of a run without a journal, and says why there is none.
pub(super) fn alone(report: &Report, why: &str, path: &Path) -> Result<(), Failure> {
    let history = History {
        missing: Some(why.to_owned()),
        ..History::default()
    };
    output::write(path, &html::page(report, &history))
}

/// Writes the page, whole or not at all.
pub(super) fn write(report: &Report, journal: Result<Reader, Failure>, path: &Path) -> Result<(), Failure> {
    let history = match journal {
        Ok(journal) => history(report, &journal).map_err(|error| source::unreadable(&journal, &error))?,
        Err(failure) => {
            complain(&format!("the page has no history and no cases: {failure}"));
            History {
                missing: Some("There is no journal, so there is no history.".to_owned()),
                ..History::default()
            }
        }
    };
    output::write(path, &html::page(report, &history))
}

fn history(report: &Report, journal: &Reader) -> rusqlite::Result<History> {
    // A window may begin slightly before the report does.
    let since = report.started_ms.saturating_sub(1000);
    let windows = journal.windows(&report.target, since)?;
    let mut cases = BTreeMap::new();
    let targets = std::iter::once(report).chain(&report.also);
    for group in targets.flat_map(|report| report.groups.iter().take(GROUPS)) {
        if let Some(case) = journal.cases_of(&group.id, 1)?.pop() {
            cases.insert(group.id.clone(), case);
        }
    }
    Ok(History {
        windows: windows
            .into_iter()
            .filter(|window| window.route.is_empty())
            .collect(),
        events: journal.events(since, EVENTS)?,
        cases,
        missing: None,
    })
}
