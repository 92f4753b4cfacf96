#!/usr/bin/env bash
# `make demo`: builds the command, fetches the model once, and answers PROMPT, or opens a chat without one.
source "$(dirname "$0")/common.sh"

model=smollm2-135m-instruct
whimbrel=${CARGO_TARGET_DIR:-target}/release/whimbrel

scripts/setup.sh
cargo build --release --locked --package whimbrel-cli
"$whimbrel" models pull "$model"
if [ -n "${PROMPT:-}" ]; then
	exec "$whimbrel" run --model "$model" --prompt "$PROMPT"
fi
exec "$whimbrel" chat --model "$model"
