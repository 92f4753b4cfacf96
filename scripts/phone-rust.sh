#!/usr/bin/env bash
# Sees to it that a second Rust compiler stands in a folder, with the source of its own standard library and a prebuilt one for 64-bit ARM
# Linux, and prints the path of its rustc. It is Debian bookworm's rustc-web, unpacked and not installed: nothing on the machine changes
# but that folder (PHONE_RUST, otherwise in the cache; 650 MB).
source "$(dirname "$0")/common.sh"

folder=${PHONE_RUST:-$CACHE/phone-rust}
stamp="1 rustc-web"

is_ready() { [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ]; }

# download FOLDER: fetches the packages, those of ARM too, with package lists of its own.
download() {
	local work=$1 keyring=/usr/share/keyrings/debian-archive-keyring.gpg version options
	mkdir -p "$work"/{lists/partial,cache/archives/partial,packages}
	chown _apt "$work/lists/partial" "$work/packages"
	# The mirrors that this machine itself uses.
	apt-get indextargets --format "deb [signed-by=$keyring] \$(REPO_URI) \$(CODENAME) main" 'Created-By: Packages' |
		grep -E ' bookworm(-security)? main$' | sort -u >"$work/sources.list"
	[ -s "$work/sources.list" ] || fail "apt knows no mirror of Debian bookworm"
	options=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists"
		-o Dir::Cache="$work/cache" -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o Acquire::Languages=none)
	apt-get --quiet "${options[@]}" update >&2
	version=$(apt-cache "${options[@]}" show --no-all-versions rustc-web |
		sed -n 's/^Version: *\([0-9]*\.[0-9]*\).*/\1/p' | head -1)
	(cd "$work/packages" && apt-get --quiet "${options[@]}" download rustc-web "libstd-rust-web-$version" libstd-rust-web-dev \
		rust-web-src rust-web-clippy libllvm22 libstd-rust-web-dev:arm64 >&2)
}

# A wrapper that finds the compiler's own libraries, for rustc and for clippy.
wrap() {
	local program
	for program in rustc clippy-driver; do
		printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
			"$folder/root/usr/lib/x86_64-linux-gnu" "$folder/root/usr/bin/$program" >"$folder/$program"
		chmod +x "$folder/$program"
	done
}

unpack() {
	local work package
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$work'" EXIT
	chmod 755 "$work"
	say "unpacking a Rust compiler for phones into $folder"
	download "$work"
	rm -rf --one-file-system "$folder"
	mkdir -p "$folder/root"
	for package in "$work"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
	# Of the source only the standard library is used.
	(cd "$folder"/root/usr/src/rustc-*/ && rm -rf compiler src tests)
	rm -rf "$folder/root/usr/share/doc"
	wrap
	if ! "$folder/rustc" -vV >&2; then
		# A bare machine lacks some of LLVM's libraries.
		[ "$(id -u)" = 0 ] || fail "missing: libedit2 libffi8 libxml2 libz3-4 libzstd1 zlib1g"
		apt-get update --quiet >&2
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \
			libedit2 libffi8 libxml2 libz3-4 libzstd1 zlib1g >&2
		"$folder/rustc" -vV >&2
	fi
	printf '%s\n' "$stamp" >"$folder/.stamp"
}

if ! is_ready; then
	mkdir -p "$(dirname "$folder")"
	exec 9>"$folder.lock"
	flock 9
	is_ready || unpack
fi
printf '%s\n' "$folder/rustc"
