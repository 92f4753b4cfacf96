//! Receipts as spans of OTLP: one trace for each receipt. Its root is the request, its children are the attempts, and what was measured in
//! parts.
//!
//! **The times are reconstructed.** A receipt has durations, not moments. The request begins when its receipt was opened and takes as long
//! as was measured; the time at which the receipt was closed is not used, because the clock may have been set meanwhile, and a request that was
//! interrupted is closed when the program starts again. Examining and deciding are laid at the beginning of the request. The attempts are laid
//! one behind the other so that the last one ends with the request; attempts that ran at the same time look as if they had not. Within the
//! last attempt on this device are loading, the prompt and the answer, in this order, and at the beginning of the last attempt elsewhere is
//! the wait for its first piece. What does not fit is cut at the end of its parent.

use prost::Message;
use whimbrel_record::{Attempt, AttemptEnd, CANDIDATES_MAX, Closing, Intent, Outcome, Place, PlaceKind, ReceiptId};

use crate::export::attributes::{Attribute, Conclusion, Key, Provider, error_name, model_of};
use crate::export::messages::{ExportTraces, ResourceSpans, ScopeSpans, Span, SpanKind, Status, StatusCode};
use crate::export::metrics::scope;
use crate::export::vocabulary::{InstallId, Resource, Vocabulary};
use crate::export::{BODY_BYTES_MAX, Body, Signal, messages, nanoseconds};

/// Room for the tag and the length of a field that holds a message, and of those around it.
const FRAME_BYTES: usize = 16;
/// What the hashes are of, so that the same numbers elsewhere give other hashes.
const TRACE_CONTEXT: &str = "whimbrel telemetry trace id, version 1";
const SPAN_CONTEXT: &str = "whimbrel telemetry span id, version 1";

/// A receipt that is exported.
#[derive(Clone, Copy, Debug)]
pub struct SpanSource<'r> {
    /// Its number.
    pub id: ReceiptId,
    /// When it was opened, in milliseconds since 1970.
    pub opened_ms: u64,
    /// Its first entry.
    pub intent: &'r Intent,
    /// Its second entry.
    pub closing: &'r Closing,
}

/// The spans of receipts, in bodies of at most [`BODY_BYTES_MAX`] bytes, in the order of the receipts; none without receipts. The spans of
/// one receipt are in one body. The ids follow from the install and the receipt's number, so a retry sends the same spans.
#[must_use]
pub fn spans(sources: &[SpanSource], resource: &Resource, vocabulary: &Vocabulary) -> Vec<Body> {
    let encoded = resource.encode();
    let bytes_empty = message(&encoded, Vec::new()).encoded_len() + 4 * FRAME_BYTES;
    let mut finished = Vec::new();
    let (mut waiting, mut bytes) = (Vec::new(), bytes_empty);
    for source in sources {
        let trace = Trace::new(source, &resource.install, vocabulary).spans();
        let trace_bytes: usize = trace.iter().map(|span| span.encoded_len() + FRAME_BYTES).sum();
        if bytes + trace_bytes > BODY_BYTES_MAX as usize {
            finished.extend(body(&encoded, std::mem::take(&mut waiting)));
            bytes = bytes_empty;
        }
        waiting.extend(trace);
        bytes += trace_bytes;
    }
    finished.extend(body(&encoded, waiting));
    finished
}

fn body(resource: &messages::Resource, spans: Vec<Span>) -> Option<Body> {
    let count = spans.len();
    (count > 0).then(|| Body::new(Signal::Traces, count, &message(resource, spans)))
}

fn message(resource: &messages::Resource, spans: Vec<Span>) -> ExportTraces {
    let scope_spans = ScopeSpans {
        scope: Some(scope()),
        spans,
    };
    ExportTraces {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource.clone()),
            scope_spans: vec![scope_spans],
        }],
    }
}

/// A kind of span.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SpanName {
    /// A request, by the place that answered or was tried last.
    Request(Option<PlaceKind>),
    /// An attempt at a place.
    Attempt(PlaceKind),
    /// A part that was measured.
    Stage(Stage),
}

/// What a request spends its time on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    Examine,
    Decide,
    Load,
    Prefill,
    Decode,
    Network,
}

