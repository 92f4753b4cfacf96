//! Answers that are given again: to exactly the same request, as the policy allows, and until they are forgotten.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use support::clock::Moved;
use support::phone::{Phone, begin, policy, run, set_network};
use support::{Heard, Reply, Server, ask, ask_options, open_tiny, options, read};
use whimbrel_client::policy::budget::CacheBudget;
use whimbrel_client::policy::{Format, Network, Policy, Recipients};
use whimbrel_client::ports::Ports;
use whimbrel_client::privacy::PrivacyClass;
use whimbrel_client::record::{FinishReason, Outcome, Signal};
use whimbrel_client::{
    AskOptions, Assistant, CACHE_BUDGET_DEFAULT, Conversation, ConversationOptions, Message, Role, block_on,
};

const QUESTION: &str = "Where do waders winter?";

fn conversation(assistant: &Assistant) -> Conversation {
    assistant.conversation(options())
}

fn is_again(heard: &Heard) -> bool {
    heard.report.answered_before.is_some()
}

#[test]
fn the_same_request_gets_the_same_answer_and_nothing_is_asked() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    let first = ask(&conversation(&assistant), QUESTION);
    assert!(!is_again(&first));
    block_on(assistant.shutdown());

    let assistant = phone.start(Network::Unmetered);
    let talk = conversation(&assistant);
    let again = ask(&talk, QUESTION);
    assert_eq!((again.text.as_str(), server.received().len()), (first.text.as_str(), 1));
    let report = &again.report;
    assert_eq!(report.answered_before.unwrap().receipt, first.report.receipt.unwrap());
    assert_eq!(
        (report.bytes_out, report.attempts.len(), &report.place),
        (0, 0, &first.report.place)
    );
    let summary = report.summary();
    assert!(
        summary.starts_with("answered before, less than a minute ago, at house"),
        "{summary}"
    );
    assert!(summary.contains("nothing sent"), "{summary}");
    // The receipt says that nothing can have left.
    let receipt = block_on(assistant.receipt(report.receipt.unwrap())).unwrap();
    assert_eq!((receipt.intent.planned.len(), receipt.bytes_out), (0, 0));
    assert_eq!(receipt.closing.unwrap().answered_before, first.report.receipt);
    assert_eq!(receipt.outcome, Some(Outcome::Answered));
    // The conversation goes on as with any answer.
    assert_eq!(talk.messages()[1].content, first.text);
    let next = ask(&talk, "And the young?");
    assert!(!is_again(&next) && server.received().len() == 2);
    assert!(server.received()[1].body.contains(QUESTION));
    assert!(block_on(assistant.verify_ledger()).unwrap().is_intact());
    assert!(!phone.has_text("waders"));
}

#[test]
fn any_difference_asks_anew() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    ask(&conversation(&assistant), QUESTION);
    let check = |name: &str, talk: &Conversation, question: &str, options: AskOptions| {
        let heard = read(&talk.ask(question, options).unwrap());
        assert!(heard.report.is_answered() && !is_again(&heard), "{name}");
    };
    let with = |change: fn(&mut AskOptions)| {
        let mut options = ask_options();
        change(&mut options);
        options
    };
    check(
        "text",
        &conversation(&assistant),
        "where do waders winter?",
        ask_options(),
    );
    check(
        "task",
        &conversation(&assistant),
        QUESTION,
        with(|options| options.task = "other".into()),
    );
    let tokens = with(|options| options.generation.max_tokens = 13);
    check("tokens", &conversation(&assistant), QUESTION, tokens);
    let seed = with(|options| options.generation.sampling.seed = Some(5));
    check("seed", &conversation(&assistant), QUESTION, seed);
    check(
        "fresh",
        &conversation(&assistant),
        QUESTION,
        with(|options| options.fresh = true),
    );
    let other_system = ConversationOptions {
        system: Some("Answer at length.".into()),
        ..options()
    };
    check("system", &assistant.conversation(other_system), QUESTION, ask_options());
    let talk = conversation(&assistant);
    ask(&talk, "Hello!");
    check("history", &talk, QUESTION, ask_options());
    assert!(is_again(&ask(&conversation(&assistant), QUESTION)));
    // Another policy, in one word that changes nothing about this request.
    let other = policy(&server, "[\"remote:house\"]").replace("name = \"test\"", "name = \"other\"");
    assistant
        .set_app_policy(Policy::parse(&other, Format::Toml).unwrap())
        .unwrap();
    check("policy", &conversation(&assistant), QUESTION, ask_options());
}

