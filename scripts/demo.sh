#!/usr/bin/env bash
# `make demo`: builds the command, fetches the model once, shows what happens to a letter that goes to a cloud service, and answers PROMPT, or opens
# a chat without one.
source "$(dirname "$0")/common.sh"

model=smollm2-135m-instruct
whimbrel=${CARGO_TARGET_DIR:-target}/release/whimbrel

scripts/setup.sh
cargo build --release --locked --package whimbrel-cli
"$whimbrel" models pull "$model"
if [ -n "${PROMPT:-}" ]; then
	"$whimbrel" run --model "$model" --prompt "$PROMPT"
	exec "$whimbrel" demo
fi
"$whimbrel" demo
exec "$whimbrel" chat --model "$model"
