//! The tiny bundle, opened or copied, and a conversation with it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, EngineError, GenerationOptions, Message, Model, OpenOptions, PrefixSource,
    RECORD_FILE, Role, Statistics, Step,
};

/// Bytes of a saved prefix in chunks, some of which cannot be read.
pub(crate) struct Chunked<'b> {
    pub(crate) bytes: &'b [u8],
    pub(crate) chunk_bytes: u32,
    /// A byte of the chunk that cannot be read.
    pub(crate) damaged: Option<usize>,
}

impl PrefixSource for Chunked<'_> {
    fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn chunk_bytes(&self) -> u32 {
        self.chunk_bytes
    }

    fn read(&self, offset: u64, parts: &mut [&mut [u8]]) -> io::Result<()> {
        let chunk = |byte: usize| byte / self.chunk_bytes as usize;
        let (start, length) = (offset as usize, parts.iter().map(|part| part.len()).sum::<usize>());
        let read = chunk(start)..=chunk((start + length).saturating_sub(1));
        if length > 0 && self.damaged.is_some_and(|damaged| read.contains(&chunk(damaged))) {
            return Err(io::Error::other("a damaged chunk"));
        }
        PrefixSource::read(self.bytes, offset, parts)
    }
}

pub(crate) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

/// A file or folder that `make test-data` prepares.
pub(crate) fn test_data(name: &str) -> PathBuf {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let folder = path("WHIMBREL_TEST_DATA").unwrap_or_else(|| {
        let cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
        cache.unwrap().join("whimbrel/test-data")
    });
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run `make test-data`", path.display());
    path
}

/// SmolLM2 as a bundle.
pub(crate) fn smollm2() -> PathBuf {
    test_data("smollm2")
}

pub(crate) fn open_with(folder: &Path, threads: u32) -> Result<Arc<Model>, EngineError> {
    Model::open(
        folder,
        &OpenOptions {
            threads,
            ..OpenOptions::default()
        },
    )
}

pub(crate) fn open() -> Arc<Model> {
    open_with(&tiny(), 1).unwrap()
}

/// A copy of the tiny bundle that a test may damage.
pub(crate) fn copy() -> tempfile::TempDir {
    let target = tempfile::tempdir().unwrap();
    copy_folder(&tiny(), target.path());
    target
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if is_record(&entry.path()) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Whether a file is what another test remembers of the bundle, and may vanish at any time.
fn is_record(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(RECORD_FILE))
}

/// Every file of a bundle, relative.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else if !is_record(&path) {
                found.push(path.strip_prefix(folder).unwrap().to_owned())
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn message(role: Role, content: &str) -> Message {
    Message {
        role,
        content: content.to_owned(),
    }
}

/// A chat and the history that its caller keeps.
pub(crate) struct Conversation {
    pub(crate) chat: Chat,
    pub(crate) messages: Vec<Message>,
    question: Option<Message>,
}

impl Conversation {
    /// An empty `system` means none.
    pub(crate) fn new(model: &Arc<Model>, system: &str, options: ChatOptions) -> Conversation {
        let system = (!system.is_empty()).then(|| message(Role::System, system));
        Conversation {
            chat: Chat::new(model, options).unwrap(),
            messages: system.into_iter().collect(),
            question: None,
        }
    }

    pub(crate) fn begin(
        &mut self,
        question: &str,
        options: GenerationOptions,
        cancel: CancelFlag,
    ) -> Result<(), EngineError> {
        let question = message(Role::User, question);
        let history = [&self.messages[..], std::slice::from_ref(&question)].concat();
        self.chat.ask(&history, options, cancel)?;
        self.question = Some(question);
        Ok(())
    }

    /// Runs the answer to its end and keeps it, with the text `before` that was read already, unless it is empty.
    pub(crate) fn finish_after(&mut self, before: &str) -> (String, Statistics) {
        let (rest, statistics) = finish(&mut self.chat);
        let text = before.to_owned() + &rest;
        let question = self.question.take().unwrap();
        if !text.is_empty() {
            self.messages.extend([question, message(Role::Assistant, &text)]);
        }
        (rest, statistics)
    }

    pub(crate) fn ask(&mut self, question: &str, options: GenerationOptions) -> (String, Statistics) {
        self.begin(question, options, CancelFlag::default()).unwrap();
        self.finish_after("")
    }

    /// Forgets everything but the system message.
    pub(crate) fn reset(&mut self) {
        self.messages.retain(|message| message.role == Role::System);
    }
}

/// Runs an answer to its end.
pub(crate) fn finish(chat: &mut Chat) -> (String, Statistics) {
    let mut text = String::new();
    loop {
        match chat.step().unwrap() {
            Step::Prefilled { .. } => (),
            Step::Thinking(_) | Step::Call(_) => panic!("the tiny model neither thinks nor calls"),
            Step::Text(piece) => text += &piece,
            Step::Finished { text: rest, statistics } => return (text + &rest, statistics),
        }
    }
}