impl SpanName {
    pub(crate) fn all() -> impl Iterator<Item = SpanName> {
        let requests = [None].into_iter().chain(PlaceKind::ALL.into_iter().map(Some));
        let attempts = PlaceKind::ALL.into_iter().map(SpanName::Attempt);
        let stages = Stage::ALL.into_iter().map(SpanName::Stage);
        requests.map(SpanName::Request).chain(attempts).chain(stages)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            SpanName::Request(None) => "request",
            SpanName::Request(Some(PlaceKind::OnDevice)) => "chat on_device",
            SpanName::Request(Some(PlaceKind::SystemModel)) => "chat system_model",
            SpanName::Request(Some(PlaceKind::OwnDevice)) => "chat own_device",
            SpanName::Request(Some(PlaceKind::Organisation)) => "chat organisation",
            SpanName::Request(Some(PlaceKind::PublicCloud)) => "chat public_cloud",
            SpanName::Attempt(PlaceKind::OnDevice) => "attempt on_device",
            SpanName::Attempt(PlaceKind::SystemModel) => "attempt system_model",
            SpanName::Attempt(PlaceKind::OwnDevice) => "attempt own_device",
            SpanName::Attempt(PlaceKind::Organisation) => "attempt organisation",
            SpanName::Attempt(PlaceKind::PublicCloud) => "attempt public_cloud",
            SpanName::Stage(Stage::Examine) => "examine",
            SpanName::Stage(Stage::Decide) => "decide",
            SpanName::Stage(Stage::Load) => "load",
            SpanName::Stage(Stage::Prefill) => "prefill",
            SpanName::Stage(Stage::Decode) => "decode",
            SpanName::Stage(Stage::Network) => "network",
        }
    }

    pub(crate) fn meaning(self) -> &'static str {
        match self {
            SpanName::Request(None) => "A request for which no place was asked.",
            SpanName::Request(Some(_)) => "A request that was answered there, or tried there last.",
            SpanName::Attempt(_) => "An attempt there.",
            SpanName::Stage(Stage::Examine) => "Looking for private data in the text, and replacing it.",
            SpanName::Stage(Stage::Decide) => "Deciding where to ask.",
            SpanName::Stage(Stage::Load) => "On this device, until the model begins with the prompt.",
            SpanName::Stage(Stage::Prefill) => "On this device, computing on the prompt.",
            SpanName::Stage(Stage::Decode) => "On this device, computing on the answer behind its first token.",
            SpanName::Stage(Stage::Network) => "From asking an endpoint to the first piece of its answer.",
        }
    }

    /// The attributes that its spans can have.
    pub(crate) fn keys(self) -> Vec<Key> {
        let ending = [Key::Task, Key::Outcome, Key::Error, Key::Thermal];
        match self {
            SpanName::Request(None) => ending.to_vec(),
            SpanName::Request(Some(place)) => {
                let usage = [
                    Key::Finish,
                    Key::InputTokens,
                    Key::OutputTokens,
                    Key::FirstText,
                    Key::Energy,
                ];
                [&[Key::Operation], &model_keys(place)[..], &ending, &usage].concat()
            }
            SpanName::Attempt(place) => {
                let bytes: &[Key] = match is_elsewhere(place) {
                    true => &[Key::BytesOut, Key::BytesIn],
                    false => &[],
                };
                [&model_keys(place)[..], &[Key::Attempt, Key::Error], bytes].concat()
            }
            SpanName::Stage(Stage::Prefill | Stage::Decode) => vec![Key::StageTokens],
            SpanName::Stage(_) => Vec::new(),
        }
    }
}

fn model_keys(place: PlaceKind) -> Vec<Key> {
    let mut keys = vec![Key::Provider, Key::Model, Key::Place];
    keys.extend((place == PlaceKind::OnDevice).then_some(Key::Variant));
    keys
}

impl Stage {
    const ALL: [Stage; 6] = [
        Stage::Examine,
        Stage::Decide,
        Stage::Load,
        Stage::Prefill,
        Stage::Decode,
        Stage::Network,
    ];
}

/// A time in nanoseconds since 1970, from and until.
#[derive(Clone, Copy, Debug)]
struct Period {
    from: u64,
    until: u64,
}

