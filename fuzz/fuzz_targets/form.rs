//! A form: compiling any schema, expression or grammar ends in a form or an error, and whatever tokens it allows lead to a text that it accepts where
//! the answer may end, by the tokens of a model and by bytes alike.

#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use whimbrel_engine::{Constraint, Form, Tokenizer, Vocabulary};

const TOKENIZER: &[u8] = include_bytes!("../../shared-models/tiny/tokenizer.bin");
const STEPS_MAX: usize = 48;

fn vocabulary() -> &'static Arc<Vocabulary> {
    static VOCABULARY: OnceLock<Arc<Vocabulary>> = OnceLock::new();
    VOCABULARY.get_or_init(|| {
        let tokenizer = Tokenizer::from_bytes(TOKENIZER).expect("the tiny model's tokenizer is valid");
        Arc::new(Vocabulary::new(Arc::new(tokenizer)).expect("its vocabulary can be used"))
    })
}

fuzz_target!(|input: (u8, &str, &[u8])| {
    let (kind, text, choices) = input;
    let form = match kind % 4 {
        0 => Form::JsonSchema(text.to_owned()),
        1 => Form::Regex(text.to_owned()),
        2 => Form::Grammar(text.to_owned()),
        _ => Form::Choice(text.split('|').map(str::to_owned).collect()),
    };
    let vocabulary = vocabulary();
    let Ok(mut constraint) = Constraint::new(vocabulary, &form) else {
        return;
    };
    let tokenizer = vocabulary.tokenizer();
    let mut answer = Vec::new();
    for choice in choices.iter().take(STEPS_MAX) {
        if constraint.is_complete() {
            break;
        }
        let mut tokens = constraint.forced();
        if tokens.is_empty() {
            let Ok(mask) = constraint.mask() else { return };
            let allowed = mask.to_list();
            let token = allowed[usize::from(*choice) * 7919 % allowed.len()];
            if tokenizer.end_of_turn().contains(&token) {
                break;
            }
            assert!(!tokenizer.is_control(token));
            tokens = vec![token];
        }
        if constraint.take(&tokens).is_err() {
            return;
        }
        tokens.iter().for_each(|token| answer.extend_from_slice(tokenizer.decode_bytes(*token)));
    }
    if let (true, Ok(text)) = (constraint.may_end(), std::str::from_utf8(&answer)) {
        assert!(constraint.accepts(text));
        assert!(form.accepts(text).is_ok_and(|accepts| accepts));
    }
});
