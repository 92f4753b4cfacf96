//! State that cannot be cut at any length: windows and convolutions. Whatever the history of a session, its answers are those of a fresh one
//! that runs the same tokens, and only tokens whose state is gone are read again.
#![allow(clippy::unwrap_used)]

#[path = "../../engine/tests/support/mod.rs"]
mod engine;
mod support;

use std::sync::{Arc, Barrier};

use engine::{Chunked, Conversation, message};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use support::{Desk, small};
use whimbrel_engine::{
    CancelFlag, ChatOptions, ContextPolicy, EngineError, Generation, GenerationOptions, KvPrecision, Model,
    OpenOptions, PrefixError, Role, SavedPrefix, Session, Statistics, Step,
};
use whimbrel_forge::synthetic::{Family, Synthetic};

/// Windows in most layers; convolutions in most layers; both in one model.
fn models() -> [Synthetic; 3] {
    let model = |family, layers, window| Synthetic {
        family,
        layers,
        window,
        head_dim: 16,
        context_length: 4_096,
        ..small()
    };
    [
        model(Family::Gemma3, 6, Some(100)),
        model(Family::Lfm2, 4, None),
        model(Family::Lfm2, 3, Some(70)),
    ]
}

fn open_with(model: &Synthetic, threads: u32, kv_precision: KvPrecision) -> Arc<Model> {
    let desk = Desk::new(&model.to_gguf());
    desk.import().unwrap();
    let options = OpenOptions {
        threads,
        kv_precision,
        ..OpenOptions::default()
    };
    Model::open(&desk.output(), &options).unwrap()
}

fn open(model: &Synthetic) -> Arc<Model> {
    open_with(model, 1, KvPrecision::Half)
}

fn ids(seed: u32, count: u32) -> Vec<u32> {
    (0..count).map(|index| 3 + (index * 37 + seed * 101) % 290).collect()
}

fn logits(session: &mut Session, ids: &[u32]) -> Vec<f32> {
    session.logits(ids, &CancelFlag::default()).unwrap().to_vec()
}

/// The logits after some tokens, all of them run in a session that has done nothing else.
fn fresh(model: &Arc<Model>, ids: &[u32]) -> Vec<f32> {
    logits(&mut Session::new(model, 2_048).unwrap(), ids)
}

/// Tokens are run in runs of many lengths and taken back to many lengths, as far as that is possible, and further where it is not.
#[test]
fn whatever_was_run_and_taken_back_changes_no_logits() {
    let never = CancelFlag::default();
    for (seed, synthetic) in (1..).zip(models()) {
        for kv_precision in [KvPrecision::Half, KvPrecision::Int8] {
            let model = open_with(&synthetic, 1, kv_precision);
            let mut session = Session::new(&model, 2_048).unwrap();
            let mut random = Pcg64Mcg::seed_from_u64(seed);
            let mut below = |limit: usize| (random.next_u64() % limit as u64) as usize;
            let mut text: Vec<u32> = Vec::new();
            let mut lost = 0;
            for step in 0..90 {
                // Mostly a few tokens, now and then many.
                let rows = [1, 1 + below(9), 1 + below(128), 1 + below(900)][below(4)];
                let rows = rows.min(2_000 - text.len());
                let new = ids(step, rows as u32);
                if !new.is_empty() {
                    session.prefill(&new, &never).unwrap();
                    text.extend(new);
                }
                let back = [below(10), below(10), below(120), below(text.len() + 1)][below(4)];
                let length = text.len().saturating_sub(back);
                let kept = session.truncate(length as u32) as usize;
                let is_short = back <= rows.min(25);
                assert!(kept <= length && (kept == length || !is_short), "{kept} of {length}");
                assert_eq!(session.tokens(), &text[..kept]);
                lost += length - kept;
                text.truncate(kept);
                if step % 9 == 8 {
                    text.extend([33, 44]);
                    let expected = fresh(&model, &text);
                    assert!(
                        logits(&mut session, &[33, 44]) == expected,
                        "{synthetic:?}, step {step}"
                    );
                }
            }
            assert!(lost > 0, "going far back is not always possible");
        }
    }
}

