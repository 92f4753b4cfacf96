#!/usr/bin/env bash
# android-test.sh [MAVEN ARGUMENT…]: compiles the package's Android module and the app without Gradle, runs their tests on this machine with
# the real core, and checks the style. -Dscreens.write writes the pictures in docs/screens anew, -Dapi.write records a changed public interface.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

# WHIMBREL_NATIVE_FOLDER names a folder with a core that is built already, and test data that is there.
# Otherwise preparing the test data builds the workspace, the core with it.
[ -n "${WHIMBREL_NATIVE_FOLDER:-}" ] || scripts/test-data.sh
export WHIMBREL_TINY_BUNDLE=$ROOT/shared-models/tiny WHIMBREL_SMOLLM2_BUNDLE=$TEST_DATA/smollm2
source "$ROOT/scripts/android-libraries.sh"
[ $# -gt 0 ] || set -- verify
# Maven's Kotlin plugin leaves the classes of deleted sources behind.
rm -rf android-app/app/target/{classes,test-classes,kotlin-ic}
exec "${maven[@]}" "$@"
