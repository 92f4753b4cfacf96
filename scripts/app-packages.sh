#!/usr/bin/env bash
# app-packages.sh [--output FOLDER] [kotlin] [swift]: `make packages`. Builds the core for this machine and makes the packages that
# apps use of it, both unless one is named: the Kotlin package in the local Maven repository, with the core in its jar, and the Swift package
# in FOLDER/swift, by default target/packages/swift. WHIMBREL_NATIVE_FOLDER names a folder with a core that is built already.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

output=${CARGO_TARGET_DIR:-$ROOT/target}/packages
languages=()
while [ $# -gt 0 ]; do
	case $1 in
		--output) output=$2 && shift ;;
		kotlin | swift) languages+=("$1") ;;
		*) fail "unknown argument $1" ;;
	esac
	shift
done
[ ${#languages[@]} -gt 0 ] || languages=(kotlin swift)

# JNA's name of this kind of machine: the folder of the class path in which it looks for the library.
case "$(uname -sm)" in
	"Linux x86_64") platform=linux-x86-64 ;;
	"Linux aarch64") platform=linux-aarch64 ;;
	*) fail "the packages are made on Linux, on x86-64 or 64-bit ARM. This is $(uname -sm)" ;;
esac

# Puts the core into $output/native, as it is on the class path. Nobody needs its symbols any more, which are half of it.
native_library() {
	local folder=${WHIMBREL_NATIVE_FOLDER:-}
	if [ -z "$folder" ]; then
		scripts/setup.sh
		cargo build --locked --release --package whimbrel-ffi
		folder=${CARGO_TARGET_DIR:-$ROOT/target}/release
	fi
	rm -rf "$output/native"
	mkdir -p "$output/native/$platform"
	strip --strip-unneeded -o "$output/native/$platform/libwhimbrel.so" "$folder/libwhimbrel.so"
}

kotlin_package() {
	need javac openjdk-17-jdk-headless
	need mvn maven
	# Other builds of these sources must not find this core on the class path.
	trap 'rm -rf "$ROOT/bindings/kotlin/whimbrel/target/classes/$platform"' EXIT
	mvn --batch-mode --no-transfer-progress --quiet --file bindings/kotlin/pom.xml -Dmaven.test.skip=true -Dktlint.skip=true \
		"-Dnative.resources.folder=$output/native" source:jar-no-fork install
	say "Kotlin: org.whimbrel:whimbrel is in the local Maven repository"
}

swift_package() {
	rm -rf "$output/swift"
	mkdir -p "$output/swift/lib"
	cp -a bindings/swift/Package.swift bindings/swift/Sources "$output/swift"
	cp "$output/native/$platform/libwhimbrel.so" "$output/swift/lib"
	say "Swift: the package is in ${output#"$ROOT/"}/swift"
}

native_library
for language in "${languages[@]}"; do
	"${language}_package"
done
say "docs/bindings.md shows how an app takes them"
