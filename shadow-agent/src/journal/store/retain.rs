//! Removing what is too old or too much.

use rusqlite::params;

use super::{Store, int};
use crate::{clock::now_ms, journal::writer::BATCH_BYTES};

/// Retention begins to remove when this share (in percent) of the limit is used, so that the hard cap is not met.
const FILLED: u64 = 90;

/// And the share that is left when the cap was met all the same.
const ROOMY: u64 = 75;

/// Cases removed at once: a lock held shortly, again and again, lets readers in between.
const STEP: u32 = 64;

/// Differences have so many times the room of what was only recorded.
const DIFFERENCES: u64 = 3;

/// Reports of former runs that are kept, and events.
const REPORTS: u32 = 20;
const EVENTS: u32 = 10_000;

impl Store {
    /// The hard cap behind retention.
    pub(super) fn limit(&self) -> rusqlite::Result<()> {
        let pages = self.retention.size / self.number("page_size")?.max(1);
        self.database
            .pragma_update_and_check(None, "max_page_count", int(pages), |_row| Ok(()))
    }

    /// Removes what is too old, and the oldest of what is too much. Gives the room back to the file system.
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

    /// Makes room at once: the hard cap was met.
    pub(super) fn make_room(&mut self) -> rusqlite::Result<()> {
        self.shrink_to(self.retention.size / 100 * ROOMY)
    }

    /// Bytes that are in use.
    pub(in crate::journal) fn used(&self) -> rusqlite::Result<u64> {
        let pages = self
            .number("page_count")?
            .saturating_sub(self.number("freelist_count")?);
        Ok(pages.saturating_mul(self.number("page_size")?))
    }

    /// Whether the file itself, and not the disk, may have been full for one more transaction.
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
        // A statement that returns a row for each page it gives back.
        let mut vacuum = self.database.prepare("PRAGMA incremental_vacuum")?;
        let mut rows = vacuum.query(())?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// The oldest of those that hold more than their part. So a flood of one kind never costs the other a case within its own.
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
