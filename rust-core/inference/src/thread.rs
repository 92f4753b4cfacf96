//! The inference thread: owns every model and session, carries out commands, and lets answers in progress take turns of one step each. It
//! never waits for a reader.

use std::collections::{HashMap, VecDeque};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;
use whimbrel_engine::{
    CancelFlag, Chat, ChatTemplate, EngineError, Generation, GenerationOptions, Model, OpenOptions, Session, Step,
};

use crate::command::{Begin, Command, EventSender, Prompt};
use crate::error::within;
use crate::limits::STEPS_FREE_MIN;
use crate::registry::{ModelId, Owned, Owner, Registry, SessionId, Ticket};
use crate::{InferenceError, MODELS_MAX, ModelInfo, SESSIONS_MAX, SessionOptions};

pub(crate) struct InferenceThread {
    registry: Arc<Registry>,
    commands: mpsc::Receiver<Command>,
    models: HashMap<ModelId, Arc<Model>>,
    sessions: HashMap<SessionId, OpenSession>,
    /// In the order of their turns.
    answers: VecDeque<Active>,
}

struct OpenSession {
    model: ModelId,
    options: SessionOptions,
    chat: Chat,
}

/// An answer in progress.
struct Active {
    owner: Owner,
    work: Work,
    cancel: CancelFlag,
    events: EventSender,
    ticket: Ticket,
}

enum Work {
    /// The state is in the owner's [`Chat`].
    Chat(SessionId),
    Raw(Box<RawWork>),
}

struct RawWork {
    session: Session,
    generation: Generation,
}

