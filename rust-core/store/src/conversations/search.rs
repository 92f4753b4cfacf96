//! Search: rows are opened and scanned one batch after the other, newest first. There is no index of texts on the disk.

use std::sync::Arc;

use rusqlite::Connection;
use whimbrel_record::limit;

use super::message::Body;
use super::rows::{self, SUMMARY};
use super::{ConversationId, Conversations};
use crate::StoreError;
use crate::connection::Shared;
use crate::fault::Fault;
use crate::sealed::{Bound, Keyring, MESSAGE_BODY, SealError};

/// Maximum size of the text that is searched for, in bytes.
pub const SEARCH_TEXT_BYTES_MAX: u32 = 1024;
/// Messages of the first batch, so that the first hits come at once, and of the largest one.
const BATCH_ROWS: (u32, u32) = (256, 4096);

/// Where a text was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HitPlace {
    /// In the title.
    Title,
    /// In the message at this position.
    Message(u32),
}

/// A text that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hit {
    /// The conversation.
    pub conversation: ConversationId,
    /// Where in it.
    pub place: HitPlace,
    /// When the message was written, or the conversation last changed, in milliseconds since 1970.
    pub time_ms: u64,
    /// The whole title or message.
    pub text: String,
    /// Where the first match begins in it, in bytes.
    pub start: u32,
    /// Where the first match ends.
    pub end: u32,
}

/// A search in progress. It gives its hits in batches; drop it to stop.
pub struct Search {
    shared: Arc<Shared>,
    needle: String,
    stage: Stage,
    batch_rows: u32,
    unreadable: u64,
    plain: Vec<u8>,
    folded: String,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Stage {
    Titles,
    /// Messages in rows before this one.
    Messages(i64),
    Done,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Search").finish_non_exhaustive()
    }
}

impl Search {
    pub(super) fn begin(shared: Arc<Shared>, text: &str) -> Result<Search, StoreError> {
        limit("bytes of a search", text.len(), SEARCH_TEXT_BYTES_MAX)?;
        let mut needle = String::new();
        fold_into(text, &mut needle);
        Ok(Search {
            shared,
            stage: if needle.is_empty() { Stage::Done } else { Stage::Titles },
            needle,
            batch_rows: BATCH_ROWS.0,
            unreadable: 0,
            plain: Vec::new(),
            folded: String::new(),
        })
    }

    /// The hits of the next batch: titles come first, then messages, those that were stored last first. A batch without hits is empty;
    /// `None` is the end. Between two calls, the store can be changed.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] if the store's keys are lost, and those of reading. Values that were changed are counted and passed over.
    pub fn next_batch(&mut self) -> Result<Option<Vec<Hit>>, StoreError> {
        let shared = Arc::clone(&self.shared);
        match self.stage {
            Stage::Done => Ok(None),
            Stage::Titles => {
                let hits = shared.read(|connection, keyring| self.titles(connection, keyring))?;
                self.stage = Stage::Messages(i64::MAX);
                Ok(Some(hits))
            }
            Stage::Messages(before) => {
                let (hits, last) = shared.read(|connection, keyring| self.messages(connection, keyring, before))?;
                self.stage = last.map_or(Stage::Done, Stage::Messages);
                self.batch_rows = (self.batch_rows * 2).min(BATCH_ROWS.1);
                Ok(Some(hits))
            }
        }
    }

