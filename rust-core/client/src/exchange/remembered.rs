//! Answers that are given again: an answer is found by everything that it depends on. Which may be remembered, and for how long, is the
//! policy's to say ([`Plan::remembered_ms`]).

use std::sync::Arc;

use serde::Serialize;
use whimbrel_policy::{Candidate, Kept, Plan, Recipients};
use whimbrel_privacy::{PrivacyClass, Release};
use whimbrel_record::{Closing, FinishReason, Intent, Latency, Outcome, Place};
use whimbrel_store::{ConversationId, NewAnswer, Store};

use super::prepare::Prepared;
use super::{Answered, Job};
use crate::report::{AnsweredBefore, Event, Report};
use crate::request::{Message, Request};
use crate::rules::RulesSnapshot;
use crate::services::{OpenRecords, Services};
use crate::{ClientError, ContextPolicy, GenerationOptions, Role};

/// Version of the key.
const FORMAT: u32 = 1;

/// What an answer depends on.
#[derive(Serialize)]
struct Key<'a> {
    format: u32,
    question: &'a str,
    place: &'a Place,
    release: Option<Release>,
}

/// What an answer depends on, but for its place.
#[derive(Serialize)]
struct Question<'a> {
    policies: &'a str,
    messages: Vec<(Role, &'a str, Option<PrivacyClass>, Option<&'a Recipients>)>,
    task: &'a str,
    class: PrivacyClass,
    recipients: &'a Recipients,
    generation: GenerationOptions,
    context_length: u32,
    context_policy: ContextPolicy,
    /// The date, where the model's template prints it.
    day: Option<i64>,
}

/// A request whose answer may be remembered.
pub(super) struct Remembering {
    question: String,
    age_ms_max: u64,
}

/// An answer that was remembered.
pub(super) struct Remembered {
    text: String,
    before: AnsweredBefore,
}

impl Remembering {
    /// `None` if the policy lets no answer to this request be remembered.
    pub(super) fn of(
        rules: &RulesSnapshot,
        request: &Request,
        plan: &Plan,
        class: PrivacyClass,
        day: Option<i64>,
    ) -> Option<Remembering> {
        // What a tool gives may be another thing the next time, and what it does must not be left out.
        let age_ms_max = plan.remembered_ms.filter(|_| request.options.tools.is_empty())?;
        let messages = request.messages.iter().map(|message| {
            let Message {
                role, content, class, ..
            } = message;
            (*role, content.as_str(), *class, message.recipients.as_ref())
        });
        let question = Question {
            policies: &rules.policies_digest,
            messages: messages.collect(),
            task: &request.options.task,
            class,
            recipients: &plan.recipients,
            generation: GenerationOptions {
                // Neither changes an answer.
                speculation: true,
                confidence: false,
                ..request.options.generation.clone()
            },
            context_length: request.context_length,
            context_policy: request.context_policy,
            day,
        };
        Some(Remembering {
            question: serde_json::to_string(&question).expect("it has only texts as keys"),
            age_ms_max,
        })
    }

    fn key(&self, place: &Place, release: Option<Release>) -> Vec<u8> {
        let key = Key {
            format: FORMAT,
            question: &self.question,
            place,
            release,
        };
        serde_json::to_vec(&key).expect("it has only texts as keys")
    }

    /// The answer that this candidate gave before. Blocks.
    pub(super) fn find(&self, store: &Store, candidate: &Candidate, now_ms: u64) -> Option<Remembered> {
        let key = self.key(candidate.place(), candidate.release());
        let found = store.answers().get(&key, now_ms);
        let found = found.inspect_err(|error| log::warn!("remembered answers cannot be read: {error}"));
        let found = found.ok().flatten().filter(|found| found.age_ms <= self.age_ms_max)?;
        Some(Remembered {
            text: String::from_utf8(found.value).ok()?,
            before: AnsweredBefore {
                receipt: found.receipt,
                age_ms: found.age_ms,
            },
        })
    }
}

impl Answered {
    /// Remembers the answer, if it is a whole one and the policy allows it. What is kept of its conversation must be written before. Blocks.
    pub(crate) fn remember(&self, store: &Store, conversation: Option<ConversationId>, now_ms: u64) {
        let Report {
            receipt: Some(receipt),
            place: Some(place),
            ..
        } = &self.report
        else {
            return;
        };
        let is_whole = self.report.finish == Some(FinishReason::Stop) && self.kept == Kept::Exchange;
        let Some(remembering) = self
            .remembering
            .as_ref()
            .filter(|_| is_whole && self.report.is_answered())
        else {
            return;
        };
        let new = NewAnswer {
            key: &remembering.key(place, self.report.release),
            value: self.text.as_bytes(),
            receipt: *receipt,
            conversation,
            lifetime_ms: remembering.age_ms_max,
        };
        if let Err(error) = store.answers().put(&new, now_ms) {
            log::warn!("an answer cannot be remembered: {error}");
        }
    }

    /// As [`Answered::remember`], without blocking.
    pub(crate) async fn remember_aside(
        self,
        services: &Arc<Services>,
        records: Option<Arc<OpenRecords>>,
        conversation: Option<ConversationId>,
    ) -> Result<Report, ClientError> {
        let Some(records) = records.filter(|_| self.remembering.is_some()) else {
            return Ok(self.report);
        };
        let remembered = services.blocking(move |services| {
            if let Ok(store) = records.store() {
                self.remember(store, conversation, services.clock.now_ms());
            }
            self.report
        });
        remembered.await
    }
}

/// Gives an answer again. The receipt says so: nothing was asked, and nothing can have been sent.
pub(super) async fn give_again(
    services: &Arc<Services>,
    job: Job,
    prepared: Prepared,
    remembered: Remembered,
    began_ms: u64,
) -> Result<Answered, ClientError> {
    let Remembered { text, before } = remembered;
    let plan = prepared.plan;
    let total_ms = services.clock.elapsed_ms().saturating_sub(began_ms);
    let closing = Closing {
        finish: Some(FinishReason::Stop),
        answered_before: Some(before.receipt),
        latency: Latency {
            first_token_ms: Some(total_ms),
            total_ms,
            ..Latency::default()
        },
        ..Closing::new(Outcome::Answered)
    };
    let intent = prepared.intent.map(|intent| Intent {
        planned: Vec::new(),
        ..intent
    });
    let receipt = match intent {
        None => None,
        Some(intent) => {
            let records = job.under_way.records()?;
            let recorded = services.blocking(move |services| {
                let now_ms = services.clock.now_ms();
                Ok::<_, ClientError>(records.record(&intent, &closing, now_ms)?)
            });
            Some(recorded.await??)
        }
    };
    // A reader who has gone does not want to hear it.
    let _ = job.events.send(Ok(Event::Text(text.clone()))).await;
    let candidate = plan.candidates.first();
    let reasons = candidate.map_or(&[][..], Candidate::reasons);
    Ok(Answered {
        kept: Kept::Exchange,
        recipients: plan.recipients.clone(),
        report: Report {
            receipt,
            answered_before: Some(before),
            finish: Some(FinishReason::Stop),
            place: candidate.map(|candidate| candidate.place().clone()),
            reasons: reasons.iter().map(ToString::to_string).collect(),
            rules: plan.rule_ids(),
            first_token_ms: Some(total_ms),
            total_ms,
            refused: plan.refused,
            considered: plan.considered,
            ..Report::new(Outcome::Answered, prepared.device)
        },
        text,
        remembering: None,
        examined: prepared.examined,
        placeholders: job.placeholders,
        calls: Vec::new(),
        class: prepared.class,
    })
}
