//! What the tests share beside `whimbrel-testing`: endpoints that lead to its server, cleared texts, and answers read to their end. Not every
//! test uses all of it.
#![allow(dead_code, unreachable_pub, unused_imports, clippy::unwrap_used)]

use whimbrel_network::{
    Answer, ChatClient, ChatError, ChatEvent, ChatOptions, Delivery, Endpoint, EndpointSettings, Failure, Finished,
};
use whimbrel_privacy::{
    Cleared, Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
};
pub use whimbrel_testing::{
    Authority, ChatServer as Server, DONE, Leaf, Received, Reply, Step, chunked, delta, finish, head, response,
    stream_head,
};

pub const ID: &str = "cloud";

/// Endpoints that lead to a server.
pub trait Endpoints {
    fn settings(&self) -> EndpointSettings;
    fn endpoint(&self) -> Endpoint;
}

impl Endpoints for Server {
    fn settings(&self) -> EndpointSettings {
        EndpointSettings::new(ID, &self.url, "small")
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.settings()).unwrap()
    }
}

/// The event that ends an answer.
pub fn stop() -> String {
    finish("stop")
}

pub const TEXT: &str = "Grüße, 世界 🐦!";

/// A whole, proper stream that says [`TEXT`].
pub fn good_events() -> String {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}\n\n";
    [
        &delta("Grüße, "),
        ": ping\n\n",
        &delta("世界 🐦"),
        &delta("!"),
        &stop(),
        usage,
        DONE,
    ]
    .concat()
}

pub fn good() -> Vec<Step> {
    vec![Step::Send(chunked(&good_events(), 1000))]
}

/// A text that was cleared for an endpoint as it is.
pub fn cleared_for(endpoint: &str, text: &str) -> Cleared {
    let message = DraftMessage {
        speaker: Speaker::User,
        text: text.to_owned(),
    };
    let draft = Draft {
        messages: vec![message],
        class: PrivacyClass::Public,
    };
    let examined = Scanner::new(ScannerOptions::default()).unwrap().examine(draft).unwrap();
    let permit = Permit::issue(endpoint, Release::AsIs, examined.facts());
    examined.clear(&permit, &mut Placeholders::new()).unwrap()
}

pub fn client() -> ChatClient {
    ChatClient::new(tokio::runtime::Handle::current())
}

pub fn options() -> ChatOptions {
    ChatOptions::new("request-1")
}

pub fn ask(client: &ChatClient, endpoint: &Endpoint) -> Result<Answer, ChatError> {
    client.chat(endpoint, cleared_for(endpoint.id(), "What is this?"), &options(), None)
}

/// An answer to its end: all text, and the end.
pub async fn read(mut answer: Answer) -> (String, Result<Finished, ChatError>) {
    let mut text = String::new();
    loop {
        match answer.next().await.unwrap() {
            Ok(ChatEvent::Started { .. }) => assert_eq!(text, ""),
            Ok(ChatEvent::Thinking(thinking)) => assert!(!thinking.is_empty()),
            Ok(ChatEvent::Call(call)) => panic!("{call:?}"),
            Ok(ChatEvent::Text(piece)) => text.push_str(&piece),
            Ok(ChatEvent::Finished(finished)) => {
                assert_eq!(answer.next().await, None);
                return (text, Ok(finished));
            }
            Err(error) => {
                assert_eq!(answer.next().await, None);
                assert_eq!(error.partial_text, !text.is_empty());
                return (text, Err(error));
            }
        }
    }
}

/// Asks once on an engine of its own.
pub async fn ask_once(endpoint: &Endpoint) -> (String, Result<Finished, ChatError>) {
    match ask(&client(), endpoint) {
        Ok(answer) => read(answer).await,
        Err(error) => (String::new(), Err(error)),
    }
}

/// The request failed in this way, having got this far.
#[track_caller]
pub fn failed(result: &Result<Finished, ChatError>, failure: Failure, delivery: Delivery) {
    let error = result.as_ref().unwrap_err();
    assert_eq!((error.failure, error.delivery), (failure, delivery));
}