#[test]
fn rows_of_a_run_are_those_of_single_runs() {
    let never = CancelFlag::default();
    let ids = ids(3, 300);
    for synthetic in models() {
        let mut expected: Vec<Vec<f32>> = Vec::new();
        for threads in [1, 2] {
            let model = open_with(&synthetic, threads, KvPrecision::Half);
            if expected.is_empty() {
                let mut single = Session::new(&model, 300).unwrap();
                expected = ids.iter().map(|id| logits(&mut single, &[*id])).collect();
            }
            for count in [2, 7, 9, 64, 100, 129, 300] {
                let mut session = Session::new(&model, 300).unwrap();
                let mut found = Vec::new();
                for run in ids.chunks(count) {
                    let rows = session.logits_after(run, run.len() as u32, &never).unwrap();
                    found.extend(rows.chunks_exact(expected[0].len()).map(<[f32]>::to_vec));
                }
                assert!(
                    found == expected,
                    "{synthetic:?}: {count} rows a run, {threads} threads"
                );
            }
        }
    }
}

/// A run is cancelled anywhere: what was there before is still there.
#[test]
fn a_cancelled_run_leaves_the_session_as_it_was() {
    for synthetic in models() {
        let model = open(&synthetic);
        let (text, more) = (ids(1, 400), ids(2, 128));
        let expected = fresh(&model, &[&text[..], &more[..]].concat());
        let mut session = Session::new(&model, 1_024).unwrap();
        session.prefill(&text, &CancelFlag::default()).unwrap();
        let mut cancelled = 0;
        for delay in (0..40).cycle().take(2_000) {
            let (cancel, both) = (CancelFlag::default(), Barrier::new(2));
            let outcome = std::thread::scope(|scope| {
                scope.spawn(|| {
                    // A thread may take longer to begin than a small run to end.
                    both.wait();
                    (0..2_000 * delay).for_each(|_| std::hint::spin_loop());
                    cancel.cancel();
                });
                both.wait();
                session.prefill(&more, &cancel)
            });
            match outcome {
                Err(EngineError::Cancelled) => cancelled += 1,
                outcome => {
                    outcome.unwrap();
                    session.truncate(text.len() as u32);
                }
            }
            if session.tokens().len() < text.len() {
                // It ran to its end, and 128 tokens are more than a convolution can take back.
                let rest = &text[session.tokens().len()..].to_vec();
                session.prefill(rest, &CancelFlag::default()).unwrap();
            }
            assert_eq!(session.tokens(), text);
            // On a machine with other work, the thread may come too late many times.
            if delay == 39 && cancelled > 0 {
                break;
            }
        }
        assert!(cancelled > 0, "some runs were cancelled");
        assert!(logits(&mut session, &more) == expected, "{synthetic:?}");
    }
}

#[test]
fn going_on_from_a_saved_prefix_changes_nothing() {
    for synthetic in models() {
        for kv_precision in [KvPrecision::Half, KvPrecision::Int8] {
            let model = open_with(&synthetic, 1, kv_precision);
            let session = |tokens: u32| {
                let mut session = Session::new(&model, 1_024).unwrap();
                if tokens > 0 {
                    session.prefill(&ids(1, tokens), &CancelFlag::default()).unwrap();
                }
                session
            };
            for (tokens, asked) in [
                (0, 0),
                (1, 1),
                (64, 64),
                (65, 65),
                (300, 300),
                (300, 290),
                (300, 20),
                (700, 650),
            ] {
                let saved = session(tokens).save_prefix(asked, b"note").unwrap();
                let parsed = SavedPrefix::parse(&saved, &model).unwrap();
                let length = parsed.tokens().len() as u32;
                assert_eq!(parsed.tokens(), ids(1, length));
                assert!(
                    length <= asked && (length == asked || asked + 25 < tokens),
                    "{length} of {asked}"
                );
                if length == asked {
                    let alone = session(length).save_prefix(length, b"note").unwrap();
                    assert!(saved == alone, "it says nothing of what came after it");
                }
                let expected = fresh(&model, &[&ids(1, length)[..], &[33, 44]].concat());
                for before in [0, 500] {
                    let mut restored = session(before);
                    restored.restore_prefix(&parsed).unwrap();
                    assert_eq!(restored.tokens(), ids(1, length));
                    assert!(
                        logits(&mut restored, &[33, 44]) == expected,
                        "{synthetic:?}: {length} of {tokens}"
                    );
                    // It can be taken back and gone on from again, even after a long run.
                    restored.prefill(&ids(4, 250), &CancelFlag::default()).unwrap();
                    assert_eq!(restored.truncate(length), length);
                    assert!(
                        logits(&mut restored, &[33, 44]) == expected,
                        "{synthetic:?}: {length} again"
                    );
                }
            }
        }
    }
}

