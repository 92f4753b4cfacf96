#!/usr/bin/env bash
# consumer-test.sh kotlin|swift: makes a package with the core that the tests use, and runs what docs/bindings.md tells its readers to type, in an
# empty folder: the project of docs/consumer has to answer. Kotlin's is built with today's Kotlin and with the oldest that apps may have.
# The package goes into a Maven repository of its own, so that the machine's keeps what `make packages` put there.
source "$(dirname "$0")/common.sh"

language=${1:?kotlin or swift}
target=${CARGO_TARGET_DIR:-$ROOT/target}
# What the documentation calls the repository: this one, but for the package.
export WHIMBREL_HOME=$target/consumer-test/$language/whimbrel
# With its card, as `whimbrel models pull` installs it.
export WHIMBREL_MODEL=$TEST_DATA/smollm2-card
export WHIMBREL_NATIVE_FOLDER=${WHIMBREL_NATIVE_FOLDER:-$target/debug}
app=$target/consumer-test/$language/app

# block HEADING LANGUAGE: the documentation's block in a language, under a heading.
block() {
	awk -v heading="### $1" -v opening="\`\`\`$2" \
		'/^##/ { here = ($0 == heading) } /^```/ { inside = here && ($0 == opening); next } inside' docs/bindings.md
}

# A Maven repository with everything of the machine's but Whimbrel's own packages.
maven_repository() {
	local machine=$HOME/.m2/repository repository=$target/consumer-test/m2
	rm -rf "$repository"
	mkdir -p "$repository/org" "$machine/org"
	find "$machine" -mindepth 1 -maxdepth 1 ! -name org -exec ln -s -t "$repository" {} +
	find "$machine/org" -mindepth 1 -maxdepth 1 ! -name whimbrel -exec ln -s -t "$repository/org" {} +
	# No compiler process may outlive the test, and short runs are quicker without the second compiler of the JVM.
	export MAVEN_OPTS="${MAVEN_OPTS:-} -Dmaven.repo.local=$repository -Dkotlin.compiler.daemon=false -XX:TieredStopAtLevel=1"
}

# start_anew: gives the app an empty folder.
start_anew() {
	rm -rf "$app"
	mkdir -p "$app"
}

# check NAME COMMAND…: runs the command in the app's folder; it has to give the right answer.
check() {
	local name=$1 started=$SECONDS answer
	shift
	answer=$(cd "$app" && "$@" 2>&1 </dev/null) || fail "$name: the consumer project fails: $answer"
	[[ $answer == *Paris* && $answer != *JNA:* ]] || fail "$name: the consumer project answers: $answer"
	say "$name: the consumer project answers, $((SECONDS - started)) s"
}

rm -rf "$WHIMBREL_HOME"
mkdir -p "$WHIMBREL_HOME"
ln -s "$ROOT/docs" "$WHIMBREL_HOME/docs"
case $language in
	kotlin)
		headings=("Kotlin on the JVM" "Keeping in Kotlin")
		programs=(docs/consumer/kotlin/src/main/kotlin/{Main,Kept}.kt)
		maven_repository
		;;
	swift)
		headings=("Swift on Linux" "Keeping in Swift")
		programs=(docs/consumer/swift/Sources/{hello,kept}/main.swift)
		;;
	*) fail "kotlin or swift, not $language" ;;
esac
typed=()
for at in 0 1; do
	heading=${headings[$at]} program=${programs[$at]}
	typed+=("$(block "$heading" sh)")
	[ -n "${typed[$at]}" ] || fail "docs/bindings.md has no commands under the heading $heading"
	[ "$(block "$heading" "$language")" = "$(cat "$program")" ] || fail "docs/bindings.md shows another program than $program"
done
scripts/app-packages.sh --output "$WHIMBREL_HOME/target/packages" "$language"
case $language in
	kotlin)
		start_anew
		check "Kotlin of today" bash -euc "${typed[0]}"
		check "Kotlin of today, kept" bash -euc "${typed[1]}"
		# The oldest Kotlin, for which the package is compiled.
		oldest=$(sed -n 's/.*<stdlib.version>\(.*\)<.*/\1/p' bindings/kotlin/pom.xml)
		start_anew
		MAVEN_OPTS+=" -Dkotlin.version=$oldest" check "Kotlin $oldest" bash -euc "${typed[0]}"
		;;
	swift)
		start_anew
		check Swift "$ROOT/scripts/in-swift.sh" bash -euc "${typed[0]}"
		check "Swift, kept" "$ROOT/scripts/in-swift.sh" bash -euc "${typed[1]}"
		;;
esac