impl Period {
    /// So long from its beginning, at most its whole.
    fn first(self, nanoseconds: u64) -> Period {
        Period {
            until: self.from.saturating_add(nanoseconds).min(self.until),
            ..self
        }
    }

    /// So long before its end, at most its whole.
    fn last(self, nanoseconds: u64) -> Period {
        Period {
            from: self.until.saturating_sub(nanoseconds).max(self.from),
            ..self
        }
    }
}

/// The trace of one receipt.
struct Trace<'r> {
    source: &'r SpanSource<'r>,
    install: &'r InstallId,
    vocabulary: &'r Vocabulary,
    id: Vec<u8>,
    whole: Period,
    spans: Vec<Span>,
}

impl<'r> Trace<'r> {
    fn new(source: &'r SpanSource<'r>, install: &'r InstallId, vocabulary: &'r Vocabulary) -> Trace<'r> {
        let from = nanoseconds(source.opened_ms);
        let whole = Period {
            from,
            until: from.saturating_add(nanoseconds(source.closing.latency.total_ms)),
        };
        Trace {
            source,
            install,
            vocabulary,
            id: hash(TRACE_CONTEXT, install, source.id, 0)[..16].to_vec(),
            whole,
            spans: Vec::new(),
        }
    }

    fn spans(mut self) -> Vec<Span> {
        let root = self.root();
        let measured = &self.source.closing.measured;
        let stages = [
            (Stage::Examine, measured.examine_us, 0),
            (Stage::Decide, measured.decide_us, 0),
        ];
        self.stages(&root, self.whole, &stages);
        self.attempts(&root);
        self.spans
    }

    /// Adds a span, and gives its id.
    fn add(&mut self, name: SpanName, parent: &[u8], period: Period, attributes: Vec<Attribute>) -> Vec<u8> {
        let index = self.spans.len() as u64;
        let span_id = hash(SPAN_CONTEXT, self.install, self.source.id, index)[..8].to_vec();
        let kind = match name {
            SpanName::Request(Some(place)) | SpanName::Attempt(place) if is_elsewhere(place) => SpanKind::Client,
            _ => SpanKind::Internal,
        };
        self.spans.push(Span {
            trace_id: self.id.clone(),
            span_id: span_id.clone(),
            parent_span_id: parent.to_vec(),
            name: name.name().to_owned(),
            kind: kind.into(),
            start_time_unix_nano: period.from,
            end_time_unix_nano: period.until,
            attributes: attributes.into_iter().map(Attribute::encode).collect(),
            status: None,
        });
        span_id
    }

    /// Marks the last span as failed.
    fn fail(&mut self, word: &'static str) {
        if let Some(span) = self.spans.last_mut() {
            span.status = Some(Status {
                message: word.to_owned(),
                code: StatusCode::Error.into(),
            });
        }
    }

    fn root(&mut self) -> Vec<u8> {
        let SpanSource { intent, closing, .. } = *self.source;
        let place = closing.place().filter(|_| closing.answered_before.is_none());
        let mut attributes = Vec::new();
        if let Some(place) = place {
            attributes.push(Attribute::Operation);
            attributes.extend(self.model(place));
        }
        let conclusion = match closing.answered_before {
            Some(_) => Conclusion::GivenAgain,
            None => Conclusion::Ended(closing.outcome),
        };
        attributes.push(Attribute::Task(self.vocabulary.task(&intent.task)));
        attributes.push(Attribute::Outcome(conclusion));
        let has_failed = closing.outcome == Outcome::Failed;
        attributes.extend(has_failed.then(|| Attribute::Error(closing.code())));
        attributes.extend(closing.measured.thermal.map(Attribute::Thermal));
        if place.is_some() {
            attributes.extend(usage(closing));
        }
        let name = SpanName::Request(place.map(PlaceKind::of));
        let root = self.add(name, &[], self.whole, attributes);
        match closing.outcome {
            Outcome::Failed => self.fail(error_name(closing.code())),
            Outcome::Interrupted => self.fail(Outcome::Interrupted.name()),
            _ => {}
        }
        root
    }

    fn model(&self, place: &Place) -> Vec<Attribute<'r>> {
        let kind = PlaceKind::of(place);
        let mut attributes = vec![
            Attribute::Provider(Provider::of(kind)),
            Attribute::Model(self.vocabulary.model(model_of(place))),
            Attribute::Place(kind),
        ];
        if let Place::OnDevice { variant, .. } = place {
            attributes.push(Attribute::Variant(self.vocabulary.variant(variant)));
        }
        attributes
    }

    /// The attempts, one behind the other up to the end of the request.
    fn attempts(&mut self, root: &[u8]) {
        let attempts = &self.source.closing.attempts;
        let attempts = &attempts[..attempts.len().min(CANDIDATES_MAX as usize)];
        let last = |is_elsewhere: bool| {
            attempts
                .iter()
                .rposition(|attempt| attempt.place.is_remote() == is_elsewhere)
        };
        let (last_here, last_elsewhere) = (last(false), last(true));
        let mut left = self.whole;
        let mut periods = Vec::new();
        for attempt in attempts.iter().rev() {
            let period = left.last(nanoseconds(attempt.milliseconds));
            left.until = period.from;
            periods.push(period);
        }
        let measured = &self.source.closing.measured;
        for (index, (attempt, period)) in attempts.iter().zip(periods.into_iter().rev()).enumerate() {
            let span = self.attempt(root, attempt, period);
            if Some(index) == last_here {
                let stages = [
                    (Stage::Load, measured.load_us, 0),
                    (Stage::Prefill, measured.prefill_us, measured.prefill_tokens),
                    (Stage::Decode, measured.decode_us, measured.decode_tokens),
                ];
                self.stages(&span, period, &stages);
            }
            if Some(index) == last_elsewhere {
                self.stages(&span, period, &[(Stage::Network, measured.network_us, 0)]);
            }
        }
    }

    fn attempt(&mut self, root: &[u8], attempt: &Attempt, period: Period) -> Vec<u8> {
        let mut attributes = self.model(&attempt.place);
        attributes.push(Attribute::Attempt(attempt.ended));
        attributes.extend(attempt.error.is_some().then(|| Attribute::Error(attempt.code())));
        if attempt.place.is_remote() {
            attributes.push(Attribute::BytesOut(attempt.bytes_out));
            attributes.push(Attribute::BytesIn(attempt.bytes_in));
        }
        let span = self.add(
            SpanName::Attempt(PlaceKind::of(&attempt.place)),
            root,
            period,
            attributes,
        );
        if matches!(attempt.ended, AttemptEnd::Failed | AttemptEnd::TimedOut) {
            self.fail(error_name(attempt.code()));
        }
        span
    }

    /// Stages, each with its microseconds and tokens, one behind the other from the beginning of a period. Those that were not measured are
    /// left out.
    fn stages(&mut self, parent: &[u8], within: Period, stages: &[(Stage, u64, u64)]) {
        let mut left = within;
        for (stage, microseconds, tokens) in stages {
            if *microseconds == 0 {
                continue;
            }
            let period = left.first(microseconds.saturating_mul(1_000));
            left.from = period.until;
            let tokens = (*tokens > 0).then_some(Attribute::StageTokens(*tokens));
            self.add(SpanName::Stage(*stage), parent, period, tokens.into_iter().collect());
        }
    }
}

fn is_elsewhere(place: PlaceKind) -> bool {
    !matches!(place, PlaceKind::OnDevice | PlaceKind::SystemModel)
}

/// What an answer took, as far as it is known.
fn usage(closing: &Closing) -> Vec<Attribute<'static>> {
    let tokens = closing.tokens;
    let first_text = |milliseconds| Attribute::FirstText { milliseconds };
    let energy = |millijoules| Attribute::Energy { millijoules };
    let known = [
        closing.finish.map(Attribute::Finish),
        (tokens.input > 0).then_some(Attribute::InputTokens(tokens.input)),
        (tokens.output > 0).then_some(Attribute::OutputTokens(tokens.output)),
        closing.latency.first_token_ms.map(first_text),
        closing.energy.as_ref().map(|estimate| energy(estimate.millijoules)),
    ];
    known.into_iter().flatten().collect()
}

/// Says nothing about the receipt but its number, to somebody who knows the install's id.
fn hash(context: &str, install: &InstallId, receipt: ReceiptId, index: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(&install.0);
    hasher.update(&receipt.0.to_le_bytes());
    hasher.update(&index.to_le_bytes());
    *hasher.finalize().as_bytes()
}
