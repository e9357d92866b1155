//! Removal of entries that are too old or too many.

use rusqlite::params;

use super::{Store, int};
use crate::{clock::now_ms, journal::writer::BATCH_BYTES};

/// Retention starts to remove at this share (in percent) of the limit, so that the hard limit is not reached.
const FILLED: u64 = 90;

/// The share that is left after the hard limit was reached nevertheless.
const ROOMY: u64 = 75;

/// Cases removed at once: many short locks let readers in between.
const STEP: u32 = 64;

/// Differences have this many times the space of cases that were only recorded.
const DIFFERENCES: u64 = 3;

/// Reports of previous runs that are kept, and events.
const REPORTS: u32 = 20;
const EVENTS: u32 = 10_000;

impl Store {
    /// Sets the hard limit on the file's size.
    pub(super) fn limit(&self) -> rusqlite::Result<()> {
        let pages = self.retention.size / self.number("page_size")?.max(1);
        self.database
            .pragma_update_and_check(None, "max_page_count", int(pages), |_row| Ok(()))
    }

    /// Removes entries that are too old, then the oldest ones above the size. Returns the space to the file system.
    pub(in crate::journal) fn retain(&mut self) -> rusqlite::Result<()> {
        let age = u64::try_from(self.retention.age.as_millis()).unwrap_or(u64::MAX);
        let oldest = int(now_ms().saturating_sub(age));
        let transaction = self.database.transaction()?;
        for table in ["cases", "windows", "events", "reports"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE at_ms < ?"), params![oldest])?;
        }
        transaction.execute(
            "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events ORDER BY at_ms DESC LIMIT -1 OFFSET ?)",
            params![EVENTS],
        )?;
        transaction.execute(
            "DELETE FROM reports WHERE started_ms IN
                (SELECT started_ms FROM reports ORDER BY started_ms DESC LIMIT -1 OFFSET ?)",
            params![REPORTS],
        )?;
        transaction.commit()?;
        self.shrink_to(self.retention.size / 100 * FILLED)
    }

    /// Frees space at once after the hard limit was reached.
    pub(super) fn make_room(&mut self) -> rusqlite::Result<()> {
        self.shrink_to(self.retention.size / 100 * ROOMY)
    }

    /// Bytes in use.
    pub(in crate::journal) fn used(&self) -> rusqlite::Result<u64> {
        let pages = self
            .number("page_count")?
            .saturating_sub(self.number("freelist_count")?);
        Ok(pages.saturating_mul(self.number("page_size")?))
    }

    /// Whether the file, and not the disk, may have been too full for one more transaction.
    pub(super) fn is_at_limit(&self) -> bool {
        let more = 2 * BATCH_BYTES as u64;
        self.used()
            .is_ok_and(|used| used.saturating_add(more) >= self.retention.size)
    }

    fn shrink_to(&mut self, bytes: u64) -> rusqlite::Result<()> {
        while self.used()? > bytes {
            if self.forget_cases()? == 0 && self.forget("windows")? == 0 && self.forget("reports")? == 0 {
                break;
            }
        }
        // This statement returns a row for each page that it frees.
        let mut vacuum = self.database.prepare("PRAGMA incremental_vacuum")?;
        let mut rows = vacuum.query(())?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Removes the oldest cases of the kinds above their part, so that no kind displaces cases of another.
    fn forget_cases(&mut self) -> rusqlite::Result<usize> {
        let recorded = self.held(true)?.saturating_mul(DIFFERENCES) > self.held(false)?;
        match self.forget_kind(recorded)? {
            0 => self.forget_kind(!recorded),
            gone => Ok(gone),
        }
    }

    fn held(&self, recorded: bool) -> rusqlite::Result<u64> {
        let sum = "SELECT coalesce(sum(bytes), 0) FROM cases WHERE recorded = ?";
        let bytes: i64 = self
            .database
            .prepare_cached(sum)?
            .query_row([recorded], |row| row.get(0))?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    fn forget_kind(&self, recorded: bool) -> rusqlite::Result<usize> {
        self.database.execute(
            "DELETE FROM cases WHERE rowid IN
                (SELECT rowid FROM cases WHERE recorded = ? ORDER BY at_ms LIMIT ?)",
            params![recorded, STEP],
        )
    }

    fn forget(&mut self, table: &str) -> rusqlite::Result<usize> {
        self.database.execute(
            &format!("DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY at_ms LIMIT ?)"),
            params![STEP],
        )
    }

    fn number(&self, pragma: &str) -> rusqlite::Result<u64> {
        self.database
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map(|number| u64::try_from(number).unwrap_or(0))
    }
}
