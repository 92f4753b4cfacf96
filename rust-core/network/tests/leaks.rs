//! Ten thousand requests over real TLS with secrets planted in every part of the conversation: none of them is found in anything that
//! the server received, in any attempt, nor in the log or in an error. The secrets come from `whimbrel-testing`, not from the scanner.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use log::{LevelFilter, Log, Metadata, Record};
use whimbrel_network::{ChatClient, ChatOptions, Endpoint, Failure, Secret};
use whimbrel_privacy::{
    Cleared, Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
};
use whimbrel_testing::planted::found;
use whimbrel_testing::{Random, planted};

const REQUESTS: usize = 10_000;
/// So many requests share a scanner with their user words, and run before their traces are searched.
const BATCH: usize = 250;
const AT_ONCE: usize = 8;
const API_KEY: &str = "sk-test-of-the-leaks-0123456789";

/// Everything that is logged, at any level, by any crate.
struct Records(Mutex<String>);

static RECORDS: Records = Records(Mutex::new(String::new()));

impl Log for Records {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}: {}\n", record.level(), record.target(), record.args());
        self.0.lock().unwrap().push_str(&line);
    }

    fn flush(&self) {}
}

/// A secret, and whether the app has to supply it as a word because no rule of form could know it.
fn secret(random: &mut Random) -> (String, bool) {
    match random.below(7) {
        0 | 1 => (planted::email(random), false),
        2 => (planted::written_card(random), true),
        3 => (planted::iban(random), true),
        4 => (planted::key(random), true),
        5 => (format!("{} {}", planted::name(random), planted::name(random)), true),
        _ => (format!("Projekt {}", planted::name(random)), true),
    }
}

/// A request and what must not be seen of it.
struct Case {
    id: String,
    draft: Draft,
    secrets: Vec<String>,
}

fn case(random: &mut Random, number: usize, words: &mut Vec<String>) -> Case {
    let speakers = [
        Speaker::System,
        Speaker::User,
        Speaker::Assistant,
        Speaker::Tool,
        Speaker::User,
    ];
    let mut secrets = Vec::new();
    let mut messages = Vec::new();
    for speaker in speakers {
        let chosen: Vec<(String, bool)> = (0..1 + random.below(2)).map(|_| secret(random)).collect();
        words.extend(
            chosen
                .iter()
                .filter(|(_, is_word)| *is_word)
                .map(|(secret, _)| secret.clone()),
        );
        let written: Vec<String> = chosen
            .iter()
            .map(|(secret, _)| planted::in_another_form(random, secret))
            .collect();
        let said: Vec<&str> = written.iter().map(String::as_str).collect();
        let text = planted::text(random, &said);
        messages.push(DraftMessage { speaker, text });
        secrets.extend(written);
    }
    let class = PrivacyClass::Public;
    Case {
        id: format!("case-{number}"),
        draft: Draft { messages, class },
        secrets,
    }
}

fn cleared(case: &Case, scanner: &Scanner) -> Cleared {
    let examined = scanner.examine(case.draft.clone()).unwrap();
    let permit = Permit::issue(ID, Release::Redacted, examined.facts());
    examined.clear(&permit, &mut Placeholders::new()).unwrap()
}

/// Some requests are refused with an echo of themselves, some asked to come again, some broken off; most are answered with an echo.
fn script(number: usize, request: &Received) -> Vec<Step> {
    let echo = request.body.as_str();
    let error = serde_json::json!({"error": {"message": echo, "code": echo, "type": echo}}).to_string();
    let json = [("content-type", "application/json")];
    match number % 50 {
        7 | 8 | 23 => vec![Step::Send(response("429 Too Many", &json, &error))],
        11 | 36 => vec![Step::Send(response("400 Bad Request", &json, &error))],
        42 => vec![Step::Send(chunked(
            &format!("{}event: error\ndata: {error}\n\n", delta("a")),
            500,
        ))],
        49 => vec![Step::Send(chunked(&delta(echo), 500))],
        _ => vec![Step::Send(chunked(
            &[delta(echo), stop(), DONE.to_owned()].concat(),
            500,
        ))],
    }
}

