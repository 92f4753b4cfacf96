//! The tables with sealed columns, as rotation and deletion see them.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::Column;
use super::value::Bound;

/// Names a sealed column.
const fn column(table: &'static str, name: &'static str) -> Column {
    Column { table, name }
}

pub(crate) const CONVERSATION_TITLE: Column = column("conversation", "title");
pub(crate) const CONVERSATION_ATTRIBUTES: Column = column("conversation", "attributes");
pub(crate) const MESSAGE_BODY: Column = column("message", "body");
pub(crate) const OUTBOX_MACHINE: Column = column("outbox", "machine");
pub(crate) const OUTBOX_REQUEST: Column = column("outbox", "request");
pub(crate) const ANSWER_VALUE: Column = column("answer", "value");

/// A table with sealed columns. Its rows are numbered by the column `id`.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What else its values are bound to, as two columns.
    bound: (&'static str, &'static str),
    pub(super) columns: &'static [Column],
}

pub(super) const TABLES: [Table; 4] = [
    Table {
        name: "conversation",
        bound: ("NULL", "NULL"),
        columns: &[CONVERSATION_TITLE, CONVERSATION_ATTRIBUTES],
    },
    Table {
        name: "message",
        bound: ("conversation", "position"),
        columns: &[MESSAGE_BODY],
    },
    Table {
        name: "outbox",
        bound: ("conversation", "0"),
        columns: &[OUTBOX_MACHINE, OUTBOX_REQUEST],
    },
    Table {
        name: "answer",
        bound: ("lookup", "NULL"),
        columns: &[ANSWER_VALUE],
    },
];

impl Table {
    /// Reads rows between two numbers: the number, the two columns of [`bound`], then the sealed ones.
    pub(super) fn select(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let (first, second) = self.bound;
        format!(
            "SELECT id, {first}, {second}, {} FROM {} WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
            columns.join(", "),
            self.name
        )
    }
}

/// What the values of a row that [`Table::select`] gave are bound to.
pub(super) fn bound<'a>(row: &'a Row<'_>) -> rusqlite::Result<Bound<'a>> {
    Ok(match (row.get_ref(1)?, row.get_ref(2)?) {
        (ValueRef::Integer(conversation), ValueRef::Integer(position)) => Bound::Position(conversation, position),
        (ValueRef::Blob(key), _) => Bound::Lookup(key),
        _ => Bound::Nothing,
    })
}

/// Whether anything sealed is in the database.
pub(super) fn any_row(connection: &Connection) -> rusqlite::Result<bool> {
    for table in &TABLES {
        let query = format!("SELECT EXISTS (SELECT 1 FROM {})", table.name);
        if connection.query_row(&query, [], |row| row.get::<_, bool>(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes everything that is sealed, and what is known about its keys.
pub(super) fn delete_all(connection: &Connection) -> rusqlite::Result<()> {
    for table in &TABLES {
        connection.execute(&format!("DELETE FROM {}", table.name), [])?;
    }
    connection.execute_batch("DELETE FROM rotation; DELETE FROM data_key")
}
