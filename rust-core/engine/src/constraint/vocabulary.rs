//! A model's vocabulary as constrained decoding needs it: a trie of the tokens that are text, and the tokenizer for what is forced.

use std::sync::{Arc, OnceLock};

use llguidance::api::{ParserLimits, StopReason};
use llguidance::toktrie::{
    ApproximateTokEnv, INVALID_TOKEN, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie, TokenId,
    TokenizerEnv,
};
use llguidance::{Matcher, ParserFactory};

use super::form::Form;
use super::walk::{PLAIN_TEXT, Walk, Words};
use crate::{EngineError, Tokenizer};

/// The longest token that can be part of an answer under a form, in bytes; longer ones are runs of blanks.
const TOKEN_BYTES_MAX: usize = 512;

/// The lexer's fuel for one mask and the tokens after it. Some 15 ms.
pub(super) const STEP_FUEL_MAX: u64 = 200_000;
/// Additional fuel for the look-ahead. Some 4 ms.
const LOOK_AHEAD_FUEL_MAX: u64 = STEP_FUEL_MAX / 4;

/// What a form and a mask may take. The figures behind them are llguidance's own measurements.
const LIMITS: ParserLimits = ParserLimits {
    // Rules that may go on at one place of the answer.
    max_items_in_row: 2_000,
    // Some 20 ms for the regular expressions of a form.
    initial_lexer_fuel: 1_000_000,
    // Some 19 ms for those of one mask.
    step_lexer_fuel: STEP_FUEL_MAX + LOOK_AHEAD_FUEL_MAX,
    // Some 3 ms for the rules of one mask.
    step_max_items: 50_000,
    // At most 2 KB each.
    max_lexer_states: 50_000,
    max_grammar_size: 500_000,
    precompute_large_lexemes: true,
    // Errors must not contain the answer.
    verbose_errors: false,
};

/// A model's vocabulary, prepared once for all its answers. It can be shared between threads.
pub struct Vocabulary {
    factory: ParserFactory,
    /// If missing, masks examine every token by itself.
    words: Option<Arc<Words>>,
    tokenizer: Arc<Tokenizer>,
    allowed: SimpleVob,
}

impl Vocabulary {
    /// Prepares a tokenizer's vocabulary.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] if it cannot be used, which is a bug.
    pub fn new(tokenizer: Arc<Tokenizer>) -> Result<Vocabulary, EngineError> {
        let (trie, allowed) = trie(&tokenizer);
        let environment = Environment::new(&tokenizer);
        let shared: TokEnv = environment.clone();
        // A factory builds several tries for each slice, which are not used here and would take most of the memory. So it sees no tokens yet.
        let factory = factory(&shared, &[PLAIN_TEXT.to_owned()])?;
        environment.trie.get_or_init(|| trie);
        Ok(Vocabulary {
            factory,
            words: Some(Arc::new(Words::new(&shared))),
            tokenizer,
            allowed,
        })
    }

