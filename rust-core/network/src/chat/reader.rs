//! Reads a response that is an answer: converts its event stream, or its single JSON body, to events for the caller.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::Failure;
use crate::chat::answer::{ChatEvent, EventSender, Finished};
use crate::chat::calls::{CallReader, ChatCall};
use crate::chat::completion::{Piece, Usage};
use crate::chat::finish::FinishReason;
use crate::chat::sse::{EVENT_BYTES_MAX, SseError, SseParser};
use crate::chat::stream::EventReader;
use crate::http::breaker::Verdict;
use crate::http::exchange::IncomingResponse;
use crate::http::pool::{CircuitPermit, EndpointState, elapsed_ms};
use crate::http::traffic::{Delivery, RequestProgress};

/// Maximum answer of a server that does not stream, in bytes; the whole answer must be in memory at once.
pub const JSON_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// How long to wait for the token counts after the model's finish reason, and for the end of a body that looks complete, in milliseconds.
pub const LAST_WORD_MS_MAX: u64 = 1_000;
const LAST_WORD_LIMIT: Duration = Duration::from_millis(LAST_WORD_MS_MAX);

/// Reads one answer.
pub(crate) struct AnswerReader<'a> {
    endpoint: &'a EndpointState,
    progress: &'a RequestProgress,
    events: &'a EventSender,
    begun: Instant,
    /// When the request is over.
    deadline: Instant,
    stream: EventReader,
    finish_reason: Option<FinishReason>,
    is_refused: bool,
    calls_tool: bool,
    /// `None` if the request does not allow calls.
    calls: Option<CallReader>,
    usage: Option<Usage>,
    model: Option<String>,
    text_bytes: u64,
    first_text_ms: Option<u64>,
    byte_seen: bool,
}

