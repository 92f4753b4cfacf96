//! Places that record what they get and answer, fail, or hang as chance has it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use whimbrel_client::policy::{
    Availability, Candidate, CandidateFacts, Ended, Endpoint, LocalModelFacts, PolicySet, RequestFacts,
    SystemModelFacts, Usage,
};
use whimbrel_client::ports::{Ask, Attempt, Backend, Backends, BoxFuture, Part, Payload};
use whimbrel_client::privacy::{PrivacyClass, Release, Speaker};
use whimbrel_client::record::{Code, FinishReason, Place};
use whimbrel_client::{ToolCall, ToolChoice};
use whimbrel_testing::Random;

use crate::records::Memory;

/// Stands in every answer.
pub(crate) const ANSWER_MARK: &str = "theanswerto";

/// A text that left.
pub(crate) struct Sent {
    pub(crate) url: String,
    /// The most private text that may go there in this form, by the policy that decided.
    pub(crate) class_max: PrivacyClass,
    pub(crate) release: Release,
    pub(crate) text: String,
    /// Whether a receipt that names the endpoint was open.
    pub(crate) had_receipt: bool,
}

/// What every place shares.
pub(crate) struct Recording {
    random: Mutex<Random>,
    sent: Arc<Mutex<Vec<Sent>>>,
    records: Arc<Memory>,
}

impl Recording {
    pub(crate) fn new(seed: u64, records: Arc<Memory>) -> Recording {
        Recording {
            random: Mutex::new(Random::new(seed)),
            sent: Arc::default(),
            records,
        }
    }

    /// What left since the last time.
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

impl Backends for Recording {
    fn facts(&self, _: &RequestFacts) -> CandidateFacts {
        let mut random = self.random.lock().unwrap();
        CandidateFacts {
            local_models: vec![LocalModelFacts {
                model: "tiny".into(),
                variant: "q4_0".into(),
                ready: random.chance(85),
                ..LocalModelFacts::default()
            }],
            system_model: random.chance(70).then(|| SystemModelFacts {
                model: "nano".into(),
                availability: Availability::Available,
                ..SystemModelFacts::default()
            }),
            endpoints: Vec::new(),
        }
    }

