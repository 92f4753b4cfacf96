//! The tokens that end an answer, by their keys and their names: those of llama.cpp, `src/llama-vocab.cpp`.

use std::collections::{BTreeSet, HashMap};

use crate::{ForgeError, Gguf};

/// Keys whose token ends an answer: end of sequence, of turn, of message, and the fill-in-the-middle tokens that llama.cpp
/// counts among them.
const KEYS: [&str; 6] = [
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id",
    "tokenizer.ggml.fim_sep_token_id",
];

/// Tokens that end an answer by their name; they count as control tokens whatever the file says.
const NAMES: [&str; 33] = [
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

/// The tokens that end an answer.
pub(super) fn of(gguf: &Gguf<'_>, ids: &HashMap<&str, u32>) -> Result<BTreeSet<u32>, ForgeError> {
    let mut ends: BTreeSet<u32> = NAMES.iter().filter_map(|name| ids.get(name).copied()).collect();
    for key in KEYS {
        ends.extend(super::token(gguf, key, ids.len())?);
    }
    let has = |name: &str| ids.get(name).is_some_and(|id| ends.contains(id));
    // Where calls have an end of their own, `<|end|>` ends a part of an answer and not the answer.
    let calls = has("<|call|>") || has("<|calls|>");
    let parts_end = calls && (has("<|return|>") || has("<|flush|>"));
    // Gemma 4 and PLaMo have a `</s>` that is text.
    let text_end = has("<|tool_response>") || has("<|plamo:eos|>");
    for (name, is_none) in [("<|end|>", parts_end), ("</s>", text_end)] {
        if let Some(id) = ids.get(name).filter(|_| is_none) {
            ends.remove(id);
        }
    }
    Ok(ends)
}
