#!/usr/bin/env bash
# Benchmarks of the rooms, then the figures of the whole way: ingest over HTTP, latency to the websocket, time to ready.
# The same requests go to a real Alertmanager in the same run: ALERTMANAGER, or the one that scripts/alertmanager builds.
# BENCH selects benchmarks, COUNT repeats them (for benchstat), LOAD is the length of the steady phase.
set -euo pipefail
count=${COUNT:-3} load=${LOAD:-60s} bench=${BENCH:-.}
out=.cache/bench.txt
mkdir -p .cache
export ALERTMANAGER=${ALERTMANAGER:-$PWD/.cache/alertmanager/alertmanager}
echo "== benchmarks of the rooms (count $count)"
go test -run '^$' -timeout 60m -bench "$bench" -benchmem -count "$count" ./correlate/... ./ingest/... ./stream/... ./cmdb/... ./ui/... | tee "$out"
.cache/tools/benchstat "$out"
echo "== the whole way, embedded broker (steady phase $load)"
go test -count=1 -timeout 30m -run 'TestLoad' -v ./app -load "$load" | grep -vE '^(=== |--- |PASS)'
echo "== the whole way, Apache Kafka (written by the broker, synced when its system does; steady phase $load)"
dir=$(mktemp -d)
scripts/kafka/kafka.sh run "$dir" 19092 >"$dir/log" 2>&1 &
broker=$!
trap 'kill "$broker" 2>/dev/null && wait "$broker" || true; rm -rf "$dir"' EXIT
until grep -q "Kafka Server started" "$dir/log"; do
	kill -0 "$broker" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
	sleep 0.2
done
SIGNALBOX_KAFKA_BROKERS='[127.0.0.1:19092]' go test -count=1 -timeout 30m -run 'TestLoad_ingest' -v ./app -load "$load" | grep -vE '^(=== |--- |PASS)'