    fn backend(&self, candidate: &Candidate, policies: &PolicySet) -> Result<Arc<dyn Backend>, Code> {
        let mut random = self.random.lock().unwrap();
        if random.chance(3) {
            return Err(Code::EndpointSettings);
        }
        Ok(Arc::new(Recorder {
            place: candidate.place().clone(),
            endpoint: candidate
                .endpoint_id()
                .map(|id| policies.app().endpoint(id).unwrap().clone()),
            parts: parts(&mut random),
            calls: [Some(crate::TOOL), Some(crate::TOOL), Some("no_such_tool"), None][random.below(4) as usize],
            sent: self.sent.clone(),
            records: self.records.clone(),
        }))
    }
}

/// What a place will say. `None` never comes.
fn parts(random: &mut Random) -> Vec<Option<Said>> {
    let answer = || {
        vec![
            Some(Said::Answer),
            Some(Said::Text(" and more")),
            Some(Said::End(Ok(FinishReason::Stop))),
        ]
    };
    match random.below(16) {
        0 => vec![Some(Said::End(Err(Code::Server)))],
        1 => vec![Some(Said::Answer), Some(Said::End(Err(Code::Truncated)))],
        2 => vec![Some(Said::End(Ok(FinishReason::Stop)))],
        3 => vec![Some(Said::Answer), Some(Said::End(Ok(FinishReason::ContentFilter)))],
        4 => vec![Some(Said::End(Err(Code::Busy)))],
        5 => vec![Some(Said::Answer), Some(Said::Panic)],
        6 => vec![Some(Said::Answer), Some(Said::End(Ok(FinishReason::Length)))],
        _ => answer(),
    }
}

#[derive(Clone, Copy)]
enum Said {
    /// Text that names the question.
    Answer,
    Text(&'static str),
    /// A call of a tool.
    Call,
    End(Result<FinishReason, Code>),
    Panic,
}

struct Recorder {
    place: Place,
    /// As the policy has it that decided.
    endpoint: Option<Endpoint>,
    parts: Vec<Option<Said>>,
    /// The tool that is called if there are some.
    calls: Option<&'static str>,
    sent: Arc<Mutex<Vec<Sent>>>,
    records: Arc<Memory>,
}

impl Backend for Recorder {
    fn ask(&self, ask: Ask) -> Box<dyn Attempt> {
        let question = match &ask.payload {
            Payload::Messages(messages) => {
                let steps = ask.options.tools.as_ref().and_then(|tools| tools.steps.last());
                steps.map_or_else(|| messages.last().unwrap().content.clone(), |step| step.result.clone())
            }
            Payload::Cleared(cleared) => {
                let mut said = cleared
                    .messages()
                    .iter()
                    .rev()
                    .filter(|message| !matches!(message.speaker, Speaker::Form | Speaker::Tools));
                said.next().unwrap().text.clone()
            }
            Payload::Raw { .. } => panic!("no raw text is asked"),
        };
        if let Place::Remote { endpoint, .. } = &self.place {
            let Payload::Cleared(cleared) = &ask.payload else {
                panic!("an endpoint got text that was not cleared")
            };
            assert_eq!(cleared.endpoint(), endpoint.as_str());
            let texts: Vec<_> = cleared.messages().iter().map(|message| message.text.as_str()).collect();
            let of_policy = self.endpoint.as_ref().unwrap();
            let release = cleared.release();
            self.sent.lock().unwrap().push(Sent {
                url: of_policy.base_url.to_string(),
                class_max: match release {
                    Release::AsIs => of_policy.class_max,
                    Release::Redacted => of_policy.class_max_redacted,
                },
                release,
                text: texts.join("\n"),
                had_receipt: self.records.is_open_for(endpoint.as_str()),
            });
        }
        let last_word = question.split_whitespace().last().unwrap_or_default().to_owned();
        let answer = format!("{ANSWER_MARK} {last_word}");
        let has_form = ask.options.form.is_some();
        let may_call = ask
            .options
            .tools
            .as_ref()
            .is_some_and(|tools| tools.choice != ToolChoice::None);
        let call = self.calls.filter(|_| may_call).map(|name| ToolCall {
            name: name.to_owned(),
            arguments: format!("{{\"about\": \"{last_word}\"}}"),
        });
        let parts = match call {
            Some(_) => vec![Some(Said::Call), Some(Said::End(Ok(FinishReason::ToolCalls)))],
            None => self.parts.clone(),
        };
        Box::new(Telling {
            answer: match has_form {
                true => format!("{{\"note\": \"{answer}\"}}"),
                false => answer,
            },
            // Nothing may follow what has the form.
            call,
            parts: parts
                .into_iter()
                .filter(|part| !(has_form && matches!(part, Some(Said::Text(_)))))
                .collect(),
            is_remote: self.place.is_remote(),
            is_stopped: false,
        })
    }
}

struct Telling {
    answer: String,
    call: Option<ToolCall>,
    parts: VecDeque<Option<Said>>,
    is_remote: bool,
    is_stopped: bool,
}

impl Attempt for Telling {
    fn next(&mut self) -> BoxFuture<'_, Part> {
        Box::pin(async {
            let usage = Usage {
                bytes_out: if self.is_remote { 100 } else { 0 },
                ..Usage::default()
            };
            if self.is_stopped {
                return Part::Ended(Box::new(Ended::failed(Code::Request).into()));
            }
            match self.parts.pop_front() {
                Some(Some(Said::Answer)) => Part::Text(self.answer.clone()),
                Some(Some(Said::Text(text))) => Part::Text(text.to_owned()),
                Some(Some(Said::Call)) => Part::Call(self.call.take().unwrap()),
                Some(Some(Said::End(result))) => Part::Ended(Box::new(
                    Ended {
                        usage,
                        ..result.map_or_else(Ended::failed, |reason| Ended::finished(reason, Usage::default()))
                    }
                    .into(),
                )),
                Some(Some(Said::Panic)) => std::panic::resume_unwind(Box::new("a place that panics")),
                Some(None) | None => std::future::pending().await,
            }
        })
    }

    fn stop(&mut self) {
        self.is_stopped = true;
    }
}
