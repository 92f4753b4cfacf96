#!/usr/bin/env bash
# arm64-test.sh CARGO TEST ARGUMENT…: builds tests for 64-bit ARM Linux and runs them under qemu, as in `arm64-test.sh -p whimbrel-kernels`.
# Once for each of three processors: one with everything, one with dot products but no matrix products, one with neither. Other
# names for qemu's -cpu in ARM_CPUS. Examples in the documentation are left out: this compiler comes without their runner.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

[ $# -gt 0 ] || fail "which tests? For example  scripts/arm64-test.sh -p whimbrel-kernels"
need qemu-aarch64 qemu-user
need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
RUSTC=$(scripts/phone-rust.sh)
export RUSTC CARGO_TARGET_DIR=$CACHE/phone-target CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
for cpu in ${ARM_CPUS:-max cortex-a76 cortex-a72}; do
	say "== qemu-aarch64 -cpu $cpu"
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -cpu $cpu -L /usr/aarch64-linux-gnu" \
		cargo test --locked --tests --target aarch64-unknown-linux-gnu "$@"
done
