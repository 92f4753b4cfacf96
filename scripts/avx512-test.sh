#!/usr/bin/env bash
# avx512-test.sh CARGO TEST ARGUMENT…: builds tests as static programs and runs them under Bochs, on a processor with AVX-512 VNNI, as in
# `avx512-test.sh -p whimbrel-kernels`. Only that level is tested; a processor without it fails the tests.
source "$(dirname "$0")/common.sh"

[ $# -gt 0 ] || fail "which tests? For example  scripts/avx512-test.sh -p whimbrel-kernels"
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_STRIP=debuginfo RUSTFLAGS="-C target-feature=+crt-static"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$ROOT/scripts/in-bochs.sh WHIMBREL_TEST_LEVEL=avx512-vnni"
cargo test --locked --tests --target x86_64-unknown-linux-gnu "$@"
