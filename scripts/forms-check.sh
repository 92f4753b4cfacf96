#!/usr/bin/env bash
# `make forms-check`: 2,000 answers of SmolLM2 under random schemas, choices and expressions, each checked by the validator jsonschema and by
# Python's own expressions. COUNT=… for another number.
source "$(dirname "$0")/common.sh"

scripts/setup.sh
scripts/test-data.sh
python=$(python_with forms.txt)
answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
cargo bench --quiet --locked --package whimbrel-engine --bench generations -- "$answers" "${COUNT:-2000}"
"$python" scripts/forms-check.py "$answers"
