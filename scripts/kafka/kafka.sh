#!/usr/bin/env bash
# Runs one real Apache Kafka broker (KRaft, both roles) on loopback, for tests and trials.
#
#   scripts/kafka/kafka.sh jars           fetch the jars (Maven, 44 MB, once)
#   scripts/kafka/kafka.sh run DIR PORT   run it in the foreground; the data is in DIR and stays there
#
# The controller listens on PORT+1. It is ready when "Kafka Server started" is in the output.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
libs=$here/../../.cache/kafka

jars() {
	[ "$libs/.done" -nt "$here/pom.xml" ] && return
	"$here/../setup.sh" java mvn >&2
	rm -rf "$libs"
	mkdir -p "$libs"
	echo "fetching Apache Kafka's jars" >&2
	mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs" >&2
	touch "$libs/.done"
}

run() {
	local dir=$1 port=$2
	jars
	mkdir -p "$dir"
	cat >"$dir/server.properties" <<-END
		process.roles=broker,controller
		node.id=1
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
		advertised.listeners=PLAINTEXT://127.0.0.1:$port
		controller.listener.names=CONTROLLER
		controller.quorum.voters=1@127.0.0.1:$((port + 1))
		log.dirs=$dir/data
		auto.create.topics.enable=false
		offsets.topic.replication.factor=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		group.initial.rebalance.delay.ms=0
		group.min.session.timeout.ms=1000
		log.cleaner.backoff.ms=1000
		message.max.bytes=68157440
		replica.fetch.max.bytes=68157440
	END
	local java=(java -Xmx512m -Xms256m -cp "$libs/*" -Dlog4j2.configurationFile="$here/log4j2.xml")
	[ -e "$dir/data/meta.properties" ] ||
		"${java[@]}" kafka.tools.StorageTool format -t "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)" -c "$dir/server.properties"
	exec "${java[@]}" kafka.Kafka "$dir/server.properties"
}

case "${1:-} $#" in
"jars 1") jars ;;
"run 3") run "$2" "$3" ;;
*)
	sed -n '2,8s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
