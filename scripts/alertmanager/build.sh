#!/usr/bin/env bash
# Builds the Alertmanager that go.mod beside it names, and its amtool, into .cache/alertmanager: Debian's is older than
# its event recorder. Nothing is done when they are there. Usage: scripts/alertmanager/build.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$here/../.." && pwd)/.cache/alertmanager
module=github.com/prometheus/alertmanager
[ "$out/.done" -nt "$here/go.mod" ] && exit 0

version=$(awk -v module="$module" '$1 == "require" && $2 == module {print substr($3, 2)}' "$here/go.mod")
echo "building Alertmanager $version" >&2
mkdir -p "$out"
work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The download is checked against go.sum, what it needs against the go.sum of its own.
(cd "$here" && GOWORK=off go mod download "$module")
cp -r "$(cd "$here" && GOWORK=off go list -m -f '{{.Dir}}' "$module")" "$work/src"
chmod -R u+w "$work/src"
# The module comes without its web app, which the program embeds and no test opens.
mkdir -p "$work/src/ui/app/dist"
echo "built without its web app" >"$work/src/ui/app/dist/index.html"
(cd "$work/src" && GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -trimpath -buildvcs=false \
	-ldflags "-s -w -X github.com/prometheus/common/version.Version=$version" -o "$work/" ./cmd/alertmanager ./cmd/amtool)
mv "$work/alertmanager" "$work/amtool" "$out/"
touch "$out/.done"
