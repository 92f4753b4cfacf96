//! The tokenizer of a GGUF file, independent of the network: converts `tokenizer.ggml.*` to the engine's [`TokenizerParts`]. The meaning of
//! the keys, the defaults and the names of tokens that end an answer are those of llama.cpp, `src/llama-vocab.cpp`.

mod ends;
mod rules;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use whimbrel_engine::{Algorithm, PreTokenizer, TokenKind, TokenizerParts};

use crate::architecture::required;
use crate::{ForgeError, Gguf};

const KEY_MODEL: &str = "tokenizer.ggml.model";
const KEY_PRE: &str = "tokenizer.ggml.pre";
const KEY_TOKENS: &str = "tokenizer.ggml.tokens";
const KEY_KINDS: &str = "tokenizer.ggml.token_type";
const KEY_MERGES: &str = "tokenizer.ggml.merges";
const KEY_ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
const KEY_SCORES: &str = "tokenizer.ggml.scores";
const KEY_ADD_SPACE_PREFIX: &str = "tokenizer.ggml.add_space_prefix";
const KEY_BOS: &str = "tokenizer.ggml.bos_token_id";
const KEY_EOS: &str = "tokenizer.ggml.eos_token_id";
const KEY_CHAT_TEMPLATE: &str = "tokenizer.chat_template";

/// How a vocabulary's tokens are written, by the value of `tokenizer.ggml.model`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Byte-level BPE.
    Bytes,
    /// Sentencepiece with scores.
    Pieces,
    /// Byte-pair encoding of characters, as sentencepiece writes them.
    Characters,
}

/// The tokenizer models that are supported.
const MODELS: [(&str, Kind); 3] = [
    ("gpt2", Kind::Bytes),
    ("llama", Kind::Pieces),
    ("gemma4", Kind::Characters),
];
/// The tokens of a sentencepiece vocabulary that begin and end a sequence when the file does not say.
const PIECES_BOS: u32 = 1;
const PIECES_EOS: u32 = 2;

/// The tokenizer and the chat template of a GGUF file.
#[derive(Clone, Debug, PartialEq)]
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
        let kind = kind(required(gguf.text(KEY_MODEL)?, KEY_MODEL)?)?;
        let texts = texts(gguf)?;
        let ids: HashMap<&str, u32> = texts.iter().zip(0..).map(|(text, id)| (&**text, id)).collect();
        if ids.len() != texts.len() {
            let repeated = texts.iter().zip(0..).find(|(text, id)| ids[&***text] != *id);
            let (_, id) = repeated.expect("fewer texts than tokens, so one is repeated");
            return Err(bad(format!("token {id} has the text of another token")));
        }
        let parts = match kind {
            Kind::Bytes => bytes(gguf, &texts, &ids)?,
            Kind::Pieces => pieces(gguf, &texts, &ids)?,
            Kind::Characters => characters(gguf, &texts, &ids)?,
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

fn kind(model: &str) -> Result<Kind, ForgeError> {
    let found = MODELS.iter().find(|(name, _)| *name == model);
    found.map(|(_, kind)| *kind).ok_or_else(|| ForgeError::Unsupported {
        what: "tokenizer model",
        found: model.to_owned(),
        supported: "gpt2 (byte-level BPE), llama (sentencepiece), gemma4 (BPE of characters)".to_owned(),
    })
}

/// The tables of a byte-level vocabulary.
fn bytes(gguf: &Gguf<'_>, texts: &[Cow<'_, str>], ids: &HashMap<&str, u32>) -> Result<TokenizerParts, ForgeError> {
    let rule = rules::of(gguf.text(KEY_PRE)?)?;
    let ends = ends::of(gguf, ids)?;
    let (tokens, kinds) = byte_tokens(texts, &kinds(gguf, texts, &ends)?);
    let bos = token(gguf, KEY_BOS, texts.len())?;
    Ok(TokenizerParts {
        algorithm: Algorithm::Merges,
        pre_tokenizer: rule.pre_tokenizer,
        ignore_merges: rule.ignore_merges,
        tokens,
        kinds,
        merges: merges(gguf, ids)?,
        bos,
        eos: token(gguf, KEY_EOS, texts.len())?,
        add_bos: bos.is_some() && gguf.flag(KEY_ADD_BOS)?.unwrap_or(rule.add_bos),
        end_of_turn: ends.into_iter().collect(),
    })
}

