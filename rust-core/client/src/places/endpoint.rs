//! An endpoint of the policy, over the network.

use std::sync::Arc;

use tokio::runtime::Handle;
use whimbrel_engine::{ToolCall, ToolChoice};
use whimbrel_network::{
    Answer, ChatClient, ChatError, ChatEvent, ChatOptions, Delivery, Endpoint, Failure, Finished, Secret, ServerCode,
    Traffic,
};
use whimbrel_policy::{Ended, Usage};
use whimbrel_privacy::{Cleared, Release};
use whimbrel_record::{Code, FinishReason, Tokens};
use whimbrel_store::KeyVault;

use super::{Ask, Attempt, Backend, BoxFuture, Part, Payload, changes};
use crate::keys;
use crate::{ClientError, GenerationOptions};

/// See the module.
pub(crate) struct RemoteEndpoint {
    pub(crate) chat: Arc<ChatClient>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) vault: Option<Arc<dyn KeyVault>>,
    pub(crate) handle: Handle,
}

impl Backend for RemoteEndpoint {
    fn ask(&self, ask: Ask) -> Box<dyn Attempt> {
        let state = match ask.payload {
            Payload::Cleared(cleared) => State::Ready(Box::new(Sending {
                options: ChatOptions {
                    wait_ms_max: ask.wait_ms_max,
                    ..chat_options(&ask.options, &ask.id)
                },
                key: key(self.vault.clone(), self.endpoint.id().to_owned(), self.handle.clone()),
                cleared,
            })),
            Payload::Messages(_) | Payload::Raw { .. } => State::Failed(Code::NotCleared),
        };
        Box::new(Asked {
            chat: self.chat.clone(),
            endpoint: self.endpoint.clone(),
            state,
            usage: Usage::default(),
            has_key: false,
            has_words: false,
            is_stopped: false,
        })
    }

    fn unsupported(&self, options: &GenerationOptions) -> Vec<&'static str> {
        let sampling = &options.sampling;
        // What has a field in the request, and a value that the field does not take.
        let sent = chat_options(options, "");
        let top_p = sampling.top_p.filter(|top_p| !is_whole(*top_p));
        [
            ("max_tokens", options.max_tokens == 0),
            ("temperature", is_lost(&sampling.temperature, &sent.temperature)),
            ("top_p", is_lost(&top_p, &sent.top_p)),
            ("seed", is_lost(&sampling.seed, &sent.seed)),
            ("top_k", changes(&sampling.top_k, 0)),
            ("min_p", changes(&sampling.min_p, 0.0)),
            ("repetition_penalty", changes(&sampling.repetition_penalty, 1.0)),
            ("thinking", options.thinking.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_given)| is_given.then_some(name))
        .collect()
    }
}

/// A request to an endpoint.
struct Asked {
    chat: Arc<ChatClient>,
    endpoint: Arc<Endpoint>,
    state: State,
    usage: Usage,
    /// A key was sent along.
    has_key: bool,
    /// Something that can be read was said: blanks are no answer.
    has_words: bool,
    is_stopped: bool,
}

enum State {
    Ready(Box<Sending>),
    Streaming(Answer),
    Failed(Code),
}

/// What is sent, and the key, which the vault has yet to give.
struct Sending {
    cleared: Cleared,
    options: ChatOptions,
    key: BoxFuture<'static, Result<Option<Secret>, Code>>,
}

