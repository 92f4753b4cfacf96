//! The tokenizer of a GGUF file, independent of the network: converts `tokenizer.ggml.*` to the engine's [`TokenizerParts`]. The meaning of
//! the keys, the defaults and the names of tokens that end an answer are those of llama.cpp, `src/llama-vocab.cpp`.

use std::collections::{BTreeSet, HashMap};

use whimbrel_engine::{PreTokenizer, TokenKind, TokenizerParts};

use crate::architecture::required;
use crate::{ForgeError, Gguf};

const KEY_MODEL: &str = "tokenizer.ggml.model";
const KEY_PRE: &str = "tokenizer.ggml.pre";
const KEY_TOKENS: &str = "tokenizer.ggml.tokens";
const KEY_KINDS: &str = "tokenizer.ggml.token_type";
const KEY_MERGES: &str = "tokenizer.ggml.merges";
const KEY_ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
const KEY_CHAT_TEMPLATE: &str = "tokenizer.chat_template";

/// The one tokenizer model that is supported: byte-level BPE.
const MODEL: &str = "gpt2";

/// A value of `tokenizer.ggml.pre` and what it stands for.
struct Rule {
    names: &'static [&'static str],
    pre_tokenizer: PreTokenizer,
    /// Whether a word that is a token is taken whole.
    ignore_merges: bool,
    /// Whether text starts with `bos` when the file does not say.
    add_bos: bool,
}

static RULES: [Rule; 3] = [
    Rule {
        names: &["gpt-2"],
        pre_tokenizer: PreTokenizer::Gpt2,
        ignore_merges: false,
        add_bos: false,
    },
    Rule {
        names: &["llama-bpe", "llama3", "llama-v3"],
        pre_tokenizer: PreTokenizer::LlamaBpe,
        ignore_merges: true,
        add_bos: true,
    },
    Rule {
        names: &["smollm"],
        pre_tokenizer: PreTokenizer::Smollm,
        ignore_merges: false,
        add_bos: false,
    },
];

/// Keys whose token ends an answer: end of sequence, of turn, of message, and the fill-in-the-middle tokens that llama.cpp
/// counts among them.
const END_KEYS: [&str; 6] = [
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id",
    "tokenizer.ggml.fim_sep_token_id",
];

/// Tokens that end an answer by their name; they count as control tokens whatever the file says.
const END_NAMES: [&str; 33] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
];

/// The tokenizer and the chat template of a GGUF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// The tables of the tokenizer.
    pub parts: TokenizerParts,
    /// The Jinja chat template.
    pub chat_template: Option<String>,
}

impl Vocabulary {
    /// Reads the vocabulary. The file may contain only a vocabulary, without tensors.
    ///
    /// # Errors
    /// [`ForgeError::Unsupported`] with the tokenizer model or pre-tokenizer, [`ForgeError::Vocabulary`] with the token or merge,
    /// [`ForgeError::Gguf`] and [`ForgeError::Key`] with the key.
    pub fn read(gguf: &Gguf<'_>) -> Result<Vocabulary, ForgeError> {
        let model = required(gguf.text(KEY_MODEL)?, KEY_MODEL)?;
        if model != MODEL {
            let supported = format!("{MODEL} (byte-level BPE)");
            return Err(ForgeError::Unsupported {
                what: "tokenizer model",
                found: model.to_owned(),
                supported,
            });
        }
        let rule = rule(required(gguf.text(KEY_PRE)?, KEY_PRE)?)?;
        let texts = texts(gguf)?;
        let ids: HashMap<&str, u32> = texts.iter().zip(0..).map(|(text, id)| (*text, id)).collect();
        if ids.len() != texts.len() {
            let repeated = texts.iter().zip(0..).find(|(text, id)| ids[*text] != *id);
            let (_, id) = repeated.expect("fewer texts than tokens, so one is repeated");
            return Err(bad(format!("token {id} has the text of another token")));
        }
        let end_of_turn = end_of_turn(gguf, &ids)?;
        let (tokens, kinds) = tokens(gguf, &texts, &end_of_turn)?;
        let token = |key: &str| token(gguf, key, texts.len());
        let bos = token("tokenizer.ggml.bos_token_id")?;
        let parts = TokenizerParts {
            pre_tokenizer: rule.pre_tokenizer,
            ignore_merges: rule.ignore_merges,
            tokens,
            kinds,
            merges: merges(gguf, &ids)?,
            bos,
            eos: token("tokenizer.ggml.eos_token_id")?,
            add_bos: bos.is_some() && gguf.flag(KEY_ADD_BOS)?.unwrap_or(rule.add_bos),
            end_of_turn: end_of_turn.into_iter().collect(),
        };
        Ok(Vocabulary {
            parts,
            chat_template: gguf
                .text(KEY_CHAT_TEMPLATE)?
                .filter(|template| !template.is_empty())
                .map(str::to_owned),
        })
    }
}

