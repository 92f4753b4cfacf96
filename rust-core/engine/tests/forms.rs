//! Answers that are held to a form: whatever the model would say, they have it, or say that they do not.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Conversation, finish, message, open};
use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, Constraint, EngineError, FORM_BYTES_MAX, FORM_NESTING_MAX, FinishReason, Form,
    Generation, GenerationOptions, Role, Said, SamplingOptions, Session, Statistics, Step, ThinkingMarks,
    ThinkingSplitter,
};

const PERSON: &str = r#"{
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["young", "old"]}, "maxItems": 3},
        "contact": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[a-z]{2,6}$"}]}
    },
    "required": ["name", "age", "tags", "contact"],
    "additionalProperties": false
}"#;

const CALL: &str = r#"
start: NAME "(" [ARGUMENT ("," ARGUMENT)*] ")"
NAME: "open" | "close"
ARGUMENT: /[0-9]{1,3}/
"#;

fn choice(choices: &[&str]) -> Form {
    Form::Choice(choices.iter().map(|&choice| choice.to_owned()).collect())
}

type Check = fn(&str) -> bool;

/// Every kind of form, with a check of its answers that does not use it.
fn forms() -> Vec<(Form, Check)> {
    vec![
        (choice(&["yes", "no", "it depends"]), |text| {
            ["yes", "no", "it depends"].contains(&text)
        }),
        (Form::JsonSchema(PERSON.to_owned()), is_person),
        (Form::Regex("[0-9]{2}:[0-9]{2}( (am|pm))?".to_owned()), is_time),
        (Form::Grammar(CALL.to_owned()), is_call),
    ]
}

fn is_person(text: &str) -> bool {
    let Ok(person) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let keys: Vec<&String> = person.as_object().unwrap().keys().collect();
    let is_tag = |tag: &Value| tag == "young" || tag == "old";
    let tags = person["tags"].as_array().unwrap();
    let contact = &person["contact"];
    let is_word = |word: &str| (2..=6).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase());
    keys == ["name", "age", "tags", "contact"]
        && person["name"].as_str().unwrap().chars().count() <= 12
        && (0..=130).contains(&person["age"].as_i64().unwrap())
        && tags.len() <= 3
        && tags.iter().all(is_tag)
        && (contact.is_null() || contact.as_str().is_some_and(is_word))
}

fn is_time(text: &str) -> bool {
    let (digits, rest) = text.split_at_checked(5).unwrap_or((text, ""));
    let shape: String = digits
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape == "00:00" && ["", " am", " pm"].contains(&rest)
}

fn is_call(text: &str) -> bool {
    let Some((name, rest)) = text.split_once('(') else {
        return false;
    };
    let Some(arguments) = rest.strip_suffix(')') else {
        return false;
    };
    let is_number = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (name == "open" || name == "close") && (arguments.is_empty() || arguments.split(',').all(is_number))
}

fn sampled(seed: u64) -> SamplingOptions {
    SamplingOptions {
        temperature: Some(1.5),
        seed: Some(seed),
        ..SamplingOptions::default()
    }
}

fn with(form: &Form, seed: Option<u64>) -> GenerationOptions {
    GenerationOptions {
        max_tokens: 200,
        sampling: seed.map_or_else(SamplingOptions::greedy, sampled),
        form: Some(form.clone()),
        ..GenerationOptions::default()
    }
}

fn ask(options: GenerationOptions) -> (String, Statistics) {
    let chat_options = ChatOptions {
        context_length: 512,
        ..ChatOptions::default()
    };
    Conversation::new(&open(), "", chat_options).ask("one two three one two three", options)
}

#[test]
fn every_answer_has_its_form() {
    for (form, is_valid) in forms() {
        let mut texts = Vec::new();
        for seed in [None].into_iter().chain((0..12).map(Some)) {
            let (text, statistics) = ask(with(&form, seed));
            assert_eq!(
                statistics.finish_reason,
                FinishReason::Stop,
                "{form:?} {seed:?}: {text}"
            );
            assert!(is_valid(&text), "{form:?} {seed:?}: {text}");
            texts.push(text);
        }
        texts.sort();
        texts.dedup();
        assert!(texts.len() > 1, "the model has a choice: {texts:?}");
    }
}

