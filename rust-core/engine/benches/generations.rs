//! Answers under random forms, for a validator that is not ours: `cargo bench -p whimbrel-engine --bench generations -- FILE [COUNT]` writes a line of
//! JSON for each answer of SmolLM2. `scripts/forms-check.sh` runs it and checks the file.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs::File;
use std::io::{BufWriter, Write};

use serde_json::{Value, json};
use support::{finish, message, open_with, smollm2};
use whimbrel_engine::{CancelFlag, Chat, ChatOptions, FinishReason, Form, GenerationOptions, Role, SamplingOptions};

const COUNT_DEFAULT: u32 = 2000;
const WORDS: [&str; 12] = [
    "bird", "coast", "mud", "tide", "bill", "north", "winter", "shell", "wing", "flock", "call", "nest",
];
const QUESTIONS: [&str; 5] = [
    "Describe a bird.",
    "What did you see at the coast?",
    "Give me some data.",
    "Answer in the form that is expected.",
    "How many were there, and when?",
];

/// A sequence that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len() as u64) as usize]
    }

    fn words(&mut self, most: u64) -> Vec<&'static str> {
        let mut words: Vec<_> = (0..=self.below(most)).map(|_| self.word()).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    fn form(&mut self) -> Form {
        match self.below(4) {
            0 => Form::Choice(self.words(5).iter().map(|word| format!("the {word}")).collect()),
            1 => Form::Regex(self.expression()),
            _ => Form::JsonSchema(self.schema(3).to_string()),
        }
    }

    fn expression(&mut self) -> String {
        let parts: Vec<String> = (0..=self.below(3))
            .map(|_| match self.below(5) {
                0 => format!("[a-z]{{{},{}}}", self.below(3), 3 + self.below(6)),
                1 => format!("[0-9]{{{}}}", 1 + self.below(4)),
                2 => format!("({})", self.words(3).join("|")),
                3 => format!("({})?", self.word()),
                _ => "[^\"\\n]{1,12}".to_owned(),
            })
            .collect();
        parts.join(if self.below(2) == 0 { "-" } else { " " })
    }

    /// A schema whose values end by themselves.
    fn schema(&mut self, depth: u32) -> Value {
        let kinds = if depth == 0 { 6 } else { 9 };
        match self.below(kinds) {
            0 => json!({"type": "string", "maxLength": 4 + self.below(24)}),
            1 => json!({"enum": self.words(4)}),
            2 => {
                let least = self.below(50);
                json!({"type": "integer", "minimum": least, "maximum": least + self.below(1000)})
            }
            3 => json!({"type": "boolean"}),
            4 => {
                let format = ["date", "ipv4", "uuid"][self.below(3) as usize];
                json!({"type": "string", "format": format})
            }
            5 => json!({"type": "string", "pattern": format!("^[A-Z][a-z]{{1,{}}}$", 2 + self.below(8))}),
            6 => {
                json!({"type": "array", "items": self.schema(depth - 1), "minItems": self.below(2), "maxItems": 1 + self.below(3)})
            }
            7 => json!({"anyOf": [self.schema(depth - 1), {"type": "null"}]}),
            _ => {
                let names = self.words(4);
                let required: Vec<_> = names.iter().filter(|_| self.below(4) > 0).copied().collect();
                let properties: serde_json::Map<String, Value> = names
                    .iter()
                    .map(|name| ((*name).to_owned(), self.schema(depth - 1)))
                    .collect();
                json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
            }
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(path) = arguments.next() else {
        println!("no file is named: nothing was written");
        return;
    };
    let count = arguments.next().map_or(COUNT_DEFAULT, |count| count.parse().unwrap());
    let model = open_with(&smollm2(), 0).unwrap();
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut numbers = Numbers(17);
    for number in 0..count {
        let form = numbers.form();
        let question = QUESTIONS[numbers.below(QUESTIONS.len() as u64) as usize];
        let options = GenerationOptions {
            max_tokens: 400,
            sampling: SamplingOptions {
                temperature: Some([0.0, 0.7, 1.5][numbers.below(3) as usize]),
                seed: Some(u64::from(number)),
                ..SamplingOptions::greedy()
            },
            form: Some(form.clone()),
            ..GenerationOptions::default()
        };
        let mut chat = Chat::new(&model, ChatOptions::default()).unwrap();
        chat.ask(&[message(Role::User, question)], options, CancelFlag::default())
            .unwrap();
        let (text, statistics) = finish(&mut chat);
        let is_finished = statistics.finish_reason == FinishReason::Stop;
        let line = json!({"form": form, "text": text, "finished": is_finished});
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
    println!("{count} answers of {}", model.manifest().name);
}
