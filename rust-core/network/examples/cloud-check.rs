//! Asks a real server (llama.cpp's, started by `scripts/cloud-check.sh`) and compares what it does with what the crate expects: streaming, the
//! limit of tokens, forms, stop strings, errors, keys, cancelling. Prints a line for each; the exit code says whether all held.
//! `cloud-check BASE_URL KEY`
#![allow(clippy::unwrap_used)]

use std::process::ExitCode;
use std::time::Duration;

use whimbrel_network::{
    ChatClient, ChatError, ChatEvent, ChatOptions, Delivery, Endpoint, EndpointSettings, Failure, FinishReason,
    Finished, Secret, ServerCode,
};
use whimbrel_privacy::{
    Cleared, Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
};

const ID: &str = "llama-cpp";
const QUESTION: &str = "Write the numbers from one to twenty as words.";
const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {"bird": {"enum": ["whimbrel", "curlew"]}, "count": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["bird", "count"],
    "additionalProperties": false
}"#;

struct Check {
    client: ChatClient,
    settings: EndpointSettings,
    key: Secret,
    asked: u32,
    failures: u32,
    /// What 48 tokens took.
    stream_ms: u64,
}

/// Pieces of text, and the end.
type Read = (Vec<String>, Result<Finished, ChatError>);

impl Check {
    fn options(&mut self, max_tokens: u32) -> ChatOptions {
        self.asked += 1;
        ChatOptions {
            max_tokens: Some(max_tokens),
            temperature: Some(0.0),
            seed: Some(1),
            ..ChatOptions::new(&format!("check-{}", self.asked))
        }
    }

    fn report(&mut self, what: &str, held: bool, seen: &str) {
        println!("{} {what}: {seen}", if held { "ok    " } else { "FAILED" });
        self.failures += u32::from(!held);
    }

    async fn read(&self, text: &str, options: &ChatOptions) -> Read {
        let payload = cleared(text, None);
        self.read_with(&self.settings, payload, options, Some(&self.key)).await
    }

    async fn read_with(
        &self,
        settings: &EndpointSettings,
        payload: Cleared,
        options: &ChatOptions,
        key: Option<&Secret>,
    ) -> Read {
        let endpoint = Endpoint::new(settings.clone()).unwrap();
        let mut pieces = Vec::new();
        let mut answer = match self.client.chat(&endpoint, payload, options, key) {
            Ok(answer) => answer,
            Err(error) => return (pieces, Err(error)),
        };
        loop {
            match answer.next().await.unwrap() {
                Ok(ChatEvent::Started { .. } | ChatEvent::Thinking(_) | ChatEvent::Call(_)) => {}
                Ok(ChatEvent::Text(text)) => pieces.push(text),
                Ok(ChatEvent::Finished(finished)) => return (pieces, Ok(finished)),
                Err(error) => return (pieces, Err(error)),
            }
        }
    }

