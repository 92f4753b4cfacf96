#!/usr/bin/env bash
# `make arm-estimate`: what the ARM kernels would cost on cores that this machine lacks. llvm-mca computes the cycles of every tile's inner loop
# from the cores' scheduling models. It knows nothing of caches and memory; docs/performance.md says what else it leaves out.
# Further words go to arm-loops.py: `--show "Q4_0 sdot × 8"` prints a loop.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

need llvm-mca-19 llvm-19
RUSTC=$(scripts/phone-rust.sh)
export RUSTC CARGO_TARGET_DIR=$CACHE/arm-target
# Names that say which format and how many rows a function is for.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C symbol-mangling-version=v0"
target=aarch64-unknown-linux-gnu
cargo build --quiet --locked --release --package whimbrel-kernels --lib --target $target
listing=$CARGO_TARGET_DIR/kernels.txt
llvm-objdump-19 --disassemble --demangle --no-show-raw-insn "$CARGO_TARGET_DIR/$target/release/libwhimbrel_kernels.rlib" >"$listing"
python3 scripts/arm-loops.py "$listing" "$@"
