//! The attributes that can be exported. Their names follow OpenTelemetry's conventions where these have the meaning, and start with
//! `whimbrel.` otherwise: the conventions for generative AI (`semantic-conventions-genai` 0.1.0, client inference and metrics) and the
//! general ones (`semantic-conventions` 1.44.0: `error`, `network`, `os`, `service`, `telemetry`).

use whimbrel_record::{AttemptEnd, Code, DeviceClass, FinishReason, Outcome, Place, PlaceKind, Thermal};

use crate::export::messages::{AnyValue, ArrayValue, KeyValue, Value};
use crate::export::vocabulary::{InstallId, Known, Os};

/// The name of this program in the attributes, and of its scope of instrumentation.
pub(crate) const PROGRAM: &str = "whimbrel";
/// Its version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// `error.type` of an error whose code this program does not know; the conventions' own word.
const OTHER_ERROR: &str = "_OTHER";

/// An attribute with its value. See the parent module for why none can contain free text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Attribute<'v> {
    ServiceName(Known<'v>),
    InstanceId(InstallId),
    SdkName,
    SdkLanguage,
    SdkVersion,
    OsType(Os),
    OsName(Os),
    Device(DeviceClass),
    Operation,
    Provider(Provider),
    Model(Known<'v>),
    Variant(Known<'v>),
    Task(Known<'v>),
    Place(PlaceKind),
    Outcome(Conclusion),
    /// `None`: a code that this program does not know.
    Error(Option<Code>),
    Direction(Direction),
    EnergyMethod(Known<'v>),
    Finish(FinishReason),
    InputTokens(u64),
    OutputTokens(u64),
    FirstText {
        milliseconds: u64,
    },
    Energy {
        millijoules: u64,
    },
    Thermal(Thermal),
    Attempt(AttemptEnd),
    BytesOut(u64),
    BytesIn(u64),
    StageTokens(u64),
}

/// Who answers, for `gen_ai.provider.name`. The addresses of endpoints are not exported, so an endpoint is only known by its protocol.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Provider {
    /// Whimbrel's own engine.
    Whimbrel,
    /// The operating system's model.
    System,
    /// An endpoint that speaks the format of OpenAI's chat completions.
    Compatible,
}

impl Provider {
    pub(crate) const ALL: [Provider; 3] = [Provider::Whimbrel, Provider::System, Provider::Compatible];

    pub(crate) fn of(place: PlaceKind) -> Provider {
        match place {
            PlaceKind::OnDevice => Provider::Whimbrel,
            PlaceKind::SystemModel => Provider::System,
            PlaceKind::OwnDevice | PlaceKind::Organisation | PlaceKind::PublicCloud => Provider::Compatible,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Provider::Whimbrel => PROGRAM,
            Provider::System => "system",
            Provider::Compatible => "openai_compatible",
        }
    }
}

/// How a request ended, with an answer that was given before told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Conclusion {
    GivenAgain,
    Ended(Outcome),
}

impl Conclusion {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Conclusion::GivenAgain => "given_again",
            Conclusion::Ended(outcome) => outcome.name(),
        }
    }
}

/// Which way bytes went, for `network.io.direction`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Out,
    In,
}

impl Direction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Direction::Out => "transmit",
            Direction::In => "receive",
        }
    }
}

