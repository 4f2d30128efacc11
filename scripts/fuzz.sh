#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 20s) each.
# An input that is merely interesting is shrunk only a little: with the default that takes most of the time.
set -euo pipefail
time=${FUZZTIME:-20s}
go list ./... | while read -r package; do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 50x "$package"
	done
done
