#!/usr/bin/env bash
# `make miri`: runs the kernels' tests of shared memory in Miri, an interpreter that sees data races, overlapping borrows and accesses outside
# of their slice. Every seed is another order of the threads; MIRI_SEEDS (4) says how many. Only plain Rust runs there, so every kernel
# does so at the level `portable`: code that is written for one processor is not looked at.
source "$(dirname "$0")/common.sh"

toolchain=nightly-2026-05-20
seeds=${MIRI_SEEDS:-4}
# Parts of test names: the pool's own tests, and small cases of every parallel section.
tests=(pool:: memory::)

# A check that did not run must not look as if it had passed, so each reason ends in an error.
command -v rustup >/dev/null || fail "skipped: Miri comes with a nightly compiler, which rustup installs, and there is no rustup here"
if ! rustup run "$toolchain" cargo miri --version >/dev/null 2>&1; then
	say "installing $toolchain with Miri"
	rustup toolchain install "$toolchain" --profile minimal --component miri --component rust-src >&2 ||
		fail "skipped: rustup could not install $toolchain with the components miri and rust-src. Is there a network?"
fi

# What Miri compiles is of no use to anybody else, so it stays in the cache.
export CARGO_TARGET_DIR=$CACHE/miri/target
export MIRIFLAGS="-Zmiri-many-seeds=0..$seeds ${MIRIFLAGS:-}"
cargo "+$toolchain" miri test --locked --package whimbrel-kernels --lib -- "${tests[@]}"
say "Miri found nothing with $seeds orders of the threads"