    /// A server that is still loading says so, or is not there yet.
    async fn wait_for_server(&mut self) -> bool {
        for _ in 0..120 {
            let options = self.options(1);
            let (_, end) = self.read(QUESTION, &options).await;
            if end.is_ok() {
                return true;
            }
            // Forget the open circuit.
            self.client = ChatClient::new(tokio::runtime::Handle::current());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        false
    }

    async fn streaming(&mut self) -> String {
        let options = self.options(48);
        let (pieces, end) = self.read(QUESTION, &options).await;
        let text = pieces.concat();
        let finished = end.unwrap();
        self.stream_ms = finished.total_ms;
        let tokens = finished.usage.map(|usage| usage.completion_tokens);
        let seen = format!(
            "{} pieces, {tokens:?} tokens, {:?}, first text after {:?} ms of {} ms, {:?}",
            pieces.len(),
            finished.finish_reason,
            finished.first_text_ms.unwrap(),
            finished.total_ms,
            finished.traffic
        );
        let held = pieces.len() > 20 && tokens == Some(48) && finished.finish_reason == FinishReason::Length;
        self.report("streaming and the limit of tokens", held, &seen);
        let options = self.options(48);
        let again = self.read(QUESTION, &options).await.0.concat();
        self.report("the same seed at temperature 0", again == text, "the same text");
        text
    }

    async fn form(&mut self) {
        let options = self.options(48);
        let payload = cleared("Which bird do you see, and how many?", Some(SCHEMA));
        let (pieces, end) = self.read_with(&self.settings, payload, &options, Some(&self.key)).await;
        let text = pieces.concat();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let held = value["bird"]
            .as_str()
            .is_some_and(|bird| ["whimbrel", "curlew"].contains(&bird))
            && value["count"].as_u64().is_some_and(|count| count <= 9);
        let reason = end.map(|finished| finished.finish_reason);
        self.report("an answer in a form", held && reason == Ok(FinishReason::Stop), &text);
    }

    async fn stop(&mut self, text: &str) {
        let word = text.split_whitespace().nth(6).unwrap().to_owned();
        let before = &text[..text.find(&word).unwrap()];
        let mut options = self.options(48);
        options.stop = vec![word];
        let (pieces, end) = self.read(QUESTION, &options).await;
        let reason = end.map(|finished| finished.finish_reason);
        let held = pieces.concat() == before && reason == Ok(FinishReason::Stop);
        self.report(
            "a stop string",
            held,
            &format!("{} of {} bytes, {reason:?}", before.len(), text.len()),
        );
    }

    fn refused(&mut self, what: &str, read: Read, expected: (u16, ServerCode)) {
        let (pieces, end) = read;
        let error = end.unwrap_err();
        let held = match error.failure {
            Failure::Refused { status, code, .. } => expected == (status, code),
            _ => false,
        };
        let held = held && pieces.is_empty() && error.delivery == Delivery::Refused;
        self.report(what, held, &format!("{:?}", error.failure));
    }

    async fn refusals(&mut self) {
        let options = self.options(8);
        let long = "one two three four ".repeat(3_000);
        let read = self.read(&long, &options).await;
        self.refused("a text longer than the context", read, (400, ServerCode::ContextLength));

        let mut elsewhere = self.settings.clone();
        elsewhere.base_url.push_str("/nowhere");
        let key = self.key.clone();
        let read = self
            .read_with(&elsewhere, cleared(QUESTION, None), &options, Some(&key))
            .await;
        self.refused("an unknown path", read, (404, ServerCode::NotFound));

        let wrong = Secret::new("sk-wrong".to_owned()).unwrap();
        for (what, key) in [("a wrong key", Some(&wrong)), ("no key", None)] {
            let read = self
                .read_with(&self.settings, cleared(QUESTION, None), &options, key)
                .await;
            self.refused(what, read, (401, ServerCode::InvalidKey));
        }
    }

    /// The server has one slot: unless the cancelled answer is given up, the next one has to wait until it is written to the end.
    async fn cancelling(&mut self) {
        let options = self.options(4_000);
        let endpoint = Endpoint::new(self.settings.clone()).unwrap();
        let mut answer = self
            .client
            .chat(&endpoint, cleared(QUESTION, None), &options, Some(&self.key))
            .unwrap();
        while !matches!(answer.next().await.unwrap().unwrap(), ChatEvent::Text(_)) {}
        drop(answer);
        let options = self.options(8);
        let (_, end) = self.read(QUESTION, &options).await;
        let seen = end.as_ref().map(|finished| finished.total_ms);
        // The rest of 4,000 tokens takes eighty times as long as 48; a quarter of that leaves room for a busy machine.
        let held = seen.is_ok_and(|total_ms| total_ms < 20 * self.stream_ms);
        self.report(
            "cancelling frees the server",
            held,
            &format!("the next answer's milliseconds: {seen:?}"),
        );
    }
}

fn cleared(text: &str, form: Option<&str>) -> Cleared {
    let message = |speaker, text: &str| DraftMessage {
        speaker,
        text: text.to_owned(),
    };
    let form = form.map(|schema| message(Speaker::Form, schema));
    let draft = Draft {
        messages: std::iter::once(message(Speaker::User, text)).chain(form).collect(),
        class: PrivacyClass::Public,
    };
    let examined = Scanner::new(ScannerOptions::default()).unwrap().examine(draft).unwrap();
    let permit = Permit::issue(ID, Release::AsIs, examined.facts());
    examined.clear(&permit, &mut Placeholders::new()).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base_url, key] = &arguments[..] else {
        eprintln!("usage: cloud-check BASE_URL KEY");
        return ExitCode::from(2);
    };
    let mut check = Check {
        client: ChatClient::new(tokio::runtime::Handle::current()),
        settings: EndpointSettings::new(ID, base_url, "any"),
        key: Secret::new(key.clone()).unwrap(),
        asked: 0,
        failures: 0,
        stream_ms: 0,
    };
    if !check.wait_for_server().await {
        eprintln!("no answer from {base_url}");
        return ExitCode::FAILURE;
    }
    let text = check.streaming().await;
    check.form().await;
    check.stop(&text).await;
    check.refusals().await;
    check.cancelling().await;
    println!("{} failures in {} requests", check.failures, check.asked);
    ExitCode::from(u8::from(check.failures > 0))
}
