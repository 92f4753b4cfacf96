#!/usr/bin/env bash
# Writes the pictures in docs/screens anew. Look at them before they are committed.
source "$(dirname "$0")/common.sh"

scripts/android-test.sh test -Dscreens.write -Dtest=PictureTest -Dsurefire.failIfNoSpecifiedTests=false
ls -l docs/screens
