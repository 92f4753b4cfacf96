//! What the user does with queued requests, and why that can be refused.

use super::clock::{Age, Moment};
use super::entry::{Entry, IdempotencyKey, NewEntry, Priority, State};
use super::message::{Command, Notice};
use super::{Outbox, persist};

/// Why the outbox refused what the user or the app wanted. Nothing has changed then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OutboxError {
    /// There is no such request: it never existed, or it has ended.
    #[error("there is no queued request {id}")]
    Unknown {
        /// The id that was given.
        id: u64,
    },
    /// An attempt has the request; it can be cancelled there.
    #[error("the queued request {id} is being sent")]
    Sending {
        /// Its id.
        id: u64,
    },
    /// The request does not wait for confirmation.
    #[error("the queued request {id} does not wait for confirmation")]
    NotAsked {
        /// Its id.
        id: u64,
    },
    /// There is another request with this id.
    #[error("there is already a queued request {id}")]
    IdInUse {
        /// The id.
        id: u64,
    },
    /// Another request, or this one before it was edited, has this idempotency key.
    #[error("the idempotency key belongs to the queued request {id}")]
    KeyInUse {
        /// That request.
        id: u64,
    },
    /// There are as many requests as the outbox holds. None of them is dropped for a new one.
    #[error("the outbox is full: it holds {entries_max} requests")]
    Full {
        /// The limit.
        entries_max: u64,
    },
    /// The request does not fit beside the others. None of them is dropped for it.
    #[error("the request has {bytes} bytes, but the outbox has only {bytes_free} of {bytes_max} left")]
    NoSpace {
        /// Its bytes.
        bytes: u64,
        /// Bytes that are left, without those of the request itself if it is edited.
        bytes_free: u64,
        /// The limit.
        bytes_max: u64,
    },
}

impl Outbox {
    /// Queues a request behind the others of its conversation. It is acknowledged when [`Command::Persist`] is on the disk.
    ///
    /// # Errors
    /// [`OutboxError::Full`], [`OutboxError::NoSpace`], [`OutboxError::IdInUse`], [`OutboxError::KeyInUse`].
    pub fn enqueue(&mut self, now: Moment, new: NewEntry) -> Result<Vec<Command>, OutboxError> {
        if self.ids.contains_key(&new.id) {
            return Err(OutboxError::IdInUse { id: new.id });
        }
        self.check_key(new.key)?;
        let entries_max = self.options.entries_max;
        if self.len() >= entries_max {
            return Err(OutboxError::Full { entries_max });
        }
        self.check_space(new.bytes, 0)?;
        let entries = self.conversations.entry(new.conversation).or_default();
        let order = entries.back().map_or(1, |last| last.order.saturating_add(1));
        let entry = Entry::new(new, order, now);
        let mut commands = vec![persist(&entry)];
        entries.push_back(entry);
        self.ids.insert(new.id, new.conversation);
        self.bytes = self.bytes.saturating_add(new.bytes);
        Ok(self.conclude(now, &mut commands))
    }

    /// Allows a request to be sent although it is old.
    ///
    /// # Errors
    /// [`OutboxError::NotAsked`], [`OutboxError::Unknown`].
    pub fn confirm(&mut self, now: Moment, id: u64) -> Result<Vec<Command>, OutboxError> {
        let entry = self.entry_mut(id).ok_or(OutboxError::Unknown { id })?;
        if entry.state != State::NeedsConfirmation {
            return Err(OutboxError::NotAsked { id });
        }
        entry.is_confirmed = true;
        entry.state = State::Waiting;
        let mut commands = vec![persist(entry)];
        Ok(self.conclude(now, &mut commands))
    }

    /// Replaces a request by another one at the same place in its conversation: it is as new as if it had just been queued. `key` is random
    /// again, so that no endpoint takes it for the earlier one. The text is the store's.
    ///
    /// # Errors
    /// [`OutboxError::Sending`], [`OutboxError::NoSpace`], [`OutboxError::KeyInUse`], [`OutboxError::Unknown`].
    pub fn edit(&mut self, now: Moment, id: u64, bytes: u64, key: IdempotencyKey) -> Result<Vec<Command>, OutboxError> {
        let bytes_before = self.queued(id)?.bytes;
        self.check_key(key)?;
        self.check_space(bytes, bytes_before)?;
        self.bytes = self.bytes.saturating_sub(bytes_before).saturating_add(bytes);
        let entry = self.queued(id)?;
        if entry.blocks() {
            entry.start_over();
        }
        entry.failures = 0;
        entry.paid_failures = 0;
        entry.last_failure = None;
        entry.is_confirmed = false;
        entry.bytes = bytes;
        entry.key = key;
        entry.age = Age::new(now);
        // An answer to the earlier text is not an answer to this one.
        entry.lease = entry.lease.saturating_add(1);
        let mut commands = vec![persist(entry)];
        Ok(self.conclude(now, &mut commands))
    }

    /// Removes a request.
    ///
    /// # Errors
    /// [`OutboxError::Sending`], [`OutboxError::Unknown`].
    pub fn cancel(&mut self, now: Moment, id: u64) -> Result<Vec<Command>, OutboxError> {
        self.queued(id)?;
        let mut commands = Vec::new();
        self.remove(id, Notice::Cancelled, &mut commands);
        Ok(self.conclude(now, &mut commands))
    }

    /// Changes the priority of a request. Its place in its conversation stays.
    ///
    /// # Errors
    /// [`OutboxError::Sending`], [`OutboxError::Unknown`].
    pub fn reprioritise(&mut self, now: Moment, id: u64, priority: Priority) -> Result<Vec<Command>, OutboxError> {
        let entry = self.queued(id)?;
        entry.priority = priority;
        let mut commands = vec![persist(entry)];
        Ok(self.conclude(now, &mut commands))
    }

    /// Sends a request as soon as its turn comes, without a further wait or question: the user wants it now. It keeps its key.
    ///
    /// # Errors
    /// [`OutboxError::Sending`], [`OutboxError::Unknown`].
    pub fn retry(&mut self, now: Moment, id: u64) -> Result<Vec<Command>, OutboxError> {
        let entry = self.queued(id)?;
        entry.start_over();
        entry.is_confirmed = true;
        let mut commands = vec![persist(entry)];
        Ok(self.conclude(now, &mut commands))
    }

    fn conclude(&mut self, now: Moment, commands: &mut Vec<Command>) -> Vec<Command> {
        self.settle(now, commands);
        self.carry_on(now, commands);
        std::mem::take(commands)
    }

    fn queued(&mut self, id: u64) -> Result<&mut Entry, OutboxError> {
        let entry = self.entry_mut(id).ok_or(OutboxError::Unknown { id })?;
        match entry.is_leased() {
            true => Err(OutboxError::Sending { id }),
            false => Ok(entry),
        }
    }

    fn check_key(&self, key: IdempotencyKey) -> Result<(), OutboxError> {
        match self.entries().find(|entry| entry.key == key) {
            Some(entry) => Err(OutboxError::KeyInUse { id: entry.id }),
            None => Ok(()),
        }
    }

    fn check_space(&self, bytes: u64, bytes_before: u64) -> Result<(), OutboxError> {
        let bytes_max = self.options.bytes_max;
        let bytes_free = bytes_max.saturating_sub(self.bytes.saturating_sub(bytes_before));
        match bytes <= bytes_free || bytes <= bytes_before {
            true => Ok(()),
            false => Err(OutboxError::NoSpace {
                bytes,
                bytes_free,
                bytes_max,
            }),
        }
    }
}
