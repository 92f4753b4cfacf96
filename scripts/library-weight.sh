#!/usr/bin/env bash
# library-weight.sh [PROFILE]: builds the core for apps with and without the importer of GGUF files, by default in the release profile, and prints
# the sizes of both without symbols. An importer above 1 MB is a failure: it belongs into a module of its own then.
source "$(dirname "$0")/common.sh"

profile=${1:-release}
limit=1000000
folder=${CARGO_TARGET_DIR:-$ROOT/target}/${profile/dev/debug}
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT

# The last one built is the one with everything, which others find there.
weigh() {
	cargo build --quiet --locked --profile "$profile" --package whimbrel-ffi "$@"
	strip --strip-unneeded -o "$stripped" "$folder/libwhimbrel.so"
	stat -c %s "$stripped"
}

without=$(weigh --no-default-features)
with=$(weigh)
say "$without bytes without the importer, $with with it: $((with - without)) bytes more"
[ $((with - without)) -le "$limit" ] || fail "the importer takes more than $limit bytes"
