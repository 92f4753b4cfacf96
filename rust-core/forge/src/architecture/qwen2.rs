//! `qwen2`: Qwen 2 and 2.5. Queries, keys and values have biases, and the files hold rotary pairs in halves.

use super::llama::LLAMA;
use super::transformer::{Family, Pairs};

pub(super) const QWEN2: Family = Family {
    name: "qwen2",
    pairs: Pairs::Halves,
    frequency_factors: false,
    biases: true,
    ..LLAMA
};