#[test]
fn the_same_words_with_other_readers_are_another_request() {
    let (_client, model) = open_tiny();
    let phone = Phone::new("version = 1\nname = \"test\"\n");
    let assistant = phone.start(Network::None);
    assistant.set_model(Some(model));
    let ask_after = |recipients: Recipients, options: AskOptions| {
        let talk = conversation(&assistant);
        let said = [(Role::User, "Hello!"), (Role::Assistant, "Hi.")].map(|(role, text)| {
            let mut message = Message::new(role, text);
            message.recipients = Some(recipients.clone());
            message.class = Some(PrivacyClass::Public);
            message
        });
        talk.set_messages(said.to_vec()).unwrap();
        read(&talk.ask(QUESTION, options).unwrap())
    };
    // The tiny model ends no answer by itself, so a stop text ends it.
    let text = ask_after(Recipients::Any, ask_options()).text;
    let middle = text.char_indices().nth(text.chars().count() / 2).unwrap().0;
    let mut options = ask_options();
    options.generation.stop = vec![text[middle..].to_owned()];
    let ask_after = |recipients| is_again(&ask_after(recipients, options.clone()));
    assert!(!ask_after(Recipients::Any));
    assert!(!ask_after(Recipients::nobody()));
    assert!(ask_after(Recipients::Any) && ask_after(Recipients::nobody()));
}

#[test]
fn what_is_remembered_is_for_the_policies_to_say() {
    let server = Server::start(&[Reply::Echo]);
    let personal = || AskOptions {
        class: PrivacyClass::Personal,
        ..ask_options()
    };
    let check = |limits: &str, user: Option<&str>, options: AskOptions, expected| {
        let phone = Phone::new(&format!("{}{limits}", policy(&server, "[\"remote:house\"]")));
        let assistant = phone.start(Network::Unmetered);
        let user = user.map(|user| Policy::parse(user, Format::Toml).unwrap());
        assistant.set_user_policy(user).unwrap();
        let ask = || read(&conversation(&assistant).ask(QUESTION, options.clone()).unwrap());
        assert!(!is_again(&ask()));
        assert_eq!(is_again(&ask()), expected, "{limits}");
    };
    let user = |limits: &str| format!("version = 1\nname = \"mine\"\nrole = \"user\"\n[limits]\n{limits}");
    let allowed = "[limits]\nremembered_class_max = \"personal\"";
    check("", None, personal(), false);
    check(allowed, None, personal(), true);
    check("[limits]\nremembered_days = 0", None, ask_options(), false);
    check(
        "[tasks.chat]\nlimits = { remembered_days = 0 }",
        None,
        ask_options(),
        false,
    );
    check(allowed, Some(&user("remembered_days = 1")), personal(), true);
    check(
        allowed,
        Some(&user("remembered_class_max = \"public\"")),
        personal(),
        false,
    );
    check("", Some(&user("remembered_class_max = \"secret\"")), personal(), false);
    check("", Some(&user("remembered_days = 0")), ask_options(), false);
}

#[test]
fn an_answer_gets_too_old() {
    const DAY_MS: u64 = 24 * 3_600_000;
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let clock = Arc::<Moved>::default();
    let ports = Ports {
        clock: clock.clone(),
        ..Ports::default()
    };
    let assistant = phone.start_with(Network::Unmetered, ports);
    ask(&conversation(&assistant), QUESTION);
    clock.ahead_ms.store(29 * DAY_MS, Ordering::Relaxed);
    assistant.update_device(&Default::default());
    let again = ask(&conversation(&assistant), QUESTION).report;
    assert!(
        again.summary().starts_with("answered before, 29 days ago,"),
        "{}",
        again.summary()
    );
    clock.ahead_ms.store(30 * DAY_MS + 1, Ordering::Relaxed);
    assert!(!is_again(&ask(&conversation(&assistant), QUESTION)));
    assert!(is_again(&ask(&conversation(&assistant), QUESTION)));
}