impl<'v> Attribute<'v> {
    pub(crate) fn key(self) -> Key {
        match self {
            Attribute::ServiceName(_) => Key::ServiceName,
            Attribute::InstanceId(_) => Key::InstanceId,
            Attribute::SdkName => Key::SdkName,
            Attribute::SdkLanguage => Key::SdkLanguage,
            Attribute::SdkVersion => Key::SdkVersion,
            Attribute::OsType(_) => Key::OsType,
            Attribute::OsName(_) => Key::OsName,
            Attribute::Device(_) => Key::Device,
            Attribute::Operation => Key::Operation,
            Attribute::Provider(_) => Key::Provider,
            Attribute::Model(_) => Key::Model,
            Attribute::Variant(_) => Key::Variant,
            Attribute::Task(_) => Key::Task,
            Attribute::Place(_) => Key::Place,
            Attribute::Outcome(_) => Key::Outcome,
            Attribute::Error(_) => Key::Error,
            Attribute::Direction(_) => Key::Direction,
            Attribute::EnergyMethod(_) => Key::EnergyMethod,
            Attribute::Finish(_) => Key::Finish,
            Attribute::InputTokens(_) => Key::InputTokens,
            Attribute::OutputTokens(_) => Key::OutputTokens,
            Attribute::FirstText { .. } => Key::FirstText,
            Attribute::Energy { .. } => Key::Energy,
            Attribute::Thermal(_) => Key::Thermal,
            Attribute::Attempt(_) => Key::Attempt,
            Attribute::BytesOut(_) => Key::BytesOut,
            Attribute::BytesIn(_) => Key::BytesIn,
            Attribute::StageTokens(_) => Key::StageTokens,
        }
    }

    /// The only place where a `KeyValue` is made.
    pub(crate) fn encode(self) -> KeyValue {
        KeyValue {
            key: self.key().name().to_owned(),
            value: Some(AnyValue {
                value: Some(self.value()),
            }),
        }
    }

    fn value(self) -> Value {
        match self {
            Attribute::ServiceName(name)
            | Attribute::Model(name)
            | Attribute::Variant(name)
            | Attribute::Task(name)
            | Attribute::EnergyMethod(name) => Value::Text(name.text()),
            Attribute::InstanceId(install) => Value::Text(install.text()),
            Attribute::SdkName => word(PROGRAM),
            Attribute::SdkLanguage => word("rust"),
            Attribute::SdkVersion => word(VERSION),
            Attribute::OsType(os) => word(os.kernel()),
            Attribute::OsName(os) => word(os.name()),
            Attribute::Device(class) => word(class.name()),
            Attribute::Operation => word("chat"),
            Attribute::Provider(provider) => word(provider.name()),
            Attribute::Place(kind) => word(kind.name()),
            Attribute::Outcome(conclusion) => word(conclusion.name()),
            Attribute::Error(code) => word(error_name(code)),
            Attribute::Direction(direction) => word(direction.name()),
            Attribute::Finish(reason) => Value::Array(ArrayValue {
                values: vec![AnyValue {
                    value: Some(word(reason.name())),
                }],
            }),
            Attribute::Thermal(level) => word(level.name()),
            Attribute::Attempt(end) => word(end.name()),
            Attribute::InputTokens(count)
            | Attribute::OutputTokens(count)
            | Attribute::BytesOut(count)
            | Attribute::BytesIn(count)
            | Attribute::StageTokens(count) => Value::Int(whole(count)),
            Attribute::FirstText { milliseconds } => Value::Double(milliseconds as f64 / 1e3),
            Attribute::Energy { millijoules } => Value::Double(millijoules as f64 / 1e3),
        }
    }
}

fn word(word: &'static str) -> Value {
    Value::Text(word.to_owned())
}

/// The name of an error's code.
pub(crate) fn error_name(code: Option<Code>) -> &'static str {
    code.map_or(OTHER_ERROR, Code::name)
}

/// A count as OTLP writes it.
pub(crate) fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The label of a place that names its model: the model, or the adapter of the system's model.
pub(crate) fn model_of(place: &Place) -> &whimbrel_record::Label {
    match place {
        Place::OnDevice { model, .. } | Place::Remote { model, .. } => model,
        Place::SystemModel { adapter } => adapter,
    }
}

/// What the value of an attribute can be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Values {
    /// One of these words.
    Words(Vec<&'static str>),
    /// A code of the ledger, or `_OTHER`.
    Code,
    /// A name of the vocabulary, or `other`.
    Known,
    /// The name that the app's developer gave the app.
    Service,
    /// An install's random id.
    Id,
    /// The version of Whimbrel.
    Version,
    /// A whole number.
    Count,
    /// Seconds.
    Seconds,
    /// Joules.
    Joules,
}

