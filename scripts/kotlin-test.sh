#!/usr/bin/env bash
# kotlin-test.sh [MAVEN ARGUMENT…]: checks the generated Kotlin for drift, then has Maven compile, test and check the style of the package. Without
# arguments it also runs the project of a consumer. -Dapi.write records a changed public interface, -DskipTests leaves the tests out.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

scripts/bindings.sh --check
source "$ROOT/scripts/bindings-test-data.sh"
need javac openjdk-17-jdk-headless
need mvn maven
goals=("$@")
[ $# -gt 0 ] || goals=(verify)
# Maven's Kotlin plugin leaves the classes of deleted sources behind, and the recorded interface would hold them.
rm -rf bindings/kotlin/whimbrel/target/{classes,test-classes,kotlin-ic}
mvn --batch-mode --no-transfer-progress --file bindings/kotlin/pom.xml \
	"-Dnative.library.folder=${CARGO_TARGET_DIR:-$ROOT/target}/debug" "${goals[@]}"
[ $# -gt 0 ] || exec scripts/consumer-test.sh kotlin
