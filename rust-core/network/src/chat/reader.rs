//! Reading a response that is an answer: its stream of events, or its one JSON body, becomes events for the caller.

use tokio::time::Instant;

use crate::Failure;
use crate::chat::answer::{ChatEvent, EventSender, Finished};
use crate::chat::completion::{self, FinishReason, Piece, Usage};
use crate::chat::sse::{EVENT_BYTES_MAX, SseError, SseEvent, SseParser};
use crate::http::breaker::Verdict;
use crate::http::exchange::IncomingResponse;
use crate::http::pool::{CircuitPermit, EndpointState, elapsed_ms};
use crate::http::traffic::{Delivery, RequestProgress};

/// The largest answer of a server that does not stream, in bytes; it has to be in memory at once.
pub const JSON_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// Reads one answer.
pub(crate) struct AnswerReader<'a> {
    endpoint: &'a EndpointState,
    progress: &'a RequestProgress,
    events: &'a EventSender,
    begun: Instant,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
    model: Option<String>,
    text_bytes: u64,
    first_text_ms: Option<u64>,
    byte_seen: bool,
}

impl<'a> AnswerReader<'a> {
    /// A reader for an answer of `endpoint` to a request that was made at `begun`.
    pub(crate) fn new(
        endpoint: &'a EndpointState,
        progress: &'a RequestProgress,
        events: &'a EventSender,
        begun: Instant,
    ) -> AnswerReader<'a> {
        AnswerReader {
            endpoint,
            progress,
            events,
            begun,
            finish_reason: None,
            usage: None,
            model: None,
            text_bytes: 0,
            first_text_ms: None,
            byte_seen: false,
        }
    }

    /// Reads the answer to its end. Gives the response back if more may follow on its connection.
    pub(crate) async fn read(
        mut self,
        mut response: IncomingResponse,
        permit: &mut CircuitPermit,
    ) -> Result<Option<IncomingResponse>, Failure> {
        self.progress.set_delivery(Delivery::Answered);
        let started = ChatEvent::Started {
            traffic: self.progress.traffic(),
            http2: response.is_http2(),
        };
        self.events.send(started).await?;
        if response
            .header("content-encoding")
            .is_some_and(|coding| coding != "identity")
        {
            return Err(Failure::ContentType);
        }
        let media_type = response.header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let open = if media_type.eq_ignore_ascii_case("text/event-stream") {
            self.read_events(&mut response).await?
        } else if media_type.eq_ignore_ascii_case("application/json") {
            self.read_json(&mut response).await?;
            false
        } else {
            return Err(Failure::ContentType);
        };
        permit.settle(Verdict::Works);
        let finished = Finished {
            finish_reason: self.finish_reason.unwrap_or(FinishReason::Unstated),
            usage: self.usage,
            model: self.model,
            traffic: self.progress.traffic(),
            text_bytes: self.text_bytes,
            first_text_ms: self.first_text_ms,
            total_ms: elapsed_ms(self.begun),
        };
        self.events.send(ChatEvent::Finished(finished)).await?;
        Ok(open.then_some(response))
    }

    /// Reads a stream to its last word (`true`) or, after a finish reason, to its end (`false`).
    async fn read_events(&mut self, response: &mut IncomingResponse) -> Result<bool, Failure> {
        let bytes_max = u64::from(self.endpoint.endpoint().settings().response_bytes_max);
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        loop {
            let data = match response.next(bytes_max).await {
                Ok(Some(data)) => data,
                // The model has said that it is done; how the connection ends does not matter then.
                Ok(None) | Err(Failure::Lost | Failure::Truncated) if self.finish_reason.is_some() => return Ok(false),
                Ok(None) => return Err(Failure::Truncated),
                Err(failure) => return Err(failure),
            };
            self.record_first_byte(response);
            let parsed = parser.push(&data, &mut events);
            for event in events.drain(..) {
                if event.data == "[DONE]" {
                    return Ok(true);
                }
                self.take_piece(read_event(&event)?).await?;
            }
            parsed.map_err(|error| match error {
                SseError::TooLong => Failure::ResponseTooLarge {
                    what: "one event",
                    bytes_max: u64::from(EVENT_BYTES_MAX),
                },
                SseError::NotUtf8 => Failure::Malformed { what: "UTF-8" },
            })?;
        }
    }

    /// Reads the answer of a server that does not stream.
    async fn read_json(&mut self, response: &mut IncomingResponse) -> Result<(), Failure> {
        let settings = self.endpoint.endpoint().settings();
        let bytes_max = settings.response_bytes_max.min(JSON_BYTES_MAX);
        let mut body = Vec::new();
        while let Some(data) = response.next(u64::from(bytes_max)).await? {
            self.record_first_byte(response);
            body.extend_from_slice(&data);
        }
        self.take_piece(completion::read_piece(&body)?).await
    }

    fn record_first_byte(&mut self, response: &IncomingResponse) {
        if !std::mem::replace(&mut self.byte_seen, true) {
            self.endpoint.record_first_byte(elapsed_ms(response.body_taken_at()));
        }
    }

    async fn take_piece(&mut self, piece: Piece) -> Result<(), Failure> {
        self.finish_reason = piece.finish_reason.or(self.finish_reason);
        self.usage = piece.usage.or(self.usage);
        if self.model.is_none() {
            self.model = piece.model;
        }
        let Some(text) = piece.text.filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        self.progress.set_text_seen();
        self.text_bytes += text.len() as u64;
        self.first_text_ms.get_or_insert_with(|| elapsed_ms(self.begun));
        self.events.send(ChatEvent::Text(text)).await
    }
}

fn read_event(event: &SseEvent) -> Result<Piece, Failure> {
    if event.data.is_empty() {
        return Ok(Piece::default());
    }
    if event.name == "error" {
        let code = completion::read_error(event.data.as_bytes());
        return Err(Failure::Reported { code });
    }
    completion::read_piece(event.data.as_bytes())
}