impl Asked {
    async fn read(&mut self) -> Part {
        loop {
            match &mut self.state {
                State::Failed(code) => return Part::end(Ended::failed(*code)),
                State::Ready(_) if self.is_stopped => return Part::end(Ended::skipped(Code::NotBegun)),
                State::Ready(sending) => {
                    let key = match sending.key.as_mut().await {
                        Ok(key) => key,
                        Err(code) => return Part::end(Ended::failed(code)),
                    };
                    self.has_key = key.is_some();
                    let cleared = sending.cleared.clone();
                    if cleared.release() == Release::Redacted {
                        self.usage.redacted = cleared.redactions().clone();
                        self.usage.repeated = cleared.repeated().clone();
                    }
                    let answer = self.chat.chat(&self.endpoint, cleared, &sending.options, key.as_ref());
                    match answer {
                        Ok(answer) => self.state = State::Streaming(answer),
                        Err(error) => return Part::end(self.failure(&error)),
                    }
                }
                State::Streaming(answer) => {
                    let event = answer.next().await;
                    let traffic = answer.traffic();
                    match event {
                        Some(Ok(ChatEvent::Started { .. })) => {}
                        Some(Ok(ChatEvent::Thinking(text))) => return Part::Thinking(text),
                        Some(Ok(ChatEvent::Text(text))) => {
                            self.has_words |= text.contains(|character: char| !is_blank(character));
                            return Part::Text(text);
                        }
                        Some(Ok(ChatEvent::Call(call))) => {
                            return Part::Call(ToolCall {
                                name: call.name,
                                arguments: call.arguments,
                            });
                        }
                        Some(Ok(ChatEvent::Finished(finished))) => return self.finished(&finished, traffic),
                        Some(Err(error)) => return Part::end(self.failure(&error)),
                        None => return Part::end(Ended::failed(Code::Ended)),
                    }
                }
            }
        }
    }

    fn finished(&mut self, finished: &Finished, traffic: Traffic) -> Part {
        let usage = finished.usage.unwrap_or_default();
        self.usage.tokens = Tokens {
            input: usage.prompt_tokens,
            output: usage.completion_tokens,
        };
        use whimbrel_network::FinishReason as Reason;
        let result = match finished.finish_reason {
            Reason::ContentFilter => Ok(FinishReason::ContentFilter),
            Reason::ToolCalls => Ok(FinishReason::ToolCalls),
            Reason::Refusal => Err(Code::Refusal),
            Reason::Error => Err(Code::Reported),
            Reason::Length if !self.has_words => Err(Code::CutOff),
            _ if !self.has_words => Err(Code::EmptyAnswer),
            Reason::Stop => Ok(FinishReason::Stop),
            Reason::Length => Ok(FinishReason::Length),
            Reason::Other | Reason::Unstated => Ok(FinishReason::Unstated),
        };
        let usage = self.used(traffic);
        Part::end(Ended {
            usage,
            ..result.map_or_else(Ended::failed, |reason| Ended::finished(reason, Usage::default()))
        })
    }

    fn failure(&mut self, error: &ChatError) -> Ended {
        Ended {
            is_skipped: matches!(error.failure, Failure::CircuitOpen { .. }),
            is_turned_away: matches!(error.delivery, Delivery::NotSent | Delivery::Refused),
            usage: self.used(error.traffic),
            ..Ended::failed(code(&error.failure, self.has_key))
        }
    }

    /// Nothing was replaced in text that did not leave.
    fn used(&mut self, traffic: Traffic) -> Usage {
        let mut usage = std::mem::take(&mut self.usage);
        (usage.bytes_out, usage.bytes_in) = (traffic.bytes_out, traffic.bytes_in);
        if traffic.bytes_out == 0 {
            usage.redacted.clear();
            usage.repeated.clear();
        }
        usage
    }
}

impl Attempt for Asked {
    fn next(&mut self) -> BoxFuture<'_, Part> {
        Box::pin(self.read())
    }

    fn stop(&mut self) {
        self.is_stopped = true;
        if let State::Streaming(answer) = &self.state {
            answer.cancel();
        }
    }
}

/// The endpoint's key, if one was stored. The vault may take its time.
fn key(
    vault: Option<Arc<dyn KeyVault>>,
    id: String,
    handle: Handle,
) -> BoxFuture<'static, Result<Option<Secret>, Code>> {
    Box::pin(async move {
        let Some(vault) = vault else { return Ok(None) };
        let read = handle.spawn_blocking(move || keys::read(&*vault, &id));
        match read.await {
            Ok(Ok(key)) => Ok(key),
            Ok(Err(ClientError::Key(_))) => Err(Code::KeyUnreadable),
            _ => Err(Code::KeyVault),
        }
    })
}

