//! Writes the rows of a damaged database to a new one, and makes them agree with each other: every message has a conversation and a place
//! in it, and the ledger has a sealed end.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params_from_iter};
use whimbrel_record::chain::{Head, SealKeys};
use whimbrel_record::{Checkpoint, LedgerReport, Problem, Stats};

use super::RowCounts;
use super::records::{Reader, Record};
use crate::conversations::{Body, CONVERSATION_MESSAGES_MAX, ConversationId, MessageState, sql_time};
use crate::fault::Fault;
use crate::sealed::{
    ANSWER_VALUE, Bound, CONVERSATION_ATTRIBUTES, CONVERSATION_TITLE, Keyring, MESSAGE_BODY, OUTBOX_MACHINE,
    OUTBOX_REQUEST, SealError,
};
use crate::{SCHEMA_VERSION, StoreError, connection, database, ledger, repair, schema};

/// The most messages that a page has room for. A damaged row cannot ask for more.
const PAGE_MESSAGES_MAX: i64 = 64;
/// How far the numbers of the outbox go on behind the last one that is known, where their counter is lost: none is used twice.
const COUNTER_STEP: i64 = 1 << 20;

/// A counter beyond this was damaged.
const COUNTER_MAX: i64 = 1 << 48;

/// What a row belongs to, by its shape. No two tables have the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Entry,
    Head,
    Checkpoint,
    Feedback,
    DataKey,
    Conversation,
    Message,
    Request,
    Answer,
    State,
    Counter,
    /// An entry of an index that says which rows there are.
    Index,
}

fn kind_of(in_index: bool, shape: &str) -> Option<Kind> {
    Some(match (in_index, shape) {
        (false, "ntiittitb") => Kind::Entry,
        (false, "niibbb") => Kind::Head,
        (false, "ntb") => Kind::Checkpoint,
        (false, "niit") => Kind::Feedback,
        (false, "nb") => Kind::DataKey,
        (false, "nbiiiiibb") => Kind::Conversation,
        (false, "niiiib") => Kind::Message,
        (false, "niiiiiibbb" | "niiiinibbb") => Kind::Request,
        (false, "nbiiiiiib") => Kind::Answer,
        (true, "tbb") => Kind::State,
        (true, "ti") => Kind::Counter,
        (true, "bi" | "ii" | "iii") => Kind::Index,
        _ => return None,
    })
}

/// What else the pages say about the rows that there were.
#[derive(Default)]
struct Seen {
    conversations: HashMap<i64, Vec<u8>>,
    messages: HashSet<i64>,
    /// How many messages a conversation had.
    lengths: HashMap<i64, i64>,
    requests: HashSet<i64>,
    answers: HashSet<i64>,
    feedback: HashSet<i64>,
    counter: Option<i64>,
    head: Option<Head>,
    has_foreign_head: bool,
    checkpoint: Option<Checkpoint>,
    /// Whether there are sealed rows, and whether any can be opened.
    has_sealed: bool,
    has_opened: bool,
    refusal: Option<SealError>,
}

/// The keys and the place of a store whose database is rebuilt.
pub(super) struct Rebuild<'a> {
    path: &'a Path,
    keys: &'a SealKeys,
    keyring: &'a Keyring,
}

impl<'a> Rebuild<'a> {
    pub(super) fn new(path: &'a Path, keys: &'a SealKeys, keyring: &'a Keyring) -> Rebuild<'a> {
        Rebuild { path, keys, keyring }
    }

    /// Writes the new database. Returns what it has, and what is lost.
    pub(super) fn write(
        &self,
        to: &Path,
        reader: &Reader,
        floor: Option<Head>,
        now_ms: u64,
    ) -> Result<(RowCounts, RowCounts), StoreError> {
        let mut connection = database::open_writer(to)?;
        let mut run = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            schema::migrate(&transaction, 0, SCHEMA_VERSION, sql_time(now_ms))?;
            let seen = self.copy(&transaction, reader)?;
            let counts = self.settle(&transaction, reader, &seen, floor, now_ms)?;
            transaction.commit()?;
            connection::empty_log(&connection)?;
            Ok(counts)
        };
        run().map_err(|fault| match fault {
            Fault::Sql(error) => database::failed(to, error),
            Fault::Store(error) => error,
        })
    }

