//! The tables, as numbered migrations that only go forward. A released migration is never edited; every change is a new one.

use rusqlite::{Connection, Transaction};

/// The schema that this program writes.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// Marks a database as Whimbrel's: "Whim".
pub(crate) const APPLICATION_ID: i64 = 0x5768_696d;

struct Migration {
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: [Migration; 3] = [
    Migration {
        name: "ledger",
        sql: "
CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ms INTEGER NOT NULL) STRICT;
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    receipt INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    place TEXT NOT NULL,
    format INTEGER NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entry_receipt ON entry (receipt, kind) WHERE receipt > 0;
CREATE INDEX entry_opened ON entry (time_ms) WHERE kind = 'opened';
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL,
    receipts INTEGER NOT NULL,
    hash BLOB NOT NULL,
    key_id BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT NOT NULL, seal BLOB NOT NULL) STRICT;
",
    },
    Migration {
        name: "feedback and state",
        sql: "
CREATE TABLE feedback (id INTEGER PRIMARY KEY, receipt INTEGER NOT NULL, time_ms INTEGER NOT NULL, signal TEXT NOT NULL) STRICT;
CREATE INDEX feedback_receipt ON feedback (receipt);
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL, seal BLOB NOT NULL) STRICT, WITHOUT ROWID;
",
    },
    Migration {
        name: "conversations, outbox, answers",
        sql: "
CREATE TABLE data_key (version INTEGER PRIMARY KEY, key_id BLOB NOT NULL) STRICT;
CREATE TABLE rotation (
    place INTEGER PRIMARY KEY,
    row_done INTEGER NOT NULL,
    row_last INTEGER NOT NULL,
    rows_done INTEGER NOT NULL,
    rows_unreadable INTEGER NOT NULL
) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    stable_id BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    pinned INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    title BLOB NOT NULL,
    attributes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX conversation_stable ON conversation (stable_id);
CREATE INDEX conversation_listed ON conversation (pinned, updated_ms, id);
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    position INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    state INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_place ON message (conversation, position);
CREATE INDEX message_draft ON message (id) WHERE state = 1;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    state INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    next_attempt_ms INTEGER,
    bytes INTEGER NOT NULL,
    idempotency BLOB NOT NULL,
    machine BLOB NOT NULL,
    request BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_conversation ON outbox (conversation, id);
CREATE TABLE answer (
    id INTEGER PRIMARY KEY,
    lookup BLOB NOT NULL,
    receipt INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX answer_lookup ON answer (lookup);
CREATE INDEX answer_receipt ON answer (receipt);
CREATE INDEX answer_conversation ON answer (conversation);
CREATE INDEX answer_expires ON answer (expires_ms);
",
    },
];

/// The version of a database, 0 when nothing is in it.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(0);
    }
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Applies what is missing behind version `from`, up to version `to`.
pub(crate) fn migrate(transaction: &Transaction<'_>, from: u32, to: u32, now_ms: i64) -> rusqlite::Result<()> {
    if from == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    for (number, migration) in (1u32..).zip(&MIGRATIONS).skip(from as usize).take((to - from) as usize) {
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "INSERT INTO migration (number, name, applied_ms) VALUES (?1, ?2, ?3)",
            (number, migration.name, now_ms),
        )?;
        transaction.pragma_update(None, "user_version", number)?;
    }
    Ok(())
}

/// Every table, index, trigger and view with its text.
fn objects(connection: &Connection) -> rusqlite::Result<Vec<[Option<String>; 4]>> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    rows.collect()
}

/// Whether the tables are exactly those of `version`: a trigger or a changed table could make the ledger lie.
pub(crate) fn is_unchanged(connection: &Connection, version: u32) -> rusqlite::Result<bool> {
    let mut model = Connection::open_in_memory()?;
    let transaction = model.transaction()?;
    migrate(&transaction, 0, version, 0)?;
    Ok(objects(&transaction)? == objects(connection)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_what_the_migrations_make() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(version(&connection).unwrap(), 0);
        for to in 1..=SCHEMA_VERSION {
            let transaction = connection.transaction().unwrap();
            migrate(&transaction, to - 1, to, 5).unwrap();
            transaction.commit().unwrap();
            assert_eq!(version(&connection).unwrap(), to);
            assert!(is_unchanged(&connection, to).unwrap());
        }
        connection
            .execute_batch("CREATE TRIGGER forget AFTER INSERT ON entry BEGIN DELETE FROM entry; END")
            .unwrap();
        assert!(!is_unchanged(&connection, SCHEMA_VERSION).unwrap());
    }
}
