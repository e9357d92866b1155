//! Reading the file, also while an agent writes it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};
use serde::de::DeserializeOwned;
use shadow_core::{case::Case, evidence::report::Report};

use super::{OpenError, int, schema};
use crate::journal::{Event, Gated, Window};

/// The file as a reader uses it.
#[derive(Debug)]
pub struct Reader {
    database: Connection,
    path: PathBuf,
}

/// One case in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    /// Its name.
    pub id: String,
    /// When it was judged.
    pub at_ms: u64,
}

impl Reader {
    /// Opens an existing journal without changing it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let database = schema::look(path)?;
        schema::readable(&database, path)?;
        Ok(Self {
            database,
            path: path.to_owned(),
        })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The case of this name.
    pub fn case(&self, id: &str) -> rusqlite::Result<Option<Case>> {
        self.database
            .query_row("SELECT body FROM cases WHERE id = ?", params![id], |row| {
                json(row, 0)
            })
            .optional()
    }

    /// The newest cases of a group.
    pub fn cases_of(&self, group: &str, limit: u32) -> rusqlite::Result<Vec<Case>> {
        let mut statement = self.database.prepare_cached(
            "SELECT body FROM case_groups JOIN cases ON cases.id = case_id
             WHERE group_id = ? ORDER BY case_groups.at_ms DESC LIMIT ?",
        )?;
        let rows = statement.query_map(params![group, limit], |row| json(row, 0))?;
        rows.collect()
    }

    /// Names of the newest cases of a group.
    pub fn list(&self, group: &str, limit: u32) -> rusqlite::Result<Vec<Summary>> {
        let mut statement = self.database.prepare_cached(
            "SELECT case_id, at_ms FROM case_groups WHERE group_id = ? ORDER BY at_ms DESC LIMIT ?",
        )?;
        let rows = statement.query_map(params![group, limit], |row| {
            Ok(Summary {
                id: row.get(0)?,
                at_ms: number(row, 1)?,
            })
        })?;
        rows.collect()
    }

    /// The numbers of cases, windows and events.
    pub fn counts(&self) -> rusqlite::Result<[u64; 3]> {
        self.database.query_row(
            "SELECT (SELECT count(*) FROM cases), (SELECT count(*) FROM windows), (SELECT count(*) FROM events)",
            (),
            |row| Ok([number(row, 0)?, number(row, 1)?, number(row, 2)?]),
        )
    }

    /// Windows of one target that began at or after `since_ms`, oldest first: those of its routes, and those of all
    /// routes together, which have no name.
    pub fn windows(&self, target: &str, since_ms: u64) -> rusqlite::Result<Vec<Window>> {
        self.rows("windows WHERE at_ms >= ? AND target = ?", target, since_ms)
    }

    /// The names of the targets that have windows.
    pub fn targets(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self
            .database
            .prepare_cached("SELECT DISTINCT target FROM windows ORDER BY target")?;
        let rows = statement.query_map((), |row| row.get(0))?;
        rows.collect()
    }

    fn rows(&self, from: &str, target: &str, since_ms: u64) -> rusqlite::Result<Vec<Window>> {
        let mut statement = self.database.prepare_cached(&format!(
            "SELECT at_ms, span_ms, target, route, matched, mismatched, noise, explained, skipped, errors,
                production, shadow, sample, missed, failed, production_5xx, shadow_5xx, undecided
             FROM {from} ORDER BY at_ms"
        ))?;
        let rows = statement.query_map(params![int(since_ms), target], window)?;
        rows.collect()
    }

    /// Events at or after `since_ms`, oldest first, the newest `limit` of them.
    pub fn events(&self, since_ms: u64, limit: u32) -> rusqlite::Result<Vec<Event>> {
        let mut statement = self.database.prepare_cached(
            "SELECT at_ms, kind, who, why, evidence FROM events WHERE at_ms >= ? ORDER BY at_ms DESC LIMIT ?",
        )?;
        let rows = statement.query_map(params![int(since_ms), limit], |row| {
            Ok(Event {
                at_ms: number(row, 0)?,
                kind: row.get(1)?,
                who: row.get(2)?,
                why: row.get(3)?,
                evidence: json(row, 4)?,
            })
        })?;
        let mut events: Vec<Event> = rows.collect::<rusqlite::Result<_>>()?;
        events.reverse();
        Ok(events)
    }

    /// The report of the last run.
    pub fn report(&self) -> rusqlite::Result<Option<Report>> {
        self.database
            .query_row(
                "SELECT body FROM reports ORDER BY started_ms DESC LIMIT 1",
                (),
                |row| json(row, 0),
            )
            .optional()
    }
}

fn window(row: &Row<'_>) -> rusqlite::Result<Window> {
    let gated = match row.get::<_, Option<f64>>(12)? {
        None => None,
        Some(sample) => Some(Gated {
            sample,
            undecided: number(row, 17)?,
            missed: number(row, 13)?,
            failed: number(row, 14)?,
            production_5xx: number(row, 15)?,
            shadow_5xx: number(row, 16)?,
        }),
    };
    Ok(Window {
        at_ms: number(row, 0)?,
        span_ms: number(row, 1)?,
        target: row.get(2)?,
        route: row.get(3)?,
        matched: number(row, 4)?,
        mismatched: number(row, 5)?,
        noise: number(row, 6)?,
        explained: number(row, 7)?,
        skipped: number(row, 8)?,
        errors: number(row, 9)?,
        production: json(row, 10)?,
        shadow: json(row, 11)?,
        gated,
    })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
