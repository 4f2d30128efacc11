#!/usr/bin/env bash
# Benchmarks of the rooms, then the figures of the whole way: ingest over HTTP, latency to the websocket, time to ready.
# BENCH selects benchmarks, COUNT repeats them (for benchstat), LOAD is the length of the steady phase.
set -euo pipefail
count=${COUNT:-3} load=${LOAD:-60s} bench=${BENCH:-.}
out=.cache/bench.txt
mkdir -p .cache
echo "== benchmarks of the rooms (count $count)"
go test -run '^$' -timeout 60m -bench "$bench" -benchmem -count "$count" ./correlate/... ./ingest/... ./stream/... ./cmdb/... ./ui/... | tee "$out"
.cache/tools/benchstat "$out"
echo "== the whole way, embedded broker (steady phase $load)"
go test -count=1 -timeout 30m -run 'TestLoad' -v ./app -load "$load" | grep -vE '^(=== |--- |PASS)'
