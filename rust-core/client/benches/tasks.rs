//! How well a model does the ready tasks: `cargo bench -p whimbrel-client --bench tasks -- DATA BUNDLE [DOCUMENTS]`. DATA is a folder with
//! labelled texts, as `scripts/task-data.sh` prepares it; DOCUMENTS, one with other documents of the tasks.
//! Each text is given to the task, and to the same model without examples and without a form, whose answer counts if the right label is the
//! first that it names.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use whimbrel_client::{
    Client, Event, Form, GenerationOptions, Message, Model, OpenOptions, Request, Role, SamplingOptions, TextTask,
    block_on,
};

/// The file of a data set, and the task that it tests.
const SETS: [(&str, &str); 3] = [("sentiment", "tone"), ("topic", "category"), ("extraction", "fill")];
/// Tokens of a free answer.
const FREE_TOKENS_MAX: u32 = 48;

/// A line of a data set: first the form, if the task needs one, then texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Form { form: Written },
    Text { text: String, answer: Value },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Choice(Vec<String>),
    JsonSchema(Value),
}

struct Set {
    task: TextTask,
    choices: Vec<String>,
    texts: Vec<(String, Value)>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (Some(data), Some(bundle)) = (arguments.next(), arguments.next()) else {
        println!("no data and no bundle are named: nothing was measured");
        return;
    };
    let client = Client::new().unwrap();
    let model = block_on(client.open_model(PathBuf::from(bundle), OpenOptions::default())).unwrap();
    println!("{}", model.info().manifest.name);
    let documents = arguments.next();
    for (name, task) in SETS {
        let task = match &documents {
            Some(folder) => {
                TextTask::read(&fs::read_to_string(Path::new(folder).join(format!("{task}.json"))).unwrap())
            }
            None => Ok(TextTask::built_in(task).unwrap()),
        };
        let set = Set::read(&Path::new(&data).join(format!("{name}.jsonl")), task.unwrap());
        set.measure(&model, name);
    }
}

impl Set {
    fn read(path: &Path, mut task: TextTask) -> Set {
        let (mut choices, mut texts) = (Vec::new(), Vec::new());
        for line in fs::read_to_string(path).unwrap().lines() {
            match serde_json::from_str(line).unwrap() {
                Line::Form { form } => {
                    let form = match form {
                        Written::Choice(choices) => Form::Choice(choices),
                        Written::JsonSchema(schema) => Form::JsonSchema(schema.to_string()),
                    };
                    task = task.with_form(form).unwrap();
                }
                Line::Text { text, answer } => texts.push((text, answer)),
            }
        }
        if let Some(Form::Choice(list)) = task.form() {
            choices.clone_from(list);
        }
        Set { task, choices, texts }
    }

    fn measure(&self, model: &Model, name: &str) {
        let (mut right, mut free_right, mut wrong_shown) = (0, 0, 0);
        for (text, expected) in &self.texts {
            let answer = finish(model, self.task.request(text).unwrap());
            let is_right = match expected {
                Value::String(label) => answer == *label,
                fields => serde_json::from_str::<Value>(&answer).is_ok_and(|given| agrees(&given, fields)),
            };
            right += u32::from(is_right);
            if !is_right && wrong_shown < 5 {
                wrong_shown += 1;
                println!("  wrong: {text} → {answer}, not {expected}");
            }
            let free = finish(model, self.free(text));
            free_right += u32::from(match expected {
                Value::String(label) => self.first_named(&free) == Some(label.as_str()),
                fields => json_in(&free).is_some_and(|given| agrees(&given, fields)),
            });
        }
        let of = self.texts.len() as u32;
        println!(
            "{name:12} {:10} {of} texts: {right} right with the task, {}; {free_right} without, {}",
            self.task.name(),
            interval(right, of),
            interval(free_right, of)
        );
    }

    /// The same work as a person would ask for it in a chat.
    fn free(&self, text: &str) -> Request {
        let what = match self.task.form() {
            Some(Form::Choice(choices)) => format!("Which of these fits the text: {}?", choices.join(", ")),
            Some(Form::JsonSchema(schema)) => format!("Answer with JSON that is valid by this schema: {schema}"),
            _ => self.task.description().to_owned(),
        };
        let question = Message::new(Role::User, format!("{what}\n\n{text}"));
        let generation = GenerationOptions {
            max_tokens: FREE_TOKENS_MAX,
            sampling: SamplingOptions::greedy(),
            thinking: Some(false),
            ..GenerationOptions::default()
        };
        Request::new(vec![question], generation.into())
    }

    /// The choice that a free text names first.
    fn first_named(&self, text: &str) -> Option<&str> {
        let text = text.to_lowercase();
        let found = self
            .choices
            .iter()
            .filter_map(|choice| Some((text.find(choice.as_str())?, choice)));
        found.min().map(|(_, choice)| choice.as_str())
    }
}

/// Whether all fields are as expected, but for case and blanks around.
fn agrees(given: &Value, expected: &Value) -> bool {
    let plain = |value: &Value| value.as_str().map(|text| text.trim().to_lowercase());
    let mut fields = expected.as_object().unwrap().iter();
    fields.all(|(name, value)| plain(&given[name]) == plain(value))
}

/// The first object in a free text.
fn json_in(text: &str) -> Option<Value> {
    let begin = text.find('{')?;
    let mut values = serde_json::Deserializer::from_str(&text[begin..]).into_iter();
    values.next()?.ok()
}

fn finish(model: &Model, request: Request) -> String {
    let answer = model.answer(request).unwrap();
    loop {
        let events = block_on(answer.next(64)).unwrap();
        assert!(!events.is_empty(), "an answer has a last event");
        if matches!(events.last(), Some(Event::Finished(_))) {
            return answer.text_so_far();
        }
    }
}

/// A share in percent with its 95 % interval (Wilson's).
fn interval(right: u32, of: u32) -> String {
    let (n, z) = (f64::from(of), 1.96f64);
    let share = f64::from(right) / n;
    let middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let percent = |share: f64| 100.0 * share;
    format!(
        "{:.0} % ({:.0} to {:.0})",
        percent(share),
        percent(middle - half).max(0.0),
        percent(middle + half)
    )
}
