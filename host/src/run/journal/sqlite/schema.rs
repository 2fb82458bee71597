//! The database: how it is opened, its tables, and which run it belongs to.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::{Identity, JournalError, Safety};
use crate::gate::sha256::hex;
use nodule_core::own_file;

/// `Nodu`, in `SQLite`'s field for the application ID.
const APPLICATION: i64 = 0x4e6f_6475;
/// Increment when the tables change.
const VERSION: i64 = 2;
/// A person who queries the journal may lock it for a moment.
const BUSY: Duration = Duration::from_secs(5);
/// The first bytes of every `SQLite` database.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// WAL pages per checkpoint: 16 MiB, so that a page that changes often is copied once.
const MOVED_AT_ONCE: i64 = 4096;
/// Enough to make a salt unique.
const SALT_BYTES: usize = 16;

/// Files that `SQLite` keeps beside a database and reads as part of it.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The state's check avoids `IN`, for which `SQLite` would build a table per row.
const TABLES: &str = "
    CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE items (
        item INTEGER PRIMARY KEY,
        digest BLOB NOT NULL,
        key TEXT,
        state TEXT NOT NULL CHECK (
            state = 'waiting' OR state = 'started' OR state = 'done' OR state = 'failed' OR state = 'unknown'
        ),
        tries INTEGER NOT NULL,
        result TEXT,
        error TEXT,
        started TEXT,
        ended TEXT
    ) STRICT;
    CREATE TABLE parts (
        item INTEGER NOT NULL,
        part INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        outputs TEXT NOT NULL,
        cursor TEXT NOT NULL,
        PRIMARY KEY (item, part)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX items_by_key ON items (key) WHERE key IS NOT NULL;
";

/// Opens the connection that writes.
pub(super) fn open(path: &Path, safety: Safety) -> Result<Connection, JournalError> {
    prepare_file(path)?;
    let mut connection = connect(path)?;
    let wrong = |error: rusqlite::Error| JournalError::of(path, &error);
    if is_empty(&connection).map_err(wrong)? {
        make(&mut connection).map_err(wrong)?;
    } else {
        check(&connection, path)?;
    }
    connection
        .pragma_update(None, "wal_autocheckpoint", MOVED_AT_ONCE)
        .map_err(wrong)?;
    let synchronous = match safety {
        Safety::Disk => "full",
        Safety::System => "normal",
    };
    connection
        .pragma_update(None, "synchronous", synchronous)
        .map_err(wrong)?;
    Ok(connection)
}

/// Whether the database has no content: an earlier process may have crashed, or the disk may have been full, during
/// creation.
fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(tables == 0 && pragma("application_id")? == 0 && pragma("user_version")? == 0)
}

/// Creates all tables in one transaction.
pub(super) fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

pub(super) fn connect(path: &Path) -> Result<Connection, JournalError> {
    // Without links, so that the file that was checked is the file that is opened. `SQLite` applies this to the whole
    // path, so the folders above are resolved first.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(resolved(path)?, flags)
        .map_err(|error| JournalError::of(path, &error))?;
    connection
        .busy_timeout(BUSY)
        .map_err(|error| JournalError::of(path, &error))?;
    Ok(connection)
}

/// The path with the links in its folder resolved.
fn resolved(path: &Path) -> Result<PathBuf, JournalError> {
    let broken = |source| JournalError::File {
        path: path.to_owned(),
        source,
    };
    let name = path
        .file_name()
        .ok_or_else(|| broken(std::io::Error::other("expected the name of a file")))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().map_err(broken)?;
    Ok(folder.join(name))
}

