#!/usr/bin/env bash
# in-swift.sh COMMAND…: runs a command with Debian trixie and Swift around it, in the current folder. The repository, the build folder and
# the test data are at their own paths. The mounts live in a namespace of their own and end with the command.
source "$(dirname "$0")/common.sh"
cd "$OLDPWD"

swift_root=$("$ROOT/scripts/swift-root.sh")
# What the command sees of this machine, each once and existing.
export swift_root folder=$PWD shared
mkdir -p "$TEST_DATA"
shared=$(printf '%s\n' "$ROOT" "${CARGO_TARGET_DIR:-$ROOT/target}" "$TEST_DATA" | sort -u)
variables=(HOME=/root LANG=C.UTF-8 TERM=dumb PATH=/usr/libexec/swift/bin:/usr/bin:/usr/sbin)
while IFS= read -r variable; do
	variables+=("$variable=${!variable}")
done < <(compgen -e WHIMBREL_)

# shellcheck disable=SC2016 # for the inner shell
exec unshare --mount --propagation private bash -euc '
	# the compiler finds its own libraries through /proc/self/exe
	mount --rbind /proc "$swift_root/proc"
	mount --rbind /dev "$swift_root/dev"
	while IFS= read -r path; do
		mkdir -p "$swift_root$path"
		mount --rbind "$path" "$swift_root$path"
	done <<<"$shared"
	exec chroot "$swift_root" /usr/bin/env -i "$@"
' in-swift "${variables[@]}" /bin/bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