/// Sends every request; gives how many were answered, and everything that errors say.
async fn send_all(client: &Arc<ChatClient>, endpoint: &Endpoint, scanner: &Scanner, cases: &[Case]) -> (usize, String) {
    let mut running = tokio::task::JoinSet::new();
    let (mut answered, mut said) = (0, String::new());
    let mut ended = |result: Result<_, whimbrel_network::ChatError>| match result {
        Ok(_) => answered += 1,
        Err(error) => {
            assert!(
                !matches!(error.failure, Failure::CircuitOpen { .. }),
                "the test opened the circuit"
            );
            said.push_str(&format!("{error} {error:?}\n"));
        }
    };
    for case in cases {
        if running.len() >= AT_ONCE {
            ended(running.join_next().await.unwrap().unwrap());
        }
        let (client, endpoint) = (Arc::clone(client), endpoint.clone());
        let (payload, options) = (cleared(case, scanner), ChatOptions::new(&case.id));
        let key = Secret::new(API_KEY.to_owned()).unwrap();
        running.spawn(async move {
            let answer = client.chat(&endpoint, payload, &options, Some(&key))?;
            read(answer).await.1
        });
    }
    while let Some(result) = running.join_next().await {
        ended(result.unwrap());
    }
    (answered, said)
}

#[tokio::test(start_paused = true)]
async fn nothing_planted_is_seen() {
    log::set_logger(&RECORDS).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let authority = Authority::new("Root");
    let acceptor = authority.leaf(&["127.0.0.1"], |_| {}).acceptor(&[], &[b"http/1.1"]);
    let server = Server::answering(script, Some(acceptor)).await;
    let mut settings = server.settings();
    settings.authorities_pem = authority.pem();
    let endpoint = Endpoint::new(settings).unwrap();
    let client = Arc::new(client());
    let mut random = Random::new(6);
    let (mut answered, mut received, mut log_bytes) = (0, 0, 0);
    for batch in 0..REQUESTS / BATCH {
        let mut words = Vec::new();
        let cases: Vec<Case> = (0..BATCH)
            .map(|number| case(&mut random, batch * BATCH + number, &mut words))
            .collect();
        let scanner = Scanner::new(ScannerOptions {
            user_words: words,
            ..ScannerOptions::default()
        });
        let (count, errors) = send_all(&client, &endpoint, &scanner.unwrap(), &cases).await;
        answered += count;
        let requests = server.take_received();
        received += requests.len();
        for case in &cases {
            let mut of_case = requests
                .iter()
                .filter(|seen| seen.header("idempotency-key") == Some(&case.id))
                .peekable();
            assert!(of_case.peek().is_some(), "{} never arrived", case.id);
            for seen in of_case {
                assert_eq!(
                    found(&seen.head.to_lowercase(), &case.secrets),
                    Vec::<&str>::new(),
                    "head of {}",
                    case.id
                );
                let body = seen.body.to_lowercase();
                assert_eq!(found(&body, &case.secrets), Vec::<&str>::new(), "body of {}", case.id);
            }
        }
        let logged = std::mem::take(&mut *RECORDS.0.lock().unwrap());
        log_bytes += logged.len();
        let health = format!("{:?} {client:?} {endpoint:?}", client.health(ID));
        let own = [API_KEY.to_owned()];
        for trace in [logged, errors, health] {
            let trace = trace.to_lowercase();
            assert_eq!(found(&trace, &own), Vec::<&str>::new());
            for case in &cases {
                assert_eq!(found(&trace, &case.secrets), Vec::<&str>::new(), "trace of {}", case.id);
            }
        }
    }
    // The test did what it says: most were answered, some were sent again, and the log was listened to.
    assert!(answered > REQUESTS * 8 / 10, "{answered}");
    assert!(received > REQUESTS, "{received}");
    assert!(log_bytes > 1_000, "{log_bytes}");
}

/// The search is not blind: the same text cleared as it is shows every secret.
#[test]
fn what_is_not_redacted_would_be_found() {
    let mut random = Random::new(7);
    let case = case(&mut random, 0, &mut Vec::new());
    let examined = Scanner::new(ScannerOptions::default())
        .unwrap()
        .examine(case.draft.clone())
        .unwrap();
    let permit = Permit::issue(ID, Release::AsIs, examined.facts());
    let payload = examined.clear(&permit, &mut Placeholders::new()).unwrap();
    let texts: Vec<_> = payload.messages().iter().map(|message| message.text.as_str()).collect();
    assert_eq!(
        found(&texts.join("\n").to_lowercase(), &case.secrets).len(),
        case.secrets.len()
    );
}