    /// A vocabulary whose masks examine every token by itself. They are the same but take longer; tests compare with them.
    ///
    /// # Errors
    /// As [`Vocabulary::new`].
    #[doc(hidden)]
    pub fn token_by_token(tokenizer: Arc<Tokenizer>) -> Result<Vocabulary, EngineError> {
        let (trie, allowed) = trie(&tokenizer);
        let environment = Environment::new(&tokenizer);
        environment.trie.get_or_init(|| trie);
        let shared: TokEnv = environment;
        Ok(Vocabulary {
            factory: factory(&shared, &[])?,
            words: None,
            tokenizer,
            allowed,
        })
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokens that an answer may contain or end with.
    pub(super) fn allowed(&self) -> &SimpleVob {
        &self.allowed
    }

    /// A matcher before the first token. Without `looks_ahead` its masks take longer but use less of the lexer's fuel.
    ///
    /// # Errors
    /// [`EngineError::Form`].
    pub(super) fn compile(&self, form: &Form, looks_ahead: bool) -> Result<Matcher, EngineError> {
        let walk = self.words.clone().map(|words| match looks_ahead {
            true => Walk::new(words),
            false => Walk::without_look_ahead(words),
        });
        compile(&self.factory, form, walk)
    }
}

/// A matcher for a vocabulary of single bytes, which can write anything. Its tokens are the bytes.
///
/// # Errors
/// [`EngineError::Form`].
pub(super) fn compile_for_bytes(form: &Form) -> Result<Matcher, EngineError> {
    compile(&factory(&ApproximateTokEnv::single_byte_env(), &[])?, form, None)
}

/// Whether these tokens are a whole text of a form, for a matcher before its first token.
pub(super) fn is_whole(mut matcher: Matcher, tokens: &[TokenId]) -> bool {
    let taken = matcher.try_consume_tokens(tokens).unwrap_or(0);
    taken == tokens.len()
        && (matcher.stop_reason() == StopReason::NoExtension || matcher.is_accepting().unwrap_or(false))
}

/// `walk` must be new, because it remembers states of this form's lexer.
fn compile(factory: &ParserFactory, form: &Form, walk: Option<Walk>) -> Result<Matcher, EngineError> {
    let parser = factory.create_parser(form.grammar()?);
    let mut parser = parser.map_err(|error| form.refused(&error.to_string()))?;
    if let Some(walk) = walk {
        parser.bias_computer = Arc::new(walk);
    }
    // It warns of what it would not enforce.
    match parser.grammar_warnings().first() {
        Some(warning) => Err(form.refused(warning)),
        None => Ok(Matcher::new(Ok(parser))),
    }
}

/// `slices` are regular expressions that are compiled with every form, to tell whether its lexemes contain them.
fn factory(environment: &TokEnv, slices: &[String]) -> Result<ParserFactory, EngineError> {
    let capabilities = InferenceCapabilities {
        ff_tokens: true,
        ..InferenceCapabilities::default()
    };
    let factory = ParserFactory::new(environment, capabilities, slices);
    let mut factory = factory.map_err(|error| EngineError::Tokenizer {
        reason: format!("its vocabulary cannot be used for constrained decoding: {error}"),
    })?;
    factory.quiet();
    *factory.limits_mut() = LIMITS;
    Ok(factory)
}

/// The tokens that are text in a trie, and the set of those with the tokens that end an answer.
fn trie(tokenizer: &Tokenizer) -> (TokTrie, SimpleVob) {
    let count = tokenizer.vocabulary_len();
    let mut allowed = SimpleVob::alloc(count as usize);
    let words: Vec<Vec<u8>> = (0..count)
        .map(|id| {
            let bytes = tokenizer.decode_bytes(id);
            // Tokens without bytes are not in the trie.
            if !tokenizer.is_text(id) || bytes.len() > TOKEN_BYTES_MAX {
                return Vec::new();
            }
            allowed.allow_token(id);
            bytes.to_vec()
        })
        .collect();
    let ends = tokenizer.end_of_turn();
    ends.iter().for_each(|id| allowed.allow_token(*id));
    let trie = TokTrie::from(&TokRxInfo::new(count, INVALID_TOKEN), &words);
    match ends.is_empty() {
        true => (trie, allowed),
        false => (trie.with_eos_tokens(ends), allowed),
    }
}

/// The vocabulary as llguidance sees it.
struct Environment {
    trie: OnceLock<TokTrie>,
    /// Seen until the trie is there.
    no_tokens: TokTrie,
    tokenizer: Arc<Tokenizer>,
}

impl Environment {
    /// An environment without tokens.
    fn new(tokenizer: &Arc<Tokenizer>) -> Arc<Environment> {
        Arc::new(Environment {
            trie: OnceLock::new(),
            no_tokens: TokTrie::from(&TokRxInfo::new(1, INVALID_TOKEN), &[Vec::new()]),
            tokenizer: tokenizer.clone(),
        })
    }
}

impl TokenizerEnv for Environment {
    fn tok_trie(&self) -> &TokTrie {
        self.trie.get().unwrap_or(&self.no_tokens)
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        let trie = self.tok_trie();
        let tokens = trie.tokenize_with_greedy_fallback(bytes, |text| self.tokenizer.encode_rest(text));
        // A vocabulary may lack the token of a byte.
        match trie.decode_raw(&tokens) == bytes {
            true => tokens,
            false => trie.greedy_tokenize(bytes),
        }
    }
}
