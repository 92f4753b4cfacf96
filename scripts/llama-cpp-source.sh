#!/usr/bin/env bash
# Prints the folder with llama.cpp's source, fetching it first where needed: out of the pinned source package llama-cpp-python, kept in the cache.
source "$(dirname "$0")/common.sh"

version=0.3.36
sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
source=$CACHE/llama-cpp/llama_cpp_python-$version

if [ ! -f "$source/.whimbrel-complete" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	# pip asks a source package for its metadata even when it only downloads it, and that needs its build backend.
	python3 -m venv "$work/venv" || fail "python3 cannot make a virtual environment: install python3-venv"
	cat >"$work/backend.txt" <<-'LIST'
		packaging==26.3 --hash=sha256:d7193f7c8e4e93f444fde0262bf90af30e16fa0ad0ad44cb553c87339b23cd1c
		pathspec==1.1.1 --hash=sha256:a00ce642f577bf7f473932318056212bc4f8bfdf53128c78bbd5af0b9b20b189
		scikit-build-core==1.1.2 --hash=sha256:7f4f959a467692db50bdd1ea7ce1507f2c7972e6023b753ee302d169bc4cec85
	LIST
	"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
		--requirement "$work/backend.txt" >&2 || fail "pip could not fetch scikit-build-core. Is there a network, and is pip's index reachable?"
	PATH=$work/venv/bin:$PATH fetch_package "llama-cpp-python==$version" "$sha256" "$work" --no-binary :all: --no-build-isolation
	mkdir -p "$(dirname "$source")"
	rm -rf "$source"
	tar -xzf "$work/llama_cpp_python-$version.tar.gz" -C "$(dirname "$source")"
	touch "$source/.whimbrel-complete"
fi
printf '%s\n' "$source/vendor/llama.cpp"
