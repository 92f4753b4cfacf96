# shellcheck shell=bash
# Sees to Android's libraries for the build without Gradle: fetched through Maven, unpacked, kept in the cache under the hash of what
# describes them. Sets `libraries` to the folder, and `maven` to the command that builds the app with it. Sourced after common.sh and packages.sh.

need javac openjdk-17-jdk-headless
need mvn maven
need aapt2 aapt

descriptions=(bindings/kotlin/pom.xml android-app/pom.xml android-app/libraries/pom.xml scripts/android-libraries.py)
libraries=$CACHE/android/$(cat "${descriptions[@]}" | sha256sum | cut -c1-16)
# MAVEN_ARGS is for options of this machine, as a repository elsewhere; Maven reads it by itself from version 3.9 on.
read -ra maven_options <<<"${MAVEN_ARGS:-}"
maven=(mvn --batch-mode --no-transfer-progress -Dstyle.color=never "${maven_options[@]}")

if [ ! -d "$libraries" ]; then
	say "fetching Android's libraries"
	mkdir -p "$CACHE/android"
	part=$(mktemp -d "$CACHE/android/part.XXXXXX")
	"${maven[@]}" --quiet --file android-app/libraries/pom.xml "-Dandroid.libraries=$part" \
		dependency:copy@app dependency:copy@test dependency:copy@apk dependency:copy@tools dependency:copy@robolectric
	say "unpacking them"
	scripts/android-libraries.py unpack "$part"
	# Another run may have been faster.
	mv --no-target-directory "$part" "$libraries" 2>/dev/null || rm -rf "$part"
fi

scripts/android-libraries.py resources "$libraries" android-app/app android-app/app/target/android
maven+=(--file android-app/pom.xml "-Dandroid.libraries=$libraries" -Dpackage.tests.skip=true
	"-Dnative.library.folder=${WHIMBREL_NATIVE_FOLDER:-${CARGO_TARGET_DIR:-$ROOT/target}/debug}")
