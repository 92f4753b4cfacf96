#!/usr/bin/env bash
# Prints the folder with llama.cpp's programs (in bin/), building them for this machine first where needed: some 20 minutes on two cores.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

build=$CACHE/llama-cpp/build
stamp="1 $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)"
if [ "$(cat "$build/.whimbrel-complete" 2>/dev/null)" != "$stamp" ]; then
	need cmake cmake
	need ninja ninja-build
	need g++ g++
	source=$(scripts/llama-cpp-source.sh)
	say "building llama.cpp in $build"
	cmake -G Ninja -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF \
		-DLLAMA_BUILD_TESTS=OFF >&2
	ninja -C "$build" llama-perplexity llama-quantize llama-tokenize llama-bench llama-simple >&2
	printf '%s' "$stamp" >"$build/.whimbrel-complete"
fi
printf '%s\n' "$build"
