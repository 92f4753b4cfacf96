//! Where answers come from: a model of this device alone, or an assistant that decides by a policy and may have such a model.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use whimbrel_client::policy::DeviceUpdate;
use whimbrel_client::policy::outbox::RunBudget;
use whimbrel_client::{
    Answer, AskOptions, Assistant, AssistantOptions, Client, Conversation, ConversationOptions, Conversations,
    EndpointExtras, GenerationOptions, Model, ModelInfo, OpenOptions, Request, Role, ToolOptions, block_on,
};

use crate::arguments::ledger::LedgerArguments;
use crate::arguments::model::{MemoryArguments, ModelArguments, ThreadArguments, folder_if_any};
use crate::arguments::policy::PolicyArguments;
use crate::arguments::policy_documents;
use crate::error::CliError;
use crate::machine::device;
use crate::models::names;
use crate::terminal::words::counted;
use crate::terminal::{input, style};

/// See the module. At least one of the two is there.
#[derive(Default)]
pub(crate) struct AnswerSource {
    model: Option<Model>,
    /// What the model is called here.
    model_name: Option<String>,
    assistant: Option<Assistant>,
    /// What opened the model.
    client: Option<Client>,
    /// Where conversations are kept.
    ledger: LedgerArguments,
    /// Those that are kept, once one was opened.
    conversations: OnceCell<Conversations>,
    /// What the user says about the device.
    known_device: DeviceUpdate,
    task: String,
    /// Whether remembered answers are asked for anew.
    is_fresh: bool,
    /// For how long a question is of use that has to wait.
    expires_in_ms: Option<u64>,
    /// What the model may call.
    tools: ToolOptions,
}

impl AnswerSource {
    /// Opens the ledger, which is made where it is missing, and the model: the one that is named, else the only installed one.
    ///
    /// # Errors
    /// Those of reading policies, of the ledger and of the model; [`CliError::Usage`] for an authority of no endpoint, and under a policy for
    /// a model that holds no conversations.
    pub(crate) fn open(
        model: &ModelArguments,
        policy: &PolicyArguments,
        task: &str,
        threads: ThreadArguments,
        memory: MemoryArguments,
    ) -> Result<AnswerSource, CliError> {
        let mut source = AnswerSource {
            task: task.to_owned(),
            is_fresh: policy.fresh,
            expires_in_ms: policy.expires.map(|seconds| seconds * 1000),
            ledger: policy.ledger(),
            ..AnswerSource::default()
        };
        if let Some(name) = &policy.policy {
            let policies = policy_documents::set(name, policy.user_policy.as_deref())?;
            if let Some(given) = &policy.device {
                source.known_device = policy_documents::device(given)?;
            }
            let assistant = Assistant::open(AssistantOptions {
                vault: Arc::new(source.ledger.vault()?),
                store: source.ledger.database()?,
                policies,
                user_words: policy.word.clone(),
            })?;
            for authority in &policy.authority {
                trust(&assistant, authority)?;
            }
            for ended in assistant.endings() {
                style::note(&format!(
                    "[whimbrel was ended the last time while {}]",
                    ended.stage.words()
                ));
            }
            source.assistant = Some(assistant);
        }
        let folder = match source.assistant {
            Some(_) => folder_if_any(model.model.as_deref())?,
            None => Some(model.folder()?),
        };
        if let Some(folder) = folder {
            let opened = source.open_model(folder, model, threads, memory);
            match opened {
                // The policy may do without a model that nobody named.
                Err(error) if source.assistant.is_some() && model.model.is_none() => {
                    style::note(&format!("[the installed model is not used: {error}]"));
                }
                opened => opened?,
            }
            source.take_over();
        }
        Ok(source)
    }

