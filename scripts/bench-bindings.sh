#!/usr/bin/env bash
# `make bench-bindings`: tokens a second of the same answer on one thread, as a reader of the Kotlin package's flow sees them and as the command
# prints them, by turns. Prints the medians and what the package costs.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

rounds=${ROUNDS:-4}
target=${CARGO_TARGET_DIR:-$ROOT/target}

scripts/setup.sh
need javac openjdk-17-jdk-headless
need mvn maven
cargo build --release --locked --quiet --workspace
scripts/test-data.sh
export WHIMBREL_TINY_BUNDLE=$ROOT/shared-models/tiny
export WHIMBREL_SMOLLM2_BUNDLE=$TEST_DATA/smollm2
export WHIMBREL_QUESTION="Write a short story about a lighthouse keeper."
export WHIMBREL_MAX_TOKENS=160

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
maven=(mvn --batch-mode --no-transfer-progress --quiet --file bindings/kotlin/pom.xml "-Dnative.library.folder=$target/release")
for round in $(seq "$rounds"); do
	for _ in 1 2 3; do
		"$target/release/whimbrel" run --json --model "$WHIMBREL_SMOLLM2_BUNDLE" --prompt "$WHIMBREL_QUESTION" --temperature 0 \
			--max-tokens "$WHIMBREL_MAX_TOKENS" --threads 1 --no-speculation >>"$results/command"
	done
	"${maven[@]}" -Dtest=SpeedBench -Dsurefire.failIfNoSpecifiedTests=false -Dsurefire.useFile=false test >"$results/log" ||
		{ cat "$results/log" >&2 && fail "the Kotlin package did not run"; }
	grep -h '^speed ' "$results/log" >>"$results/kotlin"
	say "round $round of $rounds"
done
python3 - "$results/command" "$results/kotlin" <<'PYTHON'
import json, statistics, sys

text, decoder, command = open(sys.argv[1]).read(), json.JSONDecoder(), []
while text.strip():
    facts, end = decoder.raw_decode(text.lstrip())
    text = text.lstrip()[end:]
    command.append(facts["decode_tokens_per_second"])
kotlin = [float(line.split()[1]) for line in open(sys.argv[2])]
for name, rates in ("command", command), ("kotlin", kotlin):
    print(f"{name:8} {statistics.median(rates):7.1f} tokens/s ({min(rates):.1f} to {max(rates):.1f}, {len(rates)} answers)")
cost = 1 - statistics.median(kotlin) / statistics.median(command)
print(f"cost     {cost:7.1%} of the command's rate")
PYTHON