    /// Copies every row that a page still has.
    fn copy(&self, connection: &Connection, reader: &Reader) -> Result<Seen, Fault> {
        let indexes = indexes(reader);
        let mut seen = Seen::default();
        for number in 1..=reader.pages().count() {
            let records = reader.records(number, |in_index, shape| kind_of(in_index, shape).is_some());
            for record in records {
                match kind_of(record.in_index, &record.shape) {
                    Some(Kind::Index) => seen.note_entry(indexes.get(&number).map(String::as_str), &record.values),
                    Some(kind) => self.take(connection, &mut seen, kind, record)?,
                    None => {}
                }
            }
        }
        if self.keyring.newest().is_none() {
            seen.refusal = Some(SealError::KeyLost { version: 1 });
        }
        match seen.refusal.take() {
            // A key that opens something is the right one, whatever its record says.
            Some(refusal) if seen.has_sealed && !seen.has_opened => Err(refusal.into()),
            _ => Ok(seen),
        }
    }

    /// Copies one row if it is what this program wrote.
    fn take(&self, connection: &Connection, seen: &mut Seen, kind: Kind, record: Record) -> Result<(), Fault> {
        let Record { row, mut values, .. } = record;
        let table = match kind {
            Kind::Entry => "entry",
            Kind::Feedback => "feedback",
            Kind::State => "state",
            Kind::Conversation => "conversation",
            Kind::Message => "message",
            Kind::Request => "outbox",
            Kind::Answer => "answer",
            Kind::Head => return self.head(connection, seen, values),
            Kind::Checkpoint => return self.checkpoint(connection, seen, values),
            Kind::DataKey => {
                seen.refusal = seen.refusal.take().or_else(|| self.refusal(row, bytes(&values[1])));
                return Ok(());
            }
            Kind::Counter => {
                let counter = number(&values[1]);
                if values[0] == Value::Text("outbox".to_owned()) && (0..COUNTER_MAX).contains(&counter) {
                    seen.counter = seen.counter.max(Some(counter));
                }
                return Ok(());
            }
            Kind::Index => return Ok(()),
        };
        seen.note_row(kind, row, &values);
        if self.is_genuine(kind, row, &values) {
            seen.has_opened |= matches!(kind, Kind::Conversation | Kind::Message | Kind::Request | Kind::Answer);
            if !record.in_index {
                values[0] = Value::Integer(row);
            }
            insert(connection, table, values)?;
        }
        Ok(())
    }

    /// Whether a row is what this program wrote, as far as its values are sealed.
    fn is_genuine(&self, kind: Kind, row: i64, values: &[Value]) -> bool {
        let keyring = self.keyring;
        match kind {
            Kind::Entry => bytes(&values[8]).len() == 32,
            Kind::State => match (&values[0], &values[1]) {
                (Value::Text(name), Value::Blob(value)) => self.keys.seal_state(name, value) == bytes(&values[2])[..],
                _ => false,
            },
            Kind::Conversation => {
                let opens = |column: crate::sealed::Column, at: usize| {
                    column.open(keyring, row, Bound::Nothing, bytes(&values[at])).is_ok()
                };
                bytes(&values[1]).len() == 16 && (opens(CONVERSATION_TITLE, 7) || opens(CONVERSATION_ATTRIBUTES, 8))
            }
            Kind::Message => {
                let bound = Bound::Position(number(&values[1]), number(&values[2]));
                let plain = MESSAGE_BODY.open(keyring, row, bound, bytes(&values[5]));
                plain.is_ok_and(|plain| Body::decode(&plain).is_some())
                    && MessageState::from_code(number(&values[4])).is_some()
            }
            Kind::Request => {
                let bound = Bound::Position(number(&values[1]), 0);
                let is_readable = i32::try_from(number(&values[2])).is_ok()
                    && u8::try_from(number(&values[3])).is_ok()
                    && bytes(&values[7]).len() == 16;
                is_readable
                    && OUTBOX_MACHINE.open(keyring, row, bound, bytes(&values[8])).is_ok()
                    && OUTBOX_REQUEST.open(keyring, row, bound, bytes(&values[9])).is_ok()
            }
            Kind::Answer => {
                let bound = Bound::Lookup(bytes(&values[1]));
                ANSWER_VALUE.open(keyring, row, bound, bytes(&values[8])).is_ok()
            }
            _ => true,
        }
    }