#[test]
fn what_the_user_rejects_is_forgotten() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    ask(&conversation(&assistant), QUESTION);
    let again = ask(&conversation(&assistant), QUESTION);
    assert!(is_again(&again));
    block_on(assistant.feedback(again.report.receipt.unwrap(), Signal::ThumbsUp)).unwrap();
    assert!(is_again(&ask(&conversation(&assistant), QUESTION)));
    // The feedback is about the answer that was given again; the answer is the one that came first.
    block_on(assistant.feedback(again.report.receipt.unwrap(), Signal::ThumbsDown)).unwrap();
    let anew = ask(&conversation(&assistant), QUESTION);
    assert!(!is_again(&anew));
    // Asked for again, it is another answer that counts from now on.
    let talk = conversation(&assistant);
    let shown = ask(&talk, QUESTION).report;
    assert_eq!(shown.answered_before.unwrap().receipt, anew.report.receipt.unwrap());
    let other = read(&talk.regenerate(ask_options().generation).unwrap()).report;
    assert!(other.answered_before.is_none());
    let last = ask(&conversation(&assistant), QUESTION).report;
    assert_eq!(last.answered_before.unwrap().receipt, other.receipt.unwrap());
}

#[test]
fn what_is_deleted_is_not_remembered() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    let talk = begin(&assistant, "birds");
    assert!(!is_again(&ask(&talk, QUESTION)));
    assert!(is_again(&ask(&begin(&assistant, "again"), QUESTION)));
    block_on(assistant.conversations().delete(talk.id().unwrap())).unwrap();
    let talk = begin(&assistant, "anew");
    assert!(!is_again(&ask(&talk, QUESTION)));
    assert!(is_again(&ask(&begin(&assistant, "again"), QUESTION)));
    talk.reset().unwrap();
    // What is reset is written without waiting; the next question waits for it.
    ask(&talk, "Something else?");
    assert!(!is_again(&ask(&begin(&assistant, "anew"), QUESTION)));
}

#[test]
fn only_a_whole_answer_is_remembered() {
    let server = Server::start(&[Reply::Ends("length"), Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    let cut = ask(&conversation(&assistant), QUESTION).report;
    assert_eq!(cut.finish, Some(FinishReason::Length));
    assert!(!is_again(&ask(&conversation(&assistant), QUESTION)));
    // An answer on this device that ends at its limit.
    let (_client, model) = open_tiny();
    let phone = Phone::new("version = 1\nname = \"test\"\n");
    let assistant = phone.start(Network::None);
    assistant.set_model(Some(model));
    let first = ask(&conversation(&assistant), QUESTION).report;
    let is_whole = first.finish == Some(FinishReason::Stop);
    assert_eq!(is_again(&ask(&conversation(&assistant), QUESTION)), is_whole);
}

#[test]
fn a_queued_question_is_answered_with_what_is_remembered_by_then() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\", \"queue\"]"));
    let assistant = phone.start(Network::None);
    let (one, other) = (begin(&assistant, "one"), begin(&assistant, "other"));
    assert!(ask(&one, QUESTION).report.queued.is_some());
    assert!(ask(&other, QUESTION).report.queued.is_some());
    set_network(&assistant, Network::Unmetered);
    assert_eq!(run(&assistant).answered, 2);
    let texts = [one, other].map(|talk| talk.messages()[1].content.clone());
    assert_eq!(texts[0], texts[1]);
    assert!(server.received().len() <= 2);
}

#[test]
fn remembered_answers_stay_within_the_budget() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    let caches = assistant.caches();
    ask(&conversation(&assistant), "Which bird is this, number 0?");
    let each = block_on(caches.usage()).unwrap().answer_bytes;
    let budget = CacheBudget {
        disk_bytes: 3 * each,
        ..CACHE_BUDGET_DEFAULT
    };
    block_on(caches.set_budget(budget)).unwrap();
    for number in 1..9 {
        ask(
            &conversation(&assistant),
            &format!("Which bird is this, number {number}?"),
        );
    }
    // Nobody waits for it after an answer.
    for _ in 0..500 {
        if block_on(caches.usage()).unwrap().answers <= 3 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(block_on(caches.usage()).unwrap().answers, 3);
    let last = ask(&conversation(&assistant), "Which bird is this, number 8?");
    assert!(is_again(&last));
}
