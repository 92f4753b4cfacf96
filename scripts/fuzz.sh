#!/usr/bin/env bash
# `make fuzz`: runs every fuzz target for FUZZ_SECONDS (60), or only those named as arguments. Needs a nightly compiler. What the
# fuzzer learns and what it finds stays in the cache, outside of the repository.
source "$(dirname "$0")/common.sh"

cargo_fuzz_version=0.13.2
seconds=${FUZZ_SECONDS:-60}
tools=$CACHE/tools/cargo-fuzz-$cargo_fuzz_version
work=$CACHE/fuzz
targets=(gguf gguf_parts download manifest graph weights_index tokenizer chat_template form task saved_prefix policy sse ledger sealed_file redact export_reply)
[ $# -gt 0 ] && targets=("$@")

rustup run nightly rustc --version >/dev/null 2>&1 || fail "fuzzing needs a nightly compiler: run  rustup toolchain install nightly"
if [ ! -x "$tools/bin/cargo-fuzz" ]; then
	say "installing cargo-fuzz $cargo_fuzz_version"
	# Outside of the repository, whose pinned compiler and settings are not meant for it.
	(cd "$HOME" && cargo install --quiet --locked --version "$cargo_fuzz_version" --root "$tools" cargo-fuzz)
fi
export PATH=$tools/bin:$PATH

say "writing seeds"
cargo run --quiet --package whimbrel-forge --example fuzz-seeds -- "$work/seeds"
mkdir -p "$work/seeds/policy"
cp rust-core/policy/presets/*.toml rust-core/policy/tests/full.toml "$work/seeds/policy"
mkdir -p "$work/seeds/redact"
cp scripts/golden/privacy_templates.txt "$work/seeds/redact"
# Inputs of several parts are divided somewhere, but their words are a beginning.
mkdir -p "$work/seeds/task" "$work/seeds/form"
cp shared-models/tasks/*.json "$work/seeds/task"
cp shared-models/tasks/*.json shared-models/*.schema.json shared-models/schemas/*.json "$work/seeds/form"
mkdir -p "$work/seeds/download"
cat >"$work/seeds/download/resumed" <<-'SEED'
	https://models.example/a/small.gguf?download=true http://localhost/b
	answer 302|location=../cdn/17
	answer 206|range=bytes 65536-999999/1000000|length=934464|tag="one"
	space 100000000000
	bytes 4096
	lost the connection was lost
	timer
	answer 200|length=1000000|date=Sun, 06 Nov 1994 08:49:37 GMT
	space
	first GGUF
	bytes 1000000
	end
	checked yes
SEED
# Status 200 with nothing, with three rejected items, and with a message; status 503.
mkdir -p "$work/seeds/export_reply"
printf '\x00\xc8' >"$work/seeds/export_reply/accepted"
printf '\x00\xc8\x0a\x08\x08\x03\x12\x04none' >"$work/seeds/export_reply/rejected"
printf '\x00\xc8\x0a\x05\x12\x03hot' >"$work/seeds/export_reply/warned"
printf '\x01\xf7\x0a\x02\x08\x05' >"$work/seeds/export_reply/busy"
cargo run --quiet --package whimbrel-store --example ledger-seeds -- "$work/seeds"

# A compiled target is large and of no use to anybody else, so it stays in the cache too.
export CARGO_TARGET_DIR=$work/target
say "building the targets, which takes minutes the first time"
cargo +nightly fuzz build --sanitizer none >"$work/build.log" 2>&1 || {
	tail -40 "$work/build.log" >&2
	fail "the fuzz targets do not build; the log is $work/build.log"
}
failures=0
for target in "${targets[@]}"; do
	say "== $target, $seconds s"
	mkdir -p "$work/corpus/$target" "$work/findings/$target" "$work/seeds/$target"
	# The parsers are safe code: panics, overflows, hangs and memory are what can go wrong, and those need no address sanitizer.
	# Any input that takes 10 s or 2 GB counts as a finding.
	if ! cargo +nightly fuzz run --sanitizer none "$target" "$work/corpus/$target" "$work/seeds/$target" -- \
		-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix="$work/findings/$target/" >"$work/$target.log" 2>&1; then
		tail -40 "$work/$target.log" >&2
		say "   FAILED: the input is in $work/findings/$target, the log in $work/$target.log"
		failures=$((failures + 1))
		continue
	fi
	say "   $(sed -n 's/^stat::number_of_executed_units: */runs: /p' "$work/$target.log"), $(sed -n 's/^stat::average_exec_per_sec: */a second: /p' "$work/$target.log")"
done
[ "$failures" = 0 ] || fail "$failures of ${#targets[@]} targets found something"
say "no findings in ${#targets[@]} targets"