    /// Why nothing can be opened if this key of the database is not in the vault.
    fn refusal(&self, version: i64, id: &[u8]) -> Option<SealError> {
        let version = u32::try_from(version).ok()?;
        match self.keyring.key(version) {
            Ok(key) if key.id()[..] == *id => None,
            Ok(_) => Some(SealError::WrongKey { version }),
            Err(error) => Some(error),
        }
    }

    /// Keeps the furthest end of the ledger whose seal is right.
    fn head(&self, connection: &Connection, seen: &mut Seen, mut values: Vec<Value>) -> Result<(), Fault> {
        values[0] = Value::Integer(1);
        connection.execute("DELETE FROM head", [])?;
        insert(connection, "head", values)?;
        match ledger::sealed_head(connection, self.keys)? {
            Ok(head) if seen.head.is_none_or(|other| other.sequence < head.sequence) => seen.head = Some(head),
            Err(Problem::ForeignSeal) => seen.has_foreign_head = true,
            _ => {}
        }
        Ok(())
    }

    /// Keeps the furthest checkpoint whose seal is right.
    fn checkpoint(&self, connection: &Connection, seen: &mut Seen, mut values: Vec<Value>) -> Result<(), Fault> {
        values[0] = Value::Integer(1);
        connection.execute("DELETE FROM checkpoint", [])?;
        insert(connection, "checkpoint", values)?;
        if let Ok(Some(checkpoint)) = ledger::checkpoint(connection, self.keys)? {
            let before = seen.checkpoint.as_ref().map_or(0, |other| other.sequence);
            if checkpoint.sequence >= before {
                seen.checkpoint = Some(checkpoint);
            }
        }
        Ok(())
    }

    /// Makes the rows agree with each other, and counts them.
    fn settle(
        &self,
        connection: &Connection,
        reader: &Reader,
        seen: &Seen,
        floor: Option<Head>,
        now_ms: u64,
    ) -> Result<(RowCounts, RowCounts), Fault> {
        let (mut kept, mut lost) = (RowCounts::default(), RowCounts::default());
        (kept.entries, lost.entries) = self.ledger(connection, seen, floor, now_ms)?;
        (kept.messages, lost.messages) = count(connection, "message", &seen.messages)?;
        (kept.requests, lost.requests) = count(connection, "outbox", &seen.requests)?;
        // Nothing would forget them.
        let orphans =
            "DELETE FROM answer WHERE conversation <> 0 AND conversation NOT IN (SELECT id FROM conversation)";
        connection.execute(orphans, [])?;
        (kept.answers, lost.answers) = count(connection, "answer", &seen.answers)?;
        (kept.feedback, lost.feedback) = count(connection, "feedback", &seen.feedback)?;
        let known: HashSet<i64> = seen.conversations.keys().copied().collect();
        (kept.conversations, lost.conversations) = count(connection, "conversation", &known)?;
        let emptied = self.empty_damaged(connection)?;
        (kept.conversations, lost.conversations) = (kept.conversations - emptied, lost.conversations + emptied);
        lost.conversations += self.add_conversations(connection, seen, now_ms)?;
        let filled = self.fill_gaps(connection, reader, seen)?;
        lost.messages = lost.messages.max(filled);
        number_outbox(connection, seen)?;
        Ok((kept, lost))
    }

    /// Empties titles and attributes that cannot be opened. Returns how many conversations have one.
    fn empty_damaged(&self, connection: &Connection) -> Result<u64, Fault> {
        // A row whose title is lost still has its attributes, and the other way round.
        let titles = repair::empty(connection, self.keyring, CONVERSATION_TITLE)?;
        let attributes = repair::empty(connection, self.keyring, CONVERSATION_ATTRIBUTES)?;
        Ok(titles + attributes)
    }

    /// Gives a conversation to rows whose own is lost. Returns how many of these nothing else tells of.
    fn add_conversations(&self, connection: &Connection, seen: &Seen, now_ms: u64) -> Result<u64, Fault> {
        let mut statement = connection.prepare(
            "SELECT DISTINCT conversation FROM (SELECT conversation FROM message UNION SELECT conversation FROM outbox)
             WHERE conversation NOT IN (SELECT id FROM conversation)",
        )?;
        let orphans = statement.query_map([], |row| row.get(0))?;
        let orphans: Vec<i64> = orphans.collect::<Result<_, _>>()?;
        let mut unknown = 0;
        for row in orphans {
            let id = match seen.conversations.get(&row) {
                Some(id) => id.clone(),
                None => {
                    unknown += 1;
                    ConversationId::random()?.0.to_vec()
                }
            };
            let title = CONVERSATION_TITLE.seal(self.keyring, row, Bound::Nothing, b"")?;
            let attributes = CONVERSATION_ATTRIBUTES.seal(self.keyring, row, Bound::Nothing, b"")?;
            connection.execute(
                "INSERT INTO conversation (id, stable_id, created_ms, updated_ms, pinned, messages, bytes, title, attributes)
                 SELECT ?1, ?2, coalesce(min(time_ms), ?3), coalesce(max(time_ms), ?3), 0, 0, 0, ?4, ?5
                 FROM message WHERE conversation = ?1",
                (row, id, sql_time(now_ms), title, attributes),
            )?;
        }
        Ok(unknown)
    }

