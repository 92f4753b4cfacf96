//! The executor of the commands, which holds each against the laws.

use std::collections::BTreeSet;

use whimbrel_policy::outbox::{Command, Entry, IdempotencyKey, LEASE_MS, Notice, OutboxError};

use super::{Died, End, Running, World};

impl World {
    pub(crate) fn first_of(&self, conversation: u64) -> Option<u64> {
        let entries = self.rows.values().map(|(_, entry)| entry);
        let of_conversation = entries.filter(|entry| entry.conversation() == conversation);
        of_conversation.min_by_key(|entry| entry.order()).map(Entry::id)
    }

    pub(super) fn carry_out(&mut self, commands: Vec<Command>) -> Result<(), Died> {
        for command in commands {
            if self.random.chance(self.death_percent) {
                return Err(Died);
            }
            match command {
                Command::Persist(entry) => self.persist(&entry),
                Command::Send { id, lease, key } => {
                    let (_, row) = &self.rows[&id];
                    assert!(row.is_leased(), "a lease is on the disk before anything is sent");
                    assert_eq!(row.key(), key);
                    assert!(row.needs().are_met(self.conditions), "sent without what it needs");
                    self.check_age(id, key);
                    self.send(id, lease, key);
                }
                Command::Stop { id, lease } => self.stop(id, lease),
                Command::Complete { id } => self.end(id, End::Answered),
                Command::Expire { id } => self.end(id, End::Expired),
                Command::Remove { id } => self.end(id, End::Cancelled),
                Command::Tell { id, notice, .. } => {
                    if matches!(notice, Notice::Queued) {
                        assert!(self.rows.contains_key(&id), "acknowledged before it was on the disk");
                    }
                    match self.rows.contains_key(&id) {
                        true => self.told.insert(id, notice),
                        false => self.told.remove(&id),
                    };
                }
                Command::WakeAt(wakes) => self.wakes = wakes,
                Command::Idle => assert!(self.running.iter().all(|running| running.is_stopped)),
            }
        }
        self.is_clock_seen = true;
        self.check_all();
        Ok(())
    }

    fn persist(&mut self, entry: &Entry) {
        if let Some((_, before)) = self.rows.insert(entry.id(), (entry.encode(), entry.clone())) {
            let is_edited = before.key() != entry.key();
            assert!(!is_edited || self.editing == Some(entry.id()), "the key is stable");
            assert_eq!(before.order(), entry.order());
        }
    }

    fn send(&mut self, id: u64, lease: u64, key: IdempotencyKey) {
        let conversation = self.questions[&id].conversation;
        assert_eq!(self.first_of(conversation), Some(id), "only the first is sent");
        let same = |running: &&Running| running.conversation == conversation && !running.is_stopped;
        if let Some(other) = self.running.iter().find(same) {
            panic!("{id} was sent while {} was being sent", other.id);
        }
        assert!(self.true_ms < self.run_ends_ms, "sent outside of a run");
        self.running.push(Running {
            id,
            conversation,
            lease,
            key,
            since_ms: self.true_ms,
            lasts_ms: LEASE_MS,
            is_stopped: false,
        });
    }

    /// Nothing old is sent unless the user wants it, if the app wants the user to be asked.
    fn check_age(&self, id: u64, key: IdempotencyKey) {
        let is_young = |after_ms| self.true_ms - self.questions[&id].asked_ms[&key] < after_ms;
        let may_be_sent = self.options.confirm_after_ms.is_none_or(is_young);
        assert!(
            may_be_sent || self.confirmed.contains(&key) || !self.are_ages_known,
            "{id} was sent without being confirmed"
        );
    }

    /// An attempt is stopped only if its lease or the run is over, by true time.
    fn stop(&mut self, id: u64, lease: u64) {
        let (now_ms, is_run_over) = (self.true_ms, self.true_ms >= self.run_ends_ms);
        let is_it = |running: &&mut Running| running.id == id && running.lease == lease;
        if let Some(running) = self.running.iter_mut().find(is_it) {
            let is_lease_over = now_ms - running.since_ms >= running.lasts_ms;
            assert!(is_run_over || is_lease_over, "a running lease was freed");
            running.is_stopped = true;
        }
    }