impl InferenceThread {
    pub(crate) fn new(registry: Arc<Registry>, commands: mpsc::Receiver<Command>) -> InferenceThread {
        InferenceThread {
            registry,
            commands,
            models: HashMap::new(),
            sessions: HashMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// The thread's whole life. A panic within a request ends only that request ([`InferenceThread::isolated`]). Any other panic ends the
    /// thread and everything that it owns; the handles then say so.
    pub(crate) fn run(mut self) {
        if panic::catch_unwind(AssertUnwindSafe(|| self.work())).is_err() {
            log::error!("the inference thread stopped after a panic");
        }
        // The channel goes last: whoever waits for its end may rely on the memory being free.
        let InferenceThread {
            commands,
            models,
            sessions,
            answers,
            ..
        } = self;
        drop((answers, sessions, models));
        drop(commands);
        log::debug!("the inference thread has ended");
    }

    fn work(&mut self) {
        while !self.registry.is_closing() {
            if let Some(command) = self.next_command() {
                self.carry_out(command);
            } else if !self.take_turn() {
                thread::park();
            }
        }
        while let Some(active) = self.answers.pop_front() {
            self.finish(active);
        }
    }

    /// The next command that somebody still waits for. What is to be closed is closed before, so that it no longer counts.
    ///
    /// A handle that is given up while it is being opened first drops its reply and then asks to be closed. So either the
    /// command is found abandoned here, or the request to close comes after the opening.
    fn next_command(&mut self) -> Option<Command> {
        self.registry
            .take_to_close()
            .into_iter()
            .for_each(|owned| self.close(owned));
        while let Ok(command) = self.commands.try_recv() {
            if !command.is_abandoned() {
                return Some(command);
            }
        }
        None
    }

    fn carry_out(&mut self, command: Command) {
        // A reply may find nobody: the handle's guard then closes what was opened.
        match command {
            Command::OpenModel {
                id,
                path,
                options,
                reply,
            } => drop(reply.send(self.isolated(None, |thread| thread.open_model(id, &path, &options)))),
            Command::OpenSession {
                id,
                model,
                options,
                reply,
            } => drop(reply.send(self.isolated(None, |thread| thread.open_session(id, model, options)))),
            Command::WithChat(work) => work(self),
            Command::Begin { begin, reply } => {
                let session = begin.owner.session;
                drop(reply.send(self.isolated(session, |thread| thread.begin(*begin))));
            }
        }
    }

    /// Does one request's work. A panic ends the request: its session starts afresh, and everything else goes on.
    pub(crate) fn isolated<T>(
        &mut self,
        session: Option<SessionId>,
        work: impl FnOnce(&mut InferenceThread) -> Result<T, InferenceError>,
    ) -> Result<T, InferenceError> {
        // What a panic may leave half-done is the session, which is made again, and what `work` owns, which is gone.
        let worked = panic::catch_unwind(AssertUnwindSafe(|| work(self)));
        worked.unwrap_or_else(|_| {
            log::error!("a request ended with a panic");
            if let Some(id) = session {
                self.renew(id);
            }
            Err(InferenceError::Engine(EngineError::Run {
                reason: "the request ended because of a defect; others go on".into(),
            }))
        })
    }

    /// Gives a session an empty context, as if it had just been opened. It is closed if that is not possible.
    pub(crate) fn renew(&mut self, id: SessionId) {
        // The old context goes first, so that there is memory for the new one.
        let Some(OpenSession { model, options, chat }) = self.sessions.remove(&id) else {
            return;
        };
        drop(chat);
        let opened = panic::catch_unwind(AssertUnwindSafe(|| self.open_session(id, model, options)));
        if !matches!(opened, Ok(Ok(()))) {
            log::error!("a session could not be opened again");
        }
    }

    fn open_model(&mut self, id: ModelId, path: &Path, options: &OpenOptions) -> Result<ModelInfo, InferenceError> {
        within("open models", self.models.len() as u64 + 1, MODELS_MAX)?;
        let model = Model::open(path, options)?;
        let info = ModelInfo {
            manifest: model.manifest().clone(),
            variant: model.variant().name.clone(),
            kv_bytes_per_token: model.kv_bytes_per_token(),
            context_binding: model.context_binding(),
            threads: model.threads(),
            layers: model.layers(),
            load_ms: model.load_ms(),
            has_chat_template: model.chat_template().is_some(),
            takes_system: model.chat_template().is_none_or(ChatTemplate::takes_system),
            is_told_date: model.chat_template().is_some_and(ChatTemplate::prints_date),
            can_think: model
                .chat_template()
                .is_some_and(|template| template.thinking().is_some()),
        };
        log::info!(
            "opened a model of {} layers in {:.0} ms, {} threads",
            info.layers,
            info.load_ms,
            info.threads
        );
        self.models.insert(id, model);
        Ok(info)
    }

    fn open_session(&mut self, id: SessionId, model: ModelId, options: SessionOptions) -> Result<(), InferenceError> {
        within("open conversations", self.sessions.len() as u64 + 1, SESSIONS_MAX)?;
        let context_length = options.context_length;
        let chat = Chat::new(self.model(model)?, options.clone())?;
        log::debug!("opened a session with a context of {context_length} tokens");
        self.sessions.insert(id, OpenSession { model, options, chat });
        Ok(())
    }

    fn model(&self, id: ModelId) -> Result<&Arc<Model>, InferenceError> {
        self.models.get(&id).ok_or(InferenceError::Closed { what: "model" })
    }

    fn chat(&mut self, id: SessionId) -> Result<&mut Chat, InferenceError> {
        self.sessions
            .get_mut(&id)
            .map(|open| &mut open.chat)
            .ok_or(InferenceError::Closed { what: "conversation" })
    }

    /// A session's chat while no answer is in progress.
    pub(crate) fn idle_chat(&mut self, id: SessionId) -> Result<&mut Chat, InferenceError> {
        self.settle(id);
        if self.answers.iter().any(|active| active.owner.session == Some(id)) {
            return Err(InferenceError::Busy);
        }
        self.chat(id)
    }

    fn begin(&mut self, begin: Begin) -> Result<(), InferenceError> {
        let Begin {
            owner,
            prompt,
            options,
            cancel,
            events,
            ticket,
        } = begin;
        let work = match (prompt, owner.session) {
            (Prompt::Messages(messages), Some(id)) => {
                self.settle(id);
                self.chat(id)?.ask(&messages, options, cancel.clone())?;
                Work::Chat(id)
            }
            (Prompt::Raw { text, context_length }, _) => Work::Raw(Box::new(raw_work(
                self.model(owner.model)?,
                &text,
                context_length,
                options,
                cancel.clone(),
            )?)),
            (Prompt::Messages(_), None) => return Err(InferenceError::Closed { what: "conversation" }),
        };
        self.answers.push_back(Active {
            owner,
            work,
            cancel,
            events,
            ticket,
        });
        Ok(())
    }

    /// Ends the session's cancelled answer, if there is one, so that the next question need not wait for its turn.
    fn settle(&mut self, id: SessionId) {
        let cancelled = |active: &Active| active.owner.session == Some(id) && active.cancel.is_cancelled();
        if let Some(index) = self.answers.iter().position(cancelled)
            && let Some(active) = self.answers.remove(index)
        {
            self.finish(active);
        }
    }

    /// Runs a cancelled answer to its end, which is the next step.
    fn finish(&mut self, mut active: Active) {
        active.cancel.cancel();
        while let Some(next) = self.step(active) {
            active = next;
        }
    }

    /// Lets the first answer whose reader has room make one step. False when there is none.
    fn take_turn(&mut self) -> bool {
        for _ in 0..self.answers.len() {
            let Some(active) = self.answers.pop_front() else { break };
            // Room is kept for the last step, so that a cancelled answer can always end.
            if active.cancel.is_cancelled() || active.events.capacity() >= STEPS_FREE_MIN {
                if let Some(active) = self.step(active) {
                    self.answers.push_back(active);
                }
                return true;
            }
            self.answers.push_back(active);
        }
        false
    }

    /// Makes one step and hands its events over. `None` when the answer has ended.
    fn step(&mut self, mut active: Active) -> Option<Active> {
        let session = active.owner.session;
        let step = self.isolated(session, |thread| match &mut active.work {
            Work::Chat(id) => thread.chat(*id).and_then(|chat| Ok(chat.step()?)),
            Work::Raw(raw) => raw.generation.step(&mut raw.session).map_err(InferenceError::from),
        });
        // A send fails only when the reader is gone; the answer is then cancelled and ends in its next step.
        let send = |item| drop(active.events.try_send(item));
        match step {
            Ok(Step::Text(text)) if text.is_empty() => {}
            Ok(Step::Finished { text, statistics }) => {
                // Out of the registry first: a reader that sees the end may ask again at once.
                drop(active.ticket);
                log::debug!("answered: {statistics:?}");
                send(Ok(Step::Finished { text, statistics }));
                return None;
            }
            Ok(step) => send(Ok(step)),
            Err(error) => {
                drop(active.ticket);
                log::warn!("an answer failed: {error}");
                send(Err(error));
                return None;
            }
        }
        Some(active)
    }

    fn close(&mut self, owned: Owned) {
        match owned {
            Owned::Model(id) => {
                self.finish_all(|owner| owner.model == id);
                self.sessions.retain(|_, open| open.model != id);
                if self.models.remove(&id).is_some() {
                    log::debug!("closed a model");
                }
            }
            Owned::Session(id) => {
                self.finish_all(|owner| owner.session == Some(id));
                self.sessions.remove(&id);
            }
        }
    }

    fn finish_all(&mut self, is_under: impl Fn(&Owner) -> bool) {
        while let Some(index) = self.answers.iter().position(|active| is_under(&active.owner))
            && let Some(active) = self.answers.remove(index)
        {
            self.finish(active);
        }
    }
}

fn raw_work(
    model: &Arc<Model>,
    text: &str,
    context_length: u32,
    options: GenerationOptions,
    cancel: CancelFlag,
) -> Result<RawWork, EngineError> {
    let mut session = Session::new(model, context_length)?;
    let tokenizer = model.tokenizer();
    let mut prompt = tokenizer.encode(text, true);
    if let (true, Some(bos)) = (tokenizer.add_bos(), tokenizer.bos())
        && prompt.first() != Some(&bos)
    {
        prompt.insert(0, bos);
    }
    let generation = Generation::new(&mut session, prompt, options, cancel)?;
    Ok(RawWork { session, generation })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use whimbrel_engine::{Message, Role};

    /// A thread's state with the tiny model and a session.
    fn thread() -> (InferenceThread, ModelId, SessionId) {
        let registry = Arc::new(Registry::default());
        let (_, commands) = mpsc::channel(1);
        let mut thread = InferenceThread::new(registry.clone(), commands);
        let (model, session) = (registry.model_id(), registry.session_id());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny");
        let options = OpenOptions {
            threads: 1,
            ..OpenOptions::default()
        };
        thread.open_model(model, &folder, &options).unwrap();
        thread.open_session(session, model, SessionOptions::default()).unwrap();
        (thread, model, session)
    }

    /// The whole answer of a session.
    fn answer(thread: &mut InferenceThread, model: ModelId, session: SessionId) -> String {
        let owner = Owner {
            model,
            session: Some(session),
        };
        let cancel = CancelFlag::default();
        let ticket = thread.registry.begin(owner, &cancel).unwrap();
        let (events, mut received) = mpsc::channel(100);
        let begin = Begin {
            owner,
            prompt: Prompt::Messages(vec![Message {
                role: Role::User,
                content: "Hello".into(),
            }]),
            options: GenerationOptions {
                max_tokens: 8,
                ..GenerationOptions::default()
            },
            cancel,
            events,
            ticket,
        };
        thread.begin(begin).unwrap();
        while thread.take_turn() {}
        let mut answer = String::new();
        while let Ok(step) = received.try_recv() {
            if let Step::Text(text) | Step::Finished { text, .. } = step.unwrap() {
                answer += &text;
            }
        }
        answer
    }

    #[test]
    fn a_panic_ends_one_request_and_nothing_else() {
        let (mut thread, model, session) = thread();
        let expected = answer(&mut thread, model, session);
        assert!(!expected.is_empty());
        let error = thread.isolated::<()>(Some(session), |thread| {
            let used = thread.chat(session)?.context().tokens;
            assert!(used == 0, "a defect in the middle of a request");
            Ok(())
        });
        assert!(
            matches!(error, Err(InferenceError::Engine(EngineError::Run { .. }))),
            "{error:?}"
        );
        assert_eq!(thread.chat(session).unwrap().context().tokens, 0);
        assert_eq!(answer(&mut thread, model, session), expected);
        let error = thread.isolated::<()>(None, |_| panic!("a defect outside of a session"));
        assert!(error.is_err());
        assert_eq!(answer(&mut thread, model, session), expected);
    }
}