    /// Puts a lost message at every place of a conversation where one is missing, and counts its messages again. Returns how many were put.
    fn fill_gaps(&self, connection: &Connection, reader: &Reader, seen: &Seen) -> Result<u64, Fault> {
        let conversations: Vec<(i64, i64)> = connection
            .prepare("SELECT id, updated_ms FROM conversation")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut room = i64::from(reader.pages().count()) * PAGE_MESSAGES_MAX;
        let mut filled = 0;
        for (conversation, updated_ms) in conversations {
            let present: HashSet<i64> = connection
                .prepare("SELECT position FROM message WHERE conversation = ?1")?
                .query_map([conversation], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let end = present.iter().max().map_or(0, |last| last + 1);
            let length = seen.lengths.get(&conversation).copied().unwrap_or(0);
            let length = length.min(end + room).min(CONVERSATION_MESSAGES_MAX.into()).max(end);
            for position in (0..length).filter(|position| !present.contains(position)) {
                repair::put_lost(connection, self.keyring, (conversation, position), updated_ms)?;
                filled += 1;
            }
            room -= (length - end).min(room);
            connection.execute(
                "UPDATE conversation SET messages = ?2,
                    bytes = (SELECT coalesce(sum(length(body)), 0) FROM message WHERE conversation = ?1)
                 WHERE id = ?1",
                (conversation, length),
            )?;
        }
        Ok(filled)
    }

    /// Seals the end of the ledger. The vault and the old seal say where it ended; entries that neither vouches for are left out. Where any
    /// is missing, an entry behind the end says so.
    fn ledger(
        &self,
        connection: &Connection,
        seen: &Seen,
        floor: Option<Head>,
        now_ms: u64,
    ) -> Result<(u64, u64), Fault> {
        let refused = |problem| StoreError::Ledger {
            path: self.path.to_owned(),
            problem,
        };
        if seen.head.is_none() && seen.has_foreign_head {
            return Err(refused(Problem::ForeignSeal).into());
        }
        let ends = [floor, seen.head].into_iter().flatten();
        let end = ends.max_by_key(|head| head.sequence).unwrap_or(Head::EMPTY);
        let start = seen.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.sequence);
        connection.execute_batch("DELETE FROM head; DELETE FROM checkpoint")?;
        if let Some(checkpoint) = &seen.checkpoint {
            ledger::write_checkpoint(connection, self.keys, checkpoint)?;
        }
        let outside = "DELETE FROM entry WHERE sequence <= ?1 OR sequence > ?2";
        let left_out = connection.execute(outside, (start.cast_signed(), end.sequence.cast_signed()))? as u64;
        ledger::write_head(connection, self.keys, &end)?;
        connection.execute("DELETE FROM feedback WHERE receipt > ?1", [end.receipts.cast_signed()])?;
        let report = ledger::check_ledger(connection, Some(self.keys), floor)?;
        if let Some(floor) = floor
            && is_forked(connection, floor, seen, &report)?
        {
            let sequence = floor.sequence;
            return Err(refused(Problem::Forked { sequence }).into());
        }
        if !report.is_intact() {
            let told = Checkpoint {
                sequence: end.sequence,
                receipts: end.receipts,
                hash: end.hash.to_hex().to_string(),
                time_ms: now_ms,
                lost: true,
                totals: Stats::default(),
            };
            let head = ledger::append_restart(connection, end, &told, now_ms)?;
            ledger::write_head(connection, self.keys, &head)?;
        }
        let missing = end.sequence.saturating_sub(start).saturating_sub(report.entries);
        Ok((report.entries, missing + left_out))
    }
}

