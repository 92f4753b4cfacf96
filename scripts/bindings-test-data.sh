# shellcheck shell=bash
# What the Kotlin and Swift tests are told about models, as environment variables. Sourced after common.sh and `bindings.sh`, never run.

scripts/test-data.sh
export WHIMBREL_TINY_BUNDLE=$ROOT/shared-models/tiny
export WHIMBREL_TINY_GGUF=${CARGO_TARGET_DIR:-$ROOT/target}/tiny.gguf
cargo run --quiet --locked --package whimbrel-forge --example tiny -- "$WHIMBREL_TINY_GGUF"
export WHIMBREL_SMOLLM2_BUNDLE=$TEST_DATA/smollm2
# A tiny model that thinks before it answers.
export WHIMBREL_THINKING_BUNDLE=$TEST_DATA/thinking
cargo run --quiet --locked --package whimbrel-forge --example tiny -- "$WHIMBREL_THINKING_BUNDLE.gguf" --thinks
"${CARGO_TARGET_DIR:-$ROOT/target}/debug/whimbrel" import "$WHIMBREL_THINKING_BUNDLE.gguf" --output "$WHIMBREL_THINKING_BUNDLE" --force >&2
# The answer that the command line gives: the tests ask the same and compare.
export WHIMBREL_QUESTION="What is the capital of France?"
export WHIMBREL_MAX_TOKENS=48
export WHIMBREL_ANSWER=${CARGO_TARGET_DIR:-$ROOT/target}/whimbrel-answer.json
"${CARGO_TARGET_DIR:-$ROOT/target}/debug/whimbrel" run --json --model "$WHIMBREL_SMOLLM2_BUNDLE" --prompt "$WHIMBREL_QUESTION" \
	--max-tokens "$WHIMBREL_MAX_TOKENS" --temperature 0 >"$WHIMBREL_ANSWER"
