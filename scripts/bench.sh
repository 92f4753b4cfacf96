#!/usr/bin/env bash
# `make bench`: measures the kernels beside the limits of the machine, and answers with a form; then loads, prefills and decodes SmolLM2 on one thread and on two, and
# prints a table; its last column is the share of a decoded token that the graph takes beside the operators. Further flags go to `whimbrel bench`.
source "$(dirname "$0")/common.sh"

model=smollm2-135m-instruct
whimbrel=${CARGO_TARGET_DIR:-target}/release/whimbrel

scripts/setup.sh
cargo build --release --locked --package whimbrel-cli
cargo bench --quiet --locked --package whimbrel-kernels --bench kernels
scripts/test-data.sh
cargo bench --quiet --locked --package whimbrel-engine --bench masks --bench forms
# Nothing leaves that must stay: ten times as many random histories as in the tests.
WHIMBREL_HISTORIES=${WHIMBREL_HISTORIES:-100000} cargo test --quiet --locked --release --package whimbrel-client --test histories -- --nocapture
"$whimbrel" models pull "$model"

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for threads in 1 2; do
	"$whimbrel" bench --json --model "$model" --prompt-tokens 128 --decode-tokens 64 --threads "$threads" --repetitions 5 "$@" \
		>"$results/$threads.json"
done

changed=$(git status --porcelain --untracked-files=no | head -1)
printf 'CPU     %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)"
printf 'load    %s other processes want to run\n' "$(cut -d' ' -f1 /proc/loadavg 2>/dev/null)"
printf 'commit  %s%s\n' "$(git rev-parse --short HEAD)" "${changed:+, with changes}"
python3 - "$results"/*.json <<'PYTHON'
import json, sys

print(f"{'threads':>7} {'load ms':>8} {'prefill tokens/s':>24} {'decode tokens/s':>24} {'peak MB':>8} {'anonymous MB':>12} {'graph':>7}")
for path in sys.argv[1:]:
    with open(path) as file:
        facts = json.load(file)
    rate = lambda name: "{median:.1f} ({min:.1f} to {max:.1f})".format(**facts[name])
    megabytes = lambda name: f"{facts[name] / 1e6:.0f}" if facts[name] is not None else "-"
    print(
        f"{facts['threads']:>7} {facts['load_ms']:>8.0f} {rate('prefill_tokens_per_second'):>24} "
        f"{rate('decode_tokens_per_second'):>24} {megabytes('peak_rss_bytes'):>8} {megabytes('anonymous_rss_bytes'):>12} {facts['graph_overhead']:>7.2%}"
    )
PYTHON