/// Whatever chunks the bytes are read in and by how many threads, the session is the same; and it is empty if one of them cannot be read.
#[test]
fn a_prefix_that_is_read_in_chunks_is_the_same_or_none() {
    for synthetic in models() {
        for threads in [1, 2] {
            let model = open_with(&synthetic, threads, KvPrecision::Half);
            let session = |tokens: u32| {
                let mut session = Session::new(&model, 1_024).unwrap();
                session.prefill(&ids(1, tokens), &CancelFlag::default()).unwrap();
                session
            };
            let bytes = session(650).save_prefix(650, b"note").unwrap();
            let expected = fresh(&model, &[&ids(1, 650)[..], &[33, 44]].concat());
            let values_end = bytes.len() - 33;
            for (chunk_bytes, damaged) in [
                (1_000, None),
                (4_096, None),
                (1 << 16, None),
                (1_000, Some(bytes.len() / 2)),
                (4_096, Some(values_end)),
            ] {
                let source = Chunked {
                    bytes: &bytes,
                    chunk_bytes,
                    damaged,
                };
                let saved = SavedPrefix::open(&source, &model).unwrap();
                let mut restored = session(900);
                let outcome = restored.restore_prefix(&saved);
                assert_eq!(outcome.is_err(), damaged.is_some(), "{outcome:?}");
                if outcome.is_err() {
                    assert!(restored.tokens().is_empty());
                    restored.prefill(&ids(1, 650), &CancelFlag::default()).unwrap();
                }
                assert!(
                    logits(&mut restored, &[33, 44]) == expected,
                    "{synthetic:?}: {threads} threads, chunks of {chunk_bytes}, {damaged:?}"
                );
            }
        }
    }
}

/// Bytes of a prefix that say something else about their length are refused, whatever the layers keep.
#[test]
fn a_saved_prefix_has_the_size_that_its_tokens_ask_for() {
    for synthetic in models() {
        let model = open(&synthetic);
        let mut session = Session::new(&model, 1_024).unwrap();
        session.prefill(&ids(1, 319), &CancelFlag::default()).unwrap();
        let saved = session.save_prefix(319, &[0; 8]).unwrap();
        // Two tokens more, in another block, and eight bytes of the note fewer: the sum is the same.
        let mut moved = saved.clone();
        moved[20..24].copy_from_slice(&321u32.to_le_bytes());
        moved[24..28].copy_from_slice(&0u32.to_le_bytes());
        let length = moved.len() - 32;
        let hash = blake3::hash(&moved[..length]);
        moved[length..].copy_from_slice(hash.as_bytes());
        assert!(SavedPrefix::parse(&saved, &model).is_ok());
        let refused = SavedPrefix::parse(&moved, &model);
        assert!(matches!(refused, Err(PrefixError::Content { .. })), "{refused:?}");
    }
}

fn converse(model: &Arc<Model>, context_length: u32, system: &str) -> Conversation {
    let options = ChatOptions {
        context_length,
        context_policy: ContextPolicy::DropOldest,
        ..ChatOptions::default()
    };
    Conversation::new(model, system, options)
}

fn answer_of(max_tokens: u32) -> GenerationOptions {
    GenerationOptions {
        max_tokens,
        repetition_guard: false,
        ..GenerationOptions::default()
    }
}

/// What a conversation would answer now if it had to read everything again: it knows the tokens of the last answer, and its cache is empty.
/// `model` is another one of the same file, so that nothing is shared.
fn answer_from_nothing(model: &Arc<Model>, conversation: &Conversation, question: &str) -> (String, Statistics) {
    let context_length = conversation.chat.context().tokens_max;
    let mut other = converse(model, context_length, "");
    let nothing = other.chat.save_prefix(0).unwrap();
    other.chat.restore(&conversation.chat.save(&[]).unwrap()).unwrap();
    other.chat.restore_prefix(&nothing).unwrap();
    other.messages.clone_from(&conversation.messages);
    let (text, statistics) = other.ask(question, answer_of(24));
    assert_eq!(statistics.reused_tokens, 0);
    (text, statistics)
}

fn read(statistics: &Statistics) -> u32 {
    statistics.prompt_tokens - statistics.reused_tokens
}

const QUESTIONS: [&str; 4] = [
    "Which bird crosses oceans, and how does it find the same field again after so many miles?",
    "one two three one two three one two three",
    "And then?",
    "Where does it go in winter, where does it nest in summer, and who shows it the way?",
];

