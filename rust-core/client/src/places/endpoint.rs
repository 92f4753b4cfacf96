//! An endpoint of the policy, over the network.

use std::sync::Arc;

use tokio::runtime::Handle;
use whimbrel_engine::SamplingOptions;
use whimbrel_network::{
    Answer, ChatClient, ChatError, ChatEvent, ChatOptions, Endpoint, Failure, Finished, Secret, ServerCode, Traffic,
};
use whimbrel_policy::{Ended, Usage};
use whimbrel_privacy::{Cleared, Release};
use whimbrel_record::{Code, FinishReason, Tokens};
use whimbrel_store::KeyVault;

use super::{Ask, Attempt, Backend, BoxFuture, Last, Part, Payload};
use crate::GenerationOptions;
use crate::keys;

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
                options: chat_options(&ask.options, &ask.id),
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
            is_stopped: false,
        })
    }

    fn unsupported(&self, options: &GenerationOptions) -> Vec<&'static str> {
        let (sampling, defaults) = (&options.sampling, SamplingOptions::default());
        [
            ("top_k", sampling.top_k != defaults.top_k),
            ("min_p", sampling.min_p != defaults.min_p),
            (
                "repetition_penalty",
                sampling.repetition_penalty != defaults.repetition_penalty,
            ),
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
                State::Failed(code) => return failed(Ended::failed(*code)),
                State::Ready(_) if self.is_stopped => return failed(Ended::skipped(Code::NotBegun)),
                State::Ready(sending) => {
                    let key = match sending.key.as_mut().await {
                        Ok(key) => key,
                        Err(code) => return failed(Ended::failed(code)),
                    };
                    let cleared = sending.cleared.clone();
                    if cleared.release() == Release::Redacted {
                        self.usage.redacted = cleared.redactions().clone();
                    }
                    let answer = self.chat.chat(&self.endpoint, cleared, &sending.options, key.as_ref());
                    match answer {
                        Ok(answer) => self.state = State::Streaming(answer),
                        Err(error) => return failed(self.failure(&error)),
                    }
                }
                State::Streaming(answer) => {
                    let event = answer.next().await;
                    let traffic = answer.traffic();
                    match event {
                        Some(Ok(ChatEvent::Started { .. })) => {}
                        Some(Ok(ChatEvent::Text(text))) => return Part::Text(text),
                        Some(Ok(ChatEvent::Finished(finished))) => return self.finished(&finished, traffic),
                        Some(Err(error)) => return failed(self.failure(&error)),
                        None => return failed(Ended::failed(Code::Ended)),
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
        let reason = match finished.finish_reason {
            whimbrel_network::FinishReason::Stop => FinishReason::Stop,
            whimbrel_network::FinishReason::Length => FinishReason::Length,
            whimbrel_network::FinishReason::ContentFilter => FinishReason::ContentFilter,
            whimbrel_network::FinishReason::ToolCalls => FinishReason::ToolCalls,
            _ => FinishReason::Unstated,
        };
        let usage = self.used(traffic);
        Part::Ended(Box::new(Ended::finished(reason, usage).into()))
    }

    fn failure(&mut self, error: &ChatError) -> Ended {
        Ended {
            is_skipped: matches!(error.failure, Failure::CircuitOpen { .. }),
            usage: self.used(error.traffic),
            ..Ended::failed(code(&error.failure))
        }
    }

    /// Nothing was replaced in text that did not leave.
    fn used(&mut self, traffic: Traffic) -> Usage {
        let mut usage = std::mem::take(&mut self.usage);
        (usage.bytes_out, usage.bytes_in) = (traffic.bytes_out, traffic.bytes_in);
        if traffic.bytes_out == 0 {
            usage.redacted.clear();
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

fn failed(ended: Ended) -> Part {
    Part::Ended(Box::new(Last::from(ended)))
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
            _ => Err(Code::KeyVault),
        }
    })
}

fn chat_options(options: &GenerationOptions, request_id: &str) -> ChatOptions {
    let mut chat = ChatOptions::new(request_id);
    let sampling = &options.sampling;
    chat.max_tokens = Some(options.max_tokens);
    chat.temperature = Some(sampling.temperature);
    chat.top_p = (sampling.top_p < 1.0).then_some(sampling.top_p);
    let is_given = sampling.seed != SamplingOptions::default().seed;
    chat.seed = i64::try_from(sampling.seed).ok().filter(|_| is_given);
    chat
}

fn code(failure: &Failure) -> Code {
    match failure {
        Failure::Unreachable => Code::Unreachable,
        Failure::NotLoopback => Code::NotLoopback,
        Failure::Handshake => Code::Handshake,
        Failure::Certificate { .. } => Code::Certificate,
        Failure::TimedOut { .. } => Code::TimedOut,
        Failure::Lost => Code::Lost,
        Failure::Truncated => Code::Truncated,
        Failure::Refused {
            code: ServerCode::InvalidKey | ServerCode::Forbidden,
            ..
        } => Code::Unauthorised,
        Failure::Refused { status: 429, .. } => Code::RateLimited,
        Failure::Refused { status: 500.., .. } => Code::Server,
        Failure::Refused { .. } => Code::Refused,
        Failure::Redirected { .. } => Code::Redirected,
        Failure::Reported { .. } => Code::Reported,
        Failure::CircuitOpen { .. } => Code::CircuitOpen,
        Failure::Protocol => Code::Protocol,
        Failure::ContentType => Code::ContentType,
        Failure::Malformed { .. } => Code::Malformed,
        Failure::ResponseTooLarge { .. } => Code::TooLarge,
        _ => Code::Request,
    }
}
