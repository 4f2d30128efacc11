#!/usr/bin/env bash
# The whole story on real parts (ui/web/e2e/peers), then the tests that run on an embedded broker elsewhere, on Apache Kafka.
# One broker serves them all; each has topics of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
# Two free ports beside each other; the second is the controller's.
free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
until port=$((20000 + RANDOM % 10000)) && free "$port" && free "$((port + 1))"; do :; done
scripts/kafka/kafka.sh run "$dir" "$port" >"$dir/log" 2>&1 &
broker=$!
finish() {
	local result=$?
	kill "$broker" 2>/dev/null && wait "$broker" || true
	[ "$result" = 0 ] || { echo "--- the end of the log of Apache Kafka"; tail -n 40 "$dir/log"; } >&2
	rm -rf "$dir"
}
trap finish EXIT
until grep -q "Kafka Server started" "$dir/log"; do
	kill -0 "$broker" 2>/dev/null || { echo "Apache Kafka did not start" >&2; exit 1; }
	sleep 0.2
done
export KAFKA_BROKERS=127.0.0.1:$port

echo "== the story (what it prints comes when the next two are through: it mostly waits)"
mkdir -p .cache
(cd ui/web && npm run --silent e2e:peers) >.cache/story.log 2>&1 &
story=$!
result=0
echo "== the suite of stream on Apache Kafka"
go test -count=1 -timeout 10m -run TestKafka ./stream || result=1
echo "== replicas and a broker's restart on Apache Kafka"
go test -race -count=1 -timeout 15m -run 'Test(Replica.*|BrokerRestarted)/kafka' ./app || result=1
echo "== the story"
wait "$story" || result=1
cat .cache/story.log
# Without -race, which has seen the same code on the embedded broker: under it the load outruns the process that starts again.
echo "== kills under load on Apache Kafka"
go test -count=1 -timeout 10m -run TestKilledUnderLoad/kafka ./app || result=1
exit "$result"
