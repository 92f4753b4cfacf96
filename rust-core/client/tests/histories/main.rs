//! Nothing leaves that must stay, over whole histories: random conversations of many turns, with changing tasks, classes, networks and policies,
//! retries, cancelling, restored messages and restarts, run by the real executor against places that only record. What may leave is judged by this
//! test's own reading of the rules, message by message, as they were when each was asked.
//!
//! `WHIMBREL_HISTORIES` says how many (10,000 by default), `WHIMBREL_SEED` which.
#![allow(clippy::unwrap_used)]

mod judge;
mod places;
mod records;
mod rules;

use std::sync::{Arc, Mutex};

use judge::{Judge, Permission};
use places::{Recording, Sent};
use records::Memory;
use rules::{CLASSES, NETWORKS, Rules, TASKS};
use serde_json::json;
use whimbrel_client::policy::{DeviceUpdate, Network, Reported, ToolPermission};
use whimbrel_client::ports::Ports;
use whimbrel_client::privacy::PrivacyClass;
use whimbrel_client::store::MemoryVault;
use whimbrel_client::{
    Answer, AskOptions, Assistant, AssistantOptions, ClientError, Conversation, ConversationOptions, Event, Form,
    GenerationOptions, Message, Tool, ToolOptions, ToolResult, block_on,
};
use whimbrel_testing::{Random, planted};

const POLICIES: u64 = 300;
/// The tool that may be called.
const TOOL: &str = "look_up";
/// Histories that one assistant has.
const HISTORIES_PER_ASSISTANT: u64 = 40;
/// A word that the app supplies to be redacted.
const SUPPLIED_WORD: &str = "Projektkranich";

/// Everything that the process logged.
static LOGGED: Mutex<String> = Mutex::new(String::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target().starts_with("whimbrel") {
            LOGGED.lock().unwrap().push_str(&format!("{}\n", record.args()));
        }
    }

    fn flush(&self) {}
}

/// An assistant with recording places.
struct Scene {
    assistant: Assistant,
    recording: Arc<Recording>,
    records: Arc<Memory>,
}

impl Scene {
    fn new(rules: &Rules, seed: u64) -> Scene {
        let records = Arc::new(Memory::default());
        let recording = Arc::new(Recording::new(seed, records.clone()));
        let assistant = Assistant::open_with(
            AssistantOptions {
                store: "unused".into(),
                vault: Arc::new(MemoryVault::default()),
                policies: rules.set.clone(),
                user_words: vec![SUPPLIED_WORD.to_owned()],
            },
            Ports {
                records: Some(records.clone()),
                backends: Some(recording.clone()),
                ..Ports::default()
            },
        );
        Scene {
            assistant: assistant.unwrap(),
            recording,
            records,
        }
    }
}

/// One conversation and what the test knows about it.
struct Story<'a> {
    random: Random,
    policies: &'a [Rules],
    scene: Scene,
    rules: &'a Rules,
    network: Option<Network>,
    conversation: Conversation,
    judge: Judge,
    /// The class that the app declared for the whole conversation.
    raised: PrivacyClass,
    sent: u64,
    turns: u64,
    called: u64,
}

/// What is known of a question that may call tools.
struct About {
    task: &'static str,
    class: PrivacyClass,
    class_of_results: PrivacyClass,
    /// What was planted so far.
    secrets: Vec<judge::Secret>,
}