/// Twenty turns, far beyond the windows: nothing is read twice.
#[test]
fn turns_read_their_new_tokens_only() {
    for synthetic in models() {
        let (model, other) = (open(&synthetic), open(&synthetic));
        let mut conversation = converse(&model, 4_000, "Give clear and correct answers.");
        let (mut known, mut new_tokens, mut read_tokens) = (0, 0, 0);
        for turn in 0..20 {
            let question = QUESTIONS[turn % 4];
            let expected = answer_from_nothing(&other, &conversation, question);
            let (text, statistics) = conversation.ask(question, answer_of(24));
            assert_eq!(
                (&text, statistics.prompt_tokens),
                (&expected.0, expected.1.prompt_tokens)
            );
            new_tokens += statistics.prompt_tokens - known;
            read_tokens += read(&statistics);
            known = statistics.prompt_tokens + statistics.completion_tokens;
        }
        assert!(known > 1_000, "{known} tokens");
        let ratio = f64::from(read_tokens) / f64::from(new_tokens);
        assert!(ratio <= 1.1, "{synthetic:?}: read {read_tokens} for {new_tokens}");
    }
}

#[test]
fn a_changed_history_gives_the_answer_of_a_fresh_chat() {
    for synthetic in models() {
        let (model, other) = (open(&synthetic), open(&synthetic));
        let mut conversation = converse(&model, 2_000, "Give clear and correct answers.");
        for turn in 0..8 {
            conversation.ask(QUESTIONS[turn % 4], answer_of(40));
        }
        let said = conversation.messages.clone();
        let edited = |index: usize, content: &str| {
            let mut messages = said.clone();
            messages[index].content = content.to_owned();
            messages
        };
        let cases = [
            ("as it was", said.clone()),
            ("the last answer again", said[..15].to_vec()),
            ("the last question edited", edited(15, "And before?")),
            ("a question edited in the middle", edited(7, "Which bird is small?")),
            ("the first question edited", edited(1, "Hello")),
            ("another system message", edited(0, "Be brief.")),
            ("without its oldest exchanges", [&said[..1], &said[7..]].concat()),
            (
                "a few words",
                vec![message(Role::User, "Hello"), message(Role::Assistant, "Good day.")],
            ),
        ];
        for (what, messages) in cases {
            // Twice, each time from what the case before has left behind.
            for question in ["Why is that?", "Why is this?"] {
                conversation.messages.clone_from(&messages);
                let expected = answer_from_nothing(&other, &conversation, question);
                let (text, statistics) = conversation.ask(question, answer_of(24));
                assert_eq!(text, expected.0, "{synthetic:?}: {what}, {question}");
                assert_eq!(statistics.prompt_tokens, expected.1.prompt_tokens);
            }
        }
    }
}

/// The tokens of an answer to a prompt, and how many tokens of the prompt were kept.
fn generate(session: &mut Session, prompt: &[u32], max_tokens: u32) -> (Vec<u32>, u32) {
    let never = CancelFlag::default();
    let mut generation = Generation::new(session, prompt.to_vec(), answer_of(max_tokens), never).unwrap();
    loop {
        if let Step::Finished { statistics, .. } = generation.step(session).unwrap() {
            return (generation.answer().to_vec(), statistics.reused_tokens);
        }
    }
}

/// What people do most often is cheap: asking again, and asking the last question in other words, even after a long answer.
#[test]
fn the_last_turn_can_be_taken_back() {
    for synthetic in models() {
        let model = open(&synthetic);
        let mut session = Session::new(&model, 4_000).unwrap();
        let mut text = ids(1, 500);
        for turn in 2..5 {
            text.extend(generate(&mut session, &text, 40).0);
            text.extend(ids(turn, 30));
        }
        let (answer, _) = generate(&mut session, &text, 900);
        assert_eq!(answer.len(), 900);
        let again = generate(&mut session, &text, 900);
        assert_eq!(again, (answer, text.len() as u32 - 1), "{synthetic:?}: the same again");
        // The last token of an answer was never run.
        let before = text.len() - 31;
        let edited = [&text[..before + 1], &ids(9, 30)[..]].concat();
        let (answer, kept) = generate(&mut session, &edited, 20);
        // Blocks of a window may be there for one token more.
        assert!(
            (before..=before + 1).contains(&(kept as usize)),
            "{synthetic:?}: {kept} of {before} kept"
        );
        let fresh = generate(&mut Session::new(&model, 4_000).unwrap(), &edited, 20);
        assert_eq!((answer, 0), fresh);
    }
}

