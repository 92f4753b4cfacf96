//! The next candidate answers when one fails.

use whimbrel_client::SystemModelError;
use whimbrel_client::record::Outcome;

use crate::support::{FakeSystem, Fixture, Mood, Reply, Server, ask};
use crate::{receipt, with_server};

/// A plan, how its places behave, and what comes of it.
struct Fall {
    list: &'static str,
    system: Mood,
    server: Reply,
    end: Outcome,
    /// Which candidate's text was shown.
    candidate: Option<u32>,
    restarts: u32,
    /// How each attempt ended; the last one of an answer without a code.
    codes: &'static [Option<&'static str>],
}

/// The second of two candidates answers, after this end of the first.
fn mended(list: &'static str, system: Mood, server: Reply, restarts: u32, codes: &'static [Option<&str>]) -> Fall {
    Fall {
        list,
        system,
        server,
        end: Outcome::Answered,
        candidate: Some(1),
        restarts,
        codes,
    }
}

fn first_is_the_system_model() -> Vec<Fall> {
    let list = "[\"system_model\", \"on_device\"]";
    let mended = |system, restarts, codes| mended(list, system, Reply::Whole, restarts, codes);
    let first_answers = |system| Fall {
        candidate: Some(0),
        ..mended(system, 0, &[None])
    };
    let busy = Mood::Refuses(SystemModelError::Busy);
    vec![
        first_answers(Mood::Answers),
        mended(busy, 0, &[Some("busy"), None]),
        mended(Mood::DiesMidway, 1, &[Some("adapter"), None]),
        mended(Mood::Forgets, 0, &[Some("adapter"), None]),
        mended(Mood::Hangs, 0, &[Some("no_first_token"), None]),
        first_answers(Mood::Unavailable),
    ]
}

fn others() -> Vec<Fall> {
    let (answers, full) = (Mood::Answers, Mood::Refuses(SystemModelError::OutOfMemory));
    let on_device = "[\"remote:house\", \"on_device\"]";
    let by_the_system = "[\"remote:house\", \"system_model\"]";
    let remote_last = "[\"system_model\", \"remote:house\"]";
    vec![
        mended(on_device, answers, Reply::DiesMidway, 1, &[Some("truncated"), None]),
        mended(on_device, answers, Reply::Stalls, 1, &[Some("timed_out"), None]),
        mended(by_the_system, answers, Reply::Status(500), 0, &[Some("server"), None]),
        mended(remote_last, full, Reply::Whole, 0, &[Some("out_of_memory"), None]),
        Fall {
            end: Outcome::Deferred,
            candidate: None,
            ..mended(
                "[\"remote:house\", \"queue\"]",
                answers,
                Reply::Garbage,
                0,
                &[Some("content_type")],
            )
        },
        Fall {
            end: Outcome::Failed,
            candidate: Some(0),
            ..mended(
                "[\"remote:house\"]",
                answers,
                Reply::DiesMidway,
                0,
                &[Some("truncated")],
            )
        },
    ]
}

#[test]
fn the_next_candidate_answers_when_one_fails() {
    for fall in first_is_the_system_model().into_iter().chain(others()) {
        let server = Server::start(&[fall.server]);
        let limits = "[limits]\nfirst_token_ms = 400\ncandidate_ms = 1500\ndeadline_ms = 20000";
        let lines = format!("otherwise = {}\n{limits}", fall.list);
        let fixture = Fixture::new(&with_server(&server, &lines));
        fixture.assistant.set_system_model(Some(FakeSystem::new(fall.system)));
        let heard = ask(&fixture.conversation(), "Hello");
        let what = format!("{} with {:?} and {:?}", fall.list, fall.system, fall.server);
        let (report, last) = (&heard.report, heard.report.attempts.last());
        assert_eq!(report.outcome, fall.end, "{what}");
        let answered = last.map(|attempt| attempt.candidate).filter(|_| !heard.text.is_empty());
        assert_eq!(answered, fall.candidate, "{what}");
        assert_eq!(report.is_partial, fall.end == Outcome::Failed, "{what}");
        assert_eq!(heard.restarts, fall.restarts, "{what}");
        assert_eq!(heard.text.is_empty(), fall.end == Outcome::Deferred, "{what}");
        let closing = receipt(&fixture).closing.unwrap();
        let codes: Vec<_> = closing
            .attempts
            .iter()
            .map(|attempt| attempt.error.as_ref().map(|code| code.as_str()))
            .collect();
        assert_eq!(codes, fall.codes, "{what}");
    }
}
