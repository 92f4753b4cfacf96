#!/usr/bin/env bash
# Plants faults in a copy of the app, one after another, and fails unless the tests notice each of them. Needs what android-test.sh needs; takes
# a minute or two a fault. `android-faults.sh NAME…` plants only those.
source "$(dirname "$0")/common.sh"

# name | file under android-app/app/src/main/kotlin/org/whimbrel/app | sed expression | the test that runs; without the fault it passes
faults=(
	'send-not-wired|ui/InputBar.kt|s/FilledIconButton(actions::send,/FilledIconButton({},/|ScreenTest#a question is sent*'
	'stop-not-wired|AssistantViewModel.kt|s/override fun stop() = conversation.stop()/override fun stop() = Unit/|ScreenTest#stopping keeps*'
	'label-missing|ui/InputBar.kt|s/stringResource(R.string.stop))/null)/|ScreenTest#everything that can be touched*'
	'state-lost-on-rotation|MainActivity.kt|s/AssistantViewModel by viewModels()/AssistantViewModel by lazy { AssistantViewModel(application, androidx.lifecycle.SavedStateHandle()) }/|ScreenTest#turning the phone*'
	'stream-cut-at-64-pieces|ConversationModel.kt|s/open\.ask(question)\.collect/kotlinx.coroutines.flow.flow { var pieces = 0; open.ask(question).collect { if ((it is org.whimbrel.Event.Finished) or (pieces++ < 64)) emit(it) } }.collect/|ScreenTest#a long answer*'
	'outbox-not-planned|AssistantViewModel.kt|s/container\.schedule\.plan(/listOf(/|ConversationListScreenTest#a question waits*'
	'next-run-not-planned|OutboxWorker.kt|s/container\.outboxRunner()\.run()?\.let(.*)$/container.outboxRunner().run()/|OutboxWorkTest#the work runs*'
)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
export WHIMBREL_NATIVE_FOLDER=${WHIMBREL_NATIVE_FOLDER:-$CARGO_TARGET_DIR/debug}
[ -f "$WHIMBREL_NATIVE_FOLDER/libwhimbrel.so" ] || fail "there is no libwhimbrel.so yet: run  make android-test  first"
# Only what is committed or changed, not what was built: Kotlin's compiler remembers where files were.
git ls-files -z -- android-app bindings docs scripts shared-models | xargs -0 cp --parents --target-directory "$copy"
missed=0
for fault in "${faults[@]}"; do
	IFS='|' read -r name file expression tests <<<"$fault"
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	source=$copy/android-app/app/src/main/kotlin/org/whimbrel/app/$file
	cp "$source" "$copy/before"
	sed -i "$expression" "$source"
	cmp -s "$source" "$copy/before" && fail "$name: nothing was changed in $file"
	if (cd "$copy" && scripts/android-test.sh test "-Dtest=$tests" \
		-Dsurefire.failIfNoSpecifiedTests=false) >"$copy/log" 2>&1; then
		printf '%s: NOT NOTICED\n' "$name"
		missed=1
	elif ! grep -q 'There are test failures' "$copy/log"; then
		tail -20 "$copy/log" >&2
		fail "$name: no test ran"
	else
		printf '%s: noticed by\n' "$name"
		sed -nE 's/^\[ERROR\] org\.whimbrel\.app\.(.*) -- Time elapsed.*/    \1/p' "$copy/log"
	fi
	cp "$copy/before" "$source"
done
exit "$missed"