    fn open_model(
        &mut self,
        folder: PathBuf,
        model: &ModelArguments,
        threads: ThreadArguments,
        memory: MemoryArguments,
    ) -> Result<(), CliError> {
        let options = OpenOptions {
            huge_pages: memory.huge_pages,
            ..model.open_options(threads.threads)
        };
        let client = Client::new()?;
        let opened = block_on(client.open_model(&folder, options))?;
        if self.assistant.is_some() && !opened.info().has_chat_template {
            return Err(CliError::usage("the model has no chat template", "use another --model"));
        }
        self.model_name = Some(names::of_bundle(&folder, &opened.info().manifest.name));
        self.model = Some(opened);
        self.client = Some(client);
        Ok(())
    }

    /// The same source with another model, which answers once [`AnswerSource::take_over`] was called.
    ///
    /// # Errors
    /// As [`AnswerSource::open`].
    pub(crate) fn with_model(
        &self,
        model: &ModelArguments,
        threads: ThreadArguments,
        memory: MemoryArguments,
    ) -> Result<AnswerSource, CliError> {
        let mut source = AnswerSource {
            assistant: self.assistant.clone(),
            known_device: self.known_device.clone(),
            task: self.task.clone(),
            is_fresh: self.is_fresh,
            expires_in_ms: self.expires_in_ms,
            tools: self.tools.clone(),
            ledger: self.ledger.clone(),
            ..AnswerSource::default()
        };
        source.open_model(model.folder()?, model, threads, memory)?;
        Ok(source)
    }

    /// The model may call these tools from now on.
    pub(crate) fn offer(&mut self, tools: ToolOptions) {
        self.tools = tools;
    }

    /// From now on the assistant, if there is one, asks this model.
    pub(crate) fn take_over(&self) {
        if let Some(assistant) = &self.assistant {
            assistant.set_model(self.model.clone());
        }
    }

    /// The assistant, where a policy decides.
    pub(crate) fn assistant(&self) -> Option<&Assistant> {
        self.assistant.as_ref()
    }

    /// The model of this device, if there is one.
    pub(crate) fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// What the model of this device is called, if there is one.
    pub(crate) fn model_name(&self) -> Option<&str> {
        self.model_name.as_deref()
    }

    /// What rules and learning call the work.
    pub(crate) fn task(&self) -> &str {
        &self.task
    }

    /// What is known of the model of this device, if there is one.
    pub(crate) fn model_info(&self) -> Option<&ModelInfo> {
        self.model.as_ref().map(Model::info)
    }

    /// Starts a conversation, or continues the one that is kept under a title. `hint` says what to do about a model that cannot hold one.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a model without a chat template; those of the client.
    pub(crate) fn conversation(
        &self,
        options: ConversationOptions,
        title: Option<&str>,
        hint: &str,
    ) -> Result<Conversation, CliError> {
        if self.assistant.is_none() && !self.model_info().is_some_and(|info| info.has_chat_template) {
            return Err(CliError::usage("the model has no chat template", hint));
        }
        let takes_system = self.model_info().is_none_or(|info| info.takes_system);
        if !takes_system && options.system.as_deref() != Some("") {
            style::note("[the model has no system role: the system message is put in front of the first question]");
        }
        if let Some(title) = title {
            return self.kept(options, title);
        }
        match (&self.assistant, &self.model) {
            (None, Some(model)) => Ok(model.conversation(options)?),
            (assistant, _) => Ok(assistant
                .as_ref()
                .expect("one of the two is there")
                .conversation(options)),
        }
    }

    /// The conversation that is kept under a title, which is made where it is missing.
    fn kept(&self, options: ConversationOptions, title: &str) -> Result<Conversation, CliError> {
        let conversations = match self.conversations.get() {
            Some(open) => open,
            None => {
                let opened = self.open_conversations()?;
                self.conversations.get_or_init(|| opened)
            }
        };
        Ok(match block_on(conversations.find_title(title))? {
            Some(id) => {
                let conversation = block_on(conversations.open(id, options))?;
                let messages = counted(conversation.messages().len() as u64, "message");
                style::note(&format!("[continuing {title} with {messages}]"));
                conversation
            }
            None => block_on(conversations.create(title, options))?,
        })
    }