    /// How many titles and messages could not be opened so far.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    fn titles(&mut self, connection: &Connection, keyring: &Keyring) -> Result<Vec<Hit>, Fault> {
        let mut statement = connection.prepare(&format!("{SUMMARY} ORDER BY updated_ms DESC, id DESC"))?;
        let mut found = statement.query([])?;
        let mut hits = Vec::new();
        while let Some(row) = found.next()? {
            let summary = match rows::summary(keyring, row) {
                Err(Fault::Store(StoreError::Sealed(SealError::Value { .. }))) => {
                    self.unreadable += 1;
                    continue;
                }
                summary => summary?,
            };
            fold_into(&summary.title, &mut self.folded);
            if let Some(at) = self.folded.find(&self.needle) {
                let (start, end) = unfold(&summary.title, at, at + self.needle.len());
                hits.push(Hit {
                    conversation: summary.id,
                    place: HitPlace::Title,
                    time_ms: summary.updated_ms,
                    text: summary.title,
                    start,
                    end,
                });
            }
        }
        Ok(hits)
    }

    /// One batch of messages, and the last row of it unless it was the last one.
    fn messages(
        &mut self,
        connection: &Connection,
        keyring: &Keyring,
        before: i64,
    ) -> Result<(Vec<Hit>, Option<i64>), Fault> {
        let mut statement = connection.prepare(
            "SELECT id, conversation, position, body, time_ms FROM message WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let mut found = statement.query((before, self.batch_rows))?;
        let (mut hits, mut seen, mut last) = (Vec::new(), 0, None);
        while let Some(row) = found.next()? {
            let (number, conversation, position): (i64, i64, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            (seen, last) = (seen + 1, Some(number));
            let bound = Bound::Position(conversation, i64::from(position));
            let sealed = row.get_ref(3)?.as_blob().unwrap_or_default();
            match MESSAGE_BODY.open_into(keyring, number, bound, sealed, &mut self.plain) {
                Err(SealError::Value { .. }) => {
                    self.unreadable += 1;
                    continue;
                }
                opened => opened?,
            }
            let Some(body) = Body::decode(&self.plain) else {
                self.unreadable += 1;
                continue;
            };
            fold_into(body.text, &mut self.folded);
            if let Some(at) = self.folded.find(&self.needle) {
                let (start, end) = unfold(body.text, at, at + self.needle.len());
                let query = "SELECT stable_id FROM conversation WHERE id = ?1";
                hits.push(Hit {
                    conversation: connection.query_row(query, [conversation], |row| rows::stable_id(row, 0))?,
                    place: HitPlace::Message(position),
                    time_ms: row.get::<_, i64>(4)?.cast_unsigned(),
                    text: body.text.to_owned(),
                    start,
                    end,
                });
            }
        }
        Ok((hits, last.filter(|_| seen == self.batch_rows)))
    }
}

impl Conversations {
    /// The first hits of a search, at most `hits_max`.
    ///
    /// # Errors
    /// Those of [`Conversations::search`] and [`Search::next_batch`].
    pub fn find(&self, text: &str, hits_max: u32) -> Result<Vec<Hit>, StoreError> {
        let mut search = self.search(text)?;
        let mut hits = Vec::new();
        while hits.len() < hits_max as usize {
            match search.next_batch()? {
                Some(batch) => hits.extend(batch),
                None => break,
            }
        }
        hits.truncate(hits_max as usize);
        Ok(hits)
    }
}

/// A character as it is compared: in lower case, and without the form that sigma has at the end of a word.
fn fold(character: char) -> impl Iterator<Item = char> {
    let character = if character == 'ς' { 'σ' } else { character };
    character.to_lowercase()
}

fn fold_into(text: &str, folded: &mut String) {
    folded.clear();
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
        return;
    }
    folded.extend(text.chars().flat_map(fold));
}

/// The bytes of a text that became these bytes of the folded text.
fn unfold(text: &str, start: usize, end: usize) -> (u32, u32) {
    let mut folded = 0;
    let (mut first, mut last) = (None, text.len());
    for (at, character) in text.char_indices() {
        if folded >= end {
            last = at;
            break;
        }
        folded += fold(character).map(char::len_utf8).sum::<usize>();
        if folded > start && first.is_none() {
            first = Some(at);
        }
    }
    (first.unwrap_or(0) as u32, last as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, needle: &str, expected: Option<&str>) {
        let (mut folded, mut wanted) = (String::new(), String::new());
        fold_into(text, &mut folded);
        fold_into(needle, &mut wanted);
        let found = folded.find(&wanted).map(|at| {
            let (start, end) = unfold(text, at, at + wanted.len());
            &text[start as usize..end as usize]
        });
        assert_eq!(found, expected, "{needle} in {text}");
    }

    #[test]
    fn case_does_not_matter_and_matches_are_found_where_they_stand() {
        check("Which bird is this?", "BIRD", Some("bird"));
        check("Größe und ÄRGER", "ärger", Some("ÄRGER"));
        check("ὁ ΟΔΟΣ", "οδος", Some("ΟΔΟΣ"));
        check("İstanbul today", "today", Some("today"));
        check("300 K is warm", "300 k", Some("300 K"));
        check("nothing", "thingy", None);
        check("Привет, Мир", "мир", Some("Мир"));
    }
}
