#!/usr/bin/env bash
# `make reference`: builds llama.cpp from its pinned source into the cache, makes the models to compare on, and rewrites the golden figures:
# perplexities, tokens and chat templates. Some 30 minutes on two cores, most of it the build; `make test` never needs it.
source "$(dirname "$0")/common.sh"

scripts/test-data.sh
build=$(scripts/llama-cpp-build.sh)
models=$CACHE/llama-cpp/models
mkdir -p "$models"
shipped=$TEST_DATA/SmolLM2-135M-Instruct.Q4_1.gguf
quantize() {
	say "quantising to $4"
	"$build/bin/llama-quantize" "${@:5}" "$1" "$2" "$3" 2 >"$models/quantize.log" 2>&1 || { cat "$models/quantize.log" >&2; fail "llama-quantize"; }
}
quantize "$shipped" "$models/f32.gguf" F32 f32 --allow-requantize --pure
quantize "$shipped" "$models/q4_0.gguf" Q4_0 q4_0 --allow-requantize --pure
quantize "$shipped" "$models/q8_0.gguf" Q8_0 q8_0 --allow-requantize --pure
quantize "$models/f32.gguf" "$models/q4_1-from-f32.gguf" Q4_1 "q4_1 from f32"
cargo run --quiet --locked --package whimbrel-cli --example synthetic_models -- "$models"

measured=("shipped=$shipped")
for name in f32 q4_0 q8_0 q4_1-from-f32; do measured+=("$name=$models/$name.gguf"); done
for path in "$models"/synthetic-*.gguf; do measured+=("$(basename "$path" .gguf)=$path"); done
say "measuring ${#measured[@]} models"
scripts/golden/perplexity.py "$build/bin/llama-perplexity" shared-models/text/opticks.txt shared-models/golden/perplexity.json "${measured[@]}"

say "tokens and chat templates"
golden=rust-core/engine/tests/golden
scripts/golden/tokenizer.sh "$build/bin/llama-tokenize" "$shipped" "$golden/smollm2_tokens.jsonl"
python=$(python_with requirements.txt)
"$python" scripts/golden/chat_template.py "$shipped" "$golden/smollm2_chats.jsonl"

say "blocks of tensor types"
python=$(python_with tensor-types-requirements.txt)
"$python" scripts/golden/tensor_types.py rust-core/forge/src/ggml/golden.jsonl
say "rewritten; what changed:"
git diff --stat -- shared-models/golden "$golden" rust-core/forge/src/ggml