#[test]
fn guesses_change_no_answer() {
    let mut accepted = 0;
    for (form, _) in forms() {
        for seed in [None, Some(1), Some(2), Some(3)] {
            let plain = ask(GenerationOptions {
                speculation: false,
                ..with(&form, seed)
            });
            let guessed = ask(with(&form, seed));
            assert_eq!(plain.0, guessed.0, "{form:?} {seed:?}");
            assert_eq!(plain.1.completion_tokens, guessed.1.completion_tokens);
            assert_eq!(plain.1.forced_tokens, guessed.1.forced_tokens);
            accepted += guessed.1.accepted_tokens;
        }
    }
    let form = Form::Regex("[a-z ]{0,400}".to_owned());
    let plain = ask(GenerationOptions {
        speculation: false,
        repetition_guard: false,
        ..with(&form, None)
    });
    let guessed = ask(GenerationOptions {
        repetition_guard: false,
        ..with(&form, None)
    });
    assert_eq!(plain.0, guessed.0);
    accepted += guessed.1.accepted_tokens;
    assert!(
        accepted > 0,
        "the tiny model repeats itself, so something must have been guessed"
    );
}

/// What the form fixes is never decoded, however long it is, and comes out as it is written.
#[test]
fn fixed_parts_are_forced() {
    for times in [1, 5, 20] {
        let fixed = "one two three, ".repeat(times);
        let form = Form::Regex(format!("{fixed}(one|two)! {fixed}"));
        let (text, statistics) = ask(GenerationOptions {
            max_tokens: 400,
            ..with(&form, None)
        });
        assert!(text.starts_with(&fixed) && text.ends_with(&fixed), "{text}");
        assert_eq!(statistics.finish_reason, FinishReason::Stop);
        let chosen = statistics.completion_tokens - statistics.forced_tokens;
        assert!((1..=4).contains(&chosen), "{statistics:?}");
    }
    let (text, statistics) = ask(with(&choice(&["one two three"]), None));
    assert_eq!(text, "one two three");
    assert_eq!(statistics.forced_tokens, statistics.completion_tokens);
    assert_eq!(statistics.finish_reason, FinishReason::Stop);
}

/// The answer when every token is run by itself, chosen from its scores where the form leaves a choice.
fn one_by_one(form: &Form) -> String {
    let model = open();
    let vocabulary = model.vocabulary().unwrap();
    let mut constraint = Constraint::new(&vocabulary, form).unwrap();
    let mut session = Session::new(&model, 512).unwrap();
    let never = CancelFlag::default();
    let (mut next, mut text) = (model.tokenizer().encode("one two three", false), Vec::new());
    while !constraint.is_complete() {
        let mut best = (f32::NEG_INFINITY, 0);
        for id in &next {
            let logits = session.logits(&[*id], &never).unwrap();
            let mask = constraint.mask().unwrap();
            let allowed = (0..).zip(logits.iter()).filter(|(id, _)| mask.is_allowed(*id));
            best = allowed.fold((f32::NEG_INFINITY, 0), |best, (id, logit)| {
                if *logit > best.0 { (*logit, id) } else { best }
            });
        }
        if model.tokenizer().end_of_turn().contains(&best.1) {
            break;
        }
        constraint.take(&[best.1]).unwrap();
        text.extend_from_slice(model.tokenizer().decode_bytes(best.1));
        next = vec![best.1];
    }
    String::from_utf8(text).unwrap()
}

/// The answer to a prompt without a template, and its statistics.
fn continued(options: GenerationOptions) -> (String, Statistics) {
    let model = open();
    let mut session = Session::new(&model, 512).unwrap();
    let prompt = model.tokenizer().encode("one two three", false);
    let mut generation = Generation::new(&mut session, prompt, options, CancelFlag::default()).unwrap();
    let mut text = String::new();
    loop {
        match generation.step(&mut session).unwrap() {
            Step::Finished { text: rest, statistics } => return (text + &rest, statistics),
            Step::Text(piece) => text += &piece,
            Step::Prefilled { .. } | Step::Thinking(_) | Step::Call(_) => {}
        }
    }
}

#[test]
fn forced_tokens_are_those_of_single_runs() {
    for (form, _) in forms() {
        let (text, _) = continued(with(&form, None));
        assert_eq!(text, one_by_one(&form), "{form:?}");
    }
}

