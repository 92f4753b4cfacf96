#!/usr/bin/env bash
# bindings.sh [--check]: builds the library and generates the Kotlin and Swift sources that are committed, with the packages' value types; with
# --check it fails when they are not what the library says, and changes nothing.
source "$(dirname "$0")/common.sh"

target=${CARGO_TARGET_DIR:-$ROOT/target}
# The generated sources, by where they are committed and what the generator calls them.
generated=(
	bindings/kotlin/ffi/src/main/kotlin/org/whimbrel/ffi/whimbrel.kt=kotlin/org/whimbrel/ffi/whimbrel.kt
	bindings/swift/Sources/WhimbrelCore/WhimbrelCore.swift=swift/WhimbrelCore.swift
	bindings/swift/Sources/whimbrelFFI/include/whimbrelFFI.h=swift/whimbrelFFI.h
	bindings/swift/Sources/whimbrelFFI/include/module.modulemap=swift/whimbrelFFI.modulemap
)

# One command, so that features unify once. Nothing is stripped: the generator reads the library's symbols.
cargo build --quiet --locked -p whimbrel-ffi -p whimbrel-bindgen -p whimbrel-cli
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
for language in kotlin swift; do
	"$target/debug/whimbrel-bindgen" generate --language "$language" --no-format --out-dir "$fresh/$language" \
		"$target/debug/libwhimbrel.so"
done
# The generator leaves blanks at the ends of lines.
find "$fresh" -type f -exec sed -i 's/[[:blank:]]*$//' {} +

drift=0
for pair in "${generated[@]}"; do
	committed=${pair%%=*} made=$fresh/${pair#*=}
	# What did not change keeps its time, so that nothing is compiled again.
	cmp -s "$committed" "$made" && continue
	if [ "${1-}" = --check ]; then
		say "$committed is not what the library says"
		drift=1
	else
		install -D -m 644 "$made" "$committed"
		say "wrote $committed"
	fi
done
for language in kotlin swift; do
	scripts/bindings-values.py "$language" "$@" || drift=1
done
[ "$drift" = 0 ] || fail "run  make bindings  and commit what it writes"
