//! Opening the file: validation, migration of old versions, and the reasons for refusal.
//!
//! Bias: a file that is not certainly a journal of this or an older version is left unchanged.

use std::{
    cmp::Ordering,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::whole;

/// "SHDW": distinguishes a journal from other SQLite files.
const APPLICATION_ID: i64 = 0x5348_4457;

/// The change of each version; the version of a file is the number of its migrations.
pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE cases (
        id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, target TEXT NOT NULL, route TEXT NOT NULL, body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX cases_at ON cases(at_ms);
    CREATE TABLE case_groups (
        group_id TEXT NOT NULL, at_ms INTEGER NOT NULL,
        case_id TEXT NOT NULL REFERENCES cases(id) ON DELETE CASCADE,
        PRIMARY KEY (group_id, at_ms, case_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX case_groups_case ON case_groups(case_id);
    CREATE TABLE windows (
        at_ms INTEGER NOT NULL, span_ms INTEGER NOT NULL, target TEXT NOT NULL, route TEXT NOT NULL,
        matched INTEGER NOT NULL, mismatched INTEGER NOT NULL, noise INTEGER NOT NULL,
        explained INTEGER NOT NULL, skipped INTEGER NOT NULL, errors INTEGER NOT NULL, production TEXT NOT NULL, shadow TEXT NOT NULL
    ) STRICT;
    CREATE INDEX windows_at ON windows(at_ms);
    CREATE TABLE events (
        at_ms INTEGER NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, evidence TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_at ON events(at_ms);
    CREATE TABLE reports (started_ms INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
", "
    ALTER TABLE windows ADD COLUMN sample REAL;
    ALTER TABLE windows ADD COLUMN missed INTEGER;
    ALTER TABLE windows ADD COLUMN failed INTEGER;
    ALTER TABLE windows ADD COLUMN production_5xx INTEGER;
    ALTER TABLE windows ADD COLUMN shadow_5xx INTEGER;
", "
    ALTER TABLE cases ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0;
    -- Older differences count as nothing: to learn their length would write the whole file anew.
    ALTER TABLE cases ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
    UPDATE cases SET recorded = 1, bytes = length(body)
        WHERE id IN (SELECT case_id FROM case_groups WHERE group_id = 'record_only');
    CREATE INDEX cases_kind ON cases(recorded, at_ms, bytes);
", "
    ALTER TABLE windows ADD COLUMN undecided INTEGER NOT NULL DEFAULT 0;
"];

/// How long one side waits for the other: readers never block the writer in WAL mode, but opening may.
const BUSY: Duration = Duration::from_secs(2);

/// The first bytes of each SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It does not exist.
    #[error("there is no journal at {}; the agent that keeps one writes it to its --state-dir", .0.display())]
    Absent(PathBuf),
    /// Refused by the file system.
    #[error("cannot open the journal {}: {source}; free space, check its permissions, or choose another with journal.path", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is something else.
    #[error(
        "{} is not a journal of Shadow ({what}); it was left as it is: choose another with journal.path", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The kind of file.
        what: &'static str,
    },
    /// Written by a newer version.
    #[error(
        "the journal {} is of version {found}, and this version of Shadow knows up to {known}; it was left as it is: use \
         the `shadow` that wrote it, or choose another with journal.path", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest known version.
        known: usize,
    },
    /// Written by an older version; only the start of an agent migrates it.
    #[error(
        "the journal {} is of version {found}, and this version of Shadow reads {known}; the next `shadow run` with it \
         brings it up to date", path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The version that can be read.
        known: usize,
    },
    /// The file is damaged.
    #[error(
        "the journal {} is damaged ({why}); it was left as it is: move it away (with its -wal) and start again, or set \
         journal.enabled to false", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's message.
        why: String,
    },
    /// Another error of SQLite.
    #[error("cannot open the journal {}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
}

/// Opens the journal for its only writer: creates it, or checks and updates an existing one.
pub(super) fn open(path: &Path, migrations: &[&str]) -> Result<Connection, OpenError> {
    let fresh = is_fresh(path)?;
    if !fresh {
        // Read-only first, so that a refused file is not changed.
        let database = look(path)?;
        let found = version(&database, path)?;
        check(&database, path)?;
        if found > migrations.len() {
            return Err(OpenError::Newer {
                path: path.to_owned(),
                found,
                known: migrations.len(),
            });
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| failure(path, error);
    let mut database = Connection::open_with_flags(path, flags).map_err(failed)?;
    prepare(&mut database, migrations).map_err(failed)?;
    Ok(database)
}

/// Opens the journal for a reader, also while an agent writes it.
pub(super) fn look(path: &Path) -> Result<Connection, OpenError> {
    if is_fresh(path)? {
        return Err(OpenError::Absent(path.to_owned()));
    }
    let failed = |error| failure(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(failed)?;
    database.busy_timeout(BUSY).map_err(failed)?;
    Ok(database)
}

/// The number of migrations of a file, after it is certain that it is a journal.
fn version(database: &Connection, path: &Path) -> Result<usize, OpenError> {
    let failed = |error| failure(path, error);
    let number = |pragma: &str| database.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("application_id").map_err(failed)? != APPLICATION_ID {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
            what: "an SQLite file of another program",
        });
    }
    let found = number("user_version").map_err(failed)?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// Reads every page once.
fn check(database: &Connection, path: &Path) -> Result<(), OpenError> {
    let checked: String = database
        .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
        .map_err(|error| failure(path, error))?;
    if checked == "ok" {
        return Ok(());
    }
    Err(OpenError::Damaged {
        path: path.to_owned(),
        why: checked.replace('\n', " "),
    })
}

/// Whether a reader of this version can read the file.
pub(super) fn readable(database: &Connection, path: &Path) -> Result<(), OpenError> {
    let (found, known) = (version(database, path)?, MIGRATIONS.len());
    let path = path.to_owned();
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(OpenError::Newer { path, found, known }),
        Ordering::Less => Err(OpenError::Older { path, found, known }),
    }
}

fn prepare(database: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    database.busy_timeout(BUSY)?;
    // Must be set before the first table: space freed by retention is returned to the file system.
    database.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // A crash of the process loses nothing that was committed; a crash of the machine may lose the last second.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.pragma_update(None, "foreign_keys", true)?;
    database.pragma_update(None, "journal_size_limit", 4 << 20)?;
    let update = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = update.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = usize::try_from(found).unwrap_or(0);
    for migration in migrations.iter().skip(found) {
        update.execute_batch(migration)?;
    }
    update.pragma_update(None, "application_id", APPLICATION_ID)?;
    update.pragma_update(None, "user_version", i64::try_from(migrations.len()).unwrap_or(0))?;
    update.commit()
}

/// Whether the file is new. Creates an empty file, readable only by its owner, if there is none. `Err` if the file is
/// something else.
fn is_fresh(path: &Path) -> Result<bool, OpenError> {
    let failed = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    let foreign = |what| OpenError::Foreign {
        path: path.to_owned(),
        what,
    };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        found => found.map_err(failed)?,
    };
    let kind = found.file_type();
    if kind.is_symlink() {
        return Err(foreign("it is a link; name the file itself"));
    }
    if !kind.is_file() {
        return Err(foreign("it is no file"));
    }
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start))
        .map_err(failed)?;
    match start.as_slice() {
        [] => Ok(true),
        start if start == MAGIC => Ok(false),
        start if start.iter().all(|byte| *byte == 0) => Err(OpenError::Damaged {
            path: path.to_owned(),
            why: "it begins with zeros".to_owned(),
        }),
        _ => Err(foreign("it does not begin as one")),
    }
}

/// Creates the file if there is none, readable only by its owner. SQLite gives its companion files the same mode.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    if !is_fresh(path)? {
        return Ok(());
    }
    let file = whole::open_or_make(path).map_err(failed)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .map_err(failed)
}

fn failure(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => OpenError::Damaged {
            path,
            why: error.to_string(),
        },
        _ => OpenError::Database { path, source: error },
    }
}
