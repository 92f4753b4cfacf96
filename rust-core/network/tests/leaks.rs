//! Ten thousand requests over real TLS with secrets planted in every part of the conversation: none of them is found in anything that
//! the server received, in any attempt, nor in the log or in an error. The secrets come from a generator of the test's own.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::authority::Authority;
use common::*;
use log::{LevelFilter, Log, Metadata, Record};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use whimbrel_network::{ChatClient, ChatOptions, Endpoint, Failure, Secret};
use whimbrel_privacy::{
    Cleared, Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
};

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

/// Where secrets come from.
struct Generator(Pcg64Mcg);

impl Generator {
    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    fn of(&mut self, alphabet: &str, count: u32) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..count)
            .map(|_| letters[self.below(letters.len() as u32) as usize])
            .collect()
    }

    fn name(&mut self) -> String {
        let first = self.of("BCDFGKLMNRSTVZ", 1);
        let count = 6 + self.below(5);
        first + &self.of("aeioulnrst", count)
    }

    fn digits(&mut self, count: u32) -> String {
        self.of("0123456789", count)
    }

    fn email(&mut self) -> String {
        let separator = self.of("._-+", 1);
        let host = self.of("bcdfghklmnprst", 9);
        format!(
            "{}{separator}{}@{host}.example",
            self.name().to_lowercase(),
            self.digits(4)
        )
    }

    /// Sixteen digits with the check digit of ISO/IEC 7812.
    fn card(&mut self) -> String {
        let begun = format!("4{}", self.digits(14));
        let sum: u32 = begun
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
                value / 10 + value % 10
            })
            .sum();
        let whole = format!("{begun}{}", (10 - sum % 10) % 10);
        match self.below(3) {
            0 => whole,
            1 => [&whole[..4], &whole[4..8], &whole[8..12], &whole[12..]].join(" "),
            _ => [&whole[..4], &whole[4..8], &whole[8..12], &whole[12..]].join("-"),
        }
    }

    /// A German account number with the check digits of ISO 13616.
    fn iban(&mut self) -> String {
        let account = self.digits(18);
        // D and E stand for 13 and 14.
        let rest = format!("{account}131400")
            .bytes()
            .fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
        format!("DE{:02}{account}", 98 - rest)
    }

    fn key(&mut self) -> String {
        const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        match self.below(3) {
            0 => format!("sk-proj-{}", self.of(LETTERS, 40)),
            1 => format!("ghp_{}", self.of(LETTERS, 36)),
            _ => format!("AKIA{}", self.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
        }
    }

    /// A secret, and whether the app has to supply it as a word because no rule of form could know it.
    fn secret(&mut self) -> (String, bool) {
        match self.below(7) {
            0 | 1 => (self.email(), false),
            2 => (self.card(), true),
            3 => (self.iban(), true),
            4 => (self.key(), true),
            5 => (format!("{} {}", self.name(), self.name()), true),
            _ => (format!("Projekt {}", self.name()), true),
        }
    }

    /// A text with these secrets in it.
    fn text(&mut self, secrets: &[&str]) -> String {
        const FRAMES: &[(&str, &str)] = &[
            ("Please write to ", " before Friday."),
            ("(", ")"),
            ("The note says \"", "\", nothing else."),
            ("Grüße von ", "!"),
            ("{\"value\": \"", "\", \"next\": null}"),
            ("first line\n", "\nthird line"),
            ("", ""),
            ("über ", ", 世界 🐦"),
        ];
        let mut text = String::new();
        for secret in secrets {
            let (before, after) = FRAMES[self.below(FRAMES.len() as u32) as usize];
            text.push_str(&format!("{before}{secret}{after} "));
        }
        text
    }
}

/// A request and what must not be seen of it.
struct Case {
    id: String,
    draft: Draft,
    secrets: Vec<String>,
}

fn case(generator: &mut Generator, number: usize, words: &mut Vec<String>) -> Case {
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
        let planted: Vec<(String, bool)> = (0..1 + generator.below(2)).map(|_| generator.secret()).collect();
        let said: Vec<&str> = planted.iter().map(|(secret, _)| secret.as_str()).collect();
        let text = generator.text(&said);
        messages.push(DraftMessage { speaker, text });
        for (secret, is_word) in planted {
            if is_word {
                words.push(secret.clone());
            }
            secrets.push(secret);
        }
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
fn script(number: usize, request: &Seen) -> Vec<Step> {
    let echo = String::from_utf8(request.body.clone()).unwrap();
    let error = serde_json::json!({"error": {"message": echo, "code": echo, "type": echo}}).to_string();
    let json = [("content-type", "application/json")];
    match number % 50 {
        7 | 8 | 23 => vec![Step::Send(response("429 Too Many", &json, &error))],
        11 | 36 => vec![Step::Send(response("400 Bad Request", &json, &error))],
        42 => vec![Step::Send(chunked(
            &format!("{}event: error\ndata: {error}\n\n", delta("a")),
            500,
        ))],
        49 => vec![Step::Send(chunked(&delta(&echo), 500))],
        _ => vec![Step::Send(chunked(
            &[delta(&echo), stop(), DONE.to_owned()].concat(),
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

/// The secrets that a trace in lower case holds, whatever their own case.
fn found<'s>(trace: &str, secrets: &'s [String]) -> Vec<&'s str> {
    let holds = |secret: &&String| trace.contains(&secret.to_lowercase());
    secrets.iter().filter(holds).map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_planted_is_seen() {
    log::set_logger(&RECORDS).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let authority = Authority::new("Root");
    let acceptor = authority.leaf(&["127.0.0.1"], |_| {}).acceptor(&[], &[b"http/1.1"]);
    let server = Server::answering(script, Some(acceptor)).await;
    let mut settings = server.settings();
    settings.base_url = settings.base_url.replace("http:", "https:");
    settings.authorities_pem = authority.pem();
    let endpoint = Endpoint::new(settings).unwrap();
    let client = Arc::new(client());
    let mut generator = Generator(Pcg64Mcg::seed_from_u64(6));
    let (mut answered, mut received, mut log_bytes) = (0, 0, 0);
    for batch in 0..REQUESTS / BATCH {
        let mut words = Vec::new();
        let cases: Vec<Case> = (0..BATCH)
            .map(|number| case(&mut generator, batch * BATCH + number, &mut words))
            .collect();
        let scanner = Scanner::new(ScannerOptions {
            user_words: words,
            ..ScannerOptions::default()
        });
        let (count, errors) = send_all(&client, &endpoint, &scanner.unwrap(), &cases).await;
        answered += count;
        let requests = std::mem::take(&mut *server.seen.lock().unwrap());
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
                let body = String::from_utf8(seen.body.clone()).unwrap().to_lowercase();
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
    let mut generator = Generator(Pcg64Mcg::seed_from_u64(7));
    let case = case(&mut generator, 0, &mut Vec::new());
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