    fn open_conversations(&self) -> Result<Conversations, CliError> {
        Ok(match (&self.assistant, &self.client, &self.model) {
            (None, Some(client), Some(model)) => {
                let vault = Arc::new(self.ledger.vault()?);
                let conversations = client.conversations(&self.ledger.database()?, vault)?;
                conversations.answered_by(model)
            }
            (assistant, ..) => assistant.as_ref().expect("one of the two is there").conversations(),
        })
    }

    /// Answers a request that belongs to no conversation.
    ///
    /// # Errors
    /// [`CliError::Client`].
    pub(crate) fn answer(&self, mut request: Request) -> Result<Answer, CliError> {
        request.options.fresh = self.is_fresh;
        self.update_device();
        Ok(match (&self.assistant, &self.model) {
            (None, Some(model)) => model.answer(request)?,
            (assistant, _) => assistant.as_ref().expect("one of the two is there").answer(request)?,
        })
    }

    /// Sends what is queued and can be sent now, and shows the answers that came into a conversation.
    ///
    /// # Errors
    /// [`CliError::Client`].
    pub(crate) fn send_queued(&self, conversation: &Conversation) -> Result<(), CliError> {
        let (Some(assistant), Some(_)) = (&self.assistant, conversation.id()) else {
            return Ok(());
        };
        let outbox = assistant.outbox();
        let waiting = block_on(outbox.list())?.len();
        if waiting == 0 {
            return Ok(());
        }
        style::note(&format!(
            "[{} queued; sending what can be sent]",
            counted(waiting as u64, "question")
        ));
        self.update_device();
        let before = conversation.messages().len();
        let ran = block_on(outbox.run_due(RunBudget::UNLIMITED))?;
        for message in conversation.messages().iter().skip(before) {
            let text = match message.role {
                Role::User => format!("> {}", message.content),
                _ => message.content.clone(),
            };
            style::note(&text);
        }
        if ran.left > 0 {
            style::note(&format!(
                "[{} still queued; `whimbrel outbox list` shows why]",
                counted(ran.left, "question")
            ));
        }
        Ok(())
    }

    /// Reads the device as it is now, where a policy looks at it. What the user says about it takes precedence.
    pub(crate) fn update_device(&self) {
        if let Some(assistant) = &self.assistant {
            assistant.update_device(&device::read());
            assistant.update_device(&self.known_device);
        }
    }

    /// Ends a conversation, and waits until what is kept is written.
    pub(crate) fn end_with(&self, conversation: &Conversation) {
        block_on(conversation.shutdown());
        self.end();
    }

    /// Waits until what is kept is written.
    pub(crate) fn end(&self) {
        if let Some(conversations) = self.conversations.get() {
            block_on(conversations.shutdown());
        }
        if let Some(assistant) = &self.assistant {
            block_on(assistant.shutdown());
        }
    }

    /// How a question is asked.
    pub(crate) fn ask_options(&self, generation: &GenerationOptions) -> AskOptions {
        AskOptions {
            task: self.task.clone(),
            fresh: self.is_fresh,
            expires_in_ms: self.expires_in_ms,
            tools: self.tools.clone(),
            generation: generation.clone(),
            ..AskOptions::default()
        }
    }
}

/// `ENDPOINT=FILE`
fn trust(assistant: &Assistant, authority: &OsStr) -> Result<(), CliError> {
    let usage = |message: &str| CliError::usage(message, "--authority ENDPOINT=FILE");
    let whose = || usage("--authority needs the id of an endpoint");
    let bytes = authority.as_bytes();
    let equals = bytes.iter().position(|byte| *byte == b'=').ok_or_else(whose)?;
    let id = std::str::from_utf8(&bytes[..equals]).map_err(|_| whose())?;
    let path = Path::new(OsStr::from_bytes(&bytes[equals + 1..]));
    let policies = assistant.policies();
    if policies.app().endpoint(id).is_none() {
        return Err(usage(&format!("--authority: the policy has no endpoint {id}")));
    }
    let extras = EndpointExtras {
        authorities_pem: input::file(path)?,
        ..EndpointExtras::default()
    };
    Ok(assistant.set_endpoint(id, extras)?)
}