/// The tables of a vocabulary of merged characters. Text always starts with `bos`, whatever the file says.
fn characters(gguf: &Gguf<'_>, texts: &[Cow<'_, str>], ids: &HashMap<&str, u32>) -> Result<TokenizerParts, ForgeError> {
    let ends = ends::of(gguf, ids)?;
    let (tokens, kinds) = piece_tokens(texts, &kinds(gguf, texts, &ends)?);
    let bos = token(gguf, KEY_BOS, texts.len())?;
    Ok(TokenizerParts {
        algorithm: Algorithm::Characters,
        pre_tokenizer: PreTokenizer::Lines,
        ignore_merges: false,
        tokens,
        kinds,
        merges: merges(gguf, ids)?,
        bos,
        eos: token(gguf, KEY_EOS, texts.len())?,
        add_bos: bos.is_some(),
        end_of_turn: ends.into_iter().collect(),
    })
}

/// The tables of a sentencepiece vocabulary.
fn pieces(gguf: &Gguf<'_>, texts: &[Cow<'_, str>], ids: &HashMap<&str, u32>) -> Result<TokenizerParts, ForgeError> {
    let or_default = |id: Option<u32>, default: u32| id.or(Some(default).filter(|id| (*id as usize) < texts.len()));
    let bos = or_default(token(gguf, KEY_BOS, texts.len())?, PIECES_BOS);
    let eos = or_default(token(gguf, KEY_EOS, texts.len())?, PIECES_EOS);
    let mut ends = ends::of(gguf, ids)?;
    ends.extend(eos);
    let (tokens, kinds) = piece_tokens(texts, &kinds(gguf, texts, &ends)?);
    Ok(TokenizerParts {
        algorithm: Algorithm::Scores {
            scores: scores(gguf, texts.len())?,
            add_space_prefix: gguf.flag(KEY_ADD_SPACE_PREFIX)?.unwrap_or(true),
            strip_after: strip_after(gguf, &tokens, &kinds)?,
        },
        pre_tokenizer: PreTokenizer::Whole,
        ignore_merges: false,
        tokens,
        kinds,
        merges: Vec::new(),
        bos,
        eos,
        add_bos: bos.is_some() && gguf.flag(KEY_ADD_BOS)?.unwrap_or(true),
        end_of_turn: ends.into_iter().collect(),
    })
}

/// The tokens as they are written in the file. One without a text gets llama.cpp's text for it.
fn texts<'a>(gguf: &Gguf<'a>) -> Result<Vec<Cow<'a, str>>, ForgeError> {
    let array = required(gguf.strings(KEY_TOKENS)?, KEY_TOKENS)?;
    let texts = array
        .strings()
        .zip(0u32..)
        .map(|(text, id)| match std::str::from_utf8(text) {
            Ok("") => Ok(format!("[EMPTY_{id}]").into()),
            Ok(text) => Ok(text.into()),
            Err(_) => Err(bad(format!("token {id} is not UTF-8"))),
        });
    let texts: Vec<Cow<'a, str>> = texts.collect::<Result<_, _>>()?;
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

/// The kind of every token. Unused tokens count as normal ones: llama.cpp finds them in texts as well.
fn kinds(gguf: &Gguf<'_>, texts: &[Cow<'_, str>], ends: &BTreeSet<u32>) -> Result<Vec<TokenKind>, ForgeError> {
    let numbers: Option<Vec<i128>> = gguf.integers(KEY_KINDS)?.map(|array| array.integers().collect());
    if let Some(numbers) = numbers.as_ref().filter(|numbers| numbers.len() < texts.len()) {
        let reason = format!("it has {} entries for {} tokens", numbers.len(), texts.len());
        return Err(ForgeError::key(KEY_KINDS, reason));
    }
    let kind = |id: u32| {
        if ends.contains(&id) {
            return TokenKind::Control;
        }
        let number = numbers
            .as_ref()
            .and_then(|numbers| u32::try_from(numbers[id as usize]).ok());
        match number.and_then(TokenKind::from_number) {
            None | Some(TokenKind::Unused) => TokenKind::Normal,
            Some(kind) => kind,
        }
    };
    Ok((0..texts.len() as u32).map(kind).collect())
}

