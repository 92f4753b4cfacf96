//! Limits of what is kept: old conversations go, by age and by number. Pinned ones stay.

use super::{ConversationId, Conversations, rows};
use crate::StoreError;

/// Which conversations go. One that matches any given bound is deleted, unless it is pinned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retention {
    /// Those whose last message is older than this time, in milliseconds since 1970.
    pub updated_before_ms: Option<u64>,
    /// All but this many of the newest. Pinned ones are not counted.
    pub conversations_max: Option<u32>,
}

impl Conversations {
    /// Deletes old conversations as [`Conversations::delete`] does it, all in one step. Returns those that are gone.
    ///
    /// # Errors
    /// Those of [`Conversations::delete`].
    pub fn retain(&self, retention: &Retention) -> Result<Vec<ConversationId>, StoreError> {
        let before = retention.updated_before_ms.map_or(0, rows::sql_time);
        let kept = retention.conversations_max.map_or(i64::MAX, i64::from);
        let gone = self.shared().change(|connection, _| {
            let mut statement = connection.prepare(
                "SELECT id, stable_id, updated_ms FROM conversation WHERE pinned = 0 ORDER BY updated_ms DESC, id DESC",
            )?;
            let mut found = statement.query([])?;
            let (mut place, mut gone) = (0, Vec::new());
            while let Some(row) = found.next()? {
                place += 1;
                if place > kept || row.get::<_, i64>(2)? < before {
                    gone.push((row.get::<_, i64>(0)?, rows::stable_id(row, 1)?));
                }
            }
            for (row, _) in &gone {
                rows::delete(connection, *row)?;
            }
            Ok(gone)
        })?;
        if !gone.is_empty() {
            self.shared().empty_log_after(&self.shared().writer()?.0)?;
        }
        Ok(gone.into_iter().map(|(_, id)| id).collect())
    }
}
