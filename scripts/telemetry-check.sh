#!/usr/bin/env bash
# `make telemetry-check`: 10,000 requests of an app whose messages fail one time in five, and which is restarted and killed. What its collector took is
# read by OpenTelemetry's own library and by VictoriaMetrics, and must be what was counted on the device. COUNT=… for another number. With
# JAEGER=…, a program of Jaeger, the traces are read back from it, too.
source "$(dirname "$0")/common.sh"

scripts/setup.sh
python=$(python_with telemetry.txt)
if ! command -v victoria-metrics >/dev/null; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		fail "victoria-metrics is missing: install the package victoria-metrics"
	fi
	say "installing victoria-metrics"
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends victoria-metrics >&2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/messages"
WHIMBREL_COLLECTED=${COUNT:-10000} WHIMBREL_COLLECTED_INTO=$work/messages \
	cargo test --quiet --locked --workspace --test collected -- a_collector_has_exactly_what_was_counted
"$python" scripts/telemetry-check.py "$work/messages" "$work" "${JAEGER:-}"
