//! The inference thread: owns every model and session, carries out commands, and lets the answers in the making take turns, one
//! step each. It never waits for a reader.

use std::collections::{HashMap, VecDeque};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;
use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, EngineError, Generation, GenerationOptions, Message, Model, OpenOptions, Role,
    Session, Step,
};

use crate::command::{Begin, Command, EventSender, MessagesAction, Prompt, SavedAction};
use crate::error::within;
use crate::limits::EVENTS_A_STEP;
use crate::registry::{ConversationId, ModelId, Owned, Owner, Registry, Ticket};
use crate::saved;
use crate::{AnswerEvent, CONVERSATIONS_MAX, ClientError, ConversationOptions, MODELS_MAX, ModelInfo};

pub(crate) struct Inference {
    registry: Arc<Registry>,
    commands: mpsc::Receiver<Command>,
    models: HashMap<ModelId, Arc<Model>>,
    conversations: HashMap<ConversationId, OpenConversation>,
    /// In the order of their turns.
    answers: VecDeque<Active>,
}

struct OpenConversation {
    model: ModelId,
    chat: Chat,
    /// Messages that were dropped for want of room are gone from these.
    messages: Vec<Message>,
    system: Option<Message>,
    /// The question that is being answered, and the answer so far.
    exchange: Option<(String, String)>,
}

impl OpenConversation {
    fn new(model: ModelId, chat: Chat, system: Option<Message>) -> OpenConversation {
        OpenConversation {
            model,
            chat,
            messages: system.iter().cloned().collect(),
            system,
            exchange: None,
        }
    }

    fn ask(&mut self, question: String, options: GenerationOptions, cancel: CancelFlag) -> Result<(), EngineError> {
        let message = Message {
            role: Role::User,
            content: question,
        };
        self.messages.push(message);
        let asked = self.chat.ask(&self.messages, options, cancel);
        let question = self.messages.pop().map(|message| message.content);
        asked?;
        self.exchange = question.map(|question| (question, String::new()));
        Ok(())
    }

    fn step(&mut self) -> Result<Step, EngineError> {
        let step = self.chat.step()?;
        if let (Step::Text(text) | Step::Finished { text, .. }, Some((_, answer))) = (&step, &mut self.exchange) {
            answer.push_str(text);
        }
        if let Step::Finished { statistics, .. } = &step {
            self.keep_exchange(statistics.dropped_messages as usize);
        }
        Ok(step)
    }

    /// Question and answer become part of the messages, and what was dropped for them is forgotten.
    fn keep_exchange(&mut self, dropped: usize) {
        let Some((question, answer)) = self.exchange.take().filter(|(_, answer)| !answer.is_empty()) else {
            return;
        };
        let first = self.messages.iter().take_while(|message| message.role == Role::System);
        let first = first.count();
        self.messages.drain(first..first + dropped);
        let said = |role, content| Message { role, content };
        self.messages
            .extend([said(Role::User, question), said(Role::Assistant, answer)]);
    }
}

/// An answer in the making.
struct Active {
    owner: Owner,
    work: Work,
    cancel: CancelFlag,
    events: EventSender,
    ticket: Ticket,
}

enum Work {
    /// The state is in the owner's [`OpenConversation`].
    Chat(ConversationId),
    Raw(Box<RawWork>),
}

struct RawWork {
    session: Session,
    generation: Generation,
}

impl Inference {
    pub(crate) fn new(registry: Arc<Registry>, commands: mpsc::Receiver<Command>) -> Inference {
        Inference {
            registry,
            commands,
            models: HashMap::new(),
            conversations: HashMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// The thread's whole life. A panic ends it and everything that it owns; the handles then say so.
    pub(crate) fn run(mut self) {
        if panic::catch_unwind(AssertUnwindSafe(|| self.work())).is_err() {
            log::error!("the inference thread stopped after a panic");
        }
        // The channel goes last: whoever waits for its end may rely on the memory being free.
        let Inference {
            commands,
            models,
            conversations,
            answers,
            ..
        } = self;
        drop((answers, conversations, models));
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
            } => drop(reply.send(self.open_model(id, &path, &options))),
            Command::OpenConversation {
                id,
                model,
                options,
                reply,
            } => {
                drop(reply.send(self.open_conversation(id, model, options)));
            }
            Command::Messages { id, action, reply } => drop(reply.send(self.messages(id, action))),
            Command::Saved { id, action, reply } => drop(reply.send(self.saved(id, action))),
            Command::Begin { begin, reply } => drop(reply.send(self.begin(begin))),
        }
    }

