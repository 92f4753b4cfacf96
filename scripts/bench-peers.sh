#!/usr/bin/env bash
# `make bench-peers`: builds llama.cpp, re-quantises SmolLM2 with its tool, imports the same files, runs both engines alternately and prints
# medians, spreads and ratios. Close everything else first. ROUNDS (5) is how often each is run; further words choose cases by name.
source "$(dirname "$0")/common.sh"

scripts/setup.sh
scripts/test-data.sh
build=$(scripts/llama-cpp-build.sh)
cargo build --release --locked --package whimbrel-cli
whimbrel=${CARGO_TARGET_DIR:-target}/release/whimbrel

models=$CACHE/llama-cpp/peers
mkdir -p "$models"
shipped=$TEST_DATA/SmolLM2-135M-Instruct.Q4_1.gguf
ln -sf "$shipped" "$models/shipped.gguf"
for type in Q4_0 Q8_0 Q5_0 IQ4_NL; do
	name=${type,,}
	if [ ! -f "$models/$name.gguf" ]; then
		"$build/bin/llama-quantize" --pure --allow-requantize "$shipped" "$models/$name.part" "$type" 2 >"$models/quantize.log" 2>&1 ||
			{ cat "$models/quantize.log" >&2; fail "llama-quantize"; }
		mv "$models/$name.part" "$models/$name.gguf"
	fi
done
# Types with blocks of 256 do not fit SmolLM2's rows: random models of the size of others.
cargo build --release --locked --package whimbrel-forge --example random
for name in q4_k-1024 q4_k-2048 q6_k-1024 q5_0-896; do
	[ -f "$models/$name.gguf" ] || "${CARGO_TARGET_DIR:-target}/release/examples/random" "${name%-*}" "${name#*-}" "$models/$name.gguf"
done
names=(shipped q4_0 q8_0 q5_0 iq4_nl q4_k-1024 q4_k-2048 q6_k-1024 q5_0-896)
# It is there once its terms were accepted: make gemma-test.
gemma=$CACHE/llama-cpp/models/gemma-3-270m-q4_k_m.gguf
if [ -f "$gemma" ]; then
	ln -sf "$gemma" "$models/gemma.gguf"
	names+=(gemma)
fi
for name in "${names[@]}"; do
	rm -rf "${models:?}/$name"
	"$whimbrel" import "$models/$name.gguf" --output "$models/$name" >/dev/null
done
exec scripts/bench-peers.py "$whimbrel" "$build/bin" "$models" "${ROUNDS:-5}" "$@"
