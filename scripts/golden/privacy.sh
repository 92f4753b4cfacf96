#!/usr/bin/env bash
# Rewrites the texts on which the quality of the privacy scanner is measured.
#
#   scripts/golden/privacy.sh development OUTPUT.jsonl    to tune with
#   scripts/golden/privacy.sh held-out shared-models/golden/privacy.jsonl
#
# The two share no template and no value. Needs python3 with venv, and pip's index; takes half a minute.
source "$(dirname "$0")/../common.sh"

python=$CACHE/tools/privacy-data
[ -x "$python/bin/python" ] || python3 -m venv "$python"
"$python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
	--requirement scripts/golden/privacy-requirements.txt
exec "$python/bin/python" scripts/golden/privacy.py "$@"
