#!/usr/bin/env bash
# phone-check.sh [TARGET…]: type-checks the bindings and everything below them for the phones, by default Android and iOS. C code is not
# compiled and nothing is linked. The build folder lives in the cache, because it takes minutes to fill.
source "$(dirname "$0")/common.sh"

RUSTC=$(scripts/phone-rust.sh)
# The standard library is built from source, which a stable compiler only does when told so.
export RUSTC RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=$CACHE/phone-target CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
# Build scripts for Apple ask for a folder of the SDK, and only that it exists.
export SDKROOT=$CARGO_TARGET_DIR
mkdir -p "$CARGO_TARGET_DIR"
[ $# -gt 0 ] || set -- aarch64-linux-android aarch64-apple-ios
for target in "$@"; do
	name=${target//-/_}
	export "CC_$name=$ROOT/scripts/stub-cc" "CXX_$name=$ROOT/scripts/stub-cc" "AR_$name=$ROOT/scripts/stub-cc" "RANLIB_$name=/bin/true"
	say "== type check for $target"
	cargo check --quiet --locked -p whimbrel-ffi -Zbuild-std=std,panic_unwind --target "$target"
done