#[test]
fn an_answer_that_is_cut_says_so() {
    let mut incomplete = 0;
    for max_tokens in [1, 2, 5, 11, 20] {
        let (text, statistics) = ask(GenerationOptions {
            max_tokens,
            ..with(&Form::JsonSchema(PERSON.to_owned()), Some(3))
        });
        assert!(statistics.completion_tokens <= max_tokens);
        let is_whole = serde_json::from_str::<Value>(&text).is_ok();
        assert_eq!(is_whole, statistics.finish_reason == FinishReason::Stop, "{text}");
        incomplete += u32::from(statistics.finish_reason == FinishReason::Incomplete);
    }
    assert!(incomplete >= 4);
    // A text that may end where it is cut has the form.
    let form = Form::Regex("[a-z ]{1,400}".to_owned());
    let options = GenerationOptions {
        max_tokens: 5,
        ..with(&form, None)
    };
    assert_eq!(ask(options).1.finish_reason, FinishReason::Length);
}

#[test]
fn choices_that_cannot_end_in_time_are_refused() {
    let form = choice(&["one two three four five six", "one two three four"]);
    let ask = |max_tokens| {
        let options = GenerationOptions {
            max_tokens,
            ..with(&form, None)
        };
        let mut chat = Chat::new(&open(), ChatOptions::default()).unwrap();
        let question = message(Role::User, "Hello");
        chat.ask(&[question], options, CancelFlag::default())
    };
    let error = ask(1).unwrap_err();
    assert!(
        matches!(
            &error,
            EngineError::Option {
                option: "max tokens",
                ..
            }
        ),
        "{error}"
    );
    ask(40).unwrap();
}

/// A stop string ends an answer; whether it has its form then depends on the text that is left.
#[test]
fn stop_strings_hold_under_a_form() {
    let stop = |form: &str, stop: &str| {
        ask(GenerationOptions {
            stop: vec![stop.to_owned()],
            ..with(&Form::Regex(form.to_owned()), None)
        })
    };
    let (text, statistics) = stop("one two, three!", ", th");
    assert_eq!(
        (text.as_str(), statistics.finish_reason),
        ("one two", FinishReason::Incomplete)
    );
    let (text, statistics) = stop("one two(, three)+!?", ", th");
    assert_eq!(text, "one two");
    assert_eq!(statistics.finish_reason, FinishReason::Incomplete);
    let (text, statistics) = stop("one( two| three!){2}|one", " t");
    assert_eq!((text.as_str(), statistics.finish_reason), ("one", FinishReason::Stop));
}