/// When the oldest exchanges are dropped, everything behind the system message is read again, but not the system message.
#[test]
fn a_full_context_loses_its_oldest_exchanges() {
    let system = "the quick brown fox jumps over the lazy dog. ".repeat(6);
    for synthetic in models() {
        let (model, other) = (open(&synthetic), open(&synthetic));
        let mut conversation = converse(&model, 600, &system);
        let mut dropped = 0;
        let mut kept_system = 0;
        for turn in 0..14 {
            let question = QUESTIONS[turn % 4];
            let (expected, fresh) = answer_from_nothing(&other, &conversation, question);
            let (text, statistics) = conversation.ask(question, answer_of(24));
            assert_eq!(fresh.dropped_messages, statistics.dropped_messages);
            assert_eq!(text, expected, "{synthetic:?}, turn {turn}");
            if statistics.dropped_messages > dropped {
                kept_system += u32::from(statistics.reused_tokens > 100);
            }
            dropped = statistics.dropped_messages;
        }
        assert!(dropped >= 10, "{dropped} messages were dropped");
        assert!(
            kept_system >= 2,
            "{synthetic:?}: the system message was kept {kept_system} times"
        );
    }
}

#[test]
fn guesses_do_not_change_an_answer() {
    for synthetic in models() {
        let model = open(&synthetic);
        let answer = |speculation: bool| {
            let mut conversation = converse(&model, 2_000, "");
            let mut texts = Vec::new();
            let (mut drafted, mut accepted) = (0, 0);
            for question in QUESTIONS {
                let options = GenerationOptions {
                    speculation,
                    ..answer_of(200)
                };
                let (text, statistics) = conversation.ask(question, options);
                texts.push(text);
                drafted += statistics.drafted_tokens;
                accepted += statistics.accepted_tokens;
            }
            (texts, conversation.chat.context(), drafted, accepted)
        };
        let (plain, guessed) = (answer(false), answer(true));
        assert_eq!((&plain.0, plain.1), (&guessed.0, guessed.1), "{synthetic:?}");
        assert!(
            guessed.2 > guessed.3,
            "{synthetic:?}: some of {} guesses were rejected",
            guessed.2
        );
    }
}

#[test]
fn conversations_share_their_beginning() {
    let system = "the quick brown fox jumps over the lazy dog. ".repeat(12);
    for synthetic in models() {
        let model = open(&synthetic);
        let alone = |question: &str| {
            let mut conversation = converse(&open(&synthetic), 2_000, &system);
            conversation.ask(question, answer_of(24)).0
        };
        let mut first = converse(&model, 2_000, &system);
        assert_eq!(first.ask("one", answer_of(24)).0, alone("one"));
        let mut others: Vec<Conversation> = (0..3).map(|_| converse(&model, 2_000, &system)).collect();
        for (other, question) in others.iter_mut().zip(["one", "two", "three"]) {
            let (text, statistics) = other.ask(question, answer_of(24));
            assert_eq!(text, alone(question), "{synthetic:?}");
            let can_share = cfg!(any(target_os = "linux", target_os = "android"));
            assert_eq!(
                statistics.reused_tokens > 128,
                can_share,
                "{}",
                statistics.reused_tokens
            );
        }
        // One of them writes where the others read.
        others[0].ask(&"something quite different ".repeat(40), answer_of(24));
        let mut last = converse(&model, 2_000, &system);
        assert_eq!(last.ask("four", answer_of(24)).0, alone("four"), "{synthetic:?}");
        assert_eq!(first.ask("two", answer_of(24)).0, {
            let mut again = converse(&open(&synthetic), 2_000, &system);
            again.ask("one", answer_of(24));
            again.ask("two", answer_of(24)).0
        });
    }
}

/// The layers of Gemma 3 270M at the length for which the bar is set, and of LFM2 350M.
#[test]
fn keys_and_values_of_windows_take_little_memory() {
    let gemma = Synthetic {
        family: Family::Gemma3,
        layers: 18,
        heads: 4,
        kv_heads: 1,
        head_dim: 256,
        window: Some(512),
        context_length: 32_768,
        ..small()
    };
    let model = open(&gemma);
    for (context_length, most) in [(8_192, 0.3), (32_768, 0.21)] {
        let (kept, all) = (
            model.kv_bytes(context_length),
            model.kv_bytes_per_token() * u64::from(context_length),
        );
        assert!(kept as f64 <= most * all as f64, "{kept} of {all} bytes");
    }
    assert_eq!(
        model.kv_bytes(512),
        512 * model.kv_bytes_per_token(),
        "no more than everything"
    );
    let llama = open(&Synthetic {
        context_length: 8_192,
        ..small()
    });
    assert_eq!(llama.kv_bytes(8_192), 8_192 * llama.kv_bytes_per_token());
}