impl Seen {
    /// Notes what a row says about rows, whether its values can be opened or not.
    fn note_row(&mut self, kind: Kind, row: i64, values: &[Value]) {
        match kind {
            Kind::Conversation => {
                self.conversations.insert(row, bytes(&values[1]).to_vec());
                self.note_length(row, number(&values[5]));
            }
            Kind::Message => drop(self.messages.insert(row)),
            Kind::Request => drop(self.requests.insert(row)),
            Kind::Answer => drop(self.answers.insert(row)),
            _ => return,
        }
        self.has_sealed = true;
    }

    fn note_length(&mut self, conversation: i64, length: i64) {
        let known = self.lengths.entry(conversation).or_default();
        *known = length.max(*known);
    }

    /// Notes what an entry of an index says about rows.
    fn note_entry(&mut self, index: Option<&str>, values: &[Value]) {
        match (index, values) {
            (_, [Value::Blob(id), Value::Integer(row)]) if id.len() == 16 => {
                self.conversations.entry(*row).or_insert_with(|| id.clone());
            }
            (_, [Value::Blob(_), Value::Integer(row)]) => drop(self.answers.insert(*row)),
            (
                Some("message_place"),
                [
                    Value::Integer(conversation),
                    Value::Integer(position),
                    Value::Integer(row),
                ],
            ) => {
                self.messages.insert(*row);
                self.note_length(*conversation, position.saturating_add(1));
            }
            (Some("outbox_conversation"), [.., Value::Integer(row)]) => drop(self.requests.insert(*row)),
            (Some("feedback_receipt"), [_, Value::Integer(row)]) => drop(self.feedback.insert(*row)),
            _ => {}
        }
    }
}

/// Whether the ledger has another entry than the vault knows, which no damage explains.
fn is_forked(connection: &Connection, floor: Head, seen: &Seen, report: &LedgerReport) -> Result<bool, Fault> {
    let is_damaged = report.problems.iter().any(|problem| match problem {
        Problem::Changed { sequence } | Problem::HashChanged { sequence } => *sequence == floor.sequence,
        _ => false,
    });
    let found = ledger::hash_of(connection, floor.sequence)?;
    let sealed = seen.head.filter(|head| head.sequence == floor.sequence);
    Ok(!is_damaged && found.is_some_and(|hash| floor.hash != hash[..])
        || sealed.is_some_and(|head| head.hash != floor.hash))
}

/// Which index a page belongs to, as far as the schema can be read.
fn indexes(reader: &Reader) -> HashMap<u32, String> {
    let mut pages = HashMap::new();
    for number in reader.tree(1) {
        for record in reader.records(number, |in_index, shape| !in_index && shape == "tttit") {
            let [Value::Text(kind), Value::Text(name), _, Value::Integer(root), _] = &record.values[..] else {
                continue;
            };
            if kind == "index"
                && let Ok(root) = u32::try_from(*root)
            {
                pages.extend(reader.tree(root).into_iter().map(|page| (page, name.clone())));
            }
        }
    }
    pages
}

/// Adds a row unless one with its number or key is there.
fn insert(connection: &Connection, table: &str, values: Vec<Value>) -> Result<(), Fault> {
    let places = vec!["?"; values.len()].join(", ");
    let insert = format!("INSERT OR IGNORE INTO {table} VALUES ({places})");
    connection.execute(&insert, params_from_iter(values))?;
    Ok(())
}

/// How many rows of a table there are, and how many of those that were there are not.
fn count(connection: &Connection, table: &str, known: &HashSet<i64>) -> Result<(u64, u64), Fault> {
    let present: HashSet<i64> = connection
        .prepare(&format!("SELECT id FROM {table}"))?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok((present.len() as u64, known.difference(&present).count() as u64))
}

/// Lets the numbers of the outbox go on behind all that were given.
fn number_outbox(connection: &Connection, seen: &Seen) -> Result<(), Fault> {
    let last: Option<i64> = connection
        .query_row("SELECT max(id) FROM outbox", [], |row| row.get(0))
        .optional()?
        .flatten();
    let known = seen.requests.iter().copied().max().max(last).unwrap_or(0);
    let last = match seen.counter {
        Some(counter) => counter.max(known),
        None => known.saturating_add(COUNTER_STEP),
    };
    connection.execute("INSERT INTO counter (name, value) VALUES ('outbox', ?1)", [last])?;
    Ok(())
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        _ => 0,
    }
}

fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::Blob(bytes) => bytes,
        _ => &[],
    }
}
