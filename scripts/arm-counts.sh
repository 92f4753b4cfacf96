#!/usr/bin/env bash
# `make arm-counts`: counts the instructions of SmolLM2-135M's work in Q4_0, in our kernels and in ggml, the library of llama.cpp, both built for 64-bit ARM
# and run under qemu: one prefill of 128 tokens, one decoded token behind 128. Each count is the difference between one pass and two.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

need qemu-aarch64 qemu-user
need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu libc6-dev-arm64-cross
need gcc gcc
need cmake cmake
need ninja ninja-build
target=aarch64-unknown-linux-gnu
work=$CACHE/arm-target/counts
mkdir -p "$work"

# ggml for the instructions of an -march, and the program that uses it.
theirs() {
	local name=$1 march=$2 build=$CACHE/llama-cpp/arm-$1 source libraries
	source=$(scripts/llama-cpp-source.sh)
	if [ ! -f "$build/build.ninja" ]; then
		cmake -G Ninja -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
			-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DGGML_NATIVE=OFF -DGGML_CPU_ARM_ARCH="$march" \
			-DBUILD_SHARED_LIBS=OFF -DGGML_OPENMP=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF \
			-DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF >&2
	fi
	ninja -C "$build" ggml >&2
	libraries=("$build"/ggml/src/{libggml,libggml-cpu,libggml-base}.a)
	aarch64-linux-gnu-g++ -O2 -I "$source/ggml/include" scripts/arm-counts/ggml.cpp -Wl,--start-group "${libraries[@]}" -Wl,--end-group \
		-pthread -ldl -o "$work/ggml-$name"
}

# run CPU PROGRAM PASSES ROWS SEEN: the counts of a run, without what the program says.
run() {
	local cpu=$1
	shift
	qemu-aarch64 -cpu "$cpu" -L /usr/aarch64-linux-gnu -plugin "$work/plugin.so" "$@" 3>&1 >/dev/null 2>&3 | grep -E '^[a-z]+ [0-9]+$'
}

# row NAME CPU PROGRAM ROWS SEEN: the counts of one pass, in millions.
row() {
	local name=$1 cpu=$2 program=$3
	shift 3
	paste -d ' ' <(run "$cpu" "$program" 1 "$@") <(run "$cpu" "$program" 2 "$@") |
		awk -v name="$name" '{ all += $4 - $2; row = row sprintf(" %.1f |", ($4 - $2) / 1e6) } END { printf "| %s |%s %.1f |\n", name, row, all / 1e6 }'
}

gcc -O2 -shared -fPIC scripts/arm-counts/plugin.c -o "$work/plugin.so"
RUSTC=$(scripts/phone-rust.sh)
export RUSTC CARGO_TARGET_DIR=$CACHE/arm-target CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C symbol-mangling-version=v0"
cargo build --quiet --locked --release --package whimbrel-kernels --example smollm2 --target $target
ours=$CARGO_TARGET_DIR/$target/release/examples/smollm2
theirs dotprod armv8.2-a+dotprod+fp16
theirs i8mm armv8.2-a+dotprod+fp16+i8mm

printf 'millions of instructions\n\n| work | sdot | smmla | vector and float | load | store | scalar | branch | all |\n|---|---|---|---|---|---|---|---|---|\n'
for level in dotprod:neoverse-n1 i8mm:max; do
	name=${level%:*} cpu=${level#*:}
	for work_of in "prefill of 128:128 128" "one token after 128:1 129"; do
		read -r rows seen <<<"${work_of#*:}"
		row "${work_of%:*}, $name, Whimbrel" "$cpu" "$ours" "$rows" "$seen"
		row "${work_of%:*}, $name, ggml" "$cpu" "$work/ggml-$name" "$rows" "$seen"
	done
done
