#!/usr/bin/env bash
# Prints the folder with llama.cpp's programs (in bin/), building them for this machine first where needed: some 20 minutes on two cores.
# With --flags it prints the flags that they are built with and builds nothing.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

# What llama.cpp may use, and the features that the processor must list for it. GGML_NATIVE would take whatever is listed. AMX is
# left out: some virtual machines list it and end a program that uses it with SIGILL.
features="GGML_SSE42:sse4_2 GGML_AVX:avx GGML_AVX2:avx2 GGML_FMA:fma GGML_F16C:f16c GGML_BMI2:bmi2 GGML_AVX_VNNI:avx_vnni
	GGML_AVX512:avx512f,avx512cd,avx512bw,avx512dq,avx512vl GGML_AVX512_VBMI:avx512_vbmi GGML_AVX512_VNNI:avx512_vnni
	GGML_AVX512_BF16:avx512_bf16"

# cpu_flags LIST: the flags of cmake for a processor that lists these features.
cpu_flags() {
	local entry feature value
	printf '%s' "-DGGML_NATIVE=OFF -DGGML_AMX_TILE=OFF -DGGML_AMX_INT8=OFF -DGGML_AMX_BF16=OFF"
	for entry in $features; do
		value=ON
		for feature in $(printf '%s' "${entry#*:}" | tr , ' '); do
			case " $1 " in *" $feature "*) ;; *) value=OFF ;; esac
		done
		printf ' -D%s=%s' "${entry%%:*}" "$value"
	done
}

case $(uname -m) in
x86_64)
	listed=${WHIMBREL_CPU_FEATURES-$(sed -n 's/^flags[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)}
	cpu="$(cpu_flags "$listed") -DCMAKE_C_FLAGS=-mtune=native -DCMAKE_CXX_FLAGS=-mtune=native"
	;;
# Elsewhere no feature is known that is listed and does not work.
*) cpu=-DGGML_NATIVE=ON ;;
esac
flags="-DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF $cpu"
if [ "${1-}" = --flags ]; then
	printf '%s\n' "$flags"
	exit
fi

# The flags are the key: a folder that was built with others is configured and built again.
build=$CACHE/llama-cpp/build
stamp="2 $flags"
[ "$cpu" != -DGGML_NATIVE=ON ] || stamp="$stamp $(uname -m) $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)"
if [ "$(cat "$build/.whimbrel-complete" 2>/dev/null)" != "$stamp" ]; then
	need cmake cmake
	need ninja ninja-build
	need g++ g++
	source=$(scripts/llama-cpp-source.sh)
	say "building llama.cpp in $build"
	rm -f "$build/.whimbrel-complete"
	# shellcheck disable=SC2086 # the flags are words
	cmake -G Ninja -S "$source" -B "$build" $flags >&2
	ninja -C "$build" llama-perplexity llama-quantize llama-tokenize llama-bench llama-simple >&2
	printf '%s' "$stamp" >"$build/.whimbrel-complete"
fi
printf '%s\n' "$build"
