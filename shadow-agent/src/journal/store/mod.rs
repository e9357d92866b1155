//! The file: one SQLite database in WAL mode, with one writer and any number of readers.
//!
//! Owns: the content of the file and its reading and writing. Bounds: bytes and age ([`Retention`]), then a hard limit
//! on pages. Drops: the oldest cases first, then the oldest windows, as the data that is needed least. Cases of
//! requests that were only recorded have a quarter of the space, and those of differences the rest.

mod read;
mod retain;
mod schema;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, Transaction, params};

use super::{Entry, Gated, Window};

pub use read::{Reader, Summary};
pub use schema::OpenError;

/// The limits of the file's size and age.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// Older entries are removed.
    pub age: Duration,
    /// Bytes of the file. Its write-ahead log takes up to some 8 MiB more.
    pub size: u64,
}

/// The file as the writer uses it.
#[derive(Debug)]
pub(super) struct Store {
    database: Connection,
    path: PathBuf,
    retention: Retention,
}

impl Store {
    /// Creates the file, or opens and updates an existing one.
    pub(super) fn open(path: &Path, retention: Retention) -> Result<Self, OpenError> {
        schema::create(path)?;
        let database = schema::open(path, schema::MIGRATIONS)?;
        let store = Self {
            database,
            path: path.to_owned(),
            retention,
        };
        store.limit().map_err(|source| OpenError::Database {
            path: path.to_owned(),
            source,
        })?;
        Ok(store)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all entries or none. A file at its limit loses its oldest cases first.
    pub(super) fn write(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        match self.attempt(entries) {
            Err(error) if is_full(&error) && self.is_at_limit() => {
                self.make_room()?;
                self.attempt(entries)
            }
            other => other,
        }
    }

    fn attempt(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let transaction = self.database.transaction()?;
        for entry in entries {
            insert(&transaction, entry)?;
        }
        transaction.commit()
    }

    /// Moves the write-ahead log into the file, so that a copy of the file alone is complete.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        let Self { database, .. } = self;
        database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_row| Ok(()))?;
        database.close().map_err(|(_, error)| error)
    }
}

fn insert(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    match entry {
        Entry::Case(case) => {
            let (at_ms, body) = (int(case.at_ms), text(case)?);
            let known = transaction
                .prepare_cached("INSERT OR IGNORE INTO cases VALUES (?, ?, ?, ?, ?, ?, ?)")?
                .execute(params![
                    case.id,
                    at_ms,
                    case.target,
                    case.route,
                    body,
                    case.is_recorded(),
                    int(body.len() as u64)
                ])?;
            if known == 0 {
                return Ok(());
            }
            let mut insert =
                transaction.prepare_cached("INSERT OR IGNORE INTO case_groups VALUES (?, ?, ?)")?;
            for group in &case.groups {
                insert.execute(params![group, at_ms, case.id])?;
            }
        }
        Entry::Windows(windows) => insert_windows(transaction, windows)?,
        Entry::Event(event) => {
            transaction
                .prepare_cached("INSERT INTO events VALUES (?, ?, ?, ?, ?)")?
                .execute(params![
                    int(event.at_ms),
                    event.kind,
                    event.who,
                    event.why,
                    text(&event.evidence)?
                ])?;
        }
        Entry::Report(report) => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO reports VALUES (?, ?, ?)")?
                .execute(params![
                    int(report.started_ms),
                    int(report.ended_ms),
                    text(report)?
                ])?;
        }
    }
    Ok(())
}

fn insert_windows(transaction: &Transaction<'_>, windows: &[Window]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for window in windows {
        let Window {
            at_ms,
            span_ms,
            target,
            route,
            matched,
            mismatched,
            noise,
            explained,
            skipped,
            errors,
            production,
            shadow,
            gated,
        } = window;
        let asked = |count: fn(&Gated) -> u64| gated.as_ref().map(|gated| int(count(gated)));
        insert.execute(params![
            int(*at_ms),
            int(*span_ms),
            target,
            route,
            int(*matched),
            int(*mismatched),
            int(*noise),
            int(*explained),
            int(*skipped),
            int(*errors),
            text(production)?,
            text(shadow)?,
            gated.map(|gated| gated.sample),
            asked(|gated| gated.missed),
            asked(|gated| gated.failed),
            asked(|gated| gated.production_5xx),
            asked(|gated| gated.shadow_5xx),
            asked(|gated| gated.undecided).unwrap_or_default()
        ])?;
    }
    Ok(())
}

/// SQLite integers end at 2^63 - 1.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn text(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Whether the disk or the file's limit is full.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}
