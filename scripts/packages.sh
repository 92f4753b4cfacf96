# shellcheck shell=bash
# Installs Debian packages that a suite needs and a bare machine lacks. Sourced after common.sh, never run.

# need COMMAND PACKAGE…: sees to it that COMMAND exists; as root through apt-get, otherwise by saying what is missing.
need() {
	local command=$1 options=(--yes --quiet --no-install-recommends -o DPkg::Lock::Timeout=300)
	shift
	command -v "$command" >/dev/null && return
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		fail "$command is missing: install the packages $*"
	fi
	say "installing $*"
	DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@" >&2 ||
		{ apt-get update --quiet >&2 && DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@" >&2; } ||
		fail "apt-get could not install $*"
}
