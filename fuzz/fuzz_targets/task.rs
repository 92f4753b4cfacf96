//! The document of a task: any text ends in a task or an error, and a task asks about any text with exactly that text in the question.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_client::{Form, TaskNeeds, TextTask};

fuzz_target!(|input: (&str, &str)| {
    let (document, text) = input;
    let Ok(task) = TextTask::read(document) else { return };
    let form = match task.needs() {
        TaskNeeds::Nothing => None,
        TaskNeeds::Choices => Some(Form::Choice(vec!["a".into(), "b".into()])),
        TaskNeeds::Schema => Some(Form::JsonSchema(r#"{"type": "object"}"#.into())),
    };
    let task = match form {
        Some(form) => task.with_form(form).expect("it asked for such a form"),
        None => task,
    };
    let Ok(request) = task.request(text) else {
        assert!(text.len() > task.text_bytes_max() as usize);
        return;
    };
    let question = &request.messages.last().expect("a question").content;
    assert!(question.contains(text.trim()));
    assert_eq!(request.shared_messages as usize + 1, request.messages.len());
});