#[test]
fn a_cancelled_answer_is_cancelled() {
    let model = open();
    let mut chat = Chat::new(&model, ChatOptions::default()).unwrap();
    let cancel = CancelFlag::default();
    let form = Form::JsonSchema(r#"{"type": "array", "items": {"type": "integer"}, "minItems": 50}"#.to_owned());
    let question = [message(Role::User, "one two three")];
    chat.ask(&question, with(&form, None), cancel.clone()).unwrap();
    for _ in 0..5 {
        chat.step().unwrap();
    }
    cancel.cancel();
    assert_eq!(finish(&mut chat).1.finish_reason, FinishReason::Cancelled);
    // The next answer of the same chat has its form.
    chat.ask(&question, with(&choice(&["yes", "no"]), None), CancelFlag::default())
        .unwrap();
    assert!(["yes", "no"].contains(&finish(&mut chat).0.as_str()));
}

#[test]
fn the_repetition_guard_does_not_break_a_form() {
    let form = |close: &str| Form::Regex(format!("(one ){{100,200}}{close}"));
    let ask = |close: &str, max_tokens| {
        let options = GenerationOptions {
            max_tokens,
            ..with(&form(close), None)
        };
        let (text, statistics) = ask(options);
        (
            text.matches("one").count(),
            text.ends_with('!'),
            statistics.finish_reason,
        )
    };
    let (count, _, reason) = ask("", 400);
    assert!(count >= 100 && reason != FinishReason::Incomplete, "{count} {reason:?}");
    let (count, is_closed, reason) = ask("!", 400);
    assert!(
        is_closed && count >= 100 && reason == FinishReason::Stop,
        "{count} {reason:?}"
    );
    assert_eq!(ask("!", 60).2, FinishReason::Incomplete);
}

/// Two conversations that take turns give the answers that they give alone.
#[test]
fn conversations_take_turns() {
    let model = open();
    let question = [message(Role::User, "one two three one two three")];
    let begin = |form: &Form, seed| {
        let mut chat = Chat::new(&model, ChatOptions::default()).unwrap();
        chat.ask(&question, with(form, Some(seed)), CancelFlag::default())
            .unwrap();
        (chat, String::new(), false)
    };
    let forms = forms();
    let alone: Vec<String> = (0..)
        .zip(&forms)
        .map(|(seed, (form, _))| finish(&mut begin(form, seed).0).0)
        .collect();
    let mut chats: Vec<_> = (0..).zip(&forms).map(|(seed, (form, _))| begin(form, seed)).collect();
    while chats.iter().any(|(_, _, is_over)| !is_over) {
        for (chat, text, is_over) in chats.iter_mut().filter(|(_, _, is_over)| !is_over) {
            match chat.step().unwrap() {
                Step::Text(piece) => *text += &piece,
                Step::Finished { text: rest, .. } => {
                    *text += &rest;
                    *is_over = true;
                }
                Step::Prefilled { .. } | Step::Thinking(_) | Step::Call(_) => {}
            }
        }
    }
    let together: Vec<String> = chats.into_iter().map(|(_, text, _)| text).collect();
    assert_eq!(alone, together);
}

/// Thoughts are free; the form begins with the answer.
#[test]
fn a_form_holds_behind_thoughts() {
    let model = open();
    let prompt = || model.tokenizer().encode("one two three", false);
    let run = |form: Option<Form>, close: &str| {
        let mut session = Session::new(&model, 512).unwrap();
        let options = GenerationOptions {
            max_tokens: 40,
            form,
            ..GenerationOptions::default()
        };
        let marks = ThinkingMarks {
            open: "<open>".to_owned(),
            close: close.to_owned(),
        };
        let generation = Generation::new(&mut session, prompt(), options, CancelFlag::default()).unwrap();
        let mut generation = generation.with_thinking(ThinkingSplitter::new(marks, true));
        let mut said = Said::default();
        loop {
            match generation.step(&mut session).unwrap() {
                Step::Finished { text, statistics } => {
                    said.text += &text;
                    return (said, statistics.finish_reason);
                }
                Step::Text(piece) => said.text += &piece,
                Step::Thinking(piece) => said.thinking += &piece,
                Step::Prefilled { .. } | Step::Call(_) => {}
            }
        }
    };
    let (free, reason) = run(None, "never said");
    assert_eq!((free.text.as_str(), reason), ("", FinishReason::Length));
    // The fourth token of what it thinks closes the block.
    let mut session = Session::new(&model, 512).unwrap();
    let options = GenerationOptions::default();
    let mut generation = Generation::new(&mut session, prompt(), options, CancelFlag::default()).unwrap();
    while generation.answer().len() < 4 {
        generation.step(&mut session).unwrap();
    }
    let pieces: Vec<String> = generation.answer()[..4]
        .iter()
        .map(|id| String::from_utf8_lossy(model.tokenizer().decode_bytes(*id)).into_owned())
        .collect();
    let thought = pieces[..3].concat();
    for (form, is_valid) in forms() {
        let (said, reason) = run(Some(form.clone()), &pieces.concat());
        assert_eq!(said.thinking, "");
        assert!(
            is_valid(&said.text) || reason == FinishReason::Incomplete,
            "{form:?}: {said:?}"
        );
        let (said, _) = run(Some(form.clone()), &pieces[3]);
        assert_eq!(said.thinking, thought.trim(), "{pieces:?}");
        assert!(said.text.is_empty() || !said.text.starts_with(' '), "{said:?}");
    }
    let (said, reason) = run(Some(choice(&["yes", "no"])), "never said");
    assert_eq!((said.text.as_str(), reason), ("", FinishReason::Incomplete));
    assert_eq!(said.thinking, free.thinking);
}

fn refused(form: Form) -> (Option<String>, String) {
    let vocabulary = open().vocabulary().unwrap();
    match Constraint::new(&vocabulary, &form) {
        Err(EngineError::Form { place, reason, .. }) => (place, reason),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted: {form:?}"),
    }
}

#[test]
fn what_cannot_be_enforced_is_refused_by_name() {
    let schema = |text: &str| refused(Form::JsonSchema(text.to_owned()));
    let at = |place: &str, reason: &str| (Some(place.to_owned()), reason.to_owned());
    for (text, place, reason) in [
        (
            r#"{"type": "object", "properties": {"a/b": {"type": "array", "uniqueItems": true}}}"#,
            "/properties/a~1b/uniqueItems",
            "uniqueItems cannot be enforced",
        ),
        (r#"{"not": {"type": "null"}}"#, "/not", "not cannot be enforced"),
        (
            r#"{"anyOf": [{"type": "null"}, {"if": {}, "then": {}}]}"#,
            "/anyOf/1/if",
            "if, then cannot be enforced",
        ),
        (
            r#"{"type": "integer", "x-guidance": {"lenient": true}}"#,
            "/x-guidance",
            "this key is not supported",
        ),
        (r#"{"type": "integer""#, "line 1, column 18", "it is not JSON"),
    ] {
        assert_eq!(schema(text), at(place, reason), "{text}");
    }
    for text in [
        r#"{"type": "string", "format": "regex"}"#,
        r##"{"$ref": "#/definitions/none"}"##,
        r##"{"$ref": "https://example.org/schema"}"##,
        r#"{"type": "whole"}"#,
        r#"{"oneOf": [{"type": "integer"}, {"type": "number"}]}"#,
        r#"{"type": "integer", "minimum": 5, "maximum": 2}"#,
        "3",
        "false",
        "",
    ] {
        assert!(!schema(text).1.is_empty(), "{text}");
    }
    let (_, reason) = refused(Form::Regex("a(b".to_owned()));
    assert!(reason.contains("unclosed group"), "{reason}");
}

#[test]
fn hostile_forms_are_refused_within_limits() {
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
    let deep = FORM_NESTING_MAX as usize;
    let vocabulary = open().vocabulary().unwrap();
    let compile = |form: &Form| Constraint::new(&vocabulary, form).map(drop);
    // At the limits and past them.
    for (form, is_accepted) in [
        (Form::Regex(nested("(a", ")", deep)), true),
        (Form::Regex(nested("(a", ")", deep + 1)), false),
        (Form::Regex(nested("(a", ")", 10_000)), false),
        (Form::Grammar(format!("start: {}", nested("(\"a\" ", ")", 20))), true),
        (
            Form::Grammar(format!("start: {}", nested("(\"a\" ", ")", 10_000))),
            false,
        ),
        (
            Form::JsonSchema(nested(r#"{"items": "#, "}", deep - 1).replace(" }", " {}}")),
            true,
        ),
        (Form::JsonSchema(nested(r#"{"items": "#, "}", 10_000)), false),
        (choice(&[&"a".repeat(FORM_BYTES_MAX as usize + 1)]), false),
        (Form::Regex("a".repeat(FORM_BYTES_MAX as usize + 1)), false),
        (choice(&["a", ""]), false),
        (choice(&[]), false),
        (Form::Regex(String::new()), false),
        (Form::Regex("(".to_owned()), false),
        (Form::Regex("(?=a)b".to_owned()), false),
        (Form::Regex("^a$".to_owned()), true),
        (Form::Regex("((a{1,1000}){1,1000}){1,1000}b".to_owned()), true),
        (Form::Grammar("start: other".to_owned()), false),
        (Form::Grammar("start: <|im_end|>".to_owned()), false),
        (Form::Grammar(String::new()), false),
    ] {
        let compiled = compile(&form);
        let text: String = format!("{form:?}").chars().take(80).collect();
        assert_eq!(compiled.is_ok(), is_accepted, "{text}: {:?}", compiled.err());
        if let Err(error) = compiled {
            assert!(matches!(error, EngineError::Form { .. }), "{text}: {error}");
        }
    }
}

/// References that lead back to where they stand end in a form or in an error.
#[test]
fn references_in_a_circle_end() {
    let vocabulary = open().vocabulary().unwrap();
    let deep = (0..200).map(|index| format!(r##""d{index}": {{"allOf": [{{"$ref": "#/$defs/d{}"}}]}}"##, index + 1));
    let chain = format!(
        r##"{{"$ref": "#/$defs/d0", "$defs": {{{}, "d200": {{"type": "null"}}}}}}"##,
        deep.collect::<Vec<_>>().join(", ")
    );
    for (schema, accepted) in [
        (r##"{"$ref": "#"}"##.to_owned(), None),
        (r##"{"allOf": [{"$ref": "#"}, {"type": "object"}]}"##.to_owned(), None),
        (
            r##"{"type": "array", "items": {"$ref": "#"}}"##.to_owned(),
            Some("[[], [[]]]"),
        ),
        (
            r##"{"properties": {"a": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "additionalProperties": false, "type": "object"}"##
                .to_owned(),
            Some(r#"{"a": {"a": null}}"#),
        ),
        (chain, None),
    ] {
        match (Constraint::new(&vocabulary, &Form::JsonSchema(schema.clone())), accepted) {
            (Ok(constraint), Some(text)) => assert!(constraint.accepts(text), "{schema}"),
            (Err(EngineError::Form { .. }), None) | (Ok(_), None) => {}
            (Err(error), _) => panic!("{schema}: {error}"),
        }
    }
}

/// Texts with what a grammar's own notation uses come out as they are.
#[test]
fn choices_are_taken_literally() {
    for text in [
        r#"a "quoted" \x41 \n /x/ | b"#,
        "two\nlines\tand a tab",
        "caf\u{e9} \u{65e5}\u{672c} \u{1f99c}",
        "<|im_end|>",
        "(a|b)*",
        " blanks ",
    ] {
        let (answer, statistics) = ask(with(&choice(&[text]), None));
        assert_eq!((answer.as_str(), statistics.finish_reason), (text, FinishReason::Stop));
    }
}

/// The text of a control token within an answer is text: no token of the answer is a control token, even if the grammar asks for it.
#[test]
fn control_tokens_are_never_part_of_an_answer() {
    let model = open();
    let vocabulary = model.vocabulary().unwrap();
    let count = model.tokenizer().vocabulary_len();
    let controls = || (0..count).filter(|id| model.tokenizer().is_control(*id));
    assert!(controls().count() > 1);
    for form in [
        Form::Regex("(?s:.*)".to_owned()),
        choice(&["<|im_start|>", "<|im_end|>"]),
        Form::Grammar(format!("start: <[0-{}]> \"a\"", count - 1)),
    ] {
        let mut constraint = Constraint::new(&vocabulary, &form).unwrap();
        let may_end = constraint.may_end();
        let mask = constraint.mask().unwrap();
        for id in controls() {
            let is_end = model.tokenizer().end_of_turn().contains(&id);
            assert!(
                !mask.is_allowed(id) || is_end && (may_end || matches!(form, Form::Grammar(_))),
                "{form:?} {id}"
            );
        }
    }
}

#[test]
fn an_empty_schema_is_any_json() {
    for text in ["{}", "true"] {
        let vocabulary = open().vocabulary().unwrap();
        let constraint = Constraint::new(&vocabulary, &Form::JsonSchema(text.to_owned())).unwrap();
        for json in ["null", "[1, 2.5]", r#"{"a": "b"}"#, r#""caf\n""#] {
            assert!(constraint.accepts(json), "{json}");
        }
        for json in ["", "nul", "[1,", "{'a': 1}", "1 2"] {
            assert!(!constraint.accepts(json), "{json}");
        }
    }
}

/// A change of the format shows here: options are stored, and come from other processes.
#[test]
fn forms_have_a_stable_format() {
    let json = |form: Form| serde_json::to_string(&form).unwrap();
    assert_eq!(json(choice(&["yes", "no"])), r#"{"choice":["yes","no"]}"#);
    assert_eq!(json(Form::Regex("a+".into())), r#"{"regex":"a+"}"#);
    assert_eq!(
        json(Form::Grammar("start: \"a\"".into())),
        r#"{"grammar":"start: \"a\""}"#
    );
    assert_eq!(json(Form::JsonSchema("{}".into())), r#"{"json_schema":"{}"}"#);
    let without = serde_json::to_value(GenerationOptions::default()).unwrap();
    assert!(without.get("form").is_none());
    let options: GenerationOptions = serde_json::from_value(without).unwrap();
    assert_eq!(options, GenerationOptions::default());
}