/// The options as the request has fields for them. A value that a field does not take is left out, and a limit of 0 tokens becomes 1;
/// [`Backend::unsupported`] says so.
fn chat_options(options: &GenerationOptions, request_id: &str) -> ChatOptions {
    let mut chat = ChatOptions::new(request_id);
    let sampling = &options.sampling;
    chat.max_tokens = Some(options.max_tokens.max(1));
    chat.temperature = sampling.temperature.filter(|value| (0.0..=2.0).contains(value));
    chat.top_p = sampling.top_p.filter(|value| *value > 0.0 && !is_whole(*value));
    chat.seed = sampling.seed.and_then(|seed| i64::try_from(seed).ok());
    let choice = options.tools.as_ref().map_or(ToolChoice::None, |tools| tools.choice);
    (chat.may_call, chat.must_call) = (choice != ToolChoice::None, choice == ToolChoice::Required);
    chat
}

/// Whether an option was given and has no field.
fn is_lost<T, U>(given: &Option<T>, sent: &Option<U>) -> bool {
    given.is_some() && sent.is_none()
}

/// Whether a share of the probability is all of it, which needs no field.
fn is_whole(top_p: f32) -> bool {
    top_p >= 1.0
}

/// A character that shows nothing.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || character.is_control() || "\u{200b}\u{2060}\u{feff}".contains(character)
}

pub(crate) fn code(failure: &Failure, has_key: bool) -> Code {
    match failure {
        Failure::Unreachable => Code::Unreachable,
        Failure::NotLoopback => Code::NotLoopback,
        Failure::Handshake => Code::Handshake,
        Failure::Certificate { .. } => Code::Certificate,
        Failure::TimedOut { .. } => Code::TimedOut,
        Failure::Lost => Code::Lost,
        Failure::Truncated => Code::Truncated,
        Failure::Refused { status, code, .. } => said(*code, has_key).unwrap_or(match status {
            408 => Code::TimedOut,
            // The server could not take the request now, whatever it was.
            421 | 423 | 424 | 425 | 500.. => Code::Server,
            _ => Code::Refused,
        }),
        Failure::Reported { code } => said(*code, has_key).unwrap_or(Code::Reported),
        Failure::Redirected { .. } => Code::Redirected,
        Failure::CircuitOpen { .. } => Code::CircuitOpen,
        Failure::Protocol => Code::Protocol,
        Failure::ContentType => Code::ContentType,
        Failure::Malformed { .. } => Code::Malformed,
        Failure::BadCall { .. } => Code::BadCall,
        Failure::ResponseTooLarge { .. } => Code::TooLarge,
        Failure::RequestTooLarge { .. } => Code::RequestTooLarge,
        _ => Code::Request,
    }
}

/// The code for what a server said; `None` when that says only whose fault it is.
fn said(code: ServerCode, has_key: bool) -> Option<Code> {
    Some(match code {
        ServerCode::InvalidKey if !has_key => Code::KeyMissing,
        ServerCode::InvalidKey | ServerCode::Forbidden => Code::Unauthorised,
        ServerCode::ContextLength => Code::ContextFull,
        ServerCode::NotFound => Code::NotFound,
        ServerCode::RateLimited => Code::RateLimited,
        ServerCode::QuotaExceeded => Code::Payment,
        ServerCode::ContentFiltered => Code::ContentFilter,
        ServerCode::RequestTooLarge => Code::RequestTooLarge,
        ServerCode::UnsupportedOption => Code::UnsupportedOption,
        ServerCode::Overloaded | ServerCode::ServerError | ServerCode::InvalidRequest | ServerCode::Unstated => {
            return None;
        }
    })
}
