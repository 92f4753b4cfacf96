#!/usr/bin/env bash
# `make cloud-check`: starts llama.cpp's server on the loopback and lets the network crate talk to it: streaming, forms, stop strings, errors, keys,
# cancelling. LLAMA_SERVER names a ready program; without it llama.cpp is built first, some 20 minutes on two cores. `make test` does not need it.
source "$(dirname "$0")/common.sh"

model=$TEST_DATA/SmolLM2-135M-Instruct.Q4_1.gguf
[ -f "$model" ] || scripts/test-data.sh
server=${LLAMA_SERVER:-}
if [ -z "$server" ]; then
	build=$(scripts/llama-cpp-build.sh)
	server=$build/bin/llama-server
	[ -x "$server" ] || ninja -C "$build" llama-server >&2
fi
cargo build --quiet --locked --package whimbrel-network --example cloud-check
check=${CARGO_TARGET_DIR:-$ROOT/target}/debug/examples/cloud-check

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
key=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
work=$(mktemp -d)
# One slot, so that an answer which was cancelled in vain would hold up the next.
LLAMA_API_KEY=$key "$server" -m "$model" --host 127.0.0.1 --port "$port" -c 4096 -np 1 -t 2 >"$work/server.log" 2>&1 &
process=$!
trap 'kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; rm -rf "$work"' EXIT
if ! "$check" "http://127.0.0.1:$port/v1" "$key"; then
	tail -20 "$work/server.log" >&2
	fail "the server and the network crate do not understand each other"
fi