/// Creates a missing file with the owner's permissions from the start, and refuses a file that is no database.
fn prepare_file(path: &Path) -> Result<(), JournalError> {
    let broken = |source| JournalError::File {
        path: path.to_owned(),
        source,
    };
    for beside in BESIDE {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        let beside = PathBuf::from(name);
        // `SQLite` would read this file as part of the database, so another user must not have created it.
        if beside.symlink_metadata().is_ok() {
            own_file::open(&beside, own_file::options().read(true))
                .map_err(|refused| JournalError::refused(&beside, refused))?;
        }
    }
    match own_file::options().write(true).create_new(true).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(broken(error)),
    }
    let mut start = Vec::new();
    own_file::open(path, own_file::options().read(true))
        .map_err(|refused| JournalError::refused(path, refused))?
        .take(MAGIC.len() as u64)
        .read_to_end(&mut start)
        .map_err(broken)?;
    if !start.is_empty() && start != MAGIC {
        return Err(JournalError::Foreign {
            path: path.to_owned(),
            found: "a file that is no database".to_owned(),
        });
    }
    Ok(())
}

/// Refuses a database that is not a journal or is damaged.
fn check(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let wrong = |error: rusqlite::Error| JournalError::of(path, &error);
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(wrong)
    };
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    if application != APPLICATION {
        return Err(JournalError::Foreign {
            path: path.to_owned(),
            found: "another program's database".to_owned(),
        });
    }
    if found != VERSION {
        return Err(JournalError::Version {
            path: path.to_owned(),
            expected: VERSION,
            found,
        });
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(wrong)?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(JournalError::Damaged {
            path: path.to_owned(),
            message: verdict.replace('\n', " "),
        })
    }
}

/// Refuses a journal of another run and names the difference. A new journal is bound to this run.
pub(super) fn belongs(
    connection: &mut Connection,
    path: &Path,
    identity: &Identity,
    accept_component: bool,
) -> Result<(), JournalError> {
    let wrong = |error: rusqlite::Error| JournalError::of(path, &error);
    let transaction = connection.transaction().map_err(wrong)?;
    let recorded: BTreeMap<String, String> = transaction
        .prepare("SELECT name, value FROM run")
        .and_then(|mut query| {
            query
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(wrong)?;
    let salt = match recorded.get("salt") {
        Some(salt) => salt.clone(),
        None => salt(path)?,
    };
    let credential = identity
        .credential(salt.as_bytes())
        .map_or_else(|| "none".to_owned(), |hash| hex(&hash));
    let facts = [
        ("node", "node", &identity.node),
        ("operation", "operation", &identity.operation),
        ("base-url", "base URL", &identity.base_url),
        ("limit", "limit of rows", &identity.limit),
        ("credential", "credential", &credential),
        ("component", "component", &identity.component),
    ];
    let is_new = recorded.is_empty();
    for (name, what, found) in facts {
        let expected = recorded.get(name).map(String::as_str);
        if name == "component" && !is_new && expected != Some(found) && accept_component {
            // Another build need not know the cursors of this one.
            transaction
                .execute(
                    "DELETE FROM parts WHERE item IN (SELECT item FROM items WHERE state <> 'done')",
                    [],
                )
                .map_err(wrong)?;
        }
        if is_new || name == "component" && accept_component {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO run (name, value) VALUES (?1, ?2)",
                    params![name, found],
                )
                .map_err(wrong)?;
        } else if expected != Some(found) {
            let shown = |value: &str| match name {
                // A hash means nothing to a reader.
                "credential" if value != "none" => "another one".to_owned(),
                _ => format!("`{value}`"),
            };
            let expected = match (name, expected) {
                ("credential", Some(value)) if value != "none" => "the one that it was begun with".to_owned(),
                (_, expected) => shown(expected.unwrap_or_default()),
            };
            return Err(JournalError::Another {
                path: path.to_owned(),
                what,
                expected,
                found: shown(found),
            });
        }
    }
    if is_new {
        let made = format!("{:.3}", jiff::Timestamp::now());
        transaction
            .execute(
                "INSERT INTO run (name, value) VALUES ('salt', ?1), ('made', ?2)",
                params![salt, made],
            )
            .map_err(wrong)?;
    }
    transaction.commit().map_err(wrong)
}

fn salt(path: &Path) -> Result<String, JournalError> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; SALT_BYTES];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| JournalError::File {
            path: path.to_owned(),
            source: std::io::Error::other("the system gives no random numbers"),
        })?;
    Ok(hex(&bytes))
}
