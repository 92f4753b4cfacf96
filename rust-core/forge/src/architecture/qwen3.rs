//! `qwen3`: Qwen 3, dense. Every head of the queries and keys passes through a norm before the rotation, the files hold rotary pairs in
//! halves, and heads may be wider than their share of the width (`attention.key_length`).

use super::llama::LLAMA;
use super::transformer::{Family, Pairs};

pub(super) const QWEN3: Family = Family {
    name: "qwen3",
    pairs: Pairs::Halves,
    frequency_factors: false,
    head_norms: true,
    ..LLAMA
};
