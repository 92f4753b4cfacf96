#!/usr/bin/env bash
# Runs what the README tells people to type: every line of its `sh` blocks, in order, in this checkout, without a keyboard. A line fails when its
# command does, when it prints nothing, or when it leaves files behind. Fetching the repository and the long verbs are left out.
source "$(dirname "$0")/common.sh"

[ -f README.md ] || fail "README.md is missing"
export PATH=${CARGO_TARGET_DIR:-$ROOT/target}/release:$PATH
before=$(git status --porcelain)
ran=0
while IFS= read -r line; do
	case $line in '' | '#'* | 'git clone'* | 'cd '* | 'make test'* | 'make lint'* | 'make bench'* | 'make reference'* | 'make fuzz'*) continue ;; esac
	printf '\n$ %s\n' "$line"
	output=$(bash -euo pipefail -c "$line" </dev/null) || fail "README.md: this line fails: $line"
	printf '%s\n' "$output"
	[ -n "$output" ] || fail "README.md: this line prints nothing: $line"
	ran=$((ran + 1))
done < <(awk '/^```/ { inside = ($0 == "```sh") && !inside; next } inside' README.md)
[ "$ran" -gt 0 ] || fail "README.md has no sh block with a command"
[ "$(git status --porcelain)" = "$before" ] || fail "README.md: its commands left files in the checkout"
say "$ran commands of README.md ran"
