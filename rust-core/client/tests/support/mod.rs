//! What tests of the assistant share beside `whimbrel-testing`: an assistant in a folder of its own, and a system model that behaves badly on
//! purpose.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    reason = "each test file uses a part of it"
)]

pub(crate) mod clock;
pub(crate) mod phone;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use whimbrel_client::policy::{Availability, Format, Policy, PolicySet, SystemModelFacts};
use whimbrel_client::store::MemoryVault;
use whimbrel_client::{
    Answer, AskOptions, Assistant, AssistantOptions, Client, Conversation, ConversationOptions, Event,
    GenerationOptions, Model, OpenOptions, PendingCall, Report, SystemAnswer, SystemModel, SystemModelError,
    SystemRequest, ToolResult, block_on,
};
pub(crate) use whimbrel_testing::{ChatServer as Server, Received, Reply};

pub(crate) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

/// The tiny model, and what it was opened with.
pub(crate) fn open_tiny() -> (Client, Model) {
    let client = Client::new().unwrap();
    let options = OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    let model = block_on(client.open_model(tiny(), options)).unwrap();
    (client, model)
}

/// Whether a text is in any file below a folder.
pub(crate) fn has_text(folder: &Path, text: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => has_text(&path, text),
            false => std::fs::read(&path)
                .unwrap()
                .windows(text.len())
                // Long runs of histories spend much of their time here.
                .any(|window| window[0] == text[0] && window == text),
        }
    })
}

/// An assistant with the tiny model, and the folder of its ledger.
pub(crate) struct Fixture {
    pub(crate) assistant: Assistant,
    pub(crate) model: Model,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) folder: TempDir,
    _client: Client,
}

impl Fixture {
    pub(crate) fn new(policy: &str) -> Fixture {
        Fixture::with_words(policy, Vec::new())
    }

    pub(crate) fn with_words(policy: &str, user_words: Vec<String>) -> Fixture {
        let (client, model) = open_tiny();
        let folder = tempfile::tempdir().unwrap();
        let vault = Arc::new(MemoryVault::default());
        let assistant = Assistant::open(AssistantOptions {
            store: folder.path().join("ledger.sqlite"),
            vault: vault.clone(),
            policies: policies(policy),
            user_words,
        })
        .unwrap();
        assistant.set_model(Some(model.clone()));
        Fixture {
            assistant,
            model,
            vault,
            folder,
            _client: client,
        }
    }

    pub(crate) fn conversation(&self) -> Conversation {
        self.assistant.conversation(options())
    }
}

pub(crate) fn policies(app: &str) -> PolicySet {
    PolicySet::new(Policy::parse(app, Format::Toml).unwrap(), None).unwrap()
}

pub(crate) fn options() -> ConversationOptions {
    ConversationOptions {
        context_length: 512,
        system: Some("Answer.".into()),
        ..ConversationOptions::default()
    }
}

pub(crate) fn ask_options() -> AskOptions {
    AskOptions {
        generation: GenerationOptions {
            max_tokens: 12,
            ..GenerationOptions::default()
        },
        ..AskOptions::default()
    }
}

/// What the reader of an answer is left with: the text that was not void, how often it was voided, the report.
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) restarts: u32,
    /// What the last place thought.
    pub(crate) thinking: String,
    pub(crate) report: Report,
}

pub(crate) fn read(answer: &Answer) -> Heard {
    read_with(answer, |call| panic!("no tool was offered: {call:?}"))
}

/// As [`read`], with what carries out calls of tools; `None` gives no result.
pub(crate) fn read_with(answer: &Answer, mut call_tool: impl FnMut(&PendingCall) -> Option<ToolResult>) -> Heard {
    let (mut text, mut restarts, mut thinking) = (String::new(), 0, String::new());
    loop {
        let events = block_on(answer.next(16)).unwrap();
        assert!(!events.is_empty(), "an answer has a last event");
        for event in events {
            match event {
                Event::Started { .. } => thinking.clear(),
                Event::Reading { .. } => {}
                Event::Thinking(piece) => {
                    assert!(text.is_empty() && !piece.is_empty());
                    thinking += &piece;
                }
                Event::Text(piece) => text += &piece,
                Event::Restarted => {
                    text.clear();
                    restarts += 1;
                }
                Event::Call(call) => {
                    if let Some(result) = call_tool(&call) {
                        answer.give_result(call.id, result).unwrap();
                    }
                }
                Event::Finished(report) => {
                    return Heard {
                        text,
                        restarts,
                        thinking,
                        report: *report,
                    };
                }
            }
        }
    }
}

pub(crate) fn ask(conversation: &Conversation, question: &str) -> Heard {
    read(&conversation.ask(question, ask_options()).unwrap())
}

/// What the system's model does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mood {
    Answers,
    /// Refuses at once.
    Refuses(SystemModelError),
    /// Says something, then fails.
    DiesMidway,
    /// Lets go of its answer without a last word.
    Forgets,
    /// Never says anything.
    Hangs,
    /// Says it is not there.
    Unavailable,
}

/// A system model for tests.
pub(crate) struct FakeSystem {
    mood: Mood,
    kept: Mutex<Vec<Arc<SystemAnswer>>>,
    pub(crate) cancelled: Mutex<Vec<u64>>,
}

impl FakeSystem {
    pub(crate) fn new(mood: Mood) -> Arc<FakeSystem> {
        Arc::new(FakeSystem {
            mood,
            kept: Mutex::default(),
            cancelled: Mutex::default(),
        })
    }
}

impl SystemModel for FakeSystem {
    fn capabilities(&self) -> Result<SystemModelFacts, SystemModelError> {
        Ok(SystemModelFacts {
            model: "fake".into(),
            availability: match self.mood {
                Mood::Unavailable => Availability::Unavailable,
                _ => Availability::Available,
            },
            ..SystemModelFacts::default()
        })
    }

    fn prewarm(&self) -> Result<(), SystemModelError> {
        Ok(())
    }

    fn start(&self, _: SystemRequest, answer: Arc<SystemAnswer>) -> Result<(), SystemModelError> {
        match self.mood {
            Mood::Refuses(error) => return Err(error),
            Mood::Answers => {
                answer.text("From the ".into());
                answer.text("system.".into());
                answer.finish(5, 4);
                assert!(!answer.text("too late".into()));
            }
            Mood::DiesMidway => {
                answer.text("From the ".into());
                answer.fail(SystemModelError::Failed);
            }
            Mood::Hangs => self.kept.lock().unwrap().push(answer),
            Mood::Forgets | Mood::Unavailable => {}
        }
        Ok(())
    }

    fn cancel(&self, id: u64) -> Result<(), SystemModelError> {
        self.cancelled.lock().unwrap().push(id);
        Ok(())
    }
}