    fn open_model(&mut self, id: ModelId, path: &Path, options: &OpenOptions) -> Result<ModelInfo, ClientError> {
        within("open models", self.models.len() as u64 + 1, MODELS_MAX)?;
        let model = Model::open(path, options)?;
        let info = ModelInfo {
            manifest: model.manifest().clone(),
            variant: model.variant().name.clone(),
            kv_bytes_per_token: model.kv_bytes_per_token(),
            threads: model.threads(),
            layers: model.layers(),
            load_ms: model.load_ms(),
            has_chat_template: model.chat_template().is_some(),
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

    fn open_conversation(
        &mut self,
        id: ConversationId,
        model: ModelId,
        options: ConversationOptions,
    ) -> Result<(), ClientError> {
        within(
            "open conversations",
            self.conversations.len() as u64 + 1,
            CONVERSATIONS_MAX,
        )?;
        let (context_length, system) = (options.context_length, options.system_message());
        let options = ChatOptions {
            context_length,
            context_policy: options.context_policy,
        };
        let chat = Chat::new(self.model(model)?, options)?;
        log::debug!("opened a conversation with a context of {context_length} tokens");
        self.conversations
            .insert(id, OpenConversation::new(model, chat, system));
        Ok(())
    }

    fn model(&self, id: ModelId) -> Result<&Arc<Model>, ClientError> {
        self.models.get(&id).ok_or(ClientError::Closed { what: "model" })
    }

    fn conversation(&mut self, id: ConversationId) -> Result<&mut OpenConversation, ClientError> {
        self.conversations
            .get_mut(&id)
            .ok_or(ClientError::Closed { what: "conversation" })
    }

    fn messages(&mut self, id: ConversationId, action: MessagesAction) -> Result<Vec<Message>, ClientError> {
        self.settle(id);
        let busy = self.answers.iter().any(|active| active.owner.conversation == Some(id));
        let open = self.conversation(id)?;
        match action {
            MessagesAction::Read => {}
            _ if busy => return Err(ClientError::Busy),
            MessagesAction::Reset => open.messages = open.system.iter().cloned().collect(),
            MessagesAction::Replace(messages) => open.messages = messages,
        }
        Ok(open.messages.clone())
    }

    fn saved(&mut self, id: ConversationId, action: SavedAction) -> Result<(), ClientError> {
        self.settle(id);
        if self.answers.iter().any(|active| active.owner.conversation == Some(id)) {
            return Err(ClientError::Busy);
        }
        let OpenConversation { chat, messages, .. } = self.conversation(id)?;
        match action {
            SavedAction::Save(path) => saved::write(&path, &chat.save(messages)?),
            SavedAction::Restore(path) => {
                *messages = chat.restore(&saved::read(&path)?)?;
                Ok(())
            }
            SavedAction::SavePrefix(path, tokens) => saved::write(&path, &chat.save_prefix(tokens)?),
            SavedAction::RestorePrefix(path) => Ok(chat.restore_prefix(&saved::read(&path)?)?),
        }
    }

    fn begin(&mut self, begin: Begin) -> Result<(), ClientError> {
        let Begin {
            owner,
            prompt,
            options,
            cancel,
            events,
            ticket,
        } = begin;
        let work = match (prompt, owner.conversation) {
            (Prompt::Question(text), Some(id)) => {
                self.settle(id);
                self.conversation(id)?.ask(text, options, cancel.clone())?;
                Work::Chat(id)
            }
            (Prompt::Raw { text, context_length }, _) => Work::Raw(Box::new(raw_work(
                self.model(owner.model)?,
                &text,
                context_length,
                options,
                cancel.clone(),
            )?)),
            (Prompt::Question(_), None) => return Err(ClientError::Closed { what: "conversation" }),
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

    /// Ends the conversation's cancelled answer, if there is one, so that the next question need not wait for its turn.
    fn settle(&mut self, id: ConversationId) {
        let cancelled = |active: &Active| active.owner.conversation == Some(id) && active.cancel.is_cancelled();
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
            if active.cancel.is_cancelled() || active.events.capacity() >= 2 * EVENTS_A_STEP {
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
        let step = match &mut active.work {
            Work::Chat(id) => self.conversation(*id).and_then(|open| Ok(open.step()?)),
            Work::Raw(raw) => raw.generation.step(&mut raw.session).map_err(ClientError::from),
        };
        // A send fails only when the reader is gone; the answer is then cancelled and ends in its next step.
        let send = |item| drop(active.events.try_send(item));
        match step {
            Ok(Step::Prefilled { done, total }) => send(Ok(AnswerEvent::Prefilled { done, total })),
            Ok(Step::Text(text)) if text.is_empty() => {}
            Ok(Step::Text(text)) => send(Ok(AnswerEvent::Text(text))),
            Ok(Step::Finished { text, statistics }) => {
                // Out of the registry first: a reader that sees the end may ask again at once.
                drop(active.ticket);
                if !text.is_empty() {
                    send(Ok(AnswerEvent::Text(text)));
                }
                log::debug!("answered: {statistics:?}");
                send(Ok(AnswerEvent::Finished(statistics)));
                return None;
            }
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
                self.conversations.retain(|_, open| open.model != id);
                if self.models.remove(&id).is_some() {
                    log::debug!("closed a model");
                }
            }
            Owned::Conversation(id) => {
                self.finish_all(|owner| owner.conversation == Some(id));
                self.conversations.remove(&id);
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
    let mut prompt = Vec::new();
    let tokenizer = &model.manifest().tokenizer;
    if tokenizer.add_bos {
        prompt.extend(tokenizer.bos);
    }
    prompt.extend(model.tokenizer().encode(text, true));
    let generation = Generation::new(&mut session, prompt, options, cancel)?;
    Ok(RawWork { session, generation })
}