/// Bytes and kind of every token of a byte-level vocabulary.
fn byte_tokens(texts: &[Cow<'_, str>], kinds: &[TokenKind]) -> (Vec<Vec<u8>>, Vec<TokenKind>) {
    let token = |(text, kind): (&Cow<'_, str>, &TokenKind)| match kind {
        kind @ (TokenKind::Unknown | TokenKind::Control | TokenKind::UserDefined) => (text.as_bytes().to_vec(), *kind),
        kind => match TokenizerParts::unmap(text) {
            Some(bytes) => (bytes, *kind),
            // Merging starts from single bytes, so it never arrives at a text outside their alphabet.
            None => (text.as_bytes().to_vec(), TokenKind::Unused),
        },
    };
    texts.iter().zip(kinds).map(token).unzip()
}

/// Bytes and kind of every token of a sentencepiece vocabulary.
fn piece_tokens(texts: &[Cow<'_, str>], kinds: &[TokenKind]) -> (Vec<Vec<u8>>, Vec<TokenKind>) {
    let mut taken = HashSet::new();
    let token = |(text, kind): (&Cow<'_, str>, &TokenKind)| {
        let as_it_is = || text.as_bytes().to_vec();
        match kind {
            TokenKind::Unknown | TokenKind::Control => (as_it_is(), *kind),
            TokenKind::Byte => match byte_of(text) {
                Some(byte) => (vec![byte], TokenKind::Byte),
                None => (as_it_is(), TokenKind::Unused),
            },
            // Its text is looked for as it is; with the sign for a space it can only be met by merging.
            TokenKind::UserDefined if !text.contains('\u{2581}') => (as_it_is(), *kind),
            // Spaces are written with the sign, so a text with one is never met.
            _ if text.contains(' ') => (as_it_is(), TokenKind::Unused),
            _ => {
                let piece = TokenizerParts::unescape(text);
                match taken.insert(piece.clone()) {
                    true => (piece.into_bytes(), TokenKind::Normal),
                    false => (piece.into_bytes(), TokenKind::Unused),
                }
            }
        }
    };
    texts.iter().zip(kinds).map(token).unzip()
}

/// The special tokens behind which whitespace is left out. Files do not say it; llama.cpp knows one family by its name.
fn strip_after(gguf: &Gguf<'_>, tokens: &[Vec<u8>], kinds: &[TokenKind]) -> Result<Vec<u32>, ForgeError> {
    let name = gguf.text("general.name")?.unwrap_or_default().to_lowercase();
    if !["phi-3", "phi3"].iter().any(|family| name.contains(family)) {
        return Ok(Vec::new());
    }
    let is_special = |kind| matches!(kind, TokenKind::Unknown | TokenKind::Control | TokenKind::UserDefined);
    let keeps = |token: &[u8]| [&b"<unk>"[..], b"<s>", b"<|endoftext|>"].contains(&token);
    let ids = (0..).zip(tokens.iter().zip(kinds));
    Ok(ids
        .filter(|(_, (token, kind))| is_special(**kind) && !keeps(token))
        .map(|(id, _)| id)
        .collect())
}

/// The byte that a text such as `<0x0A>` stands for.
fn byte_of(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_byte = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_byte)
}

/// The score of every token, 0 where the file has none.
fn scores(gguf: &Gguf<'_>, tokens: usize) -> Result<Vec<f32>, ForgeError> {
    let Some(array) = gguf.floats(KEY_SCORES)? else {
        return Ok(vec![0.0; tokens]);
    };
    let scores: Vec<f32> = array.floats().take(tokens).collect();
    if scores.len() < tokens {
        let reason = format!("it has {} entries for {tokens} tokens", scores.len());
        return Err(ForgeError::key(KEY_SCORES, reason));
    }
    match scores.iter().position(|score| score.is_nan()) {
        Some(id) => Err(ForgeError::key(KEY_SCORES, format!("the score of token {id} is NaN"))),
        None => Ok(scores),
    }
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
