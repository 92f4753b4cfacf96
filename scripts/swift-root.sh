#!/usr/bin/env bash
# Sees to it that a folder holds Debian trixie with Swift 6 in it, and prints its path. It is only unpacked, never installed: nothing on
# the machine changes but that folder (SWIFT_ROOT, otherwise in the cache). Needs root; 1.3 GB, and 3 GB while unpacking.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

folder=${SWIFT_ROOT:-$CACHE/swift-trixie}
packages=swiftlang,libc6-dev,libstdc++-14-dev,bash,dash,coreutils,tzdata
stamp="1 trixie $packages"

is_ready() { [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ]; }

# What no test uses, about 1 GB: debugger, editor servers, static and embedded standard libraries, documentation.
slim() {
	rm -rf var/cache/apt var/lib/apt
	(cd usr/share && rm -rf doc man locale info lintian)
	(cd usr/libexec/swift && rm -rf bin/lldb* bin/repl_swift bin/clangd bin/sourcekit-lsp bin/docc bin/swift-api-* \
		lib/liblldb* lib/libsourcekitdInProc.so lib/libLTO* lib/swift_static lib/swift/embedded \
		lib/swift/migrator lib/swift/FrameworkABIBaseline)
}

unpack() {
	local mirror
	need mmdebstrap mmdebstrap
	# The mirror that this machine itself uses: the row of a release, not of its updates.
	# shellcheck disable=SC2016 # apt fills this in
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
		awk '$2 !~ /-/ && !seen { seen = $1 } END { print seen }')
	[ -n "$mirror" ] || fail "apt knows no mirror of a Debian release"
	say "unpacking Swift into $folder"
	rm -rf --one-file-system "$folder" "$folder.part"
	mmdebstrap --quiet --mode=root --variant=extract --components=main --include="$packages" trixie "$folder.part" "$mirror" >&2
	cd "$folder.part"
	mkdir -p proc dev root
	chmod 1777 tmp
	[ -e etc/passwd ] || printf 'root:x:0:0:root:/root:/bin/bash\n' >etc/passwd
	[ -e etc/group ] || printf 'root:x:0:\n' >etc/group
	slim
	printf '%s\n' "$stamp" >.stamp
	mv "$folder.part" "$folder"
}

if ! is_ready; then
	[ "$(id -u)" = 0 ] || fail "unpacking Swift needs root"
	mkdir -p "$(dirname "$folder")"
	exec 9>"$folder.lock"
	flock 9
	is_ready || unpack
fi
printf '%s\n' "$folder"
