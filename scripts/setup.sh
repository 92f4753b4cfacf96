#!/usr/bin/env bash
# Sees to what every build needs: a C compiler, Python with pip and venv, and Rust. Installs through apt-get when it may, else says what is missing.
source "$(dirname "$0")/common.sh"

packages=()
command -v cc >/dev/null || packages+=(gcc libc6-dev)
command -v python3 >/dev/null || packages+=(python3)
# One interpreter start asks for both modules: this script runs before every `make demo`.
python3 -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("pip") and u.find_spec("ensurepip")))' 2>/dev/null ||
	packages+=(python3-pip python3-venv)
if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
	fail "Rust is installed but not on the PATH: run  . \"${CARGO_HOME:-$HOME/.cargo}/env\"  and try again"
fi
if ! command -v cargo >/dev/null; then
	apt-cache policy rustup 2>/dev/null | grep -q 'Candidate: [0-9]' ||
		fail "Rust is missing, and this system has no package of rustup: install rustup as the Rust project's site describes, then try again"
	packages+=(rustup)
fi

if [ ${#packages[@]} -gt 0 ]; then
	command -v apt-get >/dev/null || fail "missing: ${packages[*]} (Debian's names); please install them"
	[ "$(id -u)" = 0 ] || fail "missing: ${packages[*]}; please run: sudo apt-get install ${packages[*]}"
	say "installing ${packages[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get install --yes --quiet --no-install-recommends "${packages[@]}" >&2 ||
		{ apt-get update --quiet >&2 && apt-get install --yes --quiet --no-install-recommends "${packages[@]}" >&2; } ||
		fail "apt-get could not install ${packages[*]}"
fi
