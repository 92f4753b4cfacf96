#!/usr/bin/env bash
# `make test`: sets up what the suites need, runs every one of them, and ends with the failed tests and a table of counts and seconds. A suite
# that this machine cannot run is skipped and says why. `scripts/test.sh NAME…` runs only the suites of these names.
source "$(dirname "$0")/common.sh"

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
wanted=("$@")
rows=()
failures=()
passed=0 failed=0 skipped=0

is_wanted() { [ ${#wanted[@]} = 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]]; }

# suite NAME MINUTES COMMAND…: runs one suite within its share of the hour and counts what it printed.
suite() {
	local name=$1 minutes=$2 started=$SECONDS status=0 counted counts failure note=''
	shift 2
	is_wanted "$name" || return 0
	printf '\n=== %s\n' "$name"
	timeout --kill-after=20 "${minutes}m" "$@" </dev/null 2>&1 | tee "$logs/$name" || status=${PIPESTATUS[0]}
	case $status in 124 | 137) note="stopped after its $minutes minutes" ;; 0) ;; *) note="failed (exit code $status)" ;; esac
	mapfile -t counted < <(scripts/count-tests.py "$logs/$name" "$status")
	read -ra counts <<<"${counted[0]}"
	for failure in "${counted[@]:1}"; do failures+=("$name: $failure"); done
	passed=$((passed + counts[0])) failed=$((failed + counts[1])) skipped=$((skipped + counts[2]))
	rows+=("$(printf '%-14s %7s %7s %8s %8s  %s' "$name" "${counts[@]}" "$((SECONDS - started))" "$note")")
}

# skip NAME REASON
skip() {
	is_wanted "$1" || return 0
	printf '\n=== %s\nskipped: %s\n' "$1" "$2"
	skipped=$((skipped + 1))
	rows+=("$(printf '%-14s %7s %7s %8s %8s  %s' "$1" - - 1 0 "$2")")
}

# can_install COMMAND…: every command is there, or this is a Debian on which we may install it.
can_install() {
	local command
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && return
	for command in "$@"; do command -v "$command" >/dev/null || return 1; done
}

rust_documentation() {
	# The command and the bindings' library are both named whimbrel: one run for both would write over its own pages.
	cargo doc --quiet --locked --no-deps --workspace --exclude whimbrel-cli &&
		cargo doc --quiet --locked --no-deps --package whimbrel-cli --document-private-items
}

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target} CARGO_TERM_PROGRESS_WHEN=never
if [ "${1:-}" = --rust-documentation ]; then
	scripts/bindings-parity.py
	RUSTDOCFLAGS=-Dwarnings rust_documentation
	exit
fi

printf '=== set up\n'
scripts/setup.sh
cargo fetch --quiet --locked || fail "cargo could not fetch the crates. Is there a network?"
scripts/test-data.sh

suite rust 25 cargo test --workspace --locked --no-fail-fast
suite documentation 6 scripts/test.sh --rust-documentation
suite readme 20 scripts/readme-test.sh
if can_install javac mvn; then
	suite kotlin 10 scripts/kotlin-test.sh
else
	skip kotlin "needs javac and mvn: install openjdk-17-jdk-headless and maven"
fi
if can_install javac mvn aapt2; then
	suite android 20 scripts/android-test.sh
else
	skip android "needs javac, mvn and aapt2: install openjdk-17-jdk-headless, maven and aapt"
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && unshare --mount true 2>/dev/null; then
	suite swift 12 scripts/swift-test.sh
else
	skip swift "needs root on a Debian that allows mounts: Swift's compiler lives in a root folder of its own"
fi
if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
	suite phones 25 scripts/phone-check.sh
else
	skip phones "needs Debian's packages of the Rust compiler with sources"
fi
if command -v dpkg >/dev/null && can_install qemu-aarch64 aarch64-linux-gnu-gcc; then
	suite arm64 10 scripts/arm64-test.sh --package whimbrel-kernels
else
	skip arm64 "needs qemu-aarch64 and aarch64-linux-gnu-gcc: install qemu-user and gcc-aarch64-linux-gnu"
fi

[ ${#failures[@]} = 0 ] || printf '\n=== failed\n%s\n' "$(printf '%s\n' "${failures[@]}")"
printf '\n%-14s %7s %7s %8s %8s\n' suite passed failed skipped seconds
printf '%s\n' "${rows[@]}"
printf '\n%d passed, %d failed%s\n' "$passed" "$failed" "$([ "$skipped" = 0 ] || printf ', %d skipped' "$skipped")"
[ "$failed" = 0 ]