    fn end(&mut self, id: u64, end: End) {
        let (_, row) = self.rows.remove(&id).expect("it ends once");
        let question = self.questions.get_mut(&id).unwrap();
        assert_eq!(question.end, None);
        question.end = Some(end);
        let age_ms = self.true_ms - question.asked_ms[&row.key()];
        match end {
            End::Answered => {
                assert_eq!(self.answering, Some(row.key()), "the answer is to another text");
                let answers = self.answers.entry(question.conversation).or_default();
                assert!(!answers.contains(&id), "answered twice");
                answers.push(id);
            }
            End::Expired if self.are_ages_known => assert!(Some(age_ms) >= question.deadline_ms, "expired early"),
            End::Expired | End::Cancelled => {}
        }
    }

    /// What holds after every event that was carried out completely.
    fn check_all(&self) {
        let now = self.now();
        let mut leased = BTreeSet::new();
        let mut bytes = 0;
        for entry in self.outbox.entries() {
            let id = entry.id();
            bytes += entry.bytes();
            assert_eq!(self.told.get(&id).copied(), self.outbox.notice(id), "the app knows");
            assert!(self.rows.contains_key(&id));
            if entry.is_leased() {
                assert!(leased.insert(entry.conversation()), "one lease per conversation");
            } else if self.are_ages_known {
                let age_ms = self.true_ms - self.questions[&id].asked_ms[&entry.key()];
                assert_eq!(entry.age_ms(now), age_ms);
                assert!(
                    entry.deadline_ms().is_none_or(|deadline_ms| age_ms < deadline_ms),
                    "expired late"
                );
            }
        }
        assert_eq!(
            (self.outbox.bytes(), self.outbox.len()),
            (bytes, self.rows.len() as u64)
        );
        assert!(leased.len() <= self.options.leases_max as usize);
        assert!(self.outbox.len() <= self.options.entries_max && bytes <= self.options.bytes_max);
        for (id, question) in &self.questions {
            assert!(question.end.is_some() || self.rows.contains_key(id), "{id} is lost");
        }
    }

    /// Requests whose attempts died with their process are sent again at once.
    pub(super) fn check_interrupted(&self, interrupted: &BTreeSet<u64>) {
        for id in interrupted {
            let Some(entry) = self.outbox.entry(*id) else { continue };
            let is_asked_for = self.told[id] == Notice::NeedsConfirmation;
            let has_place = self.options.leases_max as usize >= super::CONVERSATIONS.len();
            if has_place && entry.needs().are_met(self.conditions) && !is_asked_for {
                assert!(entry.is_leased(), "{id} waits after a restart: {entry:?}");
            }
        }
    }

    pub(super) fn check_refusal(&self, id: u64, error: OutboxError) {
        let entry = self.outbox.entry(id);
        match error {
            OutboxError::Unknown { .. } => assert!(entry.is_none() && self.questions[&id].end.is_some()),
            OutboxError::Sending { .. } => assert!(entry.unwrap().is_leased()),
            OutboxError::NotAsked { .. } => assert_ne!(self.outbox.notice(id), Some(Notice::NeedsConfirmation)),
            OutboxError::NoSpace { .. } => {}
            other => panic!("{other}"),
        }
    }

    /// What holds in the end: the app knows why the first of the stuck conversation is stuck, and that the others wait for it.
    pub(crate) fn check_stuck(&self) {
        let mut entries = self.outbox.entries();
        let Some(first) = entries.next() else { return };
        assert_eq!(first.conversation(), super::STUCK);
        assert!(matches!(self.told[&first.id()], Notice::Stuck(_)), "{first:?}");
        for entry in entries {
            assert_eq!(self.told[&entry.id()], Notice::Blocked { by: first.id() });
        }
        assert!(!self.answers.contains_key(&super::STUCK));
    }
}
