//! A model that thinks, from its file to its answers: what is thought is no part of the answer, of the conversation, or of what is read again.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use support::{Desk, small};
use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, EngineError, FinishReason, GenerationOptions, Message, Model, OpenOptions,
    RenderOptions, Role, Statistics, Step,
};
use whimbrel_forge::synthetic::{ANSWER, Synthetic, THOUGHT};

fn open(thinks: bool) -> (Desk, Arc<Model>) {
    let desk = Desk::new(&Synthetic { thinks, ..small() }.to_gguf());
    desk.import().unwrap();
    let options = OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    let model = Model::open(&desk.output(), &options).unwrap();
    (desk, model)
}

fn message(role: Role, content: &str) -> Message {
    Message {
        role,
        content: content.to_owned(),
    }
}

fn options(thinking: Option<bool>) -> GenerationOptions {
    GenerationOptions {
        max_tokens: 64,
        thinking,
        ..GenerationOptions::default()
    }
}

/// What was thought and said, and the figures.
fn ask(chat: &mut Chat, history: &[Message], options: GenerationOptions) -> (String, String, Statistics) {
    chat.ask(history, options, CancelFlag::default()).unwrap();
    let (mut thinking, mut text) = (String::new(), String::new());
    loop {
        match chat.step().unwrap() {
            Step::Prefilled { .. } | Step::Call(_) => {}
            Step::Thinking(piece) => {
                assert!(!piece.is_empty() && text.is_empty(), "thoughts come first");
                thinking += &piece;
            }
            Step::Text(piece) => text += &piece,
            Step::Finished { text: rest, statistics } => return (thinking, text + &rest, statistics),
        }
    }
}

#[test]
fn thoughts_are_apart_from_the_answer_in_every_turn() {
    let (_desk, model) = open(true);
    let marks = model.chat_template().unwrap().thinking().unwrap();
    assert_eq!((&*marks.open, &*marks.close), ("<think>", "</think>"));
    let mut chat = Chat::new(&model, ChatOptions::default()).unwrap();
    let mut history = vec![message(Role::System, "Be brief.")];
    for turn in 0..6 {
        let thinking = [None, Some(true), Some(false)][turn % 3];
        history.push(message(Role::User, "Where <think>does</think> it go?"));
        let (thought, text, statistics) = ask(&mut chat, &history, options(thinking));
        let expected = if thinking == Some(false) { "" } else { THOUGHT };
        // The whitespace behind a block belongs to it.
        let answer = if expected.is_empty() {
            ANSWER
        } else {
            ANSWER.trim_start()
        };
        assert_eq!((&*thought, &*text), (expected, answer), "turn {turn}");
        assert_eq!(statistics.finish_reason, FinishReason::Stop);
        // Thoughts are counted among the tokens.
        let counted = model.tokenizer().encode(&format!("{expected}{answer}"), false).len() as u32;
        assert!(statistics.completion_tokens >= counted, "{statistics:?}");
        // What the template leaves out is read no more: a fresh context gives the same.
        let mut fresh = Chat::new(&model, ChatOptions::default()).unwrap();
        let (thought_again, text_again, fresh_statistics) = ask(&mut fresh, &history, options(thinking));
        assert_eq!((thought_again, &text_again), (thought, &text), "turn {turn}");
        assert_eq!(fresh_statistics.prompt_tokens, statistics.prompt_tokens, "turn {turn}");
        if turn > 0 {
            // Only the last answer is read again.
            let read = statistics.prompt_tokens - statistics.reused_tokens;
            assert!(statistics.reused_tokens > 0 && read < 80, "{statistics:?}");
        }
        history.push(message(Role::Assistant, &text));
    }
}

#[test]
fn marks_in_messages_are_text_to_the_template() {
    let (_desk, model) = open(true);
    let template = model.chat_template().unwrap();
    let history = [
        message(Role::User, "What does </think> do?"),
        message(Role::Assistant, "The tag </think> closes what <think> opens."),
        message(Role::User, "Thanks <think>"),
    ];
    let options = RenderOptions {
        add_generation_prompt: true,
        ..RenderOptions::default()
    };
    let prompt = template.render_tokens(model.tokenizer(), &history, &options).unwrap();
    for message in &history {
        assert!(prompt.text.contains(&message.content), "{}", prompt.text);
    }
    assert!(!prompt.is_thinking);
}

#[test]
fn an_answer_may_end_in_its_thoughts() {
    let (_desk, model) = open(true);
    let mut chat = Chat::new(&model, ChatOptions::default()).unwrap();
    let history = [message(Role::User, "Where?")];
    let short = GenerationOptions {
        max_tokens: 3,
        ..options(None)
    };
    let (thought, text, statistics) = ask(&mut chat, &history, short);
    assert!(!thought.is_empty() && THOUGHT.starts_with(&thought), "{thought}");
    assert_eq!((&*text, statistics.finish_reason), ("", FinishReason::Length));
    assert_eq!(statistics.completion_tokens, 3);
    // A stop string ends the answer and not the thoughts.
    let stop = |stop: &str| GenerationOptions {
        stop: vec![stop.to_owned()],
        ..options(None)
    };
    let (thought, text, _) = ask(&mut chat, &history, stop("ird"));
    assert_eq!((&*thought, &*text), (THOUGHT, ANSWER.trim_start()));
    let (thought, text, _) = ask(&mut chat, &history, stop("uth"));
    assert_eq!((&*thought, &*text), (THOUGHT, "so"));
}

#[test]
fn a_model_that_does_not_think_cannot_be_told_to() {
    let (_desk, model) = open(false);
    assert_eq!(model.chat_template().unwrap().thinking(), None);
    let mut chat = Chat::new(&model, ChatOptions::default()).unwrap();
    let history = [message(Role::User, "Where?")];
    let refused = chat.ask(&history, options(Some(true)), CancelFlag::default());
    assert!(matches!(refused, Err(EngineError::NoThinking)), "{refused:?}");
    let (thought, text, _) = ask(&mut chat, &history, options(Some(false)));
    let (_, as_ever, _) = ask(&mut chat, &history, options(None));
    assert_eq!((&*thought, text), ("", as_ever));
}