fn bad(reason: String) -> ForgeError {
    ForgeError::Vocabulary { reason }
}

fn rule(name: &str) -> Result<&'static Rule, ForgeError> {
    RULES
        .iter()
        .find(|rule| rule.names.contains(&name))
        .ok_or_else(|| ForgeError::Unsupported {
            what: "pre-tokenizer",
            found: name.to_owned(),
            supported: RULES
                .iter()
                .flat_map(|rule| rule.names)
                .copied()
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The tokens as they are written in the file.
fn texts<'a>(gguf: &Gguf<'a>) -> Result<Vec<&'a str>, ForgeError> {
    let array = required(gguf.strings(KEY_TOKENS)?, KEY_TOKENS)?;
    let texts = array
        .strings()
        .zip(0u32..)
        .map(|(text, id)| match std::str::from_utf8(text) {
            Ok("") => Err(bad(format!("token {id} is empty"))),
            Ok(text) => Ok(text),
            Err(_) => Err(bad(format!("token {id} is not UTF-8"))),
        });
    let texts: Vec<&str> = texts.collect::<Result<_, _>>()?;
    if texts.is_empty() {
        Err(ForgeError::key(KEY_TOKENS, "it is empty"))
    } else {
        Ok(texts)
    }
}

/// The token that a key names.
fn token(gguf: &Gguf<'_>, key: &str, tokens: usize) -> Result<Option<u32>, ForgeError> {
    match gguf.u32(key)? {
        Some(id) if id as usize >= tokens => Err(ForgeError::key(
            key,
            format!("token {id} does not exist, there are {tokens}"),
        )),
        id => Ok(id),
    }
}

fn end_of_turn(gguf: &Gguf<'_>, ids: &HashMap<&str, u32>) -> Result<BTreeSet<u32>, ForgeError> {
    let mut end_of_turn: BTreeSet<u32> = END_NAMES.iter().filter_map(|name| ids.get(name).copied()).collect();
    for key in END_KEYS {
        end_of_turn.extend(token(gguf, key, ids.len())?);
    }
    Ok(end_of_turn)
}

/// Bytes and kind of every token.
fn tokens(
    gguf: &Gguf<'_>,
    texts: &[&str],
    end_of_turn: &BTreeSet<u32>,
) -> Result<(Vec<Vec<u8>>, Vec<TokenKind>), ForgeError> {
    let numbers: Option<Vec<i128>> = gguf.integers(KEY_KINDS)?.map(|array| array.integers().collect());
    if let Some(numbers) = numbers.as_ref().filter(|numbers| numbers.len() != texts.len()) {
        let reason = format!("it has {} entries for {} tokens", numbers.len(), texts.len());
        return Err(ForgeError::key(KEY_KINDS, reason));
    }
    let kind = |id: u32| {
        if end_of_turn.contains(&id) {
            return TokenKind::Control;
        }
        let number = numbers
            .as_ref()
            .and_then(|numbers| u32::try_from(numbers[id as usize]).ok());
        number.and_then(TokenKind::from_number).unwrap_or(TokenKind::Normal)
    };
    let token = |(text, id): (&&str, u32)| match kind(id) {
        kind @ (TokenKind::Unknown | TokenKind::Control | TokenKind::UserDefined) => (text.as_bytes().to_vec(), kind),
        kind => match TokenizerParts::unmap(text) {
            Some(bytes) => (bytes, kind),
            // Merging starts from single bytes, so it never arrives at a text outside their alphabet.
            None => (text.as_bytes().to_vec(), TokenKind::Unused),
        },
    };
    Ok(texts.iter().zip(0..).map(token).unzip())
}

/// The merges as pairs of tokens, the most urgent first.
fn merges(gguf: &Gguf<'_>, ids: &HashMap<&str, u32>) -> Result<Vec<(u32, u32)>, ForgeError> {
    let array = required(gguf.strings(KEY_MERGES)?, KEY_MERGES)?;
    let merge = |(text, rank): (&[u8], u32)| {
        let text = std::str::from_utf8(text).map_err(|_| bad(format!("merge {rank} is not UTF-8")))?;
        // The first character is part of the left token even if it is a space.
        let first = text.chars().next().map_or(0, char::len_utf8);
        let space = text[first..].find(' ').map(|space| first + space);
        let (left, right) = match space {
            Some(space) => (&text[..space], &text[space + 1..]),
            None => return Err(bad(format!("merge {rank} is not two tokens with a space between them"))),
        };
        match (ids.get(left), ids.get(right)) {
            (Some(left), Some(right)) => Ok((*left, *right)),
            _ => Err(bad(format!("merge {rank} names a text that is not a token"))),
        }
    };
    array.strings().zip(0..).map(merge).collect()
}