impl<'a> AnswerReader<'a> {
    /// A reader for an answer of `endpoint` to a request that was made at `begun` and is over at `deadline`.
    pub(crate) fn new(
        endpoint: &'a EndpointState,
        progress: &'a RequestProgress,
        events: &'a EventSender,
        begun: Instant,
        deadline: Instant,
    ) -> AnswerReader<'a> {
        AnswerReader {
            endpoint,
            progress,
            events,
            begun,
            deadline,
            stream: EventReader::default(),
            finish_reason: None,
            is_refused: false,
            calls_tool: false,
            calls: None,
            usage: None,
            model: None,
            text_bytes: 0,
            first_text_ms: None,
            byte_seen: false,
        }
    }

    /// Gives calls of tools as events.
    pub(crate) fn take_calls(&mut self) {
        self.calls = Some(CallReader::new());
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
            self.read_json(&mut response).await?
        } else {
            return Err(Failure::ContentType);
        };
        // Behind calls, the half of a character was the end of arguments, not of text.
        let has_calls = self.calls.as_ref().is_some_and(|calls| !calls.is_empty());
        if let Some(rest) = self.stream.pieces().finish().filter(|_| !has_calls) {
            self.show(rest).await?;
        }
        let finish_reason = self.end_reason();
        for call in self.finished_calls(finish_reason)? {
            self.events.send(ChatEvent::Call(call)).await?;
        }
        permit.settle(Verdict::Works);
        let passed_over = self.stream.passed_over();
        if passed_over > 0 {
            let id = self.endpoint.endpoint().id();
            log::debug!("endpoint {id}: skipped {passed_over} events that were not part of the answer");
        }
        let finished = Finished {
            finish_reason,
            usage: self.usage,
            model: self.model,
            traffic: self.progress.traffic(),
            text_bytes: self.text_bytes,
            passed_over,
            first_text_ms: self.first_text_ms,
            total_ms: elapsed_ms(self.begun),
        };
        self.events.send(ChatEvent::Finished(finished)).await?;
        Ok(open.then_some(response))
    }

    /// Why the answer ended: what was said in it counts as well as the server's word.
    fn end_reason(&self) -> FinishReason {
        match self.finish_reason.unwrap_or(FinishReason::Unstated) {
            reason @ (FinishReason::Error | FinishReason::ContentFilter) => reason,
            _ if self.is_refused => FinishReason::Refusal,
            FinishReason::Length if self.calls.as_ref().is_some_and(CallReader::is_cut_off) => FinishReason::Length,
            _ if self.calls_tool => FinishReason::ToolCalls,
            reason => reason,
        }
    }

    /// The calls of an answer that ended for this reason.
    fn finished_calls(&mut self, reason: FinishReason) -> Result<Vec<ChatCall>, Failure> {
        match self.calls.take() {
            Some(calls) if reason == FinishReason::ToolCalls => calls.finish(),
            _ => Ok(Vec::new()),
        }
    }

    /// Reads a stream to its last word (`true`) or, after a finish reason, to its end (`false`). After a finish reason there is nothing to wait
    /// for but a count of tokens, and that only briefly: the connection may stay open for ever.
    async fn read_events(&mut self, response: &mut IncomingResponse) -> Result<bool, Failure> {
        let settings = self.endpoint.endpoint().settings();
        let (bytes_max, ask_usage) = (u64::from(settings.response_bytes_max), settings.ask_usage);
        let mut parser = SseParser::new();
        let mut ends_at = None;
        loop {
            let next = response.next(bytes_max);
            let next = match ends_at {
                None => next.await,
                Some(ends_at) => match timeout_at(ends_at, next).await {
                    Ok(next) => next,
                    Err(_) => return Ok(true),
                },
            };
            let data = match next {
                Ok(Some(data)) => data,
                // The model has said that it is done; how the connection ends does not matter then.
                Ok(None) | Err(Failure::Lost | Failure::Truncated | Failure::Protocol | Failure::TimedOut { .. })
                    if self.finish_reason.is_some() =>
                {
                    return Ok(false);
                }
                Ok(None) => return Err(Failure::Truncated),
                Err(failure) => return Err(failure),
            };
            self.record_first_byte(response);
            if self.take_data(&mut parser, &data).await? {
                return Ok(true);
            }
            if self.finish_reason.is_some() {
                if self.usage.is_some() || !ask_usage {
                    return Ok(true);
                }
                ends_at.get_or_insert_with(|| self.deadline.min(Instant::now() + LAST_WORD_LIMIT));
            }
        }
    }

    /// Takes in the stream's next bytes. Returns whether they hold its last word.
    async fn take_data(&mut self, parser: &mut SseParser, data: &[u8]) -> Result<bool, Failure> {
        let (mut events, mut pieces) = (Vec::new(), Vec::new());
        let parsed = parser.push(data, &mut events);
        for event in events {
            let taken = self.stream.take(&event, &mut pieces);
            // What came before a fault is part of the answer so far.
            for piece in pieces.drain(..) {
                self.take_piece(piece).await?;
            }
            if taken? {
                return Ok(true);
            }
        }
        parsed.map(|()| false).map_err(|error| match error {
            SseError::TooLong => Failure::ResponseTooLarge {
                what: "one event",
                bytes_max: u64::from(EVENT_BYTES_MAX),
            },
            SseError::NotUtf8 => Failure::Malformed { what: "UTF-8" },
        })
    }

    /// Reads the answer of a server that does not stream. A body that is whole counts, however its connection goes on.
    async fn read_json(&mut self, response: &mut IncomingResponse) -> Result<bool, Failure> {
        let settings = self.endpoint.endpoint().settings();
        let bytes_max = u64::from(settings.response_bytes_max.min(JSON_BYTES_MAX));
        let mut body = Vec::new();
        // Set while the body looks whole; blanks behind it change nothing.
        let mut ends_at = None;
        loop {
            let next = match ends_at {
                None => response.next(bytes_max).await,
                Some(at) => match timeout_at(at, response.next(bytes_max)).await {
                    Ok(next) => next,
                    Err(_) => match self.whole(&body) {
                        Ok(piece) => return self.take_piece(piece).await.map(|()| true),
                        Err(_) => {
                            ends_at = None;
                            continue;
                        }
                    },
                },
            };
            match next {
                Ok(Some(data)) => {
                    self.record_first_byte(response);
                    if let Some(last) = data.trim_ascii_end().last() {
                        let until = self.deadline.min(Instant::now() + LAST_WORD_LIMIT);
                        ends_at = (*last == b'}').then_some(until);
                    }
                    body.extend_from_slice(&data);
                }
                Ok(None) => break,
                Err(failure @ (Failure::Lost | Failure::Truncated)) => match self.whole(&body) {
                    Ok(_) => break,
                    Err(_) => return Err(failure),
                },
                Err(failure) => return Err(failure),
            }
        }
        let piece = self.whole(&body)?;
        self.take_piece(piece).await.map(|()| false)
    }

    /// The answer in a body.
    fn whole(&mut self, body: &[u8]) -> Result<Piece, Failure> {
        let malformed = Failure::Malformed { what: "JSON" };
        let text = std::str::from_utf8(body).map_err(|_| malformed)?;
        self.stream.pieces().read(text)?.ok_or(malformed)
    }

    fn record_first_byte(&mut self, response: &IncomingResponse) {
        if !std::mem::replace(&mut self.byte_seen, true) {
            self.endpoint.record_first_byte(elapsed_ms(response.body_taken_at()));
        }
    }

    async fn take_piece(&mut self, piece: Piece) -> Result<(), Failure> {
        self.finish_reason = piece.finish_reason.or(self.finish_reason);
        self.usage = piece.usage.or(self.usage);
        self.is_refused |= piece.is_refused;
        self.calls_tool |= piece.calls_tool;
        if self.model.is_none() {
            self.model = piece.model;
        }
        if let Some(thinking) = piece.thinking {
            self.events.send(ChatEvent::Thinking(thinking)).await?;
        }
        if let Some(text) = piece.text {
            self.show(text).await?;
        }
        match &mut self.calls {
            Some(calls) => piece.calls.into_iter().try_for_each(|call| calls.read(call)),
            None => Ok(()),
        }
    }

    async fn show(&mut self, text: String) -> Result<(), Failure> {
        self.progress.set_text_seen();
        self.text_bytes += text.len() as u64;
        self.first_text_ms.get_or_insert_with(|| elapsed_ms(self.begun));
        self.events.send(ChatEvent::Text(text)).await
    }
}