impl<'a> Story<'a> {
    fn new(seed: u64, policies: &'a [Rules]) -> Story<'a> {
        let mut random = Random::new(seed);
        let rules = random.pick(policies);
        let scene = Scene::new(rules, seed);
        let conversation = scene.assistant.conversation(conversation_options());
        Story {
            random,
            policies,
            scene,
            rules,
            network: None,
            conversation,
            judge: Judge::default(),
            raised: PrivacyClass::Public,
            sent: 0,
            turns: 0,
            called: 0,
        }
    }

    /// A conversation of some turns.
    fn tell(&mut self) {
        self.conversation = self.scene.assistant.conversation(conversation_options());
        self.raised = PrivacyClass::Public;
        self.judge = Judge::default();
        for _ in 0..3 + self.random.below(6) {
            let step = self.random.below(20);
            self.judge.note(format!("step {step}, network {:?}", self.network));
            match step {
                0..11 => self.ask(),
                11 => self.repeat(|conversation| conversation.regenerate(options("", PrivacyClass::Public).generation)),
                12 => self.repeat(Conversation::escalate),
                13 => self.travel(),
                14 => self.change_policies(),
                15 => self.bring_back(true),
                16 => {
                    self.bring_back(false);
                    // Under other rules the same server may be allowed less, by the class that came back.
                    if self.random.chance(50) {
                        self.change_policies();
                    }
                }
                17 => self.restart(),
                18 => self.raise(),
                _ => {
                    self.conversation.reset().unwrap();
                    self.raised = PrivacyClass::Public;
                }
            }
            self.look();
        }
    }

    fn ask(&mut self) {
        let task = *self.random.pick(&TASKS);
        let class = self.random.pick(&CLASSES).1;
        let (text, secrets) = planted_text(&mut self.random);
        let class_known = class.max(self.raised);
        self.judge.next();
        let form = self.random.chance(30).then(|| self.form(task, class_known, &secrets));
        let has_tools = form.is_none() && self.random.chance(35);
        let of_question = secrets.clone();
        let permission = Permission::new(self.rules, self.network, task, class_known, &secrets);
        self.judge.note(format!(
            "ask {task} as {class:?}: {permission:?}, with a form: {}, with tools: {has_tools}",
            form.is_some()
        ));
        let marker = self.judge.asked(&mut self.random, permission, secrets);
        let question = format!("{marker} {text}");
        // What the recording places answer begins with the last word of the question.
        let question = format!("{question} {marker}");
        let mut options = options(task, class);
        options.generation.form = form;
        let mut about = About {
            task,
            class: class_known,
            class_of_results: PrivacyClass::Public,
            secrets: of_question,
        };
        if has_tools {
            options.tools = self.tools(&mut about);
        }
        let answer = self.conversation.ask(&question, options).unwrap();
        self.read(answer, Some(about));
    }

    /// A tool in whose description something may be planted. What it gives may be declared to be private.
    fn tools(&mut self, about: &mut About) -> ToolOptions {
        let description = self.plant(about);
        let parameters = r#"{"type": "object", "properties": {"about": {"type": "string"}}, "required": ["about"], "additionalProperties": false}"#;
        let tool = Tool {
            name: TOOL.to_owned(),
            description,
            parameters: parameters.to_owned(),
            permission: ToolPermission::Always,
            result_class: self.random.pick(&CLASSES).1,
        };
        about.class_of_results = tool.result_class;
        ToolOptions {
            tools: vec![tool],
            calls_max: 3,
            ..ToolOptions::default()
        }
    }

    /// A text with a marker at its end, in which something may be planted, that belongs to the last question.
    fn plant(&mut self, about: &mut About) -> String {
        let (text, secrets) = planted_text(&mut self.random);
        about.secrets.extend(secrets.iter().cloned());
        let permission = Permission::new(self.rules, self.network, about.task, about.class, &about.secrets);
        let marker = self.judge.asked(&mut self.random, permission, secrets);
        format!("{text} {marker}")
    }

    /// A form of the answer in which something may be planted, beside what is in the question.
    fn form(&mut self, task: &str, class: PrivacyClass, of_question: &[judge::Secret]) -> Form {
        let (text, secrets) = planted_text(&mut self.random);
        let all = [of_question, &secrets].concat();
        let permission = Permission::new(self.rules, self.network, task, class, &all);
        let marker = self.judge.asked(&mut self.random, permission, secrets);
        let note = json!({"type": "string", "description": format!("{marker} {text}")});
        let schema = json!({"type": "object", "properties": {"note": note}, "required": ["note"]});
        Form::JsonSchema(schema.to_string())
    }

    fn repeat(&mut self, begin: impl Fn(&Conversation) -> Result<Answer, ClientError>) {
        let revision = self.conversation.revision();
        let Ok(answer) = begin(&self.conversation) else { return };
        // The last question is decided anew, by the rules and in the state of now.
        let before = self.judge.asked_again(self.rules, self.network);
        if !self.read(answer, None) {
            self.settle();
        }
        self.look();
        if self.conversation.revision() == revision {
            // The old answer stays: neither decision is undone.
            self.judge.tighten(before);
        }
    }

    /// Reads to the end, or stops somewhere on the way. Returns whether the end was seen.
    fn read(&mut self, answer: Answer, mut about: Option<About>) -> bool {
        self.turns += 1;
        let stops_after = match self.random.below(10) {
            0 => Some(self.random.below(4)),
            _ => None,
        };
        let drops = self.random.chance(50);
        let mut seen = 0;
        loop {
            if stops_after == Some(seen) {
                if drops {
                    return false;
                }
                answer.cancel();
            }
            seen += 1;
            match block_on(answer.next(1)) {
                Ok(events) if events.is_empty() => return true,
                Ok(events) => {
                    match &events[..] {
                        [Event::Finished(report)] => self.judge.note(report.summary()),
                        [Event::Call(call)] => {
                            let result = match &mut about {
                                Some(about) => {
                                    about.class = about.class.max(about.class_of_results);
                                    self.plant(about)
                                }
                                None => "nothing".to_owned(),
                            };
                            self.called += 1;
                            // It may have been cancelled meanwhile.
                            let _ = answer.give_result(call.id, ToolResult::Done(result));
                        }
                        _ => {}
                    }
                }
                // The messages were replaced while the last answer was ending.
                Err(ClientError::NothingToRepeat) => return true,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// An answer that was cancelled has ended: its decision was made before what comes now.
    fn settle(&self) {
        block_on(self.conversation.settled()).unwrap();
    }

    fn travel(&mut self) {
        self.settle();
        self.network = *self.random.pick(&NETWORKS);
        self.scene.assistant.update_device(&DeviceUpdate {
            network: self.network.map_or(Reported::Unknown, Reported::Is),
            battery_percent: Reported::Is(self.random.below(101) as u8),
            ..DeviceUpdate::default()
        });
    }

    fn change_policies(&mut self) {
        self.settle();
        self.rules = self.random.pick(self.policies);
        self.scene
            .assistant
            .set_policies(self.rules.set.app().clone(), None)
            .unwrap();
    }

    /// The app brings the messages back: whole, or as the texts that it kept.
    fn bring_back(&mut self, is_whole: bool) {
        let messages = self.conversation.messages().into_iter();
        let messages = messages.map(|message| match is_whole {
            true => message,
            false => Message::new(message.role, message.content),
        });
        // Busy after an answer that was dropped and has not ended.
        let messages = messages.collect();
        let _ = self.conversation.set_messages(messages);
    }

    /// Another process goes on with what the app wrote down.
    fn restart(&mut self) {
        let kept = serde_json::to_string(&self.conversation.messages()).unwrap();
        self.finish_scene();
        self.scene = Scene::new(self.rules, self.random.number());
        self.network = None;
        self.conversation = self.scene.assistant.conversation(conversation_options());
        self.conversation
            .set_messages(serde_json::from_str(&kept).unwrap())
            .unwrap();
        // What was declared for all messages is the app's to say again; the messages carry the rest.
        self.conversation.raise_class(self.raised);
    }

    fn raise(&mut self) {
        self.settle();
        self.look();
        let class = self.random.pick(&CLASSES).1;
        self.raised = self.raised.max(class);
        self.judge.raise(class);
        self.conversation.raise_class(class);
    }

    /// Looks at everything that left since the last look.
    fn look(&mut self) {
        for sent in self.scene.recording.take() {
            self.sent += 1;
            self.judge.check(&sent);
        }
    }

    /// Looks through what an assistant wrote down.
    fn finish_scene(&mut self) {
        self.scene.assistant.close();
        self.look();
        self.judge.check_text("the ledger", &self.scene.records.as_text());
    }
}

fn conversation_options() -> ConversationOptions {
    ConversationOptions {
        system: Some("Answer.".to_owned()),
        ..ConversationOptions::default()
    }
}

fn options(task: &str, class: PrivacyClass) -> AskOptions {
    AskOptions {
        task: task.to_owned(),
        class,
        generation: GenerationOptions {
            max_tokens: 16,
            ..GenerationOptions::default()
        },
        ..AskOptions::default()
    }
}

/// A number in groups.
fn in_groups(random: &mut Random, number: impl Fn(&mut Random) -> String) -> String {
    let number = number(random);
    planted::in_groups(random, &number)
}

/// A text in which something is planted, and what was planted.
fn planted_text(random: &mut Random) -> (String, Vec<judge::Secret>) {
    use whimbrel_client::privacy::FindingKind::{ApiKey, Email, Iban, PaymentCard, UserWord};
    let mut secrets = Vec::new();
    for _ in 0..random.below(3) {
        let (kind, value) = match random.below(5) {
            0 => (Email, planted::email(random)),
            1 => (PaymentCard, in_groups(random, planted::card)),
            2 => (Iban, in_groups(random, planted::iban)),
            3 => (ApiKey, planted::github_token(random)),
            _ => (UserWord, SUPPLIED_WORD.to_owned()),
        };
        secrets.push((kind, planted::in_another_form(random, &value)));
    }
    let mut text = "Please look at this.".to_owned();
    for (_, secret) in &secrets {
        text += *random.pick(&[" It says ", " And also: ", "\nthen "]);
        text += secret;
        text += *random.pick(&[".", ", as before.", "\n"]);
    }
    (text, secrets)
}

fn environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[test]
fn nothing_leaves_that_must_stay() {
    log::set_logger(&Logger).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let histories = environment("WHIMBREL_HISTORIES", 10_000);
    let seed = environment("WHIMBREL_SEED", 20_261_128);
    let mut random = Random::new(seed);
    let policies: Vec<Rules> = (0..POLICIES).map(|_| Rules::new(&mut random)).collect();
    let halves = [0, 1].map(|half| {
        let policies = policies.clone();
        std::thread::spawn(move || {
            let (mut sent, mut turns, mut called) = (0, 0, 0);
            for assistant in (half..histories.div_ceil(HISTORIES_PER_ASSISTANT)).step_by(2) {
                let mut story = Story::new(seed.wrapping_mul(31).wrapping_add(assistant), &policies);
                for _ in 0..HISTORIES_PER_ASSISTANT {
                    story.tell();
                }
                story.finish_scene();
                sent += story.sent;
                turns += story.turns;
                called += story.called;
            }
            (sent, turns, called)
        })
    });
    let (mut sent, mut turns, mut called) = (0, 0, 0);
    for half in halves {
        let (of_half, turns_of_half, called_of_half) = half.join().unwrap();
        sent += of_half;
        turns += turns_of_half;
        called += called_of_half;
    }
    judge::check_log(&LOGGED.lock().unwrap());
    println!(
        "{histories} histories, {turns} turns, {called} calls of tools, {sent} texts sent to places off the device"
    );
    assert!(
        called > turns / 20 && sent > turns / 20,
        "too little left for the test to mean anything"
    );
}

/// A text that was sent is seen: the test would notice a leak.
#[test]
fn the_judge_notices() {
    let mut random = Random::new(1);
    let rules = loop {
        let rules = Rules::new(&mut random);
        if !rules.endpoints.is_empty() {
            break rules;
        }
    };
    let nobody = Permission::nobody();
    let mut judge = Judge::default();
    let marker = judge.asked(&mut random, nobody, Vec::new());
    let sent = Sent {
        url: rules.endpoints[0].url.clone(),
        class_max: PrivacyClass::Secret,
        release: whimbrel_client::privacy::Release::AsIs,
        text: format!("history {marker}"),
        had_receipt: true,
    };
    let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge.check(&sent)));
    assert!(noticed.is_err());
}