/// Declares the keys from one list, so that none can be forgotten in the schema.
macro_rules! keys {
    ($($variant:ident = $name:literal, $values:expr, $meaning:literal;)+) => {
        /// The key of an attribute.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub(crate) enum Key {
            $($variant,)+
        }

        impl Key {
            /// Every key, in the order of the documentation.
            pub(crate) const ALL: &'static [Key] = &[$(Key::$variant,)+];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Key::$variant => $name,)+
                }
            }

            pub(crate) fn values(self) -> Values {
                match self {
                    $(Key::$variant => $values,)+
                }
            }

            pub(crate) fn meaning(self) -> &'static str {
                match self {
                    $(Key::$variant => $meaning,)+
                }
            }
        }
    };
}

fn words<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Values {
    let mut words: Vec<_> = all.iter().map(|each| name(*each)).collect();
    let mut seen = std::collections::BTreeSet::new();
    words.retain(|word| seen.insert(*word));
    Values::Words(words)
}

keys! {
    ServiceName = "service.name", Values::Service, "The app.";
    InstanceId = "service.instance.id", Values::Id, "The install. The user can have it replaced.";
    SdkName = "telemetry.sdk.name", Values::Words(vec![PROGRAM]), "The program that measured.";
    SdkLanguage = "telemetry.sdk.language", Values::Words(vec!["rust"]), "Its language.";
    SdkVersion = "telemetry.sdk.version", Values::Version, "Its version.";
    OsType = "os.type", words(&Os::ALL, Os::kernel), "The kernel of the operating system.";
    OsName = "os.name", words(&Os::ALL, Os::name), "The operating system. Its version is not exported.";
    Device = "whimbrel.device.class", words(&DeviceClass::ALL, DeviceClass::name),
        "How much memory the device has: less than 4 GB, 4 to 8 GB, or more.";
    Operation = "gen_ai.operation.name", Values::Words(vec!["chat"]), "The kind of request.";
    Provider = "gen_ai.provider.name", words(&Provider::ALL, Provider::name),
        "Who answered: this library, the system's model, or an endpoint.";
    Model = "gen_ai.request.model", Values::Known, "The model, or the adapter of the system's model.";
    Variant = "whimbrel.model.variant", Values::Known, "The model's variant, on this device.";
    Task = "whimbrel.task", Values::Known, "The task.";
    Place = "whimbrel.place", words(&PlaceKind::ALL, PlaceKind::name), "Where the request was answered, or tried last.";
    Outcome = "whimbrel.outcome", outcomes(), "How the request ended.";
    Error = "error.type", Values::Code, "Why a request or an attempt failed.";
    Direction = "network.io.direction", words(&[Direction::Out, Direction::In], Direction::name),
        "Whether the bytes left the device or came to it.";
    EnergyMethod = "whimbrel.energy.method", Values::Known, "How the energy was estimated.";
    Finish = "gen_ai.response.finish_reasons", words(&FinishReason::ALL, FinishReason::name),
        "Why the answer is complete; one word in a list.";
    InputTokens = "gen_ai.usage.input_tokens", Values::Count, "Tokens of the prompt.";
    OutputTokens = "gen_ai.usage.output_tokens", Values::Count, "Tokens of the answer.";
    FirstText = "gen_ai.response.time_to_first_chunk", Values::Seconds, "From the request to the first text.";
    Energy = "whimbrel.energy", Values::Joules, "Energy used on this device.";
    Thermal = "whimbrel.thermal", words(&Thermal::ALL, Thermal::name), "How hot the device was at the end.";
    Attempt = "whimbrel.attempt.outcome", words(&AttemptEnd::ALL, AttemptEnd::name), "How the attempt ended.";
    BytesOut = "whimbrel.bytes_out", Values::Count, "Bytes that left the device.";
    BytesIn = "whimbrel.bytes_in", Values::Count, "Bytes that were received.";
    StageTokens = "whimbrel.tokens", Values::Count, "Tokens that were computed.";
}

fn outcomes() -> Values {
    let ended = Outcome::ALL
        .into_iter()
        .map(|outcome| Conclusion::Ended(outcome).name());
    Values::Words(ended.chain([Conclusion::GivenAgain.name()]).collect())
}
