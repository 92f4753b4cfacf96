#!/usr/bin/env bash
# Plants faults in a copy of what decides about a conversation's history, in the executor, in the exchange machine and in budgets, one after
# another, and fails unless a test notices each of them. Takes up to three minutes a fault. `history-faults.sh NAME…` plants only those.
source "$(dirname "$0")/common.sh"

# name | file under rust-core | expression for perl, over the whole file | the test that has to fail
# shellcheck disable=SC2016 # perl fills these in
faults=(
	'class-lost-with-set-messages|client/src/conversation/history.rs|s/get_or_insert\(self\.strictest\.class\)/get_or_insert(PrivacyClass::Public)/|client histories'
	'recipients-lost-with-set-messages|client/src/conversation/history.rs|s/get_or_insert_with\(\|\| self\.strictest\.recipients\.clone\(\)\)/get_or_insert_with(Recipients::default)/|client histories'
	'answers-may-go-anywhere|client/src/conversation/history.rs|s/Some\(handling\.recipients\.clone\(\)\)/Some(Recipients::Any)/|client histories'
	'declared-class-ignored|client/src/conversation/asking.rs|s/request\.class\.max\(floor\)/request.class/|client histories'
	'question-logged|client/src/conversation/asking.rs|s/(let request = self\.request\(&question\);)/$1 log::debug!("{}", question.text);/|client histories'
	'history-not-looked-at|client/src/exchange/prepare.rs|s/known\.map\(Arc::new\)\.collect\(\)/known.take(0).map(Arc::new).collect()/|client histories'
	'classes-of-messages-ignored|client/src/exchange/prepare.rs|s/classes\.fold\(request\.class/classes.take(0).fold(request.class/|client histories'
	'sent-before-the-receipt|client/src/exchange.rs|s/(    let receipt = begin\([^;]*;\n)(.*?)(    conclude::conclude)/$2$1$3/s|client histories'
	'denied-places-are-recipients|policy/src/route.rs|s/if !refusal\.as_ref\(\)\.is_err_and\(Refusal::is_denial\)/if true/|client histories'
	'redacted-stands-for-as-it-is|policy/src/route/what.rs|s/(Release::AsIs\) => vec!\[name\(endpoint, "remote"\))/$1, name(endpoint, "redact_then_remote")/|client histories'
	'recipients-of-either|policy/src/history.rs|s/these\.retain\([^;]*;/these.extend(others.iter().cloned());/|client histories'
	'another-server-under-the-name|policy/src/route/what.rs|s/\{form\}:\{\} \{\} \{\}", endpoint\.id, endpoint\.trust\.name\(\), endpoint\.base_url/{form}:{}", endpoint.id/|client histories'
	'empty-answers-count|policy/src/exchange.rs|s/Ok\(_\) if !has_text/Ok(_) if false/|policy exchange'
	'called-off-and-begun|policy/src/exchange.rs|s/if self\.waiting\.iter\(\)\.any\(called_off\)/if self.waiting.len() > 99 \&\& self.waiting.iter().any(called_off)/|policy exchange'
	'two-at-a-time|policy/src/exchange.rs|s/while self\.stopping\.is_none\(\)\s*&& let/while let/|policy exchange'
	'sent-in-its-place|policy/src/route.rs|s/(staying::hold)\(&alone,/$1(\&[],/|policy laws'
	'impatience-sends-out|policy/src/exchange/fallback.rs|s/true => &self\.bounds_staying/true => \&self.bounds/|policy laws'
	'nothing-set-aside|client/src/exchange/run.rs|s/if most == UsedToday::default\(\)/if true/|client budgets'
	'set-aside-in-memory-only|client/src/rules.rs|s/(let set_aside = current\.spending\.set_aside[^;]*;\n)\s*if let Err\(error\) = keep_spending[^}]*\}/$1/s|client budgets'
	'refusals-cost|client/src/places/endpoint.rs|s/matches!\(error\.delivery[^)]*\)/false/|client budgets'
	'never-given-up|policy/src/exchange.rs|s/now_ms >= until_ms/now_ms > until_ms.saturating_mul(9)/|policy exchange'
)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target} WHIMBREL_HISTORIES=${WHIMBREL_HISTORIES:-60000}
git ls-files -z | xargs -0 cp --parents --target-directory "$copy"
missed=0
for fault in "${faults[@]}"; do
	name=${fault%%|*} rest=${fault#*|}
	file=${rest%%|*} rest=${rest#*|}
	test=${rest##*|} expression=${rest%|*}
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	source=$copy/rust-core/$file
	cp "$source" "$copy/before"
	perl -0pi -e "$expression" "$source"
	cmp -s "$source" "$copy/before" && fail "$name: nothing was changed in $file"
	if (cd "$copy" && cargo test --quiet --locked --workspace --test "${test#* }") >"$copy/log" 2>&1; then
		printf '%s: NOT NOTICED\n' "$name"
		missed=1
	elif ! grep -q 'test result: FAILED' "$copy/log"; then
		tail -20 "$copy/log" >&2
		fail "$name: no test ran"
	else
		printf '%s: noticed by %s\n' "$name" "$(sed -nE 's/^    ([a-z_]+)$/\1/p' "$copy/log" | sort -u | paste -sd' ')"
	fi
	cp "$copy/before" "$source"
done
exit "$missed"
