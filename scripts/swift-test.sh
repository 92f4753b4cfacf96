#!/usr/bin/env bash
# swift-test.sh [SWIFT TEST ARGUMENT…]: checks the generated Swift for drift and ours for style, then builds and tests the package on Linux. Without
# arguments it also runs the project of a consumer.
source "$(dirname "$0")/common.sh"

scripts/bindings.sh --check
source "$ROOT/scripts/bindings-test-data.sh"
target=${CARGO_TARGET_DIR:-$ROOT/target}
cd bindings/swift
"$ROOT/scripts/in-swift.sh" swift-format lint --strict --recursive Package.swift Sources/Whimbrel Tests
# The build misses a change that reaches a target only through the C header: it starts anew then.
generated=$(cat Sources/whimbrelFFI/include/* Sources/WhimbrelCore/*.swift | sha256sum)
if [ "$(cat "$target/swift-build/.generated" 2>/dev/null)" != "$generated" ]; then
	rm -rf "$target/swift-build"
	mkdir -p "$target/swift-build"
	printf '%s\n' "$generated" >"$target/swift-build/.generated"
fi
"$ROOT/scripts/in-swift.sh" swift test --scratch-path "$target/swift-build" -Xswiftc -use-ld=lld \
	-Xlinker "-L$target/debug" -Xlinker -rpath -Xlinker "$target/debug" "$@"
[ $# -gt 0 ] || exec "$ROOT/scripts/consumer-test.sh" swift
