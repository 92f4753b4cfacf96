//! What tests of the assistant share: an assistant in a folder of its own, a server on this machine that does as it is told, and a system
//! model that behaves badly on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    dead_code,
    reason = "each test file uses a part of it; the server is one of them"
)]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;
use whimbrel_client::assistant::{
    AskOptions, Assistant, AssistantEvent, AssistantOptions, Report, RoutedAnswer, RoutedConversation, SystemAnswer,
    SystemCapabilities, SystemModel, SystemModelError, SystemRequest,
};
use whimbrel_client::policy::{Availability, Format, Policy, PolicySet};
use whimbrel_client::store::MemoryVault;
use whimbrel_client::{Client, ConversationOptions, GenerationOptions, ModelHandle, OpenOptions, block_on};

pub(crate) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

/// An assistant with the tiny model, and the folder of its ledger.
pub(crate) struct Fixture {
    pub(crate) assistant: Assistant,
    pub(crate) model: ModelHandle,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) folder: TempDir,
    _client: Client,
}

impl Fixture {
    pub(crate) fn new(policy: &str) -> Fixture {
        Fixture::with_words(policy, Vec::new())
    }

    pub(crate) fn with_words(policy: &str, user_words: Vec<String>) -> Fixture {
        let client = Client::new().unwrap();
        let options = OpenOptions {
            threads: 1,
            ..OpenOptions::default()
        };
        let model = block_on(client.open_model(tiny(), options)).unwrap();
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

    pub(crate) fn conversation(&self) -> RoutedConversation {
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
    pub(crate) report: Report,
}

pub(crate) fn read(answer: &RoutedAnswer) -> Heard {
    let (mut text, mut restarts) = (String::new(), 0);
    loop {
        let events = block_on(answer.next(16)).unwrap();
        assert!(!events.is_empty(), "an answer has a last event");
        for event in events {
            match event {
                AssistantEvent::Trying { .. } => {}
                AssistantEvent::Text(piece) => text += &piece,
                AssistantEvent::Restarted => {
                    text.clear();
                    restarts += 1;
                }
                AssistantEvent::Finished(report) => {
                    return Heard {
                        text,
                        restarts,
                        report: *report,
                    };
                }
            }
        }
    }
}

pub(crate) fn ask(conversation: &RoutedConversation, question: &str) -> Heard {
    read(&conversation.ask(question, ask_options()).unwrap())
}

/// What the server does with one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reply {
    /// Streams the answer and ends properly.
    Whole,
    /// Repeats the last message of the request.
    Echo,
    /// Streams a part of it and drops the connection.
    DiesMidway,
    /// A part, and then nothing more; the connection stays open.
    Stalls,
    /// Refuses with this status.
    Status(u16),
    /// An answer that is no event stream.
    Garbage,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Received {
    /// The request's id, which the key begins with; behind it stands the candidate's place.
    pub(crate) fn request_id(&self) -> String {
        let key = self.idempotency_key();
        key.rsplit_once('-').unwrap().0.to_owned()
    }

    pub(crate) fn idempotency_key(&self) -> String {
        let line = self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("idempotency-key")
                .then(|| value.trim().to_owned())
        });
        line.unwrap()
    }
}

/// A chat server on this machine, in cleartext, one thread a connection.
pub(crate) struct Server {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

impl Server {
    /// Replies in this order; the last one from then on.
    pub(crate) fn start(replies: &[Reply]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            url: format!("http://{}/v1", listener.local_addr().unwrap()),
            received: Arc::default(),
            replies: Arc::new(Mutex::new(replies.iter().copied().collect())),
        };
        let (received, replies) = (server.received.clone(), server.replies.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (received, replies) = (received.clone(), replies.clone());
                // A client that goes away in the middle is part of the tests.
                thread::spawn(move || drop(serve(stream.unwrap(), &received, &replies)));
            }
        });
        server
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, received: &Mutex<Vec<Received>>, replies: &Mutex<VecDeque<Reply>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().unwrap())
        });
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        received.lock().unwrap().push(Received {
            head,
            body: body.clone(),
        });
        let reply = {
            let mut replies = replies.lock().unwrap();
            match replies.len() {
                0 => Reply::Whole,
                1 => replies[0],
                _ => replies.pop_front().unwrap(),
            }
        };
        if !answer(&mut stream, reply, &body)? {
            return Ok(());
        }
    }
}

/// False when the connection is to end.
fn answer(stream: &mut TcpStream, reply: Reply, body: &str) -> std::io::Result<bool> {
    const PIECES: [&str; 3] = ["An answer ", "from the ", "server."];
    let event = |text: &str| {
        let chunk = serde_json::json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
        format!("data: {chunk}\n\n")
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":7}}\n\ndata: [DONE]\n\n";
    match reply {
        Reply::Status(status) => {
            write!(
                stream,
                "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
            )?;
            Ok(true)
        }
        Reply::Garbage => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5\r\n\r\nhello"
            )?;
            Ok(true)
        }
        Reply::Whole | Reply::Echo => {
            stream.write_all(head.as_bytes())?;
            let mut write = |text: &str| write!(stream, "{:x}\r\n{text}\r\n", text.len());
            if reply == Reply::Echo {
                let json: serde_json::Value = serde_json::from_str(body).unwrap();
                let last = json["messages"].as_array().unwrap().last().unwrap()["content"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                for character in last.chars() {
                    write(&event(&character.to_string()))?;
                }
            } else {
                for piece in PIECES {
                    write(&event(piece))?;
                }
            }
            write(end)?;
            stream.write_all(b"0\r\n\r\n")?;
            Ok(true)
        }
        Reply::DiesMidway | Reply::Stalls => {
            stream.write_all(head.as_bytes())?;
            let text = event(PIECES[0]);
            write!(stream, "{:x}\r\n{text}\r\n", text.len())?;
            stream.flush()?;
            if reply == Reply::Stalls {
                // Until the client goes.
                let _ = stream.read(&mut [0; 1]);
            }
            Ok(false)
        }
    }
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
    fn capabilities(&self) -> Result<SystemCapabilities, SystemModelError> {
        Ok(SystemCapabilities {
            model: "fake".into(),
            availability: match self.mood {
                Mood::Unavailable => Availability::Unavailable,
                _ => Availability::Available,
            },
            ..SystemCapabilities::default()
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
